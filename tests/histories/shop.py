"""The shop's side of a history: orders as the pretend store changes them, and the mail that tells of it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from impact_app.simulator.shopify import changes
from impact_app.simulator.shopify.orders import CustomerSpec, DiscountSpec, LineSpec, OrderSpec, order_body
from impact_app.simulator.shopify.specs import ID_STEP, exponent
from impact_app.simulator.shopify.standing import money_back
from tests.histories.events import (
    Added,
    Bought,
    Cancelled,
    Item,
    Mail,
    Paid,
    Raised,
    Refunded,
    Removed,
    Returned,
    Uncancelled,
)

Body = dict[str, Any]
Change = Bought | Paid | Returned | Refunded | Removed | Raised | Added | Cancelled | Uncancelled

_FIRST_ORDER = 5_000_000_000_000

#: Discounts by the words an event names them with. Fixed ones are in whole units of the currency.
DISCOUNTS: dict[str, tuple[DiscountSpec, ...]] = {
    "": (),
    "10 % off all": (DiscountSpec(value=Decimal(10), name="TEN"),),
    "33.33 % off all": (DiscountSpec(value=Decimal("33.33"), kind="automatic", name="Third"),),
    "7 off all": (DiscountSpec(value=Decimal(7), value_type="fixed_amount", name="SEVEN"),),
    "15 % off the first": (
        DiscountSpec(
            value=Decimal(15), kind="automatic", selection="entitled", method="each", name="F", entitled=(0,)
        ),
    ),
    "1 off each of the first": (
        DiscountSpec(
            value=Decimal(1), value_type="fixed_amount", selection="entitled", method="each", entitled=(0,)
        ),
    ),
    "10 % and 3 off all": (
        DiscountSpec(value=Decimal(10), name="TEN"),
        DiscountSpec(value=Decimal(3), value_type="fixed_amount", kind="automatic", name="Three"),
    ),
}

#: Shop money and shopper money with the rate between, by the words an event names them with.
MONEYS: dict[str, tuple[str, str | None, Decimal]] = {
    "EUR": ("EUR", None, Decimal(1)),
    "JPY": ("JPY", None, Decimal(1)),
    "KWD": ("KWD", None, Decimal(1)),
    "USD to EUR": ("USD", "EUR", Decimal("0.9187")),
    "EUR to JPY": ("EUR", "JPY", Decimal("161.33")),
    "JPY to USD": ("JPY", "USD", Decimal("0.0067")),
}


@dataclass
class Life:
    """One order: every state it was in, the newest last, and how it stood before it was cancelled."""

    states: list[Body]
    has_click: bool
    before_cancel: Body | None = None

    @property
    def now(self) -> Body:
        return self.states[-1]

    @property
    def id(self) -> str:
        return str(self.now["id"])

    @property
    def is_cancelled(self) -> bool:
        return self.now["cancelled_at"] is not None


@dataclass(frozen=True)
class Message:
    """One webhook: topic, body, and the id under which a platform repeats it."""

    topic: str
    body: Body
    key: str
    order: str


@dataclass
class Shop:
    """Orders and mail. `deliver` hands a message to the app; what it is not given stays in `bag`."""

    clock: Callable[[], datetime]
    deliver: Callable[[Message], None]
    changed: Callable[[Body], None]
    lives: list[Life] = field(default_factory=list)
    sent: list[Message] = field(default_factory=list)
    bag: list[Message] = field(default_factory=list)

    def take(self, event: Change) -> None:
        """Let the change happen, if it can, and tell of it as its `mail` says."""
        if isinstance(event, Bought):
            self.lives.append(Life([_bought(event, len(self.lives), self.clock())], event.has_click))
            life, topic, hint = self.lives[-1], "orders/paid" if event.is_paid else "orders/create", None
        else:
            if not self.lives:
                return
            life = self.lives[event.order % len(self.lives)]
            made = _changed(event, life, self.clock())
            if made is None:
                return
            topic, body, hint = made
            life.states.append(body)
        self.changed(life.now)
        self._tell(life, topic, hint, event.mail)

    def settle_up(self) -> None:
        """The buyers pay what they owe."""
        for at, life in enumerate(self.lives):
            if life.now["financial_status"] == "partially_paid" and not life.is_cancelled:
                self.take(Paid(at))

    def _tell(self, life: Life, topic: str, hint: tuple[str, Body] | None, fate: Mail) -> None:
        number = len(life.states)
        message = Message(topic, life.now, f"{life.id}-{number}", life.id)
        if fate == "lost" or (fate == "hint" and hint is None):
            return
        if fate == "late":
            self.bag.append(message)
        elif fate == "hint" and hint is not None:
            self.hand_over(Message(*hint, f"{life.id}-{number}-hint", life.id))
        else:
            self.hand_over(message)
            if fate == "twice":
                self.hand_over(message)
                self.again(len(self.sent) - 1, is_new=True)

    def hand_over(self, message: Message) -> None:
        self.deliver(message)
        self.sent.append(message)

    def again(self, at: int, *, is_new: bool) -> None:
        if not self.sent:
            return
        old = self.sent[at % len(self.sent)]
        key = f"{old.key}-again-{len(self.sent)}" if is_new else old.key
        self.hand_over(Message(old.topic, old.body, key, old.order))

    def late(self, at: int) -> None:
        if self.bag:
            self.hand_over(self.bag.pop(at % len(self.bag)))


def _line(item: Item, currency: str) -> LineSpec:
    return LineSpec(
        sku=item.sku or None,
        title=f"Thing {item.sku}",
        price=_money(item.price, currency),
        quantity=item.units,
        tax_rate=Decimal(item.tax) / 100 if item.tax else None,
        gift_card=item.is_gift_card,
        # Without a product nothing has to be looked up; a missing SKU falls back to the title.
        product_id=None,
    )


def _without_code(off: str) -> tuple[DiscountSpec, ...]:
    """The same discounts entered by nobody: a code alone would be enough to report an order."""
    return tuple(replace(one, kind="automatic") for one in DISCOUNTS[off])


def _money(units: int, currency: str) -> Decimal:
    return Decimal(units).scaleb(-exponent(currency))


def _bought(event: Bought, number: int, now: datetime) -> Body:
    currency, shopper, rate = MONEYS[event.money]
    return order_body(
        OrderSpec(
            lines=tuple(_line(item, currency) for item in event.items),
            discounts=DISCOUNTS[event.off] if event.has_click else _without_code(event.off),
            currency=currency,
            presentment_currency=shopper,
            exchange_rate=rate,
            taxes_included=event.tax_included,
            shipping=_money(event.shipping, currency) if event.shipping else None,
            note_attributes=(("im_ref", f"click-{number}"),) if event.has_click else (),
            customer=CustomerSpec(id=8_210_000_000_000 + number),
            financial_status="paid" if event.is_paid else "pending",
            processed_at=now - timedelta(minutes=1),
            updated_at=now,
            order_id=_FIRST_ORDER + ID_STEP * number,
            order_number=1001 + number,
        )
    )


_Made = tuple[str, Body, tuple[str, Body] | None]


def _changed(event: Change, life: Life, now: datetime) -> _Made | None:
    """Topic, the order after the change, and the hint that tells of it; None where it cannot happen."""
    order = life.now
    if isinstance(event, Uncancelled):
        return _uncancelled(life, now)
    if life.is_cancelled:
        return None
    match event:
        case Paid():
            return _paid(order, now)
        case Cancelled(is_refunded=is_refunded):
            life.before_cancel = order
            return "orders/cancelled", changes.cancel(order, refunded=is_refunded, at=now), None
        case Added(item=item):
            spec = _line(item, order["currency"])
            edited, after = changes.edit(order, add=(spec,), at=now)
            return "orders/updated", after, ("orders/edited", edited)
        case Removed(line=line, units=units):
            return _edited(order, line, units, now, adds=False)
        case Raised(line=line, units=units):
            return _edited(order, line, units, now, adds=True)
    if order["financial_status"] in ("pending", "refunded"):
        return None
    match event:
        case Returned(line=line, units=units, kept=kept):
            return _returned(order, line, units, kept, now)
        case Refunded(amount=amount, is_shipping=is_shipping):
            return _refunded(order, amount, now, is_shipping=is_shipping)
    raise AssertionError(event)


def _paid(order: Body, now: datetime) -> _Made | None:
    if order["financial_status"] not in ("pending", "partially_paid"):
        return None
    after = copy.deepcopy(order)
    status = "partially_refunded" if _handed_back(order) else "paid"
    after |= {"financial_status": status, "total_outstanding": "0", "updated_at": now.isoformat()}
    return "orders/paid", after, None


def _uncancelled(life: Life, now: datetime) -> _Made | None:
    if not life.is_cancelled or life.before_cancel is None:
        return None
    return "orders/updated", {**copy.deepcopy(life.before_cancel), "updated_at": now.isoformat()}, None


def _edited(order: Body, at: int, count: int, now: datetime, *, adds: bool) -> _Made | None:
    lines = [line for line in order["line_items"] if _may_be_raised(line) or not adds]
    lines = [line for line in lines if line["current_quantity"] or adds]
    if not lines:
        return None
    line = lines[at % len(lines)]
    if adds:
        edited, after = changes.edit(order, increase={line["id"]: count}, at=now)
    else:
        gone = min(count, line["current_quantity"])
        edited, after = changes.edit(order, remove={line["id"]: gone}, at=now)
    return "orders/updated", after, ("orders/edited", edited)


def _may_be_raised(line: Body) -> bool:
    """The pretend store spreads a discount over all units of a line, also over those added at full price.

    Where some went before, it would then say otherwise what they were worth.
    """
    return line["quantity"] == line["current_quantity"] or not line["discount_allocations"]


def _returned(order: Body, at: int, count: int, kept: int, now: datetime) -> _Made | None:
    lines = [line for line in order["line_items"] if line["current_quantity"]]
    if not lines:
        return None
    line = lines[at % len(lines)]
    given = {line["id"]: min(count, line["current_quantity"])}
    record, _ = changes.refund(order, given, at=now)
    worth, left = money_back(order, record)[0], _left(order)
    # Nobody gets back more than was paid; what was handed back before is taken off.
    less = _money(max(min(kept, worth), worth - left), order["currency"])
    record, after = changes.refund(order, given, adjustment=-less, at=now)
    return "orders/updated", after, ("refunds/create", record)


def _refunded(order: Body, amount: int, now: datetime, *, is_shipping: bool) -> _Made | None:
    currency = order["currency"]
    most = _left(order)
    if is_shipping:
        # With tax on shipping the tax goes back as well; these orders have none.
        most = min(most, _units(order["current_shipping_price_set"]["shop_money"]["amount"], currency))
    back = _money(min(amount, most), currency)
    if not back:
        return None
    handed = {"shipping": back} if is_shipping else {"adjustment": back}
    record, after = changes.refund(order, at=now, **handed)
    return "orders/updated", after, ("refunds/create", record)


def _left(order: Body) -> int:
    """What the buyer has paid and not got back, in the smallest unit of shop money."""
    paid = _units(order["total_price"], order["currency"])
    return max(0, paid - _units(order["total_outstanding"], order["currency"]) - _handed_back(order))


def _handed_back(order: Body) -> int:
    return sum(money_back(order, record)[0] for record in order["refunds"] if record["transactions"])


def _units(amount: str, currency: str) -> int:
    return int(Decimal(amount).scaleb(exponent(currency)))
