"""Shadow mode: everything is judged and written down, and no road leads to a call."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from impact_app.domain.plan import Reported
from impact_app.ledger import outbox
from impact_app.ledger.outbox import NewStep
from impact_app.ledger.stores import Store
from impact_app.ledger.tables import orders, steps
from impact_app.simulator.network import fault
from impact_app.simulator.shopify.orders import LineSpec, cancel, refund
from tests.line import Bench, both_databases

TOWEL = LineSpec(sku="TOWEL", title="Towel", price=Decimal("14.00"), quantity=2, product_id=11)


@both_databases
def test_the_call_is_written_down_with_its_evidence_and_not_sent(bench: Bench) -> None:
    store = bench.connect(mode="shadow")
    body = bench.pay(TOWEL)
    assert bench.run() == 0
    assert bench.verdict(body) == ("withheld", "shadow")
    assert bench.steps_of(body) == [("submit", "shadow")]
    file = bench.line.orders.show(store.id, str(body["id"]))
    assert file is not None
    assert file.evidence["sums"]["items_now"] == "28.00"
    form = dict(file.steps[0].form)
    assert (form["OrderId"], form["ItemSubTotal1"]) == (str(body["id"]), "28.00")
    assert bench.calls() == []


@both_databases
def test_the_call_follows_the_order_and_is_written_once_for_each_form(bench: Bench) -> None:
    bench.connect(mode="shadow")
    body = bench.pay(TOWEL)
    bench.run()
    bench.deliver_body("orders/updated", {**body, "tags": "sent"})
    bench.run()
    assert bench.steps_of(body) == [("submit", "shadow")]
    _, less = refund(body, {body["line_items"][0]["id"]: 1})
    bench.deliver_body("orders/updated", less)
    assert bench.run() == 0
    assert bench.steps_of(body) == [("submit", "replaced"), ("submit", "shadow")]
    assert dict(bench.rows(steps)[1].form)["ItemSubTotal1"] == "14.00"


def test_reasons_of_their_own_are_kept_in_shadow(bench: Bench) -> None:
    bench.connect(mode="shadow")
    body = bench.pay(TOWEL, note_attributes=())
    assert bench.run() == 0
    assert bench.verdict(body) == ("withheld", "no_click_or_code")
    assert bench.count(steps) == 0


# No road leads to a call


def _webhook(bench: Bench, _store: Store) -> None:
    bench.pay(TOWEL)


def _replay(bench: Bench, store: Store) -> None:
    body = bench.pay(TOWEL)
    bench.run()
    assert bench.line.replay(store.id, str(body["id"])) == "Judged again: withheld, shadow."


def _saved_settings(bench: Bench, store: Store) -> None:
    bench.configure(store, mode="shadow", send="clicks_only")
    bench.pay(TOWEL)
    bench.configure(store, mode=" shadow ", send="all")


def _written_without_judging(bench: Bench, store: Store) -> None:
    body = bench.pay(TOWEL, note_attributes=())
    bench.run()
    (row,) = bench.rows(orders, orders.c.order_key == str(body["id"]))
    sid = bench.network.books.setup.sid
    with bench.line.database.write() as connection:
        step = NewStep(
            "submit", "POST", "/Advertisers/x/Conversions", (), Reported("1", "2", "3", "EUR", ()), 1
        )
        outbox.write(connection, store.id, row.id, sid, step, bench.clock())


@both_databases
@pytest.mark.parametrize("road", [_webhook, _replay, _saved_settings, _written_without_judging])
def test_no_road_leads_to_a_call(bench: Bench, road: Callable[[Bench, Store], None]) -> None:
    store = bench.connect(mode="shadow")
    road(bench, store)
    bench.run()
    bench.clock.advance(hours=3)
    assert bench.run() == 0
    assert bench.calls() == []
    assert {row.state for row in bench.rows(steps)} <= {"shadow", "replaced"}
    assert bench.line.outbox.next_due(bench.clock()) is None


@both_databases
def test_what_was_due_before_the_switch_stays_unsent(bench: Bench) -> None:
    store = bench.connect()
    body = bench.pay(TOWEL)
    bench.process()
    assert bench.steps_of(body) == [("submit", "pending")]
    bench.configure(store, mode="shadow")
    assert bench.deliver() == 0
    assert bench.run() == 0
    assert bench.verdict(body) == ("withheld", "shadow")
    assert bench.calls() == []


@both_databases
def test_a_call_that_may_have_arrived_waits_until_the_mode_is_live(bench: Bench) -> None:
    store = bench.connect()
    bench.network.faults.script(fault("reset_after"))
    body = bench.pay(TOWEL)
    assert bench.run() == 1
    bench.configure(store, mode="shadow")
    bench.clock.advance(hours=2)
    assert bench.run() == 0
    assert bench.verdict(body) == ("waiting", "held_in_shadow")
    assert bench.line.replay(store.id, str(body["id"])) == "Judged again: waiting, held_in_shadow."
    assert bench.run() == 0
    bench.configure(store, mode="live")
    assert bench.run() == 1
    assert bench.verdict(body) == ("reported", "accepted")
    assert bench.booked(body) == [2 * Decimal("14.00")]


# Back to live


@both_databases
def test_orders_judged_in_shadow_are_not_sent_by_themselves_later(bench: Bench) -> None:
    store = bench.connect(mode="shadow")
    body = bench.pay(TOWEL)
    bench.run()
    bench.configure(store, mode="live")
    bench.deliver_body("orders/updated", {**body, "tags": "sent"})
    _, less = refund(body, {body["line_items"][0]["id"]: 1})
    bench.clock.advance(minutes=1)
    bench.deliver_body("orders/updated", less)
    assert bench.run() == 0
    assert bench.verdict(body) == ("withheld", "shadow")
    later = bench.pay(TOWEL)
    assert bench.run() == 1
    assert (bench.booked(body), bench.booked(later)) == ([], [Decimal("28.00")])


@both_databases
def test_a_person_can_send_one_that_was_judged_in_shadow(bench: Bench) -> None:
    store = bench.connect(mode="shadow")
    body = bench.pay(TOWEL)
    bench.run()
    bench.configure(store, mode="live")
    assert bench.line.replay(store.id, str(body["id"])) == "Judged again: waiting, queued."
    assert bench.run() == 1
    assert bench.verdict(body) == ("reported", "accepted")
    assert bench.booked(body) == [Decimal("28.00")]
    assert bench.steps_of(body) == [("submit", "replaced"), ("submit", "accepted")]


@both_databases
def test_a_change_of_what_this_app_reported_is_sent_once_the_mode_is_live(bench: Bench) -> None:
    store = bench.connect()
    body = bench.pay(TOWEL)
    assert bench.run() == 1
    bench.configure(store, mode="shadow")
    _, less = refund(body, {body["line_items"][0]["id"]: 1})
    bench.deliver_body("orders/updated", less)
    assert bench.run() == 0
    assert bench.verdict(body) == ("waiting", "held_in_shadow")
    assert bench.booked(body) == [Decimal("28.00")]
    bench.configure(store, mode="live")
    assert bench.run() == 1
    assert bench.booked(body) == [Decimal("14.00")]


def test_an_order_cancelled_after_shadow_says_so_and_comes_back_to_shadow(bench: Bench) -> None:
    store = bench.connect(mode="shadow")
    body = bench.pay(TOWEL)
    bench.run()
    bench.configure(store, mode="live")
    bench.clock.advance(minutes=1)
    gone = cancel(body, at=bench.clock() + timedelta(seconds=1))
    bench.deliver_body("orders/updated", gone)
    assert bench.run() == 0
    assert bench.verdict(body) == ("withheld", "cancelled_before_report")
    bench.clock.advance(minutes=5)
    again = {**body, "updated_at": (bench.clock() + timedelta(minutes=1)).isoformat()}
    bench.deliver_body("orders/updated", again)
    assert bench.run() == 0
    assert bench.verdict(body) == ("withheld", "shadow")
