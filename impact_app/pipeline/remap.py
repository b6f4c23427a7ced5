"""Re-mapping: what other rules would make of orders of the past, and moving those chosen to the newest.

Looking writes nothing and takes any rules, saved or not. Applying takes the newest only: what an older
version said is had by restoring it first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog

from impact_app.domain.plan import AGE_LIMIT
from impact_app.domain.reasons import Reason, Verdict
from impact_app.domain.remap import APPLICABLE, Change, of_reported, of_withheld
from impact_app.domain.rules import Rules, read_rules
from impact_app.ledger import orders
from impact_app.ledger.database import Database
from impact_app.ledger.orders import PastOrder
from impact_app.ledger.stores import Store, Stores, rules_of
from impact_app.pipeline import judge

log = structlog.get_logger()

#: Orders looked at in one view, and moved in one transaction.
_PAGE, BATCH = 200, 20


class RulesChanged(LookupError):
    """The rules were saved again since the changes were shown; nothing more was moved."""


@dataclass(frozen=True)
class Selection:
    """Which orders of the past are meant: those placed from `since` on and before `until`.

    keys         only these, by platform id or number; shadow orders are looked at if named here
    with_shadow  also orders judged in shadow mode, which another app may have reported
    newest       no more than this many, the newest; None: all
    """

    since: datetime
    until: datetime
    keys: Sequence[str] = ()
    with_shadow: bool = False
    newest: int | None = None


@dataclass(frozen=True)
class Remapper:
    """Compares and moves, one store at a time."""

    database: Database
    stores: Stores
    clock: Callable[[], datetime]

    def selection(
        self, since: datetime | None = None, until: datetime | None = None, keys: Sequence[str] = ()
    ) -> Selection:
        """Orders that impact.com would still take, unless told otherwise."""
        now = self.clock()
        return Selection(since or now - AGE_LIMIT, until or now + timedelta(days=1), keys)

    def rules(self, store: Store, version: int | None = None) -> Rules:
        """The rules of a version, by default the newest. Raises LookupError where it is not known."""
        if version is None:
            return read_rules(store.rules)
        with self.database.read() as connection:
            texts = rules_of(connection, store.id, version)
        if texts is None:
            raise LookupError(f"There is no version {version} of the rules of {store.domain}.")
        return read_rules(texts)

    def foresee(self, store: Store, rules: Rules, chosen: Selection) -> Iterator[Change]:
        """The orders that these rules would change, the newest first; nothing is written."""
        before_id, left = None, chosen.newest
        while left is None or left > 0:
            page = _PAGE if left is None else min(_PAGE, left)
            with self.database.read() as connection:
                found = orders.past(
                    connection, store.id, chosen.since, chosen.until, chosen.keys, before_id, page
                )
                changes = [self._change(connection, store, one, rules, chosen) for one in found]
            yield from (change for change in changes if change is not None)
            if len(found) < page:
                return
            before_id, left = found[-1].row_id, None if left is None else left - page

    def apply(self, store: Store, changes: Sequence[Change]) -> int:
        """Judge the orders of `changes` by the newest rules from now on; how many were moved.

        A few in each transaction: stopped anywhere, the rest is found again by the same question. Raises
        `RulesChanged` where the rules are no longer those of `store`.
        """
        due = [one for one in changes if one.kind in APPLICABLE]
        for at in range(0, len(due), BATCH):
            with self.database.write() as connection:
                newest = self.stores.get_in(connection, store.id)
                if newest is None or newest.rules_version != store.rules_version:
                    raise RulesChanged("The rules were saved again meanwhile: look at the changes once more.")
                for change in due[at : at + BATCH]:
                    self._move(connection, newest, change)
        log.info("orders.remapped", store=store.id, version=store.rules_version, orders=len(due))
        return len(due)

    def _move(self, connection: sa.Connection, store: Store, change: Change) -> None:
        known = orders.lock(connection, store.id, change.order_key)
        if known is None:
            return
        orders.take_up_rules(connection, known.row_id, store.rules_version)
        # Who shows an order judged in shadow mode says that it is to be sent.
        insist = change.before.reason is Reason.SHADOW
        judge.again(connection, store, change.order_key, self.clock(), insist=insist)

    def _change(
        self, connection: sa.Connection, store: Store, one: PastOrder, rules: Rules, chosen: Selection
    ) -> Change | None:
        known, now = one.known, self.clock()
        if known.reported is None:
            is_meant = one.reason is not Reason.SHADOW or chosen.with_shadow or chosen.keys
            if one.verdict is not Verdict.WITHHELD or not is_meant:
                return None
            found = of_withheld(known.order, one.reason, judge.foreseen(connection, store, known, rules, now))
            is_taken = found is not None and judge.booking_of(connection, store, known.order) is not None
            return None if is_taken else found
        _, current = judge.rules_for(connection, store, known)
        final = {
            one.part
            for one in known.conversions
            if one.read_back.locking_date is not None and one.read_back.locking_date <= now
        }
        return of_reported(
            known.order,
            {one.part: one.reported for one in known.conversions},
            judge.foreseen(connection, store, known, current, now),
            judge.foreseen(connection, store, known, rules, now),
            as_new=judge.foreseen(connection, store, known, rules, now, as_new=True),
            final=final,
        )
