"""Past orders taken in as if their webhooks had come: asked for at the store, judged, and queued."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import islice

import sqlalchemy as sa
import structlog

from impact_app.domain.orders import Order
from impact_app.domain.reasons import Reason, Verdict
from impact_app.ledger import orders
from impact_app.ledger.database import Database
from impact_app.ledger.orders import Standing
from impact_app.ledger.stores import Store, Stores
from impact_app.pipeline.process import BATCH, Period, Platform, Unfetched, Unlisted, fetched

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Line:
    """Orders of one verdict, reason and currency. `net` adds up what could be worked out."""

    verdict: Verdict
    reason: Reason
    currency: str
    orders: int
    net: Decimal


@dataclass
class Tally:
    """What a backfill did, or would do.

    count    orders the store says there are
    seen     orders looked at so far
    known    of these, how many the ledger already had in this state or a later one: nothing is done
    faults   of these, how many could not be taken in: order and why
    """

    count: int = 0
    seen: int = 0
    known: int = 0
    faults: dict[str, str] = field(default_factory=dict)
    _sums: dict[tuple[Verdict, Reason, str], tuple[int, Decimal]] = field(default_factory=dict)

    def add(self, one: Standing) -> None:
        at = one.verdict, one.reason, one.currency
        orders_so_far, net = self._sums.get(at, (0, Decimal(0)))
        self._sums[at] = orders_so_far + 1, net + (one.net or 0)

    @property
    def lines(self) -> list[Line]:
        """One for each verdict, reason and currency, in that order."""
        return [Line(*at, *sums) for at, sums in sorted(self._sums.items())]


@dataclass(frozen=True)
class Backfill:
    """Takes in a store's past orders.

    It remembers nothing of its own: an order that the ledger knows in this state or a later one is passed
    over, so repeating a backfill, or ending it anywhere, costs reading and changes nothing.
    """

    database: Database
    stores: Stores
    platforms: Mapping[str, Platform]
    clock: Callable[[], datetime]
    wake: Callable[[], None]

    def run(self, store: Store, period: Period, tally: Tally, seen: Callable[[], None]) -> None:
        """Judge the orders of a period; `tally` grows on the way, and `seen` is told each time it did.

        A trial judges in transactions that are undone. Raises `Unlisted`; what was judged until then stays.
        """
        placed = self.platforms[store.platform].placed(store, period)
        tally.count = placed.count
        seen()
        while some := list(islice(placed.orders, BATCH)):
            self._take_in(store, some, tally, is_trial=period.is_trial)
            tally.seen += len(some)
            seen()

    def _take_in(
        self, store: Store, some: Sequence[Order | Unfetched], tally: Tally, *, is_trial: bool
    ) -> None:
        for one in some:
            if isinstance(one, Unfetched):
                tally.faults[one.order_key] = str(one)
        read = [one for one in some if isinstance(one, Order)]
        new = self._new(store, read)
        tally.known += len(read) - len(new)
        if not new:
            return
        for standing in self._judged(store, new, tally, is_trial=is_trial):
            tally.add(standing)
        if not is_trial:
            self.wake()

    def _new(self, store: Store, read: Sequence[Order]) -> list[Order]:
        """The orders of which the ledger knows nothing, or only an earlier state."""
        with self.database.read() as connection:
            known = orders.standings(connection, store.id, [order.key for order in read])
        return [
            order
            for order in read
            if order.key not in known or known[order.key].changed_at < order.changed_at
        ]

    def _judged(
        self, store: Store, new: Sequence[Order], tally: Tally, *, is_trial: bool
    ) -> Iterator[Standing]:
        """All in one transaction; if that fails, each alone, so that one order holds up no other."""
        try:
            yield from self._judge(store, new, is_trial)
        except Unlisted:
            raise
        except Exception as fault:
            if len(new) > 1:
                for order in new:
                    yield from self._judged(store, [order], tally, is_trial=is_trial)
                return
            if isinstance(fault, sa.exc.OperationalError):
                raise  # the database is gone, for every order
            log.exception("backfill.order_failed", store=store.id, order=new[0].key)
            tally.faults[new[0].key] = f"The app failed on it ({type(fault).__name__}); see its log."

    def _judge(self, store: Store, new: Sequence[Order], is_trial: bool) -> list[Standing]:
        now = self.clock()
        with (self.database.trial if is_trial else self.database.write)() as connection:
            current = self.stores.get_in(connection, store.id)
            if current is None or current.state != "connected":
                raise Unlisted(f"{store.domain} is not connected any more.")
            for order in new:
                fetched(connection, current, order, now)
            return list(orders.standings(connection, store.id, [order.key for order in new]).values())
