"""Life after the sale: refunds, cancellations and edits, each giving the order as Shopify then shows it.

Every function leaves the body it is given alone. Amounts in arguments are Decimals in shop money; `at` is
when it happened (default: an hour after the order's last change). `current_*` figures follow the kept
quantities: a part of a line is worth its share of the line's net, and all parts together are the whole.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from .bodies import LOCATION_ID, STAFF_ID, Body, line_body, stamp, tax_lines, token
from .pricing import taxes
from .specs import LineSpec
from .standing import (
    NOTHING,
    Units,
    at_rate,
    line_of,
    minus,
    money_back,
    money_of,
    net,
    plus,
    restate,
    returned,
    settle,
    share,
    tax,
    units,
)

RestockType = Literal["return", "cancel", "no_restock", "legacy_restock"]


def refund(
    body: Body,
    quantities: Mapping[int, int] | None = None,
    *,
    subtotals: Mapping[int, Decimal] | None = None,
    shipping: Decimal = Decimal(0),
    adjustment: Decimal = Decimal(0),
    restock_type: RestockType = "return",
    money_moved: bool = True,
    with_duties: bool = False,
    note: str | None = None,
    at: datetime | None = None,
) -> tuple[Body, Body]:
    """The refunds/create body, and the order with that refund in it.

    `quantities` maps line ids to units given back; `subtotals` replaces what a line is worth (Shopify has
    refunds of 0.0 with a quantity). `adjustment` is money handed back beyond the items, below zero when some
    was kept.
    ValueError when more is given back than the order still has.
    """
    order = copy.deepcopy(body)
    moment = at or _later(order)
    number = int(order["id"]) + 61_000 + 16 * len(order["refunds"])
    given = quantities or {}
    record = {
        "id": number,
        "order_id": order["id"],
        "created_at": stamp(moment),
        "note": note,
        "user_id": STAFF_ID,
        "processed_at": stamp(moment),
        "duties": [],
        **_duties_and_fees(order, with_duties),
        "return": None,
        "restock": restock_type != "no_restock" and bool(given),
        "refund_shipping_lines": _refund_shipping(order, number, shipping),
        "admin_graphql_api_id": f"gid://shopify/Refund/{number}",
        "order_adjustments": _adjustments(order, number, shipping, adjustment),
        "refund_line_items": _refund_lines(order, number, given, subtotals or {}, restock_type),
    }
    record["transactions"] = _transactions(order, record, moment) if money_moved else []
    order["refunds"].append(record)
    settle(order, moment)
    return copy.deepcopy(record), order


def cancel(
    body: Body,
    *,
    reason: str = "customer",
    refunded: bool = True,
    restock: bool = True,
    at: datetime | None = None,
) -> Body:
    """The order as orders/cancelled shows it: everything that was left is given back in one refund.

    With `refunded` False the lines are taken back and no money moves; an unpaid order becomes voided.
    """
    moment = at or _later(body)
    left = {line["id"]: line["current_quantity"] for line in body["line_items"] if line["current_quantity"]}
    paid = body["financial_status"] in ("paid", "partially_refunded", "partially_paid")
    _, order = refund(
        body,
        left,
        shipping=Decimal(body["current_shipping_price_set"]["shop_money"]["amount"]),
        restock_type="cancel" if restock else "no_restock",
        money_moved=refunded and paid,
        with_duties=True,
        at=moment,
    )
    order |= {"cancelled_at": stamp(moment), "cancel_reason": reason, "closed_at": stamp(moment)}
    if not paid:
        order["financial_status"] = "voided"
    return order


def edit(
    body: Body,
    *,
    remove: Mapping[int, int] | None = None,
    increase: Mapping[int, int] | None = None,
    add: Sequence[LineSpec] = (),
    staff_note: str = "",
    at: datetime | None = None,
) -> tuple[Body, Body]:
    """The orders/edited body (changes only, no prices), and the order after the edit.

    Units removed lower `current_quantity` and leave a refund without money, as Shopify does; units added to a
    line are undiscounted; new lines come last. What an addition costs is left outstanding.
    """
    moment = at or _later(body)
    order = copy.deepcopy(body)
    if remove:
        _, order = refund(order, remove, restock_type="cancel", money_moved=False, at=moment)
    for line_id, delta in (increase or {}).items():
        _increase(order, line_of(order, line_id), delta)
    added = [_add(order, line) for line in add]
    restate(order)
    settle(order, moment)
    additions = [*(increase or {}).items(), *((line["id"], line["quantity"]) for line in added)]
    return _edited(order, moment, staff_note, additions, list((remove or {}).items())), order


def _edited(
    order: Body,
    moment: datetime,
    staff_note: str,
    additions: Sequence[tuple[int, int]],
    removals: Sequence[tuple[int, int]],
) -> Body:
    return {
        "order_edit": {
            "id": order["id"] + 62_000,
            "app_id": None,
            "created_at": stamp(moment),
            "committed_at": stamp(moment),
            "notify_customer": False,
            "order_id": order["id"],
            "staff_note": staff_note,
            "user_id": STAFF_ID,
            "line_items": {
                "additions": [{"id": line, "delta": delta} for line, delta in additions],
                "removals": [{"id": line, "delta": delta} for line, delta in removals],
            },
            "discounts": {"line_item": {"additions": [], "removals": []}},
            "shipping_lines": {"additions": [], "removals": []},
        }
    }


def _later(order: Body) -> datetime:
    return datetime.fromisoformat(order["updated_at"]) + timedelta(hours=1)


def _duties_and_fees(order: Body, given_back: bool) -> Body:
    money = money_of(order)
    due = units(order["current_total_duties_set"]) if given_back else NOTHING
    fees = units(order["current_total_additional_fees_set"]) if given_back else NOTHING
    return {
        "total_duties_set": money.bag(*due),
        "additional_fees": [],
        "total_additional_fees_set": money.bag(*fees),
    }


def _refund_lines(
    order: Body,
    number: int,
    quantities: Mapping[int, int],
    subtotals: Mapping[int, Decimal],
    restock_type: RestockType,
) -> list[Body]:
    result = []
    for place, (line_id, quantity) in enumerate(quantities.items()):
        line = line_of(order, line_id)
        if not 0 < quantity <= line["current_quantity"]:
            raise ValueError(
                f"line {line_id} has {line['current_quantity']} left, so {quantity} cannot come back"
            )
        worth = (
            at_rate(order, subtotals[line_id])
            if line_id in subtotals
            else returned(net(line), line, quantity)
        )
        result.append(_refund_line(order, line, quantity, worth, restock_type) | {"id": number * 2 + place})
        line["current_quantity"] -= quantity
        line["fulfillable_quantity"] = max(0, line["fulfillable_quantity"] - quantity)
    return result


def _refund_line(order: Body, line: Body, quantity: int, worth: Units, restock_type: RestockType) -> Body:
    money = money_of(order)
    taxed = returned(tax(line), line, quantity) if worth != NOTHING else NOTHING
    snapshot = {
        key: value for key, value in line.items() if key not in ("current_quantity", "attributed_staffs")
    }
    return {
        "id": 0,
        "quantity": quantity,
        "line_item_id": line["id"],
        "location_id": LOCATION_ID if restock_type == "return" else None,
        "restock_type": restock_type,
        # Unlike every other amount of an order these two are JSON numbers (Shopify's samples, 2026-07).
        "subtotal": Decimal(money.text(worth[0])),
        "total_tax": Decimal(money.text(taxed[0])),
        "subtotal_set": money.bag(*worth),
        "total_tax_set": money.bag(*taxed),
        "line_item": copy.deepcopy(snapshot),
    }


def _refunded_shipping(order: Body, shipping: Decimal) -> tuple[Units, Units]:
    """The shipping given back in both currencies, and its share of the shipping tax."""
    whole = units(order["total_shipping_price_set"])
    part = at_rate(order, shipping)[0]
    if part > units(order["current_shipping_price_set"])[0]:
        raise ValueError(f"the order has less than {shipping} of shipping left to give back")
    if not part:
        return NOTHING, NOTHING
    shipping_tax = plus(*(tax(line) for line in order["shipping_lines"]))
    return (part, share(whole, part, whole[0])[1]), share(shipping_tax, part, whole[0])


def _refund_shipping(order: Body, number: int, shipping: Decimal) -> list[Body]:
    amount, _ = _refunded_shipping(order, shipping)
    if amount == NOTHING:
        return []
    line = order["shipping_lines"][0]
    snapshot = {
        key: value for key, value in line.items() if key not in ("current_discounted_price_set", "is_removed")
    }
    return [
        {
            "id": number + 1,
            "shipping_line_id": line["id"],
            "subtotal_amount_set": money_of(order).bag(*amount),
            "shipping_line": copy.deepcopy(snapshot),
        }
    ]


def _adjustments(order: Body, number: int, shipping: Decimal, adjustment: Decimal) -> list[Body]:
    """`order_adjustments`: money handed back is below zero (Shopify's refund reference, 2026-07)."""
    result = []
    amount, taxed = _refunded_shipping(order, shipping)
    if amount != NOTHING:
        result.append(_adjustment(order, "Shipping refund", amount, taxed) | {"id": number + 2})
    extra = at_rate(order, adjustment)
    if extra != NOTHING:
        result.append(_adjustment(order, "Refund discrepancy", extra, NOTHING) | {"id": number + 3})
    return [entry | {"refund_id": number} for entry in result]


def _adjustment(order: Body, reason: str, given: Units, taxed: Units) -> Body:
    money = money_of(order)
    return {
        "id": 0,
        "order_id": order["id"],
        "kind": reason.lower().replace(" ", "_"),
        "reason": reason,
        **money.pair("amount", *minus(NOTHING, given)),
        **money.pair("tax_amount", *minus(NOTHING, taxed)),
    }


def _transactions(order: Body, record: Body, moment: datetime) -> list[Body]:
    back = money_back(order, record)
    if back == NOTHING:
        return []
    money, number = money_of(order), record["id"] + 4
    shown = money.bag(*back)["presentment_money"]
    unsettled = {
        side: {"amount": value["amount"], "currency": value["currency_code"]}
        for side, value in money.bag(0, 0).items()
    }
    return [
        {
            "id": number,
            "admin_graphql_api_id": f"gid://shopify/OrderTransaction/{number}",
            # A transaction is in the money the shopper paid in, unlike the rest of a refund.
            "amount": shown["amount"],
            "currency": shown["currency_code"],
            "amount_rounding": None,
            "authorization": None,
            "created_at": stamp(moment),
            "device_id": None,
            "error_code": None,
            "gateway": (order["payment_gateway_names"] or ["manual"])[0],
            "kind": "refund",
            "location_id": None,
            "manual_payment_gateway": False,
            "message": "Transaction approved",
            "order_id": order["id"],
            "parent_id": order["id"] + 60_900,
            "payment_id": token("payment", number),
            "processed_at": stamp(moment),
            "receipt": {},
            "source_name": "1830279",
            "status": "success",
            "test": order["test"],
            "total_unsettled_set": unsettled,
            "user_id": STAFF_ID,
        }
    ]


def _increase(order: Body, line: Body, delta: int) -> None:
    for name in ("quantity", "current_quantity", "fulfillable_quantity"):
        line[name] += delta
    _tax_again(order, line)


def _tax_again(order: Body, line: Body) -> None:
    rates = [entry["rate"] for entry in line["tax_lines"]]
    shop, shopper = (taxes(side, rates, order["taxes_included"]) for side in net(line))
    line["tax_lines"] = tax_lines(money_of(order), rates, order["taxes_included"], shop, shopper)


def _add(order: Body, line: LineSpec) -> Body:
    money, price = money_of(order), at_rate(order, line.price)
    worth = (price[0] * line.quantity, price[1] * line.quantity)
    shop, shopper = (taxes(side, line.tax_rates, order["taxes_included"]) for side in worth)
    rest = {
        **money.pair("price", *price),
        "tax_lines": tax_lines(money, line.tax_rates, order["taxes_included"], shop, shopper),
        "duties": [],
        "discount_allocations": [],
    }
    added = line_body(order["id"] + 64 * (len(order["line_items"]) + 1), line, money, rest)
    order["line_items"].append(added)
    return added
