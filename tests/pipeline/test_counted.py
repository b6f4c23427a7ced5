"""The line writes down what pages count by."""

from __future__ import annotations

from datetime import timedelta

from tests.line import Bench, both_databases


@both_databases
def test_the_line_writes_what_the_overview_counts(bench: Bench) -> None:
    store = bench.connect()
    bench.pay()
    bench.run()
    today = bench.clock().date()
    overviews = bench.line.overviews
    found = overviews.of(store.id, today, today)
    # one order of 100.00
    assert [(one.verdict, one.carrier, one.orders, one.net_minor) for one in found.counts] == [
        ("reported", "cart_attribute", 1, 10_000)
    ]
    assert sum(overviews.waits(store.id)) == 1
    bench.clock.advance(hours=3)
    bench.line.verifier.drain(bench.clock() + timedelta(minutes=1))
    (share,) = overviews.partners(store.id, today, today)
    assert (share.orders, share.net_minor) == (1, 10_000)
