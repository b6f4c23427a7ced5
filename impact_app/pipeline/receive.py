"""The first stop: keep what arrives durably before its sender hears that it is kept.

Requests that arrive together share one commit: each hands its delivery to the one writer of its process and
waits for the commit that holds it. That is what makes durable faster than a commit each (docs/adr/0003).
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from typing import Generic, Protocol, TypeVar

import sqlalchemy as sa
import structlog

log = structlog.get_logger()

#: Deliveries in one commit; more wait for the next one, a few milliseconds later.
BATCH = 64

#: Shopify ends a request after 5 seconds in all, so an answer later than this would not be heard.
PATIENCE = 4.0


class NotKept(Exception):
    """The delivery could not be written down; the platform must send it again."""


Arrived = TypeVar("Arrived")
Added_contra = TypeVar("Added_contra", contravariant=True)


class Keeps(Protocol[Added_contra]):
    """Where what arrives is written down: a batch in one transaction."""

    def add(self, batch: Sequence[Added_contra]) -> None: ...


class Receiver(Generic[Arrived]):
    """Keeps what arrives. One writer thread a process, started at the first arrival after a fork."""

    def __init__(self, ledger: Keeps[Arrived], wake: Callable[[], None]) -> None:
        self._ledger = ledger
        self._wake = wake
        self._lock = threading.Lock()
        self._pid: int | None = None
        self._waiting: queue.SimpleQueue[tuple[Arrived, Future[None]]] = queue.SimpleQueue()
        self._kept = threading.Event()

    def keep(self, one: Arrived) -> None:
        """Return once it is on disk. Raises `NotKept`, and then nothing is known of it."""
        self._start()
        done: Future[None] = Future()
        self._waiting.put((one, done))
        try:
            done.result(PATIENCE)
        except Late:
            raise NotKept("The database did not answer in time.") from None
        except Exception as fault:
            raise NotKept("The database cannot be written to.") from fault

    def _start(self) -> None:
        if self._pid == os.getpid():
            return
        with self._lock:
            if self._pid != os.getpid():
                self._waiting, self._kept = queue.SimpleQueue(), threading.Event()
                threading.Thread(target=self._write, name="inbox-writer", daemon=True).start()
                threading.Thread(target=self._tell, name="inbox-wake", daemon=True).start()
                self._pid = os.getpid()

    def _write(self) -> None:
        while True:
            batch = [self._waiting.get()]
            while len(batch) < BATCH and not self._waiting.empty():
                batch.append(self._waiting.get())
            self._commit(batch)

    def _commit(self, batch: list[tuple[Arrived, Future[None]]]) -> None:
        try:
            self._ledger.add([one for one, _ in batch])
        except Exception as fault:
            if len(batch) > 1 and not isinstance(fault, sa.exc.OperationalError):
                # One of them is what the database will not take; the others must not suffer for it.
                for one in batch:
                    self._commit([one])
                return
            log.exception("deliveries.not_kept", deliveries=len(batch))
            for _, done in batch:
                done.set_exception(fault)
            return
        for _, done in batch:
            done.set_result(None)
        self._kept.set()

    def _tell(self) -> None:
        """Wake the queue after commits, apart from the writer, so that a Redis that hangs delays nobody."""
        while True:
            self._kept.wait()
            self._kept.clear()
            self._wake()
