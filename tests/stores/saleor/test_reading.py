"""Saleor's discounts, taxes, payments and returns, one at a time, with the arithmetic written out."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from impact_app.domain.events import OrderSeen, Uninstalled, UnknownTopic, Unreadable
from impact_app.domain.mapping import Target
from impact_app.domain.orders import Channel, LineKind, Order, Payment
from impact_app.domain.plan import Context, Modify, Plan, Reverse, plan, taken_as_reported
from impact_app.domain.reasons import Reason
from impact_app.domain.rules import read_rules
from impact_app.simulator.saleor.deliveries import app_deleted, encode, event
from impact_app.simulator.saleor.orders import (
    Body,
    DiscountSpec,
    LineSpec,
    OrderSpec,
    cancel,
    charge,
    grant,
    order,
    refund,
    return_units,
)
from impact_app.stores.saleor.reading import read, read_order

D = Decimal
HOODIE = LineSpec(price=D("35.00"), quantity=2)
SHOES = LineSpec("Plimsolls", D("75.00"), 1, sku="818223582", variant=500)
TEN_PERCENT = DiscountSpec(percent=D(10))


def read_body(node: Body) -> Order:
    found = read("order_updated", encode(event("order_updated", node)))
    assert isinstance(found, OrderSeen)
    return found.order


def judged(found: Order, **rules: str) -> Plan:
    return plan(found, read_rules(rules), None, Context(Target("1", "2"), (), found.changed_at))


def after(sold: Body, now: Body, **rules: str) -> Plan:
    """The plan for an order that impact.com holds as it was sold."""
    first, found = read_body(sold), read_body(now)
    context = Context(Target("1", "2"), (), found.changed_at)
    own = read_rules(rules)
    return plan(found, own, taken_as_reported(first, own, context), context)


def made(*lines: LineSpec, **fields: Any) -> Body:
    return order(OrderSpec(lines=lines or (HOODIE, SHOES), **fields))


# discounts: [(what, spec, subtotals, nets, code, order discount)]

CASES: dict[str, tuple[Body, list[D], list[D], str | None, D | None]] = {
    "nothing off": (made(), [D(70), D(75)], [D(70), D(75)], None, None),
    "entire order, percent": (
        made(discounts=(TEN_PERCENT,)),
        [D(70), D(75)],
        [D(70) - 7, D(75) - D("7.5")],
        "SAVE10",
        D("14.50"),
    ),
    "entire order, fixed: 10.00 as 70 to 75, the odd cent last": (
        made(discounts=(DiscountSpec(amount=D(10)),)),
        [D(70), D(75)],
        [D(70) - D("4.83"), D(75) - D("5.17")],
        "SAVE10",
        D(10),
    ),
    "specific product, 7.00 off each of two": (
        made(discounts=(DiscountSpec("SPECIFIC_PRODUCT", "HOODIE7", amount=D(7), lines=(0,)),)),
        [D(70), D(75)],
        [D(70) - 14, D(75)],
        "HOODIE7",
        None,
    ),
    "cheapest unit only": (
        made(discounts=(DiscountSpec("ENTIRE_ORDER", "ONE", percent=D(50), once=True, lines=(0,)),)),
        [D(70), D(75)],
        [D(70) - D("17.50"), D(75)],
        "ONE",
        None,
    ),
    "free shipping": (
        made(discounts=(DiscountSpec("SHIPPING", "FREESHIP"),)),
        [D(70), D(75)],
        [D(70), D(75)],
        "FREESHIP",
        None,
    ),
    "order promotion": (
        made(discounts=(DiscountSpec("ORDER_PROMOTION", "", percent=D(20)),)),
        [D(70), D(75)],
        [D(56), D(60)],
        None,
        D(29),
    ),
    "staff's own discount": (
        made(discounts=(DiscountSpec("MANUAL", "", amount=D(29)),), origin="DRAFT"),
        [D(70), D(75)],
        [D(56), D(60)],
        None,
        D(29),
    ),
    "catalogue promotion": (
        made(LineSpec(price=D(35), quantity=2, sale=D(5)), SHOES),
        [D(70), D(75)],
        [D(60), D(75)],
        None,
        None,
    ),
    "catalogue promotion and a voucher over it": (
        made(LineSpec(price=D(35), quantity=2, sale=D(5)), SHOES, discounts=(TEN_PERCENT,)),
        [D(70), D(75)],
        [D(70) - 10 - 6, D(75) - D("7.50")],
        "SAVE10",
        None,
    ),
    "a gift beside": (
        made(HOODIE, LineSpec("Gift", D(20), is_gift=True, variant=900)),
        [D(70), D(20)],
        [D(70), D(0)],
        None,
        None,
    ),
    "a gift card pays 30": (made(gift_card=D(30)), [D(70), D(75)], [D(70), D(75)], None, None),
}


@pytest.mark.parametrize("name", CASES)
def test_each_reduction_is_reported_once(name: str) -> None:
    node, subtotals, nets, code, whole = CASES[name]
    found = judged(read_body(node), send="all", drafts="send")
    assert found.sums.fault == ""
    assert [item.subtotal.amount for item in found.conversion.items] == subtotals
    assert [item.net.amount for item in found.conversion.items] == nets
    assert found.conversion.promo_code == code
    assert (found.conversion.order_discount and found.conversion.order_discount.amount) == whole
    on_items = sum((item.discount.amount for item in found.conversion.items), D(0))
    assert on_items == (D(0) if whole else sum(subtotals) - sum(nets))
    assert sum(nets) == node["subtotal"]["net"]["amount"]


def test_a_hundred_percent_voucher_leaves_nothing_to_report() -> None:
    found = judged(read_body(made(discounts=(DiscountSpec(percent=D(100)),), shipping=D(0))))
    assert (found.step, found.reason) == (None, Reason.ZERO_VALUE)


def test_tax_is_taken_out_where_prices_contain_it() -> None:
    """120.00 x 2 with 23 % in it, 10 % off: 216.00, of which 175.61 is net and 40.39 tax."""
    node = made(
        LineSpec(price=D(120), quantity=2),
        with_tax=True,
        tax_rate=D("0.23"),
        currency="PLN",
        discounts=(TEN_PERCENT,),
    )
    found = read_body(node)
    assert found.prices_include_tax
    (item,) = judged(found).conversion.items
    assert item.net.amount == D("216.00") - D("40.39")
    (with_tax,) = judged(found, include="tax").conversion.items
    assert with_tax.net.amount == D("216.00")


def test_the_smallest_unit_counts_where_saleor_tells_it() -> None:
    node = json.loads(encode(made(SHOES)))
    node["lines"][0]["totalPrice"]["net"] |= {
        "amount": 75.00000001,
        "fractionalAmount": 7500,
        "fractionDigits": 2,
    }
    found = read_order(json.dumps(node).encode())
    assert judged(found).conversion.net.amount == D("75.00")
    yen = json.loads(encode(made(LineSpec(price=D(3500)), currency="JPY", shipping=D(0), tax_rate=D(0))))
    yen["subtotal"]["net"] = {"fractionalAmount": 3500, "fractionDigits": 0}
    assert read_order(json.dumps(yen).encode()).subtotal.shop.text == "3500"


def test_a_number_is_read_digit_by_digit() -> None:
    """0.1 + 0.2 is 0.30, which no float says."""
    node = made(LineSpec(price=D("0.1")), LineSpec(price=D("0.2"), variant=900))
    assert judged(read_body(node)).conversion.net.amount == D("0.3")


def test_what_the_merchant_calls_things() -> None:
    node = made(SHOES, LineSpec("Voucher", D(50), kind="GIFT_CARD", variant=700, category=()))
    node["lines"][0]["productSku"] = None
    node["lines"][0]["variant"]["sku"] = None
    node["lines"][0]["variant"]["externalReference"] = "ERP-12"
    shoes, card = read_body(node).lines
    assert (shoes.sku, shoes.category, card.kind, card.category) == (
        "ERP-12",
        "Apparel > Sweatshirts",
        LineKind.GIFT_CARD,
        "",
    )
    node["lines"][0]["variant"] = None
    assert read_body(node).lines[0].sku == ""


def test_the_click_is_looked_for_in_private_metadata_first() -> None:
    node = made(metadata=(("im_ref", "public"),), private_metadata=(("im_ref", "private"),))
    assert judged(read_body(node)).attribution.click_id == "private"
    line = LineSpec(metadata=(("_im_ref", "on-the-line"),))
    assert judged(read_body(made(line, metadata=()))).attribution.click_id == "on-the-line"


@pytest.mark.parametrize(
    ("origin", "channel"),
    [
        ("CHECKOUT", Channel.WEB),
        ("DRAFT", Channel.DRAFT),
        ("REISSUE", Channel.DRAFT),
        ("BULK_CREATE", Channel.DRAFT),
    ],
)
def test_where_the_order_came_from(origin: str, channel: Channel) -> None:
    assert read_body(made(origin=origin)).channel is channel


def test_a_route_may_name_a_sales_channel_and_its_currency() -> None:
    found = read_body(made(channel="channel-pln", currency="PLN"))
    routes = "channel=channel-us -> 1:1; channel=channel-* currency=PLN -> 1234:5678"
    chosen = judged(found, routes=routes).conversion
    assert (chosen.campaign_id, chosen.event_type_id) == ("1234", "5678")
    assert judged(found, routes="channel=web -> 9:9").conversion.campaign_id == "9"


PAYMENTS: dict[str, tuple[Body, Payment, str]] = {
    "paid": (made(), Payment.PAID, "full"),
    "nothing": (made(charged=D(0)), Payment.UNPAID, "none"),
    "authorised only": (made(charged=D(0), authorized=D("204.91")), Payment.UNPAID, "authorized"),
    "a part": (made(charged=D(20)), Payment.UNPAID, "partial"),
    "captured later": (charge(made(charged=D(0), authorized=D("204.91"))), Payment.PAID, "full"),
    "too much": (charge(made(), D(5)), Payment.PAID, "overcharged"),
    "paid, unconfirmed": (made(status="UNCONFIRMED"), Payment.PAID, "full"),
    "a draft": (made(status="DRAFT", origin="DRAFT"), Payment.UNPAID, "draft"),
    "given back in part": (refund(made(), D(10)), Payment.PAID, "partial"),
    "given back": (refund(made()), Payment.REFUNDED, "none"),
    "a part, given back": (refund(made(charged=D(20))), Payment.REFUNDED, "none"),
    "all granted and given back": (
        refund(grant(made(shipping=D(0)), {0: 2, 1: 1})),
        Payment.REFUNDED,
        "full",
    ),
    "a part, the rest granted": (grant(made(SHOES, charged=D("32.36")), {0: 1}), Payment.UNPAID, "full"),
}


@pytest.mark.parametrize("name", PAYMENTS)
def test_when_an_order_counts_as_paid(name: str) -> None:
    node, payment, word = PAYMENTS[name]
    found = read_body(node)
    assert (found.payment, found.payment_word) == (payment, word)


def test_units_come_back_with_their_money() -> None:
    sold = made()
    granted = grant(sold, {0: 1})
    assert after(sold, granted).reason is Reason.UNCHANGED
    step = after(sold, refund(granted, granted["totalGrantedRefund"]["amount"])).step
    assert isinstance(step, Modify)
    assert [(item.quantity, item.amount.amount) for item in step.items] == [(1, D(70) / 2)]


def test_a_grant_that_failed_takes_nothing() -> None:
    sold = made()
    failed = grant(sold, {0: 1}, status="FAILURE")
    assert [line.kept for line in read_body(refund(failed, D("41.65"))).lines] == [2, 1]


def test_returned_units_count_once_their_money_is_back() -> None:
    """One hoodie of 41.65 with tax; 41.64 is an odd cent less and still it."""
    sold = made()
    returned = return_units(sold, {0: 1})
    assert after(sold, returned).reason is Reason.UNCHANGED
    for amount in (D("41.65"), D("41.64")):
        assert [line.kept for line in read_body(refund(returned, amount)).lines] == [1, 1]
    assert [line.kept for line in read_body(refund(returned, D("20.00"))).lines] == [2, 1]


def test_a_refund_of_just_the_shipping_leaves_the_items() -> None:
    """27.19 and its tax of 5.17; one cent less is an amount like any other."""
    sold = made()
    found = read_body(refund(sold, D("27.19") + D("5.17")))
    assert (found.extras, found.given_back and found.given_back.shop.amount) == ((), D(0))
    assert after(sold, refund(sold, D("32.36"))).reason is Reason.UNCHANGED
    assert isinstance(after(sold, refund(sold, D("32.35"))).step, Modify)


def test_a_grant_with_shipping_and_more_than_its_units_cost() -> None:
    """A hoodie of 41.65, shipping of 32.36, and 11.90 on top, which is 10.00 without tax."""
    sold = made()
    granted = grant(sold, {0: 1}, amount=D("41.65") + D("32.36") + D("11.90"), with_shipping=True)
    found = read_body(refund(granted, D("41.65") + D("32.36") + D("11.90")))
    assert [line.kept for line in found.lines] == [1, 1]
    assert found.extras == ()
    assert found.given_back is not None
    assert found.given_back.shop.amount == D(10)
    assert judged(found, send="all").conversion.net.amount == D(35) + D(75) - D(10)


def test_a_grant_that_keeps_a_fee_takes_the_units_alone() -> None:
    """A hoodie of 41.65 comes back for 30.00: the unit is gone, and nothing beyond it."""
    granted = grant(made(), {0: 1}, amount=D(30))
    found = read_body(refund(granted, D(30)))
    assert [line.kept for line in found.lines] == [1, 1]
    assert found.given_back is not None
    assert found.given_back.shop.amount == D(0)


def test_an_amount_given_back_has_its_tax_where_tax_is_reported() -> None:
    """100.00 and 19 % on top: 11.90 back is 10.00 and 1.90 of tax."""
    sold = made(LineSpec(price=D(100)), shipping=D(0))
    now = refund(sold, D("11.90"))
    for include, left in (("none", D(100) - D(10)), ("tax", D(119) - D("11.90"))):
        step = after(sold, now, include=include).step
        assert isinstance(step, Modify)
        assert [item.amount.amount for item in step.items] == [left]


def test_money_beside_units_that_cost_nothing_is_no_rounding() -> None:
    """A hoodie of 41.65 comes back with 50 free stickers, and 0.24 that was for nothing in particular."""
    stickers = LineSpec("Sticker", D(0), 50, sku="STICKER", variant=900)
    granted = grant(made(HOODIE, SHOES, stickers), {0: 1, 2: 50})
    found = read_body(refund(refund(granted, D("41.65")), D("0.24")))
    assert [line.kept for line in found.lines] == [1, 1, 0]
    assert found.given_back is not None
    assert found.given_back.shop.amount == round(D("0.24") / D("1.19"), 2)


def test_a_cheap_unit_that_comes_back_after_many_is_no_rounding() -> None:
    """50 pins of 0.10 come back, then a sticker of 0.30: 5.95 and 0.36 with tax. The shoes stay."""
    sold = made(
        SHOES, LineSpec("Pin", D("0.10"), 50, variant=900), LineSpec("Sticker", D("0.30"), variant=950)
    )
    gone = refund(grant(refund(grant(sold, {1: 50}), D("5.95")), {2: 1}), D("0.36"))
    assert [line.kept for line in read_body(gone).lines] == [1, 0, 0]
    returned = refund(return_units(refund(return_units(sold, {1: 50}), D("5.95")), {2: 1}), D("0.36"))
    assert [line.kept for line in read_body(returned).lines] == [1, 0, 0]


def test_units_are_paid_back_at_the_rounded_price_of_one() -> None:
    """3 x 4.00 less 2.00 are 11.90 with tax; 3.97 each, so two are paid back with 7.94, and not 7.93."""
    two_off = DiscountSpec(code="TWO", amount=D(2), once=True, lines=(0,))
    returned = return_units(made(LineSpec(price=D(4), quantity=3), SHOES, discounts=(two_off,)), {0: 2})
    for amount, beyond in ((2 * D("3.97"), D(0)), (2 * D("3.97") + D("1.19"), D("1.00"))):
        found = read_body(refund(returned, amount))
        assert [line.kept for line in found.lines] == [1, 1]
        assert found.given_back is not None
        assert abs(found.given_back.shop.amount - beyond) <= D("0.01")


def test_what_was_paid_too_much_and_returned_is_no_refund() -> None:
    sold = made()
    assert after(sold, refund(charge(sold, D(5)), D(5))).reason is Reason.UNCHANGED


def test_an_unpaid_part_is_no_refund() -> None:
    found = read_body(grant(made(charged=D(20)), {0: 1}))
    assert [line.kept for line in found.lines] == [2, 1]


def test_the_same_unit_granted_and_returned_counts_once() -> None:
    both = return_units(grant(made(), {0: 1}), {0: 1})
    assert [line.kept for line in read_body(refund(both, D("41.65"))).lines] == [1, 1]


def test_the_older_payments_name_refunded_units_by_fulfilment() -> None:
    gone = return_units(refund(made(), D("41.65")), {0: 1}, status="REFUNDED")
    assert [line.kept for line in read_body(gone).lines] == [1, 1]


def test_every_unit_gone_takes_the_conversion_back() -> None:
    """Shipping of 32.36 with tax stays with the shop."""
    sold = made()
    gone = refund(grant(sold, {0: 2, 1: 1}), D("83.30") + D("89.25"))
    found = after(sold, gone)
    assert isinstance(found.step, Reverse)
    assert found.step.code == "ITEM_RETURNED"


def test_a_cancelled_order_is_taken_back_though_its_money_stays() -> None:
    sold = made()
    assert sold["isPaid"]
    found = after(sold, cancel(sold))
    assert isinstance(found.step, Reverse)
    assert found.step.code == "REJECTED"
    assert judged(read_body(cancel(sold))).reason is Reason.CANCELLED_BEFORE_REPORT


# what stands around an order


def test_both_forms_of_a_subscription_are_read() -> None:
    node = json.loads(encode(made()))
    flat = read("order_paid", json.dumps({"__typename": "OrderPaid", "order": node}).encode())
    wrapped = {"data": {"orderPaid": {"issuedAt": None, "order": node}}}
    assert read("order_paid", json.dumps(wrapped).encode()) == flat


def test_an_order_is_found_in_every_file_that_may_hold_one() -> None:
    node = json.loads(encode(made()))
    alone = read_order(json.dumps(node).encode())
    for body in (
        {"order": node},
        {"__typename": "OrderPaid", "order": node},
        {"data": {"order": node}},
        {"data": {"orderPaid": {"order": node}}},
        {"headers": {}, "raw_body": json.dumps({"order": node})},
    ):
        assert read_order(json.dumps(body).encode()) == alone


def test_the_signed_name_of_an_event_counts_not_the_headers() -> None:
    body = encode(event("order_updated", made()))
    assert isinstance(read("app_deleted", body), OrderSeen)
    assert isinstance(read("order_updated", encode(app_deleted())), Uninstalled)
    assert read("order_updated", b'{"__typename": "ProductCreated"}') == UnknownTopic()
    assert read("product_created", body) == UnknownTopic()


def test_the_end_of_another_app_is_none_of_ours() -> None:
    assert read("app_deleted", encode(app_deleted(app_id="QXBwOjk5"))) == UnknownTopic()


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("id", "", "no id of Saleor"),
        ("created", "0001-01-01T00:00:00+00:00", "year 1"),
        ("total", {"gross": {"amount": 1e30}, "net": {"amount": 1}}, "no amount of money"),
        ("channel", {"currencyCode": "dollars"}, "no ISO 4217 code"),
        ("lines", None, r"\$.order.lines"),
    ],
)
def test_a_body_that_cannot_be_says_where(place: str, value: object, words: str) -> None:
    node = {**json.loads(encode(made())), place: value}
    with pytest.raises(Unreadable, match=words):
        read("order_updated", json.dumps({"order": node}).encode())


def test_an_event_without_its_order_says_so() -> None:
    with pytest.raises(Unreadable, match="no order"):
        read("order_updated", b'{"__typename": "OrderUpdated", "order": null}')
