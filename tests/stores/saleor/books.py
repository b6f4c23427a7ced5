"""One Saleor order under some rules, followed step by step in the pretend impact.com's books."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import cache

from impact_app.domain.mapping import Target
from impact_app.domain.orders import Order, Payment
from impact_app.domain.plan import Context, Held, Limits, Plan, Reported, Reverse, Step, Submit, plan
from impact_app.domain.reasons import Reason
from impact_app.domain.rules import Rules, read_rules
from impact_app.simulator.network import Books
from impact_app.simulator.network.changes import read_modification, read_reversal
from impact_app.simulator.network.setup import Setup
from impact_app.simulator.network.validation import read_conversion
from impact_app.transports.api.request import call

SETUP = Setup()
TARGET = Target(str(SETUP.campaigns[0].id), str(SETUP.event_types[0].id))


@cache
def rules(**more: str) -> Rules:
    return read_rules({"send": "all", "drafts": "send", "zero_value": "send"} | more)


def context(found: Order) -> Context:
    return Context(TARGET, (), found.changed_at)


class Told:
    """What impact.com was told of one order under some rules, in the pretend impact.com's books."""

    def __init__(self, placed_at: datetime, **way: str) -> None:
        self.rules = rules(**way)
        self.books = Books(SETUP, clock=lambda: placed_at)
        self.held: dict[int, Reported] = {}

    def planned(self, found: Order) -> Plan:
        further = [Held(part, one, Limits()) for part, one in self.held.items() if part > 1]
        own = replace(context(found), further=further)
        return plan(found, self.rules, self.held.get(1), own)

    def follow(self, found: Order) -> Plan:
        """Every step there is, each of them once; then there is none."""
        for _ in range(len(self.held) + 3):
            judged = self.planned(found)
            assert judged.reason is not Reason.TOTALS_DISAGREE, judged.detail
            if judged.step is None:
                return judged
            self._book(judged.step, found)
            self.held[judged.part] = judged.step.result
        raise AssertionError(f"There is no end of steps: {judged.step}")

    def _book(self, step: Step, found: Order) -> None:
        form = call(step, SETUP.sid).form
        if isinstance(step, Submit):
            made = read_conversion(form, found.placed_at)
            done = self.books.submit_conversion(SETUP.sid, made, "")
        else:
            read_change = read_reversal if isinstance(step, Reverse) else read_modification
            done = self.books.submit_change(SETUP.sid, read_change(form, SETUP), "")
        assert (done.error_reason, done.explanation) == ("", "")
        (action,) = self.books.actions_of_order(step.result.order_id)
        assert (action.amount, action.reversed) == (step.result.amount.amount, step.result.is_reversed)

    @property
    def amount(self) -> Decimal:
        return sum((action.amount for action in self.books.actions()), Decimal(0))


def check_followed(found: Order, judged: Plan, told: Told) -> None:
    """Each item that impact.com holds is what the order says now."""
    now = {item.sku: item.net.amount for item in judged.conversion.items}
    for one in told.held.values():
        for item in one.items:
            kept = now.get(item.sku, Decimal(0))
            # Only what an edit added, and nobody has paid for yet, may be missing.
            is_due = found.payment is not Payment.PAID and item.amount.amount < kept
            assert item.amount.amount == kept or is_due
