"""What impact.com was told, or is about to be, as a file it takes instead of calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from impact_app.ledger.database import Database
from impact_app.ledger.exports import DUE, REPORTED, exported
from impact_app.ledger.outbox import Kind
from impact_app.transports.files.request import (
    CHANGE_COLUMNS,
    CONVERSION_COLUMNS,
    Change,
    Row,
    changes,
    conversions,
    risky,
    text,
)

State = Literal["all", "reported", "due"]

_SUBMISSIONS: tuple[Kind, ...] = ("submit",)
_CHANGES: tuple[Kind, ...] = ("modify", "reverse", "restore")
_STATES: Mapping[State, Sequence[str]] = {"all": (*REPORTED, *DUE), "reported": REPORTED, "due": DUE}


@dataclass(frozen=True)
class File:
    """A file with what there is to say about it.

    sums      by currency what a file of conversions comes to after discounts
    left_out  conversions whose change has no form in a file
    risky     columns in which values begin like a formula
    """

    text: str
    rows: int
    conversions: int
    sums: Mapping[str, Decimal]
    left_out: int
    risky: Collection[str]


def conversion_file(
    database: Database,
    store_id: int,
    since: datetime,
    until: datetime,
    *,
    state: State = "all",
    to_look_at: bool = False,
) -> File:
    """The conversions of orders placed in a period, each as it was last submitted; one line an item."""
    found = exported(database, store_id, since, until, kinds=_SUBMISSIONS, states=_STATES[state])
    forms = {step.conversion: step.form for step in found}
    rows = conversions(forms.values())
    return File(
        text=text(rows, CONVERSION_COLUMNS, to_look_at=to_look_at),
        rows=len(rows),
        conversions=len(forms),
        sums=sums(rows),
        left_out=0,
        risky=risky(rows),
    )


def change_file(
    database: Database,
    store_id: int,
    since: datetime,
    until: datetime,
    *,
    state: State = "all",
    to_look_at: bool = False,
) -> File:
    """What the modifications and reversals of orders placed in a period come to."""
    found = exported(database, store_id, since, until, kinds=_CHANGES, states=_STATES[state])
    steps = [
        Change(one.conversion, one.kind, one.form, one.currency) for one in found if one.kind != "submit"
    ]
    rows, left_out = changes(steps)
    named = {(row.get("ActionId"), row.get("ActionTrackerId"), row.get("OrderId")) for row in rows}
    return File(
        text=text(rows, CHANGE_COLUMNS, to_look_at=to_look_at),
        rows=len(rows),
        conversions=len(named),
        sums={},
        left_out=left_out,
        risky=risky(rows),
    )


def sums(rows: Sequence[Row]) -> dict[str, Decimal]:
    """By currency what impact.com pays on: amounts less the discounts of items and orders."""
    found: dict[str, Decimal] = defaultdict(Decimal)
    orders: dict[tuple[str, str], tuple[str, Decimal]] = {}
    for row in rows:
        found[row["CurrencyCode"]] += Decimal(row["Amount"]) - Decimal(row.get("ItemTotalDiscount", "0"))
        at = row["ActionTrackerId"], row["OrderId"]
        orders[at] = row["CurrencyCode"], Decimal(row.get("OrderDiscount", "0"))
    for currency, discount in orders.values():
        found[currency] -= discount
    return dict(found)
