"""Posting prepared requests, in step or as fast as they go.

Apart from `__main__`, since a process started anew cannot import from there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import requests

RATE, SENDERS = 200, 16


def paced(url: str, prepared: list[tuple[bytes, dict[str, str]]]) -> list[float]:
    """Post everything at `RATE` a second; the answers' times in order, in seconds."""
    begun = time.monotonic() + 0.2
    return send(url, prepared, due=lambda number: begun + number / RATE)


def send(url: str, prepared: list[tuple[bytes, dict[str, str]]], due: Callable[[int], float]) -> list[float]:
    """Post everything, each when it is due; the answers' times in order, counted from when it was due."""
    waiting = iter(enumerate(prepared))
    lock, times = threading.Lock(), []

    def sender() -> None:
        session = requests.Session()
        while True:
            with lock:
                number, (sent, signed) = next(waiting, (-1, (b"", {})))
            if number < 0:
                return
            moment = due(number)
            time.sleep(max(0.0, moment - time.monotonic()))
            begun = max(moment, time.monotonic() - 1) if moment else time.monotonic()
            answer = session.post(url, data=sent, headers=signed, timeout=30)
            times.append(time.monotonic() - begun)
            assert answer.status_code == 200, answer.text

    with ThreadPoolExecutor(SENDERS) as threads:
        for done in [threads.submit(sender) for _ in range(SENDERS)]:
            done.result()
    return sorted(times)
