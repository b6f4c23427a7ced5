"""Stores that leave and come back, customers who ask, bodies that expire."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from impact_app.ledger.codec import order_from
from impact_app.ledger.stores import Tokens
from impact_app.ledger.tables import (
    attempts,
    conversions,
    deliveries,
    orders,
    privacy_requests,
    products,
    steps,
    stores,
)
from impact_app.pipeline.forget import BODY_KEPT, expire_bodies
from impact_app.pipeline.sweep import sweep
from impact_app.simulator.shopify.orders import refund
from tests.line import OTHER_SHOP, SHOP, Bench, both_databases

PERSONAL = ("8210000000001", "ada.buyer", "Buyer", "203.0.113.7", "Mozilla")


def _uninstall(bench: Bench, **more: str) -> None:
    bench.deliver_body("app/uninstalled", {"id": 1, "domain": SHOP}, **more)


# leaving and coming back


@both_databases
def test_uninstalling_removes_the_tokens_and_stops_what_is_due(bench: Bench) -> None:
    store = bench.connect()
    body = bench.pay()
    assert bench.process() == 1
    bench.line.stores.save_tokens(store.id, Tokens("offline", "shpat_secret"))
    bench.clock.advance(minutes=1)
    _uninstall(bench)
    assert bench.run() == 0
    assert bench.calls() == []
    assert bench.steps_of(body) == [("submit", "pending")]
    assert bench.line.stores.tokens(store.id) is None
    found = bench.line.stores.get(store.id)
    assert found is not None
    assert (found.state, found.is_configured) == ("uninstalled", True)
    # Nothing is due, so nobody is woken for it again and again.
    swept = sweep(bench.line.inbox, bench.line.outbox, bench.clock)
    assert (swept.next_step_due, swept.has_due_deliveries) == (None, False)


@both_databases
def test_a_store_that_comes_back_takes_up_where_it_was(bench: Bench) -> None:
    store = bench.connect()
    waiting, reported = bench.order(), bench.pay()
    assert bench.run() == 1
    bench.network.faults.script("500_after")
    bench.deliver_body("orders/paid", waiting)
    assert bench.run() == 1
    bench.clock.advance(minutes=1)
    _uninstall(bench)
    assert bench.run() == 0
    bench.clock.advance(days=5)
    late = bench.pay(processed_at=bench.clock() - timedelta(days=4))
    assert bench.run() == 0
    assert bench.fates()[-1] == ("parked", "store_uninstalled")
    again = bench.line.stores.connect("shopify", SHOP, Tokens("offline", "shpat_new"), now=bench.clock())
    assert (again.id, again.is_configured, again.state) == (store.id, True, "connected")
    # Five days away are not held against the waiting call: a further failure is still repeated.
    bench.network.faults.script("503_before")
    assert bench.run() == 2
    bench.clock.advance(hours=1)
    assert bench.run() == 1
    for body in (waiting, reported, late):
        assert bench.verdict(body) == ("reported", "accepted")
        assert bench.booked(body) == [Decimal("100.00")]


def test_a_late_notice_from_before_the_reinstallation_does_nothing(bench: Bench) -> None:
    store = bench.connect()
    left = bench.clock() + timedelta(minutes=10)
    bench.clock.advance(hours=1)
    bench.line.stores.connect("shopify", SHOP, Tokens("offline", "shpat_new"), now=bench.clock())
    bench.clock.advance(hours=1)
    _uninstall(bench, Triggered_At=left.isoformat())
    assert bench.process() == 1
    assert bench.rows(deliveries)[0].detail == "The store was installed again since."
    assert bench.line.stores.tokens(store.id) == Tokens("offline", "shpat_new")
    found = bench.line.stores.get(store.id)
    assert found is not None
    assert found.state == "connected"


def test_a_notice_without_a_time_counts_from_its_arrival(bench: Bench) -> None:
    store = bench.connect()
    bench.clock.advance(minutes=1)
    bench.deliver_body("app/uninstalled", {"id": 1}, Triggered_At=None)
    assert bench.process() == 1
    found = bench.line.stores.get(store.id)
    assert found is not None
    assert found.state == "uninstalled"


def test_uninstalling_twice_is_uninstalling(bench: Bench) -> None:
    bench.connect()
    bench.clock.advance(minutes=1)
    for _ in range(2):
        _uninstall(bench)
    assert bench.process() == 2
    assert bench.fates() == [("settled", "done")] * 2


def test_another_store_is_not_uninstalled_with_it(bench: Bench) -> None:
    bench.connect()
    other = bench.connect(OTHER_SHOP)
    bench.clock.advance(minutes=1)
    _uninstall(bench)
    body = bench.pay(shop=OTHER_SHOP)
    assert bench.run() == 1
    assert bench.verdict(body) == ("reported", "accepted")
    found = bench.line.stores.get(other.id)
    assert found is not None
    assert found.state == "connected"


def test_granted_scopes_are_remembered(bench: Bench) -> None:
    store = bench.connect()
    bench.deliver_body("app/scopes_update", {"id": 1, "previous": [], "current": ["read_orders"]})
    assert bench.process() == 1
    found = bench.line.stores.get(store.id)
    assert found is not None
    assert found.scopes == "read_orders"


# what customers ask


def _ask(what: str, *bodies: dict[str, Any]) -> dict[str, Any]:
    key = "orders_requested" if what == "data_request" else "orders_to_redact"
    customer = {"id": 8_210_000_000_001, "email": "ada.buyer@example.com", "phone": None}
    return {"shop_id": 1, "shop_domain": SHOP, "customer": customer, key: [body["id"] for body in bodies]}


def _everything_stored(bench: Bench) -> str:
    """Every column of every row as one text."""
    tables = (deliveries, orders, steps, attempts, conversions, privacy_requests)
    return " ".join(_text(row) for table in tables for row in bench.rows(table))


def _text(row: Any) -> str:
    return str(tuple(row))


@both_databases
def test_a_redaction_takes_out_the_person_and_leaves_the_sums(bench: Bench) -> None:
    bench.connect(ip_address="yes", user_agent="yes", email="sha256")
    body, other = bench.pay(), bench.pay()
    assert bench.run() == 2
    for word in PERSONAL:
        assert word in _everything_stored(bench)
    bench.deliver_body("customers/redact", _ask("redact", body))
    assert bench.process() == 1
    first, second = bench.rows(orders)
    kept = order_from(first.snapshot)
    assert (kept.customer.id, kept.customer.email_sha1, kept.ip_address, kept.user_agent) == ("", "", "", "")
    told = " ".join(_text(row) for row in (first, *bench.rows(steps, steps.c.order_row_id == first.id)))
    told += " ".join(_text(row) for row in bench.rows(deliveries, deliveries.c.order_key == str(body["id"])))
    for word in PERSONAL:
        assert word not in told
    # The other customer's order is as it was, and both still balance.
    assert order_from(second.snapshot).customer.id == "8210000000002"
    assert (first.net_minor, second.net_minor) == (10_000, 10_000)
    assert [bench.reported(one) for one in (body, other)] == [Decimal("100.00")] * 2
    (asked,) = bench.rows(privacy_requests)
    assert (asked.topic, asked.order_keys) == ("customers/redact", [str(body["id"])])
    assert asked.summary.startswith("Personal data of 1 orders was removed")


def test_a_redacted_order_can_still_be_corrected(bench: Bench) -> None:
    bench.connect()
    body = bench.pay()
    assert bench.run() == 1
    bench.deliver_body("customers/redact", _ask("redact", body))
    _, gone = refund(body, {body["line_items"][0]["id"]: 1})
    bench.deliver_body("orders/updated", {**gone, "customer": None, "email": ""})
    assert bench.run() == 1
    assert bench.booked(body) == [Decimal("0.00")]
    assert bench.verdict(body) == ("reported", "reversed")


def test_a_redaction_before_sending_sends_without_the_person(bench: Bench) -> None:
    store = bench.connect(configured=False)
    body = bench.pay()
    assert bench.process() == 1
    bench.deliver_body("customers/redact", _ask("redact", body))
    assert bench.process() == 1
    bench.configure(store)
    assert bench.run() == 1
    sent = bench.network.books.payload(bench.network.books.submissions()[0].batch_id)
    assert "CustomerId" not in sent
    assert bench.verdict(body) == ("reported", "accepted")


def test_a_redaction_of_another_stores_order_touches_nothing(bench: Bench) -> None:
    bench.connect()
    bench.connect(OTHER_SHOP)
    body = bench.pay()
    assert bench.run() == 1
    before = bench.rows(orders)
    bench.deliver_body("customers/redact", _ask("redact", body), shop=OTHER_SHOP)
    assert bench.process() == 1
    assert bench.rows(orders) == before
    assert bench.rows(deliveries)[0].body is not None
    (asked,) = bench.rows(privacy_requests)
    assert asked.summary.startswith("Personal data of 0 orders")


def test_a_redaction_reaches_orders_that_wait_for_their_store(bench: Bench) -> None:
    body = bench.pay()
    assert bench.process() == 1
    bench.deliver_body("customers/redact", _ask("redact", body))
    assert bench.process() == 1
    for word in PERSONAL:
        assert word not in _everything_stored(bench)


def test_a_data_request_is_answered_with_what_is_stored(bench: Bench) -> None:
    bench.connect()
    body = bench.pay()
    assert bench.run() == 1
    before = bench.rows(orders)
    bench.deliver_body("customers/data_request", _ask("data_request", body))
    assert bench.process() == 1
    (asked,) = bench.rows(privacy_requests)
    assert body["name"].removeprefix("#") in asked.summary
    assert "ada.buyer" not in asked.summary
    assert bench.rows(orders) == before


@both_databases
def test_a_stores_removal_removes_everything(bench: Bench) -> None:
    store = bench.connect()
    other = bench.connect(OTHER_SHOP)
    kept = bench.pay(shop=OTHER_SHOP)
    bench.pay()
    assert bench.run() == 2
    with bench.line.database.write() as connection:
        connection.execute(
            sa.insert(products).values(
                store_id=store.id, product_id="1", product_type="", category="", looked_up_at=bench.clock()
            )
        )
    bench.clock.advance(hours=1)
    _uninstall(bench)
    bench.clock.advance(hours=48)
    bench.deliver_body("shop/redact", {"shop_id": 1, "shop_domain": SHOP})
    assert bench.run() == 0
    assert [row.id for row in bench.rows(stores)] == [other.id]
    assert bench.count(products) == 0
    assert {row.store_id for row in bench.rows(orders)} == {other.id}
    assert {row.store_id for row in bench.rows(steps)} == {other.id}
    assert (bench.count(attempts), bench.count(conversions)) == (1, 1)
    mine = bench.rows(deliveries, deliveries.c.domain == SHOP)
    assert [(row.topic, row.body) for row in mine] == [("shop/redact", None)]
    (asked,) = bench.rows(privacy_requests)
    assert (asked.topic, asked.summary) == ("shop/redact", "Everything stored for the store was removed.")
    assert bench.verdict(kept) == ("reported", "accepted")


def test_a_removal_that_comes_after_the_store_is_back_removes_nothing(bench: Bench) -> None:
    bench.connect()
    body = bench.pay()
    assert bench.run() == 1
    bench.deliver_body("shop/redact", {"shop_id": 1, "shop_domain": SHOP})
    assert bench.process() == 1
    assert bench.verdict(body) == ("reported", "accepted")
    assert bench.rows(privacy_requests)[0].summary.endswith("nothing was removed.")


def test_a_removal_for_a_store_never_seen_is_done(bench: Bench) -> None:
    bench.deliver_body("customers/redact", _ask("redact"))
    bench.deliver_body("customers/data_request", _ask("data_request"))
    assert bench.process() == 2
    bench.deliver_body("shop/redact", {"shop_id": 1, "shop_domain": SHOP})
    assert bench.process() == 1
    assert bench.fates() == [("settled", "done")]
    assert bench.count(privacy_requests) == 3


def test_a_request_that_cannot_be_read_is_shown_and_not_taken_for_done(bench: Bench) -> None:
    bench.connect()
    bench.deliver_body("customers/redact", json.dumps({"orders_to_redact": "all"}).encode())
    assert bench.process() == 1
    assert bench.fates() == [("settled", "unreadable_body")]
    assert bench.count(privacy_requests) == 0


# bodies


@both_databases
def test_bodies_expire_after_30_days_unless_they_are_still_to_be_read(bench: Bench) -> None:
    bench.connect()
    bench.pay()
    assert bench.run() == 1
    bench.clock.advance(days=1)
    bench.pay()
    assert BODY_KEPT.days == 30
    bench.clock.advance(days=29)
    assert expire_bodies(bench.line.database, bench.clock()) == 0
    bench.clock.advance(seconds=1)
    assert expire_bodies(bench.line.database, bench.clock()) == 1
    bench.clock.advance(days=30)
    assert expire_bodies(bench.line.database, bench.clock()) == 0
    old, unread = bench.rows(deliveries)
    assert (old.body, old.state, unread.state) == (None, "settled", "pending")
    assert unread.body is not None
    assert bench.process() == 1
