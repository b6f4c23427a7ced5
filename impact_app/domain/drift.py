"""What impact.com holds otherwise than it was reported, and which of it is set right by itself.

An amount that differs is set to what the order is worth, and a reversal that did not happen is repeated, each
once. What somebody reversed at impact.com, or what differs again after that, is for a person: it may be
meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from impact_app.domain.money import Money, zero
from impact_app.domain.plan import Reported, ReportedItem
from impact_app.domain.verification import Action, ActionItem, difference

#: impact.com books changes late: until then what differs may still be on its way.
SETTLED_AFTER = timedelta(hours=6)


class Kind(StrEnum):
    """How what is held differs from what was reported."""

    #: not listed any more, though it was credited
    MISSING = "missing"
    #: reversed there and not here
    REVERSED_THERE = "reversed_there"
    #: reversed here and not there
    NOT_REVERSED = "not_reversed"
    #: another amount or other items
    AMOUNT = "amount"


@dataclass(frozen=True, slots=True)
class Drift:
    """One conversion that differs; `ours` is what it should be worth, `theirs` what impact.com holds."""

    kind: Kind
    ours: Money
    theirs: Money
    detail: str
    is_repairable: bool


def drift(reported: Reported, action: Action | None, repairs: int, now: datetime) -> Drift | None:
    """What differs about a conversion that was credited, or None. `action` None: it is not listed.

    `repairs`: how often it was set right already. Amounts in another currency cannot be compared.
    """
    ours = reported.amount
    if action is None:
        if reported.is_reversed:
            return None
        told = "impact.com does not list the action any more."
        return Drift(Kind.MISSING, ours, zero(ours.currency), told, is_repairable=False)
    found = difference(reported, action)
    if not found:
        return None
    theirs = zero(ours.currency) if action.is_reversed else Money(action.amount, action.currency)
    detail = " ".join(str(one) for one in found)
    can_change = repairs == 0 and not action.is_final(now)
    if action.is_reversed:
        return Drift(Kind.REVERSED_THERE, ours, theirs, detail, is_repairable=False)
    kind = Kind.NOT_REVERSED if reported.is_reversed else Kind.AMOUNT
    return Drift(kind, ours, theirs, detail, is_repairable=can_change)


def as_held(reported: Reported, items: Sequence[ActionItem]) -> Reported:
    """What was reported, with the state and items that impact.com really holds; the plan starts there."""
    held = {
        item.sku: ReportedItem(item.sku, item.quantity, Money(item.amount, reported.currency))
        for item in items
    }
    named = {item.sku: item for item in (reported.items or reported.first)}
    kept = [held.pop(sku, ReportedItem(sku, 0, zero(reported.currency))) for sku in named]
    return replace(reported, items=(*kept, *held.values()), is_reversed=False)
