"""A step as one call to impact.com's Brand API: method, path, and form fields in the documented spelling.

Source: Brand API v14, Conversions and Actions (seen 2026-11). Submission numbers items from 1 (`ItemSku1`);
a modification leaves the first un-numbered (`Sku`, `Sku2`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from impact_app.domain.mapping import Conversion, Item
from impact_app.domain.plan import Modify, Reported, ReportedItem, Restore, Reverse, Step, Submit

Form = tuple[tuple[str, str], ...]

#: impact.com's general limit for decimals, which ItemTotalDiscount has (ItemSubTotal takes 14 digits).
_DISCOUNT_LIMIT = Decimal("999999.99")


@dataclass(frozen=True, slots=True)
class Call:
    """One request, without host and credentials. `path` begins with /Advertisers/."""

    method: str
    path: str
    form: Form


def call(step: Step, account_sid: str, action_id: str | None = None) -> Call:
    """The call that carries out a step for an account.

    A change names its action by `action_id` where that is known: impact.com finds an order id only within its
    de-duplication window, and of two actions with one order id the newer.
    """
    base = f"/Advertisers/{account_sid}"
    match step:
        case Submit(made):
            return Call("POST", f"{base}/Conversions", _kept(_conversion(made)))
        case Modify(items, result):
            return Call("PUT", f"{base}/Actions", _kept(_modification(items, result, action_id)))
        case Restore(result):
            back = (*_target(result, action_id), ("Reason", "RESET"))
            return Call("PUT", f"{base}/Actions", _kept(back))
        case Reverse(code, result):
            return Call(
                "DELETE", f"{base}/Actions", _kept((*_target(result, action_id), ("DispositionCode", code)))
            )


def _kept(fields: Iterator[tuple[str, str]] | tuple[tuple[str, str], ...]) -> Form:
    """Only fields that say something; impact.com reads an empty one as a value."""
    return tuple((name, value) for name, value in fields if value)


def _conversion(made: Conversion) -> Iterator[tuple[str, str]]:
    yield "CampaignId", made.campaign_id
    yield "EventTypeId", made.event_type_id
    yield "EventDate", made.event_date.isoformat(timespec="seconds")
    yield "OrderId", made.order_id
    yield "ClickId", made.click_id or ""
    yield "CustomerId", made.customer_id
    yield "CustomerEmail", made.customer_email
    yield "CustomerStatus", made.customer_status
    yield "IpAddress", made.ip_address
    yield "UserAgent", made.user_agent
    yield "CurrencyCode", made.currency
    yield "OrderPromoCode", made.promo_code or ""
    if made.all_codes:
        yield f"Text{made.all_codes[0]}", made.all_codes[1]
    if made.order_discount:
        yield "OrderDiscount", made.order_discount.text
    for at, item in enumerate(made.items, start=1):
        yield from _item(item, at)


def _item(item: Item, at: int) -> Iterator[tuple[str, str]]:
    yield f"ItemSku{at}", item.sku
    yield f"ItemName{at}", item.name
    yield f"ItemCategory{at}", item.category
    yield f"ItemBrand{at}", item.brand
    yield f"ItemQuantity{at}", str(item.quantity)
    if item.discount.amount > _DISCOUNT_LIMIT:
        # The field has no room for it; the price after the discount says the same amount.
        yield f"ItemSubTotal{at}", item.net.text
        return
    yield f"ItemSubTotal{at}", item.subtotal.text
    if item.discount:
        yield f"ItemTotalDiscount{at}", item.discount.text


def _target(result: Reported, action_id: str | None) -> Form:
    if action_id:
        return (("ActionId", action_id),)
    return (("ActionTrackerId", result.event_type_id), ("OrderId", result.order_id))


def _modification(
    items: tuple[ReportedItem, ...], result: Reported, action_id: str | None
) -> Iterator[tuple[str, str]]:
    yield from _target(result, action_id)
    # v14 asks for Reason, its older edition for DispositionCode; sending both satisfies either.
    yield "Reason", "ORDER_UPDATE"
    yield "DispositionCode", "ORDER_UPDATE"
    for at, item in enumerate(items, start=1):
        number = "" if at == 1 else str(at)
        yield f"Sku{number}", item.sku
        yield f"Quantity{number}", str(item.quantity)
        yield f"Amount{number}", item.amount.text
