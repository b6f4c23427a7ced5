"""From the bytes of a Shopify webhook to an event in the app's own words."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from ipaddress import ip_address
from typing import Any, TypeVar

import msgspec

from impact_app.domain.events import (
    Event,
    OrderChanged,
    OrderSeen,
    PrivacyAsked,
    ScopesChanged,
    Uninstalled,
    UnknownTopic,
    Unreadable,
)
from impact_app.domain.money import Money, total, zero
from impact_app.domain.orders import (
    Amount,
    Channel,
    Customer,
    Discount,
    DiscountKind,
    Extra,
    Line,
    LineKind,
    Order,
    Payment,
    Reduction,
)
from impact_app.stores.shopify.payloads import (
    Allocation,
    Application,
    LineItem,
    MoneySet,
    OrderBody,
    OrderEdited,
    PrivacyBody,
    RefundCreated,
    RefundLine,
    ScopesUpdated,
    ShippingLine,
    TaxLine,
)

_Body = TypeVar("_Body")

#: Larger figures are no order; they would also overflow what a database keeps.
_AMOUNT_LIMIT = Decimal(10) ** 13
_QUANTITY_LIMIT = 10**6
_KEY_LIMIT = 64
#: Beyond them a moment may have no counterpart in UTC.
_YEARS = (1970, 9998)

_PAYMENTS = {
    "paid": Payment.PAID,
    "partially_refunded": Payment.PAID,
    "refunded": Payment.REFUNDED,
    "voided": Payment.VOIDED,
}
_DISCOUNT_KINDS = {
    "discount_code": DiscountKind.CODE,
    "manual": DiscountKind.MANUAL,
}


def read(topic: str, body: bytes) -> Event:
    """Say what a delivery of `topic` is about. Raises `Unreadable` with the place in the body."""
    reader = _READERS.get(topic)
    return reader(body) if reader else UnknownTopic()


def read_order(body: bytes) -> Order:
    """The neutral order in the body of an order webhook. Raises `Unreadable`."""
    return _order(_parsed(body, OrderBody))


def _parsed(body: bytes, kind: type[_Body]) -> _Body:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise Unreadable(f"The body is not as Shopify sends it: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"The body is not complete JSON in UTF-8: {error}") from None


def _privacy(what: str) -> Callable[[bytes], Event]:
    def reader(body: bytes) -> Event:
        asked = _parsed(body, PrivacyBody)
        keys = asked.orders_requested or asked.orders_to_redact or []
        return PrivacyAsked(what, tuple(str(key) for key in keys))

    return reader


_READERS: dict[str, Callable[[bytes], Event]] = {
    "orders/paid": lambda body: OrderSeen(read_order(body)),
    "orders/updated": lambda body: OrderSeen(read_order(body)),
    "orders/cancelled": lambda body: OrderSeen(read_order(body)),
    "orders/create": lambda body: OrderSeen(read_order(body)),
    "orders/edited": lambda body: OrderChanged(str(_parsed(body, OrderEdited).order_edit.order_id)),
    "refunds/create": lambda body: OrderChanged(str(_parsed(body, RefundCreated).order_id)),
    "app/uninstalled": lambda _body: Uninstalled(),
    "app/scopes_update": lambda body: ScopesChanged(",".join(_parsed(body, ScopesUpdated).current)),
    "customers/data_request": _privacy("show"),
    "customers/redact": _privacy("redact_customer"),
    "shop/redact": _privacy("redact_store"),
}


class _Amounts:
    """Turns Shopify's money into pairs of amounts, checking that every one is in the order's currencies."""

    def __init__(self, body: OrderBody) -> None:
        self.currency = body.currency
        self.shopper_currency = body.presentment_currency or body.currency
        for code in (self.currency, self.shopper_currency):
            if not (len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()):
                raise Unreadable(f"The order's currency is {code[:20]!r}, which is no ISO 4217 code.")

    def pair(self, both: MoneySet | None, plain: Decimal | None, place: str) -> Amount:
        if both is not None:
            shop, shopper = both.shop_money, both.presentment_money
            if (shop.currency_code, shopper.currency_code) != (self.currency, self.shopper_currency):
                raise Unreadable(f"{place} is in other currencies than the order.")
            return Amount(
                Money(_checked(shop.amount, place), self.currency),
                Money(_checked(shopper.amount, place), self.shopper_currency),
            )
        if self.shopper_currency != self.currency:
            raise Unreadable(f"{place} has no amount in the buyer's currency.")
        money = Money(_checked(plain or Decimal(0), place), self.currency)
        return Amount(money, money)

    def sum(self, amounts: Iterable[Amount]) -> Amount:
        listed = list(amounts)
        return Amount(
            total((amount.shop for amount in listed), self.currency),
            total((amount.shopper for amount in listed), self.shopper_currency),
        )

    def less(self, whole: Amount, part: Amount) -> Amount:
        return Amount(whole.shop - part.shop, whole.shopper - part.shopper)

    def tax(self, lines: list[TaxLine] | None, place: str) -> Amount:
        return self.sum(self.pair(line.price_set, line.price, place) for line in lines or ())


def _checked(amount: Decimal, place: str) -> Decimal:
    if not amount.is_finite() or abs(amount) >= _AMOUNT_LIMIT or int(amount.as_tuple().exponent) < -9:
        raise Unreadable(f"{place} is no amount of money: {str(amount)[:40]}.")
    return amount + 0  # minus zero becomes zero, which impact.com would refuse as negative


def _order(body: OrderBody) -> Order:
    amounts = _Amounts(body)
    discounts = tuple(_discount(application) for application in body.discount_applications or ())
    refunds = _refunds_by_line(body)
    tips, details = _tips(body), body.client_details
    placed = body.processed_at or body.created_at
    if placed is None:
        raise Unreadable("The order has neither processed_at nor created_at.")
    return Order(
        platform="shopify",
        key=_key(body.id),
        number=_text(body.order_number) or _key(body.id),
        name=_text(body.name) or _key(body.id),
        placed_at=_moment(placed),
        changed_at=_moment(body.updated_at or placed),
        cancelled_at=_moment(body.cancelled_at) if body.cancelled_at else None,
        cancel_code=_text(body.cancel_reason),
        payment=_PAYMENTS.get(body.financial_status or "", Payment.UNPAID),
        payment_word=_text(body.financial_status),
        is_test=bool(body.test),
        channel=_channel(body.source_name or ""),
        source=_text(body.source_name),
        country=_country(body),
        currency=amounts.currency,
        shopper_currency=amounts.shopper_currency,
        prices_include_tax=bool(body.taxes_included),
        lines=tuple(
            _line(item, at, body, amounts, refunds[str(item.id)], is_tip=at in tips)
            for at, item in enumerate(body.line_items)
        ),
        discounts=discounts,
        extras=tuple(_extras(body, amounts)),
        subtotal=amounts.pair(body.subtotal_price_set, body.subtotal_price, "subtotal_price"),
        current_subtotal=_current_subtotal(body, amounts),
        codes=_codes(body, discounts),
        customer=_customer(body),
        ip_address=_address(body.browser_ip or (details.browser_ip if details else None)),
        user_agent=_text(details.user_agent if details else None),
        attributes=_pairs(body.note_attributes),
        landing_url=_text(body.landing_site),
    )


def _current_subtotal(body: OrderBody, amounts: _Amounts) -> Amount | None:
    both, plain = body.current_subtotal_price_set, body.current_subtotal_price
    if both is None and (plain is None or amounts.currency != amounts.shopper_currency):
        return None
    return amounts.pair(both, plain, "current_subtotal_price")


def _refunds_by_line(body: OrderBody) -> defaultdict[str, list[RefundLine]]:
    found: defaultdict[str, list[RefundLine]] = defaultdict(list)
    for refund in body.refunds or ():
        for line in refund.refund_line_items or ():
            found[str(line.line_item_id)].append(line)
    return found


def _line(
    item: LineItem, at: int, body: OrderBody, amounts: _Amounts, refunds: list[RefundLine], *, is_tip: bool
) -> Line:
    place = f"line_items[{at}]"
    if item.quantity < 0 or item.quantity > _QUANTITY_LIMIT:
        raise Unreadable(f"{place}.quantity is {str(item.quantity)[:40]}.")
    price = amounts.pair(item.price_set, item.price, f"{place}.price")
    refunded = [line for line in refunds if line.subtotal or not item.price]
    gone = sum(line.quantity for line in refunds)
    kept = item.quantity - gone if item.current_quantity is None else item.current_quantity
    return Line(
        id=_text(item.id),
        kind=LineKind.GIFT_CARD if item.gift_card else LineKind.TIP if is_tip else LineKind.GOODS,
        sku=_text(item.sku).strip(),
        variant_id=_text(item.variant_id or ""),
        product_id=_text(item.product_id or ""),
        title=_text(item.title),
        vendor=_text(item.vendor),
        product_type="",
        category="",
        quantity=item.quantity,
        kept=max(0, min(kept, item.quantity)),
        unit_price=price,
        reductions=tuple(_reduction(one, place, body, amounts) for one in item.discount_allocations or ()),
        tax=amounts.tax(item.tax_lines, f"{place}.tax_lines"),
        returned=sum(line.quantity for line in refunded),
        refunded=amounts.sum(
            amounts.pair(line.subtotal_set, line.subtotal, "refund subtotal") for line in refunded
        ),
        refunded_tax=amounts.sum(
            amounts.pair(line.total_tax_set, line.total_tax, "refund total_tax") for line in refunded
        ),
        properties=_pairs(item.properties),
    )


def _reduction(one: Allocation, place: str, body: OrderBody, amounts: _Amounts) -> Reduction:
    at = one.discount_application_index
    known = 0 <= at < len(body.discount_applications or ())
    # Applications made by an order edit are missing from the list; the money counts all the same.
    return Reduction(at if known else None, amounts.pair(one.amount_set, one.amount, f"{place} discount"))


def _tips(body: OrderBody) -> set[int]:
    """Places of the lines that are tips: titled so or, in another language, the one of the tip's amount."""
    tipped = _checked(body.total_tip_received or Decimal(0), "total_tip_received")
    if tipped <= 0:
        return set()
    custom = {
        at: item
        for at, item in enumerate(body.line_items)
        if item.product_id is None and item.variant_id is None and not item.sku
    }
    titled = {at for at, item in custom.items() if _text(item.title).strip().casefold() == "tip"}
    alike = [at for at, item in custom.items() if _checked(item.price, "price") * item.quantity == tipped]
    return titled or set(alike[-1:])


def _discount(application: Application) -> Discount:
    kind = _DISCOUNT_KINDS.get(application.type, DiscountKind.AUTOMATIC)
    code = _text(application.code).strip() if kind is DiscountKind.CODE else ""
    return Discount(
        kind=kind,
        title=_text(application.title or application.code).strip(),
        code=code or None,
        on_shipping=application.target_type == "shipping_line",
        order_wide=_is_order_wide(application),
    )


def _is_order_wide(application: Application) -> bool:
    """Whether impact.com's proportional spreading is what the shop did: all lines, in proportion."""
    method, is_rate = application.allocation_method, application.value_type == "percentage"
    return application.target_selection == "all" and (method == "across" or (method == "each" and is_rate))


def _codes(body: OrderBody, discounts: tuple[Discount, ...]) -> tuple[str, ...]:
    """Codes the buyer entered. A manual discount also stands in `discount_codes`, under its title."""
    by_application = [discount.code for discount in discounts if discount.code]
    titles = {discount.title.casefold() for discount in discounts if discount.kind is not DiscountKind.CODE}
    listed = [_text(entry.code).strip() for entry in body.discount_codes or ()]
    named = [code for code in listed if code and code.casefold() not in titles]
    seen: dict[str, str] = {}
    for code in (*by_application, *named):
        seen.setdefault(code.casefold(), code)
    return tuple(seen.values())


def _extras(body: OrderBody, amounts: _Amounts) -> Iterable[Extra]:
    kept = [line for line in body.shipping_lines or () if not line.is_removed]
    if kept:
        tax = amounts.sum(amounts.tax(line.tax_lines, "shipping tax") for line in kept)
        yield Extra("shipping", amounts.sum(_shipping(line, amounts) for line in kept), tax)
    nothing = Amount(zero(amounts.currency), zero(amounts.shopper_currency))
    if body.current_total_duties_set:
        yield Extra("duties", amounts.pair(body.current_total_duties_set, None, "duties"), nothing)
    if body.current_total_additional_fees_set:
        yield Extra("fees", amounts.pair(body.current_total_additional_fees_set, None, "fees"), nothing)


def _shipping(line: ShippingLine, amounts: _Amounts) -> Amount:
    off = amounts.sum(
        amounts.pair(one.amount_set, one.amount, "shipping discount")
        for one in line.discount_allocations or ()
    )
    return amounts.less(amounts.pair(line.price_set, line.price, "shipping price"), off)


def _customer(body: OrderBody) -> Customer:
    customer = body.customer
    email = _text(body.email or body.contact_email or (customer and customer.email)).strip().lower()
    return Customer(
        id=_text(customer.id) if customer and customer.id else "",
        email_sha1=hashlib.sha1(email.encode(), usedforsecurity=False).hexdigest() if email else "",
        email_sha256=hashlib.sha256(email.encode()).hexdigest() if email else "",
        is_new=None,
    )


def _address(value: str | None) -> str:
    """An IP address; anything else, such as what stands in its place once it is redacted, is none."""
    try:
        return str(ip_address(value or ""))
    except ValueError:
        return ""


def _country(body: OrderBody) -> str:
    address = body.shipping_address or body.billing_address
    return _text(address and address.country_code)


def _channel(source: str) -> Channel:
    if source.startswith("subscription_contract"):
        return Channel.RENEWAL
    return {"pos": Channel.POINT_OF_SALE, "shopify_draft_order": Channel.DRAFT}.get(source, Channel.WEB)


def _pairs(entries: Any) -> tuple[tuple[str, str], ...]:
    """Name and value of note attributes or line properties: a list of both, or (in old data) a mapping."""
    if isinstance(entries, dict):
        entries = [{"name": name, "value": value} for name, value in entries.items()]
    if not isinstance(entries, list):
        return ()
    named = [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("name"), str)]
    return tuple((_text(entry["name"]), _text(entry.get("value"))) for entry in named)


_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def _text(value: Any) -> str:
    """Text fit for every database and form: null is empty, and a control character is made visible.

    PostgreSQL refuses NUL; impact.com takes none of the others.
    """
    if value is None or isinstance(value, (dict, list)):
        return ""
    return _CONTROL.sub("\ufffd", str(value))


def _key(value: int | str) -> str:
    key = str(value)
    if not key.isprintable() or not 0 < len(key) <= _KEY_LIMIT:
        raise Unreadable(f"The order's id is {key[:40]!r}, which is no id of Shopify.")
    return key


def _moment(value: datetime) -> datetime:
    moment = value if value.tzinfo else value.replace(tzinfo=UTC)
    if not _YEARS[0] <= moment.year <= _YEARS[1]:
        raise Unreadable(f"The order names the year {moment.year}, which no order can have.")
    return moment
