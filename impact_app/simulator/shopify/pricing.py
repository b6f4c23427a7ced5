"""The money of an order, worked out as Shopify does, in whole minor units (cents, yen, fils).

Integers keep every step exact and cheap; `truth.py` works the same figures out a second time in decimals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from .specs import DiscountSpec, LineSpec, OrderSpec, exponent

_PARTS = 10**6


@dataclass(frozen=True, slots=True)
class Priced:
    """An order in one currency: amounts in minor units, one entry a line, taxes one entry a rate.

    Allocations map the index of a discount application to what it takes off.
    """

    currency: str
    prices: list[int]
    gross: list[int]
    allocations: list[dict[int, int]]
    nets: list[int]
    taxes: list[list[int]]
    shipping: int
    shipping_allocations: dict[int, int]
    shipping_taxes: list[int]
    duties: int
    fees: int

    @property
    def subtotal(self) -> int:
        return sum(self.nets)

    @property
    def shipping_net(self) -> int:
        return self.shipping - sum(self.shipping_allocations.values())

    @property
    def total_tax(self) -> int:
        return sum(map(sum, self.taxes)) + sum(self.shipping_taxes)

    @property
    def total_discounts(self) -> int:
        return sum(self.gross) - self.subtotal + sum(self.shipping_allocations.values())

    def total(self, taxes_included: bool) -> int:
        owed = self.subtotal + self.shipping_net + self.duties + self.fees
        return owed if taxes_included else owed + self.total_tax

    def taken(self, application: int) -> int:
        """What one discount application took off, over all lines and shipping."""
        off_lines = sum(allocation.get(application, 0) for allocation in self.allocations)
        return off_lines + self.shipping_allocations.get(application, 0)


def half_up(numerator: int, denominator: int) -> int:
    """Divide whole numbers and round a half away from zero."""
    if numerator < 0:
        return -half_up(-numerator, denominator)
    return (2 * numerator + denominator) // (2 * denominator)


def minor(amount: Decimal, currency: str) -> int:
    """The amount in minor units; ValueError when the currency has no such fraction."""
    scaled = amount.scaleb(exponent(currency))
    whole = int(scaled)
    if whole != scaled:
        raise ValueError(
            f"{amount} {currency} is finer than the currency's smallest unit; give fewer decimals"
        )
    return whole


def amount_text(units: int, currency: str) -> str:
    """Minor units as Shopify prints money: "12.30", "1230" for yen, "12.300" for Kuwaiti dinars."""
    digits = exponent(currency)
    if digits == 0:
        return str(units)
    if units < 0:
        return "-" + amount_text(-units, currency)
    whole, rest = divmod(units, 10**digits)
    return f"{whole}.{rest:0{digits}d}"


def priced(spec: OrderSpec) -> tuple[Priced, Priced]:
    """The order in shop money and in presentment money; each adds up by itself."""
    shop = _priced(spec, spec.currency, lambda amount: minor(amount, spec.currency))
    if spec.one_currency:
        return shop, shop
    return shop, _priced(spec, spec.shopper_currency, _exchange(spec))


def _exchange(spec: OrderSpec) -> Callable[[Decimal], int]:
    rate, parts = (spec.exchange_rate.scaleb(exponent(spec.shopper_currency))).as_integer_ratio()
    smallest = 10 ** exponent(spec.currency)
    return lambda amount: half_up(minor(amount, spec.currency) * rate, parts * smallest)


def _priced(spec: OrderSpec, currency: str, units: Callable[[Decimal], int]) -> Priced:
    prices = [units(line.price) for line in spec.lines]
    gross = [price * line.quantity for price, line in zip(prices, spec.lines, strict=True)]
    nets, allocations = _discounted(spec, gross, units)
    shipping = units(spec.shipping) if spec.shipping is not None else 0
    shipping_allocations = _shipping_discounts(spec.discounts, shipping, units)
    shipping_net = shipping - sum(shipping_allocations.values())
    shipping_rates = [spec.shipping_tax_rate] if spec.shipping_tax_rate is not None else []
    return Priced(
        currency=currency,
        prices=prices,
        gross=gross,
        allocations=allocations,
        nets=nets,
        taxes=[
            taxes(net, line.tax_rates, spec.taxes_included)
            for net, line in zip(nets, spec.lines, strict=True)
        ],
        shipping=shipping,
        shipping_allocations=shipping_allocations,
        shipping_taxes=taxes(shipping_net, shipping_rates, spec.taxes_included),
        duties=units(spec.duties),
        fees=units(spec.fees),
    )


def taxes(net: int, rates: Sequence[Decimal], taxes_included: bool) -> list[int]:
    """The tax of each rate on a net, rounded by itself; contained in the net when taxes are included."""
    if not rates:
        return []
    shares = [int(rate * _PARTS) for rate in rates]
    whole = _PARTS + sum(shares) if taxes_included else _PARTS
    return [half_up(net * share, whole) for share in shares]


def _discounted(
    spec: OrderSpec, gross: list[int], units: Callable[[Decimal], int]
) -> tuple[list[int], list[dict[int, int]]]:
    nets = list(gross)
    allocations: list[dict[int, int]] = [{} for _ in gross]
    for application, discount in enumerate(spec.discounts):
        for index, amount in _awards(discount, spec.lines, nets, units).items():
            if amount:
                nets[index] -= amount
                allocations[index][application] = amount
    return nets, allocations


def _awards(
    discount: DiscountSpec, lines: tuple[LineSpec, ...], nets: list[int], units: Callable[[Decimal], int]
) -> dict[int, int]:
    targets = discount.targets(lines)
    if discount.method == "each":
        return {
            index: _reduction(discount, nets[index], units, times=lines[index].quantity) for index in targets
        }
    if discount.method == "one":
        targets = targets[:1]
    pool = sum(nets[index] for index in targets)
    return _spread(_reduction(discount, pool, units), pool, targets, nets)


def _reduction(discount: DiscountSpec, base: int, units: Callable[[Decimal], int], times: int = 1) -> int:
    if discount.value_type == "fixed_amount":
        return min(base, units(discount.value) * times)
    return min(base, half_up(base * int(discount.value * 10_000), _PARTS))


def _spread(amount: int, pool: int, targets: list[int], nets: list[int]) -> dict[int, int]:
    # Shopify's cents come out uneven: 10.00 over three equal lines is 3.34, 3.33, 3.33, the first lines
    # taking what is left (its REST reference's order 450789469, read in 2026).
    if not pool:
        return {}
    shares = {index: divmod(amount * nets[index], pool) for index in targets}
    left = amount - sum(share for share, _ in shares.values())
    spread = {}
    for index, (share, fraction) in shares.items():
        extra = 1 if left and fraction else 0
        left -= extra
        spread[index] = share + extra
    return spread


def _shipping_discounts(
    discounts: tuple[DiscountSpec, ...], shipping: int, units: Callable[[Decimal], int]
) -> dict[int, int]:
    taken: dict[int, int] = {}
    for application, discount in enumerate(discounts):
        if discount.target == "shipping_line":
            amount = _reduction(discount, shipping - sum(taken.values()), units)
            if amount:
                taken[application] = amount
    return taken
