"""A change of rules moves no money of the past by itself, and the history of rules says what held when."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
import sqlalchemy as sa
from alembic import command

from impact_app.ledger.schema import alembic_config, upgrade
from impact_app.ledger.stores import RuleVersion, Superseded
from impact_app.ledger.tables import conversions, orders, rule_versions, steps
from impact_app.simulator.network import fault
from impact_app.simulator.shopify.orders import LineSpec, refund
from tests.line import START, Bench, both_databases

CARD = LineSpec(sku="CARD", title="Gift card", price=Decimal("25.00"), gift_card=True, product_id=12)
TOWEL = LineSpec(sku="TOWEL", title="Towel", price=Decimal("14.00"), quantity=2, product_id=11)


@both_databases
def test_an_update_of_a_reported_order_keeps_the_rules_it_was_reported_by(bench: Bench) -> None:
    store = bench.connect()
    body = bench.pay(TOWEL, CARD)
    assert bench.run() == 1
    assert bench.booked(body) == [2 * Decimal("14.00")]
    bench.configure(store, include="gift_cards,shipping")
    bench.clock.advance(hours=1)
    bench.deliver_body("orders/updated", {**body, "updated_at": bench.clock().isoformat(), "tags": "sent"})
    assert bench.run() == 0
    assert bench.booked(body) == [2 * Decimal("14.00")]
    # The same goods are worth more under the newest rules.
    later = bench.pay(TOWEL, CARD)
    assert bench.run() == 1
    assert bench.booked(later)[0] >= 2 * Decimal("14.00") + Decimal("25.00")


@both_databases
def test_a_refund_after_a_change_of_rules_is_worked_out_by_the_old_ones(bench: Bench) -> None:
    store = bench.connect()
    body = bench.pay(TOWEL, CARD)
    assert bench.run() == 1
    bench.configure(store, include="gift_cards", code_refund="OTHER")
    _, less = refund(body, {body["line_items"][0]["id"]: 1})
    bench.deliver_body("orders/updated", less)
    assert bench.run() == 1
    assert bench.booked(body) == [1 * Decimal("14.00")]
    (row,) = bench.rows(orders)
    assert row.evidence["rules_version"] == 2


@both_databases
def test_what_waits_or_is_withheld_takes_the_newest_rules(bench: Bench) -> None:
    store = bench.connect(send="clicks_only")
    body = bench.order(TOWEL, CARD, note_attributes=())
    bench.deliver_body("orders/paid", body)
    assert bench.run() == 0
    assert bench.verdict(body) == ("withheld", "no_click")
    bench.configure(store, send="all", include="gift_cards")
    bench.deliver_body("orders/updated", {**body, "tags": "seen"})
    assert bench.run() == 1
    assert [row.rules_version for row in bench.rows(conversions)] == [3]
    assert bench.reported(body) == 2 * Decimal("14.00") + Decimal("25.00")


def test_a_call_on_its_way_keeps_the_version_that_planned_it(bench: Bench) -> None:
    store = bench.connect()
    bench.network.faults.script(fault("reset_after"))
    body = bench.pay(TOWEL, CARD)
    bench.run()
    bench.configure(store, include="gift_cards")
    bench.run()
    bench.clock.advance(hours=2)
    bench.run()
    assert bench.booked(body) == [2 * Decimal("14.00")]
    assert [row.rules_version for row in bench.rows(steps)] == [2]
    assert [row.rules_version for row in bench.rows(conversions)] == [2]


@both_databases
def test_each_save_is_a_version_with_its_time_and_author(bench: Bench) -> None:
    store = bench.connect(send="all")
    bench.clock.advance(days=1)
    bench.configure(store, send="clicks_only")
    assert bench.line.stores.rule_versions(store.id) == [
        RuleVersion(3, {"send": "clicks_only"}, bench.clock(), "a test"),
        RuleVersion(2, {"send": "all"}, START, "a test"),
        RuleVersion(1, {}, START, "connecting the store"),
    ]


@both_databases
def test_restoring_makes_an_older_version_the_newest(bench: Bench) -> None:
    store = bench.connect(send="all")
    bench.configure(store, send="clicks_only")
    assert bench.line.stores.restore_rules(store.id, 2, "a person", now=bench.clock()) == 4
    found = bench.line.stores.get(store.id)
    assert found is not None
    assert (found.rules, found.rules_version) == ({"send": "all"}, 4)
    assert bench.line.stores.rule_versions(store.id)[0].saved_by == "a person"
    with pytest.raises(LookupError, match="no version 9"):
        bench.line.stores.restore_rules(store.id, 9, "a person", now=bench.clock())
    assert len(bench.line.stores.rule_versions(store.id)) == 4


@both_databases
def test_an_upgrade_gives_what_is_there_the_rules_in_force(bench: Bench) -> None:
    store = bench.connect(send="all")
    body = bench.pay(TOWEL, CARD)
    assert bench.run() == 1
    database = bench.line.database
    with database.write() as connection:
        command.downgrade(alembic_config(connection), "0002")
    upgrade(database)
    (kept,) = bench.line.stores.rule_versions(store.id)
    assert kept == RuleVersion(2, {"send": "all"}, None, "")
    assert [row.rules_version for row in bench.rows(conversions)] == [2]
    bench.configure(store, send="all", include="gift_cards")
    bench.deliver_body("orders/updated", {**body, "tags": "sent"})
    assert bench.run() == 0
    assert bench.booked(body) == [2 * Decimal("14.00")]


def test_a_version_that_is_lost_falls_back_on_the_newest(bench: Bench) -> None:
    store = bench.connect()
    body = bench.pay(TOWEL, CARD)
    assert bench.run() == 1
    bench.configure(store, include="gift_cards")
    with bench.line.database.write() as connection:
        connection.execute(sa.delete(rule_versions).where(rule_versions.c.version == 2))
    bench.deliver_body("orders/updated", {**body, "tags": "sent"})
    assert bench.run() == 0
    assert bench.verdict(body) == ("reported", "added_items")


@both_databases
def test_of_two_who_save_at_once_one_is_told(bench: Bench) -> None:
    store = bench.connect()
    shown = bench.line.stores.get(store.id)
    assert shown is not None
    start = threading.Barrier(2)

    def save(name: str) -> str:
        start.wait()
        try:
            bench.line.stores.save_rules(
                store.id, {"send": name}, by=name, now=bench.clock(), instead_of=shown.rules_version
            )
        except Superseded:
            return "told"
        return name

    with ThreadPoolExecutor(2) as pool:
        came_of_it = sorted(pool.map(save, ("all", "clicks_only")))
    kept = bench.line.stores.get(store.id)
    assert kept is not None
    assert came_of_it == sorted([kept.rules["send"], "told"])
    assert kept.rules_version == shown.rules_version + 1
