"""Where a store stands, read from what the line itself has left behind, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import redis

from impact_app.domain.alerts import Cause
from impact_app.domain.reasons import Reason
from impact_app.domain.setup import Facts, Finding, StepName
from impact_app.ledger.alerts import raise_
from impact_app.ledger.stores import Store
from impact_app.ledger.tables import accounts, orders
from impact_app.pipeline.refusals import Refusals
from impact_app.pipeline.standing import is_reachable
from impact_app.simulator.network import Setup
from tests.line import OTHER_SHOP, Bench, Clock, both_databases


def surveyed(bench: Bench, store: Store) -> tuple[Facts, dict[StepName, set[Finding]]]:
    known = bench.line.stores.get(store.id)
    assert known is not None
    facts, found = bench.line.surveyor.survey(known, bench.line.setups.told(store.id))
    return facts, {one.step: {said.finding for said in one.said} for one in found}


def verified(bench: Bench) -> None:
    """Have impact.com asked what became of all that was sent; singly where no list names it."""
    for _ in range(2):
        bench.clock.advance(minutes=50)
        bench.line.verifier.drain(bench.turn)


@both_databases
def test_an_order_is_followed_from_its_delivery_to_its_action(bench: Bench) -> None:
    store, other = bench.connect(), bench.connect(OTHER_SHOP)
    _, found = surveyed(bench, store)
    assert found[StepName.TEST_ORDER] == {Finding.TEST_MISSING}
    assert found[StepName.WEBHOOKS] == {Finding.NOTHING_YET}

    bench.clock.advance(minutes=10)
    body = bench.pay()
    facts, _ = surveyed(bench, store)
    assert facts.unread_since == bench.clock()
    assert bench.run() == 1
    facts, found = surveyed(bench, store)
    number = str(body["order_number"])
    assert (facts.last_delivery, facts.unread_since, facts.undelivered) == (bench.clock(), None, 0)
    assert (facts.reported, facts.booked) == (number, "")
    assert found[StepName.TEST_ORDER] == {Finding.BOOKING_AWAITED}
    assert found[StepName.STOREFRONT] == {Finding.EMBED_SEEN}
    assert facts.carried_at == bench.clock() - timedelta(minutes=5)

    verified(bench)
    facts, found = surveyed(bench, store)
    assert facts.booked == number
    assert found[StepName.TEST_ORDER] == {Finding.BOOKED}
    # None of this is the neighbour's.
    facts, _ = surveyed(bench, other)
    assert (facts.last_delivery, facts.reported, facts.carried_at) == (None, "", None)


def test_an_order_that_nobody_is_credited_with_is_told_of(make_bench: Callable[[Setup], Bench]) -> None:
    bench = make_bench(Setup(rate_limit=None, strict_clicks=True))
    store = bench.connect()
    bench.pay()
    bench.run()
    verified(bench)
    facts, found = surveyed(bench, store)
    assert facts.is_uncredited
    assert found[StepName.TEST_ORDER] == {Finding.NOT_CREDITED}


@both_databases
def test_what_stands_against_account_and_deliveries_is_read(bench: Bench) -> None:
    store = bench.connect()
    sid = bench.network.books.setup.sid
    with bench.line.database.write() as connection:
        held = {"sid": sid, "held_reason": "not_allowed", "held_at": bench.clock()}
        connection.execute(accounts.insert().values(**held))
        raise_(connection, store.id, Cause.SILENCE, "", "Nothing has come.", "", bench.clock())
    facts, found = surveyed(bench, store)
    assert (facts.held, facts.silence) == (Reason.NOT_ALLOWED, "Nothing has come.")
    assert found[StepName.WEBHOOKS] == {Finding.SILENT}


@both_databases
def test_orders_that_could_not_be_booked_are_counted(bench: Bench) -> None:
    store = bench.connect()
    bench.pay()
    bench.run()
    with bench.line.database.write() as connection:
        connection.execute(orders.update().values(verdict="attention", reason="program_invalid"))
    facts, found = surveyed(bench, store)
    assert facts.unbookable == 1
    assert Finding.EVENT_REFUSED in found[StepName.EVENT_TYPE]


@both_databases
def test_one_setting_is_saved_without_the_others_and_the_embed_without_the_rest(bench: Bench) -> None:
    store = bench.connect(send="all")
    stores = bench.line.stores
    stores.save_installation(store.id, {"version": "1"})
    stores.note_embed(store.id, is_on=False, is_deployed=True, now=bench.clock())
    stores.save_settings(store.id, event_type_id="7", by="test", now=bench.clock())
    found = stores.get(store.id)
    assert found is not None
    assert (found.account_sid, found.campaign_id, found.event_type_id) == (
        store.account_sid,
        store.campaign_id,
        "7",
    )
    assert found.rules == {"send": "all"}
    assert found.installation == {"version": "1"}
    assert surveyed(bench, store)[1][StepName.STOREFRONT] == {Finding.EMBED_OFF}
    assert bench.line.stores.credentials(store.id) is not None


@pytest.mark.parametrize(
    ("app", "platform", "expected"),
    [
        ("https://app.example.com", "https://one.myshopify.com", True),
        ("http://app.example.com", "https://one.myshopify.com", False),
        ("https://localhost:5000", "https://one.myshopify.com", False),
        ("http://localhost:5000", "http://127.0.0.1:8000/graphql/", True),
    ],
)
def test_who_can_deliver_where(app: str, platform: str, expected: bool) -> None:
    assert is_reachable(app, platform) is expected


# Refused signatures


def test_a_refused_signature_is_remembered_for_the_store_that_it_named(bench: Bench) -> None:
    store = bench.connect()
    assert bench.post("orders/paid", bench.order(), secret="somebody else's").status_code == 401
    assert bench.line.refusals.last("shopify", store.domain) == bench.clock()
    assert bench.line.refusals.last("shopify", OTHER_SHOP) is None
    assert bench.line.refusals.last("saleor", store.domain) is None


def test_refusals_are_bounded_and_need_no_redis(redis_url: str, clock: Clock) -> None:
    connection = redis.Redis.from_url(redis_url)
    kept = Refusals(connection, clock, most=2)
    for domain in ("a.example", "b.example", "c.example"):
        kept.note("shopify", domain)
    assert kept.last("shopify", "c.example") is None
    first = clock()
    clock.advance(minutes=1)
    kept.note("shopify", "a.example")
    assert kept.last("shopify", "a.example") == first + timedelta(minutes=1)
    assert 0 < connection.ttl("impact:refused") <= 24 * 3600  # type: ignore[operator]

    nobody = Refusals(redis.Redis(port=1, socket_connect_timeout=0.5), clock)
    nobody.note("shopify", "a.example")
    assert nobody.last("shopify", "a.example") is None
