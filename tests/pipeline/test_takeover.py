"""Orders that another app reported: recognised in impact.com's books, left out, adopted if equal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from impact_app import create_app
from impact_app.domain.receipts import Outcome
from impact_app.domain.takeover import Match
from impact_app.ledger.stores import Store
from impact_app.ledger.tables import conversions, orders, unknown_actions
from impact_app.pipeline.takeover import Found
from impact_app.pipeline.verify import NotNow
from impact_app.simulator.shopify.orders import LineSpec, refund
from impact_app.transports.api.request import Call
from tests.line import SHOP, TOKEN, Bench, both_databases

TOWEL = LineSpec(sku="TOWEL", title="Towel", price=Decimal("14.00"), quantity=2, product_id=11)


def report(bench: Bench, order_id: object, subtotal: str = "28.00", **fields: str) -> None:
    """Report an order as another app does: two towels by default, five minutes ago, under any order id."""
    setup = bench.network.books.setup
    form = {
        "CampaignId": str(setup.campaigns[0].id),
        "EventTypeId": str(setup.event_types[0].id),
        "EventDate": (bench.clock() - timedelta(minutes=5)).isoformat(),
        "OrderId": str(order_id),
        "ClickId": f"theirs-{order_id}",
        "CurrencyCode": "USD",
        "ItemSku1": "TOWEL",
        "ItemCategory1": "Towels",
        "ItemQuantity1": "2",
        "ItemSubTotal1": subtotal,
        **fields,
    }
    made = Call("POST", f"/Advertisers/{setup.sid}/Conversions", tuple(form.items()))
    receipt = bench.line.impact.send(made, setup.sid, TOKEN, bench.clock())
    assert receipt.outcome is Outcome.ACCEPTED


def recognised(bench: Bench, store: Store, since: datetime | None = None) -> Found:
    takeover, until = bench.line.takeover, bench.clock()
    start = since or until - timedelta(days=30)
    listed, _ = takeover.list_actions(store, start, until)
    return takeover.recognise(store, start, until, listed)


def posts(bench: Bench) -> int:
    return sum(call.startswith("POST") for call in bench.calls())


@both_databases
@pytest.mark.parametrize("name", ["id", "order_number", "name"])
def test_an_order_is_recognised_under_whichever_name_and_not_sent(bench: Bench, name: str) -> None:
    store = bench.connect()
    body = bench.order(TOWEL)
    report(bench, body[name])
    found = recognised(bench, store)
    assert (found.listed, found.ours, found.booked, len(found.strange)) == (1, 0, [], 1)
    bench.deliver_body("orders/paid", body)
    assert bench.run() == 0
    assert bench.verdict(body) == ("withheld", "booked_elsewhere")
    (action,) = bench.network.books.actions()
    (row,) = bench.rows(orders)
    assert row.detail == (
        f"Action {action.id} for order id {body[name]}: 28.00 USD, pending, partner {action.partner.id}."
    )
    assert bench.line.replay(store.id, str(body["id"])) == "Judged again: withheld, booked_elsewhere."
    assert bench.run() == 0
    assert posts(bench) == 1


@both_databases
def test_orders_that_wait_are_withheld_once_the_books_were_listed(bench: Bench) -> None:
    store = bench.connect(configured=False)
    body, other = bench.pay(TOWEL), bench.pay(TOWEL)
    bench.process()
    report(bench, body["id"])
    bench.configure(store)
    store = bench.line.stores.get(store.id) or store
    found = recognised(bench, store)
    assert [key for key, _ in found.booked] == [str(body["id"])]
    assert bench.run() == 1
    assert bench.verdict(body) == ("withheld", "booked_elsewhere")
    assert bench.verdict(other) == ("reported", "accepted")
    assert recognised(bench, store).booked == found.booked
    assert posts(bench) == 2


def test_a_number_of_another_day_is_another_shops(bench: Bench) -> None:
    store = bench.connect()
    body = bench.order(TOWEL)
    report(bench, body["order_number"], EventDate=(bench.clock() - timedelta(days=3)).isoformat())
    recognised(bench, store)
    bench.deliver_body("orders/paid", body)
    assert bench.run() == 1
    assert bench.verdict(body) == ("reported", "accepted")


@both_databases
def test_our_own_actions_are_nobody_elses_and_doubles_are_named(bench: Bench) -> None:
    store = bench.connect()
    ours, both = bench.pay(TOWEL), bench.pay(TOWEL)
    assert bench.run() == 2
    report(bench, both["name"])
    found = recognised(bench, store)
    assert (found.listed, found.ours, found.booked, found.strange) == (3, 2, [], [])
    assert [key for key, _ in found.doubled] == [str(both["id"])]
    assert bench.run() == 0
    assert bench.booked(ours) == [Decimal("28.00")]


def test_an_account_with_conversions_to_post_is_not_listed(bench: Bench) -> None:
    store = bench.connect()
    bench.pay(TOWEL)
    bench.process()
    with pytest.raises(NotNow):
        recognised(bench, store)
    assert bench.calls() == []


# Adopting


def adopted(bench: Bench, store: Store) -> list[str]:
    takeover, until = bench.line.takeover, bench.clock()
    start = until - timedelta(days=30)
    listed, every = takeover.list_actions(store, start, until)
    return takeover.adopt(store, takeover.recognise(store, start, until, listed).booked, every)


@both_databases
def test_an_action_that_holds_exactly_the_order_is_adopted_and_follows_it(bench: Bench) -> None:
    store = bench.connect()
    body = bench.order(TOWEL)
    report(bench, body["name"])
    recognised(bench, store)
    bench.deliver_body("orders/paid", body)
    bench.run()
    assert adopted(bench, store) == [str(body["id"])]
    assert bench.verdict(body) == ("reported", "credited")
    assert adopted(bench, store) == []
    assert [row.resolved_at for row in bench.rows(unknown_actions)] == [bench.clock()]
    _, less = refund(body, {body["line_items"][0]["id"]: 1})
    bench.deliver_body("orders/updated", less)
    assert bench.run() == 1
    assert [action.amount for action in bench.network.books.actions()] == [Decimal("14.00")]
    assert posts(bench) == 1
    assert bench.count(conversions) == 1


@pytest.mark.parametrize(
    "apart",
    [
        {"subtotal": "27.99"},
        {"ItemSku1": "11"},
        {"ItemQuantity1": "1"},
    ],
    ids=["amount", "sku", "quantity"],
)
def test_an_action_that_holds_anything_else_is_left_alone(bench: Bench, apart: Mapping[str, str]) -> None:
    store = bench.connect()
    body = bench.order(TOWEL)
    report(bench, body["id"], **apart)
    recognised(bench, store)
    bench.deliver_body("orders/paid", body)
    bench.run()
    assert adopted(bench, store) == []
    assert bench.count(conversions) == 0
    _, less = refund(body, {body["line_items"][0]["id"]: 1})
    bench.deliver_body("orders/updated", less)
    assert bench.run() == 0
    assert bench.verdict(body) == ("withheld", "booked_elsewhere")


# Shadow mode against the books


def compared(bench: Bench, store: Store) -> dict[str, tuple[Match, Decimal | None, Decimal | None]]:
    takeover, until = bench.line.takeover, bench.clock()
    start = until - timedelta(days=30)
    _, every = takeover.list_actions(store, start, until)
    return {
        one.order: (one.match, one.ours and one.ours.amount, one.theirs and one.theirs.amount)
        for one in takeover.compare_shadow(store, start, until, every)
    }


@both_databases
def test_shadow_calls_are_held_against_the_books(bench: Bench) -> None:
    store = bench.connect(mode="shadow")
    same, different, only_we = (bench.pay(TOWEL) for _ in range(3))
    bench.run()
    report(bench, same["id"])
    report(bench, different["name"], "30.00")
    report(bench, "someone-elses", "5.00")
    number = "order_number"
    assert compared(bench, store) == {
        str(same[number]): (Match.SAME, Decimal("28.00"), Decimal("28.00")),
        str(different[number]): (Match.DIFFERENT, Decimal("28.00"), Decimal("30.00")),
        str(only_we[number]): (Match.ONLY_WE, Decimal("28.00"), None),
        "someone-elses": (Match.ONLY_THEY, None, Decimal("5.00")),
    }
    assert bench.run() == 0
    assert posts(bench) == 3


@both_databases
def test_a_remap_of_shadow_orders_leaves_out_what_is_booked(bench: Bench) -> None:
    store = bench.connect(mode="shadow")
    theirs, nobodys = bench.pay(TOWEL), bench.pay(TOWEL)
    bench.run()
    report(bench, theirs["name"])
    recognised(bench, store)
    bench.configure(store, mode="live")
    bench.run()
    store = bench.line.stores.get(store.id) or store
    remapper = bench.line.remapper
    chosen = replace(remapper.selection(), with_shadow=True)
    changes = list(remapper.foresee(store, remapper.rules(store), chosen))
    assert [one.order_key for one in changes] == [str(nobodys["id"])]
    remapper.apply(store, changes)
    assert bench.run() == 1
    assert bench.line.replay(store.id, str(theirs["id"])) == "Judged again: withheld, booked_elsewhere."
    assert bench.run() == 0


# The commands


def run_command(bench: Bench, *words: str) -> tuple[int, list[str]]:
    ran = create_app(bench.line).test_cli_runner().invoke(args=list(words))
    return ran.exit_code, [line for line in ran.output.splitlines() if "[info" not in line]


def test_the_commands_tell_what_they_found(bench: Bench) -> None:
    bench.connect(mode="shadow")
    body: dict[str, Any] = bench.pay(TOWEL)
    bench.run()
    report(bench, body["name"])
    (action,) = bench.network.books.actions()
    since = ("--since", "2026-11-01")
    assert run_command(bench, "shadow", SHOP, *since) == (
        0,
        [
            f"{body['order_number']}\tsame\t28.00 USD\t28.00 USD\t{action.id}",
            "same: 1 orders, ours 28.00 USD, impact.com's 28.00 USD",
            "different: 0 orders, ours -, impact.com's -",
            "only_we: 0 orders, ours -, impact.com's -",
            "only_they: 0 orders, ours -, impact.com's -",
        ],
    )
    code, lines = run_command(bench, "takeover", SHOP, *since, "--adopt")
    assert code == 0
    assert lines[-5:] == [
        "Actions listed: 1, of which this app reported 0.",
        "Orders that others reported, and that are left out: 1.",
        "Orders that this app reported as well: 0.",
        "Actions of orders not known here: 0.",
        # Nothing is taken up before the mode is live.
        "Adopted, so that refunds and edits follow: 0 of 1.",
    ]
    assert bench.calls().count("POST Conversions 200") == 1


def test_a_refused_listing_is_told_in_a_sentence(bench: Bench) -> None:
    store = bench.connect()
    with bench.line.database.write() as connection:
        connection.execute(sa.text("UPDATE stores SET campaign_id = NULL"))
    code, lines = run_command(bench, "takeover", str(store.id), "--since", "2026-11-01")
    assert (code, lines) == (1, [f"Error: {SHOP} has no impact.com account, token and campaign yet."])
