"""Reconciliation: what no delivery told of is found; what impact.com holds otherwise is set right once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import requests

from impact_app.http import Http
from impact_app.ledger.stores import Store
from impact_app.ledger.tables import (
    acts,
    alerts,
    balances,
    conversions,
    deliveries,
    orders,
    steps,
    unknown_actions,
)
from impact_app.pipeline.reconcile import Report
from impact_app.simulator.shopify import faults as store_faults
from impact_app.simulator.shopify.orders import cancel
from impact_app.wiring import Services
from tests.line import START, TOKEN, Bench, both_databases
from tests.pipeline.test_backfill import Body, Killed, Past, admin, config, past  # noqa: F401 - fixtures


def ready(past: Past) -> Bench:  # noqa: F811
    """A store that was connected some time ago."""
    past.connect()
    past.bench.clock.advance(hours=12)
    return past.bench


def reconciled(bench: Bench, line: Services | None = None, **words: Any) -> Report:
    (report,) = (line or bench.line).reconciler.run(**words)
    return report


def wait(bench: Bench, hours: float = 7) -> None:
    """Let impact.com work, and our looking up find what it made of it."""
    bench.clock.advance(hours=hours)
    bench.line.verifier.drain(bench.clock() + timedelta(minutes=1))


def at_impact(bench: Bench, body: Body) -> Any:
    """The order's action in impact.com's books, for somebody to change there."""
    (action,) = bench.network.books.actions_of_order(str(body["id"]))
    return action


def changing(bench: Bench) -> list[str]:
    """The calls that change something at impact.com."""
    return [call for call in bench.calls() if not call.startswith("GET")]


# store -> us


@both_databases
def test_orders_and_refunds_that_no_delivery_told_of_are_found(past: Past) -> None:  # noqa: F811
    bench = ready(past)
    told = past.sold("40.00", days_ago=0.4)
    bench.deliver_body("orders/paid", told)
    bench.run()
    missed = past.sold("10.00", days_ago=0.2)
    bench.clock.advance(minutes=5)
    past.pretend.add_order(cancel(told, at=bench.clock()))

    report = reconciled(bench)

    assert (report.seen, report.new, report.changed, report.faults) == (2, 1, 1, [])
    bench.run()
    assert bench.booked(missed) == [Decimal("10.00")]
    assert bench.steps_of(told) == [("submit", "accepted"), ("reverse", "accepted")]
    found = {(row.order_key, row.act) for row in bench.rows(acts)}
    assert found == {(str(told["id"]), "find"), (str(missed["id"]), "find")}
    assert bench.count(deliveries) == 1

    before = changing(bench)
    again = reconciled(bench)
    bench.run()
    assert (again.new, again.changed) == (0, 0)
    assert changing(bench) == before


def test_the_next_run_looks_only_at_what_changed_since(past: Past) -> None:  # noqa: F811
    bench = ready(past)
    for _ in range(3):
        past.sold(days_ago=0.1)
    assert reconciled(bench).seen == 3
    bench.clock.advance(hours=1)
    late = past.sold("7.00", days_ago=0.01)
    report = reconciled(bench)
    assert (report.seen, report.new) == (1, 1)
    bench.run()
    assert bench.booked(late) == [Decimal("7.00")]
    # all of them are looked at again where a person says so, and nothing comes of it
    whole = reconciled(bench, since=bench.clock() - timedelta(days=3))
    assert (whole.seen, whole.new, whole.changed) == (4, 0, 0)


def test_a_store_that_cannot_be_asked_is_said_and_loses_nothing(past: Past) -> None:  # noqa: F811
    bench = ready(past)
    missed = past.sold("10.00", days_ago=0.1)
    past.pretend.faults.extend([store_faults.status(500)] * 30)
    report = reconciled(bench)
    assert report.new == 0
    assert len(report.faults) == 1
    past.pretend.faults.clear()
    assert reconciled(bench).new == 1
    bench.run()
    assert bench.booked(missed) == [Decimal("10.00")]


def test_a_later_beginning_passes_over_nothing_for_good(past: Past) -> None:  # noqa: F811
    bench = ready(past)
    bench.clock.advance(days=3)
    missed = past.sold("10.00", days_ago=2)
    assert reconciled(bench, since=bench.clock() - timedelta(days=1)).seen == 0
    assert reconciled(bench).new == 1
    bench.run()
    assert bench.booked(missed) == [Decimal("10.00")]


def test_a_refund_within_the_second_of_the_payment_is_found(past: Past) -> None:  # noqa: F811
    bench = ready(past)
    body = past.sold("40.00", days_ago=0.1)
    bench.deliver_body("orders/paid", body)
    bench.run()
    past.pretend.add_order(cancel(body, at=datetime.fromisoformat(body["updated_at"])))

    assert reconciled(bench).changed == 1
    bench.run()
    assert bench.steps_of(body) == [("submit", "accepted"), ("reverse", "accepted")]
    assert reconciled(bench).changed == 0


def test_a_store_that_reports_nothing_yet_is_looked_through_all_the_same(past: Past) -> None:  # noqa: F811
    store = past.connect()
    past.bench.line.stores.save_settings(
        store.id,
        account_sid="IRsomebody",
        auth_token=None,
        campaign_id="",
        event_type_id="",
        rules={},
        by="a test",
        now=START,
    )
    past.bench.clock.advance(hours=12)
    past.sold(days_ago=0.1)
    report = reconciled(past.bench)
    assert (report.new, report.faults, report.impact_calls) == (1, [], 0)


# us -> impact.com


def booked(past: Past, price: str = "100.00") -> tuple[Store, Body]:  # noqa: F811
    store = past.connect()
    past.bench.clock.advance(hours=12)
    body = past.sold(price, days_ago=0.1)
    past.bench.deliver_body("orders/paid", body)
    past.bench.run()
    wait(past.bench)
    return store, body


@both_databases
def test_an_amount_changed_at_impact_is_set_right_once_and_then_left_to_a_person(past: Past) -> None:  # noqa: F811
    bench = past.bench
    _, body = booked(past)
    at_impact(bench, body).items[0].amount = Decimal("80.00")
    wait(bench)

    report = reconciled(bench)
    assert [(one.ours.amount, one.theirs.amount) for _, one in report.drifts] == [(Decimal(100), Decimal(80))]
    assert report.repaired == 1
    bench.run()
    assert bench.booked(body) == [Decimal(100)]
    wait(bench)
    assert reconciled(bench).drifts == []
    (row,) = bench.rows(conversions)
    assert (row.repairs, row.finding) == (0, "credited")

    # somebody insists
    at_impact(bench, body).items[0].amount = Decimal("80.00")
    wait(bench)
    reconciled(bench)
    bench.run()
    at_impact(bench, body).items[0].amount = Decimal("70.00")
    wait(bench)
    report = reconciled(bench)
    bench.run()
    assert report.repaired == 0
    assert bench.verdict(body) == ("attention", "drifted")
    assert bench.booked(body) == [Decimal(70)]
    (alert,) = bench.rows(alerts, alerts.c.cause == "drift")
    # 100.00 - 70.00
    assert (alert.money, alert.over_at) == ("1 order, 30.00 USD", None)


def test_what_needs_a_person_is_told_of_until_it_is_put_right(past: Past) -> None:  # noqa: F811
    """Also once the order is older than what each hour looks at."""
    bench = past.bench
    _, body = booked(past)
    action = at_impact(bench, body)
    action.reversed = True
    for item in action.items:
        item.quantity, item.amount = 0, Decimal(0)
    wait(bench)
    assert len(reconciled(bench).drifts) == 1
    bench.clock.advance(days=5)
    assert reconciled(bench).drifts == []
    (alert,) = bench.rows(alerts, alerts.c.cause == "drift")
    # 100.00 - 0.00
    assert (alert.money, alert.over_at) == ("1 order, 100.00 USD", None)

    action.reversed = False
    for item in action.items:
        item.quantity, item.amount = item.tracked_quantity, item.tracked_amount
    reconciled(bench, since=bench.clock() - timedelta(days=9))
    (alert,) = bench.rows(alerts, alerts.c.cause == "drift")
    assert alert.over_at is not None
    assert bench.verdict(body) == ("reported", "credited")


def test_an_older_order_that_was_read_back_with_another_amount_is_set_right(past: Past) -> None:  # noqa: F811
    bench = past.bench
    past.connect()
    bodies = [past.sold("100.00", days_ago=days) for days in (20, 0.1)]
    for body in bodies:
        bench.deliver_body("orders/paid", body)
    bench.run()
    at_impact(bench, bodies[0]).items[0].amount = Decimal("80.00")
    wait(bench)
    assert [row.finding for row in bench.rows(conversions)] == ["differs", "credited"]

    report = reconciled(bench)
    # one listing for the old order, one for the last days, one look at the items of what differs
    assert (report.impact_calls, report.repaired) == (3, 1)
    bench.run()
    assert bench.booked(bodies[0]) == [Decimal(100)]
    wait(bench)
    assert reconciled(bench).impact_calls == 1


def test_a_reversal_that_is_undone_again_after_it_was_repeated_needs_a_person(past: Past) -> None:  # noqa: F811
    bench = past.bench
    _, body = booked(past)
    bench.deliver_body("orders/cancelled", past.pretend.add_order(cancel(body, at=bench.clock())))
    bench.run()
    for _ in range(2):
        action = at_impact(bench, body)
        action.reversed = False
        for item in action.items:
            item.quantity, item.amount = item.tracked_quantity, item.tracked_amount
        bench.clock.advance(hours=7)
        reconciled(bench)
        bench.run()
    assert bench.verdict(body) == ("attention", "drifted")
    assert changing(bench) == ["POST Conversions 200", "DELETE Actions 200", "DELETE Actions 200"]
    at_impact(bench, body).reversed = True
    reconciled(bench)
    assert bench.verdict(body) == ("reported", "reversed")


@both_databases
def test_a_reversal_that_did_not_happen_is_repeated(past: Past) -> None:  # noqa: F811
    bench = past.bench
    _, body = booked(past)
    gone = past.pretend.add_order(cancel(body, at=bench.clock()))
    bench.deliver_body("orders/cancelled", gone)
    bench.run()
    assert bench.verdict(body) == ("reported", "reversed")
    action = at_impact(bench, body)
    action.reversed = False
    for item in action.items:
        item.quantity, item.amount = item.tracked_quantity, item.tracked_amount
    wait(bench)

    report = reconciled(bench)
    assert [(one.ours.amount, one.theirs.amount) for _, one in report.drifts] == [(Decimal(0), Decimal(100))]
    assert report.repaired == 1
    bench.run()
    wait(bench)
    assert reconciled(bench).drifts == []
    assert at_impact(bench, body).reversed


def test_what_somebody_reversed_at_impact_is_shown_with_its_money_and_left(past: Past) -> None:  # noqa: F811
    bench = past.bench
    store, body = booked(past)
    action = at_impact(bench, body)
    action.reversed = True
    for item in action.items:
        item.quantity, item.amount = 0, Decimal(0)
    wait(bench)
    calls = changing(bench)
    report = reconciled(bench)
    bench.run()
    assert (report.repaired, changing(bench)) == (0, calls)
    assert bench.verdict(body) == ("attention", "drifted")
    # deciding about it goes on from what impact.com holds
    assert bench.line.by_hand.take_back(store.id, str(body["id"]), "Ann")
    bench.run()
    assert (bench.verdict(body), changing(bench)) == (("reported", "reversed"), calls)


def test_a_replay_brings_back_what_somebody_reversed_at_impact(past: Past) -> None:  # noqa: F811
    bench = past.bench
    store, body = booked(past)
    action = at_impact(bench, body)
    action.reversed = True
    for item in action.items:
        item.quantity, item.amount = 0, Decimal(0)
    wait(bench)
    reconciled(bench)
    assert bench.line.by_hand.replay(store.id, str(body["id"]), "Ann")
    bench.run()
    assert not at_impact(bench, body).reversed
    assert bench.booked(body) == [Decimal(100)]


def test_an_action_nobody_here_reported_is_listed(past: Past) -> None:  # noqa: F811
    bench = past.bench
    booked(past)
    setup = bench.network.books.setup
    answer = requests.post(
        f"{bench.network.url}/Advertisers/{setup.sid}/Conversions",
        data={
            "CampaignId": str(setup.campaigns[0].id),
            "EventTypeId": str(setup.event_types[0].id),
            "EventDate": (bench.clock() - timedelta(hours=1)).isoformat(),
            "OrderId": "elsewhere-1",
            "ClickId": "click-77",
            "CurrencyCode": "USD",
            "ItemSku1": "X",
            "ItemCategory1": "Y",
            "ItemQuantity1": "1",
            "ItemPrice1": "5.00",
        },
        auth=(setup.sid, TOKEN),
        headers={"Accept": "application/json"},
        timeout=10,
    )
    assert answer.status_code == 200, answer.text
    wait(bench)
    report = reconciled(bench)
    assert (report.actions, report.strange, report.drifts) == (2, 1, [])
    (row,) = bench.rows(unknown_actions)
    assert (row.network_order_id, row.amount) == ("elsewhere-1", "5.0")


# the balance


@both_databases
def test_a_day_balances_and_a_remainder_is_an_alert(past: Past) -> None:  # noqa: F811
    bench = ready(past)
    bench.clock.advance(days=2)
    past.sold("10.00", days_ago=1)
    past.sold("20.00", days_ago=1, note_attributes=())
    past.sold("30.00", days_ago=1, financial_status="pending")
    reconciled(bench)
    bench.run()
    (balance,) = [one for one in reconciled(bench).balances if one.there]
    assert (balance.paid, balance.not_paid, balance.remainder) == (2, 1, 0)
    assert str(balance).endswith(
        "paid 2 = reported 1 + withheld 1 (no_click_or_code 1) + waiting 0 + attention 0; remainder 0"
    )
    assert bench.count(alerts) == 0

    # one that the store counts, and does not list among the changed ones
    hidden = past.sold("5.00", days_ago=1)
    hidden["updated_at"] = (bench.clock() - timedelta(days=40)).isoformat()
    past.pretend.add_order(hidden)
    reconciled(bench)
    (alert,) = bench.rows(alerts)
    # one order, at the mean of 10.00, 20.00 and 30.00
    assert (alert.cause, alert.money) == ("balance_open", "about 1 order, 20.00 USD")
    day = balance.day.isoformat()
    assert alert.subject == day
    assert alert.words == f"On {day}: 4 orders at the store, 3 orders with a verdict here."
    reconciled(bench, since=bench.clock() - timedelta(days=50))
    (alert,) = bench.rows(alerts)
    assert alert.over_at is not None
    assert bench.count(balances) > 0


def test_the_day_of_connecting_is_not_balanced(past: Past) -> None:  # noqa: F811
    """What was placed that day before it is not known."""
    past.sold("10.00", days_ago=0.3)
    bench = ready(past)
    bench.clock.advance(days=1)
    past.sold("20.00", days_ago=0.1)
    bench.clock.advance(days=1)
    report = reconciled(bench, since=bench.clock() - timedelta(days=30))
    assert [(str(one.day), one.there, one.remainder) for one in report.balances] == [
        ("2026-11-21", 1, 0),
        ("2026-11-22", 0, 0),
    ]
    assert bench.count(alerts) == 0


# how much it asks


def test_a_day_of_orders_costs_few_calls(past: Past) -> None:  # noqa: F811
    """Every order known and booked, and nothing to change: only listing."""
    count = 60
    bench = ready(past)
    bench.clock.advance(days=1)
    bodies = [past.sold("10.00", days_ago=0.3) for _ in range(count)]
    for body in bodies:
        bench.deliver_body("orders/paid", body)
    bench.run()
    wait(bench)
    changes, full = changing(bench), past.pretend.points()
    past.pretend.calls.clear()

    report = reconciled(bench)

    assert (report.seen, report.new, report.changed, report.drifts) == (count, 0, 0, [])
    assert report.actions == count
    assert changing(bench) == changes
    # 25 orders a page; 2,000 actions a page
    asked = [call for call in past.pretend.calls if call.where == "graphql"]
    assert len(asked) == report.store_calls == -(-count // 25) + len(report.balances)
    assert report.impact_calls == -(-count // 2_000)
    # Basic: 100 points a second, of which half is ours. 5,000 such orders must fit into an hour of it.
    spent = full - past.pretend.points()
    assert spent * 5_000 / count <= 3_600 * 100 / 2


# stopped anywhere


@contextmanager
def killed_at(bench: Bench, moment: int) -> Iterator[Services]:
    """A process of its own, which ends hard before its `moment`th commit or call."""
    left = [moment]

    def step() -> None:
        left[0] -= 1
        if not left[0]:
            raise Killed

    class Dying(Http):
        def request(self, *words: Any, **named: Any) -> Any:
            step()
            return super().request(*words, **named)

    line = Services(bench.line.config, bench.clock)
    line.http = Dying()
    writing = line.database.write

    @contextmanager
    def write() -> Iterator[Any]:
        with writing() as connection:
            yield connection
            step()

    line.database.write = write  # type: ignore[method-assign]
    try:
        yield line
    finally:
        line.database.close()


def killed_everywhere(bench: Bench) -> int:
    """Reconcile with a kill before each commit and call in turn, until one run ends; how many were killed.

    What one run got done, the next finds done.
    """
    for moment in range(1, 60):
        with killed_at(bench, moment) as line:
            try:
                reconciled(bench, line)
            except Killed:
                continue
        return moment - 1
    raise AssertionError("no run came to its end")


@both_databases
def test_two_at_once_do_the_work_once(past: Past) -> None:  # noqa: F811
    bench = past.bench
    _, body = booked(past)
    at_impact(bench, body).items[0].amount = Decimal("80.00")
    wait(bench)
    missed = [past.sold("10.00", days_ago=0.005) for _ in range(4)]
    others = [Services(bench.line.config, bench.clock) for _ in range(3)]
    try:
        with ThreadPoolExecutor(3) as threads:
            reports = [one.result() for one in [threads.submit(reconciled, bench, line) for line in others]]
    finally:
        for line in others:
            line.database.close()
    assert [report.faults for report in reports] == [[], [], []]
    bench.run()
    wait(bench)
    reconciled(bench)
    bench.run()
    assert [bench.booked(one) for one in (body, *missed)] == [[Decimal(100)], *[[Decimal(10)]] * 4]
    kinds = sorted(step.kind for step in bench.rows(steps, steps.c.state == "accepted"))
    assert kinds == ["modify", *["submit"] * 5]


@both_databases
def test_killed_before_any_commit_or_call_and_repeated_it_ends_the_same(past: Past) -> None:  # noqa: F811
    bench = past.bench
    _, body = booked(past)
    at_impact(bench, body).items[0].amount = Decimal("80.00")
    wait(bench)
    assert killed_everywhere(bench) >= 6
    bench.run()
    missed = [past.sold("10.00", days_ago=0.005) for _ in range(4)]
    assert killed_everywhere(bench) >= 4
    bench.run()
    wait(bench)
    report = reconciled(bench)
    assert (report.new, report.changed, report.drifts) == (0, 0, [])
    assert bench.booked(body) == [Decimal(100)]
    assert [bench.booked(one) for one in missed] == [[Decimal(10)]] * 4
    kinds = sorted(step.kind for step in bench.rows(steps, steps.c.state == "accepted"))
    assert kinds == ["modify", *["submit"] * 5]


def test_it_stops_when_its_time_is_over_and_goes_on_there(past: Past) -> None:  # noqa: F811
    bench = ready(past)
    for number in range(30):
        bench.clock.advance(seconds=1)
        past.sold("1.00", days_ago=0.1 + number / 1000)
    bench.clock.advance(hours=1)
    first = reconciled(bench, until=bench.clock())
    assert (first.is_unfinished, first.seen) == (True, 25)
    rest = reconciled(bench)
    assert not rest.is_unfinished
    bench.run()
    assert bench.count(orders) == 30


def test_the_command_tells_what_it_found(past: Past) -> None:  # noqa: F811
    ready(past)
    past.sold("10.00", days_ago=0.1)
    result = past.said("reconcile")
    assert result.exit_code == 0, result.output
    assert "orders looked at 1: new here 1, newer than known 0" in result.output
    # one page of orders; the conversion that is due goes before any question
    assert "calls to the store 1, to impact.com 0" in result.output
    past.bench.run()
    past.pretend.faults.extend([store_faults.status(500)] * 30)
    failed = past.said("reconcile", "--since", "2026-11-01")
    assert failed.exit_code == 1
    assert "Traceback" not in failed.output
