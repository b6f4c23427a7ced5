"""Actions: what a credited conversion becomes, its arithmetic, its state and its change log."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from . import money
from .attribution import Credit
from .setup import EventType, Partner, Setup
from .validation import Conversion, Line

PENDING, APPROVED, REVERSED = "PENDING", "APPROVED", "REVERSED"


@dataclass
class Item:
    """One line of an action: `gross - discount - order_discount` made the amount it was booked with.

    `amount` and `payout` are what counts now; the `tracked_` fields are what RESET goes back to.
    """

    sku: str
    name: str
    category: str
    quantity: int
    gross: Decimal
    discount: Decimal
    order_discount: Decimal
    amount: Decimal
    payout: Decimal
    tracked_quantity: int
    tracked_amount: Decimal
    tracked_category: str
    tracked_payout: Decimal
    rebate: Decimal = Decimal(0)
    adjusted_at: datetime | None = None
    adjustment_reason: str = ""


@dataclass(frozen=True)
class Update:
    """One line of the change log: what one item gained or lost, and why."""

    id: str
    at: datetime
    state: str
    disposition: str
    item: str
    category: str
    quantity: int
    delta_amount: Decimal
    delta_payout: Decimal


@dataclass
class Action:
    """A conversion credited to a partner; amounts in `currency`."""

    id: str
    account_sid: str
    event_type: EventType
    partner: Partner
    referral: str
    referred_at: datetime
    conversion: Conversion
    batch_id: str
    created_at: datetime
    updated_at: datetime
    locking_date: datetime
    items: list[Item]
    reversed: bool = False
    locked_by_hand: bool = False
    customer_status: str = ""
    note: str = ""
    modifications: int = 0
    updates: list[Update] = field(default_factory=list)
    last_delta_amount: Decimal | None = None
    last_delta_payout: Decimal | None = None

    @property
    def order_id(self) -> str:
        return self.conversion.order_id

    @property
    def currency(self) -> str:
        return self.conversion.currency

    @property
    def amount(self) -> Decimal:
        return sum((item.amount for item in self.items), Decimal(0))

    @property
    def payout(self) -> Decimal:
        return sum((item.payout for item in self.items), Decimal(0))

    @property
    def tracked_amount(self) -> Decimal:
        return sum((item.tracked_amount for item in self.items), Decimal(0))

    @property
    def tracked_payout(self) -> Decimal:
        return sum((item.tracked_payout for item in self.items), Decimal(0))

    def locked(self, now: datetime) -> bool:
        return self.locked_by_hand or now >= self.locking_date

    def state(self, now: datetime) -> str:
        if self.reversed:
            return REVERSED
        return APPROVED if self.locked(now) else PENDING

    def item(self, sku: str) -> Item | None:
        return next((item for item in self.items if item.sku == sku), None)


def book_action(
    action_id: str,
    account_sid: str,
    batch_id: str,
    conversion: Conversion,
    event_type: EventType,
    credit: Credit,
    setup: Setup,
    now: datetime,
) -> Action:
    """Turn a credited conversion into an action with items, payout and locking date."""
    return Action(
        id=action_id,
        account_sid=account_sid,
        event_type=event_type,
        partner=credit.partner,
        referral=credit.referral,
        referred_at=credit.date,
        conversion=conversion,
        batch_id=batch_id,
        created_at=now,
        updated_at=now,
        locking_date=locking_date(conversion.event_date, setup.lock_days),
        items=_items(conversion, credit.partner),
        customer_status=conversion.fields.get("CustomerStatus", ""),
        note=conversion.fields.get("Note", ""),
    )


def locking_date(event_date: datetime, days: int) -> datetime:
    """Count days from the end of the event's month, in the event's own offset."""
    first = event_date.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    next_month = (first + timedelta(days=32)).replace(day=1)
    return next_month + timedelta(days=days)


def commission(amount: Decimal, partner: Partner, currency: str) -> Decimal:
    return money.rounded(amount * partner.rate, currency)


def _items(conversion: Conversion, partner: Partner) -> list[Item]:
    lines = conversion.lines or (_whole_order(conversion),)
    currency = conversion.currency
    nets = [line.gross - line.discount for line in lines]
    reduction = conversion.order_discount
    if conversion.order_discount_rate:
        reduction = money.rounded(sum(nets, Decimal(0)) * conversion.order_discount_rate / 100, currency)
    shares = money.spread(reduction, nets, currency)
    return [_item(line, share, partner, currency) for line, share in zip(lines, shares, strict=True)]


def _whole_order(conversion: Conversion) -> Line:
    # Every action has at least one item, also one that was reported without any.
    return Line("", "", "", 1, conversion.order_amount or Decimal(0), Decimal(0))


def _item(line: Line, order_discount: Decimal, partner: Partner, currency: str) -> Item:
    amount = line.gross - line.discount - order_discount
    payout = commission(amount, partner, currency)
    return Item(
        sku=line.sku,
        name=line.name,
        category=line.category,
        quantity=line.quantity,
        gross=line.gross,
        discount=line.discount,
        order_discount=order_discount,
        amount=amount,
        payout=payout,
        tracked_quantity=line.quantity,
        tracked_amount=amount,
        tracked_category=line.category,
        tracked_payout=payout,
    )
