"""A store's figures: what became of its orders in a span of days, added up from counts.

A count is of orders that agree in day, verdict, reason, currency and carrier. Sums of money are in a
currency's smallest unit and are kept apart by currency.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeVar

from impact_app.domain.reasons import Reason, Verdict

_K = TypeVar("_K", bound=Hashable)

#: Orders that no visit to the storefront made, or that nobody paid: a click could not have come with them.
NOT_FROM_A_VISIT = frozenset(
    {Reason.TEST_ORDER, Reason.POINT_OF_SALE, Reason.SUBSCRIPTION_RENEWAL, Reason.NOT_PAID}
    | {Reason.DRAFT_WITHOUT_CLICK}
)


@dataclass(frozen=True, slots=True)
class Count:
    """So many orders and what they are worth; `net_minor` leaves out what could not be worked out."""

    day: date
    verdict: Verdict
    reason: Reason
    currency: str
    carrier: str | None
    orders: int
    net_minor: int


@dataclass(frozen=True, slots=True)
class Total:
    """A number of orders with their money by currency, in its smallest unit."""

    orders: int
    money: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Capture:
    """How many of the orders that a visit could have brought carry a click."""

    visits: int
    with_click: int

    @property
    def rate(self) -> float | None:
        """From 0 to 1; None where there was no order to carry one."""
        return self.with_click / self.visits if self.visits else None


@dataclass(frozen=True, slots=True)
class Overview:
    """The figures of one span of days, its first and last day included."""

    first: date
    last: date
    counts: tuple[Count, ...]

    @property
    def all(self) -> Total:
        return _total(self.counts)

    def paid(self, day: date | None = None) -> Total:
        """The orders that were paid, of one day or of all."""
        return _total(one for one in self._of(day) if one.reason is not Reason.NOT_PAID)

    def _of(self, day: date | None) -> list[Count]:
        return [one for one in self.counts if day is None or one.day == day]

    @property
    def with_click(self) -> Total:
        return _total(one for one in self.counts if one.carrier)

    def verdicts(self, day: date | None = None) -> dict[Verdict, Total]:
        """Each verdict's orders, of one day or of all."""
        found = _grouped(self._of(day), lambda one: one.verdict)
        return {verdict: found.get(verdict, _total(())) for verdict in Verdict}

    def reasons(self, verdict: Verdict) -> list[tuple[Reason, Total]]:
        """The reasons of a verdict, the most frequent first."""
        found = _grouped((one for one in self.counts if one.verdict is verdict), lambda one: one.reason)
        return sorted(found.items(), key=lambda item: (-item[1].orders, item[0]))

    def carriers(self) -> list[tuple[str, Total]]:
        """What brought the clicks of the orders that a visit could have brought, the most frequent first."""
        found = _grouped((one for one in self._visits if one.carrier), lambda one: one.carrier or "")
        return sorted(found.items(), key=lambda item: (-item[1].orders, item[0]))

    def days(self) -> list[tuple[date, dict[Verdict, int]]]:
        """Orders by verdict on each day of the span, days without orders included."""
        found: Counter[tuple[date, Verdict]] = Counter()
        for one in self.counts:
            found[one.day, one.verdict] += one.orders
        span = (self.last - self.first).days + 1
        return [
            (day, {verdict: found[day, verdict] for verdict in Verdict})
            for day in (self.first + timedelta(days=at) for at in range(span))
        ]

    @property
    def capture(self) -> Capture:
        return Capture(
            visits=sum(one.orders for one in self._visits),
            with_click=sum(one.orders for one in self._visits if one.carrier),
        )

    @property
    def _visits(self) -> list[Count]:
        return [one for one in self.counts if one.reason not in NOT_FROM_A_VISIT]


def _grouped(counts: Iterable[Count], key: Callable[[Count], _K]) -> dict[_K, Total]:
    groups: dict[_K, list[Count]] = {}
    for one in counts:
        groups.setdefault(key(one), []).append(one)
    return {name: _total(group) for name, group in groups.items()}


def _total(counts: Iterable[Count]) -> Total:
    money: Counter[str] = Counter()
    orders = 0
    for one in counts:
        orders += one.orders
        money[one.currency] += one.net_minor
    return Total(orders, dict(sorted(money.items())))
