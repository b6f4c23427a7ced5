"""What people do by hand: each act does what it says once, is written down, and stands until it is undone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from impact_app.ledger.tables import acts, steps
from impact_app.pipeline.by_hand import ACTED_ON, Refused
from impact_app.pipeline.sweep import sweep
from tests.line import Bench, both_databases


@both_databases
def test_an_order_taken_back_stays_so_until_a_replay(bench: Bench) -> None:
    store = bench.connect()
    body = bench.pay()
    bench.run()
    key = str(body["id"])
    assert bench.line.by_hand.take_back(store.id, key, "Ann")
    bench.run()
    assert bench.verdict(body) == ("reported", "reversed")
    assert bench.steps_of(body) == [("submit", "accepted"), ("reverse", "accepted")]

    bench.deliver_body("orders/updated", {**body, "updated_at": "2026-11-20T12:30:00Z"})
    bench.run()
    assert len(bench.steps_of(body)) == 2

    assert bench.line.by_hand.replay(store.id, key, "Ben")
    bench.run()
    # 100.00 stands again
    assert bench.verdict(body)[0] == "reported"
    assert bench.steps_of(body)[2:] == [("restore", "accepted")]
    assert [(row.act, row.by, row.order_key) for row in bench.rows(acts)] == [
        ("take_back", "Ann", key),
        ("replay", "Ben", key),
    ]


def test_a_test_order_is_taken_back_as_one(bench: Bench) -> None:
    store = bench.connect()
    body = bench.pay()
    bench.run()
    assert bench.line.by_hand.take_back(store.id, str(body["id"]), "Ann", as_test=True)
    bench.run()
    (step,) = bench.rows(steps, steps.c.kind == "reverse")
    assert "TEST_ACTION" in dict(step.form).values()
    assert bench.verdict(body) == ("reported", "reversed")


@both_databases
def test_an_ignored_order_is_not_reported_until_a_replay(bench: Bench) -> None:
    store = bench.connect()
    body = bench.pay()
    bench.process()
    key = str(body["id"])
    assert bench.line.by_hand.ignore(store.id, key, "Ann")
    bench.run()
    assert bench.verdict(body) == ("withheld", "ignored")
    assert bench.calls() == []
    assert bench.line.by_hand.replay(store.id, key, "Ann")
    bench.run()
    assert bench.verdict(body) == ("reported", "accepted")
    assert len(bench.calls()) == 1


def test_what_makes_no_sense_is_refused_and_changes_nothing(bench: Bench) -> None:
    store = bench.connect()
    body = bench.pay()
    bench.process()
    key = str(body["id"])
    with pytest.raises(Refused, match="nothing to take back"):
        bench.line.by_hand.take_back(store.id, key, "Ann")
    with pytest.raises(Refused, match="as it was first reported"):
        bench.line.by_hand.resend(store.id, key, "Ann")
    bench.run()
    with pytest.raises(Refused, match="Take it back instead"):
        bench.line.by_hand.ignore(store.id, key, "Ann")
    assert bench.count(acts) == 0
    assert bench.verdict(body) == ("reported", "accepted")
    for act in ("replay", "ignore", "take_back", "resend"):
        assert not getattr(bench.line.by_hand, act)(store.id, "no-such-order", "Ann")
        assert not getattr(bench.line.by_hand, act)(store.id + 1, key, "Ann")


@both_databases
def test_a_resent_conversion_is_the_same_and_is_booked_once(bench: Bench) -> None:
    store = bench.connect()
    body = bench.pay()
    bench.run()
    assert bench.line.by_hand.resend(store.id, str(body["id"]), "Ann")
    with pytest.raises(Refused, match="under way"):
        bench.line.by_hand.resend(store.id, str(body["id"]), "Ann")
    bench.run()
    assert bench.steps_of(body) == [("submit", "accepted"), ("submit", "accepted")]
    assert bench.verdict(body)[0] == "reported"
    # one action of 100.00, however often it was sent
    assert [f"{amount:.2f}" for amount in bench.booked(body)] == ["100.00"]


def at_once(bench: Bench, *acts: Callable[[], bool]) -> list[str]:
    """What became of acts that begin at the same moment, in any order."""
    start = threading.Barrier(len(acts))

    def act(one: Callable[[], bool]) -> str:
        start.wait()
        try:
            return "done" if one() else "unknown"
        except Refused as refusal:
            return str(refusal)

    with ThreadPoolExecutor(len(acts)) as pool:
        return sorted(pool.map(act, acts))


@both_databases
@pytest.mark.parametrize("act", ["replay", "take_back", "resend"])
def test_a_form_that_is_sent_twice_at_once_acts_once(bench: Bench, act: str) -> None:
    store = bench.connect()
    body = bench.pay()
    bench.run()
    key = str(body["id"])
    seen = bench.line.acts.newest(store.id, key)
    do = getattr(bench.line.by_hand, act)

    came_of_it = at_once(bench, *[lambda: do(store.id, key, "Ann", seen=seen)] * 2)

    assert came_of_it[1] == "done"
    assert came_of_it[0] == ACTED_ON
    assert bench.count(acts) == 1
    bench.run()
    expected = {"replay": [], "take_back": [("reverse", "accepted")], "resend": [("submit", "accepted")]}
    assert bench.steps_of(body) == [("submit", "accepted"), *expected[act]]


@both_databases
def test_nobody_undoes_what_they_never_saw(bench: Bench) -> None:
    store = bench.connect()
    body = bench.pay()
    bench.process()
    key = str(body["id"])
    seen = bench.line.acts.newest(store.id, key)
    assert bench.line.by_hand.ignore(store.id, key, "Ann", seen=seen)
    with pytest.raises(Refused, match="acted on the order meanwhile"):
        bench.line.by_hand.replay(store.id, key, "Ben", seen=seen)
    bench.run()
    assert bench.verdict(body) == ("withheld", "ignored")
    assert bench.calls() == []

    assert bench.line.by_hand.replay(store.id, key, "Ben", seen=bench.line.acts.newest(store.id, key))
    bench.run()
    assert bench.verdict(body) == ("reported", "accepted")


@both_databases
def test_an_order_whose_call_is_out_is_reported_once_whatever_is_done(bench: Bench) -> None:
    store = bench.connect()
    body = bench.pay()
    bench.process()
    key = str(body["id"])
    assert len(bench.line.outbox.claim(10, bench.clock(), "somebody who dies")) == 1
    for act in ("ignore", "take_back", "resend"):
        with pytest.raises(Refused):
            getattr(bench.line.by_hand, act)(store.id, key, "Ann")
    assert bench.count(acts) == 0
    at_once(bench, *[lambda: bench.line.by_hand.replay(store.id, key, "Ann")] * 2)
    assert bench.steps_of(body) == [("submit", "in_flight")]

    bench.clock.advance(minutes=5)
    sweep(bench.line.inbox, bench.line.outbox, bench.clock)
    bench.run()
    assert bench.verdict(body)[0] == "reported"
    # 100.00 once
    assert [f"{amount:.2f}" for amount in bench.booked(body)] == ["100.00"]
