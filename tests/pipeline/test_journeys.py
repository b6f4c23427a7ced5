"""From the webhook to the books and back: what becomes of an order, delivery by delivery."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from impact_app.ledger.tables import conversions, deliveries, orders, steps
from impact_app.simulator.network import Fault, Setup, fault
from impact_app.simulator.shopify.orders import DiscountSpec, LineSpec, cancel, edit, refund
from tests.line import OTHER_SHOP, Bench, both_databases

TWO_LINES = (
    LineSpec(sku="TOWEL", title="Towel", price=Decimal("14.00"), quantity=2, variant_id=1, product_id=11),
    LineSpec(sku="MUG", title="Mug", price=Decimal("33.00"), quantity=3, variant_id=2, product_id=12),
)


@both_databases
def test_a_paid_order_is_one_conversion_with_the_exact_net(bench: Bench) -> None:
    bench.connect()
    off = DiscountSpec(value=Decimal("15.00"), value_type="fixed_amount", name="SAVE15")
    body = bench.pay(*TWO_LINES, discounts=(off,))
    assert bench.run() == 1
    assert bench.verdict(body) == ("reported", "accepted")
    net = 2 * Decimal("14.00") + 3 * Decimal("33.00") - Decimal("15.00")
    assert bench.booked(body) == [net]
    assert bench.reported(body) == net == Decimal("112.00")
    assert bench.counts() == {"deliveries": 1, "orders": 1, "steps": 1, "attempts": 1, "conversions": 1}
    assert bench.calls() == ["POST Conversions 200"]


@both_databases
def test_other_deliveries_of_an_unchanged_order_send_nothing(bench: Bench) -> None:
    bench.connect()
    body = bench.order()
    for topic in ("orders/create", "orders/paid", "orders/updated"):
        bench.deliver_body(topic, body)
    assert bench.run() == 1
    bench.deliver_body("orders/updated", {**body, "tags": "sent"})
    assert bench.run() == 0
    assert bench.fates() == [("settled", "judged")] * 4
    assert bench.counts() == {"deliveries": 4, "orders": 1, "steps": 1, "attempts": 1, "conversions": 1}
    assert bench.verdict(body) == ("reported", "accepted")


def test_an_update_before_the_payment_is_withheld_until_it_is_paid(bench: Bench) -> None:
    bench.connect()
    body = bench.order(financial_status="pending")
    bench.deliver_body("orders/updated", body)
    assert bench.run() == 0
    assert bench.verdict(body) == ("withheld", "not_paid")
    assert bench.count(steps) == 0
    paid = bench.order(order_id=body["id"], updated_at=bench.clock())
    bench.deliver_body("orders/paid", paid)
    assert bench.run() == 1
    assert bench.verdict(body) == ("reported", "accepted")
    assert bench.booked(body) == [Decimal("100.00")]


@both_databases
def test_an_older_snapshot_never_overwrites_a_newer_one(bench: Bench) -> None:
    bench.connect()
    body = bench.order(*TWO_LINES)
    _, less = refund(body, {body["line_items"][1]["id"]: 1})
    bench.deliver_body("orders/updated", less)
    bench.deliver_body("orders/paid", body)
    assert bench.run() == 1
    assert bench.fates() == [("settled", "judged"), ("settled", "older_snapshot")]
    assert bench.booked(body) == [Decimal("94.00")]  # 2 x 14.00 + 2 x 33.00
    assert bench.reported(body) == Decimal("94.00")


@both_databases
def test_a_partial_refund_becomes_a_modification(bench: Bench) -> None:
    bench.connect()
    body = bench.pay(*TWO_LINES)
    assert bench.run() == 1
    record, less = refund(body, {body["line_items"][1]["id"]: 2})
    bench.deliver_body("refunds/create", record)
    assert bench.run() == 0
    assert bench.fates()[-1] == ("settled", "hint_only")
    bench.deliver_body("orders/updated", less)
    assert bench.run() == 1
    assert bench.calls() == ["POST Conversions 200", "PUT Actions 200"]
    assert bench.booked(body) == [Decimal("61.00")]  # 2 x 14.00 + 1 x 33.00
    assert bench.reported(body) == Decimal("61.00")
    assert bench.verdict(body) == ("reported", "accepted")


def test_a_cancellation_reverses_the_conversion_once(bench: Bench) -> None:
    bench.connect()
    body = bench.pay()
    assert bench.run() == 1
    gone = cancel(body)
    for topic in ("orders/cancelled", "orders/updated"):
        bench.deliver_body(topic, gone)
    assert bench.run() == 1
    assert bench.calls() == ["POST Conversions 200", "DELETE Actions 200"]
    assert bench.booked(body) == [Decimal("0.00")]
    assert bench.verdict(body) == ("reported", "reversed")
    bench.deliver_body("orders/updated", {**gone, "tags": "late"})
    assert bench.run() == 0
    assert bench.verdict(body) == ("reported", "reversed")


def test_an_order_cancelled_before_it_was_sent_is_not_sent(bench: Bench) -> None:
    bench.connect()
    body = bench.pay()
    assert bench.process() == 1
    assert bench.steps_of(body) == [("submit", "pending")]
    bench.deliver_body("orders/cancelled", cancel(body))
    assert bench.run() == 0
    assert bench.steps_of(body) == [("submit", "replaced")]
    assert bench.verdict(body) == ("withheld", "cancelled_before_report")
    assert bench.calls() == []


# not configured


@both_databases
def test_an_order_waits_for_the_settings_and_is_then_sent(bench: Bench) -> None:
    store = bench.connect(configured=False)
    body = bench.pay()
    assert bench.run() == 0
    assert bench.verdict(body) == ("waiting", "not_configured")
    assert bench.count(steps) == 0
    bench.configure(store)
    assert bench.run() == 1
    assert bench.verdict(body) == ("reported", "accepted")
    assert bench.booked(body) == [Decimal("100.00")]


def test_a_route_alone_is_no_account(bench: Bench) -> None:
    """A rule may name campaign and event type; without account and token there is nobody to call as."""
    store = bench.connect(configured=False)
    bench.line.stores.save_settings(
        store.id,
        account_sid="",
        auth_token=None,
        campaign_id="",
        event_type_id="",
        rules={"routes": "country=US -> 1000:9876"},
    )
    body = bench.pay()
    assert bench.run() == 0
    assert bench.verdict(body) == ("waiting", "not_configured")
    assert bench.count(steps) == 0
    bench.configure(store, routes="country=US -> 1000:9876")
    assert bench.run() == 1
    assert bench.verdict(body) == ("reported", "accepted")


def test_500_waiting_orders_are_all_sent_once_the_settings_are_saved(bench: Bench) -> None:
    store = bench.connect(configured=False)
    bodies = [bench.pay() for _ in range(100)]
    assert bench.run() == 0
    bench.configure(store)
    assert bench.run() == 100
    assert sum(len(bench.booked(body)) for body in bodies) == 100
    assert {bench.verdict(body) for body in bodies} == {("reported", "accepted")}


# changes while a step waits


def test_a_refund_before_sending_replaces_the_untried_step(bench: Bench) -> None:
    bench.connect()
    body = bench.pay(*TWO_LINES)
    assert bench.process() == 1
    _, less = refund(body, {body["line_items"][0]["id"]: 1})
    bench.deliver_body("orders/updated", less)
    assert bench.run() == 1
    assert bench.steps_of(body) == [("submit", "replaced"), ("submit", "accepted")]
    assert bench.booked(body) == [Decimal("113.00")]  # 1 x 14.00 + 3 x 33.00
    assert bench.reported(body) == Decimal("113.00")


@pytest.mark.parametrize("when", ["500_before", "500_after"])
@both_databases
def test_a_refund_while_an_uncertain_step_waits_keeps_its_payload(bench: Bench, when: str) -> None:
    """impact.com may hold the first amounts, so they are repeated as they were and changed afterwards."""
    bench.connect()
    body = bench.pay(*TWO_LINES)
    bench.network.faults.script(when)
    assert bench.run() == 1
    assert bench.verdict(body) == ("waiting", "server_error")
    _, less = refund(body, {body["line_items"][0]["id"]: 1})
    bench.deliver_body("orders/updated", less)
    assert bench.run() == 0
    assert bench.steps_of(body) == [("submit", "pending")]
    bench.clock.advance(hours=1)
    assert bench.run() == 2
    assert bench.steps_of(body) == [("submit", "accepted"), ("modify", "accepted")]
    assert bench.booked(body) == [Decimal("113.00")]
    assert bench.reported(body) == Decimal("113.00")
    assert bench.verdict(body) == ("reported", "accepted")


def test_a_refund_while_a_step_certainly_unsent_waits_replaces_it(bench: Bench) -> None:
    bench.connect()
    body = bench.pay(*TWO_LINES)
    bench.network.faults.script(replace_seconds("429_none"))
    assert bench.run() == 1
    _, less = refund(body, {body["line_items"][0]["id"]: 1})
    bench.deliver_body("orders/updated", less)
    bench.clock.advance(minutes=2)
    assert bench.run() == 1
    assert bench.steps_of(body) == [("submit", "replaced"), ("submit", "accepted")]
    assert bench.booked(body) == [Decimal("113.00")]


def replace_seconds(name: str, seconds: float = 60) -> Fault:
    return fault(name, seconds=seconds)


def test_a_cancellation_while_an_uncertain_step_waits_is_sent_after_it(bench: Bench) -> None:
    bench.connect()
    body = bench.pay()
    bench.network.faults.script("reset_after")
    assert bench.run() == 1
    bench.deliver_body("orders/cancelled", cancel(body))
    assert bench.run() == 0
    bench.clock.advance(hours=1)
    assert bench.run() == 2
    assert bench.steps_of(body) == [("submit", "accepted"), ("reverse", "accepted")]
    assert bench.booked(body) == [Decimal("0.00")]
    assert bench.verdict(body) == ("reported", "reversed")


def test_items_added_after_the_report_change_nothing_there(bench: Bench) -> None:
    bench.connect()
    body = bench.pay()
    assert bench.run() == 1
    _, more = edit(body, add=(LineSpec(sku="NEW", variant_id=77, price=Decimal("9.00")),))
    bench.deliver_body("orders/updated", {**more, "financial_status": "paid"})
    assert bench.run() == 0
    assert bench.verdict(body) == ("reported", "added_items")
    assert bench.booked(body) == [Decimal("100.00")]


# several stores


def test_a_crowd_of_one_store_does_not_delay_another(bench: Bench) -> None:
    """500 older calls of one store wait; the other store's first call is among the very first."""
    crowd, single = bench.connect(), bench.connect(OTHER_SHOP)
    for _ in range(500):
        bench.pay()
    assert bench.process() == 500
    bench.clock.advance(seconds=1)
    body = bench.pay(shop=OTHER_SHOP)
    assert bench.process() == 1
    claimed = bench.line.outbox.claim(2, bench.clock(), "a claim")
    assert [step.store_id for step in claimed] == [crowd.id, single.id]
    assert claimed[1].order_key == str(body["id"])


def test_a_store_that_comes_while_a_crowd_is_under_way_is_next(bench: Bench) -> None:
    """Places become free one at a time; the store with nothing on its way takes the next one."""
    bench.connect()
    single = bench.connect(OTHER_SHOP)
    for _ in range(40):
        bench.pay()
    assert bench.process() == 40
    assert len(bench.line.outbox.claim(32, bench.clock(), "under way")) == 32
    bench.clock.advance(seconds=1)
    bench.pay(shop=OTHER_SHOP)
    assert bench.process() == 1
    (claimed,) = bench.line.outbox.claim(1, bench.clock(), "the next place")
    assert claimed.store_id == single.id


def test_stores_do_not_see_one_another(bench: Bench) -> None:
    """The same order id in two stores is two orders."""
    first, second = bench.connect(), bench.connect(OTHER_SHOP, order_id="number")
    body = bench.order()
    bench.deliver_body("orders/paid", body)
    bench.deliver_body("orders/paid", body, shop=OTHER_SHOP)
    assert bench.run() == 2
    assert [(row.store_id, row.verdict) for row in bench.rows(orders)] == [
        (first.id, "reported"),
        (second.id, "reported"),
    ]
    assert bench.count(conversions) == 2


# faults on the way


BOOKED_ONCE = [
    *(f"{status}_{when}" for status in (500, 502, 503, 504) for when in ("before", "after")),
    *("reset_before", "reset_after", "html_ok_before", "html_ok_after", "html_error_before"),
    *("html_error_after", "empty_ok_before", "empty_ok_after", "cut_off"),
]


@pytest.mark.parametrize("name", BOOKED_ONCE)
def test_whatever_happens_on_the_way_it_is_booked_once(bench: Bench, name: str) -> None:
    bench.connect()
    body = bench.pay()
    bench.network.faults.script(name)
    assert bench.run() == 1
    assert bench.verdict(body)[0] == "waiting"
    ((state, _),) = [(row.state, row.id) for row in bench.rows(steps)]
    assert state == "pending"
    bench.clock.advance(seconds=10)
    assert bench.run() == 1
    assert bench.verdict(body) == ("reported", "accepted")
    assert bench.booked(body) == [Decimal("100.00")]
    assert bench.counts() == {"deliveries": 1, "orders": 1, "steps": 1, "attempts": 2, "conversions": 1}


@pytest.mark.parametrize("name", ["timeout_before", "timeout_after"])
def test_a_time_out_is_repeated_and_booked_once(bench: Bench, name: str) -> None:
    bench.wait_for_answers(0.3)
    bench.connect()
    body = bench.pay()
    bench.network.faults.script(fault(name, seconds=1))
    assert bench.run() == 1
    assert bench.verdict(body) == ("waiting", "no_answer")
    bench.clock.advance(seconds=10)
    assert bench.run() == 1
    assert bench.booked(body) == [Decimal("100.00")]
    assert bench.verdict(body) == ("reported", "accepted")


def test_a_slow_answer_is_still_an_answer(bench: Bench) -> None:
    bench.connect()
    body = bench.pay()
    bench.network.faults.script(fault("slow", seconds=0.5))
    assert bench.run() == 1
    assert bench.verdict(body) == ("reported", "accepted")


def test_a_network_nobody_answers_for_is_certainly_not_reached(make_bench: Callable[[Setup], Bench]) -> None:
    bench = make_bench(Setup(rate_limit=None))
    bench.line.config = replace(bench.line.config, impact_api_url="http://127.0.0.1:1")
    bench.connect()
    body = bench.pay()
    assert bench.run() == 1
    assert bench.verdict(body) == ("waiting", "not_connected")
    (step,) = bench.rows(steps)
    assert (step.may_have_arrived, step.tries) == (False, 1)
    assert bench.calls() == []


def test_a_modification_that_meets_faults_is_applied_once(bench: Bench) -> None:
    bench.connect()
    body = bench.pay(*TWO_LINES)
    assert bench.run() == 1
    _, less = refund(body, {body["line_items"][1]["id"]: 2})
    bench.deliver_body("orders/updated", less)
    bench.network.faults.script("500_after", "cut_off", "reset_before")
    for _ in range(4):
        assert bench.run() == 1
        bench.clock.advance(hours=1)
    assert bench.run() == 0
    assert bench.booked(body) == [Decimal("61.00")]
    assert bench.verdict(body) == ("reported", "accepted")


# a fault of ours


def test_one_delivery_that_fails_holds_up_no_other(bench: Bench) -> None:
    """A fault of the app on one order: the others of its batch go through, and it is tried again."""
    bench.connect()
    bad, good = bench.order(), bench.order()
    bench.deliver_body("orders/paid", bad)
    assert bench.process() == 1
    with bench.line.database.write() as connection:
        connection.execute(orders.update().values(snapshot="{}"))
    bench.deliver_body("orders/updated", {**bad, "note": "again"})
    bench.deliver_body("orders/paid", good)
    assert bench.process() == 2
    assert bench.verdict(good) == ("waiting", "queued")
    rows = bench.rows(deliveries)
    assert [row.state for row in rows] == ["settled", "pending", "settled"]
    assert rows[1].claimed_at is None
    assert rows[1].not_before == bench.clock() + timedelta(seconds=20)
    assert "will try again" in rows[1].detail
