"""Judging the form of `POST Conversions`: every fault is named at once, or a `Conversion` comes out."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from . import money, values
from .parameters import ALIASES, ATTRIBUTION_KEYS, EVENT_IDENTIFIERS, ORDER, Kind, Parameter, locate

_PERCENT_ENCODED = re.compile("%[0-9A-Fa-f]{2}")
Pairs = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing wrong with one field, in the words of the 400 answer."""

    field: str
    message: str


class Refused(Exception):
    """The call is answered 400 with these complaints and nothing is queued."""

    def __init__(self, complaints: list[Complaint]) -> None:
        super().__init__("; ".join(f"{complaint.field}: {complaint.message}" for complaint in complaints))
        self.complaints = complaints


@dataclass(frozen=True, slots=True)
class Line:
    """One item as sent: `gross` is the line before discounts, `discount` the line's own reduction."""

    sku: str
    name: str
    category: str
    quantity: int
    gross: Decimal
    discount: Decimal


@dataclass(frozen=True)
class Conversion:
    """A valid conversion; money in `currency`, `fields` by main name, `remarks` for the books' reader."""

    campaign_id: int
    event_type_id: int | None
    event_type_code: str
    event_date: datetime
    order_id: str
    currency: str
    lines: tuple[Line, ...]
    order_amount: Decimal | None
    order_discount: Decimal
    order_discount_rate: Decimal
    fields: Mapping[str, str]
    remarks: tuple[str, ...] = ()

    @property
    def forced_partner(self) -> int | None:
        return int(self.fields["MediaId"]) if "MediaId" in self.fields else None


@dataclass
class _Sheet:
    """The sent form sorted by place, with the complaints gathered so far."""

    order: dict[str, str] = field(default_factory=dict)
    sent_as: dict[str, str] = field(default_factory=dict)
    items: dict[int, dict[str, str]] = field(default_factory=dict)
    complaints: list[Complaint] = field(default_factory=list)

    def complain(self, name: str, message: str) -> None:
        self.complaints.append(Complaint(name, message))


def read_conversion(pairs: Pairs, now: datetime) -> Conversion:
    """Read the form of a conversion at the time `now`; raise `Refused` with every fault found."""
    sheet = _sort(pairs)
    _require_order_fields(sheet)
    _check_combinations(sheet)
    _check_privacy(sheet)
    _check_items(sheet)
    if sheet.complaints:
        raise Refused(sheet.complaints)
    conversion = _assemble(sheet, now)
    _refuse_excessive_discount(conversion)
    return conversion


def _sort(pairs: Pairs) -> _Sheet:
    sheet = _Sheet()
    given = list(pairs)
    currency = next((value for name, value in given if name in ("CurrencyCode", "Currency")), "")
    for name, count in Counter(name for name, _ in given).items():
        if count > 1:
            sheet.complain(name, f"It was sent {count} times. Send it once.")
    for name, value in given:
        _place(sheet, name, value, currency)
    return sheet


def _place(sheet: _Sheet, name: str, value: str, currency: str) -> None:
    place = locate(name)
    if isinstance(place, str):
        sheet.complain(name, place)
        return
    if place.item:
        sheet.items.setdefault(place.item, {})[place.bare] = value
    else:
        _place_in_order(sheet, name, value)
    _check_value(sheet, place.parameter, name, value, currency)


def _place_in_order(sheet: _Sheet, name: str, value: str) -> None:
    main = ALIASES.get(name, name)
    other = sheet.sent_as.get(main)
    if other is not None and other != name:
        sheet.complain(name, f"{other} and {name} are two names of one field. Send one of them.")
    sheet.order[main] = value
    sheet.sent_as[main] = name


def _check_value(sheet: _Sheet, parameter: Parameter, name: str, value: str, currency: str) -> None:
    try:
        values.check(parameter, value, currency)
    except values.Unreadable as error:
        sheet.complain(name, str(error))
    if value == "NOW" and name != "EventDate" and parameter.kind is Kind.DATE:
        sheet.complain(name, "NOW is taken for EventDate only. Send a date.")


def _require_order_fields(sheet: _Sheet) -> None:
    for name in ("CampaignId", "EventDate", "OrderId"):
        if name not in sheet.order:
            sheet.complain(name, "It is missing; every conversion needs it.")
    identifiers = [name for name in EVENT_IDENTIFIERS if name in sheet.order]
    if len(identifiers) != 1:
        found = " and ".join(identifiers) or "none of them"
        sheet.complain("EventTypeId", f"Send exactly one of {', '.join(EVENT_IDENTIFIERS)}; found {found}.")
    if not any(key in sheet.order for key in ATTRIBUTION_KEYS):
        sheet.complain(
            "ClickId", f"Nothing says who sent the customer: send one of {', '.join(ATTRIBUTION_KEYS)}."
        )
    if "CurrencyCode" not in sheet.order and _has_money(sheet):
        sheet.complain("CurrencyCode", "It is missing; it is needed whenever amounts are sent.")


def _has_money(sheet: _Sheet) -> bool:
    in_order = any(name in ORDER and ORDER[name].kind is Kind.MONEY for name in sheet.order)
    priced = ("ItemPrice", "ItemSubTotal", "ItemDiscount", "ItemTotalDiscount", "ItemMargin")
    return in_order or any(
        name in priced or name.startswith("ItemMoney") for item in sheet.items.values() for name in item
    )


def _check_combinations(sheet: _Sheet) -> None:
    forced = "MediaId" in sheet.order
    for name in ("SubId1", "SubId2", "SubId3", "SharedId"):
        if name in sheet.order and not forced:
            sheet.complain(name, "It is taken only together with MediaId, which forces a partner.")
    for name in ("Amount", "OrderSubTotalPostDiscount"):
        if name in sheet.order and sheet.items:
            sheet.complain(name, "An amount of the whole order is not sent together with items.")
    if "Amount" in sheet.order and "OrderSubTotalPostDiscount" in sheet.order:
        sheet.complain(
            "Amount", "Amount and OrderSubTotalPostDiscount both give the order's amount. Send one."
        )
    if "OrderDiscount" in sheet.order and "OrderDiscountRate" in sheet.order:
        sheet.complain(
            "OrderDiscountRate", "OrderDiscount is sent too, which would subtract twice. Send one."
        )


def _check_privacy(sheet: _Sheet) -> None:
    for name in ("CustomerId", "CustomProfileId"):
        if "@" in sheet.order.get(name, ""):
            sheet.complain(name, "It looks like an e-mail address. Send an id without personal data.")


def _check_items(sheet: _Sheet) -> None:
    for number in range(1, max(sheet.items, default=0) + 1):
        if number in sheet.items:
            _check_item(sheet, number, sheet.items[number])
        else:
            sheet.complain(f"ItemSku{number}", "Item numbers have a gap here: count 1, 2, 3 without gaps.")
            break  # one gap is enough to know; a number of 999999 would fill the answer
    seen: dict[str, int] = {}
    for number, item in sorted(sheet.items.items()):
        first = seen.setdefault(item.get("ItemSku", f"\0{number}"), number)
        if first != number:
            sheet.complain(
                f"ItemSku{number}",
                f"Items {first} and {number} have the same SKU, so no later change could tell them apart. "
                "Merge them, or make the SKU unique.",
            )


def _check_item(sheet: _Sheet, number: int, item: Mapping[str, str]) -> None:
    for name in ("ItemSku", "ItemCategory", "ItemQuantity"):
        if name not in item:
            sheet.complain(f"{name}{number}", f"It is missing from item {number}.")
    if item.get("ItemQuantity", "1").strip("0") == "" and item["ItemQuantity"]:
        sheet.complain(f"ItemQuantity{number}", "An item has at least one unit.")
    if "ItemPrice" in item and "ItemSubTotal" in item:
        sheet.complain(f"ItemPrice{number}", "ItemPrice and ItemSubTotal are both sent. Send one of them.")
    if "ItemPrice" not in item and "ItemSubTotal" not in item:
        sheet.complain(
            f"ItemSubTotal{number}", f"Item {number} has no money: send ItemPrice or ItemSubTotal."
        )
    discounts = [name for name in ("ItemDiscount", "ItemTotalDiscount", "ItemDiscountRate") if name in item]
    if len(discounts) > 1:
        sheet.complain(
            f"{discounts[1]}{number}",
            f"{' and '.join(discounts)} would be subtracted one after the other. Send one.",
        )


def _assemble(sheet: _Sheet, now: datetime) -> Conversion:
    order = sheet.order
    currency = order.get("CurrencyCode", "")
    sent_amount = order.get("Amount", order.get("OrderSubTotalPostDiscount"))
    event_type = order.get("EventTypeId", order.get("ActionTrackerId"))
    # OrderSubTotalPostDiscount is net already; a discount beside it is for reports only.
    reduces = "OrderSubTotalPostDiscount" not in order
    event_date = now if order["EventDate"] == "NOW" else values.read_date(order["EventDate"])
    return Conversion(
        campaign_id=int(order["CampaignId"]),
        event_type_id=None if event_type is None else int(event_type),
        event_type_code=order.get("EventTypeCode", ""),
        event_date=event_date,
        order_id=order["OrderId"],
        currency=currency,
        lines=tuple(_line(item, currency) for _, item in sorted(sheet.items.items())),
        order_amount=None if sent_amount is None else Decimal(sent_amount),
        order_discount=Decimal(order.get("OrderDiscount", "0") if reduces else "0"),
        order_discount_rate=Decimal(order.get("OrderDiscountRate", "0") if reduces else "0"),
        fields=order,
        remarks=tuple(_remarks(order, event_date, now)),
    )


def _line(item: Mapping[str, str], currency: str) -> Line:
    quantity = int(item["ItemQuantity"])
    gross = Decimal(item["ItemSubTotal"]) if "ItemSubTotal" in item else Decimal(item["ItemPrice"]) * quantity
    return Line(
        sku=item["ItemSku"],
        name=item.get("ItemName", ""),
        category=item["ItemCategory"],
        quantity=quantity,
        gross=gross,
        discount=_line_discount(item, gross, quantity, currency),
    )


def _line_discount(item: Mapping[str, str], gross: Decimal, quantity: int, currency: str) -> Decimal:
    readings: dict[str, Callable[[Decimal], Decimal]] = {
        "ItemTotalDiscount": lambda sent: sent,
        "ItemDiscount": lambda sent: sent * quantity,
        "ItemDiscountRate": lambda sent: money.rounded(gross * sent / 100, currency),
    }
    return next((read(Decimal(item[name])) for name, read in readings.items() if name in item), Decimal(0))


def _remarks(order: Mapping[str, str], event_date: datetime, now: datetime) -> Iterable[str]:
    sent_date = order["EventDate"]
    if sent_date == "NOW":
        yield "EventDate was NOW: after a delay the action would bear the wrong date."
    if values.is_legacy_date(sent_date):
        yield "EventDate used the legacy form; send ISO 8601 with an offset."
    if event_date > now + timedelta(hours=24):
        yield "EventDate lies more than a day in the future."
    if _PERCENT_ENCODED.search(order.get("ClickId", "")):
        yield "ClickId contains a percent code: it may have been encoded twice."
    if "," in order.get("OrderPromoCode", ""):
        yield "OrderPromoCode contains a comma: only one code can be reported."


def _refuse_excessive_discount(conversion: Conversion) -> None:
    complaints = [
        Complaint(f"ItemSku{number}", f"Its discount {line.discount} is more than its amount {line.gross}.")
        for number, line in enumerate(conversion.lines, start=1)
        if line.discount > line.gross
    ]
    total = sum((line.gross - line.discount for line in conversion.lines), Decimal(0))
    if conversion.order_amount is not None:
        total = conversion.order_amount
    if conversion.order_discount > total and not complaints:
        complaints.append(Complaint("OrderDiscount", f"It is more than the {total} it is subtracted from."))
    if complaints:
        raise Refused(complaints)
