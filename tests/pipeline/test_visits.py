"""Clicks from Shopify's own record of the visits before an order: no script, one query for many orders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from impact_app.config import Config
from impact_app.domain.waiting import LOOK_GAPS
from impact_app.ledger.codec import order_from
from impact_app.ledger.tables import orders
from impact_app.simulator.shopify.admin import RunningAdmin, running_admin
from impact_app.simulator.shopify.store import Journey, PretendStore, Visit
from impact_app.stores.shopify.documents import ORDER_VISITS
from tests.line import SECRET, SHOP, Bench, Clock, both_databases


@pytest.fixture
def admin(clock: Clock) -> Iterator[RunningAdmin]:
    store = PretendStore(domain=SHOP, client_id="client-id", client_secret=SECRET, now=clock)
    with running_admin(store) as running:
        yield running


@pytest.fixture
def config(config: Config, admin: RunningAdmin) -> Config:
    assert config.shopify is not None
    return replace(config, shopify=replace(config.shopify, admin_url=admin.admin_url))


@pytest.fixture
def shop(bench: Bench, admin: RunningAdmin) -> PretendStore:
    pretend = admin.store
    store = bench.line.tokens.connect_with_code(SHOP, pretend.tokens.code(pretend.scopes))
    bench.configure(store)
    return pretend


def visit(bench: Bench, query: str, days: float) -> Visit:
    return Visit(f"https://{SHOP}/products/a{query}", bench.clock() - timedelta(days=days))


def pay(bench: Bench, shop: PretendStore, journey: Journey, **fields: Any) -> dict[str, Any]:
    """A paid order without a click of its own, and Shopify's record of the visits before it."""
    body = shop.add_order(bench.order(note_attributes=(), **fields))
    shop.journeys[body["id"]] = journey
    bench.deliver_body("orders/paid", body)
    return body


def asked(shop: PretendStore) -> int:
    return sum(call.what == ORDER_VISITS for call in shop.calls)


def evidence(bench: Bench, body: dict[str, Any]) -> list[tuple[str, str, bool]]:
    (row,) = bench.rows(orders, orders.c.order_key == str(body["id"]))
    return [(one["carrier"], one["value"], one["used"]) for one in row.evidence["carriers"]]


@both_databases
def test_the_newest_visit_that_brought_a_click_is_credited(bench: Bench, shop: PretendStore) -> None:
    journey = Journey(
        first_visit=visit(bench, "?im_ref=first&secret=x", 9),
        between=(visit(bench, "?irclickid=between", 5), visit(bench, "", 3)),
        last_visit=visit(bench, "?utm_source=news", 1),
    )
    body = pay(bench, shop, journey)
    assert bench.run() == 1
    assert bench.booked(body) == [Decimal("100.00")]
    assert evidence(bench, body) == [("landing_url", "between", True), ("landing_url", "first", False)]
    (row,) = bench.rows(orders)
    assert (row.click_id, row.carrier, row.click_due_at) == ("between", "landing_url", None)
    assert not any("utm_source" in page for page in order_from(row.snapshot).visits)


@both_databases
def test_a_later_delivery_does_not_lose_what_was_asked_for_once(bench: Bench, shop: PretendStore) -> None:
    body = pay(bench, shop, Journey(last_visit=visit(bench, "?im_ref=journey", 1)))
    assert bench.run() == 1
    bench.clock.advance(minutes=5)
    bench.deliver_body("orders/updated", {**body, "updated_at": bench.clock().isoformat()})
    assert bench.run() == 0
    assert evidence(bench, body) == [("landing_url", "journey", True)]
    assert asked(shop) == 1


@both_databases
def test_an_order_with_a_click_of_its_own_is_not_asked_about(bench: Bench, shop: PretendStore) -> None:
    body = shop.add_order(bench.order())
    bench.deliver_body("orders/paid", body)
    assert bench.run() == 1
    assert asked(shop) == 0


def test_many_orders_are_asked_about_at_once(bench: Bench, shop: PretendStore) -> None:
    bodies = [pay(bench, shop, Journey(last_visit=visit(bench, f"?im_ref=c{at}", 1))) for at in range(10)]
    while bench.process():
        pass
    assert {bench.verdict(body) for body in bodies} == {("waiting", "awaiting_click")}
    assert bench.run() == len(bodies)
    assert asked(shop) == 1


@both_databases
def test_a_record_that_is_not_complete_is_asked_for_again_and_the_order_goes_its_way(
    bench: Bench, shop: PretendStore
) -> None:
    body = pay(bench, shop, Journey(ready=False))
    assert bench.run() == 0
    assert bench.verdict(body) == ("withheld", "no_click_or_code")
    assert bench.line.joiner.next_due() == bench.clock() + LOOK_GAPS[0]
    shop.journeys[body["id"]] = Journey(last_visit=visit(bench, "?im_ref=later", 1))
    bench.clock.advance(seconds=LOOK_GAPS[0].total_seconds())
    assert bench.run() == 1
    assert evidence(bench, body) == [("landing_url", "later", True)]
    assert bench.line.joiner.next_due() is None


def test_looks_end(bench: Bench, shop: PretendStore) -> None:
    pay(bench, shop, Journey(ready=False))
    bench.run()
    for gap in LOOK_GAPS:
        assert bench.line.joiner.next_due() == bench.clock() + gap
        bench.clock.advance(seconds=gap.total_seconds())
        bench.run()
    assert bench.line.joiner.next_due() is None
    assert asked(shop) == 1 + len(LOOK_GAPS)


@both_databases
def test_a_store_that_cannot_be_asked_holds_up_no_order(bench: Bench, shop: PretendStore) -> None:
    shop.uninstall()
    body = pay(bench, shop, Journey(last_visit=visit(bench, "?im_ref=x", 1)))
    assert bench.run() == 0
    assert bench.verdict(body) == ("withheld", "no_click_or_code")
