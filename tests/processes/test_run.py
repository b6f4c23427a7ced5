"""`make run`: what dies is started again, a stop stops everything, and what cannot work is said."""

from __future__ import annotations

import shutil
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
import redis
import requests
from rq.registry import ScheduledJobRegistry

from impact_app.config import embedded_redis_socket
from impact_app.demo import free_port
from impact_app.pipeline.wake import Wake

from .started import Started, alive, living_in, start, until

#: One set of processes serves them all, one after the other.
pytestmark = pytest.mark.xdist_group("run")

PROGRAMS = ("redis-server", "granian", "app worker", "app clock")


@dataclass(frozen=True)
class Running:
    """Everything of one machine, in an instance folder too deep for a socket."""

    started: Started
    folder: Path
    port: int

    @property
    def socket(self) -> Path:
        return embedded_redis_socket(self.folder)

    def is_ready(self) -> bool:
        """All four run, and web, database and Redis answer."""
        try:
            answer = requests.get(f"http://127.0.0.1:{self.port}/readyz", timeout=2)
        except requests.RequestException:
            return False
        return answer.ok and answer.json()["status"] == "ready" and set(self.programs()) == set(PROGRAMS)

    def programs(self) -> dict[str, psutil.Process]:
        return self.started.programs()

    def end(self) -> int:
        self.started.process.send_signal(signal.SIGTERM)
        return self.started.process.wait(40)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("run")
    instance, port = folder / ("deep" * 30), free_port()
    started = start(folder, "up", INSTANCE_PATH=str(instance), PORT=str(port))
    found = Running(started, instance, port)
    try:
        until(found.is_ready, lambda: started.said)
        yield found
    finally:
        found.end()
        shutil.rmtree(found.socket.parent, ignore_errors=True)


def test_a_deep_instance_folder_puts_the_socket_where_its_path_is_short(running: Running) -> None:
    assert len(str(running.folder / "redis.sock")) > 108
    assert running.socket.parent != running.folder
    assert running.socket.is_socket()
    assert running.socket.parent.stat().st_mode & 0o777 == 0o700
    assert (running.folder / "impact.sqlite3").exists()


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_process_that_is_killed_is_started_again(running: Running, name: str) -> None:
    before = running.programs()
    before[name].kill()
    until(lambda: not before[name].is_running(), lambda: running.started.said)
    until(running.is_ready, lambda: running.started.said)
    after = running.programs()
    assert after[name].pid != before[name].pid
    if name != "redis-server":
        # Redis is leant on by the others; these stand alone.
        assert {other: after[other].pid for other in PROGRAMS if other != name} == {
            other: before[other].pid for other in PROGRAMS if other != name
        }


def test_who_was_killed_leaves_no_children_at_work(running: Running) -> None:
    worker = running.programs()["app worker"]
    until(lambda: len(worker.children()) == 2, lambda: running.started.said)
    children = worker.children(recursive=True)
    worker.kill()
    until(lambda: not alive(children), lambda: f"still at work: {alive(children)}")
    until(running.is_ready, lambda: running.started.said)


def test_later_work_is_begun_soon_after_the_scheduler_died(running: Running) -> None:
    """RQ's scheduler is a child of a worker, and ends for good when Redis is away for a moment."""
    connection = redis.Redis.from_url(f"unix://{running.socket}")
    waiting = ScheduledJobRegistry("review", connection=connection)

    def scheduler() -> list[psutil.Process]:
        workers = running.programs()["app worker"].children()
        return [child for worker in workers for child in worker.children()]

    until(lambda: bool(alive(scheduler())), lambda: running.started.said, most=150.0)
    for child in scheduler():
        child.kill()
    Wake(connection).at("review", datetime.now(UTC) + timedelta(seconds=1))
    assert waiting.count == 1
    until(lambda: waiting.count == 0, lambda: running.started.said, most=150.0)


def test_a_second_copy_in_the_same_folder_is_refused(running: Running, tmp_path: Path) -> None:
    second = start(tmp_path, "up", INSTANCE_PATH=str(running.folder), PORT=str(free_port()))
    assert second.process.wait(30) == 1
    assert f"The app already runs in {running.folder}" in second.said
    assert "Traceback" not in second.said
    assert running.is_ready()


def test_a_taken_port_is_said_and_nothing_is_started(tmp_path: Path) -> None:
    instance = tmp_path / "instance"
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        refused = start(tmp_path, "up", INSTANCE_PATH=str(instance), PORT=str(port))
        assert refused.process.wait(30) == 1
    assert f"Port {port} cannot be used: Address already in use. Set PORT to another one.\n" in refused.said
    assert "Traceback" not in refused.said
    assert not (instance / "supervisord.conf").exists()


def test_sigterm_ends_everything_and_leaves_nothing(running: Running) -> None:
    """The last one here, since it ends what the others use."""
    until(running.is_ready, lambda: running.started.said)
    below = running.started.children()
    assert len(below) >= 8  # Redis, the server and its two, the pool and its two, the clock
    assert running.end() == 0
    assert alive(below) == []
    assert living_in(running.folder) == []
    with socket.create_server(("0.0.0.0", running.port)):
        pass
