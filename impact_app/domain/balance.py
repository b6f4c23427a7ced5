"""Whether a day's orders are all accounted for: those the store has against those with a verdict here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from impact_app.domain.overview import Overview
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


def balances(overview: Overview, there: Mapping[date, int]) -> Sequence[Balance]:
    """The balance of each day of `there`, the oldest first."""
    return [_balance(overview, day, orders) for day, orders in sorted(there.items())]


def _balance(overview: Overview, day: date, there: int) -> Balance:
    counts = [one for one in overview.counts if one.day == day]
    verdicts = {verdict: sum(one.orders for one in counts if one.verdict is verdict) for verdict in Verdict}
    withheld: dict[Reason, int] = {}
    for one in counts:
        if one.verdict is Verdict.WITHHELD:
            withheld[one.reason] = withheld.get(one.reason, 0) + one.orders
    return Balance(day, there, verdicts, withheld)
