"""What a test or the demo says about an order; `orders.order_body` works the rest out as Shopify would."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Literal

DiscountKind = Literal["code", "automatic", "manual", "script"]
ValueType = Literal["percentage", "fixed_amount"]
Target = Literal["line_item", "shipping_line"]
Selection = Literal["all", "entitled", "explicit"]
Method = Literal["across", "each", "one"]

SHOP_DOMAIN = "impact-demo.myshopify.com"
DRAFT_SOURCE = "shopify_draft_order"

# ISO 4217 minor units, list of 2026; every currency not named here has two.
_WITHOUT = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_WITH_THREE = "BHD IQD JOD KWD LYD OMR TND"
_DECIMALS = {**dict.fromkeys(_WITHOUT.split(), 0), **dict.fromkeys(_WITH_THREE.split(), 3)}

# Ids of one order lie this far apart, so that its lines, refunds and transactions fit in between.
ID_STEP = 65_536
_ids = itertools.count(7_000_000_000_000 + time.time_ns() // 1000 % 10**12, ID_STEP)


def exponent(currency: str) -> int:
    """How many decimals the currency has (ISO 4217): 0, 2 or 3."""
    return _DECIMALS.get(currency, 2)


def shop_time() -> datetime:
    """Now, to the second, in the pretend shop's zone (UTC-05:00)."""
    return datetime.now(timezone(timedelta(hours=-5))).replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class LineSpec:
    """One ordered line; `price` is the unit price in shop money, before discounts.

    Rates are fractions (0.19 is 19 %); gift cards and tips are never taxed. A tip has no product.
    """

    sku: str | None = "SNOW-1"
    title: str = "Snowboard"
    price: Decimal = Decimal(100)
    quantity: int = 1
    gift_card: bool = False
    tip: bool = False
    tax_rate: Decimal | None = None
    local_tax_rate: Decimal | None = None
    taxable: bool = True
    product_id: int | None = 9_797_441_000_001
    variant_id: int | None = 50_451_770_000_001
    variant_title: str | None = None
    vendor: str | None = "Impact Demo"
    properties: tuple[tuple[str, str | None], ...] = ()
    requires_shipping: bool = True
    grams: int = 0
    bundle_id: int | None = None

    @property
    def tax_rates(self) -> tuple[Decimal, ...]:
        if not self.taxable or self.gift_card or self.tip:
            return ()
        return tuple(rate for rate in (self.tax_rate, self.local_tax_rate) if rate is not None)


@dataclass(frozen=True, slots=True)
class DiscountSpec:
    """One discount application; `value` is a percentage (10 is 10 %) or shop money.

    `entitled` holds line indexes and is read unless the selection is "all", which means every line but
    gift cards and tips. Method "across" spreads the value over the lines, "each" gives it to every unit,
    "one" to the first entitled line alone. For a shipping line only the value matters.
    """

    kind: DiscountKind = "code"
    value: Decimal = Decimal(10)
    value_type: ValueType = "percentage"
    target: Target = "line_item"
    selection: Selection = "all"
    method: Method = "across"
    name: str = "SAVE10"
    description: str | None = None
    entitled: tuple[int, ...] = ()

    def targets(self, lines: tuple[LineSpec, ...]) -> list[int]:
        """Indexes of the lines this discount may touch."""
        if self.target == "shipping_line":
            return []
        if self.selection == "all":
            return [index for index, line in enumerate(lines) if not (line.gift_card or line.tip)]
        return [index for index in dict.fromkeys(self.entitled) if index < len(lines)]


@dataclass(frozen=True, slots=True)
class CustomerSpec:
    id: int = 8_210_000_000_001
    email: str | None = "ada.buyer@example.com"
    first_name: str | None = "Ada"
    last_name: str | None = "Buyer"
    phone: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OrderSpec:
    """An order before its money is worked out. All amounts are shop money, exact to the currency's decimals.

    `exchange_rate` is presentment money per unit of shop money. `shipping` None means no shipping line.
    `browser_ip` and `user_agent` both None means no client details, as with POS and drafts.
    """

    lines: tuple[LineSpec, ...] = (LineSpec(),)
    discounts: tuple[DiscountSpec, ...] = ()
    currency: str = "USD"
    presentment_currency: str | None = None
    exchange_rate: Decimal = Decimal(1)
    taxes_included: bool = False
    shipping: Decimal | None = Decimal(5)
    shipping_tax_rate: Decimal | None = None
    duties: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    note_attributes: tuple[tuple[str, str | None], ...] = ()
    note: str | None = None
    tags: tuple[str, ...] = ()
    customer: CustomerSpec | None = field(default_factory=CustomerSpec)
    email: str | None = "ada.buyer@example.com"
    country_code: str | None = "US"
    test: bool = False
    source_name: str = "web"
    buy_now: bool = False
    landing_site: str | None = None
    referring_site: str | None = None
    browser_ip: str | None = "203.0.113.7"
    user_agent: str | None = (
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/141.0.0.0 Safari/537.36"
    )
    gateways: tuple[str, ...] = ("shopify_payments",)
    financial_status: str = "paid"
    processed_at: datetime = field(default_factory=shop_time)
    created_at: datetime | None = None
    updated_at: datetime | None = None
    order_id: int = field(default_factory=lambda: next(_ids))
    order_number: int | None = None
    shop_domain: str = SHOP_DOMAIN

    @property
    def shopper_currency(self) -> str:
        return self.presentment_currency or self.currency

    @property
    def one_currency(self) -> bool:
        return self.shopper_currency == self.currency
