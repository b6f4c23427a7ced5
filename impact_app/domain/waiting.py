"""How long an order without a click waits for one, and when the platform's record of visits is asked for.

A web pixel may tell of a checkout a little after the order's own webhook. The platform's record of the visits
before an order is complete some time after it was placed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from impact_app.domain.orders import Channel, Order

#: A pixel sends while the buyer looks at the last page of the checkout; what takes longer comes late.
CLICK_WAIT = timedelta(minutes=3)

#: From a look at a record of visits that was not complete to the next; the order does not wait for these.
LOOK_GAPS = (timedelta(minutes=2), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6))

#: An order older than this is not asked about: it comes from a listing, which has told already.
_LOOKED_AT = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a click of an order may still come from.

    has_pixel    a web pixel is connected
    has_visits   the platform can be asked for the visits before an order
    looks_left   looks at those that are left; None: nobody has looked yet
    """

    has_pixel: bool = False
    has_visits: bool = False
    looks_left: int | None = None


def click_expected(order: Order, sources: Sources, now: datetime) -> datetime | None:
    """Until when an order without a click waits for one; None: nothing is expected that is worth a wait."""
    if order.channel is not Channel.WEB:
        return None
    if sources.has_pixel and now < order.placed_at + CLICK_WAIT:
        return order.placed_at + CLICK_WAIT
    is_new = now - order.placed_at < _LOOKED_AT
    return now if sources.has_visits and sources.looks_left is None and is_new else None


def next_look(order: Order, sources: Sources, now: datetime) -> datetime | None:
    """When to look again, without waiting, at a record of visits that was not complete; None: not at all."""
    if order.channel is not Channel.WEB or not sources.has_visits or not sources.looks_left:
        return None
    return now + LOOK_GAPS[-min(sources.looks_left, len(LOOK_GAPS))]
