"""The pieces of an order body: money bags, lines, tax lines, discounts, shipping, customer, addresses."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from .pricing import Priced, amount_text
from .specs import CustomerSpec, DiscountSpec, LineSpec, OrderSpec

Body = dict[str, Any]

STAFF_ID = 116_651_000_001
LOCATION_ID = 103_709_000_001

_APPLICATION_TYPES = {"code": "discount_code"}
_COUNTRIES = {
    "US": ("United States", "KY", "Kentucky", "Louisville", "40202"),
    "GB": ("United Kingdom", "ENG", "England", "London", "EC1A 1BB"),
    "DE": ("Germany", None, None, "Berlin", "10115"),
    "JP": ("Japan", "JP-13", "Tōkyō", "Chiyoda-ku", "100-0001"),
    "KW": ("Kuwait", "KW-KU", "Al Asimah", "Kuwait City", "13001"),
}


def token(kind: str, number: int) -> str:
    """A stable 32-digit hexadecimal token, as Shopify gives carts, checkouts and orders."""
    return hashlib.sha256(f"{kind}:{number}".encode()).hexdigest()[:32]


def stamp(moment: datetime) -> str:
    """ISO 8601 to the second, with its offset."""
    return moment.isoformat(timespec="seconds")


class Money:
    """Writes an order's amounts: text in shop money, bags in both currencies. Amounts in minor units."""

    __slots__ = ("shop", "shopper")

    def __init__(self, shop: str, shopper: str) -> None:
        self.shop = shop
        self.shopper = shopper

    def text(self, units: int) -> str:
        return amount_text(units, self.shop)

    def bag(self, shop_units: int, shopper_units: int) -> Body:
        return {
            "shop_money": {"amount": amount_text(shop_units, self.shop), "currency_code": self.shop},
            "presentment_money": {
                "amount": amount_text(shopper_units, self.shopper),
                "currency_code": self.shopper,
            },
        }

    def pair(self, name: str, shop_units: int, shopper_units: int) -> Body:
        """The amount under its name as text, and under `name_set` as a bag."""
        return {name: self.text(shop_units), f"{name}_set": self.bag(shop_units, shopper_units)}


def tax_titles(rates: Sequence[Decimal], taxes_included: bool) -> list[str]:
    """A name for each rate of a line, the same for the same place in the list."""
    return (["VAT", "Local VAT"] if taxes_included else ["State Tax", "County Tax"])[: len(rates)]


def tax_line(money: Money, title: str, rate: Decimal, units: tuple[int, int]) -> Body:
    return {
        "price": money.text(units[0]),
        "rate": rate,
        "title": title,
        "price_set": money.bag(*units),
        "channel_liable": False,
    }


def tax_lines(
    money: Money, rates: Sequence[Decimal], taxes_included: bool, shop: Sequence[int], shopper: Sequence[int]
) -> list[Body]:
    if not rates:
        return []
    titles = tax_titles(rates, taxes_included)
    return [
        tax_line(money, title, rate, units)
        for title, rate, units in zip(titles, rates, zip(shop, shopper, strict=True), strict=True)
    ]


def allocation_bodies(money: Money, shop: dict[int, int], shopper: dict[int, int]) -> list[Body]:
    # A cent in one currency may be nothing in the other; an allocation stands if either has it.
    applications = shop if shop.keys() == shopper.keys() else sorted(shop.keys() | shopper.keys())
    return [
        {
            **money.pair("amount", shop.get(application, 0), shopper.get(application, 0)),
            "discount_application_index": application,
        }
        for application in applications
    ]


def line_body(line_id: int, line: LineSpec, money: Money, rest: Body) -> Body:
    """A `line_items` entry; `rest` brings price, price_set, tax_lines, duties and discount_allocations."""
    name = f"{line.title} - {line.variant_title}" if line.variant_title else line.title
    product = None if line.tip else line.product_id
    return {
        "id": line_id,
        "admin_graphql_api_id": f"gid://shopify/LineItem/{line_id}",
        "attributed_staffs": [],
        "current_quantity": line.quantity,
        "fulfillable_quantity": line.quantity,
        "fulfillment_service": "gift_card" if line.gift_card else "manual",
        "fulfillment_status": None,
        "gift_card": line.gift_card,
        "grams": line.grams,
        "name": name,
        "product_exists": product is not None,
        "product_id": product,
        "properties": [{"name": name, "value": value} for name, value in line.properties],
        "quantity": line.quantity,
        "requires_shipping": line.requires_shipping and not (line.gift_card or line.tip),
        "sales_line_item_group_id": line.bundle_id,
        "sku": line.sku,
        "taxable": line.taxable and not (line.gift_card or line.tip),
        "title": line.title,
        # Shopify leaves this at zero whatever the discount; the allocations hold the truth.
        **money.pair("total_discount", 0, 0),
        "variant_id": None if product is None else line.variant_id,
        "variant_inventory_management": None if product is None else "shopify",
        "variant_title": line.variant_title,
        "vendor": line.vendor,
        **rest,
    }


def duties(money: Money, number: int, units: tuple[int, int]) -> list[Body]:
    """A line's `duties`, all of the order's on one line, or none."""
    if units == (0, 0):
        return []
    return [
        {
            "id": number,
            "harmonized_system_code": "950611",
            "country_code_of_origin": "CA",
            **money.bag(*units),
            "tax_lines": [],
            "admin_graphql_api_id": f"gid://shopify/Duty/{number}",
        }
    ]


def application_body(discount: DiscountSpec) -> Body:
    """A `discount_applications` entry, named by `code` for a code and by `title` for the rest."""
    body: Body = {
        "target_type": discount.target,
        "type": _APPLICATION_TYPES.get(discount.kind, discount.kind),
        "value": rate_text(discount.value),
        "value_type": discount.value_type,
        "allocation_method": discount.method,
        "target_selection": discount.selection,
    }
    if discount.kind == "code":
        return {**body, "code": discount.name}
    if discount.kind == "automatic":
        return {**body, "title": discount.name}
    return {**body, "title": discount.name, "description": discount.description}


def rate_text(value: Decimal) -> str:
    """A discount's value as Shopify prints it, with at least one decimal: "10.0", "12.5"."""
    text = f"{value.normalize():f}"
    return text if "." in text else text + ".0"


def discount_codes(
    discounts: Iterable[DiscountSpec], is_draft: bool, money: Money, shop: Priced
) -> list[Body]:
    """`discount_codes`: a draft order's manual discount stands here too, its title in place of a code."""
    return [
        {
            "code": discount.name,
            "amount": money.text(shop.taken(application)),
            "type": "shipping" if discount.target == "shipping_line" else discount.value_type,
        }
        for application, discount in enumerate(discounts)
        if discount.kind == "code" or (discount.kind == "manual" and is_draft)
    ]


def shipping_line(spec: OrderSpec, money: Money, shop: Priced, shopper: Priced) -> Body:
    rates = [] if spec.shipping_tax_rate is None else [spec.shipping_tax_rate]
    number = spec.order_id + 60_001
    return {
        "id": number,
        "carrier_identifier": None,
        "code": "Standard",
        "current_discounted_price_set": money.bag(shop.shipping_net, shopper.shipping_net),
        **money.pair("discounted_price", shop.shipping_net, shopper.shipping_net),
        "is_removed": False,
        "phone": None,
        **money.pair("price", shop.shipping, shopper.shipping),
        "requested_fulfillment_service_id": None,
        "source": "shopify",
        "title": "Standard",
        "tax_lines": tax_lines(
            money, rates, spec.taxes_included, shop.shipping_taxes, shopper.shipping_taxes
        ),
        "discount_allocations": allocation_bodies(
            money, shop.shipping_allocations, shopper.shipping_allocations
        ),
    }


def client_details(spec: OrderSpec) -> Body | None:
    if spec.browser_ip is None and spec.user_agent is None:
        return None
    return {
        "accept_language": "en-US",
        "browser_height": None,
        "browser_ip": spec.browser_ip,
        "browser_width": None,
        "session_hash": None,
        "user_agent": spec.user_agent,
    }


def address(country_code: str, customer: CustomerSpec | None) -> Body:
    country, province_code, province, city, postcode = _COUNTRIES.get(
        country_code, (country_code, None, None, "Springfield", "00000")
    )
    first = customer.first_name if customer else None
    last = customer.last_name if customer else None
    return {
        "first_name": first,
        "address1": "1 Example Street",
        "phone": customer.phone if customer else None,
        "city": city,
        "zip": postcode,
        "province": province,
        "country": country,
        "last_name": last,
        "address2": None,
        "company": None,
        "latitude": None,
        "longitude": None,
        "name": f"{first or ''} {last or ''}".strip(),
        "country_code": country_code,
        "province_code": province_code,
    }


def customer_body(customer: CustomerSpec, currency: str, country_code: str | None, placed: datetime) -> Body:
    created = stamp(customer.created_at or placed)
    body: Body = {
        "id": customer.id,
        "created_at": created,
        "updated_at": stamp(placed),
        "first_name": customer.first_name,
        "last_name": customer.last_name,
        "state": "disabled",
        "note": None,
        "verified_email": True,
        "multipass_identifier": None,
        "tax_exempt": False,
        "email": customer.email,
        "phone": customer.phone,
        "currency": currency,
        "tax_exemptions": [],
        "admin_graphql_api_id": f"gid://shopify/Customer/{customer.id}",
    }
    if country_code is not None:
        home = address(country_code, customer)
        del home["latitude"], home["longitude"]
        extra = {"country_name": home["country"], "default": True}
        body["default_address"] = {"id": customer.id + 1, "customer_id": customer.id, **home, **extra}
    return body
