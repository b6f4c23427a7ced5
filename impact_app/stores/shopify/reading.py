"""From the bytes of a Shopify webhook to an event in the app's own words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from decimal import Decimal
from ipaddress import ip_address
from typing import Any

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
from impact_app.stores.bodies import (
    checked_amount,
    checked_currency,
    checked_quantity,
    email_digests,
    moment,
    order_key,
    parsed,
    text,
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

PLATFORM = "Shopify"

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
    return _order(parsed(body, OrderBody, PLATFORM))


def _privacy(what: str) -> Callable[[bytes], Event]:
    def reader(body: bytes) -> Event:
        asked = parsed(body, PrivacyBody, PLATFORM)
        keys = asked.orders_requested or asked.orders_to_redact or []
        return PrivacyAsked(what, tuple(str(key) for key in keys))

    return reader


_READERS: dict[str, Callable[[bytes], Event]] = {
    "orders/paid": lambda body: OrderSeen(read_order(body)),
    "orders/updated": lambda body: OrderSeen(read_order(body)),
    "orders/cancelled": lambda body: OrderSeen(read_order(body)),
    "orders/create": lambda body: OrderSeen(read_order(body)),
    "orders/edited": lambda body: OrderChanged(str(parsed(body, OrderEdited, PLATFORM).order_edit.order_id)),
    "refunds/create": lambda body: OrderChanged(str(parsed(body, RefundCreated, PLATFORM).order_id)),
    "app/uninstalled": lambda _body: Uninstalled(),
    "app/scopes_update": lambda body: ScopesChanged(",".join(parsed(body, ScopesUpdated, PLATFORM).current)),
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
            checked_currency(code)

    def pair(self, both: MoneySet | None, plain: Decimal | None, place: str) -> Amount:
        if both is not None:
            shop, shopper = both.shop_money, both.presentment_money
            if (shop.currency_code, shopper.currency_code) != (self.currency, self.shopper_currency):
                raise Unreadable(f"{place} is in other currencies than the order.")
            return Amount(
                Money(checked_amount(shop.amount, place), self.currency),
                Money(checked_amount(shopper.amount, place), self.shopper_currency),
            )
        if self.shopper_currency != self.currency:
            raise Unreadable(f"{place} has no amount in the buyer's currency.")
        money = Money(checked_amount(plain or Decimal(0), place), self.currency)
        return Amount(money, money)

    def sum(self, amounts: Iterable[Amount]) -> Amount:
        listed = list(amounts)
        return Amount(
            total((amount.shop for amount in listed), self.currency),
            total((amount.shopper for amount in listed), self.shopper_currency),
        )

    def less(self, whole: Amount, part: Amount) -> Amount:
        return Amount(whole.shop - part.shop, whole.shopper - part.shopper)

    @property
    def nothing(self) -> Amount:
        return Amount(zero(self.currency), zero(self.shopper_currency))

    def size(self, amount: Amount) -> Amount:
        """The amount without its sign."""
        is_below = amount.shop.amount < 0 or amount.shopper.amount < 0
        return self.less(self.nothing, amount) if is_below else amount

    def not_below_zero(self, amount: Amount) -> Amount:
        return Amount(max(amount.shop, zero(self.currency)), max(amount.shopper, zero(self.shopper_currency)))

    def tax(self, lines: list[TaxLine] | None, place: str) -> Amount:
        return self.sum(self.pair(line.price_set, line.price, place) for line in lines or ())


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
        key=order_key(body.id, PLATFORM),
        number=text(body.order_number) or order_key(body.id, PLATFORM),
        name=text(body.name) or order_key(body.id, PLATFORM),
        placed_at=moment(placed),
        changed_at=moment(body.updated_at or placed),
        cancelled_at=moment(body.cancelled_at) if body.cancelled_at else None,
        cancel_code=text(body.cancel_reason),
        payment=_PAYMENTS.get(body.financial_status or "", Payment.UNPAID),
        payment_word=text(body.financial_status),
        is_test=bool(body.test),
        channel=_channel(body.source_name or ""),
        source=text(body.source_name),
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
        user_agent=text(details.user_agent if details else None),
        attributes=_pairs(body.note_attributes),
        landing_url=text(body.landing_site),
        given_back=_given_back(body, amounts),
        checkout_token=_token(body.checkout_token),
        cart_token=_token(body.cart_token),
    )


def _token(value: str | None) -> str:
    """A token without the secret part that headless carts carry behind a question mark."""
    return text(value).partition("?")[0][:128]


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
    checked_quantity(item.quantity, place)
    price = amounts.pair(item.price_set, item.price, f"{place}.price")
    refunded = [line for line in refunds if line.subtotal or not item.price]
    gone = sum(line.quantity for line in refunds)
    kept = item.quantity - gone if item.current_quantity is None else item.current_quantity
    return Line(
        id=text(item.id),
        kind=LineKind.GIFT_CARD if item.gift_card else LineKind.TIP if is_tip else LineKind.GOODS,
        sku=text(item.sku).strip(),
        variant_id=text(item.variant_id or ""),
        product_id=text(item.product_id or ""),
        title=text(item.title),
        vendor=text(item.vendor),
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
    tipped = checked_amount(body.total_tip_received or Decimal(0), "total_tip_received")
    if tipped <= 0:
        return set()
    custom = {
        at: item
        for at, item in enumerate(body.line_items)
        if item.product_id is None and item.variant_id is None and not item.sku
    }
    titled = {at for at, item in custom.items() if text(item.title).strip().casefold() == "tip"}
    alike = [
        at for at, item in custom.items() if checked_amount(item.price, "price") * item.quantity == tipped
    ]
    return titled or set(alike[-1:])


def _discount(application: Application) -> Discount:
    kind = _DISCOUNT_KINDS.get(application.type, DiscountKind.AUTOMATIC)
    code = text(application.code).strip() if kind is DiscountKind.CODE else ""
    return Discount(
        kind=kind,
        title=text(application.title or application.code).strip(),
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
    listed = [text(entry.code).strip() for entry in body.discount_codes or ()]
    named = [code for code in listed if code and code.casefold() not in titles]
    seen: dict[str, str] = {}
    for code in (*by_application, *named):
        seen.setdefault(code.casefold(), code)
    return tuple(seen.values())


def _given_back(body: OrderBody, amounts: _Amounts) -> Amount:
    """Money that refunds handed back beyond their items and shipping, less what they kept of those.

    Shopify shows what is handed back below zero, though not reliably so where a refund is nothing else. What
    adjusts units that came back for nothing is the money of those units, not another amount.
    """
    prices = {str(item.id): item.price for item in body.line_items}
    parts = []
    for refund in body.refunds or ():
        lines = refund.refund_line_items or ()
        if any(not line.subtotal and prices.get(str(line.line_item_id)) for line in lines):
            continue
        given = amounts.less(
            amounts.nothing,
            amounts.sum(
                amounts.pair(one.amount_set, one.amount, "refund adjustment")
                for one in refund.order_adjustments or ()
                if one.kind != "shipping_refund"
            ),
        )
        parts.append(given if lines or refund.refund_shipping_lines else amounts.size(given))
    return amounts.not_below_zero(amounts.sum(parts))


def _extras(body: OrderBody, amounts: _Amounts) -> Iterable[Extra]:
    kept = [line for line in body.shipping_lines or () if not line.is_removed]
    if kept:
        charged = _shipping_now(body, kept, amounts)
        yield Extra("shipping", charged, _shipping_tax_now(body, kept, charged, amounts))
    if body.current_total_duties_set:
        yield Extra("duties", amounts.pair(body.current_total_duties_set, None, "duties"), amounts.nothing)
    if body.current_total_additional_fees_set:
        fees = amounts.pair(body.current_total_additional_fees_set, None, "fees")
        yield Extra("fees", fees, amounts.nothing)


def _shipping_now(body: OrderBody, kept: list[ShippingLine], amounts: _Amounts) -> Amount:
    """What is charged for shipping after discounts and refunds."""
    if body.current_shipping_price_set:
        return amounts.pair(body.current_shipping_price_set, None, "current_shipping_price")
    refunded = amounts.sum(
        amounts.pair(one.subtotal_amount_set, None, "refunded shipping")
        for refund in body.refunds or ()
        for one in refund.refund_shipping_lines or ()
    )
    charged = amounts.sum(_shipping(line, amounts) for line in kept)
    return amounts.not_below_zero(amounts.less(charged, refunded))


def _shipping_tax_now(
    body: OrderBody, kept: list[ShippingLine], charged: Amount, amounts: _Amounts
) -> Amount:
    """The tax on what is still charged; a webhook tells refunded tax below zero, among the adjustments."""
    if not charged.shop and not charged.shopper:
        return amounts.nothing
    tax = amounts.sum(amounts.tax(line.tax_lines, "shipping tax") for line in kept)
    told = amounts.sum(
        amounts.pair(one.tax_amount_set, one.tax_amount, "refunded shipping tax")
        for refund in body.refunds or ()
        for one in refund.order_adjustments or ()
        if one.kind == "shipping_refund"
    )
    return amounts.not_below_zero(amounts.less(tax, amounts.size(told)))


def _shipping(line: ShippingLine, amounts: _Amounts) -> Amount:
    off = amounts.sum(
        amounts.pair(one.amount_set, one.amount, "shipping discount")
        for one in line.discount_allocations or ()
    )
    return amounts.less(amounts.pair(line.price_set, line.price, "shipping price"), off)


def _customer(body: OrderBody) -> Customer:
    customer = body.customer
    sha1, sha256 = email_digests(text(body.email or body.contact_email or (customer and customer.email)))
    return Customer(
        id=text(customer.id) if customer and customer.id else "",
        email_sha1=sha1,
        email_sha256=sha256,
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
    return text(address and address.country_code)


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
    return tuple((text(entry["name"]), text(entry.get("value"))) for entry in named)
