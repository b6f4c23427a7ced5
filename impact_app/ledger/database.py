"""The one database: connections, transactions, and the order in which processes may write to SQLite."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event


class Database:
    """SQLite or PostgreSQL behind two words: `read()` and `write()`."""

    def __init__(self, url: str) -> None:
        self.url = url
        parsed = sa.make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self.engine = _sqlite_engine(parsed)
            self._turns: _Turns | None = _Turns(Path(f"{parsed.database}.lock"))
        else:
            # A dead connection is found before it is used, so a database restart costs one retry at most.
            self.engine = sa.create_engine(
                parsed,
                pool_pre_ping=True,
                pool_size=10,
                max_overflow=20,
                hide_parameters=True,
                connect_args={"connect_timeout": 5},
            )
            self._turns = None

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """One consistent view; nothing is kept."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """One transaction, committed when the block ends and undone when it raises."""
        turn = self._turns.turn() if self._turns else nullcontext()
        with turn, self.engine.connect() as connection:
            writing = connection.execution_options(impact_write=True)
            with writing.begin():
                yield writing

    @contextmanager
    def trial(self) -> Iterator[sa.Connection]:
        """One transaction that is undone when the block ends, whatever was written in it."""
        turn = self._turns.turn() if self._turns else nullcontext()
        with turn, self.engine.connect() as connection:
            writing = connection.execution_options(impact_write=True)
            undone = writing.begin()
            try:
                yield writing
            finally:
                undone.rollback()

    def close(self) -> None:
        self.engine.dispose()


class _Turns:
    """Lets one writer at a time into SQLite, first come first served by the kernel.

    SQLite's own busy wait sleeps and retries, which makes its slowest writes many times slower
    than a file lock does. A process that dies lets go of the lock by dying.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = threading.Lock()
        self._opened: tuple[int, int] | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        with self._threads:
            fd = self._fd()
            fcntl.flock(fd, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(fd, fcntl.LOCK_UN)
                # Whoever waits was only woken: without this, one that writes again at once would be first.
                os.sched_yield()

    def _fd(self) -> int:
        """A descriptor of this process: one inherited from a parent would share the parent's lock."""
        if self._opened is None or self._opened[0] != os.getpid():
            self._opened = (os.getpid(), os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        return self._opened[1]


def _sqlite_engine(url: sa.URL) -> sa.Engine:
    # What a statement carries (bodies, tokens) stays out of the words of its faults, and so of the log.
    engine = sa.create_engine(
        url, hide_parameters=True, connect_args={"timeout": 30, "check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        # The driver's own transaction handling would begin too late for BEGIN IMMEDIATE.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        write = connection.get_execution_options().get("impact_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine
