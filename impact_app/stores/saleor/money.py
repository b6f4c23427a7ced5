"""What Saleor's sums say of an order: whether it was paid, and which units were given back with money.

Saleor never shrinks an order: lines, subtotal and total stay as bought, whatever is refunded. What came
back is told by sums of the whole order and, where staff named them, by the lines of granted refunds and
fulfilments.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from impact_app.domain.money import exponent as digits_of
from impact_app.domain.money import round_to
from impact_app.domain.orders import Payment
from impact_app.stores.bodies import checked_amount, checked_quantity
from impact_app.stores.saleor.payloads import Fulfillment, MoneyBody, OrderBody, ReturnedLine

#: A fulfilment in one of these states says which units a refund was for (payments of the older kind).
_REFUNDED = frozenset({"REFUNDED", "REFUNDED_AND_RETURNED"})


def value_of(body: MoneyBody | None, place: str) -> Decimal:
    """The exact amount: from the smallest unit where Saleor gives it, else the digits of the JSON number."""
    if body is None:
        return Decimal(0)
    if body.fractional_amount is not None and body.fraction_digits is not None:
        digits = min(max(body.fraction_digits, 0), 9)
        return checked_amount(Decimal(body.fractional_amount).scaleb(-digits), place)
    return checked_amount(body.amount or Decimal(0), place)


def payment(body: OrderBody) -> Payment:
    """Whether the order was ever paid in full, by its sums: `isPaid` ends with the first refund.

    Paying in full means that what was charged, and given back since, comes to the total. A granted refund
    alone lifts `chargeStatus` to FULL without any money, so the status is not asked where sums are there.
    A draft is no order yet, whatever was charged for it. An order that staff have not confirmed is one: where
    unpaid orders are allowed it keeps that status even once it is marked as paid (seen in 3.23.28).
    """
    if body.status == "DRAFT":
        return Payment.UNPAID
    charged, refunded = value_of(body.total_charged, "totalCharged"), _refunded(body)
    if refunded > 0 and charged <= 0:
        return Payment.REFUNDED
    is_paid = bool(body.is_paid) or charged + refunded >= _total(body)
    if body.total_charged is None:
        is_paid = bool(body.is_paid) or body.charge_status in {"FULL", "OVERCHARGED"}
    return Payment.PAID if is_paid else Payment.UNPAID


def payment_word(body: OrderBody) -> str:
    """How the payment stands in Saleor's words, in lower case."""
    if body.status == "DRAFT":
        return "draft"
    if body.charge_status == "NONE" and body.authorize_status == "FULL":
        return "authorized"
    return (body.charge_status or "").lower()


@dataclass(frozen=True, slots=True)
class GivenBack:
    """What refunds were for: units of each line (by id), shipping or not, and money beyond both, with tax."""

    units: Counter[str]
    is_shipping: bool
    beyond: Decimal


@dataclass(frozen=True, slots=True)
class _Claim:
    """What staff said a refund was for, and its amount with tax (None: just what the units cost)."""

    units: Counter[str]
    is_shipping: bool
    amount: Decimal | None
    is_certain: bool


def given_back(body: OrderBody, currency: str) -> GivenBack:
    """What was given back of a paid order, as far as money went back for it.

    A granted refund moves no money by itself, nor does a return; each counts once the money that is missing
    from the order covers it. So the lines tell what a refund was for, and never that there was one. Money
    that nothing was named for is shipping where it is just what shipping cost.
    """
    units: Counter[str] = Counter()
    missing, beyond, is_shipping, unsure = _missing(body), Decimal(0), False, Decimal(0)
    shipping = _shipping(body)
    for claim in sorted(_claims(body), key=lambda one: not one.is_certain):
        cost, odd = _cost(claim.units, body, currency)
        worth = cost + (shipping if claim.is_shipping else 0)
        amount = worth if claim.amount is None else claim.amount
        if missing > 0 and (claim.is_certain or amount - odd <= missing):
            units += claim.units
            is_shipping = is_shipping or claim.is_shipping
            beyond += amount - worth if amount - worth > odd else 0
            missing -= amount
            unsure += odd if claim.amount is None else 0
    missing = missing if missing > unsure else Decimal(0)
    if missing > 0 and missing == shipping and not is_shipping:
        return GivenBack(units, True, beyond)
    return GivenBack(units, is_shipping, beyond + missing)


def _missing(body: OrderBody) -> Decimal:
    """How much of a paid order's money is not there any more; what was overpaid is not missed."""
    if payment(body) is not Payment.PAID or body.total_charged is None:
        return Decimal(0)
    return _total(body) - value_of(body.total_charged, "totalCharged")


def _claims(body: OrderBody) -> Iterator[_Claim]:
    for grant in body.granted_refunds or ():
        if grant.status != "FAILURE":
            yield _Claim(
                _counted(grant.lines),
                bool(grant.shipping_costs_included),
                value_of(grant.amount, "grantedRefunds.amount"),
                is_certain=grant.status == "SUCCESS",
            )
    for fulfillment in body.fulfillments or ():
        lines, refunded = _counted(fulfillment.lines), fulfillment.total_refunded_amount
        if fulfillment.status in _REFUNDED:
            told = None if refunded is None else value_of(refunded, "totalRefundedAmount")
            yield _Claim(lines, bool(_sent_back(fulfillment)), told, is_certain=True)
        elif fulfillment.status == "RETURNED":
            yield _Claim(lines, False, None, is_certain=False)


def _sent_back(fulfillment: Fulfillment) -> Decimal:
    return value_of(fulfillment.shipping_refunded_amount, "shippingRefundedAmount")


def _counted(lines: Iterable[ReturnedLine] | None) -> Counter[str]:
    counted: Counter[str] = Counter()
    for line in lines or ():
        if line.order_line is not None and line.order_line.id:
            counted[line.order_line.id] += checked_quantity(line.quantity, "a returned line")
    return counted


def _cost(units: Counter[str], body: OrderBody, currency: str) -> tuple[Decimal, Decimal]:
    """What the buyer paid for these units, with tax, and how much apart what was paid back may be.

    Saleor pays units back at the price of one, which is rounded; a share of the line may be a cent off too.
    """
    digits, cost, odd = digits_of(currency), Decimal(0), Decimal(0)
    for line in body.lines:
        whole, count = value_of(line.total_price.gross, "totalPrice.gross"), units[line.id]
        if line.quantity and count and whole:
            share = round_to(whole * count / line.quantity, digits)
            cost += share
            odd += abs(round_to(whole / line.quantity, digits) * count - share) + Decimal(1).scaleb(-digits)
    return cost, odd


def _shipping(body: OrderBody) -> Decimal:
    return Decimal(0) if body.shipping_price is None else value_of(body.shipping_price.gross, "shippingPrice")


def _total(body: OrderBody) -> Decimal:
    return value_of(body.total.gross, "total.gross")


def _refunded(body: OrderBody) -> Decimal:
    return value_of(body.total_refunded, "totalRefunded")
