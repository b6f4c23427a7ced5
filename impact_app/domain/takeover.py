"""Orders that somebody else reported: which action is whose order, and what two reports of it say.

impact.com does not tell who reported an action, and it is not published which of an order's names its own app
used as the order id: the platform's id, the number or the name. Each of them is looked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from impact_app.domain.money import Money, plain, total, zero
from impact_app.domain.orders import Order
from impact_app.domain.plan import Reported
from impact_app.domain.verification import Action, ActionItem

#: Numbers and names repeat from shop to shop; an action booked under one is the order's only around its date.
_NEAR = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Booking:
    """An action that this app did not report; `amount` in `currency`."""

    action_id: str
    order_id: str
    event_type_id: str
    event_date: datetime | None
    amount: Decimal
    currency: str
    state: str
    partner_id: str

    def __str__(self) -> str:
        amount = f"{plain(self.amount, self.currency)} {self.currency}"
        stands = f"{amount}, {self.state.lower()}" if self.state else amount
        partner = self.partner_id or "unknown"
        return f"Action {self.action_id} for order id {self.order_id}: {stands}, partner {partner}."


def names_of(order: Order) -> tuple[str, ...]:
    """Every order id under which an order may have been reported, the platform's id first."""
    bare = order.name.removeprefix("#")
    names = (order.key, order.number, order.name, bare, f"#{order.number}", f"#{bare}")
    return tuple(dict.fromkeys(name for name in names if name.strip("#")))


def is_of(order: Order, booking: Booking) -> bool:
    """Whether a booking is this order's."""
    if booking.order_id == order.key:
        return True
    if booking.order_id not in names_of(order) or booking.event_date is None:
        return False
    return abs(booking.event_date - order.placed_at) <= _NEAR


def agrees(wanted: Reported, action: Action, items: Sequence[ActionItem]) -> bool:
    """Whether an action holds exactly what would be reported: currency, sum, and units and amount by SKU."""
    held = {item.sku: (item.quantity, item.amount) for item in items}
    ours = {item.sku: (item.quantity, item.amount.amount) for item in wanted.items}
    sums = total((item.amount for item in wanted.items), wanted.currency).amount
    is_same = (action.currency, action.amount) == (wanted.currency, sums)
    return is_same and held == ours and not action.is_reversed


def adopted(wanted: Reported, action: Action) -> Reported:
    """What would be reported, as it stands under the action's own order id and event type."""
    return replace(wanted, order_id=action.order_id, event_type_id=action.event_type_id)


class Match(StrEnum):
    """What two reports of one order say."""

    SAME = "same"
    DIFFERENT = "different"
    ONLY_WE = "only_we"
    ONLY_THEY = "only_they"


@dataclass(frozen=True, slots=True)
class Compared:
    """One order as this app would have reported it and as impact.com holds it; None: not at all."""

    match: Match
    order: str
    ours: Money | None
    theirs: Money | None
    action_id: str


def compare(ours: Mapping[str, tuple[Order, Money]], bookings: Iterable[Booking]) -> list[Compared]:
    """Hold calls that were not sent against the actions there are; a reversed action counts as nothing.

    `ours` maps an order's platform id to the order and the amount a partner would have been paid on.
    """
    by_name: dict[str, list[Booking]] = {}
    rest = {one.action_id: one for one in bookings}
    for one in rest.values():
        by_name.setdefault(one.order_id, []).append(one)
    found = []
    for order, amount in ours.values():
        named = (one for name in names_of(order) for one in by_name.get(name, ()))
        match = next((one for one in named if is_of(order, one) and one.action_id in rest), None)
        if match is None:
            found.append(Compared(Match.ONLY_WE, order.number, amount, None, ""))
            continue
        del rest[match.action_id]
        theirs = worth(match)
        kind = Match.SAME if theirs == amount else Match.DIFFERENT
        found.append(Compared(kind, order.number, amount, theirs, match.action_id))
    found.extend(
        Compared(Match.ONLY_THEY, one.order_id, None, worth(one), one.action_id) for one in rest.values()
    )
    return found


def worth(booking: Booking) -> Money:
    """What a partner is paid on."""
    if booking.state.upper() == "REVERSED":
        return zero(booking.currency)
    return Money(booking.amount, booking.currency)
