"""Commands of ours as people start them: apart from the tests' terminal, with a folder of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0

#: How our commands are started.
APP = ("flask", "--app", "app")


@dataclass(frozen=True)
class Started:
    """A running command and what it writes."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def children(self) -> list[psutil.Process]:
        """Everything below it, how deep whatever."""
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def instance(self) -> Path:
        """The folder that a demo made for its processes."""
        named = {_instance(one) for one in self.children()} - {None}
        (folder,) = named
        return Path(str(folder))

    def programs(self) -> dict[str, psutil.Process]:
        """What the supervisor started, by the word that tells each from the others."""
        found = {}
        for one in psutil.Process(self.process.pid).children():
            command = _command(one)
            for name in ("redis-server", "granian", "app worker", "app clock"):
                if name in command:
                    found[name] = one
        return found


def start(folder: Path, *words: str, program: Sequence[str] = APP, **environment: str) -> Started:
    """Start a program of ours with its standard input closed, as some service managers do."""
    log = folder / "said"
    command = ["sh", "-c", 'exec "$0" "$@" <&-', sys.executable, "-m", *program, *words]
    with log.open("wb") as said:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=plain_environment() | environment,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Started(process, log)


def plain_environment() -> dict[str, str]:
    """This environment without settings of ours."""
    ours = (
        "SECRET_KEY",
        "DATABASE_URL",
        "REDIS_URL",
        "ADMIN_PASSWORD",
        "SHOPIFY",
        "IMPACT",
        "INSTANCE",
        "APP_",
    )
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def until(is_so: Callable[[], bool], told: Callable[[], str], most: float = PATIENCE) -> float:
    """Wait until something is so, and say how many seconds it took; `told` says why it may not have been."""
    begun = time.monotonic()
    while not is_so():
        assert time.monotonic() - begun < most, told()
        time.sleep(0.1)
    return time.monotonic() - begun


def alive(processes: list[psutil.Process]) -> list[str]:
    """The commands of those that still run; a pid that was given to somebody else does not count."""
    return [_command(one) for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def living_in(folder: Path) -> list[str]:
    """The commands of all processes on this machine that were given this instance folder."""
    found = [
        one for one in psutil.process_iter() if _instance(one) == str(folder) or str(folder) in _command(one)
    ]
    return alive(found)


def _instance(process: psutil.Process) -> str | None:
    # Redis writes its title over its environment.
    try:
        return process.environ().get("INSTANCE_PATH")
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""
