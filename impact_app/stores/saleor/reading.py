"""From the bytes of a Saleor event to an event in the app's own words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

from msgspec import Raw

from impact_app.domain.events import Event, OrderChanged, OrderSeen, Uninstalled, UnknownTopic, Unreadable
from impact_app.domain.money import Money, share
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
    Reduction,
)
from impact_app.stores.bodies import (
    checked_currency,
    checked_quantity,
    email_digests,
    moment,
    order_key,
    parsed,
    text,
)
from impact_app.stores.saleor.money import GivenBack, given_back, payment, payment_word, value_of
from impact_app.stores.saleor.payloads import (
    Category,
    DiscountBody,
    EventBody,
    LineBody,
    MissedBody,
    OrderBody,
    Pair,
    TaxedBody,
)

PLATFORM = "Saleor"

#: Every event whose body is a whole order. The manifest asks for some of them; all are read.
ORDER_EVENTS = frozenset(
    {
        "order_created",
        "order_confirmed",
        "order_paid",
        "order_fully_paid",
        "order_updated",
        "order_cancelled",
        "order_refunded",
        "order_fully_refunded",
        "order_fulfilled",
        "order_expired",
        "order_metadata_updated",
    }
)
_APP_DELETED = "app_deleted"

#: Our own: an order of which Saleor says that an event about it never arrived.
MISSED = "order_missed"

_ORIGINS = {"DRAFT": Channel.DRAFT, "REISSUE": Channel.DRAFT, "BULK_CREATE": Channel.DRAFT}
_DISCOUNT_KINDS = {"VOUCHER": DiscountKind.CODE, "MANUAL": DiscountKind.MANUAL}


def read(topic: str, body: bytes) -> Event:
    """Say what a delivery of `topic` is about. Raises `Unreadable` with the place in the body.

    The signature covers the body alone, so where the body names its own event, that name counts.
    """
    if topic == MISSED:
        return OrderChanged(order_key(parsed(body, MissedBody, PLATFORM).order, PLATFORM))
    if topic not in ORDER_EVENTS and topic != _APP_DELETED:
        return UnknownTopic()
    event = _unwrapped(parsed(body, EventBody, PLATFORM))
    named = _snake(event.typename) if event.typename else topic
    if named == _APP_DELETED:
        return _app_deleted(event)
    if named not in ORDER_EVENTS:
        return UnknownTopic()
    if event.order is None:
        raise Unreadable("The event has no order: Saleor could not render it. The order list will bring it.")
    return OrderSeen(_order(event.order))


def read_order(body: bytes) -> Order:
    """The neutral order in an event's body, in an answer of the API, or alone. Raises `Unreadable`."""
    return _order(parsed(_order_within(body), OrderBody, PLATFORM))


def _order_within(body: bytes) -> bytes:
    """The order's own bytes, out of whatever stands around them."""
    named = parsed(body, dict[str, Raw], PLATFORM)
    if "raw_body" in named:  # a delivery kept whole, with its headers
        return _order_within(parsed(bytes(named["raw_body"]), str, PLATFORM).encode())
    held = list(parsed(bytes(named["data"]), dict[str, Raw], PLATFORM).items()) if "data" in named else []
    if len(held) == 1:
        name, inner = held[0]
        return bytes(inner) if name == "order" else _order_within(bytes(inner))
    return bytes(named["order"]) if "order" in named else body


def _unwrapped(event: EventBody) -> EventBody:
    held = list((event.data or {}).values())
    return held[0] if len(held) == 1 else event


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _app_deleted(event: EventBody) -> Event:
    """An app that may see other apps hears of their end too; only its own counts."""
    recipient, app = event.recipient and event.recipient.id, event.app and event.app.id
    if app is None or recipient not in {None, app}:
        return UnknownTopic()
    return Uninstalled(moment(event.issued_at) if event.issued_at else None)


class _Amounts:
    """Picks the amounts as the channel's staff enter them: with tax or without; Saleor gives both."""

    def __init__(self, body: OrderBody) -> None:
        self.currency = checked_currency(body.channel.currency_code)
        settings = body.channel.tax_configuration
        self.include_tax = bool(settings and settings.prices_entered_with_tax)

    def entered(self, taxed: TaxedBody, place: str) -> Amount:
        return self.amount(value_of(taxed.gross if self.include_tax else taxed.net, place))

    def tax(self, taxed: TaxedBody, place: str) -> Amount:
        return self.amount(value_of(taxed.gross, place) - value_of(taxed.net, place))

    def amount(self, value: Decimal) -> Amount:
        money = Money(value, self.currency)
        return Amount(money, money)


def _order(body: OrderBody) -> Order:
    amounts, found = _Amounts(body), _Discounts(body)
    back = given_back(body, amounts.currency)
    beyond, beyond_tax = _beyond(body, amounts, back)
    key, placed = order_key(body.id, PLATFORM), moment(body.created)
    changed = moment(body.updated_at) if body.updated_at else placed
    return Order(
        platform="saleor",
        key=key,
        number=text(body.number) or key,
        name=text(body.number) or key,
        placed_at=placed,
        changed_at=changed,
        # Saleor keeps no moment of the cancellation; the order's last change is the nearest.
        cancelled_at=changed if body.status == "CANCELED" else None,
        cancel_code="cancelled" if body.status == "CANCELED" else "",
        payment=payment(body),
        payment_word=payment_word(body),
        is_test=False,
        channel=_ORIGINS.get(body.origin or "", Channel.WEB),
        source=text(body.channel.slug),
        country=_country(body),
        currency=amounts.currency,
        shopper_currency=amounts.currency,
        prices_include_tax=amounts.include_tax,
        lines=tuple(
            _line(line, at, back.units[line.id], amounts, found) for at, line in enumerate(body.lines)
        ),
        discounts=tuple(found.discounts),
        extras=_extras(body, amounts, back),
        subtotal=amounts.entered(body.subtotal, "subtotal"),
        current_subtotal=None,
        codes=found.codes,
        customer=_customer(body),
        ip_address="",
        user_agent="",
        # Only a server with permissions writes private metadata; anybody with the checkout's id the other.
        attributes=(*_pairs(body.private_metadata), *_pairs(body.metadata)),
        landing_url="",
        given_back=beyond,
        given_back_tax=beyond_tax,
    )


class _Discounts:
    """The order's discounts, those of its lines put behind them as they are met, and who took what.

    Saleor names the share of an order's discount in a line by no field: it is what the line's own discounts
    leave of the difference between its undiscounted price and its total.
    """

    def __init__(self, body: OrderBody) -> None:
        self.codes = _codes(body)
        self.discounts = [_discount(one, body, self.codes) for one in body.discounts or ()]
        self._known = {(one.type, one.id): at for at, one in enumerate(body.discounts or ()) if one.id}

    def reductions(self, line: LineBody, off: Amount, amounts: _Amounts) -> Iterator[Reduction]:
        left = off.shop.amount
        for one in line.discounts or ():
            part = min(left, value_of(one.total or one.amount, "a line's discount"))
            if part > 0:
                yield Reduction(self._own(one), amounts.amount(part))
                left -= part
        if left:
            yield Reduction(self._share(line), amounts.amount(left))

    def _own(self, one: DiscountBody) -> int:
        """The place of a line's own discount, which never applies to the whole order."""
        known = (one.type, text(one.id) or text(one.name))
        if known not in self._known:
            self._known[known] = len(self.discounts)
            code = self.codes[0] if one.type == "VOUCHER" and self.codes else None
            self.discounts.append(Discount(_kind(one), text(one.name), code, False, False))
        return self._known[known]

    def _share(self, line: LineBody) -> int | None:
        """The place of the discount that took the rest of a line's reduction; None where it is unclear."""
        if line.sale_id and line.discounts is None:
            return None  # before Saleor 3.21 the parts of a sale and of a voucher cannot be told apart
        wide = [at for at, one in enumerate(self.discounts) if one.order_wide and not one.on_shipping]
        narrow = [at for at, one in enumerate(self.discounts) if one.code and not one.order_wide]
        return next(iter(narrow if line.voucher_code else wide), None)


def _discount(one: DiscountBody, body: OrderBody, codes: tuple[str, ...]) -> Discount:
    code = codes[0] if one.type == "VOUCHER" and codes else None
    on_shipping = one.type == "VOUCHER" and body.voucher is not None and body.voucher.type == "SHIPPING"
    return Discount(
        kind=_kind(one),
        title=text(one.name).strip(),
        code=code,
        on_shipping=on_shipping,
        order_wide=not on_shipping and _is_order_wide(one, body),
    )


def _kind(one: DiscountBody) -> DiscountKind:
    return _DISCOUNT_KINDS.get(one.type, DiscountKind.AUTOMATIC)


def _is_order_wide(one: DiscountBody, body: OrderBody) -> bool:
    """Whether Saleor spread the discount over all lines in proportion.

    A voucher may be deleted since; the lines that it alone reduced still carry its code then.
    """
    if one.type != "VOUCHER":
        return one.type in {"MANUAL", "ORDER_PROMOTION"}
    if body.voucher is not None and body.voucher.type:
        return body.voucher.type == "ENTIRE_ORDER" and not body.voucher.apply_once_per_order
    return not any(line.voucher_code for line in body.lines)


def _codes(body: OrderBody) -> tuple[str, ...]:
    """What the buyer entered. A gift card is no promo code, and Saleor does not list its code here."""
    listed = [
        body.voucher_code,
        body.voucher and body.voucher.code,
        *(one.voucher_code for one in body.lines),
    ]
    seen: dict[str, str] = {}
    for code in (text(one).strip() for one in listed):
        if code:
            seen.setdefault(code.casefold(), code)
    return tuple(seen.values())


def _line(line: LineBody, at: int, gone: int, amounts: _Amounts, found: _Discounts) -> Line:
    place = f"lines[{at}]"
    quantity = checked_quantity(line.quantity, place)
    price = amounts.entered(line.undiscounted_unit_price, f"{place}.undiscountedUnitPrice")
    paid = amounts.entered(line.total_price, f"{place}.totalPrice")
    off = amounts.amount((price.shop * quantity - paid.shop).amount)
    tax = amounts.tax(line.total_price, f"{place}.totalPrice")
    returned = min(gone, quantity)
    variant = line.variant
    product = variant.product if variant else None
    kind = product.product_type if product else None
    return Line(
        id=text(line.id),
        kind=LineKind.GIFT_CARD if kind and kind.kind == "GIFT_CARD" else LineKind.GOODS,
        sku=_sku(line),
        variant_id=text(line.product_variant_id),
        product_id=text(product and product.id),
        title=text(line.product_name),
        vendor="",
        product_type=text(kind and kind.name),
        category=_category(product.category if product else None),
        quantity=quantity,
        kept=quantity - returned,
        unit_price=price,
        reductions=tuple(found.reductions(line, off, amounts)),
        tax=tax,
        returned=returned,
        refunded=_share(paid, returned, quantity),
        refunded_tax=_share(tax, returned, quantity),
        properties=_pairs(line.metadata),
    )


def _share(whole: Amount, units: int, quantity: int) -> Amount:
    """What belongs to some of a line's units: Saleor says which came back, never what was paid for each."""
    if not units or not whole.shop.fits:
        return Amount(whole.shop * 0, whole.shop * 0)
    part = share(whole.shop, [Decimal(units), Decimal(quantity - units)])[0]
    return Amount(part, part)


def _beyond(body: OrderBody, amounts: _Amounts, back: GivenBack) -> tuple[Amount, Amount]:
    """Money given back that nothing accounts for, and the tax on top of it where prices contain none."""
    gross, net = value_of(body.subtotal.gross, "subtotal"), value_of(body.subtotal.net, "subtotal")
    part = back.beyond
    if gross and not amounts.include_tax:
        part = Money(back.beyond * net / gross, amounts.currency).rounded().amount
    return amounts.amount(part), amounts.amount(back.beyond - part)


def _sku(line: LineBody) -> str:
    variant = line.variant
    named = (line.product_sku, variant and variant.sku, variant and variant.external_reference)
    return next((sku for sku in (text(one).strip() for one in named) if sku), "")


def _category(category: Category | None) -> str:
    """The category with the one above it, as in "Apparel > Sneakers"."""
    if category is None:
        return ""
    names = (category.parent and category.parent.name, category.name)
    return " > ".join(name for name in (text(one) for one in names) if name)


def _extras(body: OrderBody, amounts: _Amounts, back: GivenBack) -> tuple[Extra, ...]:
    shipping = body.shipping_price
    if shipping is None or back.is_shipping:
        return ()
    place = "shippingPrice"
    return (Extra("shipping", amounts.entered(shipping, place), amounts.tax(shipping, place)),)


def _customer(body: OrderBody) -> Customer:
    sha1, sha256 = email_digests(text(body.user_email))
    return Customer(id=text(body.user and body.user.id), email_sha1=sha1, email_sha256=sha256, is_new=None)


def _country(body: OrderBody) -> str:
    address = body.shipping_address or body.billing_address
    return text(address and address.country and address.country.code)


def _pairs(pairs: Sequence[Pair] | None) -> tuple[tuple[str, str], ...]:
    return tuple((text(pair.key), text(pair.value)) for pair in pairs or ())
