"""A whole group is repaired at once, in one store, and it is written down who asked."""

from __future__ import annotations

from impact_app.domain.attention import causes
from impact_app.ledger.tables import acts
from tests.line import OTHER_SHOP, Bench, both_databases


@both_databases
def test_all_orders_of_a_cause_are_sent_again(bench: Bench) -> None:
    store, other = bench.connect(), bench.connect(OTHER_SHOP)
    bodies = [bench.pay(), bench.pay()]
    theirs = bench.pay(shop=OTHER_SHOP)
    bench.network.faults.script("400", "400", "400")
    bench.run()
    assert {bench.verdict(body)[0] for body in (*bodies, theirs)} == {"attention"}
    (cause,) = causes(bench.line.orders.held(store.id))
    # two orders of 100.00
    assert (cause.orders, cause.money) == (2, {"USD": 2 * 100_00})

    asked = bench.line.replay_group(store.id, cause.reason, cause.detail, "Ann")
    assert asked == 2
    bench.review()
    bench.run()

    assert [bench.verdict(body)[0] for body in bodies] == ["reported", "reported"]
    assert bench.verdict(theirs)[0] == "attention"
    assert [(row.store_id, row.act, row.by) for row in bench.rows(acts)] == [
        (store.id, "replay_group", "Ann")
    ]
    assert causes(bench.line.orders.held(store.id)) == []
    assert bench.line.replay_group(store.id, cause.reason, cause.detail, "Ann") == 0
    assert causes(bench.line.orders.held(other.id))[0].orders == 1
    assert bench.count(acts) == 1
