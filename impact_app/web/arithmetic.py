"""The arithmetic of an order's items as a reader checks it: each figure follows from those before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class ItemRow:
    """One item as evidence has it, in the currency of its sums.

    price x quantity - discount = paid, and paid - given_back - tax = net. `tax` is what prices contain and
    the conversion leaves out; below zero where a rule has tax reported that prices do not contain.
    `subtotal` - `reduction` = net is what impact.com is told, both without tax.
    """

    title: str
    sku: str
    quantity: int
    price: Decimal
    discount: Decimal
    paid: Decimal
    given_back: Decimal
    tax: Decimal
    net: Decimal
    subtotal: Decimal
    reduction: Decimal
    counts: bool


@dataclass(frozen=True)
class Items:
    """All rows, and the sums of those that count."""

    rows: tuple[ItemRow, ...]

    @property
    def net(self) -> Decimal:
        return sum((row.net for row in self.rows if row.counts), Decimal(0))

    @property
    def has_given_back(self) -> bool:
        return any(row.given_back for row in self.rows)


def items(evidence: Mapping[str, Any]) -> Items | None:
    """The items of an order's evidence; None where it tells none."""
    return Items(tuple(_rows(evidence["items"]))) if "items" in evidence else None


def _rows(told: list[Mapping[str, Any]]) -> Iterator[ItemRow]:
    for item in told:
        listed, paid, net = (Decimal(item[name]) for name in ("list_price", "paid", "net"))
        given_back = Decimal(item.get("given_back") or 0)
        yield ItemRow(
            title=item.get("title") or item["sku"],
            sku=item["sku"],
            quantity=item["quantity"],
            price=listed / item["quantity"],
            discount=listed - paid,
            paid=paid,
            given_back=given_back,
            tax=paid - given_back - net,
            net=net,
            subtotal=Decimal(item["subtotal"]),
            reduction=Decimal(item["discount"]),
            counts=item["counts"],
        )
