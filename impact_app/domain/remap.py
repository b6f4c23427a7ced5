"""What a change of rules would mean for orders of the past: from which verdict and amount to which."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
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
    order: Order,
    reported: Mapping[int, Reported],
    was: Plan,
    found: Plan,
    *,
    as_new: Plan,
    final: Collection[int],
) -> Change | None:
    """What other rules mean for an order that impact.com holds.

    reported  its conversions by part; the plans tell the next step of one of them
    was       the plan under the rules it is judged by so far; what that would do anyway is no change
    found     the plan under the other rules; `as_new` the same, had it never been reported
    final     parts of which impact.com takes no change any more
    """
    before, after = _outcome(was, reported), _outcome(found, reported)
    stands = Mapped(Verdict.REPORTED, was.reason, _held(before))
    changed = [part for part in after if after[part] != before.get(part)]
    if before != after:
        is_gone = all(one.is_reversed for one in after.values())
        kind = Kind.TAKE_BACK if is_gone else Kind.CHANGE
        becomes = Mapped(Verdict.REPORTED, Reason.REVERSED if is_gone else Reason.UNCHANGED, _held(after))
        is_late = bool(changed) and all(part in final for part in changed)
        return _change(order, Kind.TOO_LATE if is_late else kind, stands, becomes)
    is_kept = any(not one.is_reversed for one in before.values())
    if as_new.step is None and as_new.reason in _CHOSEN and is_kept:
        return _change(order, Kind.KEPT, stands, Mapped(Verdict.WITHHELD, as_new.reason, _held(before)))
    return None


def _held(reported: Mapping[int, Reported]) -> Money:
    """What a partner is paid on: the sum of all items, nothing of what is reversed."""
    items = [item.amount for one in reported.values() for item in one.items]
    return total(items, next(iter(reported.values())).currency)


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


def _outcome(found: Plan, reported: Mapping[int, Reported]) -> Mapping[int, Reported]:
    return {**reported, found.part: found.step.result} if found.step else reported


def _change(order: Order, kind: Kind, before: Mapped, after: Mapped) -> Change:
    return Change(order.key, order.number, order.placed_at, kind, before, after)
