"""What a command shows a person: progress on the error stream, tables as plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Bar:
    """How far a command is."""

    def __init__(self, shown: Progress, words: str) -> None:
        self._shown = shown
        self._words = words
        self._task = shown.add_task(words, total=None)

    def preparing(self, ready: int) -> None:
        """The platform has made so many ready."""
        self._shown.update(self._task, description=f"{self._words}, being prepared", completed=ready)

    def at(self, done: int, of: int) -> None:
        self._shown.update(self._task, description=self._words, completed=done, total=of)


@contextmanager
def progress(words: str) -> Iterator[Bar]:
    """A bar on the error stream while the block lasts; nothing where nobody looks on."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as shown:
        yield Bar(shown, words)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: int) -> str:
    """Rows in columns as wide as they need, the last `right` columns aligned to the right."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    left = len(heads) - right
    return "\n".join(
        "  ".join(
            cell.ljust(width) if at < left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (heads, *rows)
    )
