"""From the outbox to impact.com: many calls in flight at once, each settled from its receipt.

The network's own word sets the pace: an account whose hour is used up rests until the next one begins, and
the calls that are still allowed are counted down before they are made.
"""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import sqlalchemy as sa
import structlog

from impact_app.domain.reasons import Reason
from impact_app.domain.receipts import Outcome, Receipt
from impact_app.ledger import outbox as outboxes
from impact_app.ledger.database import Database
from impact_app.ledger.outbox import ClaimedStep, Outbox
from impact_app.ledger.stores import Stores
from impact_app.ledger.vault import Unreadable
from impact_app.pipeline import judge
from impact_app.transports.api.request import Call

log = structlog.get_logger()

#: Calls in flight at once in one process; at a real network's latency this alone sets the speed.
IN_FLIGHT = 32


class Transport(Protocol):
    """A way to impact.com: takes a frozen call, answers with a receipt, never raises."""

    def send(self, call: Call, account_sid: str, auth_token: str, now: datetime) -> Receipt: ...


@dataclass
class Pace:
    """What the network has said of each account's remaining calls, less those on their way."""

    left: dict[str, int] = field(default_factory=dict)
    resets: dict[str, datetime] = field(default_factory=dict)
    under_way: Counter[str] = field(default_factory=Counter)

    def take(self, sid: str, now: datetime) -> bool:
        """Take one of the account's calls; False if this hour has none left."""
        if sid in self.resets and now >= self.resets[sid]:
            del self.left[sid], self.resets[sid]
        if sid in self.left and self.left[sid] <= self.under_way[sid]:
            return False
        self.under_way[sid] += 1
        return True

    def hear(self, sid: str, receipt: Receipt, now: datetime) -> None:
        """Take in what an answer says of the hour; of answers out of order the lowest counts."""
        self.under_way[sid] -= 1
        if receipt.calls_left is None or receipt.reset_after is None:
            return
        resets = now + timedelta(seconds=receipt.reset_after)
        is_same_hour = sid in self.resets and abs(self.resets[sid] - resets) < timedelta(minutes=1)
        known = self.left[sid] if is_same_hour else receipt.calls_left
        self.left[sid], self.resets[sid] = min(known, receipt.calls_left), resets


@dataclass(frozen=True)
class Deliverer:
    """The stop between outbox and network, with all it works on."""

    database: Database
    outbox: Outbox
    stores: Stores
    transport: Transport
    clock: Callable[[], datetime]
    chance: random.Random = field(default_factory=random.SystemRandom)

    def drain(self, until: datetime) -> int:
        """Send what is due until nothing is or the time is over; how many calls were made."""
        made, pace = 0, Pace()
        flights: dict[Future[_Flight], ClaimedStep] = {}
        with ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="deliver") as threads:
            while True:
                if self.clock() < until:
                    for step in self._next(IN_FLIGHT - len(flights), pace):
                        flights[threads.submit(self._send, step)] = step
                if not flights:
                    return made
                done, _ = wait(flights, return_when=FIRST_COMPLETED)
                landed = [(flights.pop(future), future.result()) for future in done]
                for step, flight in landed:
                    pace.hear(step.account_sid, flight.receipt, flight.ended_at)
                self._settle(landed)
                made += len(landed)

    def _next(self, room: int, pace: Pace) -> list[ClaimedStep]:
        """Due steps whose account may call now; the others go back until its next hour."""
        now = self.clock()
        claimed = self.outbox.claim(room, now, uuid.uuid4().hex) if room else []
        allowed = [step for step in claimed if pace.take(step.account_sid, now)]
        refused = [step for step in claimed if step not in allowed]
        if refused:
            self.outbox.release(refused)
        for sid in {step.account_sid for step in refused}:
            self.outbox.pause(sid, pace.resets[sid])
        return allowed

    def _send(self, step: ClaimedStep) -> _Flight:
        started = self.clock()
        try:
            credentials = self.stores.credentials(step.store_id)
        except Unreadable as fault:
            return _Flight(started, started, _no_credentials(str(fault)))
        if credentials is None:
            return _Flight(started, started, _no_credentials("The store has no credentials."))
        made = Call(step.method, step.path, step.form)
        receipt = self.transport.send(made, credentials.account_sid, credentials.auth_token, started)
        return _Flight(started, self.clock(), receipt)

    def _settle(self, landed: list[tuple[ClaimedStep, _Flight]]) -> None:
        """What has come back shares a transaction; if that fails, each has its own."""
        try:
            with self.database.write() as connection:
                for step, flight in landed:
                    self._settle_one(connection, step, flight)
        except sa.exc.SQLAlchemyError:
            if len(landed) == 1:
                # The claim grows stale and the sweep frees it: the call is repeated under the same order id.
                log.exception("step.not_settled", step=landed[0][0].id)
                return
            for one in landed:
                self._settle([one])

    def _settle_one(self, connection: sa.Connection, step: ClaimedStep, flight: _Flight) -> None:
        now, receipt = self.clock(), flight.receipt
        state = outboxes.settle(connection, step, receipt, flight.started_at, now, self.chance)
        store = self.stores.get_in(connection, step.store_id)
        if state is not None and store is not None:
            judge.again(connection, store, step.order_key, now)
        log.info(
            "conversion.attempted",
            step=step.id,
            store=step.store_id,
            order=step.order_key,
            kind=step.kind,
            number=step.tries + 1,
            outcome=receipt.outcome.value,
            reason=receipt.reason.value,
            status=receipt.status,
            state=state,
            seconds=round((flight.ended_at - flight.started_at).total_seconds(), 3),
        )


@dataclass(frozen=True, slots=True)
class _Flight:
    started_at: datetime
    ended_at: datetime
    receipt: Receipt


def _no_credentials(detail: str) -> Receipt:
    return Receipt(Outcome.REJECTED, Reason.CREDENTIALS_REFUSED, detail, holds=True)
