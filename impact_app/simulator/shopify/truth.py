"""What a correct report of an order must add up to, worked out in decimals, apart from `pricing`.

Two workings of one sum: an error in either shows as a difference in the tests. Nothing is imported from
`pricing`, and nothing may be.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal

from .specs import DiscountSpec, LineSpec, OrderSpec, exponent

# 38 digits hold any product of an amount and a rate here without rounding it early.
_EXACT = Context(prec=38)


@dataclass(frozen=True, slots=True)
class LineFigures:
    """One line: `net` after discounts as the store shows it, `tax` rounded a rate, `net_of_tax` without it.

    `counted` is False for gift cards and tips.
    """

    sku: str
    quantity: int
    gross: Decimal
    net: Decimal
    tax: Decimal
    net_of_tax: Decimal
    counted: bool


@dataclass(frozen=True, slots=True)
class SkuFigures:
    quantity: int
    net_of_tax: Decimal


@dataclass(frozen=True, slots=True)
class Figures:
    """An order in one currency.

    `store_subtotal` is the store's own figure over all lines (tax inside where taxes are included);
    `net_of_tax` is without tax, gift cards and tips, and so is `by_sku`, whose key is "" for a missing SKU.
    """

    currency: str
    store_subtotal: Decimal
    net_of_tax: Decimal
    lines: tuple[LineFigures, ...]
    by_sku: dict[str, SkuFigures]


@dataclass(frozen=True, slots=True)
class Truth:
    """The expected figures of an order in shop money and in the shopper's (presentment) money."""

    shop: Figures
    presentment: Figures


def truth(spec: OrderSpec) -> Truth:
    """The figures that a report of this order has to reach, to the smallest unit of each currency."""
    shop = _figures(spec, spec.currency, Decimal(1))
    if spec.one_currency:
        return Truth(shop, shop)
    return Truth(shop, _figures(spec, spec.shopper_currency, spec.exchange_rate))


def _figures(spec: OrderSpec, currency: str, rate: Decimal) -> Figures:
    unit = Decimal(1).scaleb(-exponent(currency))
    gross = [_rounded(line.price * rate, unit) * line.quantity for line in spec.lines]
    nets = list(gross)
    for discount in spec.discounts:
        for index, amount in _discount(discount, spec.lines, nets, rate, unit):
            nets[index] -= amount
    lines = tuple(
        _line(line, before, net, spec.taxes_included, unit)
        for line, before, net in zip(spec.lines, gross, nets, strict=True)
    )
    return Figures(
        currency=currency,
        store_subtotal=sum(nets, Decimal(0)),
        net_of_tax=sum((line.net_of_tax for line in lines if line.counted), Decimal(0)),
        lines=lines,
        by_sku=_by_sku(lines),
    )


def _rounded(amount: Decimal, unit: Decimal) -> Decimal:
    return amount.quantize(unit, ROUND_HALF_UP, _EXACT)


def _line(line: LineSpec, gross: Decimal, net: Decimal, taxes_included: bool, unit: Decimal) -> LineFigures:
    base = Decimal(1) + sum(line.tax_rates, Decimal(0)) if taxes_included else Decimal(1)
    tax = sum((_rounded(_EXACT.divide(net * rate, base), unit) for rate in line.tax_rates), Decimal(0))
    return LineFigures(
        sku=line.sku or "",
        quantity=line.quantity,
        gross=gross,
        net=net,
        tax=tax,
        net_of_tax=net - tax if taxes_included else net,
        counted=not (line.gift_card or line.tip),
    )


def _by_sku(lines: Iterable[LineFigures]) -> dict[str, SkuFigures]:
    result: dict[str, SkuFigures] = {}
    for line in lines:
        if line.counted:
            known = result.get(line.sku, SkuFigures(0, Decimal(0)))
            result[line.sku] = SkuFigures(known.quantity + line.quantity, known.net_of_tax + line.net_of_tax)
    return result


def _discount(
    discount: DiscountSpec, lines: tuple[LineSpec, ...], nets: Sequence[Decimal], rate: Decimal, unit: Decimal
) -> list[tuple[int, Decimal]]:
    targets = discount.targets(lines)
    if discount.method == "one":
        targets = targets[:1]
    if discount.method == "each":
        return [(i, _off(discount, nets[i], lines[i].quantity, rate, unit)) for i in targets]
    pool = sum((nets[i] for i in targets), Decimal(0))
    return _shares(_off(discount, pool, 1, rate, unit), pool, [(i, nets[i]) for i in targets], unit)


def _off(discount: DiscountSpec, base: Decimal, times: int, rate: Decimal, unit: Decimal) -> Decimal:
    if discount.value_type == "percentage":
        return min(base, _rounded(base * discount.value / 100, unit))
    return min(base, _rounded(discount.value * rate, unit) * times)


def _shares(
    amount: Decimal, pool: Decimal, nets: Sequence[tuple[int, Decimal]], unit: Decimal
) -> list[tuple[int, Decimal]]:
    """Each line's part, cut down to whole units; what is left goes out by one unit from the first line on."""
    if pool == 0:
        return []
    parts = [_EXACT.divide(amount * net, pool) for _, net in nets]
    whole = [part.quantize(unit, ROUND_DOWN) for part in parts]
    left = amount - sum(whole, Decimal(0))
    for place, part in enumerate(parts):
        if left > 0 and part != whole[place]:
            whole[place] += unit
            left -= unit
    return [(index, share) for (index, _), share in zip(nets, whole, strict=True)]
