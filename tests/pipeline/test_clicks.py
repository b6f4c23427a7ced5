"""Clicks beside orders: joined in whichever order they come, one winner, nothing doubled or hijacked."""

from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from impact_app.domain.waiting import CLICK_WAIT
from impact_app.ledger.codec import order_from
from impact_app.ledger.tables import clicks, orders, stores
from impact_app.pipeline import judge
from impact_app.simulator.shopify.orders import CustomerSpec, DiscountSpec
from tests.line import OTHER_SHOP, SHOP, Bench, both_databases

TOKEN = "c1a5e7b0c1a5e7b0c1a5e7b0c1a5e7b0"
CODE = DiscountSpec(value=Decimal("10.00"), value_type="fixed_amount", name="SAVE10")


def beacon(bench: Bench, click: str = "beacon-1", status: int = 204, **changed: Any) -> None:
    body = {
        "shop": SHOP,
        "checkout_token": TOKEN,
        "order_id": None,
        "click": click,
        "consent": "granted",
        "event": "checkout_started",
        "at": "2026-11-20T12:00:00.000Z",
        **changed,
    }
    answer = bench.client.post("/storefront/clicks", json=body)
    assert answer.status_code == status, answer.text


def bought(bench: Bench, *, click: str | None = None, minutes: float = 5, **fields: Any) -> dict[str, Any]:
    """A paid order of that checkout, placed so many minutes ago."""
    attributes = (("im_ref", click),) if click else ()
    placed = bench.clock() - timedelta(minutes=minutes)
    body = bench.order(note_attributes=attributes, processed_at=placed, **fields)
    return {**body, "checkout_token": TOKEN, "cart_token": None}


def pay(bench: Bench, **fields: Any) -> dict[str, Any]:
    body = bought(bench, **fields)
    bench.deliver_body("orders/paid", body)
    return body


def connect_pixel(bench: Bench) -> None:
    with bench.line.database.write() as connection:
        connection.execute(sa.update(stores).values(pixel_id="gid://shopify/WebPixel/1"))


def told(bench: Bench, body: dict[str, Any]) -> dict[str, Any]:
    """The evidence of an order by carrier."""
    (row,) = bench.rows(orders, orders.c.order_key == str(body["id"]))
    return {one["carrier"]: one for one in row.evidence["carriers"]}


# Joining


@both_databases
def test_a_click_that_came_before_its_order_is_reported_with_it(bench: Bench) -> None:
    bench.connect()
    beacon(bench)
    body = pay(bench)
    assert bench.run() == 1
    assert bench.verdict(body) == ("reported", "accepted")
    assert bench.booked(body) == [Decimal("100.00")]
    found = told(bench, body)["beacon"]
    assert (found["value"], found["name"], found["used"], found["consent"]) == (
        "beacon-1",
        "checkout_token",
        True,
        "granted",
    )


@both_databases
def test_a_click_that_came_after_its_order_has_it_judged_again(bench: Bench) -> None:
    bench.connect()
    body = pay(bench)
    assert bench.run() == 0
    assert bench.verdict(body) == ("withheld", "no_click_or_code")
    beacon(bench, event="checkout_completed", order_id=str(body["id"]))
    assert bench.run() == 1
    assert bench.verdict(body) == ("reported", "accepted")
    assert bench.booked(body) == [Decimal("100.00")]
    assert bench.run() == 0


@both_databases
def test_with_a_pixel_an_order_waits_for_its_click_and_goes_on_when_it_comes(bench: Bench) -> None:
    bench.connect()
    connect_pixel(bench)
    body = pay(bench, minutes=0, discounts=(CODE,))
    assert bench.run() == 0
    assert bench.verdict(body) == ("waiting", "awaiting_click")
    beacon(bench)
    assert bench.run() == 1
    assert told(bench, body)["beacon"]["used"]
    assert bench.booked(body) == [Decimal("90.00")]  # 100.00 - 10.00


@both_databases
@pytest.mark.parametrize(
    ("discounts", "calls", "verdict"),
    [((), 0, ("withheld", "no_click_or_code")), ((CODE,), 1, ("reported", "accepted"))],
)
def test_an_order_whose_click_never_comes_goes_its_way_once_its_time_is_over(
    bench: Bench, discounts: tuple[DiscountSpec, ...], calls: int, verdict: tuple[str, str]
) -> None:
    bench.connect()
    connect_pixel(bench)
    body = pay(bench, minutes=0, discounts=discounts)
    assert bench.run() == 0
    (row,) = bench.rows(orders)
    assert row.click_due_at == bench.line.joiner.next_due() == row.placed_at + CLICK_WAIT
    bench.clock.now = row.click_due_at
    assert bench.run() == calls
    assert bench.verdict(body) == verdict
    assert bench.line.joiner.next_due() is None


@both_databases
def test_a_click_after_a_report_is_told_and_changes_nothing(bench: Bench) -> None:
    bench.connect()
    body = pay(bench, discounts=(CODE,))
    assert bench.run() == 1
    beacon(bench)
    assert bench.run() == 0
    assert bench.verdict(body) == ("reported", "accepted")
    found = told(bench, body)["beacon"]
    assert (found["used"], found["fault"]) == (False, "it came after the order was reported")
    (row,) = bench.rows(orders)
    assert (row.click_id, row.carrier) == (None, None)
    assert bench.calls() == ["POST Conversions 200"]


@both_databases
def test_a_newer_click_after_the_report_is_told_and_changes_nothing(bench: Bench) -> None:
    bench.connect()
    beacon(bench)
    body = pay(bench)
    assert bench.run() == 1
    beacon(bench, "newer", event="checkout_completed")
    assert bench.run() == 0
    found = told(bench, body)["beacon"]
    assert (found["value"], found["fault"]) == ("newer", "it came after the order was reported")
    assert bench.calls() == ["POST Conversions 200"]


@both_databases
def test_what_is_due_is_in_rows_alone(bench: Bench) -> None:
    """Redis emptied and every process gone between the click and its joining: both are found again."""
    bench.connect()
    connect_pixel(bench)
    first, late = pay(bench, minutes=0), pay(bench, minutes=5, order_id=4_999)
    bench.process()
    bench.line.redis.flushdb()
    bench.clock.advance(minutes=3)
    assert bench.line.joiner.has_due()
    assert bench.run() == 0
    assert {bench.verdict(one) for one in (first, late)} == {("withheld", "no_click_or_code")}


@both_databases
def test_an_order_under_way_while_its_click_is_looked_for_is_found_at_the_second_look(bench: Bench) -> None:
    bench.connect()
    beacon(bench)
    bench.join()
    (row,) = bench.rows(clicks)
    assert row.look_at == row.received_at + timedelta(minutes=2)
    bench.clock.advance(minutes=2)
    bench.join()
    assert [row.look_at for row in bench.rows(clicks)] == [None]


@both_databases
def test_a_fault_between_click_and_order_leaves_both_for_the_next_time(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.connect()
    body = pay(bench)
    bench.run()
    beacon(bench)
    with monkeypatch.context() as patched:
        patched.setattr(judge, "again", _killed)
        with pytest.raises(KeyboardInterrupt):
            bench.join()
    assert bench.verdict(body) == ("withheld", "no_click_or_code")
    assert bench.run() == 1
    assert bench.booked(body) == [Decimal("100.00")]


def _killed(*_: object, **__: object) -> bool:
    raise KeyboardInterrupt


@both_databases
def test_order_and_click_at_once_end_in_one_conversion(bench: Bench) -> None:
    bench.connect()
    connect_pixel(bench)
    beacon(bench)
    body = pay(bench, minutes=0)
    beacon(bench, "newer")
    threads = [threading.Thread(target=work) for work in (bench.process, bench.join, bench.join)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bench.run()
    assert bench.booked(body) == [Decimal("100.00")]
    assert sum(bench.calls().count(one) for one in ("POST Conversions 200",)) == 1


# Ranks


@both_databases
def test_what_the_order_carries_comes_before_a_beacon(bench: Bench) -> None:
    bench.connect()
    beacon(bench, "hijacked")
    body = pay(bench, click="own")
    assert bench.run() == 1
    found = told(bench, body)
    assert (found["cart_attribute"]["used"], found["beacon"]["used"]) == (True, False)
    (row,) = bench.rows(orders)
    assert (row.click_id, row.carrier) == ("own", "cart_attribute")


def test_a_beacon_comes_before_the_landing_page(bench: Bench) -> None:
    bench.connect()
    beacon(bench)
    body = pay(bench, landing_site="/?im_ref=landing")
    assert bench.run() == 1
    assert told(bench, body)["beacon"]["used"]
    assert told(bench, body)["landing_url"]["used"] is False


# Hijack


@both_databases
def test_a_beacon_reaches_no_order_of_another_store(bench: Bench) -> None:
    bench.connect()
    bench.connect(OTHER_SHOP)
    beacon(bench, shop=OTHER_SHOP)
    body = pay(bench)
    assert bench.run() == 0
    assert bench.verdict(body) == ("withheld", "no_click_or_code")
    assert told(bench, body) == {}


@both_databases
def test_an_order_id_joins_nothing(bench: Bench) -> None:
    bench.connect()
    body = pay(bench)
    bench.run()
    beacon(bench, checkout_token=None, order_id=str(body["id"]), status=400)
    beacon(bench, checkout_token="f" * 32, order_id=str(body["id"]))
    assert bench.run() == 0
    assert bench.verdict(body) == ("withheld", "no_click_or_code")
    assert told(bench, body) == {}


def test_a_beacon_that_names_another_order_is_not_used(bench: Bench) -> None:
    bench.connect()
    beacon(bench, order_id="4711")
    body = pay(bench)
    assert bench.run() == 0
    assert told(bench, body)["beacon"]["fault"] == "it names another order"


@both_databases
def test_a_newer_click_replaces_an_older_one_until_the_checkout_is_completed(bench: Bench) -> None:
    bench.connect()
    for click, event in (
        ("first", "checkout_started"),
        ("second", "checkout_started"),
        ("third", "checkout_completed"),
        ("fourth", "checkout_started"),
        ("fifth", "checkout_completed"),
    ):
        bench.clock.advance(seconds=1)
        beacon(bench, click, event=event)
    assert [(row.click, row.event) for row in bench.rows(clicks)] == [("third", "checkout_completed")]


def test_a_click_after_the_referral_window_does_not_count(bench: Bench) -> None:
    bench.connect(referral_days="2")
    body = pay(bench)
    bench.run()
    bench.clock.advance(days=2)
    beacon(bench)
    assert bench.run() == 0
    assert told(bench, body)["beacon"]["fault"] == "it came after the referral window"


# By cart, and by customer


def test_a_cart_token_joins_without_the_secret_of_a_headless_cart(bench: Bench) -> None:
    bench.connect()
    beacon(bench, checkout_token=None, cart_token="hWN2cart0001?key=secret")
    body = {**bought(bench), "checkout_token": None, "cart_token": "hWN2cart0001"}
    bench.deliver_body("orders/paid", body)
    assert bench.run() == 1
    assert told(bench, body)["beacon"]["name"] == "cart_token"


@both_databases
def test_the_customers_earlier_click_counts_by_rule_within_the_window(bench: Bench) -> None:
    bench.connect(customer_click="on", referral_days="10")
    customer = bench.order()["customer"]["id"]
    spec = _customer(customer)
    pay(bench, click="first", customer=spec)
    other = _customer(customer + 1)
    assert bench.run() == 1
    bench.clock.advance(days=9)
    second, stranger = pay(bench, customer=spec), pay(bench, customer=other)
    assert bench.run() == 1
    found = told(bench, second)["stored_click"]
    assert (found["value"], found["used"]) == ("first", True)
    assert bench.verdict(stranger) == ("withheld", "no_click_or_code")
    bench.clock.advance(days=2)
    third = pay(bench, customer=spec)
    assert bench.run() == 0
    assert told(bench, third)["stored_click"]["fault"] == "it lies outside the referral window"


def test_by_default_nothing_of_a_customers_click_is_stored(bench: Bench) -> None:
    bench.connect()
    pay(bench, click="first")
    assert bench.run() == 1
    assert bench.count(clicks) == 0


def _customer(number: int) -> CustomerSpec:
    return CustomerSpec(id=number)


# Forgetting


@both_databases
def test_clicks_without_an_order_go_after_a_week_and_others_after_ninety_days(bench: Bench) -> None:
    bench.connect()
    beacon(bench)
    beacon(bench, checkout_token="d" * 32)
    pay(bench)
    bench.run()
    bench.clock.advance(days=8)
    assert bench.line.clicks.expire(bench.clock()) == 1
    assert [row.key for row in bench.rows(clicks)] == [TOKEN]
    bench.clock.advance(days=83)
    assert bench.line.clicks.expire(bench.clock()) == 1
    assert bench.count(clicks) == 0


@both_databases
def test_a_customer_who_is_forgotten_leaves_no_token_behind(bench: Bench) -> None:
    bench.connect(customer_click="on")
    beacon(bench)
    body = pay(bench)
    bench.run()
    assert bench.count(clicks) == 2
    bench.deliver_body("customers/redact", {"orders_to_redact": [body["id"]]})
    bench.run()
    assert bench.count(clicks) == 0
    (row,) = bench.rows(orders)
    kept = order_from(row.snapshot)
    assert (row.checkout_token, row.cart_token, kept.checkout_token, kept.cart_token) == (None, None, "", "")
    assert TOKEN not in row.snapshot
