"""Changing and reversing actions: `PUT Actions` and `DELETE Actions`, read and carried out.

Source: impact.com Brand API v14, ActionModificationRequest and ActionReversalRequest, seen November 2026.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from . import money, values
from .actions import PENDING, REVERSED, Action, Item, Update, commission
from .parameters import Kind, Parameter
from .setup import Partner, Setup
from .validation import Complaint, Pairs, Refused

_SHARED_CODES = (
    "ITEM_RETURNED",
    "ITEM_OUT_OF_STOCK",
    "CONS_FRAUD",
    "CONS_ERROR",
    "ORDER_ERROR",
    "PUB_ACT_DISPUTE",
    "ADV_ACT_DISPUTE",
    "NOT_COMPLIANCE_TERMS",
    "CREDITED_DIFFERENT_MP",
    "TEST_ACTION",
    "OTHER",
)
REASONS = ("ORDER_UPDATE", *_SHARED_CODES, "PARTNER_NOT_ACTIVE", "RESET")
DISPOSITIONS = (*_SHARED_CODES, "CONS_INFO_INVALID", "REJECTED", "MP_RETURNED")

_IDENTITY = {
    "ActionId": Parameter("ActionId"),
    "ActionTrackerId": Parameter("ActionTrackerId", Kind.INTEGER, 10),
    "OrderId": Parameter("OrderId", Kind.TEXT, 64),
}
_OF_ORDER = {
    **_IDENTITY,
    "Reason": Parameter("Reason", Kind.TEXT, 64),
    "DispositionCode": Parameter("DispositionCode", Kind.TEXT, 64),
    "CustomerStatus": Parameter("CustomerStatus", Kind.TEXT, 40),
}
_OF_ITEM = {
    "Sku": Parameter("Sku"),
    "Quantity": Parameter("Quantity", Kind.INTEGER),
    "Amount": Parameter("Amount", Kind.NUMBER, 14),
    "ItemSubTotalDelta": Parameter("ItemSubTotalDelta", Kind.NUMBER, 14),
    "Category": Parameter("Category"),
    "ItemName": Parameter("ItemName"),
    "Rebate": Parameter("Rebate", Kind.NUMBER, 14),
}
_OF_REVERSAL = {**_IDENTITY, "DispositionCode": Parameter("DispositionCode", Kind.TEXT, 64)}
_ITEM_FIELD = re.compile(r"([A-Za-z]+)([0-9]{0,6})")


class Undone(Exception):
    """A queued change cannot be carried out; `reason` is its code in the submission's result."""

    def __init__(self, reason: str, because: str) -> None:
        super().__init__(because)
        self.reason, self.because = reason, because


@dataclass(frozen=True)
class ItemChange:
    """New absolute values of one line; none means unchanged. `delta` is added to the line's amount."""

    sku: str
    quantity: int | None = None
    amount: Decimal | None = None
    delta: Decimal | None = None
    category: str | None = None
    name: str | None = None
    rebate: Decimal | None = None


@dataclass(frozen=True)
class Change:
    """A valid modification, or reversal if `reverses`; finds its action by id, or event type and order."""

    action_id: str
    event_type_id: int | None
    order_id: str
    reason: str
    reverses: bool = False
    amount: Decimal | None = None
    customer_status: str | None = None
    items: tuple[ItemChange, ...] = ()


@dataclass
class _Sheet:
    order: dict[str, str] = field(default_factory=dict)
    items: dict[int, dict[str, str]] = field(default_factory=dict)
    complaints: list[Complaint] = field(default_factory=list)

    def complain(self, name: str, message: str) -> None:
        self.complaints.append(Complaint(name, message))


def read_modification(pairs: Pairs, setup: Setup) -> Change:
    """Read the form of `PUT Actions`; raise `Refused` with every fault found."""
    sheet = _sort(pairs, _OF_ORDER, _OF_ITEM)
    _require_identity(sheet)
    whole_amount = _take_whole_amount(sheet)
    _check_reason(sheet, setup)
    _check_items(sheet)
    changes_anything = bool(sheet.items) or whole_amount is not None or "CustomerStatus" in sheet.order
    resets = sheet.order.get("Reason") == "RESET"
    if resets and changes_anything:
        sheet.complain("Reason", "RESET goes back to the values first tracked; send no new values with it.")
    if not resets and not changes_anything:
        sheet.complain(
            "Amount", "Nothing is to be changed: send Amount, CustomerStatus, or Sku with its new values."
        )
    if sheet.complaints:
        raise Refused(sheet.complaints)
    return _change(
        sheet.order,
        sheet.order["Reason"],
        amount=None if whole_amount is None else Decimal(whole_amount),
        items=tuple(_item_change(item) for _, item in sorted(sheet.items.items())),
    )


def read_reversal(pairs: Pairs, setup: Setup) -> Change:
    """Read the form of `DELETE Actions`; raise `Refused` with every fault found."""
    sheet = _sort(pairs, _OF_REVERSAL, {})
    _require_identity(sheet)
    known = (*DISPOSITIONS, *_custom_codes(setup))
    code = sheet.order.get("DispositionCode", "")
    if not code:
        sheet.complain("DispositionCode", "It is missing; every reversal needs it.")
    elif code not in known:
        sheet.complain("DispositionCode", f"{code} is not a code for reversals. Known: {', '.join(known)}.")
    if sheet.complaints:
        raise Refused(sheet.complaints)
    return _change(sheet.order, code, reverses=True)


def _change(
    order: Mapping[str, str],
    reason: str,
    reverses: bool = False,
    amount: Decimal | None = None,
    items: tuple[ItemChange, ...] = (),
) -> Change:
    return Change(
        action_id=order.get("ActionId", ""),
        event_type_id=int(order["ActionTrackerId"]) if "ActionTrackerId" in order else None,
        order_id=order.get("OrderId", ""),
        reason=reason,
        reverses=reverses,
        amount=amount,
        customer_status=order.get("CustomerStatus"),
        items=items,
    )


def _sort(pairs: Pairs, of_order: Mapping[str, Parameter], of_item: Mapping[str, Parameter]) -> _Sheet:
    sheet = _Sheet()
    given = list(pairs)
    for name, count in Counter(name for name, _ in given).items():
        if count > 1:
            sheet.complain(name, f"It was sent {count} times. Send it once.")
    for name, value in given:
        numbered = _ITEM_FIELD.fullmatch(name)
        bare, number = numbered.groups() if numbered else (name, "")
        if name in of_order:
            sheet.order[name] = value
            _check_value(sheet, of_order[name], name, value)
        elif bare in of_item and number not in ("0", "1") and not number.startswith("0"):
            sheet.items.setdefault(int(number or 1), {})[bare] = value
            _check_value(sheet, of_item[bare], name, value)
        else:
            sheet.complain(name, _why_unknown(name, bare, bool(of_item)))
    return sheet


def _why_unknown(name: str, bare: str, takes_items: bool) -> str:
    if bare in _OF_ITEM and takes_items:
        return f"The first item's field is {bare} without a number, the second's {bare}2, and so on."
    if name in ("EventTypeId", "EventTypeCode"):
        return "Changes of an action call it ActionTrackerId."
    if bare.startswith("Item") and takes_items:
        return "Changes of an item are called Sku, Quantity and Amount, without Item in front."
    return "This call has no parameter of this name. Leave it out."


def _check_value(sheet: _Sheet, parameter: Parameter, name: str, value: str) -> None:
    try:
        values.check(parameter, value, "")
    except values.Unreadable as error:
        sheet.complain(name, str(error))
    if value.startswith("-") and parameter.name in ("Amount", "Rebate"):
        sheet.complain(name, f"{value!r} is negative. Send the new absolute amount.")


def _require_identity(sheet: _Sheet) -> None:
    if "ActionId" not in sheet.order and not {"ActionTrackerId", "OrderId"} <= sheet.order.keys():
        sheet.complain("ActionId", "Name the action: send ActionId, or ActionTrackerId and OrderId together.")


def _take_whole_amount(sheet: _Sheet) -> str | None:
    """Amount means the order without any Sku and the line with one; only the former is taken out here."""
    if set(sheet.items) == {1} and set(sheet.items[1]) == {"Amount"}:
        return sheet.items.pop(1)["Amount"]
    return None


def _check_reason(sheet: _Sheet, setup: Setup) -> None:
    known = (*REASONS, *_custom_codes(setup))
    reason = sheet.order.get("Reason", "")
    if not reason:
        sheet.complain("Reason", "It is missing; every modification needs it.")
    elif reason not in known:
        sheet.complain("Reason", f"{reason} is not a reason. Known: {', '.join(known)}.")
    elif sheet.items and reason != "ORDER_UPDATE":
        sheet.complain("Reason", "Changes of items always bear the reason ORDER_UPDATE.")
    code = sheet.order.get("DispositionCode", "ORDER_UPDATE")
    if code != "ORDER_UPDATE" and code not in _custom_codes(setup):
        sheet.complain("DispositionCode", f"{code} is not set up. Send ORDER_UPDATE.")


def _custom_codes(setup: Setup) -> tuple[str, ...]:
    return tuple(code for event_type in setup.event_types for code in event_type.disposition_codes)


def _check_items(sheet: _Sheet) -> None:
    for number in range(1, max(sheet.items, default=0) + 1):
        suffix = "" if number == 1 else str(number)
        item = sheet.items.get(number)
        if item is None:
            sheet.complain(f"Sku{suffix}", "Item numbers have a gap here: Sku, Sku2, Sku3 without gaps.")
            return
        _check_item(sheet, suffix, item)
    skus = Counter(item["Sku"] for item in sheet.items.values() if "Sku" in item)
    for sku, count in skus.items():
        if count > 1:
            sheet.complain("Sku", f"{sku} is changed {count} times in one call. Send one change for it.")


def _check_item(sheet: _Sheet, suffix: str, item: Mapping[str, str]) -> None:
    if "Sku" not in item:
        sheet.complain(f"Sku{suffix}", f"{', '.join(item)} need the SKU of the line that they change.")
    elif len(item) == 1:
        sheet.complain(f"Sku{suffix}", "Nothing of this line is to be changed: send Quantity or Amount.")
    if "Amount" in item and "ItemSubTotalDelta" in item:
        sheet.complain(f"Amount{suffix}", "Amount and ItemSubTotalDelta are both sent. Send one of them.")
    gone = "Quantity" in item and not item["Quantity"].strip("0")
    if gone and item.get("Amount", "0").strip("0.") != "":
        sheet.complain(f"Amount{suffix}", "No units are left, so nothing can be owed for them. Send 0.")


def _item_change(item: Mapping[str, str]) -> ItemChange:
    def amount(name: str) -> Decimal | None:
        return Decimal(item[name]) if name in item else None

    return ItemChange(
        sku=item["Sku"],
        quantity=int(item["Quantity"]) if "Quantity" in item else None,
        amount=amount("Amount"),
        delta=amount("ItemSubTotalDelta"),
        category=item.get("Category"),
        name=item.get("ItemName"),
        rebate=amount("Rebate"),
    )


# Carrying out. The codes ACTION_LOCKED, ACTION_REVERSED and MODIFICATION_LIMIT are ours: impact.com publishes
# no code for these cases. NO_VALID_ACTION_REF and NO_ITEM are its own, used in their nearest sense.


def apply(change: Change, action: Action | None, setup: Setup, now: datetime) -> list[str]:
    """Carry out a change on its action; return remarks, or raise `Undone` and leave the action as it was."""
    if action is None:
        raise Undone("NO_VALID_ACTION_REF", "No action is known by this id, or by this event type and order.")
    if action.locked(now):
        raise Undone(
            "ACTION_LOCKED", f"The action is locked since {values.iso(min(action.locking_date, now))}."
        )
    if change.reverses and action.reversed:
        return ["The action was reversed before: nothing changed."]
    if action.modifications >= setup.modification_limit:
        raise Undone(
            "MODIFICATION_LIMIT", f"An action takes at most {setup.modification_limit} modifications."
        )
    if action.reversed and change.reason != "RESET":
        raise Undone("ACTION_REVERSED", "The action is reversed. Only RESET brings it back.")
    return _carry_out(change, action, setup, now)


def _carry_out(change: Change, action: Action, setup: Setup, now: datetime) -> list[str]:
    _check_amounts(change, action)
    partner = setup.partner(action.partner.id) or action.partner
    before = [(item.quantity, item.amount, item.payout, item.category) for item in action.items]
    was = (action.amount, action.payout, action.reversed, action.customer_status)
    remarks = _set_values(change, action, partner)
    action.partner = partner
    action.modifications += 1
    action.updated_at = now
    action.last_delta_amount, action.last_delta_payout = action.amount - was[0], action.payout - was[1]
    touched = [
        item
        for item, old in zip(action.items, before, strict=True)
        if (item.quantity, item.amount, item.payout, item.category) != old
    ]
    if not touched and was[2:] == (action.reversed, action.customer_status):
        remarks.append("Nothing changed, yet it counts as a modification and re-prices the commission.")
    _log(
        change, action, touched, {item.sku: old for item, old in zip(action.items, before, strict=True)}, now
    )
    return remarks


def _check_amounts(change: Change, action: Action) -> None:
    """Raise `Undone` before anything is set, so that a change is carried out whole or not at all."""
    news = [] if change.amount is None else [change.amount]
    for wanted in change.items:
        item = action.item(wanted.sku)
        if item is None:
            raise Undone("NO_ITEM", f"The action has no item {wanted.sku}; a change cannot add one.")
        news.append(_new_amount(wanted, item, action.currency))
    for new in news:
        if new < 0 or new != money.rounded(new, action.currency):
            raise Undone("MALFORMED", f"{new} is not an amount of {action.currency or 'money'}.")


def _set_values(change: Change, action: Action, partner: Partner) -> list[str]:
    if change.customer_status is not None:
        action.customer_status = change.customer_status
    if change.reason == "RESET":
        _reset(action, partner)
        return []
    if change.reverses or (change.amount == 0 and action.tracked_amount != 0):
        _reverse(action)
        return []
    if change.amount is not None:
        weights = [item.amount for item in action.items]
        for item, share in zip(
            action.items, money.spread(change.amount, weights, action.currency), strict=True
        ):
            _price(item, share, action, partner)
    remarks = _set_items(change.items, action, partner)
    if change.items and all(item.quantity == 0 for item in action.items):
        _reverse(action)
    return remarks


def _reset(action: Action, partner: Partner) -> None:
    action.reversed = False
    for item in action.items:
        item.quantity, item.category = item.tracked_quantity, item.tracked_category
        _price(item, item.tracked_amount, action, partner)


def _reverse(action: Action) -> None:
    action.reversed = True
    for item in action.items:
        item.quantity, item.amount, item.payout = 0, Decimal(0), Decimal(0)


def _price(item: Item, amount: Decimal, action: Action, partner: Partner) -> None:
    item.amount = amount
    item.payout = commission(amount, partner, action.currency)


def _set_items(changes: Iterable[ItemChange], action: Action, partner: Partner) -> list[str]:
    pairs = [(change, action.item(change.sku)) for change in changes]
    return [remark for change, item in pairs if item for remark in _set_item(change, item, action, partner)]


def _new_amount(change: ItemChange, item: Item, currency: str) -> Decimal:
    if change.amount is not None:
        return change.amount
    if change.delta is not None:
        return item.amount + change.delta
    if change.quantity is not None and item.quantity:
        return money.rounded(item.amount * change.quantity / item.quantity, currency)
    return item.amount


def _set_item(change: ItemChange, item: Item, action: Action, partner: Partner) -> Iterable[str]:
    if change.quantity is not None and change.amount is None and change.delta is None:
        yield f"Item {item.sku}: Quantity came alone, so its amount was scaled. Sending Amount too is safer."
    _price(item, _new_amount(change, item, action.currency), action, partner)
    if change.quantity is not None:
        item.quantity = change.quantity
    item.category = item.category if change.category is None else change.category
    item.name = item.name if change.name is None else change.name
    item.rebate = item.rebate if change.rebate is None else change.rebate


def _log(
    change: Change,
    action: Action,
    touched: list[Item],
    before: Mapping[str, tuple[int, Decimal, Decimal, str]],
    now: datetime,
) -> None:
    for item in touched:
        _, amount, payout, _ = before[item.sku]
        item.adjusted_at, item.adjustment_reason = now, change.reason
        action.updates.append(
            Update(
                id=f"{action.id}.{95_000_000 + len(action.items) + len(action.updates)}",
                at=now,
                state=REVERSED if action.reversed else PENDING,
                disposition=change.reason,
                item=item.sku,
                category=item.category,
                quantity=item.quantity,
                delta_amount=item.amount - amount,
                delta_payout=item.payout - payout,
            )
        )
