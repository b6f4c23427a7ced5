"""Tables as files that spreadsheets open as they are meant: all letters kept, no cell computed."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator

from flask import Response

Cell = str | int

#: What makes a spreadsheet take a cell for a formula, in narrow and in wide letters (OWASP, CSV Injection).
_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)

#: Tells a spreadsheet that the letters are UTF-8.
_MARK = "\ufeff"


def spreadsheet(name: str, header: Iterable[Cell], rows: Iterable[Iterable[Cell]]) -> Response:
    """A CSV file of this name, sent as its rows come, however many there are."""

    def lines() -> Iterator[str]:
        yield _MARK + _line(header)
        for row in rows:
            yield _line(row)

    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(lines(), mimetype="text/csv", headers=headers)


def _line(cells: Iterable[Cell]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow([_safe(cell) for cell in cells])
    return out.getvalue()


def _safe(cell: Cell) -> Cell:
    """The cell, as text where a spreadsheet would take it for a formula; a negative number stays one."""
    if isinstance(cell, int) or _NUMBER.fullmatch(cell):
        return cell
    return f"'{cell}" if cell.startswith(_STARTS_A_FORMULA) else cell
