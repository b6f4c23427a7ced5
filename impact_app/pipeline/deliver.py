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
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

import sqlalchemy as sa
import structlog

from impact_app.domain.reasons import EXPLANATIONS, Reason, Verdict
from impact_app.domain.receipts import Outcome, Receipt
from impact_app.ledger import orders
from impact_app.ledger import outbox as outboxes
from impact_app.ledger.database import Database
from impact_app.ledger.outbox import ClaimedStep, Outbox
from impact_app.ledger.stores import Credentials, Stores
from impact_app.ledger.vault import Unreadable
from impact_app.pipeline import judge
from impact_app.transports.api.request import Call

log = structlog.get_logger()

#: Calls in flight at once in one process; at a real network's latency this alone sets the speed.
IN_FLIGHT = 32

#: Answers settled in one transaction: few, so that the receiver gets its turn at the database in between.
SETTLED_TOGETHER = 4

#: Seconds an account rests at most after a refusal for the rate that does not say how long.
LONGEST_SILENCE = 300.0


class Transport(Protocol):
    """A way to impact.com: takes a frozen call, answers with a receipt, never raises."""

    def send(self, call: Call, account_sid: str, auth_token: str, now: datetime) -> Receipt: ...


@dataclass
class Pace:
    """What the network has said of each account's remaining calls, less those on their way."""

    left: dict[str, int] = field(default_factory=dict)
    resets: dict[str, datetime] = field(default_factory=dict)
    under_way: Counter[str] = field(default_factory=Counter)
    welcome: set[str] = field(default_factory=set)

    def is_used_up(self, sid: str, now: datetime) -> bool:
        """Whether the account has no call left this hour."""
        if sid in self.resets and now >= self.resets[sid]:
            del self.left[sid], self.resets[sid]
        return sid in self.left and self.left[sid] <= self.under_way[sid]

    def take(self, sid: str) -> bool:
        """Take one of the account's calls; False until its first one is answered.

        The first goes alone: where credentials are refused or the hour is used up, one call learns it, not
        as many as fit on the way.
        """
        if sid not in self.welcome and self.under_way[sid]:
            return False
        self.under_way[sid] += 1
        return True

    def hear(self, sid: str, receipt: Receipt, now: datetime) -> None:
        """Take in what an answer says of the hour; of answers out of order the lowest counts."""
        self.under_way[sid] -= 1
        if receipt.holds:
            self.welcome.discard(sid)
        else:
            self.welcome.add(sid)
        if receipt.calls_left is None or receipt.reset_after is None:
            return
        resets = now + timedelta(seconds=receipt.reset_after)
        is_same_hour = sid in self.resets and abs(self.resets[sid] - resets) < timedelta(minutes=1)
        known = self.left[sid] if is_same_hour else receipt.calls_left
        self.left[sid], self.resets[sid] = min(known, receipt.calls_left), resets


@dataclass(frozen=True, slots=True)
class _Silence:
    """A refusal for the rate that named no time: when it was heard, and how long the account rests for it."""

    since: datetime
    pause: float


@dataclass(frozen=True)
class Deliverer:
    """The stop between outbox and network, with all it works on."""

    database: Database
    outbox: Outbox
    stores: Stores
    transport: Transport
    clock: Callable[[], datetime]
    chance: random.Random = field(default_factory=random.SystemRandom)
    silences: dict[str, _Silence] = field(default_factory=dict)

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
                landed = [(flights.pop(future), self._patient(future.result())) for future in done]
                for step, flight in landed:
                    pace.hear(step.account_sid, flight.receipt, flight.ended_at)
                for at in range(0, len(landed), SETTLED_TOGETHER):
                    self._settle(landed[at : at + SETTLED_TOGETHER])
                made += len(landed)

    def _next(self, room: int, pace: Pace) -> list[ClaimedStep]:
        """Due steps whose account may call now; the others go back."""
        now = self.clock()
        claimed = self.outbox.claim(room, now, uuid.uuid4().hex) if room else []
        allowed = [
            step
            for step in claimed
            if not pace.is_used_up(step.account_sid, now) and pace.take(step.account_sid)
        ]
        refused = [step for step in claimed if step not in allowed]
        if refused:
            self.outbox.release(refused)
        for sid in {step.account_sid for step in refused}:
            if pace.is_used_up(sid, now):
                self.outbox.pause(sid, pace.resets[sid])
        return allowed

    def _send(self, step: ClaimedStep) -> _Flight:
        """One call with its receipt. Never raises: what was claimed is also settled."""
        started = self.clock()
        try:
            credentials = self._credentials(step)
            if credentials is None:
                return _Flight(step.account_sid, started, started, _NO_CREDENTIALS, None)
            if credentials.account_sid != step.account_sid:
                return _Flight(step.account_sid, started, started, _OTHER_ACCOUNT, credentials)
            made = Call(step.method, step.path, step.form)
            receipt = self.transport.send(made, credentials.account_sid, credentials.auth_token, started)
        except Exception:
            log.exception("step.send_failed", step=step.id)
            return _Flight(step.account_sid, started, self.clock(), _FAILED, None)
        return _Flight(step.account_sid, started, self.clock(), receipt, credentials)

    def _patient(self, flight: _Flight) -> _Flight:
        """A refusal for the rate that names no time, with one: short at first, doubling while they follow.

        A limit that is really used up is found with a handful of calls; a passing refusal costs a second.
        """
        receipt, sid = flight.receipt, flight.account_sid
        if receipt.reason is not Reason.RATE_LIMITED:
            self.silences.pop(sid, None)
            return flight
        if receipt.retry_after is not None:
            return flight
        known = self.silences.get(sid)
        if known is None or flight.started_at >= known.since:
            # Calls that were on their way together are refused together: that is one refusal.
            pause = min(LONGEST_SILENCE, known.pause * 2) if known else 1.0
            known = self.silences[sid] = _Silence(flight.ended_at, pause)
        return replace(flight, receipt=replace(receipt, retry_after=known.pause))

    def _credentials(self, step: ClaimedStep) -> Credentials | None:
        """What to call with; None where the store has none, or none that can be read."""
        try:
            return self.stores.credentials(step.store_id)
        except Unreadable as fault:
            log.warning("credentials.unreadable", store=step.store_id, fault=str(fault))
            return None

    def _settle(self, landed: list[tuple[ClaimedStep, _Flight]]) -> None:
        """What has come back shares a transaction; if that fails, each has its own."""
        try:
            with self.database.write() as connection:
                for step, flight in landed:
                    self._settle_one(connection, step, flight)
        except Exception:
            if len(landed) == 1:
                log.exception("step.not_judged", step=landed[0][0].id)
                self._settle_bare(*landed[0])
                return
            for one in landed:
                self._settle([one])

    def _settle_bare(self, step: ClaimedStep, flight: _Flight) -> None:
        """The receipt without judging the order: a fault of ours must not lose what impact.com said."""
        now, receipt = self.clock(), self._receipt(step, flight)
        try:
            with self.database.write() as connection:
                outboxes.settle(connection, step, receipt, flight.started_at, now, self.chance)
                verdict = EXPLANATIONS[receipt.reason].verdict or Verdict.WAITING
                orders.mark(connection, step.order_row_id, verdict, receipt.reason, receipt.detail, now)
        except sa.exc.SQLAlchemyError:
            # The claim grows stale and the sweep frees it: the call is repeated under the same order id.
            log.exception("step.not_settled", step=step.id)

    def _receipt(self, step: ClaimedStep, flight: _Flight) -> Receipt:
        """The receipt; credentials that were replaced while the call was under way hold nothing."""
        receipt = flight.receipt
        is_hold = receipt.holds and receipt.outcome is Outcome.REJECTED
        if is_hold and flight.credentials != self._credentials(step):
            return replace(receipt, outcome=Outcome.NOT_SENT, holds=False)
        return receipt

    def _settle_one(self, connection: sa.Connection, step: ClaimedStep, flight: _Flight) -> None:
        now, receipt = self.clock(), self._receipt(step, flight)
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
    account_sid: str
    started_at: datetime
    ended_at: datetime
    receipt: Receipt
    credentials: Credentials | None


_NO_CREDENTIALS = Receipt(
    Outcome.REJECTED,
    Reason.CREDENTIALS_REFUSED,
    "The store has no account SID and token, or they were stored under another SECRET_KEY.",
    holds=True,
)
_OTHER_ACCOUNT = Receipt(
    Outcome.NOT_SENT, Reason.QUEUED, "The store has another account now; the call is made anew for that one."
)
_FAILED = Receipt(Outcome.UNCERTAIN, Reason.INTERRUPTED, "The app failed while it was sending; see its log.")
