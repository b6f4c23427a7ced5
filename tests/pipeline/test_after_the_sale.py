"""After the sale, end to end: what the pretend network holds follows the order, with no call too many.

Every case states its arithmetic, and every change is delivered twice: the second time nothing may be sent.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from impact_app.ledger.tables import conversions, orders
from impact_app.simulator.network import Setup
from impact_app.simulator.shopify.orders import DiscountSpec, LineSpec, cancel, edit, refund
from tests.line import Bench, both_databases

D = Decimal
Body = dict[str, Any]

TOWEL = LineSpec(sku="TOWEL", title="Towel", price=D("14.00"), quantity=3, variant_id=1, product_id=11)
MUG = LineSpec(sku="MUG", title="Mug", price=D("33.00"), quantity=1, variant_id=2, product_id=12)
SOAP = LineSpec(sku="SOAP", title="Soap", price=D("9.00"), quantity=1, variant_id=3, product_id=13)
LAMP = LineSpec(sku="LAMP", title="Lamp", price=D("50.00"), quantity=1, variant_id=4, product_id=14)
CARD = LineSpec(sku="CARD", title="Card", price=D("25.00"), gift_card=True, variant_id=5, product_id=15)

#: 3 x 14.00 + 1 x 33.00
WHOLE = D("75.00")

REPORT, CHANGE, TAKE_BACK = "POST Conversions 200", "PUT Actions 200", "DELETE Actions 200"


def sold(bench: Bench, *lines: LineSpec, **fields: Any) -> Body:
    """An order that impact.com holds."""
    body = bench.pay(*(lines or (TOWEL, MUG)), **fields)
    assert bench.run() == 1
    return body


def becomes(bench: Bench, body: Body, topic: str = "orders/updated") -> list[str]:
    """Deliver what the order has become, twice; the calls that were made of it."""
    before = len(bench.calls())
    for _ in range(2):
        bench.deliver_body(topic, body)
        bench.run()
        made = bench.calls()[before:]
    assert bench.run() == 0
    return [call for call in made if not call.startswith("GET")]


def held(bench: Bench, order_id: object) -> dict[str, tuple[int, Decimal]]:
    """Units and amounts of the one action under this order id."""
    (action,) = bench.network.books.actions_of_order(str(order_id))
    return {item.sku: (item.quantity, item.amount) for item in action.items}


def is_reversed(bench: Bench, order_id: object) -> bool:
    (action,) = bench.network.books.actions_of_order(str(order_id))
    return action.reversed


def line_of(body: Body, at: int) -> int:
    return int(body["line_items"][at]["id"])


def back(body: Body, *units: int, **more: Any) -> Body:
    """The order after so many units of each line came back."""
    given = {line_of(body, at): count for at, count in enumerate(units) if count}
    return refund(body, given, **more)[1]


def detail(bench: Bench, body: Body) -> str:
    (found,) = bench.rows(orders, orders.c.order_key == str(body["id"]))
    return str(found.detail)


def read_back(bench: Bench) -> None:
    """Let the network tell of what it accepted."""
    bench.clock.advance(minutes=30)
    bench.line.verifier.drain(bench.turn)


def after_locking(bench: Bench) -> None:
    """Sold on 20 November, an action locks 27 days after the end of the month."""
    bench.clock.now = datetime.fromisoformat("2026-12-29T00:00:00+00:00")


# Refunds of items


@both_databases
def test_a_full_refund_takes_the_order_back(bench: Bench) -> None:
    bench.connect()
    body = sold(bench)
    assert becomes(bench, back(body, 3, 1)) == [TAKE_BACK]
    assert is_reversed(bench, body["id"])
    assert bench.verdict(body) == ("reported", "reversed")


def test_a_full_refund_in_three_steps(bench: Bench) -> None:
    """75.00 - 14.00 = 61.00, - 2 x 14.00 = 33.00, - 33.00 = nothing."""
    bench.connect()
    body = sold(bench)
    one = back(body, 1)
    assert becomes(bench, one) == [CHANGE]
    assert bench.booked(body) == [WHOLE - D("14.00")]
    two = back(one, 2)
    assert becomes(bench, two) == [CHANGE]
    assert bench.booked(body) == [WHOLE - 3 * D("14.00")]
    assert becomes(bench, back(two, 0, 1)) == [TAKE_BACK]
    assert is_reversed(bench, body["id"])


def test_one_unit_of_three(bench: Bench) -> None:
    bench.connect()
    body = sold(bench)
    assert becomes(bench, back(body, 1)) == [CHANGE]
    assert held(bench, body["id"]) == {"TOWEL": (2, 2 * D("14.00")), "MUG": (1, D("33.00"))}


def test_a_unit_with_a_discount_returns_what_was_paid_for_it(bench: Bench) -> None:
    """3 x 14.00 and 33.00 less 10 %: 37.80 and 29.70; one towel comes back for 12.60."""
    bench.connect()
    body = sold(bench, TOWEL, MUG, discounts=(DiscountSpec(value=D(10), name="TEN"),))
    assert bench.booked(body) == [WHOLE * D("0.9")]
    assert becomes(bench, back(body, 1)) == [CHANGE]
    assert held(bench, body["id"])["TOWEL"] == (2, 3 * D("12.60") - D("12.60"))
    assert bench.booked(body) == [2 * D("12.60") + D("29.70")]


def test_a_unit_whose_price_contains_tax_returns_its_net(bench: Bench) -> None:
    """3 x 11.90 with 19 % tax in it are 3 x 10.00 net."""
    bench.connect()
    line = LineSpec(sku="TOWEL", price=D("11.90"), quantity=3, tax_rate=D("0.19"))
    body = sold(bench, line, taxes_included=True)
    assert bench.booked(body) == [3 * D("10.00")]
    assert becomes(bench, back(body, 1)) == [CHANGE]
    assert bench.booked(body) == [2 * D("10.00")]


@pytest.mark.parametrize(("currency", "price"), [("JPY", "1500"), ("KWD", "1.255"), ("EUR", "15.55")])
def test_currencies_of_no_two_and_three_decimals(bench: Bench, currency: str, price: str) -> None:
    bench.connect()
    body = sold(bench, LineSpec(sku="TOWEL", price=D(price), quantity=3), currency=currency)
    assert becomes(bench, back(body, 1)) == [CHANGE]
    assert held(bench, body["id"]) == {"TOWEL": (2, 2 * D(price))}


def test_a_refund_without_restock_is_a_refund(bench: Bench) -> None:
    bench.connect()
    body = sold(bench)
    assert becomes(bench, back(body, 1, restock_type="no_restock")) == [CHANGE]
    assert bench.booked(body) == [WHOLE - D("14.00")]


def test_a_gift_card_that_is_refunded_was_never_reported(bench: Bench) -> None:
    bench.connect()
    body = sold(bench, TOWEL, CARD)
    assert bench.booked(body) == [3 * D("14.00")]
    assert becomes(bench, back(body, 0, 1)) == []
    assert bench.booked(body) == [3 * D("14.00")]


# Refunds of no items


def test_a_refund_of_shipping_changes_nothing(bench: Bench) -> None:
    bench.connect()
    body = sold(bench, TOWEL, shipping=D("6.00"))
    assert becomes(bench, back(body, shipping=D("6.00"))) == []
    assert bench.booked(body) == [3 * D("14.00")]


def test_refunded_shipping_follows_where_shipping_counts(bench: Bench) -> None:
    """42.00 + 6.00, then 6.00 - 4.00 of shipping, then none."""
    bench.connect(include="shipping")
    body = sold(bench, TOWEL, shipping=D("6.00"))
    assert bench.booked(body) == [3 * D("14.00") + D("6.00")]
    some = back(body, shipping=D("4.00"))
    assert becomes(bench, some) == [CHANGE]
    assert held(bench, body["id"])["shipping"] == (1, D("6.00") - D("4.00"))
    assert becomes(bench, back(some, shipping=D("2.00"))) == [CHANGE]
    assert held(bench, body["id"]) == {"TOWEL": (3, 3 * D("14.00")), "shipping": (0, D(0))}


def test_refunded_shipping_with_its_tax_leaves_the_net(bench: Bench) -> None:
    """11.90 of shipping contain 1.90 tax; half of it back leaves 5.95 with 0.95 in it."""
    bench.connect(include="shipping")
    more: Body = {"shipping": D("11.90"), "shipping_tax_rate": D("0.19"), "taxes_included": True}
    body = sold(bench, TOWEL, **more)
    assert held(bench, body["id"])["shipping"] == (1, D("11.90") - D("1.90"))
    assert becomes(bench, back(body, shipping=D("5.95"))) == [CHANGE]
    assert held(bench, body["id"])["shipping"] == (1, D("5.95") - D("0.95"))


def test_duties_and_fees_given_back_follow_where_they_count(bench: Bench) -> None:
    """A towel goes with the duties (5.00) and fees (2.00) of the order: 28.00 stays."""
    bench.connect(include="duties,fees")
    body = sold(bench, TOWEL, duties=D("5.00"), fees=D("2.00"))
    assert bench.booked(body) == [3 * D("14.00") + D("5.00") + D("2.00")]
    assert becomes(bench, back(body, 1, with_duties=True)) == [CHANGE]
    assert held(bench, body["id"]) == {
        "TOWEL": (2, 2 * D("14.00")),
        "duties": (0, D(0)),
        "fees": (0, D(0)),
    }


@both_databases
def test_a_refund_of_an_amount_is_spread(bench: Bench) -> None:
    """10.00 over 42.00 and 33.00: 5.60 and 4.40."""
    bench.connect()
    body = sold(bench)
    assert becomes(bench, back(body, adjustment=D("10.00"))) == [CHANGE]
    assert held(bench, body["id"]) == {
        "TOWEL": (3, D("42.00") - D("5.60")),
        "MUG": (1, D("33.00") - D("4.40")),
    }


def test_a_refund_of_an_amount_is_left_by_rule(bench: Bench) -> None:
    bench.connect(amount_refunds="leave")
    body = sold(bench)
    assert becomes(bench, back(body, adjustment=D("10.00"))) == []
    assert bench.booked(body) == [WHOLE]


def test_an_amount_and_then_units_are_both_taken_off(bench: Bench) -> None:
    """7.50 of 75.00; then the mug goes: the amount is borne by the towels alone, 42.00 - 7.50."""
    bench.connect()
    body = sold(bench)
    less = back(body, adjustment=D("7.50"))
    assert becomes(bench, less) == [CHANGE]
    assert bench.booked(body) == [WHOLE - D("7.50")]
    assert becomes(bench, back(less, 0, 1)) == [CHANGE]
    assert held(bench, body["id"]) == {"TOWEL": (3, D("42.00") - D("7.50")), "MUG": (0, D(0))}


def test_all_money_back_without_items_takes_the_order_back(bench: Bench) -> None:
    bench.connect()
    body = sold(bench, shipping=None)
    assert becomes(bench, back(body, adjustment=WHOLE)) == [TAKE_BACK]
    assert is_reversed(bench, body["id"])


def test_all_of_the_goods_back_but_not_the_shipping_takes_the_order_back(bench: Bench) -> None:
    bench.connect()
    body = sold(bench, shipping=D("6.00"))
    assert becomes(bench, back(body, adjustment=WHOLE)) == [TAKE_BACK]
    assert is_reversed(bench, body["id"])


def test_a_refund_of_nothing_changes_nothing(bench: Bench) -> None:
    bench.connect()
    body = sold(bench)
    assert becomes(bench, back(body, note="Sorry")) == []
    assert bench.booked(body) == [WHOLE]


# Cancellations


def test_a_cancellation_before_the_payment_is_never_reported(bench: Bench) -> None:
    bench.connect()
    body = bench.order(TOWEL, MUG, financial_status="pending")
    assert becomes(bench, body, "orders/create") == []
    gone = cancel(body)
    assert gone["financial_status"] == "voided"
    assert becomes(bench, gone, "orders/cancelled") == []
    assert bench.verdict(body) == ("withheld", "cancelled_before_report")


@both_databases
def test_a_cancellation_with_its_refund_webhook_counts_once(bench: Bench) -> None:
    bench.connect()
    body = sold(bench)
    gone = cancel(body)
    bench.deliver_body("refunds/create", gone["refunds"][0])
    assert becomes(bench, gone, "orders/cancelled") == [TAKE_BACK]
    assert becomes(bench, gone) == []
    (action,) = bench.network.books.actions_of_order(str(body["id"]))
    assert (action.reversed, action.modifications, action.amount) == (True, 1, D(0))


def test_a_cancellation_after_a_partial_refund(bench: Bench) -> None:
    bench.connect()
    body = sold(bench)
    less = back(body, 1)
    assert becomes(bench, less) == [CHANGE]
    assert becomes(bench, cancel(less), "orders/cancelled") == [TAKE_BACK]
    assert is_reversed(bench, body["id"])


@pytest.mark.parametrize(
    ("fields", "reason", "code"),
    [
        ({}, "customer", "REJECTED"),
        ({}, "fraud", "CONS_FRAUD"),
        ({"test": True}, "customer", "TEST_ACTION"),
        ({"test": True}, "fraud", "TEST_ACTION"),
    ],
)
def test_an_order_taken_back_says_why(bench: Bench, fields: Body, reason: str, code: str) -> None:
    bench.connect(test_orders="send")
    body = sold(bench, **fields)
    assert becomes(bench, cancel(body, reason=reason), "orders/cancelled") == [TAKE_BACK]
    (action,) = bench.network.books.actions_of_order(str(body["id"]))
    assert {update.disposition for update in action.updates} == {code}


def test_the_code_for_a_test_order_is_the_merchants(bench: Bench) -> None:
    bench.connect(test_orders="send", code_test="OTHER")
    body = sold(bench, test=True)
    assert becomes(bench, back(body, 3, 1)) == [TAKE_BACK]
    (action,) = bench.network.books.actions_of_order(str(body["id"]))
    assert {update.disposition for update in action.updates} == {"OTHER"}


# Edits


def test_a_line_removed_by_an_edit(bench: Bench) -> None:
    bench.connect()
    body = sold(bench)
    assert becomes(bench, edit(body, remove={line_of(body, 1): 1})[1]) == [CHANGE]
    assert held(bench, body["id"]) == {"TOWEL": (3, 3 * D("14.00")), "MUG": (0, D(0))}


def test_a_quantity_lowered_by_an_edit(bench: Bench) -> None:
    bench.connect()
    body = sold(bench)
    assert becomes(bench, edit(body, remove={line_of(body, 0): 2})[1]) == [CHANGE]
    assert held(bench, body["id"])["TOWEL"] == (1, D("14.00"))


def test_a_price_lowered_by_an_edit(bench: Bench) -> None:
    """3.00 off the mug, by a discount that the order's list of discounts does not have."""
    bench.connect()
    body = sold(bench)
    off = {"amount": "3.00", "discount_application_index": 9}
    mug = body["line_items"][1] | {"discount_allocations": [off | {"amount_set": shop_money("3.00")}]}
    lower = {"subtotal_price": "72.00", "subtotal_price_set": shop_money("72.00")}
    less = {f"current_{name}": value for name, value in lower.items()}
    changed = {**body, **lower, **less, "line_items": [body["line_items"][0], mug], **later(body)}
    assert becomes(bench, changed) == [CHANGE]
    assert held(bench, body["id"])["MUG"] == (1, D("33.00") - D("3.00"))


def shop_money(amount: str) -> Body:
    money = {"amount": amount, "currency_code": "USD"}
    return {"shop_money": money, "presentment_money": money}


def later(body: Body, hours: int = 5) -> Body:
    moment = datetime.fromisoformat(body["updated_at"]) + timedelta(hours=hours)
    return {"updated_at": moment.isoformat()}


def with_lamp(body: Body, status: str = "paid", lamp: LineSpec = LAMP) -> Body:
    """The order with a lamp added, and paid."""
    return {**edit(body, add=(lamp,))[1], "financial_status": status}


def test_an_added_line_is_told_and_not_reported(bench: Bench) -> None:
    bench.connect()
    body = sold(bench)
    assert becomes(bench, with_lamp(body)) == []
    assert bench.verdict(body) == ("reported", "added_items")
    assert detail(bench, body) == "LAMP: 50.00 USD."
    assert bench.booked(body) == [WHOLE]


@both_databases
def test_an_added_line_becomes_a_second_conversion(bench: Bench) -> None:
    bench.connect(added_items="second_conversion")
    body = sold(bench)
    assert becomes(bench, with_lamp(body)) == [REPORT]
    assert held(bench, body["id"]) == {"TOWEL": (3, 3 * D("14.00")), "MUG": (1, D("33.00"))}
    assert held(bench, f"{body['id']}-2") == {"LAMP": (1, D("50.00"))}
    assert bench.verdict(body) == ("reported", "accepted")
    assert bench.reported(body) == WHOLE + D("50.00")


def test_an_added_line_waits_until_it_is_paid(bench: Bench) -> None:
    bench.connect(added_items="second_conversion")
    body = sold(bench)
    added = with_lamp(body, "partially_paid")
    assert becomes(bench, added) == []
    assert detail(bench, body) == "LAMP: 50.00 USD. They are reported once they are paid."
    assert becomes(bench, {**added, "financial_status": "paid"}) == [REPORT]
    assert held(bench, f"{body['id']}-2") == {"LAMP": (1, D("50.00"))}


@both_databases
def test_a_second_conversion_is_followed_by_itself(bench: Bench) -> None:
    """Two lamps; one comes back, then a towel, then the other lamp."""
    bench.connect(added_items="second_conversion")
    body = sold(bench)
    two = LineSpec(sku="LAMP", price=D("50.00"), quantity=2, variant_id=4, product_id=14)
    added = with_lamp(body, lamp=two)
    assert becomes(bench, added) == [REPORT]
    one = back(added, 0, 0, 1)
    assert becomes(bench, one) == [CHANGE]
    assert held(bench, f"{body['id']}-2") == {"LAMP": (1, 2 * D("50.00") - D("50.00"))}
    assert bench.booked(body) == [WHOLE]
    less = back(one, 1)
    assert becomes(bench, less) == [CHANGE]
    assert bench.booked(body) == [WHOLE - D("14.00")]
    assert becomes(bench, back(less, 0, 0, 1)) == [TAKE_BACK]
    assert is_reversed(bench, f"{body['id']}-2")
    assert bench.verdict(body) == ("reported", "accepted")


@both_databases
def test_a_cancellation_takes_both_conversions_back_once(bench: Bench) -> None:
    bench.connect(added_items="second_conversion")
    body = sold(bench)
    added = with_lamp(body)
    assert becomes(bench, added) == [REPORT]
    assert becomes(bench, cancel(added), "orders/cancelled") == [TAKE_BACK, TAKE_BACK]
    assert is_reversed(bench, body["id"])
    assert is_reversed(bench, f"{body['id']}-2")
    assert bench.verdict(body) == ("reported", "reversed")


def test_what_is_added_after_a_second_conversion_is_a_third(bench: Bench) -> None:
    bench.connect(added_items="second_conversion")
    body = sold(bench)
    added = with_lamp(body)
    assert becomes(bench, added) == [REPORT]
    assert becomes(bench, with_lamp(added, lamp=SOAP)) == [REPORT]
    assert held(bench, f"{body['id']}-3") == {"SOAP": (1, D("9.00"))}
    assert bench.reported(body) == WHOLE + D("50.00") + D("9.00")


def test_a_second_conversion_has_the_discount_of_its_items_alone(bench: Bench) -> None:
    """10 % on the order as it was bought; the lamp was added at its full price."""
    bench.connect(added_items="second_conversion", discounts="order")
    body = sold(bench, discounts=(DiscountSpec(value=D(10), name="TEN"),))
    assert becomes(bench, with_lamp(body)) == [REPORT]
    assert bench.booked(body) == [WHOLE * D("0.9")]
    assert held(bench, f"{body['id']}-2") == {"LAMP": (1, D("50.00"))}


def test_an_answer_that_is_lost_books_the_added_line_once(bench: Bench) -> None:
    bench.connect(added_items="second_conversion")
    body = sold(bench)
    bench.network.faults.script("reset_after")
    bench.deliver_body("orders/updated", with_lamp(body))
    assert bench.run() == 1
    bench.clock.advance(hours=1)
    assert bench.run() == 1
    assert held(bench, f"{body['id']}-2") == {"LAMP": (1, D("50.00"))}
    assert [row.part for row in bench.rows(conversions)] == [1, 2]


def test_a_gift_card_that_is_added_is_no_item(bench: Bench) -> None:
    bench.connect(added_items="second_conversion")
    body = sold(bench)
    assert becomes(bench, with_lamp(body, lamp=CARD)) == []
    assert bench.verdict(body) == ("reported", "accepted")


def test_items_added_to_an_order_that_is_too_old_are_only_told(bench: Bench) -> None:
    bench.connect(added_items="second_conversion")
    body = sold(bench)
    bench.clock.advance(days=89)
    assert becomes(bench, with_lamp(body)) == []
    assert detail(bench, body) == "LAMP: 50.00 USD. The order is too old for another conversion."


def test_an_exchange_returns_one_item_and_tells_the_other(bench: Bench) -> None:
    bench.connect()
    body = sold(bench)
    assert becomes(bench, with_lamp(back(body, 0, 1), "partially_refunded")) == [CHANGE]
    assert bench.booked(body) == [3 * D("14.00")]
    assert bench.verdict(body) == ("reported", "added_items")


def test_an_exchange_of_everything_moves_to_a_second_conversion(bench: Bench) -> None:
    """The towels go back and a lamp comes: the first is reversed, the second reported."""
    bench.connect(added_items="second_conversion")
    body = sold(bench, TOWEL)
    swapped = with_lamp(edit(body, remove={line_of(body, 0): 3})[1])
    assert becomes(bench, swapped) == [TAKE_BACK, REPORT]
    assert is_reversed(bench, body["id"])
    assert held(bench, f"{body['id']}-2") == {"LAMP": (1, D("50.00"))}
    assert bench.verdict(body) == ("reported", "accepted")


# Out of order


def test_a_refund_hint_before_the_payment_webhook(bench: Bench) -> None:
    bench.connect()
    body = bench.order(TOWEL, MUG)
    record, less = refund(body, {line_of(body, 0): 1})
    bench.deliver_body("refunds/create", record)
    assert bench.run() == 0
    assert becomes(bench, body, "orders/paid") == [REPORT]
    assert becomes(bench, less) == [CHANGE]
    assert bench.booked(body) == [WHOLE - D("14.00")]


def test_an_older_snapshot_after_a_newer_one(bench: Bench) -> None:
    bench.connect()
    body = sold(bench)
    less = back(body, 1)
    assert becomes(bench, back(less, 1)) == [CHANGE]
    assert becomes(bench, less) == []
    assert becomes(bench, body, "orders/paid") == []
    assert bench.booked(body) == [WHOLE - 2 * D("14.00")]


@pytest.mark.parametrize(
    "after", [cancel, lambda body: back(body, 1), lambda body: back(body, adjustment=D(9))]
)
def test_an_earlier_state_of_the_same_second_is_not_used(bench: Bench, after: Callable[[Body], Body]) -> None:
    """Shopify tells changes by the second: a state without the refund is the older of the two."""
    bench.connect()
    body = sold(bench)
    now = {**after(body), "updated_at": body["updated_at"]}
    assert len(becomes(bench, now)) == 1
    booked = bench.booked(body)
    assert becomes(bench, {**body, "tags": "sent"}) == []
    assert bench.booked(body) == booked


@pytest.mark.parametrize("units", [(1, 0), (0, 1)])
def test_a_refund_while_the_conversion_waits_reduces_it(bench: Bench, units: tuple[int, int]) -> None:
    bench.connect()
    body = bench.pay(TOWEL, MUG)
    assert bench.process() == 1
    assert becomes(bench, back(body, *units)) == [REPORT]
    assert bench.booked(body) == [WHOLE - units[0] * D("14.00") - units[1] * D("33.00")]


# What impact.com would not carry out


@both_databases
def test_a_refund_after_the_locking_date_is_told_with_its_money(bench: Bench) -> None:
    bench.connect()
    body = sold(bench)
    read_back(bench)
    after_locking(bench)
    assert becomes(bench, back(body, 1)) == []
    assert bench.verdict(body) == ("reported", "too_late")
    assert detail(bench, body) == (
        "Locked since 2026-12-28. impact.com holds 75.00 USD, the order is worth 61.00 USD: "
        "14.00 USD too much."
    )
    assert bench.booked(body) == [WHOLE]


def test_a_cancellation_after_the_locking_date_is_told_with_all_of_it(bench: Bench) -> None:
    bench.connect()
    body = sold(bench)
    read_back(bench)
    after_locking(bench)
    assert becomes(bench, cancel(body), "orders/cancelled") == []
    assert bench.verdict(body) == ("reported", "too_late")
    assert detail(bench, body).endswith("the order is worth 0.00 USD: 75.00 USD too much.")


def test_a_lock_that_was_not_known_is_told_once_the_network_says_so(bench: Bench) -> None:
    bench.connect()
    body = sold(bench)
    assert bench.network.books.lock() == 1
    assert becomes(bench, back(body, 1)) == [CHANGE]
    assert bench.booked(body) == [WHOLE]
    read_back(bench)
    assert bench.verdict(body) == ("reported", "too_late")
    assert "14.00 USD too much." in detail(bench, body)
    assert becomes(bench, {**back(body, 1), "tags": "sent"}) == []
    assert bench.verdict(body) == ("reported", "too_late")


def test_a_reversal_that_was_refused_by_a_lock_is_not_told_as_reversed(bench: Bench) -> None:
    bench.connect()
    body = sold(bench)
    assert bench.network.books.lock() == 1
    assert becomes(bench, cancel(body), "orders/cancelled") == [TAKE_BACK]
    assert not is_reversed(bench, body["id"])
    read_back(bench)
    assert bench.verdict(body) == ("reported", "too_late")
    assert f"{WHOLE} USD too much." in detail(bench, body).replace("75.0 ", "75.00 ")


def changed_so_often(bench: Bench, times: int) -> None:
    with bench.line.database.write() as connection:
        connection.execute(sa.update(conversions).values(changes=times))


def test_the_thousandth_change_is_sent_and_the_next_is_not(bench: Bench) -> None:
    bench.connect()
    body = sold(bench)
    changed_so_often(bench, 999)
    one = back(body, 1)
    assert becomes(bench, one) == [CHANGE]
    assert becomes(bench, back(one, 1)) == []
    assert bench.verdict(body) == ("reported", "too_many_changes")
    assert detail(bench, body) == (
        "impact.com holds 61.00 USD, the order is worth 47.00 USD: 14.00 USD too much."
    )
    assert bench.booked(body) == [WHOLE - D("14.00")]


def test_an_action_of_zero_is_not_reversed(bench: Bench) -> None:
    bench.connect(zero_value="send")
    body = sold(bench, LineSpec(sku="GIFT", price=D("0.00"), quantity=2), shipping=D("6.00"))
    assert bench.booked(body) == [D(0)]
    assert becomes(bench, back(body, 1)) == []
    assert bench.verdict(body) == ("reported", "nothing_to_change")
    assert becomes(bench, cancel(body), "orders/cancelled") == []
    assert bench.verdict(body) == ("reported", "nothing_to_change")


# An order that counts again


@both_databases
def test_an_order_that_is_no_longer_cancelled_is_brought_back(bench: Bench) -> None:
    bench.connect()
    body = sold(bench)
    assert becomes(bench, cancel(body), "orders/cancelled") == [TAKE_BACK]
    assert becomes(bench, {**body, **later(body)}) == [CHANGE]
    assert not is_reversed(bench, body["id"])
    assert bench.booked(body) == [WHOLE]
    assert bench.verdict(body) == ("reported", "accepted")


def test_an_order_that_counts_again_in_part_is_brought_back_and_changed(bench: Bench) -> None:
    """All is removed, then two towels are put back and paid: the original 75.00, then 28.00."""
    bench.connect()
    body = sold(bench)
    gone = edit(body, remove={line_of(body, 0): 3, line_of(body, 1): 1})[1]
    assert becomes(bench, gone) == [TAKE_BACK]
    again = edit(gone, increase={line_of(body, 0): 2})[1]
    assert becomes(bench, again) == []  # not paid yet
    assert becomes(bench, {**again, "financial_status": "paid"}) == [CHANGE, CHANGE]
    assert held(bench, body["id"]) == {"TOWEL": (2, 2 * D("14.00")), "MUG": (0, D(0))}


def test_an_order_that_counts_again_too_late_is_told_with_its_money(bench: Bench) -> None:
    bench.connect()
    body = sold(bench)
    assert becomes(bench, cancel(body), "orders/cancelled") == [TAKE_BACK]
    read_back(bench)
    after_locking(bench)
    assert becomes(bench, {**body, **later(body)}) == []
    assert bench.verdict(body) == ("reported", "too_late")
    assert detail(bench, body).endswith("the order is worth 75.00 USD: 75.00 USD too little.")


def test_an_order_whose_first_items_are_not_known_stays_reversed(bench: Bench) -> None:
    """As reported by a version that did not keep them; a second sale is never made of it."""
    bench.connect(added_items="second_conversion")
    body = sold(bench)
    assert becomes(bench, cancel(body), "orders/cancelled") == [TAKE_BACK]
    (row,) = bench.rows(conversions)
    with bench.line.database.write() as connection:
        forgotten = {name: value for name, value in row.reported.items() if name != "first"}
        connection.execute(sa.update(conversions).values(reported=forgotten))
    assert becomes(bench, {**body, **later(body)}) == []
    assert bench.verdict(body) == ("reported", "reversed_for_good")
    assert detail(bench, body) == (
        "impact.com holds 0.00 USD, the order is worth 75.00 USD: 75.00 USD too little."
    )


def test_an_order_nobody_is_paid_for_is_not_changed_and_gets_no_second_conversion(
    make_bench: Callable[[Setup], Bench],
) -> None:
    bench = make_bench(Setup(rate_limit=None, strict_clicks=True))
    bench.connect(added_items="second_conversion")
    body = sold(bench)
    for _ in range(4):
        read_back(bench)
    assert bench.verdict(body) == ("reported", "not_credited")
    assert becomes(bench, with_lamp(back(body, 1), "partially_refunded")) == []
