"""Order bodies in the exact shape of Shopify's order webhooks (orders/paid, version 2026-10).

Modelled on a real delivery and on Shopify's 2026-07 reference sample. Rates, and the refund amounts that
Shopify sends as JSON numbers, are Decimals in these bodies; `encode` writes them as numbers.
"""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

from . import bodies
from .bodies import LOCATION_ID, STAFF_ID, Body, Money, stamp, token
from .changes import cancel, edit, refund
from .pricing import Priced, priced
from .specs import DRAFT_SOURCE, ID_STEP, CustomerSpec, DiscountSpec, LineSpec, OrderSpec
from .truth import Figures, LineFigures, SkuFigures, Truth, truth

__all__ = [
    "CustomerSpec",
    "DiscountSpec",
    "Figures",
    "LineFigures",
    "LineSpec",
    "OrderSpec",
    "SkuFigures",
    "Truth",
    "cancel",
    "edit",
    "encode",
    "order_body",
    "refund",
    "truth",
]

_APP_IDS = {"web": 580_111, "pos": 129_785, DRAFT_SOURCE: 1_354_745}
_SHOP_ID = 91_740_000_001


def order_body(spec: OrderSpec) -> Body:
    """The body of orders/paid (orders/create, orders/updated) for a new order: same spec, same body.

    Money is text in shop currency, `*_set` holds both currencies; ids are 64-bit; times are ISO 8601 with
    offset. Raises ValueError when an amount is finer than its currency allows.
    """
    shop, shopper = priced(spec)
    money = Money(shop.currency, shopper.currency)
    return {
        **_identity(spec),
        **_state(spec),
        **_origin(spec),
        **_people(spec),
        **_sums(spec, money, shop, shopper),
        **_taxes(spec, money, shop, shopper),
        "discount_codes": bodies.discount_codes(
            spec.discounts, spec.source_name == DRAFT_SOURCE, money, shop
        ),
        "discount_applications": [bodies.application_body(discount) for discount in spec.discounts],
        "line_items": _lines(spec, money, shop, shopper),
        "shipping_lines": (
            [] if spec.shipping is None else [bodies.shipping_line(spec, money, shop, shopper)]
        ),
        "total_weight": sum(line.grams * line.quantity for line in spec.lines),
        "fulfillments": [],
        "line_item_groups": [],
        "payment_terms": None,
        "refunds": [],
        "returns": [],
    }


def encode(body: Body) -> bytes:
    """The bytes Shopify would send: compact UTF-8 JSON, `&`, `<` and `>` escaped inside strings."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), default=_number)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e").encode()


def _number(value: object) -> float:
    # Shopify's own serializer goes through floats here; with at most 15 digits the text is the Decimal's.
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} does not belong in an order body")


def _identity(spec: OrderSpec) -> Body:
    number = spec.order_number or 1001 + spec.order_id // ID_STEP % 1_000_000
    order_token = token("order", spec.order_id)
    key = token("key", spec.order_id)
    return {
        "id": spec.order_id,
        "admin_graphql_api_id": f"gid://shopify/Order/{spec.order_id}",
        "confirmation_number": token("confirmation", spec.order_id)[:9].upper(),
        "merchant_business_entity_id": "MTkxNzQwMDAwMDAx",
        "merchant_of_record_app_id": None,
        "name": f"#{number}",
        "number": number - 1000,
        "order_number": number,
        "order_status_url": f"https://{spec.shop_domain}/{_SHOP_ID}/orders/{order_token}/authenticate?key={key}",
        "token": order_token,
    }


def _state(spec: OrderSpec) -> Body:
    created = spec.created_at or spec.processed_at
    return {
        "cancel_reason": None,
        "cancelled_at": None,
        "closed_at": None,
        "confirmed": True,
        "created_at": stamp(created),
        "currency": spec.currency,
        "duties_included": False,
        "estimated_taxes": False,
        "financial_status": spec.financial_status,
        "fulfillment_status": None,
        "payment_gateway_names": list(spec.gateways),
        "po_number": None,
        "presentment_currency": spec.shopper_currency,
        "processed_at": stamp(spec.processed_at),
        "tax_exempt": False,
        "taxes_included": spec.taxes_included,
        "test": spec.test,
        "updated_at": stamp(spec.updated_at or created + timedelta(seconds=1)),
    }


def _origin(spec: OrderSpec) -> Body:
    web = spec.source_name == "web"
    return {
        "app_id": _APP_IDS.get(
            spec.source_name, int(spec.source_name) if spec.source_name.isdigit() else None
        ),
        "browser_ip": spec.browser_ip,
        "cart_token": token("cart", spec.order_id) if web and not spec.buy_now else None,
        "checkout_token": token("checkout", spec.order_id) if web else None,
        "client_details": bodies.client_details(spec),
        "device_id": None,
        "landing_site": spec.landing_site,
        "landing_site_ref": None,
        "location_id": LOCATION_ID if spec.source_name == "pos" else None,
        "note": spec.note,
        "note_attributes": [{"name": name, "value": value} for name, value in spec.note_attributes],
        "reference": None,
        "referring_site": spec.referring_site,
        "source_identifier": None,
        "source_name": spec.source_name,
        "source_url": None,
        "tags": ", ".join(spec.tags),
        "user_id": STAFF_ID if spec.source_name in ("pos", DRAFT_SOURCE) else None,
    }


def _people(spec: OrderSpec) -> Body:
    place = bodies.address(spec.country_code, spec.customer) if spec.country_code else None
    customer = (
        bodies.customer_body(spec.customer, spec.currency, spec.country_code, spec.processed_at)
        if spec.customer
        else None
    )
    return {
        "billing_address": place,
        "buyer_accepts_marketing": False,
        "company": None,
        "contact_email": spec.email or None,
        "customer": customer,
        "customer_locale": "en-US",
        "email": spec.email or "",
        "phone": None,
        "shipping_address": place and dict(place),
    }


def _sums(spec: OrderSpec, money: Money, shop: Priced, shopper: Priced) -> Body:
    sums: dict[str, tuple[int, int]] = {
        "subtotal_price": (shop.subtotal, shopper.subtotal),
        "total_discounts": (shop.total_discounts, shopper.total_discounts),
        "total_price": (shop.total(spec.taxes_included), shopper.total(spec.taxes_included)),
        "total_tax": (shop.total_tax, shopper.total_tax),
    }
    body: Body = {}
    for name, units in sums.items():
        body.update(money.pair(name, *units))
        body.update(money.pair(f"current_{name}", *units))
    outstanding = 0 if spec.financial_status == "paid" else sums["total_price"][0]
    tips = sum(net for net, line in zip(shop.nets, spec.lines, strict=True) if line.tip)
    return {
        **body,
        **money.pair("total_line_items_price", sum(shop.gross), sum(shopper.gross)),
        **_extras(money, shop, shopper),
        "total_outstanding": money.text(outstanding),
        "total_tip_received": money.text(tips),
    }


def _extras(money: Money, shop: Priced, shopper: Priced) -> Body:
    def bag_or_none(shop_units: int, shopper_units: int) -> Any:
        return money.bag(shop_units, shopper_units) if shop_units or shopper_units else None

    return {
        "total_shipping_price_set": money.bag(shop.shipping_net, shopper.shipping_net),
        "current_shipping_price_set": money.bag(shop.shipping_net, shopper.shipping_net),
        "original_total_duties_set": bag_or_none(shop.duties, shopper.duties),
        "current_total_duties_set": bag_or_none(shop.duties, shopper.duties),
        "original_total_additional_fees_set": bag_or_none(shop.fees, shopper.fees),
        "current_total_additional_fees_set": bag_or_none(shop.fees, shopper.fees),
        "total_cash_rounding_payment_adjustment_set": money.bag(0, 0),
        "total_cash_rounding_refund_adjustment_set": money.bag(0, 0),
    }


def _taxes(spec: OrderSpec, money: Money, shop: Priced, shopper: Priced) -> Body:
    sums: dict[tuple[str, Decimal], tuple[int, int]] = {}
    taxed = list(zip((line.tax_rates for line in spec.lines), shop.taxes, shopper.taxes, strict=True))
    if spec.shipping_tax_rate is not None:
        taxed.append(((spec.shipping_tax_rate,), shop.shipping_taxes, shopper.shipping_taxes))
    for rates, shop_units, shopper_units in taxed:
        titles = bodies.tax_titles(rates, spec.taxes_included)
        for title, rate, one, other in zip(titles, rates, shop_units, shopper_units, strict=True):
            before = sums.get((title, rate), (0, 0))
            sums[title, rate] = (before[0] + one, before[1] + other)
    return {
        "tax_lines": [bodies.tax_line(money, title, rate, units) for (title, rate), units in sums.items()]
    }


def _lines(spec: OrderSpec, money: Money, shop: Priced, shopper: Priced) -> list[Body]:
    result = []
    for index, line in enumerate(spec.lines):
        price = (shop.prices[index], shopper.prices[index])
        duty = (shop.duties, shopper.duties) if index == 0 else (0, 0)
        rest = {
            **money.pair("price", *price),
            "tax_lines": bodies.tax_lines(
                money, line.tax_rates, spec.taxes_included, shop.taxes[index], shopper.taxes[index]
            ),
            "duties": bodies.duties(money, spec.order_id + 60_002, duty),
            "discount_allocations": bodies.allocation_bodies(
                money, shop.allocations[index], shopper.allocations[index]
            ),
        }
        result.append(bodies.line_body(spec.order_id + 64 * (index + 1), line, money, rest))
    return result
