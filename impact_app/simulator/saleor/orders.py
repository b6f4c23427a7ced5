"""Orders as a Saleor holds them: the whole node of its API, with decimals where it prints JSON numbers.

The arithmetic is Saleor's as measured on 3.22 and 3.23: prices are entered with or without tax, the other
side is worked out for each line, and an order's discount is spread over its lines in proportion.
"""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal

Body = dict[str, Any]

_DIGITS = {"JPY": 0, "KRW": 0, "KWD": 3}


@dataclass(frozen=True, slots=True)
class LineSpec:
    """A line: `price` of a unit as entered, `sale` what a catalogue promotion takes off each.

    `tax_rate` None: the order's. Each tax class has its own.
    """

    name: str = "Blue Hoodie"
    price: Decimal = Decimal("35.00")
    quantity: int = 1
    sku: str | None = None
    variant: int = 346
    sale: Decimal = Decimal(0)
    is_gift: bool = False
    product_type: str = "Sweatshirt"
    kind: str = "NORMAL"
    category: tuple[str, ...] = ("Apparel", "Sweatshirts")
    metadata: tuple[tuple[str, str], ...] = ()
    tax_rate: Decimal | None = None


@dataclass(frozen=True, slots=True)
class DiscountSpec:
    """What lowers an order: `amount` in its entry mode, or `percent`; `lines` that a product voucher hits."""

    kind: Literal["ENTIRE_ORDER", "SPECIFIC_PRODUCT", "SHIPPING", "ORDER_PROMOTION", "MANUAL"] = (
        "ENTIRE_ORDER"
    )
    code: str = "SAVE10"
    percent: Decimal | None = None
    amount: Decimal = Decimal(0)
    once: bool = False
    lines: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderSpec:
    """An order to be made; paid in full unless `charged` says otherwise."""

    lines: tuple[LineSpec, ...] = (LineSpec(),)
    discounts: tuple[DiscountSpec, ...] = ()
    currency: str = "USD"
    channel: str = "default-channel"
    with_tax: bool = False
    tax_rate: Decimal = Decimal("0.19")
    shipping: Decimal = Decimal("27.19")
    gift_card: Decimal = Decimal(0)
    charged: Decimal | None = None
    authorized: Decimal = Decimal(0)
    metadata: tuple[tuple[str, str], ...] = (("im_ref", "clk.AbC-123_~x"),)
    private_metadata: tuple[tuple[str, str], ...] = ()
    email: str = "buyer@example.com"
    user: int | None = None
    country: str = "DE"
    status: str = "UNFULFILLED"
    origin: str = "CHECKOUT"
    number: str = "22"
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    order_uuid: uuid.UUID = field(default_factory=uuid.uuid4)
    checkout_uuid: uuid.UUID = field(default_factory=uuid.uuid4)


def global_id(kind: str, key: object) -> str:
    """A GraphQL id as Saleor makes them."""
    return base64.b64encode(f"{kind}:{key}".encode()).decode()


def order(spec: OrderSpec) -> Body:
    """The order's node, as the API and, with fewer fields, a subscription show it."""
    lines = _priced(spec)
    subtotal = _added([line["totalPrice"] for line in lines], spec)
    shipping_free = any(one.kind == "SHIPPING" for one in spec.discounts)
    shipping = _taxed(Decimal(0) if shipping_free else spec.shipping, spec, spec.tax_rate)
    total = _added([subtotal, shipping], spec, less=spec.gift_card)
    gross = total["gross"]["amount"]
    charged = gross if spec.charged is None else spec.charged
    stamp = _stamp(spec.created)
    made = {
        "id": global_id("Order", spec.order_uuid),
        "number": spec.number,
        "token": str(spec.order_uuid),
        "checkoutId": global_id("Checkout", spec.checkout_uuid) if spec.origin == "CHECKOUT" else None,
        "externalReference": None,
        "origin": spec.origin,
        "created": stamp,
        "updatedAt": stamp,
        "status": spec.status,
        "userEmail": spec.email,
        "user": None if spec.user is None else {"id": global_id("User", spec.user)},
        "languageCodeEnum": "EN",
        "customerNote": "",
        "channel": _channel(spec),
        "metadata": [{"key": key, "value": value} for key, value in spec.metadata],
        "privateMetadata": [{"key": key, "value": value} for key, value in spec.private_metadata],
        "billingAddress": {"country": {"code": spec.country}},
        "shippingAddress": {"country": {"code": spec.country}},
        "total": total,
        "subtotal": subtotal,
        "shippingPrice": shipping,
        "undiscountedShippingPrice": _money(spec.shipping, spec),
        "totalCharged": _money(charged, spec),
        "totalAuthorized": _money(spec.authorized, spec),
        "totalRefunded": _money(Decimal(0), spec),
        "totalGrantedRefund": _money(Decimal(0), spec),
        "discounts": _discounts(spec, lines),
        **_voucher(spec),
        "giftCards": [{"id": global_id("GiftCard", 1)}] if spec.gift_card else [],
        "grantedRefunds": [],
        "fulfillments": [],
        "lines": lines,
    }
    return settled(made)


def settled(node: Body) -> Body:
    """The node with its payment states as its sums have them (Saleor's own rule, grants counted)."""
    granted = node["totalGrantedRefund"]["amount"]
    due = node["total"]["gross"]["amount"] - granted
    charged, authorized = node["totalCharged"]["amount"], node["totalAuthorized"]["amount"]
    node["chargeStatus"] = _status(charged, due, node["total"]["gross"]["amount"])
    node["authorizeStatus"] = (
        "FULL" if charged + authorized >= due else "PARTIAL" if charged + authorized else "NONE"
    )
    node["isPaid"] = charged >= node["total"]["gross"]["amount"]
    return node


def _status(charged: Decimal, due: Decimal, _total: Decimal) -> str:
    if due <= 0:
        return "FULL" if charged <= 0 else "OVERCHARGED"
    if charged <= 0:
        return "NONE"
    return "PARTIAL" if charged < due else "FULL" if charged == due else "OVERCHARGED"


def _priced(spec: OrderSpec) -> list[Body]:
    """The lines, each lowered by its sale, its own vouchers, and its share of the order's discounts."""
    entered = [line.price * line.quantity for line in spec.lines]
    sales = [line.price * line.quantity if line.is_gift else line.sale * line.quantity for line in spec.lines]
    left = [price - sale for price, sale in zip(entered, sales, strict=True)]
    own = [Decimal(0)] * len(left)
    for one in spec.discounts:
        if one.kind == "SPECIFIC_PRODUCT" or one.once:
            for at in one.lines:
                units = 1 if one.once else spec.lines[at].quantity
                off = _off(one, spec.lines[at].price * units, units, spec)
                own[at] += min(off, left[at])
                left[at] -= min(off, left[at])
        elif one.kind != "SHIPPING":
            for at, off in enumerate(_spread(one, left, spec)):
                left[at] -= off
    return [
        _line(at, line, spec, total=left[at], sale=sales[at], own=own[at])
        for at, line in enumerate(spec.lines)
    ]


def _off(one: DiscountSpec, base: Decimal, units: int, spec: OrderSpec) -> Decimal:
    if one.percent is not None:
        return rounded(base * one.percent / 100, spec.currency)
    return one.amount * units


def _spread(one: DiscountSpec, left: list[Decimal], spec: OrderSpec) -> list[Decimal]:
    """The lines' shares; the odd cent goes to the last line, and where it costs too little, to one before."""
    whole = sum(left)
    amount = min(whole, _off(one, Decimal(whole), 1, spec))
    parts = [rounded(amount * each / whole, spec.currency) if whole else Decimal(0) for each in left]
    for at in reversed(range(len(parts))):
        odd = amount - sum(parts)
        parts[at] = min(left[at], max(Decimal(0), parts[at] + odd))
    return parts


def _line(at: int, line: LineSpec, spec: OrderSpec, *, total: Decimal, sale: Decimal, own: Decimal) -> Body:
    variant = global_id("ProductVariant", line.variant + at)
    rate = spec.tax_rate if line.tax_rate is None else line.tax_rate
    code = next((one.code for one in spec.discounts if at in one.lines), None)
    kind = "ORDER_PROMOTION" if line.is_gift else "PROMOTION"
    listed = [
        {
            "id": global_id("OrderLineDiscount", at),
            "type": kind,
            "name": "promo: rule",
            "total": _money(sale, spec),
        }
    ]
    return {
        "id": global_id("OrderLine", uuid.uuid5(spec.order_uuid, str(at))),
        "productName": line.name,
        "variantName": line.sku or variant,
        "productSku": line.sku,
        "productVariantId": variant,
        "quantity": line.quantity,
        "isGift": line.is_gift,
        "taxRate": rate,
        "voucherCode": code if own else None,
        "saleId": global_id("Sale", 1) if line.sale else None,
        "unitPrice": _taxed(rounded(total / line.quantity, spec.currency), spec, rate),
        "undiscountedUnitPrice": _taxed(line.price, spec, rate),
        "totalPrice": _taxed(total, spec, rate),
        "undiscountedTotalPrice": _taxed(line.price * line.quantity, spec, rate),
        "discounts": listed if sale else [],
        "metadata": [{"key": key, "value": value} for key, value in line.metadata],
        "variant": {
            "id": variant,
            "sku": line.sku,
            "name": line.sku or variant,
            "externalReference": None,
            "product": _product(at, line),
        },
    }


def _product(at: int, line: LineSpec) -> Body:
    category: Body | None = None
    for name in line.category:
        category = {"name": name, **({"parent": category} if category else {})}
    kind = {"name": line.product_type, "kind": line.kind}
    return {"id": global_id("Product", line.variant + at), "category": category, "productType": kind}


def _discounts(spec: OrderSpec, lines: list[Body]) -> list[Body]:
    """What stands in the order's list: an amount for each in the entry mode, whatever it was made as."""
    found = []
    for at, one in enumerate(spec.discounts):
        kind = one.kind if one.kind in {"ORDER_PROMOTION", "MANUAL"} else "VOUCHER"
        alone = one.kind == "SPECIFIC_PRODUCT" or one.once
        amount = spec.shipping if one.kind == "SHIPPING" else one.amount
        if kind != "VOUCHER" or not alone:
            side = "gross" if spec.with_tax else "net"
            amount = amount or sum(
                (
                    line["undiscountedTotalPrice"][side]["amount"] - line["totalPrice"][side]["amount"]
                    for line in lines
                ),
                Decimal(0),
            )
        found.append(
            {
                "id": global_id("OrderDiscount", uuid.uuid5(spec.order_uuid, f"discount {at}")),
                "type": kind,
                "name": f"Campaign {one.code}",
                "valueType": "FIXED",
                "value": amount,
                "reason": f"Voucher code: {one.code}" if alone else None,
                "total": _money(amount, spec),
                "amount": _money(amount, spec),
            }
        )
    return found


def _voucher(spec: OrderSpec) -> Body:
    kinds = {"ENTIRE_ORDER", "SPECIFIC_PRODUCT", "SHIPPING"}
    used = next((one for one in spec.discounts if one.kind in kinds), None)
    if used is None:
        return {"voucherCode": None, "voucher": None}
    shown = {"code": used.code, "type": used.kind, "applyOncePerOrder": used.once}
    return {"voucherCode": used.code, "voucher": shown}


def _channel(spec: OrderSpec) -> Body:
    settings = {"pricesEnteredWithTax": spec.with_tax, "displayGrossPrices": spec.with_tax}
    return {
        "id": global_id("Channel", 1),
        "slug": spec.channel,
        "currencyCode": spec.currency,
        "taxConfiguration": settings,
    }


def _taxed(entered: Decimal, spec: OrderSpec, rate: Decimal) -> Body:
    if spec.with_tax:
        gross, net = entered, rounded(entered / (1 + rate), spec.currency)
    else:
        gross, net = rounded(entered * (1 + rate), spec.currency), entered
    return _both(gross, net, spec)


def _both(gross: Decimal, net: Decimal, spec: OrderSpec) -> Body:
    return {
        "currency": spec.currency,
        "gross": _money(gross, spec),
        "net": _money(net, spec),
        "tax": _money(gross - net, spec),
    }


def _added(parts: list[Body], spec: OrderSpec, *, less: Decimal = Decimal(0)) -> Body:
    gross, net = (sum((part[side]["amount"] for part in parts), Decimal(0)) for side in ("gross", "net"))
    share = rounded(less * net / gross, spec.currency) if less and gross else Decimal(0)
    return _both(gross - less, net - share, spec)


def _money(amount: Decimal, spec: OrderSpec) -> Body:
    return {"amount": amount, "currency": spec.currency}


def rounded(amount: Decimal, currency: str) -> Decimal:
    """To the currency's digits, halves away from zero."""
    return amount.quantize(Decimal(1).scaleb(-digits(currency)), rounding=ROUND_HALF_UP)


def digits(currency: str) -> int:
    return _DIGITS.get(currency, 2)


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def later(node: Body, seconds: float = 60) -> Body:
    """A copy of the node as of a later change, to be altered."""
    copy: Body = json.loads(json.dumps(node, default=_marked), object_hook=_unmarked)
    copy["updatedAt"] = _stamp(datetime.fromisoformat(node["updatedAt"]) + timedelta(seconds=seconds))
    return copy


def _marked(value: object) -> Body:
    assert isinstance(value, Decimal), value
    return {"decimal": str(value)}


def _unmarked(found: Body) -> Any:
    return Decimal(found["decimal"]) if set(found) == {"decimal"} else found


def _moved(node: Body, **sums: Decimal) -> Body:
    for name, amount in sums.items():
        node[name]["amount"] += amount
    return settled(node)


def charge(node: Body, amount: Decimal | None = None) -> Body:
    """The order after more money came in; the whole rest unless an amount is given."""
    rest = node["total"]["gross"]["amount"] - node["totalCharged"]["amount"]
    return _moved(later(node), totalCharged=rest if amount is None else amount)


def refund(node: Body, amount: Decimal | None = None) -> Body:
    """The order after money went back, all of it unless an amount is given. Which lines for is not told."""
    whole = node["totalCharged"]["amount"] if amount is None else amount
    return _moved(later(node), totalCharged=-whole, totalRefunded=whole)


def grant(
    node: Body,
    units: dict[int, int],
    *,
    status: str = "NONE",
    amount: Decimal | None = None,
    with_shipping: bool = False,
) -> Body:
    """The order after staff granted a refund for units of lines (by place); no money moves by that.

    `amount` is what they granted where it is not just what units and shipping cost.
    """
    granted = later(node)
    worth = sum((_worth(granted["lines"][at], count) for at, count in units.items()), Decimal(0))
    worth += granted["shippingPrice"]["gross"]["amount"] if with_shipping else 0
    worth = worth if amount is None else amount
    granted["grantedRefunds"].append(
        {
            "status": status,
            "amount": {**granted["total"]["gross"], "amount": worth},
            "shippingCostsIncluded": with_shipping,
            "lines": _named(granted, units),
        }
    )
    return _moved(granted, totalGrantedRefund=worth)


def return_units(node: Body, units: dict[int, int], *, status: str = "RETURNED") -> Body:
    """The order after units came back; `REFUNDED` is the older payments' way to name lines with money."""
    returned = later(node)
    returned["fulfillments"].append(
        {"status": status, "totalRefundedAmount": None, "lines": _named(returned, units)}
    )
    returned["status"] = "PARTIALLY_RETURNED"
    return returned


def edit(node: Body, spec: OrderSpec) -> Body:
    """An order that staff have not confirmed, after they changed it to `spec`: all prices are made anew.

    What was charged, given back and granted stays. Lines keep their places; new ones stand at the end.
    """
    made, kept = order(spec), later(node)
    stays = (
        "totalCharged",
        "totalRefunded",
        "totalGrantedRefund",
        "grantedRefunds",
        "fulfillments",
        "updatedAt",
    )
    return settled({**made, **{name: kept[name] for name in stays}})


def cancel(node: Body) -> Body:
    """The order after staff cancelled it; the money stays where it is."""
    return {**later(node), "status": "CANCELED"}


def _named(node: Body, units: dict[int, int]) -> list[Body]:
    return [{"quantity": count, "orderLine": {"id": node["lines"][at]["id"]}} for at, count in units.items()]


def _worth(line: Body, count: int) -> Decimal:
    whole: Decimal = line["totalPrice"]["gross"]["amount"]
    return rounded(whole * count / line["quantity"], line["totalPrice"]["currency"])
