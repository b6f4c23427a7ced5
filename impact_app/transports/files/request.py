"""Calls as lines of the files that impact.com takes by upload, FTP or e-mail.

A line says what the call says: it is made of the call's own form, so that money and ids are the same to the
cent and to the letter. One file holds conversions, another modifications and reversals.
Source: impact.com's guides to conversion files and to modification files, seen 2026-11; see NOTES.md.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Form = Sequence[tuple[str, str]]
Row = Mapping[str, str]

#: impact.com asks to keep files below this many entries.
MOST_ROWS = 10_000

#: What a conversion file has at least, in the order of impact.com's example.
CONVERSION_COLUMNS = (
    *("CampaignId", "ActionTrackerId", "EventDate", "OrderId", "ClickId", "CustomerId", "CurrencyCode"),
    *("Amount", "Category", "Sku", "Quantity"),
)
CHANGE_COLUMNS = (
    *("ActionId", "ActionTrackerId", "OrderId", "Reason", "Amount", "CurrencyCode", "Sku", "Quantity"),
)

#: Item fields of a call under their names in a file; the others keep theirs. `Amount` is the whole line
#: before discounts, as `ItemSubTotal` is.
_ITEM_COLUMNS = {
    **{"ItemSku": "Sku", "ItemName": "Name", "ItemCategory": "Category", "ItemQuantity": "Quantity"},
    "ItemSubTotal": "Amount",
}
_ORDER_COLUMNS = {"EventTypeId": "ActionTrackerId"}
_NUMBERED = re.compile(r"(Item[A-Za-z]+)(\d+)")

#: Words for people alone: impact.com matches nothing by them, so a blank before them does no harm.
_FREE_TEXT = re.compile(r"Name|ItemBrand|UserAgent|Text\d+")


@dataclass(frozen=True, slots=True)
class Change:
    """A modification, reversal or restoration of one conversion, as its call has it."""

    conversion: tuple[int, int]
    kind: Literal["modify", "reverse", "restore"]
    form: Form
    currency: str


def conversion_rows(form: Form) -> list[Row]:
    """One line an item, sorted by SKU, the order's own columns repeated on each."""
    order: dict[str, str] = {}
    items: dict[int, dict[str, str]] = {}
    for name, value in form:
        numbered = _NUMBERED.fullmatch(name)
        if numbered:
            column = _ITEM_COLUMNS.get(numbered[1], numbered[1])
            items.setdefault(int(numbered[2]), {})[column] = value
        else:
            order[_ORDER_COLUMNS.get(name, name)] = value
    return sorted(({**order, **item} for item in items.values()), key=lambda row: row["Sku"])


def conversions(forms: Iterable[Form]) -> list[Row]:
    """The lines of many conversions, those of one order together: impact.com takes others for duplicates."""
    by_order = sorted((conversion_rows(form) for form in forms), key=lambda rows: rows[0]["OrderId"])
    return [row for rows in by_order for row in rows]


def changes(steps: Iterable[Change]) -> tuple[list[Row], int]:
    """What the changes of each conversion come to, and how many conversions no file can bring there.

    A change is absolute, so of each SKU the last one stands, and a reversal stands for all before it. It is a
    line without SKU whose amount is 0. Undoing a reversal has no form in a file.
    """
    last: dict[tuple[int, int], dict[str, Row]] = {}
    restored: set[tuple[int, int]] = set()
    for step in steps:
        rows = last.setdefault(step.conversion, {})
        if step.kind == "modify":
            rows.update({row["Sku"]: row for row in _modified(step)})
            continue
        rows.clear()
        if step.kind == "reverse":
            rows[""] = _reversed(step)
            restored.discard(step.conversion)
        else:
            restored.add(step.conversion)
    found = [row for at, rows in last.items() if at not in restored for row in rows.values()]
    return sorted(found, key=lambda row: (row.get("OrderId", ""), row.get("ActionId", ""), row["Sku"])), len(
        restored
    )


def _modified(step: Change) -> Iterator[Row]:
    fields = dict(step.form)
    target = _target(step)
    for name, sku in step.form:
        numbered = re.fullmatch(r"Sku(\d*)", name)
        if numbered:
            yield {
                **target,
                "Reason": fields["Reason"],
                "Amount": fields[f"Amount{numbered[1]}"],
                "Sku": sku,
                "Quantity": fields[f"Quantity{numbered[1]}"],
            }


def _reversed(step: Change) -> Row:
    return {**_target(step), "Reason": dict(step.form)["DispositionCode"], "Amount": "0", "Sku": ""}


def _target(step: Change) -> Row:
    named = {name: value for name, value in step.form if name in {"ActionId", "ActionTrackerId", "OrderId"}}
    return {**named, "CurrencyCode": step.currency}


def text(rows: Sequence[Row], columns: Sequence[str], *, to_look_at: bool = False) -> str:
    """The file: commas, the first line the heads. `columns` come always, others where a row has them.

    A spreadsheet would run a value that begins like a formula. Before words that are for people alone stands
    a blank then; ids, codes and SKUs stay as they are, since impact.com matches by them. `to_look_at` puts an
    apostrophe before all of them, which makes the file safe to open and unfit to upload.
    """
    more = dict.fromkeys(name for row in rows for name in row if name not in columns)
    heads = [*columns, *more]
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, heads, restval="")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _safe(name, value, to_look_at) for name, value in row.items()})
    return file.getvalue()


def risky(rows: Iterable[Row]) -> Collection[str]:
    """The columns whose values a spreadsheet would run as formulas, as the file for impact.com has them."""
    return sorted(
        {
            name
            for row in rows
            for name, value in row.items()
            if _is_formula(value) and not _FREE_TEXT.fullmatch(name)
        }
    )


def _safe(name: str, value: str, to_look_at: bool) -> str:
    if not _is_formula(value):
        return value
    if to_look_at:
        return f"'{value}"
    return f" {value}" if _FREE_TEXT.fullmatch(name) else value


def _is_formula(value: str) -> bool:
    return value.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
