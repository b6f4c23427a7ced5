"""Amounts of money: exact, each with its currency, never a float."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

#: Digits after the point by ISO 4217, where they are not 2.
_NONE = {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV"}
EXPONENTS = {
    **dict.fromkeys(_NONE | {"XAF", "XOF", "XPF"}, 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}


class CurrencyMismatch(Exception):
    """Amounts of two currencies met in one sum."""


def exponent(currency: str) -> int:
    """How many digits after the point an amount of `currency` has."""
    return EXPONENTS.get(currency, 2)


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An exact amount of one currency (ISO 4217 code)."""

    amount: Decimal
    currency: str

    def __add__(self, other: Money) -> Money:
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount - self._same(other), self.currency)

    def __mul__(self, times: int) -> Money:
        return Money(self.amount * times, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.amount < self._same(other)

    def __bool__(self) -> bool:
        return bool(self.amount)

    @property
    def fits(self) -> bool:
        """Whether the amount has no more digits after the point than its currency allows."""
        return self.rounded() == self

    def rounded(self) -> Money:
        """The nearest amount the currency can express, halves away from zero."""
        return Money(round_to(self.amount, exponent(self.currency)), self.currency)

    @property
    def minor(self) -> int:
        """The amount in the currency's smallest unit; only for amounts that fit."""
        return int(self.amount.scaleb(exponent(self.currency)).to_integral_exact())

    @property
    def text(self) -> str:
        """The amount as impact.com takes it: a point, the currency's digits, nothing else."""
        return plain(self.amount, self.currency)

    def _same(self, other: Money) -> Decimal:
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} cannot be added.")
        return other.amount


def round_to(amount: Decimal, digits: int) -> Decimal:
    """`amount` with `digits` after the point, halves away from zero as shops round."""
    return amount.quantize(Decimal(1).scaleb(-digits), rounding="ROUND_HALF_UP")


def plain(amount: Decimal, currency: str) -> str:
    """An amount in digits, with the currency's own number of them after the point."""
    return f"{round_to(amount, exponent(currency)):f}"


def zero(currency: str) -> Money:
    return Money(Decimal(0), currency)


def total(amounts: Iterable[Money], currency: str) -> Money:
    """The sum of `amounts`, all in `currency`; nothing at all is zero of it."""
    result = zero(currency)
    for amount in amounts:
        result = result + amount
    return result


def share(whole: Money, weights: Sequence[Decimal]) -> list[Money]:
    """`whole` split in proportion to `weights`, each part fitting the currency, the parts adding up exactly.

    The cents that rounding down leaves go to the largest remainders, the first of equals first.
    Weights that are all zero count as equal.
    """
    if not weights:
        return []
    scale = sum(weights)
    if not scale:
        weights, scale = [Decimal(1)] * len(weights), Decimal(len(weights))
    units = whole.minor
    exact = [units * weight / scale for weight in weights]
    parts = [int(part // 1) for part in exact]
    by_remainder = sorted(range(len(parts)), key=lambda at: parts[at] - exact[at])
    for at in by_remainder[: units - sum(parts)]:
        parts[at] += 1
    return [of_minor(part, whole.currency) for part in parts]


def of_minor(units: int, currency: str) -> Money:
    """An amount from the currency's smallest unit."""
    return Money(Decimal(units).scaleb(-exponent(currency)), currency)
