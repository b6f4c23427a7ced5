"""`make demo` as a program: what it prints, how it exits, and that nothing of it stays."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from impact_app.demo import free_port
from impact_app.simulator.shopify.orders import OrderSpec, encode, order_body

from .started import Started, alive, start, until


@dataclass(frozen=True)
class Playing:
    """A demo whose processes are all there, and the folder that it made for them."""

    started: Started
    below: list[psutil.Process]
    folder: Path


Begin = Callable[..., Playing]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    begun: list[Started] = []

    def play(*words: str) -> Playing:
        started = start(
            tmp_path,
            *words,
            program=["impact_app.demo"],
            PORT=str(free_port()),
            INSTANCE_PATH=str(tmp_path / "instance"),
        )
        begun.append(started)
        until(lambda: len(started.children()) >= 8 or not started.is_running, lambda: started.said)
        return Playing(started, started.children(), started.instance())

    yield play
    for one in begun:
        if one.is_running:
            one.process.terminate()
            one.process.wait(40)


def test_once_prints_the_booked_conversion_and_leaves_nothing(begin: Begin, tmp_path: Path) -> None:
    demo = begin("--once")
    assert demo.folder.parent == Path(tempfile.gettempdir())
    assert demo.started.process.wait(60) == 0, demo.started.said
    # 2 x 14.00 and 3 x 33.00 - 6.00, then 10 % off all of it: 28.00 - 2.80 + 93.00 - 9.30
    for word in ("HOSE-20", "SPADE-1", "WELCOME10", "demo-Click_7Qx:2a", "108.90"):
        assert word in demo.started.said, demo.started.said
    assert "Traceback" not in demo.started.said
    assert alive(demo.below) == []
    assert not demo.folder.exists()
    assert not (tmp_path / "instance").exists()


def test_a_file_that_was_cut_off_fails_with_a_sentence(begin: Begin, tmp_path: Path) -> None:
    whole = encode(order_body(OrderSpec()))
    (tmp_path / "order.json").write_bytes(whole[: len(whole) // 2])
    demo = begin("--once", "--order", str(tmp_path / "order.json"))
    assert demo.started.process.wait(60) == 1, demo.started.said
    assert "The demo failed:" in demo.started.said
    assert "JSON" in demo.started.said
    assert "Traceback" not in demo.started.said
    assert alive(demo.below) == []
    assert not demo.folder.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_stays_ends_when_it_is_told_to(begin: Begin, number: int) -> None:
    demo = begin()
    until(lambda: "Ctrl-C" in demo.started.said, lambda: demo.started.said)
    demo.started.process.send_signal(number)
    assert demo.started.process.wait(60) == 0, demo.started.said
    assert "Traceback" not in demo.started.said
    assert alive(demo.below) == []
    assert not demo.folder.exists()


def test_a_demo_that_is_killed_takes_its_processes_along(begin: Begin) -> None:
    demo = begin()
    demo.started.process.kill()
    demo.started.process.wait()
    until(lambda: not alive(demo.below), lambda: f"still at work: {alive(demo.below)}")
    shutil.rmtree(demo.folder)
