"""What a person decides about an order against the rules, and how the plan sees the order then."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from impact_app.domain.orders import Order


class Decision(StrEnum):
    """A decision stands until it is undone, whatever becomes of the order."""

    #: it is not to be reported
    IGNORE = "ignore"
    #: what is reported of it is to be taken back
    TAKE_BACK = "take_back"
    #: the same, of an order that was made to try things out
    TAKE_BACK_TEST = "take_back_test"


def decided(order: Order, decision: Decision | None) -> Order:
    """The order as the plan is to see it: one that is taken back counts as cancelled."""
    if decision is None or decision is Decision.IGNORE:
        return order
    cancelled = replace(order, cancelled_at=order.cancelled_at or order.changed_at)
    return replace(cancelled, is_test=True) if decision is Decision.TAKE_BACK_TEST else cancelled
