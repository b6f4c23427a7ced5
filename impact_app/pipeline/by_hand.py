"""What people do with one order by hand, or with a group of them; each act is written down with who did it.

Everything an act does stands in one transaction with its record. A decision stays with the order until a
replay undoes it. Who names the newest act they have seen, `seen`, is refused once there is a newer one: a
form that is sent twice acts once, and nobody undoes what they never saw.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from impact_app.domain.decisions import Decision
from impact_app.domain.reasons import Reason, Verdict
from impact_app.domain.verification import Finding
from impact_app.ledger import acts, orders, outbox, reconciliation
from impact_app.ledger.acts import Act
from impact_app.ledger.database import Database
from impact_app.ledger.orders import Known
from impact_app.ledger.stores import Store, Stores
from impact_app.pipeline import judge

#: Why an act on what has changed meanwhile is not done.
ACTED_ON = (
    "Nothing was done: this was asked already, or somebody acted on the order meanwhile. See below what "
    "happened, and choose again."
)


class Refused(Exception):
    """The act makes no sense for this order now; the message says why, in a sentence for whoever asked."""


@dataclass(frozen=True)
class ByHand:
    """The acts. Each gives False where the store has no such order."""

    database: Database
    stores: Stores
    clock: Callable[[], datetime]

    def replay(self, store_id: int, order_key: str, by: str, *, seen: int | None = None) -> bool:
        """Judge the order anew, undo what was decided about it, and send even what was refused."""
        return self._act(store_id, order_key, by, Act.REPLAY, _undo, seen)

    def ignore(self, store_id: int, order_key: str, by: str, *, seen: int | None = None) -> bool:
        """Have the order not reported. Raises `Refused` where impact.com may hold it already."""
        return self._act(store_id, order_key, by, Act.IGNORE, _ignore, seen)

    def take_back(
        self, store_id: int, order_key: str, by: str, *, as_test: bool = False, seen: int | None = None
    ) -> bool:
        """Have what is reported of the order taken back. Raises `Refused` where nothing is."""
        decision = Decision.TAKE_BACK_TEST if as_test else Decision.TAKE_BACK

        def decide(connection: sa.Connection, _store: Store, known: Known, _now: datetime) -> None:
            if known.reported is None:
                raise Refused("Nothing of this order was reported, so there is nothing to take back.")
            orders.decide(connection, known.row_id, decision)

        return self._act(store_id, order_key, by, Act.TAKE_BACK, decide, seen)

    def resend(self, store_id: int, order_key: str, by: str, *, seen: int | None = None) -> bool:
        """Send the accepted conversion once more, word for word, as after impact.com lost it.

        impact.com takes one it still has for a duplicate. Raises `Refused` where it cannot be lost.
        """
        return self._act(store_id, order_key, by, Act.RESEND, _resend, seen)

    def replay_group(self, store_id: int, reason: Reason, detail: str | None, by: str) -> int:
        """Have every order judged anew, in a moment, that one cause holds up; how many those are."""
        with self.database.write() as connection:
            asked = orders.ask_for(connection, store_id, reason, detail)
            if asked:
                told = f"{asked} orders: {reason.value} {detail or ''}".strip()
                acts.record(connection, store_id, Act.REPLAY_GROUP, by, self.clock(), detail=told)
        return asked

    def _act(
        self,
        store_id: int,
        order_key: str,
        by: str,
        act: Act,
        change: Callable[[sa.Connection, Store, Known, datetime], None],
        seen: int | None,
    ) -> bool:
        now = self.clock()
        with self.database.write() as connection:
            store = self.stores.get_in(connection, store_id)
            known = orders.lock(connection, store_id, order_key) if store is not None else None
            if store is None or known is None:
                return False
            if seen is not None and acts.newest(connection, store_id, order_key) != seen:
                raise Refused(ACTED_ON)
            known = _as_held(connection, store, known)
            change(connection, store, known, now)
            acts.record(connection, store_id, act, by, now, order_key=order_key)
            if act is Act.RESEND:
                # The plan wants nothing of this order; the call goes out all the same.
                orders.mark(connection, known.row_id, Verdict.WAITING, Reason.QUEUED, "", now)
                return True
            return judge.again(connection, store, order_key, now, insist=act is Act.REPLAY)


def _as_held(connection: sa.Connection, store: Store, known: Known) -> Known:
    """The order, with what impact.com was found to hold otherwise taken as it is there."""
    drifted = [one for one in known.conversions if one.read_back.finding is Finding.DRIFTED]
    for one in drifted:
        is_reversed = (one.read_back.state or "").upper() == "REVERSED"
        held = replace(one.reported, items=(), is_reversed=True) if is_reversed else one.reported
        reconciliation.go_on(connection, known.row_id, one.part, held)
    return (orders.lock(connection, store.id, known.order.key) or known) if drifted else known


def _undo(connection: sa.Connection, _store: Store, known: Known, _now: datetime) -> None:
    orders.decide(connection, known.row_id, None)


def _ignore(connection: sa.Connection, _store: Store, known: Known, _now: datetime) -> None:
    waiting = outbox.open_step(connection, known.row_id)
    may_stand = waiting is not None and (waiting.may_have_arrived or waiting.state == "in_flight")
    if known.reported is not None or may_stand:
        raise Refused("impact.com has this order, or may have it. Take it back instead.")
    orders.decide(connection, known.row_id, Decision.IGNORE)


def _resend(connection: sa.Connection, store: Store, known: Known, now: datetime) -> None:
    first = known.conversions[0] if known.conversions else None
    if first is None or first.reported.is_reversed or first.changes:
        raise Refused("Only an order that stands at impact.com as it was first reported can be sent again.")
    if first.read_back.action_id is not None:
        raise Refused("impact.com has listed this order, so it is not lost.")
    if outbox.open_step(connection, known.row_id) is not None:
        raise Refused("A call of this order is under way already.")
    if not outbox.repeat(connection, known.row_id, store.account_sid or "", now):
        raise Refused("The call that reported this order is no longer kept for this account.")
