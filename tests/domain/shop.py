"""A pretend shop's orders, read as the app reads them, and the question asked about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from impact_app.domain.mapping import PartnerCode, Target
from impact_app.domain.money import Money
from impact_app.domain.orders import Order
from impact_app.domain.plan import Context, Plan, Reported, Submit, plan
from impact_app.domain.rules import read_rules
from impact_app.simulator.shopify.orders import (
    CustomerSpec,
    DiscountSpec,
    LineSpec,
    OrderSpec,
    encode,
    order_body,
)
from impact_app.stores.shopify.reading import read_order
from impact_app.transports.api.request import call

Body = dict[str, Any]

PLACED = datetime.fromisoformat("2026-11-20T15:04:05+01:00")
TARGET = Target("1000", "9876")
CLICK = (("im_ref", "click-1"),)


def line(price: str, quantity: int = 1, sku: str | None = "A", **more: Any) -> LineSpec:
    rate = more.pop("tax", None)
    return LineSpec(
        price=Decimal(price),
        quantity=quantity,
        sku=sku,
        tax_rate=None if rate is None else Decimal(rate),
        **more,
    )


def percent(value: str, **more: Any) -> DiscountSpec:
    return DiscountSpec(value=Decimal(value), value_type="percentage", **more)


def off(value: str, **more: Any) -> DiscountSpec:
    return DiscountSpec(value=Decimal(value), value_type="fixed_amount", **more)


def body(*lines: LineSpec, **more: Any) -> Body:
    """A paid order of the web shop with a click, no shipping and no customer, as Shopify would send it."""
    usual: dict[str, Any] = {
        "lines": lines,
        "processed_at": PLACED,
        "order_id": 450789469,
        "order_number": 1001,
        "note_attributes": CLICK,
        "shipping": None,
        "customer": None,
        "email": None,
    }
    discounts = tuple(more.pop("discounts", ()))
    return order_body(OrderSpec(**{**usual, "discounts": discounts, **more}))


def read(raw: Body) -> Order:
    return read_order(encode(raw))


def order(*lines: LineSpec, **more: Any) -> Order:
    return read(body(*lines, **more))


def asked(
    about: Order,
    reported: Reported | None = None,
    *,
    codes: Sequence[PartnerCode] = (),
    age: timedelta = timedelta(0),
    **rules: str,
) -> Plan:
    """The plan for an order at `age` after it was placed."""
    return plan(about, read_rules(rules), reported, Context(TARGET, codes, about.placed_at + age))


def form(found: Plan) -> dict[str, str]:
    """The form of the call a plan asks for; each name once."""
    assert found.step is not None, (found.reason, found.detail)
    pairs = call(found.step, "IRAbc").form
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)


def reported(about: Order, **rules: str) -> Reported:
    """What impact.com holds once it has accepted the order."""
    step = asked(about, **rules).step
    assert isinstance(step, Submit)
    return step.result


def items(sent: dict[str, str]) -> list[tuple[str, int, Decimal, Decimal]]:
    """SKU, quantity, subtotal and discount of each item of a form, in the order sent."""
    found = []
    for at in range(1, sum(name.startswith("ItemSku") for name in sent) + 1):
        discount = Decimal(sent.get(f"ItemTotalDiscount{at}", "0"))
        subtotal = Decimal(sent[f"ItemSubTotal{at}"])
        found.append((sent[f"ItemSku{at}"], int(sent[f"ItemQuantity{at}"]), subtotal, discount))
    return found


def net(sent: dict[str, str]) -> Decimal:
    """What impact.com would pay on: the items less their discounts and the order's."""
    whole = sum((subtotal - discount for _, _, subtotal, discount in items(sent)), Decimal(0))
    return whole - Decimal(sent.get("OrderDiscount", "0"))


def money(amount: str, currency: str = "USD") -> Money:
    return Money(Decimal(amount), currency)


def with_lines(about: Order, *changes: Callable[[Any], Any]) -> Order:
    """The order with each line put through its change, as the catalogue fills in what a body lacks."""
    return replace(about, lines=tuple(change(one) for change, one in zip(changes, about.lines, strict=True)))


__all__ = ["CustomerSpec", "DiscountSpec", "LineSpec", "OrderSpec"]
