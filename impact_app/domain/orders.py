"""The neutral order: what every platform's order is turned into, whole, as of one moment.

Amounts come in pairs, since a buyer may see another currency than the shop books; a rule picks one side
and the two are never mixed. Readable e-mail addresses, names and street addresses are not part of an order.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from impact_app.domain.money import Money

Side = Literal["shop", "shopper"]


@dataclass(frozen=True, slots=True)
class Amount:
    """One amount as the shop books it and as the buyer saw it."""

    shop: Money
    shopper: Money

    def on(self, side: Side) -> Money:
        return self.shop if side == "shop" else self.shopper


class Payment(StrEnum):
    """Whether the order has been paid in full. REFUNDED: all of it was given back, with or without items."""

    PAID = "paid"
    UNPAID = "unpaid"
    REFUNDED = "refunded"
    VOIDED = "voided"


class Channel(StrEnum):
    """Where the order was taken."""

    WEB = "web"
    POINT_OF_SALE = "pos"
    DRAFT = "draft"
    RENEWAL = "renewal"


class LineKind(StrEnum):
    GOODS = "goods"
    GIFT_CARD = "gift_card"
    TIP = "tip"


class DiscountKind(StrEnum):
    CODE = "code"
    AUTOMATIC = "automatic"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Discount:
    """One discount of the order. `code` is what the buyer typed; None for any other kind."""

    kind: DiscountKind
    title: str
    code: str | None
    on_shipping: bool
    order_wide: bool


@dataclass(frozen=True, slots=True)
class Reduction:
    """What one discount (by its place in `Order.discounts`) takes off a whole line."""

    discount: int | None
    amount: Amount


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the order.

    quantity / kept    units ordered; units left after edits and refunds
    unit_price         before discounts; contains tax where the order's prices do
    tax                on the whole line after discounts, as ordered
    returned           units that refunds account for with money
    refunded           what those refunds gave back, net of discounts; contains tax where prices do
    refunded_tax       the tax on that
    """

    id: str
    kind: LineKind
    sku: str
    variant_id: str
    product_id: str
    title: str
    vendor: str
    product_type: str
    category: str
    quantity: int
    kept: int
    unit_price: Amount
    reductions: tuple[Reduction, ...]
    tax: Amount
    returned: int
    refunded: Amount
    refunded_tax: Amount
    properties: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Extra:
    """Something charged that is no merchandise; `tax` is the part of `amount` that is tax, if contained."""

    kind: Literal["shipping", "duties", "fees"]
    amount: Amount
    tax: Amount


@dataclass(frozen=True, slots=True)
class Customer:
    """The buyer as far as reporting needs: an opaque id, digests of the e-mail, and whether new."""

    id: str
    email_sha1: str
    email_sha256: str
    is_new: bool | None


@dataclass(frozen=True, slots=True)
class Order:
    """A whole order as of `changed_at`.

    placed_at          when the buyer bought, with the shop's offset
    subtotal           the store's own sum of all lines after discounts, as ordered
    current_subtotal   the same after edits and refunds; None where the platform does not say
    attributes         cart or order attributes, in the order given
    landing_url        the first page of the visit, "" where unknown
    checkout_token     the checkout it was bought through, a secret of the buyer; "" where unknown
    cart_token         the cart it came from, likewise; a "Buy it now" has none
    visits             first pages of earlier visits as the platform has them, the newest first
    country            ISO 3166-1 alpha-2 of the delivery (else billing) address, "" where unknown
    cancel_code        "fraud" or another word of the platform; "" while not cancelled
    given_back         money refunded that no item or shipping accounts for; contains tax where prices do;
                       None where the platform does not say
    given_back_tax     the tax refunded on top of it, where prices contain none; None where not told apart
    """

    platform: str
    key: str
    number: str
    name: str
    placed_at: datetime
    changed_at: datetime
    cancelled_at: datetime | None
    cancel_code: str
    payment: Payment
    payment_word: str
    is_test: bool
    channel: Channel
    source: str
    country: str
    currency: str
    shopper_currency: str
    prices_include_tax: bool
    lines: tuple[Line, ...]
    discounts: tuple[Discount, ...]
    extras: tuple[Extra, ...]
    subtotal: Amount
    current_subtotal: Amount | None
    codes: tuple[str, ...]
    customer: Customer
    ip_address: str
    user_agent: str
    attributes: tuple[tuple[str, str], ...]
    landing_url: str
    given_back: Amount | None = None
    given_back_tax: Amount | None = None
    checkout_token: str = ""
    cart_token: str = ""
    visits: tuple[str, ...] = ()

    def currency_on(self, side: Side) -> str:
        return self.currency if side == "shop" else self.shopper_currency

    def is_older_than(self, known: Order) -> bool:
        """Whether this is an earlier state of the order than `known`.

        Platforms tell a change by the second. Of two states of one second the one before the payment, a
        refund or the cancellation is the older.
        """
        if self.changed_at != known.changed_at:
            return self.changed_at < known.changed_at
        if sum(line.quantity for line in self.lines) != sum(line.quantity for line in known.lines):
            return False
        return any(mine < theirs for mine, theirs in zip(self._progress(), known._progress(), strict=True))

    def _progress(self) -> tuple[int | Decimal, ...]:
        """What only ever grows while nothing is added to the order."""
        return (
            self.cancelled_at is not None,
            self.payment is not Payment.UNPAID,
            sum(line.returned for line in self.lines),
            self.given_back.shop.amount if self.given_back else Decimal(0),
        )
