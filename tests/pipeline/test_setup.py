"""Asking impact.com what a set-up needs, over HTTP against the pretend network, on both databases."""

from __future__ import annotations

from impact_app.domain.programs import Allowance, Need
from tests.line import Bench, both_databases


@both_databases
def test_a_token_that_may_everything_tells_everything(bench: Bench) -> None:
    store = bench.connect()
    told = bench.line.inquirer.ask(store)
    assert (told.account.outcome, told.account.currency) == ("works", "USD")
    assert {right.need: right.allowance for right in told.rights} == dict.fromkeys(Need, Allowance.MAY)
    assert bench.line.setups.told(store.id) == told
    assert bench.network.books.actions() == []
