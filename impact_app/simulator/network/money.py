"""Exact arithmetic of amounts, in major units of one currency."""

from collections.abc import Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal

from . import currencies


def rounded(amount: Decimal, currency: str) -> Decimal:
    """Round half up to the smallest unit of the currency."""
    return amount.quantize(_unit(currency), rounding=ROUND_HALF_UP)


def spread(total: Decimal, weights: Sequence[Decimal], currency: str) -> list[Decimal]:
    """Divide an amount in proportion to the weights so that the shares add up to it exactly.

    Each share is rounded down to the smallest unit; what is left goes, a unit each, to the largest
    remainders, the earlier of two equal ones first. impact.com does not publish its own rounding.
    """
    if not total:
        return [Decimal(0)] * len(weights)
    unit, whole = _unit(currency), sum(weights, Decimal(0))
    if not whole:
        weights, whole = [Decimal(1)] * len(weights), Decimal(len(weights))
    ideal = [total * weight / whole for weight in weights]
    shares = [share.quantize(unit, rounding=ROUND_FLOOR) for share in ideal]
    by_remainder = sorted(range(len(shares)), key=lambda place: (shares[place] - ideal[place], place))
    for place in by_remainder[: int((total - sum(shares, Decimal(0))) / unit)]:
        shares[place] += unit
    return shares


def text(amount: Decimal, currency: str) -> str:
    """Write an amount with exactly the decimals of its currency."""
    return f"{rounded(amount, currency):f}"


def _unit(currency: str) -> Decimal:
    return Decimal(1).scaleb(-currencies.decimals(currency))
