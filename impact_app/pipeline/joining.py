"""Bringing clicks and orders together, in whichever order they came.

A click that came after its order has it judged again. An order that waits for a click is looked at when its
time is over, after the platform was asked for the visits before it. All due times are rows, so nothing is
lost with a process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from impact_app.ledger import clicks as clicks_ledger
from impact_app.ledger import orders
from impact_app.ledger.clicks import Clicks
from impact_app.ledger.database import Database
from impact_app.ledger.stores import Store, Stores
from impact_app.pipeline import judge
from impact_app.pipeline.process import Platform, Visits

log = structlog.get_logger()

#: Orders looked at together; the platform is asked for their visits in one query.
BATCH = 25

#: Who takes an order holds it this long, and asks the platform for less.
HELD = timedelta(minutes=1)
ASK_SECONDS = 15.0


@dataclass(frozen=True)
class Joiner:
    """Joins, store by store. Safe to run several times at once."""

    database: Database
    clicks: Clicks
    stores: Stores
    platforms: Mapping[str, Platform]
    clock: Callable[[], datetime]

    def drain(self, until: datetime) -> int:
        """Work through what is due until nothing is left or the time is over; how many orders were judged."""
        judged = 0
        while self.clock() < until:
            late = self.clicks.due(self.clock(), BATCH)
            judged += sum(self._join(store_id, click_id) for store_id, click_id in late)
            taken = self._taken()
            judged += sum(self._look(store_id, keys) for store_id, keys in taken.items())
            if not late and not taken:
                break
        return judged

    def next_due(self) -> datetime | None:
        """When there is next something to do; None while nothing waits."""
        with self.database.read() as connection:
            due = (orders.next_click_due(connection), clicks_ledger.next_look(connection))
        return min((one for one in due if one is not None), default=None)

    def has_due(self) -> bool:
        due = self.next_due()
        return due is not None and due <= self.clock()

    def _join(self, store_id: int, click_id: int) -> int:
        """Have the orders judged again that a click belongs to, and the click settled with them."""
        try:
            with self.database.write() as connection:
                store = self.stores.get_in(connection, store_id)
                click = clicks_ledger.lock(connection, store_id, click_id)
                if store is None or click is None:
                    return 0
                keys = clicks_ledger.orders_of(connection, store_id, click)
                for key in keys:
                    judge.again(connection, store, key, self.clock())
                clicks_ledger.looked(connection, store_id, click, self.clock(), is_found=bool(keys))
        except Exception:
            log.exception("click.not_joined", store=store_id, click=click_id)
            with self.database.write() as connection:
                clicks_ledger.give_up(connection, store_id, click_id)
            return 0
        return len(keys)

    def _taken(self) -> dict[int, list[str]]:
        if not self.has_due():
            return {}
        with self.database.write() as connection:
            now = self.clock()
            taken = orders.due_for_click(connection, now, now + HELD, BATCH)
        found: dict[int, list[str]] = {}
        for store_id, key in taken:
            found.setdefault(store_id, []).append(key)
        return found

    def _look(self, store_id: int, keys: Sequence[str]) -> int:
        store = self.stores.get(store_id)
        if store is None:
            return 0
        seen = self._visits(store, keys)
        return sum(self._judged(store_id, key, seen.get(key)) for key in keys)

    def _visits(self, store: Store, keys: Sequence[str]) -> Mapping[str, Visits]:
        platform = self.platforms.get(store.platform)
        try:
            return platform.visits(store, keys, ASK_SECONDS) if platform else {}
        except Exception:
            log.exception("visits.failed", store=store.id)
            return {}

    def _judged(self, store_id: int, key: str, seen: Visits | None) -> int:
        pages, is_complete = (seen.pages, seen.is_complete) if seen else ((), False)
        try:
            with self.database.write() as connection:
                store = self.stores.get_in(connection, store_id)
                if store is None:
                    return 0
                judge.looked(connection, store, key, pages, self.clock(), is_complete=is_complete)
        except Exception:
            # It is due again in a minute, and then by the sweep.
            log.exception("order.not_looked_at", store=store_id, order=key)
            return 0
        return 1
