"""Every recorded delivery of Saleor 3.22 and 3.23: read, planned, and its money the order's own net."""

from __future__ import annotations

from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from impact_app.domain.events import OrderSeen, Uninstalled
from impact_app.domain.mapping import Target
from impact_app.domain.orders import Channel, Order, Payment
from impact_app.domain.plan import Context, Modify, Plan, Reverse, Submit, plan, taken_as_reported
from impact_app.domain.reasons import Reason
from impact_app.domain.rules import read_rules
from impact_app.stores.saleor.reading import read, read_order
from impact_app.transports.api.request import call
from tests.stores.saleor.books import Told, check_followed
from tests.stores.saleor.recorded import ORDER_FILES, PAYLOADS, delivery

D = Decimal
NEW, OLD = "3.23.28", "3.22.67"
CLICK = "clk.AbC-123_~x"


def order_of(name: str) -> Order:
    found = delivery(name)
    event = read(found.topic, found.raw)
    assert isinstance(event, OrderSeen)
    return event.order


def context(order: Order) -> Context:
    return Context(Target("1000", "9876"), (), order.changed_at)


def judged(order: Order, **rules: str) -> Plan:
    return plan(order, read_rules(rules), None, context(order))


def test_the_recorded_deliveries_are_there() -> None:
    delivery(f"{NEW}/02-plain-transaction/04-order_fully_paid.json")
    assert len(ORDER_FILES) >= 80


@pytest.mark.parametrize("name", ORDER_FILES)
def test_each_delivery_is_planned_with_the_orders_own_net(name: str) -> None:
    """As ordered, the items come to `subtotal.net`; each item's net is its line's `totalPrice.net`.

    Money refunded without items is left aside here; the test after next follows it.
    """
    body, order = delivery(name).order, order_of(name)
    found = judged(order, send="all", amount_refunds="leave")
    assert found.sums.fault == ""
    by_line = {item.line.id: item for item in found.figures}
    for line in body["lines"]:
        item = by_line[line["id"]]
        share = D(item.line.kept) / line["quantity"]
        assert item.net.amount == line["totalPrice"]["net"]["amount"] * share
        assert item.subtotal - item.discount == item.net
    given_back = sum(
        line["totalPrice"]["net"]["amount"] * (1 - D(by_line[line["id"]].line.kept) / line["quantity"])
        for line in body["lines"]
    )
    assert found.conversion.net.amount == body["subtotal"]["net"]["amount"] - given_back
    assert found.conversion.currency == body["channel"]["currencyCode"]


@pytest.mark.parametrize("name", ORDER_FILES)
def test_each_delivery_has_the_verdict_of_its_money(name: str) -> None:
    scenario = name.split("/")[1][:3].rstrip("-")
    expected = {"13a": Reason.NOT_PAID, "14a": Reason.NOT_PAID, "26a": Reason.NOT_PAID}
    expected["16c"] = Reason.REFUNDED_BEFORE_REPORT
    assert judged(order_of(name), send="all").reason is expected.get(scenario, Reason.QUEUED)


@pytest.mark.parametrize("name", ORDER_FILES)
def test_nothing_personal_is_read(name: str) -> None:
    read_fields = repr(order_of(name))
    for word in ("buyer@example.com", "Buyer", "BERLIN", "10115"):
        assert word not in read_fields


def test_a_plain_order_says_who_what_and_where() -> None:
    order = order_of(f"{NEW}/02-plain-transaction/04-order_fully_paid.json")
    (line,) = order.lines
    assert (order.platform, order.currency, order.country) == ("saleor", "USD", "DE")
    assert (order.channel, order.source) == (Channel.WEB, "default-channel")
    assert (line.sku, line.variant_id, line.product_id) == (
        "",
        "UHJvZHVjdFZhcmlhbnQ6MzQ2",
        "UHJvZHVjdDoxMzI=",
    )
    assert (line.product_type, line.category) == ("Sweatshirt", "Apparel > Sweatshirts")
    assert order.changed_at.utcoffset() is not None


def test_a_voucher_on_the_entire_order_is_one_order_discount() -> None:
    """5.97 + 70.00 + 40.00 + 2.00 = 117.97 less 11.80 = 106.17."""
    found = judged(order_of(f"{NEW}/03-voucher-entire-order-percent/04-order_fully_paid.json"))
    made = found.conversion
    assert made.promo_code == "SAVE10"
    assert made.order_discount is not None
    assert made.order_discount.amount == D("11.80")
    assert [item.subtotal.amount for item in made.items] == [D("5.97"), D(70), D(40), D(2)]
    assert made.net.amount == D("5.97") + D(70) + D(40) + D(2) - D("11.80")


def test_a_voucher_on_one_product_stays_on_its_item() -> None:
    """2 hoodies of 35.00 less 7.00 each."""
    made = judged(order_of(f"{NEW}/06-voucher-specific-product-fixed/03-order_fully_paid.json")).conversion
    assert (made.promo_code, made.order_discount) == ("HOODIE7", None)
    assert [(item.subtotal.amount, item.discount.amount) for item in made.items] == [(70, 14), (75, 0)]


def test_prices_with_tax_are_reported_without_it() -> None:
    """216.00 and 207.00 with 23 % tax in them: 175.61 and 168.29; the discount 24 + 23 without tax."""
    order = order_of(f"{NEW}/10-channel-pln-tax-included/04-order_fully_paid.json")
    made = judged(order).conversion
    assert order.prices_include_tax
    assert [item.net.amount for item in made.items] == [D("216.00") - D("40.39"), D("207.00") - D("38.71")]
    assert made.net.amount == D("343.90")
    assert made.order_discount is not None
    assert made.order_discount.amount == D("19.51") + D("18.70")


def test_a_gift_card_pays_and_takes_nothing_off() -> None:
    order = order_of(f"{NEW}/23-gift-card-pays-part/03-order_fully_paid.json")
    made = judged(order).conversion
    assert order.codes == ("SAVE10",)
    assert made.net.amount == D("145.00") - D("14.50")


def test_the_click_is_in_the_orders_metadata() -> None:
    for name in ("02-plain-transaction/04", "12-im-ref-in-checkoutCreate-and-Complete/03"):
        found = judged(order_of(f"{NEW}/{name}-order_fully_paid.json"))
        assert isinstance(found.step, Submit)
        sent = dict(call(found.step, "IRAbc").form)
        assert (found.attribution.carrier, sent["ClickId"]) == ("cart_attribute", found.attribution.click_id)
        assert sent["OrderId"] == delivery(f"{NEW}/{name}-order_fully_paid.json").order["id"]
        assert sent["EventDate"].endswith("+00:00")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("13a-partial-charge/01", "13b-rest-charged/01"),
        ("14a-unpaid-order/01", "14b-mark-as-paid/01"),
        ("26a-authorized-only/01", "26b-captured/02"),
    ],
)
def test_an_order_counts_once_it_is_paid_in_full(before: str, after: str) -> None:
    unpaid = order_of(f"{NEW}/{before}-order_confirmed.json")
    paid = order_of(f"{NEW}/{after}-order_fully_paid.json")
    assert unpaid.key == paid.key
    assert judged(unpaid, send="all").reason is Reason.NOT_PAID
    assert isinstance(judged(paid, send="all").step, Submit)


def test_a_granted_refund_counts_when_it_is_paid_out() -> None:
    """One of two hoodies at 35.00 each comes back: 70.00 becomes 35.00, the plimsolls stay."""
    sold = order_of(f"{NEW}/17a-order-grant-refund/03-order_fully_paid.json")
    back = order_of(f"{NEW}/17c-granted-refund-paid-out/01-order_refunded.json")
    rules = read_rules({"send": "all"})
    held = taken_as_reported(sold, rules, context(sold))
    step = plan(back, rules, held, context(back)).step
    assert isinstance(step, Modify)
    ((sku, quantity, amount),) = [(item.sku, item.quantity, item.amount.amount) for item in step.items]
    assert (sku, quantity, amount) == ("UHJvZHVjdFZhcmlhbnQ6MzQ2", 1, D("70.00") / 2)


def test_a_grant_without_money_changes_nothing() -> None:
    """The grant of 17c, were nothing paid out yet: charged still equals the total."""
    recorded = delivery(f"{NEW}/17c-granted-refund-paid-out/01-order_refunded.json")
    raw = recorded.raw.replace(b'"totalCharged": {"amount": 163.26}', b'"totalCharged": {"amount": 204.91}')
    raw = raw.replace(b'"totalRefunded": {"amount": 41.65}', b'"totalRefunded": {"amount": 0.0}')
    assert raw != recorded.raw
    assert [line.kept for line in read_order(raw).lines] == [2, 1]


@pytest.mark.parametrize(
    ("before", "after", "refunded"),
    [
        (f"{NEW}/16a-order-to-refund/03", f"{NEW}/16b-partial-refund/01", "10.00"),
        (f"{OLD}/18a-legacy-order-to-refund/03", f"{OLD}/18b-legacy-partial-refund/01", "25.00"),
    ],
)
def test_a_refund_of_an_amount_lowers_the_items_by_its_net(before: str, after: str, refunded: str) -> None:
    """The refund has 19 % tax in it, which was never reported: 10.00 is 8.40 net, 25.00 is 21.01."""
    sold, back = order_of(f"{before}-order_fully_paid.json"), order_of(f"{after}-order_refunded.json")
    rules = read_rules({"send": "all"})
    found = plan(back, rules, taken_as_reported(sold, rules, context(sold)), context(back))
    assert isinstance(found.step, Modify)
    net = round(D(refunded) / D("1.19"), 2)
    assert judged(sold, send="all").conversion.net.amount - found.conversion.net.amount == net


_INCLUDED = ("none", "gift_cards", "tax", "shipping", "shipping,tax", "gift_cards,shipping,tax")


def lives() -> list[list[tuple[Order, dict[str, Any]]]]:
    """Each recorded order's states from the oldest on, with their bodies."""
    found: dict[str, list[tuple[Order, dict[str, Any]]]] = {}
    for name in ORDER_FILES:
        order = order_of(name)
        found.setdefault(order.key, []).append((order, delivery(name).order))
    return [sorted(states, key=lambda one: one[0].changed_at) for states in found.values()]


@pytest.mark.parametrize("include", _INCLUDED)
def test_under_every_rule_the_books_follow_each_order(include: str) -> None:
    """What the units kept and the shipping kept cost, less what was given back for neither."""
    delivery(ORDER_FILES[0] if ORDER_FILES else "any")
    counted = include.split(",")
    side = "gross" if "tax" in counted else "net"
    ways = product(("auto", "order", "item"), ("send", "skip"), ("spread", "leave"))
    for (discounts, zero_items, amount_refunds), states in product(ways, lives()):
        way = {"discounts": discounts, "zero_items": zero_items, "amount_refunds": amount_refunds}
        told = Told(states[0][0].placed_at, include=include, **way)
        for order, body in states:
            check_followed(order, told.follow(order), told)
            if order.payment is not Payment.PAID:
                assert told.amount == 0
                continue
            kept = {line.id: line.kept for line in order.lines}
            worth = D(0)
            for line in body["lines"]:
                worth += line["totalPrice"][side]["amount"] * kept[line["id"]] / line["quantity"]
            if "shipping" in counted and order.extras:
                worth += body["shippingPrice"][side]["amount"]
            assert order.given_back is not None
            assert order.given_back_tax is not None
            if amount_refunds == "spread":
                worth -= order.given_back.shop.amount
                worth -= order.given_back_tax.shop.amount if side == "gross" else 0
            assert told.amount == worth


def test_a_full_refund_takes_the_conversion_back() -> None:
    sold = order_of(f"{NEW}/16a-order-to-refund/03-order_fully_paid.json")
    rules = read_rules({})
    held = taken_as_reported(sold, rules, context(sold))
    for name in ("01-order_refunded", "02-order_updated", "03-order_fully_refunded"):
        gone = order_of(f"{NEW}/16c-rest-refunded/{name}.json")
        assert gone.payment is Payment.REFUNDED
        assert isinstance(plan(gone, rules, held, context(gone)).step, Reverse)


def test_a_return_without_money_changes_nothing() -> None:
    sold = order_of(f"{NEW}/26b-captured/02-order_fully_paid.json")
    back = order_of(f"{NEW}/26d-returned-one-unit/01-order_updated.json")
    rules = read_rules({"send": "all"})
    held = taken_as_reported(sold, rules, context(sold))
    assert plan(back, rules, held, context(back)).reason is Reason.UNCHANGED


def test_the_apps_own_end_is_understood_with_its_moment() -> None:
    found = delivery(f"{NEW}/31-app-deleted/01-app_deleted.json")
    event = read(found.topic, found.raw)
    assert isinstance(event, Uninstalled)
    assert event.at is not None
    assert event.at.isoformat() == "2026-11-20T17:38:13.194483+00:00"


def test_no_recorded_event_is_left_out() -> None:
    delivery(ORDER_FILES[0] if ORDER_FILES else "any")
    events = {str(file.relative_to(PAYLOADS)) for file in PAYLOADS.glob("*/*/[0-9]*-*.json")}
    others = {name for name in events - set(ORDER_FILES) if "/00-install/" not in name}
    assert others == {f"{NEW}/31-app-deleted/01-app_deleted.json"}
