"""Re-mapping: other rules on orders of the past are shown with their money first, then moved if chosen."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from impact_app import create_app
from impact_app.domain.money import Money
from impact_app.domain.remap import Change, Kind, Total, totals
from impact_app.domain.rules import read_rules
from impact_app.ledger.stores import Store
from impact_app.ledger.tables import conversions, orders, steps
from impact_app.pipeline.remap import BATCH, RulesChanged
from impact_app.simulator.shopify.orders import LineSpec, refund
from tests.line import Bench, both_databases

CARD = LineSpec(sku="CARD", title="Gift card", price=Decimal("25.00"), gift_card=True, product_id=12)
TOWEL = LineSpec(sku="TOWEL", title="Towel", price=Decimal("14.00"), quantity=2, product_id=11)
FREE = LineSpec(sku="FREE", title="Gift", price=Decimal("0.00"), product_id=13)


def saved(bench: Bench, store: Store, **rules: str) -> Store:
    bench.configure(store, **rules)
    found = bench.line.stores.get(store.id)
    assert found is not None
    return found


def foreseen(bench: Bench, store: Store, *, with_shadow: bool = False, **rules: str) -> list[Change]:
    """What the given rules would change; nothing given: the newest of the store."""
    remapper = bench.line.remapper
    tried = read_rules(rules) if rules else remapper.rules(store)
    return list(remapper.foresee(store, tried, replace(remapper.selection(), with_shadow=with_shadow)))


def told(changes: list[Change]) -> dict[str, tuple[str, Decimal, Decimal]]:
    """Kind and amounts by platform id."""
    return {
        one.order_key: (one.kind.value, one.before.amount.amount, one.after.amount.amount) for one in changes
    }


def usd(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


def state(bench: Bench) -> tuple[Any, ...]:
    return tuple(tuple(bench.rows(table)) for table in (orders, steps, conversions))


@both_databases
def test_looking_shows_the_money_and_writes_nothing(bench: Bench) -> None:
    store = bench.connect(test_orders="skip")
    reported = bench.pay(
        LineSpec(price=Decimal("40.00"), sku="A"), LineSpec(sku="SHIPS", price=Decimal("2.00"))
    )
    withheld = bench.pay(TOWEL, test=True)
    untouched = bench.pay(TOWEL)
    bench.run()
    before = state(bench)
    changes = foreseen(bench, store, test_orders="send", zero_items="skip")
    assert told(changes) == {str(withheld["id"]): ("report", Decimal(0), 2 * Decimal("14.00"))}
    assert (state(bench), bench.booked(withheld)) == (before, [])
    assert bench.booked(reported) == [Decimal("42.00")]
    assert bench.booked(untouched) == [Decimal("28.00")]


@both_databases
def test_applying_moves_withheld_and_reported_orders(bench: Bench) -> None:
    store = bench.connect(test_orders="skip", include="tax")
    taxed = replace(TOWEL, tax_rate=Decimal("0.10"))
    reported, withheld = bench.pay(taxed), bench.pay(taxed, test=True)
    bench.run()
    gross = 2 * Decimal("14.00") * Decimal("1.10")
    assert bench.booked(reported) == [gross]
    store = saved(bench, store, test_orders="send")
    assert bench.run() == 0
    changes = foreseen(bench, store)
    assert told(changes) == {
        str(reported["id"]): ("change", gross, Decimal("28.00")),
        str(withheld["id"]): ("report", Decimal(0), Decimal("28.00")),
    }
    assert bench.line.remapper.apply(store, changes) == 2
    assert bench.run() == 2
    assert (bench.booked(reported), bench.booked(withheld)) == ([Decimal("28.00")], [Decimal("28.00")])
    assert foreseen(bench, store) == []
    # From now on the newest rules hold for it, refunds included.
    _, less = refund(reported, {reported["line_items"][0]["id"]: 1})
    bench.deliver_body("orders/updated", less)
    assert bench.run() == 1
    assert bench.booked(reported) == [Decimal("14.00")]


@both_databases
def test_only_the_orders_named_are_moved(bench: Bench) -> None:
    store = bench.connect(test_orders="skip")
    first, second = (bench.pay(TOWEL, test=True) for _ in range(2))
    bench.run()
    store = saved(bench, store, test_orders="send")
    remapper = bench.line.remapper
    chosen = remapper.selection(keys=[str(second["id"])])
    assert remapper.apply(store, list(remapper.foresee(store, remapper.rules(store), chosen))) == 1
    assert bench.run() == 1
    assert (bench.booked(first), bench.booked(second)) == ([], [Decimal("28.00")])
    by_number = remapper.selection(keys=[first["name"]])
    assert [one.order_key for one in remapper.foresee(store, remapper.rules(store), by_number)] == [
        str(first["id"])
    ]


def test_an_order_that_rules_of_today_would_withhold_is_told_and_stays(bench: Bench) -> None:
    store = bench.connect(test_orders="send")
    body = bench.pay(TOWEL, test=True)
    assert bench.run() == 1
    store = saved(bench, store, test_orders="skip")
    changes = foreseen(bench, store)
    assert told(changes) == {str(body["id"]): ("kept", Decimal("28.00"), Decimal("28.00"))}
    assert bench.line.remapper.apply(store, changes) == 0
    assert bench.run() == 0
    assert bench.booked(body) == [Decimal("28.00")]


def test_what_impact_com_takes_no_more_is_told_as_too_late(bench: Bench) -> None:
    store = bench.connect(include="tax")
    body = bench.pay(replace(TOWEL, tax_rate=Decimal("0.10")))
    bench.run()
    with bench.line.database.write() as connection:
        connection.execute(sa.update(conversions).values(locking_date=bench.clock() - timedelta(days=1)))
    store = saved(bench, store)
    changes = foreseen(bench, store)
    assert told(changes) == {str(body["id"]): ("too_late", Decimal("30.80"), Decimal("28.00"))}
    assert bench.line.remapper.apply(store, changes) == 0
    assert bench.run() == 0


def test_orders_too_old_for_the_network_are_not_shown(bench: Bench) -> None:
    store = bench.connect(test_orders="skip")
    bench.pay(TOWEL, test=True)
    bench.run()
    bench.clock.advance(days=89)
    assert foreseen(bench, store, test_orders="send") == []
    remapper = bench.line.remapper
    longer = remapper.selection(since=bench.clock() - timedelta(days=200))
    assert list(remapper.foresee(store, read_rules({"send": "all"}), longer)) == []


def test_a_change_that_is_due_anyway_is_none_of_the_rules(bench: Bench) -> None:
    store = bench.connect()
    body = bench.pay(TOWEL)
    bench.run()
    _, less = refund(body, {body["line_items"][0]["id"]: 1})
    bench.deliver_body("orders/updated", less)
    bench.process()
    assert foreseen(bench, store, include="gift_cards") == []


@both_databases
def test_stopped_between_two_transactions_the_rest_is_moved_by_the_next(bench: Bench) -> None:
    store = bench.connect(test_orders="skip")
    bodies = [bench.pay(TOWEL, test=True) for _ in range(BATCH + 3)]
    bench.run()
    store = saved(bench, store, test_orders="send")
    remapper = bench.line.remapper
    chosen = remapper.selection()
    changes = list(remapper.foresee(store, remapper.rules(store), chosen))
    assert len(changes) == BATCH + 3
    assert remapper.apply(store, changes[:BATCH]) == BATCH
    assert bench.count(steps) == BATCH
    # The old list again, then a new one: nothing is sent twice.
    assert remapper.apply(store, changes) == BATCH + 3
    assert list(remapper.foresee(store, remapper.rules(store), chosen)) == []
    assert bench.run() == BATCH + 3
    assert [bench.booked(body) for body in bodies] == [[Decimal("28.00")]] * (BATCH + 3)


def test_rules_that_are_saved_meanwhile_stop_the_move(bench: Bench) -> None:
    store = bench.connect(test_orders="skip")
    bench.pay(TOWEL, test=True)
    bench.run()
    store = saved(bench, store, test_orders="send")
    changes = foreseen(bench, store)
    saved(bench, store, test_orders="skip")
    with pytest.raises(RulesChanged, match="once more"):
        bench.line.remapper.apply(store, changes)
    assert bench.run() == 0


# Shadow mode


@both_databases
def test_orders_judged_in_shadow_are_moved_only_if_asked_for(bench: Bench) -> None:
    store = bench.connect(mode="shadow")
    body = bench.pay(TOWEL)
    bench.run()
    store = saved(bench, store, mode="live")
    assert foreseen(bench, store) == []
    changes = foreseen(bench, store, with_shadow=True)
    assert told(changes) == {str(body["id"]): ("report", Decimal(0), Decimal("28.00"))}
    assert bench.line.remapper.apply(store, changes) == 1
    assert bench.run() == 1
    assert bench.booked(body) == [Decimal("28.00")]


@both_databases
def test_nothing_is_sent_by_an_apply_in_shadow_mode(bench: Bench) -> None:
    store = bench.connect(test_orders="skip", include="tax")
    taxed = replace(TOWEL, tax_rate=Decimal("0.10"))
    reported, withheld = bench.pay(taxed), bench.pay(taxed, test=True)
    bench.run()
    store = saved(bench, store, mode="shadow", test_orders="send")
    changes = foreseen(bench, store, with_shadow=True)
    assert bench.line.remapper.apply(store, changes) == 2
    assert bench.run() == 0
    assert bench.verdict(reported) == ("waiting", "held_in_shadow")
    assert bench.verdict(withheld) == ("withheld", "shadow")
    assert bench.booked(reported) == [Decimal("30.80")]
    assert bench.booked(withheld) == []


# The command


def run_command(bench: Bench, *words: str) -> tuple[int, str]:
    ran = create_app(bench.line).test_cli_runner().invoke(args=["remap", *words])
    return ran.exit_code, ran.output


def test_the_command_shows_sums_and_moves_on_demand(bench: Bench) -> None:
    store = bench.connect(test_orders="skip")
    body = bench.pay(TOWEL, test=True)
    bench.run()
    key, number = body["id"], body["order_number"]
    row = f"{number}\t{key}\treport\twithheld test_order 0.00 -> reported accepted 28.00 USD\n"
    sums = "report: 1 orders, 0.00 -> 28.00 USD (+28.00)\n"
    assert run_command(bench, str(store.id), "--rule", "test_orders=send") == (0, row + sums)
    code, output = run_command(bench, str(store.id), "--rule", "test_orders=send", "--apply")
    assert (code, "--apply takes the newest rules" in output) == (2, True)
    assert run_command(bench, store.domain) == (0, "No order would change.\n")
    saved(bench, store, test_orders="send")
    assert run_command(bench, store.domain, "--version", "2") == (0, "No order would change.\n")
    assert run_command(bench, store.domain, "--version", "9")[0] == 1
    assert bench.run() == 0
    code, output = run_command(bench, store.domain, "--order", str(key), "--apply")
    assert (code, output.startswith(row + sums)) == (0, True)
    assert output.endswith("Moved to version 3 of the rules: 1.\n")
    assert bench.run() == 1
    assert bench.booked(body) == [Decimal("28.00")]


def test_sums_are_kept_apart_by_kind_and_currency(bench: Bench) -> None:
    store = bench.connect(test_orders="skip")
    for _ in range(2):
        bench.pay(TOWEL, test=True)
    bench.pay(TOWEL, test=True, currency="EUR")
    bench.run()
    assert totals(foreseen(bench, store, test_orders="send")) == [
        Total(Kind.REPORT, "EUR", 1, Money(Decimal(0), "EUR"), Money(Decimal("28.00"), "EUR")),
        Total(Kind.REPORT, "USD", 2, usd("0"), usd("56.00")),
    ]
