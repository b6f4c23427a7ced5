"""Whether a day's orders are all accounted for: those the store has against those with a verdict here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from impact_app.domain.overview import Count, Overview
from impact_app.domain.reasons import Reason, Verdict


@dataclass(frozen=True, slots=True)
class Balance:
    """One day of one store.

    there     orders that the store says were placed on the day (UTC), paid or not
    verdicts  orders known here by verdict; those that are not paid stand among the withheld
    withheld  the withheld ones by reason
    """

    day: date
    there: int
    verdicts: Mapping[Verdict, int]
    withheld: Mapping[Reason, int]

    @property
    def here(self) -> int:
        return sum(self.verdicts.values())

    @property
    def not_paid(self) -> int:
        return self.withheld.get(Reason.NOT_PAID, 0)

    @property
    def paid(self) -> int:
        """Paid orders of the store: all but those that are known not to be paid."""
        return self.there - self.not_paid

    @property
    def remainder(self) -> int:
        """Orders of the store that have no verdict here; below zero: some the store does not tell of."""
        return self.there - self.here

    def __str__(self) -> str:
        reasons = sorted(reason for reason in self.withheld if reason is not Reason.NOT_PAID)
        told = ", ".join(f"{reason} {self.withheld[reason]}" for reason in reasons)
        withheld = self.verdicts.get(Verdict.WITHHELD, 0) - self.not_paid
        of = f" ({told})" if told else ""
        return (
            f"{self.day}: paid {self.paid} = reported {self.verdicts.get(Verdict.REPORTED, 0)}"
            f" + withheld {withheld}{of} + waiting {self.verdicts.get(Verdict.WAITING, 0)}"
            f" + attention {self.verdicts.get(Verdict.ATTENTION, 0)}; remainder {self.remainder}"
        )


class Closing(StrEnum):
    """Whether a day's balance closes, as far as that can be known."""

    RUNNING = "running"
    UNCOUNTED = "uncounted"
    CLOSES = "closes"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Line:
    """One day of the balance sheet: paid = reported + withheld + waiting + attention + difference.

    money       what the paid orders known here are worth, by currency in its smallest unit
    difference  paid orders without a verdict here; None where the store's number of the day is not known
    """

    day: date
    paid: int
    money: Mapping[str, int]
    verdicts: Mapping[Verdict, int]
    difference: int | None
    closing: Closing


def balances(overview: Overview, there: Mapping[date, int]) -> Sequence[Balance]:
    """The balance of each day of `there`, the oldest first."""
    by_day = _by_day(overview)
    return [_balance(by_day.get(day, ()), day, orders) for day, orders in sorted(there.items())]


def sheet(overview: Overview, there: Mapping[date, int], today: date) -> Sequence[Line]:
    """Every day of the span, the oldest first; `there` is what the store counted of the days it was asked."""
    by_day = _by_day(overview)
    span = (overview.last - overview.first).days + 1
    days = (overview.first + timedelta(days=at) for at in range(span))
    return [_line(by_day.get(day, ()), day, there.get(day), today) for day in days]


def _line(counts: Sequence[Count], day: date, there: int | None, today: date) -> Line:
    counted = None if day >= today else there
    here = _balance(counts, day, 0)
    known = _balance(counts, day, here.here if counted is None else counted)
    withheld = known.verdicts[Verdict.WITHHELD] - known.not_paid
    closing = Closing.RUNNING if day >= today else Closing.UNCOUNTED
    if counted is not None:
        closing = Closing.OPEN if known.remainder else Closing.CLOSES
    money: dict[str, int] = {}
    for one in counts:
        if one.reason is not Reason.NOT_PAID:
            money[one.currency] = money.get(one.currency, 0) + one.net_minor
    return Line(
        day=day,
        paid=known.paid,
        money=dict(sorted(money.items())),
        verdicts={**known.verdicts, Verdict.WITHHELD: withheld},
        difference=None if counted is None else known.remainder,
        closing=closing,
    )


def _by_day(overview: Overview) -> Mapping[date, Sequence[Count]]:
    found: dict[date, list[Count]] = {}
    for one in overview.counts:
        found.setdefault(one.day, []).append(one)
    return found


def _balance(counts: Sequence[Count], day: date, there: int) -> Balance:
    verdicts = {verdict: sum(one.orders for one in counts if one.verdict is verdict) for verdict in Verdict}
    withheld: dict[Reason, int] = {}
    for one in counts:
        if one.verdict is Verdict.WITHHELD:
            withheld[one.reason] = withheld.get(one.reason, 0) + one.orders
    return Balance(day, there, verdicts, withheld)
