"""A small storm with each test run; `make chaos` raises the large one."""

from __future__ import annotations

from rich.console import Console

from tests.chaos.storm import storm


def test_a_small_storm_loses_nothing_and_books_nothing_twice() -> None:
    figures = storm(40, 1, seed=7, told=Console(stderr=True), patience=900)
    assert figures.posted == 3 * 40
    assert figures.kills == {"web": 1, "worker": 1, "redis": 1}
