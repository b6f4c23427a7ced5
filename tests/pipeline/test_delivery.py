"""Sending: claims, holds, limits, the schedule of repeats, and giving up."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa

from impact_app.domain.reasons import Reason
from impact_app.domain.receipts import Outcome, Receipt
from impact_app.ledger import outbox as outboxes
from impact_app.ledger.outbox import ClaimedStep
from impact_app.ledger.stores import Stores
from impact_app.ledger.tables import accounts, attempts, conversions, orders, steps
from impact_app.ledger.vault import Vault
from impact_app.pipeline.sweep import sweep
from impact_app.simulator.network import Account, Setup, Token, fault
from impact_app.simulator.shopify.orders import LineSpec
from impact_app.transports.api.request import Call
from tests.line import OTHER_SHOP, Bench, both_databases


def _step(bench: Bench) -> sa.Row[tuple[object, ...]]:
    (row,) = bench.rows(steps)
    found: sa.Row[tuple[object, ...]] = row
    return found


# claims


@both_databases
def test_one_open_step_per_order_is_all_the_database_takes(bench: Bench) -> None:
    bench.connect()
    bench.pay()
    assert bench.process() == 1
    row = _step(bench)._mapping
    again = {name: value for name, value in row.items() if name != "id"}
    with pytest.raises(sa.exc.IntegrityError), bench.line.database.write() as connection:
        connection.execute(sa.insert(steps).values(**again))
    assert bench.count(steps) == 1
    with bench.line.database.write() as connection:
        connection.execute(sa.insert(steps).values(**{**again, "state": "replaced"}))
    assert bench.count(steps) == 2


@both_databases
def test_many_who_claim_at_once_share_the_steps_out(bench: Bench) -> None:
    bench.connect()
    for _ in range(30):
        bench.pay()
    assert bench.process() == 30
    with ThreadPoolExecutor(8) as threads:
        claims = threads.map(lambda at: bench.line.outbox.claim(10, bench.clock(), f"c{at}"), range(8))
        taken = [step.id for claim in claims for step in claim]
    assert len(taken) == len(set(taken))
    rest = bench.line.outbox.claim(30, bench.clock(), "rest")
    assert sorted([*taken, *(step.id for step in rest)]) == [row.id for row in bench.rows(steps)]


@both_databases
def test_many_who_read_the_inbox_at_once_share_it_out(bench: Bench) -> None:
    bench.connect()
    bodies = [bench.pay() for _ in range(40)]
    with ThreadPoolExecutor(4) as threads:
        settled = sum(threads.map(lambda _: bench.process(), range(4)))
    assert settled == 40
    assert bench.counts()["orders"] == bench.counts()["steps"] == 40
    with ThreadPoolExecutor(4) as threads:
        sent = sum(threads.map(lambda _: bench.deliver(), range(4)))
    sent += bench.deliver()
    assert sent == len(bench.calls()) == 40
    assert {len(bench.booked(body)) for body in bodies} == {1}


def test_a_step_in_flight_is_nobody_elses(bench: Bench) -> None:
    bench.connect()
    bench.pay()
    assert bench.process() == 1
    assert len(bench.line.outbox.claim(5, bench.clock(), "mine")) == 1
    assert bench.line.outbox.claim(5, bench.clock(), "theirs") == []
    assert bench.deliver() == 0
    assert bench.calls() == []


@both_databases
def test_a_stale_claim_is_freed_after_50_seconds_and_counts_as_maybe_sent(bench: Bench) -> None:
    bench.connect()
    body = bench.pay()
    assert bench.process() == 1
    assert len(bench.line.outbox.claim(5, bench.clock(), "of a process that died")) == 1
    bench.clock.advance(seconds=50)
    assert sweep(bench.line.inbox, bench.line.outbox, bench.clock).freed_steps == 0
    bench.clock.advance(seconds=1)
    swept = sweep(bench.line.inbox, bench.line.outbox, bench.clock)
    assert (swept.freed_steps, swept.next_step_due) == (1, bench.clock())
    (row,) = bench.rows(steps)
    assert (row.state, row.may_have_arrived, row.tries, row.claimed_by) == ("pending", True, 1, None)
    assert [row.reason for row in bench.rows(attempts)] == ["interrupted"]
    assert bench.run() == 1
    assert bench.verdict(body) == ("reported", "accepted")


@both_databases
def test_a_stale_claim_on_a_delivery_is_freed_after_90_seconds(bench: Bench) -> None:
    bench.connect()
    body = bench.pay()
    assert len(bench.line.inbox.claim(5, bench.clock())) == 1
    assert bench.process() == 0
    bench.clock.advance(seconds=91)
    swept = sweep(bench.line.inbox, bench.line.outbox, bench.clock)
    assert (swept.freed_deliveries, swept.has_due_deliveries) == (1, True)
    assert bench.run() == 1
    assert bench.verdict(body) == ("reported", "accepted")


@both_databases
def test_a_crash_after_sending_books_once(bench: Bench) -> None:
    """The call was made and answered; the process died before it could write that down."""
    bench.connect()
    body = bench.pay()
    assert bench.process() == 1
    (step,) = bench.line.outbox.claim(5, bench.clock(), "dies")
    setup = bench.network.books.setup
    receipt = bench.line.impact.send(
        Call(step.method, step.path, step.form), setup.sid, setup.token, bench.clock()
    )
    assert receipt.outcome == "accepted"
    bench.clock.advance(seconds=76)
    assert sweep(bench.line.inbox, bench.line.outbox, bench.clock).freed_steps == 1
    assert bench.run() == 1
    assert bench.calls() == ["POST Conversions 200", "POST Conversions 200"]
    assert bench.booked(body) == [Decimal("100.00")]
    assert bench.verdict(body) == ("reported", "accepted")


@both_databases
def test_an_acceptance_counts_even_when_the_claim_was_lost(bench: Bench) -> None:
    bench.connect()
    body = bench.pay()
    assert bench.process() == 1
    (late,) = bench.line.outbox.claim(5, bench.clock(), "late")
    setup = bench.network.books.setup
    receipt = bench.line.impact.send(
        Call(late.method, late.path, late.form), setup.sid, setup.token, bench.clock()
    )
    began = bench.clock()
    bench.clock.advance(seconds=76)
    sweep(bench.line.inbox, bench.line.outbox, bench.clock)
    (again,) = bench.line.outbox.claim(5, bench.clock(), "again")
    assert _settle(bench, late, receipt, began) == "accepted"
    assert bench.count(conversions) == 1
    # The other one's failure comes after the acceptance and changes nothing.
    failure = Receipt(Outcome.UNCERTAIN, Reason.NO_ANSWER)
    assert _settle(bench, again, failure, bench.clock()) is None
    (row,) = bench.rows(steps)
    assert (row.state, row.tries) == ("accepted", 2)
    assert bench.reported(body) == Decimal("100.00")


@both_databases
def test_a_failure_of_a_lost_claim_changes_nothing(bench: Bench) -> None:
    bench.connect()
    bench.pay()
    assert bench.process() == 1
    (late,) = bench.line.outbox.claim(5, bench.clock(), "late")
    began = bench.clock()
    bench.clock.advance(seconds=76)
    sweep(bench.line.inbox, bench.line.outbox, bench.clock)
    bench.line.outbox.claim(5, bench.clock(), "again")
    assert _settle(bench, late, Receipt(Outcome.REJECTED, Reason.INVALID_FIELD), began) is None
    (row,) = bench.rows(steps)
    assert (row.state, row.claimed_by) == ("in_flight", "again")


def _settle(bench: Bench, step: ClaimedStep, receipt: Receipt, began: datetime) -> str | None:
    with bench.line.database.write() as connection:
        return outboxes.settle(connection, step, receipt, began, bench.clock(), random.Random(1))


# credentials


@pytest.mark.parametrize(
    ("name", "reason"), [("401", "credentials_refused"), ("403", "not_allowed")], ids=["401", "403"]
)
@both_databases
def test_a_refusal_holds_the_account_with_one_call_until_the_settings_are_saved(
    bench: Bench, name: str, reason: str
) -> None:
    store = bench.connect()
    bodies = [bench.pay() for _ in range(50)]
    bench.network.faults.script(name)
    assert bench.run() == 1
    assert bench.calls() == [f"POST Conversions {name}"]
    assert {bench.verdict(body) for body in bodies} == {("attention", reason)}
    bench.clock.advance(days=1)
    late = bench.pay()
    assert bench.run() == 0
    assert bench.verdict(late) == ("attention", reason)
    assert bench.line.outbox.next_due(bench.clock()) is None
    bench.configure(store)
    assert bench.run() == 51
    assert Counter(bench.calls()) == {f"POST Conversions {name}": 1, "POST Conversions 200": 51}
    assert {len(bench.booked(body)) for body in [*bodies, late]} == {1}
    assert {bench.verdict(body) for body in bodies} == {("reported", "accepted")}


def test_every_hold_costs_one_call(bench: Bench) -> None:
    store = bench.connect()
    bench.configure(store, token="wrong-token")
    for _ in range(40):
        bench.pay()
    assert bench.run() == 1
    bench.configure(store, token="wrong-again")
    assert bench.run() == 1
    assert bench.calls() == ["POST Conversions 401"] * 2
    bench.configure(store)
    assert bench.run() == 40
    assert len(bench.network.books.actions()) == 40


def test_a_read_only_token_is_not_a_wrong_password(bench: Bench) -> None:
    store = bench.connect()
    bench.configure(store, token="pretend-read-only-token")
    body = bench.pay()
    assert bench.run() == 1
    assert bench.verdict(body) == ("attention", "not_allowed")
    assert bench.calls() == ["POST Conversions 403"]


def test_another_account_goes_on_while_one_is_held(make_bench: Callable[[Setup], Bench]) -> None:
    second = Account("IRPretendNetworkAccount00000000002", 10002, tokens=(Token("second-token"),))
    bench = make_bench(Setup(rate_limit=None, accounts=(Account(), second)))
    held, free = bench.connect(), bench.connect(OTHER_SHOP)
    bench.configure(held, token="wrong")
    bench.line.stores.save_settings(
        free.id,
        account_sid=second.sid,
        auth_token="second-token",
        campaign_id="1000",
        event_type_id="9876",
        rules={},
    )
    stuck, sent = bench.pay(), bench.pay(shop=OTHER_SHOP)
    assert bench.run() == 2
    assert bench.verdict(stuck) == ("attention", "credentials_refused")
    assert bench.verdict(sent) == ("reported", "accepted")
    assert [row.sid for row in bench.rows(accounts) if row.held_reason] == [bench.network.books.setup.sid]


@dataclass
class SavedMeanwhile:
    """The merchant saves working credentials while the call with the old ones is on its way."""

    bench: Bench
    store_id: int

    def send(self, call: Call, account_sid: str, auth_token: str, now: datetime) -> Receipt:
        receipt = self.bench.line.impact.send(call, account_sid, auth_token, now)
        if auth_token == "wrong":
            store = self.bench.line.stores.get(self.store_id)
            assert store is not None
            self.bench.configure(store)
        return receipt


def test_a_refusal_of_replaced_credentials_holds_nothing(bench: Bench) -> None:
    store = bench.connect()
    bench.configure(store, token="wrong")
    body = bench.pay()
    assert bench.process() == 1
    deliverer = replace(bench.line.deliverer, transport=SavedMeanwhile(bench, store.id))
    assert deliverer.drain(bench.turn) == 1
    assert [row.held_reason for row in bench.rows(accounts)] in ([], [None])
    bench.clock.advance(seconds=10)
    assert bench.run() == 1
    assert bench.calls() == ["POST Conversions 401", "POST Conversions 200"]
    assert bench.verdict(body) == ("reported", "accepted")


def test_a_token_stored_under_a_lost_key_holds_the_account_without_a_call(bench: Bench) -> None:
    store = bench.connect()
    other = Stores(bench.line.database, Vault(["another key altogether"]))
    other.save_settings(
        store.id,
        account_sid=bench.network.books.setup.sid,
        auth_token="pretend-auth-token",
        campaign_id="1000",
        event_type_id="9876",
        rules={},
    )
    body = bench.pay()
    bench.run()
    assert bench.calls() == []
    assert bench.verdict(body) == ("attention", "credentials_refused")
    bench.configure(store)
    assert bench.run() == 1
    assert bench.verdict(body) == ("reported", "accepted")


def test_another_account_takes_over_what_waited_for_the_old_one(
    make_bench: Callable[[Setup], Bench],
) -> None:
    second = Account("IRPretendNetworkAccount00000000002", 10002, tokens=(Token("second-token"),))
    bench = make_bench(Setup(rate_limit=None, accounts=(Account(), second)))
    store = bench.connect()
    bench.configure(store, token="wrong")
    bodies = [bench.pay() for _ in range(3)]
    assert bench.run() == 1
    bench.line.stores.save_settings(
        store.id,
        account_sid=second.sid,
        auth_token="second-token",
        campaign_id="1000",
        event_type_id="9876",
        rules={},
    )
    bench.line.settings_saved(store.id)
    # Should the deliverer come before the reviewer, nothing goes out under the wrong account.
    assert bench.deliver() == 0
    assert bench.run() == 3
    assert Counter(bench.calls()) == {"POST Conversions 401": 1, "POST Conversions 200": 3}
    assert {action.account_sid for action in bench.network.books.actions()} == {second.sid}
    assert {bench.verdict(body) for body in bodies} == {("reported", "accepted")}


def test_a_call_for_an_account_the_store_has_left_is_not_made(make_bench: Callable[[Setup], Bench]) -> None:
    second = Account("IRPretendNetworkAccount00000000002", 10002, tokens=(Token("second-token"),))
    bench = make_bench(Setup(rate_limit=None, accounts=(Account(), second)))
    store = bench.connect()
    body = bench.pay()
    assert bench.process() == 1
    bench.line.stores.save_settings(
        store.id,
        account_sid=second.sid,
        auth_token="second-token",
        campaign_id="1000",
        event_type_id="9876",
        rules={},
    )
    # The deliverer comes before the reviewer: it finds the change and makes the call anew.
    assert bench.deliver() == 2
    assert bench.calls() == ["POST Conversions 200"]
    assert [action.account_sid for action in bench.network.books.actions()] == [second.sid]
    assert bench.steps_of(body) == [("submit", "replaced"), ("submit", "accepted")]


# refusals of one order


@both_databases
def test_a_400_needs_attention_names_the_field_and_is_not_repeated(bench: Bench) -> None:
    store = bench.connect()
    bench.line.stores.save_settings(
        store.id,
        account_sid=bench.network.books.setup.sid,
        auth_token=None,
        campaign_id="abc",
        event_type_id="9876",
        rules={},
    )
    body = bench.pay()
    assert bench.run() == 1
    assert bench.verdict(body) == ("attention", "invalid_field")
    (row,) = bench.rows(orders)
    assert "CampaignId" in row.detail
    bench.clock.advance(days=4)
    bench.deliver_body("orders/updated", {**body, "note": "seen again"})
    assert bench.run() == 0
    assert bench.calls() == ["POST Conversions 400"]
    assert bench.steps_of(body) == [("submit", "rejected")]


@pytest.mark.parametrize(("name", "reason"), [("400", "invalid_field"), ("402", "request_failed")])
@both_databases
def test_a_replay_sends_again_what_was_refused(bench: Bench, name: str, reason: str) -> None:
    store = bench.connect()
    body = bench.pay()
    bench.network.faults.script(name)
    assert bench.run() == 1
    assert bench.verdict(body) == ("attention", reason)
    assert bench.line.replay(store.id, str(body["id"])) == "Judged again: waiting, queued."
    assert bench.run() == 1
    assert bench.verdict(body) == ("reported", "accepted")
    assert bench.steps_of(body) == [("submit", "accepted")]
    assert bench.booked(body) == [Decimal("100.00")]
    assert bench.count(attempts) == 2


def test_corrected_settings_send_what_was_refused(bench: Bench) -> None:
    store = bench.connect()
    bench.line.stores.save_settings(
        store.id,
        account_sid=bench.network.books.setup.sid,
        auth_token=None,
        campaign_id="abc",
        event_type_id="9876",
        rules={},
    )
    body = bench.pay()
    assert bench.run() == 1
    bench.configure(store)
    assert bench.run() == 1
    assert bench.steps_of(body) == [("submit", "replaced"), ("submit", "accepted")]
    assert bench.verdict(body) == ("reported", "accepted")


def test_a_replay_of_an_unknown_order_does_nothing(bench: Bench) -> None:
    store = bench.connect()
    assert bench.line.replay(store.id, "12345") is None
    assert bench.line.replay(store.id + 1, "12345") is None
    assert bench.count(steps) == 0


def test_a_replay_of_a_reported_order_sends_nothing(bench: Bench) -> None:
    store = bench.connect()
    body = bench.pay()
    assert bench.run() == 1
    assert bench.line.replay(store.id, str(body["id"])) == "Judged again: reported, accepted."
    assert bench.run() == 0
    assert bench.calls() == ["POST Conversions 200"]


# limits


@pytest.mark.parametrize("name", ["429_brand", "429_brand_epoch", "429_partner", "429_partner_epoch"])
def test_a_429_lets_the_account_rest_until_the_reset_and_no_longer(bench: Bench, name: str) -> None:
    bench.connect()
    bodies = [bench.pay() for _ in range(40)]
    bench.network.faults.script(fault(name, seconds=600))
    assert bench.run() == 1
    assert Counter(bench.verdict(body) for body in bodies) == {
        ("waiting", "rate_limited"): 1,
        ("waiting", "queued"): 39,
    }
    due = bench.line.outbox.next_due(bench.clock())
    assert due is not None
    assert timedelta(seconds=600) <= due - bench.clock() <= timedelta(seconds=602)
    bench.clock.advance(seconds=599)
    assert bench.run() == 0
    bench.clock.advance(seconds=3)
    assert bench.run() == 40
    assert Counter(bench.calls()) == {"POST Conversions 429": 1, "POST Conversions 200": 40}
    assert {bench.verdict(body) for body in bodies} == {("reported", "accepted")}


def test_429s_that_say_nothing_rest_longer_and_longer_until_one_is_answered(bench: Bench) -> None:
    """1, 2, 4 seconds and up to one more of jitter each; an answer starts over at 1."""
    bench.connect()
    bench.pay()
    bench.network.faults.script("429_none", "429_none", "429_none")
    for rest in (1, 2, 4):
        assert bench.run() == 1
        bench.clock.advance(seconds=rest - 0.1)
        assert bench.run() == 0
        bench.clock.advance(seconds=1.2)
    assert bench.run() == 1

    bench.pay()
    bench.network.faults.script("429_none")
    assert bench.run() == 1
    bench.clock.advance(seconds=2.1)
    assert bench.run() == 1


@pytest.mark.parametrize(
    ("family", "reset"), [("brand", "seconds"), ("brand", "epoch"), ("partner", "seconds")]
)
def test_no_more_calls_are_made_than_the_hour_allows(
    make_bench: Callable[[Setup], Bench], family: str, reset: str
) -> None:
    """100 orders, 30 calls an hour: 30 calls, each accepted, and not one 429, hour after hour."""
    bench = make_bench(Setup(rate_limit=30, rate_headers=family, rate_reset=reset))  # type: ignore[arg-type]
    bench.connect()
    bodies = [bench.pay() for _ in range(100)]
    made = []
    for _ in range(4):
        made.append(bench.run())
        assert bench.run() == 0
        bench.clock.advance(hours=1, seconds=2)
    assert made == [30, 30, 30, 10]
    assert Counter(bench.calls()) == {"POST Conversions 200": 100}
    assert {len(bench.booked(body)) for body in bodies} == {1}


def test_a_limit_the_network_does_not_announce_costs_a_handful_of_calls(
    make_bench: Callable[[Setup], Bench],
) -> None:
    """Without headers only a 429 tells. What was on its way then is refused as well: at most one load.

    After that one call a rest, the rests doubling from 1 s to 5 minutes: an hour has room for 9 + 10 of them.
    """
    bench = make_bench(Setup(rate_limit=30, rate_headers="none"))
    bench.connect()
    for _ in range(100):
        bench.pay()
    bench.run()
    first = Counter(bench.calls())
    assert first["POST Conversions 200"] == 30
    assert 1 <= first["POST Conversions 429"] <= 32
    for rest in (2, 4, 8, 16, 32, 64, 128, 256, 300, 300):
        bench.clock.advance(seconds=rest + 1.1)
        assert bench.run() <= 1
    assert Counter(bench.calls())["POST Conversions 429"] <= first["POST Conversions 429"] + 10


def test_two_workers_on_one_account_exceed_the_hour_by_one_load_at_most(
    make_bench: Callable[[Setup], Bench],
) -> None:
    bench = make_bench(Setup(rate_limit=60))
    bench.connect()
    for _ in range(200):
        bench.pay()
    bench.process()
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda _: bench.deliver(), range(2)))
    calls = Counter(bench.calls())
    assert 28 <= calls["POST Conversions 200"] <= 60
    assert calls["POST Conversions 429"] <= 32
    assert bench.run() == 0


# repeats


def test_repeats_wait_longer_each_time_within_their_bounds(bench: Bench) -> None:
    """Full jitter under 10 s, 20 s, 40 s … 1 h; never at once, and never more than an hour."""
    bench.connect()
    bench.pay()
    bench.network.faults.at_random(1.0, kinds=["503_before"])
    waits = []
    for _ in range(14):
        assert bench.run() == 1
        due = bench.line.outbox.next_due(bench.clock())
        assert due is not None
        waits.append((due - bench.clock()).total_seconds())
        bench.clock.now = due
    bounds = [min(3600, 10 * 2**at) for at in range(14)]
    assert [1 <= waited <= bound for waited, bound in zip(waits, bounds, strict=True)] == [True] * 14
    assert len(set(waits)) == 14
    assert max(waits) > 60


def test_a_step_is_not_sent_before_it_is_due(bench: Bench) -> None:
    bench.connect()
    bench.pay()
    bench.network.faults.script("500_before")
    assert bench.run() == 1
    due = bench.line.outbox.next_due(bench.clock())
    assert due is not None
    bench.clock.now = due - timedelta(milliseconds=1)
    assert bench.run() == 0
    bench.clock.now = due
    assert bench.run() == 1


def test_after_72_hours_a_person_is_asked_and_a_replay_sends_it(bench: Bench) -> None:
    store = bench.connect()
    body = bench.pay()
    bench.network.faults.at_random(1.0, kinds=["503_before"])
    began = bench.clock()
    while bench.verdict(body)[0] == "waiting" if bench.count(orders) else True:
        bench.run()
        due = bench.line.outbox.next_due(bench.clock())
        if due is None:
            break
        bench.clock.now = due
    assert timedelta(hours=72) <= bench.clock() - began <= timedelta(hours=73)
    assert bench.verdict(body) == ("attention", "gave_up")
    assert bench.steps_of(body) == [("submit", "gave_up")]
    bench.network.faults.clear()
    bench.clock.advance(hours=5)
    assert bench.run() == 0
    assert bench.line.replay(store.id, str(body["id"])) == "Judged again: waiting, queued."
    assert bench.verdict(body) == ("waiting", "queued")
    assert bench.run() == 1
    assert bench.verdict(body) == ("reported", "accepted")
    assert bench.booked(body) == [Decimal("100.00")]


def test_a_replay_starts_the_72_hours_anew(bench: Bench) -> None:
    store = bench.connect()
    body = bench.pay()
    bench.network.faults.at_random(1.0, kinds=["503_before"])
    assert bench.run() == 1
    bench.clock.advance(hours=73)
    assert bench.run() == 1
    assert bench.verdict(body) == ("attention", "gave_up")
    bench.line.replay(store.id, str(body["id"]))
    assert bench.run() == 1
    assert bench.verdict(body) == ("waiting", "server_error")


# a fault of ours


def test_an_order_that_cannot_be_judged_does_not_lose_its_receipt(bench: Bench) -> None:
    """What impact.com said is written down; the order is not sent again and again."""
    bench.connect()
    bad, good = bench.pay(), bench.pay()
    assert bench.process() == 2
    with bench.line.database.write() as connection:
        connection.execute(
            sa.update(orders).where(orders.c.order_key == str(bad["id"])).values(snapshot="{}")
        )
    assert bench.deliver() == 2
    assert bench.verdict(good) == ("reported", "accepted")
    assert bench.verdict(bad) == ("reported", "accepted")
    assert bench.steps_of(bad) == [("submit", "accepted")]
    assert bench.count(conversions) == 2
    bench.clock.advance(hours=2)
    sweep(bench.line.inbox, bench.line.outbox, bench.clock)
    assert bench.deliver() == 0
    assert bench.calls() == ["POST Conversions 200"] * 2


def test_an_order_that_cannot_be_judged_holds_up_no_review(bench: Bench) -> None:
    store = bench.connect(configured=False)
    bad = bench.pay()
    assert bench.process() == 1
    with bench.line.database.write() as connection:
        connection.execute(sa.update(orders).values(snapshot="{}"))
    others = [bench.pay() for _ in range(30)]
    bench.configure(store)
    assert bench.run() == 30
    assert {bench.verdict(body) for body in others} == {("reported", "accepted")}
    assert bench.verdict(bad) == ("waiting", "not_configured")
    assert not bench.line.reviewer.has_due()


class Broken:
    def send(self, call: Call, account_sid: str, auth_token: str, now: datetime) -> Receipt:
        raise ValueError("a fault of the app")


def test_a_transport_that_fails_leaves_the_step_to_be_repeated(bench: Bench) -> None:
    bench.connect()
    body = bench.pay()
    assert bench.process() == 1
    assert replace(bench.line.deliverer, transport=Broken()).drain(bench.turn) == 1
    assert bench.verdict(body) == ("waiting", "interrupted")
    bench.clock.advance(seconds=10)
    assert bench.run() == 1
    assert bench.booked(body) == [Decimal("100.00")]


def test_an_answer_that_repeats_the_token_is_kept_without_it(bench: Bench) -> None:
    store = bench.connect()
    bench.configure(store, token="pretend-disabled-token")
    bench.pay(LineSpec(sku="pretend-disabled-token", price=Decimal(5)))
    assert bench.run() == 1
    (row,) = bench.rows(attempts)
    assert "pretend-disabled-token" not in row.answer + row.detail
