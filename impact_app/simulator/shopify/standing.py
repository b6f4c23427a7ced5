"""How an order stands: what its lines are worth, what is kept of them, and the sums that follow."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from .bodies import Body, Money, stamp, tax_line
from .pricing import half_up, minor

Units = tuple[int, int]  # shop money and presentment money, each in its own minor units

NOTHING: Units = (0, 0)


def money_of(order: Body) -> Money:
    return Money(order["currency"], order["presentment_currency"])


def units(bag: Body | None) -> Units:
    """A `*_set` bag as minor units of its two currencies; an absent one is nothing."""
    if bag is None:
        return NOTHING
    shop, shopper = bag["shop_money"], bag["presentment_money"]
    return (
        minor(Decimal(shop["amount"]), shop["currency_code"]),
        minor(Decimal(shopper["amount"]), shopper["currency_code"]),
    )


def plus(*parts: Units) -> Units:
    return sum(part[0] for part in parts), sum(part[1] for part in parts)


def minus(whole: Units, part: Units) -> Units:
    return whole[0] - part[0], whole[1] - part[1]


def share(whole: Units, part: int, of: int) -> Units:
    """`part` of `of` equal parts, each currency rounded by itself."""
    return (half_up(whole[0] * part, of), half_up(whole[1] * part, of)) if of else NOTHING


def at_rate(order: Body, amount: Decimal) -> Units:
    """Shop money in both currencies, by the rate at which the order's own lines were converted."""
    shop = minor(amount, order["currency"])
    if order["currency"] == order["presentment_currency"]:
        return shop, shop
    worth = units(order["total_line_items_price_set"])
    return shop, half_up(shop * worth[1], worth[0]) if worth[0] else 0


def line_of(order: Body, line_id: int) -> Body:
    for line in order["line_items"]:
        if line["id"] == line_id:
            found: Body = line
            return found
    raise ValueError(f"order {order['id']} has no line {line_id}")


def gross(line: Body, quantity: int) -> Units:
    price = units(line["price_set"])
    return price[0] * quantity, price[1] * quantity


def net(line: Body) -> Units:
    """What all units ordered are worth after discounts, refunds left aside."""
    taken = plus(*(units(part["amount_set"]) for part in line["discount_allocations"]))
    return minus(gross(line, line["quantity"]), taken)


def tax(taxed: Body) -> Units:
    """The tax of a line or a shipping line, all rates together."""
    return plus(*(units(entry["price_set"]) for entry in taxed["tax_lines"]))


def returned(whole: Units, line: Body, given: int) -> Units:
    """The worth of `given` more units coming back, after those that came back before."""
    before = line["quantity"] - line["current_quantity"]
    return minus(share(whole, before + given, line["quantity"]), share(whole, before, line["quantity"]))


def kept(whole: Units, line: Body) -> Units:
    """What is left of a line's worth (or tax) for the units not given back."""
    return minus(whole, share(whole, line["quantity"] - line["current_quantity"], line["quantity"]))


def money_back(order: Body, record: Body) -> Units:
    """What a refund hands back in all, tax with it."""
    back = plus(
        *(units(line["subtotal_set"]) for line in record["refund_line_items"]),
        units(record["total_duties_set"]),
        units(record["total_additional_fees_set"]),
        *(minus(NOTHING, units(entry["amount_set"])) for entry in record["order_adjustments"]),
    )
    if order["taxes_included"]:
        return back
    return plus(
        back,
        *(units(line["total_tax_set"]) for line in record["refund_line_items"]),
        *(minus(NOTHING, units(entry["tax_amount_set"])) for entry in record["order_adjustments"]),
    )


def restate(order: Body) -> None:
    """Work the sums over everything ordered out again after an edit; what was added is outstanding."""
    money, lines = money_of(order), order["line_items"]
    before = units(order["total_price_set"])
    subtotal = plus(*(net(line) for line in lines))
    taxed = plus(*(tax(line) for line in [*lines, *order["shipping_lines"]]))
    total = plus(
        subtotal,
        units(order["total_shipping_price_set"]),
        units(order["original_total_duties_set"]),
        units(order["original_total_additional_fees_set"]),
        NOTHING if order["taxes_included"] else taxed,
    )
    order |= money.pair("subtotal_price", *subtotal)
    order |= money.pair("total_line_items_price", *plus(*(gross(line, line["quantity"]) for line in lines)))
    order |= money.pair("total_tax", *taxed)
    order |= money.pair("total_price", *total)
    order["tax_lines"] = _order_tax_lines(order)
    owed = minus(total, before)[0]
    order["total_outstanding"] = money.text(
        minor(Decimal(order["total_outstanding"]), order["currency"]) + owed
    )
    if owed > 0 and order["financial_status"] == "paid":
        order["financial_status"] = "partially_paid"


def _order_tax_lines(order: Body) -> list[Body]:
    sums: dict[tuple[str, Decimal], Units] = {}
    for taxed in [*order["line_items"], *order["shipping_lines"]]:
        for entry in taxed["tax_lines"]:
            key = (entry["title"], entry["rate"])
            sums[key] = plus(sums.get(key, NOTHING), units(entry["price_set"]))
    return [tax_line(money_of(order), title, rate, worth) for (title, rate), worth in sums.items()]


def settle(order: Body, moment: datetime) -> None:
    """Work the `current_*` figures, the financial status and `updated_at` out again from what is kept."""
    money, lines = money_of(order), order["line_items"]
    subtotal = plus(*(kept(net(line), line) for line in lines))
    shipping, shipping_tax = _kept_shipping(order)
    taxed = plus(shipping_tax, *(kept(tax(line), line) for line in lines))
    off_lines = minus(plus(*(gross(line, line["current_quantity"]) for line in lines)), subtotal)
    off_shipping = plus(
        *(
            units(part["amount_set"])
            for line in order["shipping_lines"]
            for part in line["discount_allocations"]
        )
    )
    extras = plus(
        _kept_extra(order, "current_total_duties_set", "original_total_duties_set", "total_duties_set"),
        _kept_extra(
            order,
            "current_total_additional_fees_set",
            "original_total_additional_fees_set",
            "total_additional_fees_set",
        ),
    )
    total = plus(subtotal, shipping, extras, NOTHING if order["taxes_included"] else taxed)
    order |= money.pair("current_subtotal_price", *subtotal)
    order |= money.pair("current_total_discounts", *plus(off_lines, off_shipping))
    order |= money.pair("current_total_tax", *taxed)
    order |= money.pair("current_total_price", *total)
    order["updated_at"] = stamp(moment)
    _financial_status(order)


def _kept_shipping(order: Body) -> tuple[Units, Units]:
    money, refunds = money_of(order), order["refunds"]
    given = plus(
        *(
            units(entry["subtotal_amount_set"])
            for record in refunds
            for entry in record["refund_shipping_lines"]
        )
    )
    taxed = plus(
        *(units(entry["tax_amount_set"]) for record in refunds for entry in record["order_adjustments"])
    )
    left = minus(units(order["total_shipping_price_set"]), given)
    order["current_shipping_price_set"] = money.bag(*left)
    for line in order["shipping_lines"][:1]:
        line["current_discounted_price_set"] = money.bag(*left)
    # Adjustments are below zero, so adding them takes the tax given back away.
    return left, plus(*(tax(line) for line in order["shipping_lines"]), taxed)


def _kept_extra(order: Body, current: str, original: str, refunded: str) -> Units:
    if order[original] is None:
        return NOTHING
    left = minus(units(order[original]), plus(*(units(record[refunded]) for record in order["refunds"])))
    order[current] = money_of(order).bag(*left)
    return left


def _financial_status(order: Body) -> None:
    paid = minor(
        Decimal(order["total_price_set"]["presentment_money"]["amount"]), order["presentment_currency"]
    )
    back = sum(
        minor(Decimal(entry["amount"]), entry["currency"])
        for record in order["refunds"]
        for entry in record["transactions"]
        if entry["kind"] == "refund" and entry["status"] == "success"
    )
    if back > 0:
        order["financial_status"] = "refunded" if back >= paid else "partially_refunded"
