"""Saleor's event bodies as far as they are read: what `documents.py` selects, in Saleor's spelling.

Saleor sends what the subscription asks for and nothing else. Only what no order can be read without is
required, so that a body shaped by an older subscription of this app is still read.
Source: Saleor's GraphQL schemas 3.20 to 3.23 and real deliveries, see NOTES.md.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec
from msgspec import Struct


class _Body(Struct, rename="camel"):
    """Names are written as Python does and arrive as GraphQL has them."""


class MoneyBody(_Body):
    """An amount: in the smallest unit from Saleor 3.22 on, else as a JSON number, read digit by digit."""

    amount: Decimal | None = None
    fractional_amount: int | None = None
    fraction_digits: int | None = None


class TaxedBody(_Body):
    gross: MoneyBody
    net: MoneyBody


class TaxSettings(_Body):
    prices_entered_with_tax: bool = False


class ChannelBody(_Body):
    currency_code: str
    slug: str | None = None
    tax_configuration: TaxSettings | None = None


class Pair(_Body):
    key: str
    value: str | None = None


class Country(_Body):
    code: str | None = None


class Address(_Body):
    country: Country | None = None


class UserBody(_Body):
    id: str | None = None


class VoucherBody(_Body):
    code: str | None = None
    type: str | None = None
    apply_once_per_order: bool = False


class DiscountBody(_Body):
    type: str
    id: str | None = None
    name: str | None = None
    reason: str | None = None
    total: MoneyBody | None = None
    amount: MoneyBody | None = None


class ParentCategory(_Body):
    name: str | None = None


class Category(_Body):
    name: str | None = None
    parent: ParentCategory | None = None


class ProductType(_Body):
    name: str | None = None
    kind: str | None = None


class ProductBody(_Body):
    id: str | None = None
    category: Category | None = None
    product_type: ProductType | None = None


class VariantBody(_Body):
    sku: str | None = None
    external_reference: str | None = None
    product: ProductBody | None = None


class LineBody(_Body):
    id: str
    quantity: int
    total_price: TaxedBody
    undiscounted_unit_price: TaxedBody
    product_name: str | None = None
    product_sku: str | None = None
    product_variant_id: str | None = None
    is_gift: bool | None = None
    voucher_code: str | None = None
    sale_id: str | None = None
    discounts: list[DiscountBody] | None = None
    metadata: list[Pair] | None = None
    variant: VariantBody | None = None


class LineReference(_Body):
    id: str | None = None


class ReturnedLine(_Body):
    quantity: int
    order_line: LineReference | None = None


class GrantedRefund(_Body):
    status: str | None = None
    amount: MoneyBody | None = None
    shipping_costs_included: bool | None = None
    lines: list[ReturnedLine] | None = None


class Fulfillment(_Body):
    status: str
    total_refunded_amount: MoneyBody | None = None
    shipping_refunded_amount: MoneyBody | None = None
    lines: list[ReturnedLine] | None = None


class OrderBody(_Body):
    id: str
    created: datetime
    channel: ChannelBody
    subtotal: TaxedBody
    total: TaxedBody
    lines: list[LineBody]
    number: str | None = None
    updated_at: datetime | None = None
    status: str | None = None
    origin: str | None = None
    charge_status: str | None = None
    authorize_status: str | None = None
    is_paid: bool | None = None
    user_email: str | None = None
    user: UserBody | None = None
    metadata: list[Pair] | None = None
    private_metadata: list[Pair] | None = None
    billing_address: Address | None = None
    shipping_address: Address | None = None
    shipping_price: TaxedBody | None = None
    total_charged: MoneyBody | None = None
    total_refunded: MoneyBody | None = None
    discounts: list[DiscountBody] | None = None
    voucher_code: str | None = None
    voucher: VoucherBody | None = None
    granted_refunds: list[GrantedRefund] | None = None
    fulfillments: list[Fulfillment] | None = None


class AppReference(_Body):
    id: str | None = None


class EventBody(_Body):
    """What stands around an order: flat, or under `data` and the event's name in the newer subscriptions."""

    typename: str | None = msgspec.field(name="__typename", default=None)
    issued_at: datetime | None = None
    order: OrderBody | None = None
    app: AppReference | None = None
    recipient: AppReference | None = None
    data: dict[str, EventBody] | None = None


class MissedBody(_Body):
    """What this app writes for itself about an event that never arrived: the order's id."""

    order: str
