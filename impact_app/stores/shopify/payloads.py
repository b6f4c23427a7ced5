"""Shopify's webhook bodies as far as they are read: field names and types, in Shopify's own spelling.

Unknown fields are passed over; money arrives as text or as a JSON number and is a Decimal either way.
Source: Shopify webhook reference 2026-07/2026-10 and real deliveries, see NOTES.md.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct


class MoneyBody(Struct):
    amount: Decimal
    currency_code: str


class MoneySet(Struct):
    shop_money: MoneyBody
    presentment_money: MoneyBody


class TaxLine(Struct):
    price: Decimal | None = None
    price_set: MoneySet | None = None


class Allocation(Struct):
    amount: Decimal
    discount_application_index: int
    amount_set: MoneySet | None = None


class Application(Struct):
    type: str
    target_type: str = "line_item"
    target_selection: str | None = None
    allocation_method: str | None = None
    value_type: str | None = None
    code: str | None = None
    title: str | None = None


class CodeBody(Struct):
    code: str | None = None


class LineItem(Struct):
    id: int | str
    price: Decimal
    quantity: int
    price_set: MoneySet | None = None
    current_quantity: int | None = None
    sku: str | None = None
    title: str | None = None
    vendor: str | None = None
    product_id: int | str | None = None
    variant_id: int | str | None = None
    gift_card: bool | None = None
    discount_allocations: list[Allocation] | None = None
    tax_lines: list[TaxLine] | None = None
    properties: Any = None


class ShippingLine(Struct):
    price: Decimal | None = None
    price_set: MoneySet | None = None
    is_removed: bool | None = None
    discount_allocations: list[Allocation] | None = None
    tax_lines: list[TaxLine] | None = None


class RefundLine(Struct):
    line_item_id: int | str | None = None
    quantity: int = 0
    subtotal: Decimal | None = None
    subtotal_set: MoneySet | None = None
    total_tax: Decimal | None = None
    total_tax_set: MoneySet | None = None


class RefundShipping(Struct):
    subtotal_amount_set: MoneySet | None = None


class Adjustment(Struct):
    kind: str | None = None
    amount: Decimal | None = None
    amount_set: MoneySet | None = None
    tax_amount: Decimal | None = None
    tax_amount_set: MoneySet | None = None


class RefundBody(Struct):
    refund_line_items: list[RefundLine] | None = None
    refund_shipping_lines: list[RefundShipping] | None = None
    order_adjustments: list[Adjustment] | None = None


class Address(Struct):
    country_code: str | None = None


class CustomerBody(Struct):
    id: int | str | None = None
    email: str | None = None


class ClientDetails(Struct):
    browser_ip: str | None = None
    user_agent: str | None = None


class OrderBody(Struct):
    id: int | str
    currency: str
    subtotal_price: Decimal
    line_items: list[LineItem]
    created_at: datetime | None = None
    processed_at: datetime | None = None
    updated_at: datetime | None = None
    cancelled_at: datetime | None = None
    cancel_reason: str | None = None
    financial_status: str | None = None
    name: str | None = None
    order_number: int | str | None = None
    test: bool | None = None
    source_name: str | None = None
    presentment_currency: str | None = None
    taxes_included: bool | None = None
    subtotal_price_set: MoneySet | None = None
    current_subtotal_price: Decimal | None = None
    current_subtotal_price_set: MoneySet | None = None
    total_tip_received: Decimal | None = None
    current_shipping_price_set: MoneySet | None = None
    current_total_duties_set: MoneySet | None = None
    current_total_additional_fees_set: MoneySet | None = None
    discount_applications: list[Application] | None = None
    discount_codes: list[CodeBody] | None = None
    shipping_lines: list[ShippingLine] | None = None
    note_attributes: Any = None
    refunds: list[RefundBody] | None = None
    landing_site: str | None = None
    checkout_token: str | None = None
    cart_token: str | None = None
    email: str | None = None
    contact_email: str | None = None
    customer: CustomerBody | None = None
    browser_ip: str | None = None
    client_details: ClientDetails | None = None
    shipping_address: Address | None = None
    billing_address: Address | None = None


class RefundCreated(Struct):
    order_id: int | str


class EditBody(Struct):
    order_id: int | str


class OrderEdited(Struct):
    order_edit: EditBody


class ScopesUpdated(Struct):
    current: list[str]


class PrivacyBody(Struct):
    orders_requested: list[int | str] | None = None
    orders_to_redact: list[int | str] | None = None
