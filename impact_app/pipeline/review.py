"""Asking again: after the settings changed, and when a person says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from impact_app.ledger import orders
from impact_app.ledger import outbox as outboxes
from impact_app.ledger.database import Database
from impact_app.ledger.orders import Orders
from impact_app.ledger.stores import Stores
from impact_app.pipeline import judge

log = structlog.get_logger()

#: Orders judged anew in one transaction.
BATCH = 20


@dataclass(frozen=True)
class Reviewer:
    """Judges orders anew that wait or need attention under settings that have changed since."""

    database: Database
    stores: Stores
    orders: Orders
    clock: Callable[[], datetime]

    def settings_saved(self, store_id: int) -> None:
        """Make the store's waiting calls due now; the orders themselves are reviewed by `drain`."""
        with self.database.write() as connection:
            outboxes.renew_patience(connection, store_id, self.clock())

    def drain(self, until: datetime) -> int:
        """Review until nothing is left or the time is over; how many orders were judged."""
        reviewed = 0
        while self.clock() < until:
            found = self.orders.outdated(BATCH)
            if not found:
                break
            self._review(found)
            reviewed += len(found)
        return reviewed

    def _review(self, found: Sequence[tuple[int, str, bool]]) -> None:
        """All in one transaction; if that fails, each alone, so that one bad order holds up no other."""
        try:
            with self.database.write() as connection:
                for store_id, order_key, is_asked_for in found:
                    store = self.stores.get_in(connection, store_id)
                    if store is not None:
                        judge.again(connection, store, order_key, self.clock(), insist=is_asked_for)
        except Exception:
            if len(found) > 1:
                for one in found:
                    self._review([one])
                return
            log.exception("order.not_reviewed", store=found[0][0], order=found[0][1])
            self._pass_over(*found[0][:2])

    def _pass_over(self, store_id: int, order_key: str) -> None:
        """Leave an order that cannot be judged as it is until the settings change again."""
        with self.database.write() as connection:
            store = self.stores.get_in(connection, store_id)
            if store is not None:
                orders.pass_over(connection, store_id, order_key, store.rules_version)

    def has_due(self) -> bool:
        return bool(self.orders.outdated(1))
