"""What a change of rules would mean for orders of the past: from which verdict and amount to which."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from impact_app.domain.money import Money, total, zero
from impact_app.domain.orders import Order
from impact_app.domain.plan import Plan, Reported, Submit
from impact_app.domain.reasons import Reason, Verdict


class Kind(StrEnum):
    """What would become of one order."""

    #: withheld so far; it would be reported
    REPORT = "report"
    #: reported; its amount or items would change
    CHANGE = "change"
    #: reported; it would be taken back
    TAKE_BACK = "take_back"
    #: withheld so far; it would be held for a person
    ATTENTION = "attention"
    #: reported and would change, and impact.com no longer takes it
    TOO_LATE = "too_late"
    #: reported, and would be withheld were it new: it stays, for no rule takes a conversion back
    KEPT = "kept"


#: What an apply carries out; the others are told and left.
APPLICABLE = frozenset({Kind.REPORT, Kind.CHANGE, Kind.TAKE_BACK, Kind.ATTENTION})

#: Reasons that a choice of the merchant makes, not the course of the order.
_CHOSEN = frozenset(
    {
        Reason.TEST_ORDER,
        Reason.POINT_OF_SALE,
        Reason.DRAFT_WITHOUT_CLICK,
        Reason.SUBSCRIPTION_RENEWAL,
        Reason.FORMER_APP,
        Reason.NO_CLICK_OR_CODE,
        Reason.NO_CLICK,
        Reason.ZERO_VALUE,
    }
)


@dataclass(frozen=True, slots=True)
class Mapped:
    """Where an order stands, and on how much a partner is paid."""

    verdict: Verdict
    reason: Reason
    amount: Money


@dataclass(frozen=True, slots=True)
class Change:
    """One order that would change; both amounts are in one currency."""

    order_key: str
    number: str
    placed_at: datetime
    kind: Kind
    before: Mapped
    after: Mapped

    @property
    def difference(self) -> Money:
        return self.after.amount - self.before.amount


@dataclass(frozen=True, slots=True)
class Total:
    """Orders of one kind in one currency, with their amounts before and after."""

    kind: Kind
    currency: str
    orders: int
    before: Money
    after: Money


def of_withheld(order: Order, reason: Reason, found: Plan) -> Change | None:
    """What a plan under other rules means for an order withheld for `reason`; None: it stays withheld."""
    nothing = zero(found.conversion.currency)
    before = Mapped(Verdict.WITHHELD, reason, nothing)
    if isinstance(found.step, Submit):
        after = Mapped(Verdict.REPORTED, Reason.ACCEPTED, found.conversion.net)
        return _change(order, Kind.REPORT, before, after)
    if found.verdict is Verdict.WITHHELD:
        return None
    return _change(order, Kind.ATTENTION, before, Mapped(found.verdict, found.reason, nothing))


def of_reported(
    order: Order, reported: Reported, was: Plan, found: Plan, *, as_new: Plan, is_final: bool
) -> Change | None:
    """What other rules mean for an order that impact.com holds.

    was       the plan under the rules it is judged by so far; what that would do anyway is no change
    found     the plan under the other rules; `as_new` the same, had it never been reported
    is_final  impact.com takes no change of it any more
    """
    before, after = _outcome(was, reported), _outcome(found, reported)
    stands = Mapped(Verdict.REPORTED, was.reason, held(before))
    if before != after:
        reason = Reason.REVERSED if after.is_reversed else Reason.UNCHANGED
        kind = Kind.TAKE_BACK if after.is_reversed else Kind.CHANGE
        becomes = Mapped(Verdict.REPORTED, reason, held(after))
        return _change(order, Kind.TOO_LATE if is_final else kind, stands, becomes)
    if as_new.step is None and as_new.reason in _CHOSEN and not before.is_reversed:
        return _change(order, Kind.KEPT, stands, Mapped(Verdict.WITHHELD, as_new.reason, held(before)))
    return None


def held(reported: Reported) -> Money:
    """What a partner is paid on: the sum of the items, nothing once it is reversed."""
    return total((item.amount for item in reported.items), reported.currency)


def totals(changes: Iterable[Change]) -> list[Total]:
    """Numbers and sums by kind and currency, in the order of the kinds."""
    groups: dict[tuple[Kind, str], list[Change]] = {}
    for one in changes:
        groups.setdefault((one.kind, one.before.amount.currency), []).append(one)
    return [
        Total(
            kind,
            currency,
            len(group),
            total((one.before.amount for one in group), currency),
            total((one.after.amount for one in group), currency),
        )
        for (kind, currency), group in sorted(
            groups.items(), key=lambda item: (_RANK[item[0][0]], item[0][1])
        )
    ]


_RANK = {kind: at for at, kind in enumerate(Kind)}


def _outcome(found: Plan, reported: Reported) -> Reported:
    """What the order's first conversion becomes; one of items added later is no change of it."""
    return found.step.result if found.step and found.part == 1 else reported


def _change(order: Order, kind: Kind, before: Mapped, after: Mapped) -> Change:
    return Change(order.key, order.number, order.placed_at, kind, before, after)
