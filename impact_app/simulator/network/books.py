"""The books: every call, submission, action and change, kept in memory as the network keeps them.

Every public method may be called from any thread. Time comes from the clock given, never from the machine.
"""

import threading
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from . import attribution, changes
from .actions import Action, book_action
from .changes import Change
from .faults import Faults
from .limits import Limiter, Standing
from .setup import Setup
from .submissions import Submission
from .validation import Conversion


def machine_clock() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Call:
    """One request as met: `status` none if it was never answered, `fault` its fault, `refusal` why not."""

    at: datetime
    method: str
    path: str
    account_sid: str
    status: int | None
    fault: str
    version: str
    batch_id: str
    refusal: str = ""


class Books:
    """What one pretend network knows."""

    def __init__(self, setup: Setup | None = None, clock: Callable[[], datetime] = machine_clock) -> None:
        self.setup = setup or Setup()
        self.clock = clock
        self.faults = Faults()
        self._lock = threading.RLock()
        self._clear()

    def _clear(self) -> None:
        self._limiter = Limiter()
        self._submissions: dict[str, Submission] = {}
        self._actions: dict[str, Action] = {}
        self._by_order: dict[tuple[str, int, str], list[Action]] = {}
        self._pending: deque[Submission] = deque()
        self._calls: deque[Call] = deque(maxlen=self.setup.calls_kept)
        self.call_counts: Counter[str] = Counter()

    def reset(self) -> None:
        """Forget everything but the set-up: submissions, actions, calls, rate windows and faults."""
        with self._lock:
            self._clear()
            self.faults.forget()

    def change_setup(self, setup: Setup) -> None:
        """Use another set-up from now on; what is booked stays as it is."""
        with self._lock:
            self.setup = setup
            self._calls = deque(self._calls, maxlen=setup.calls_kept)

    # in

    def submit_conversion(self, account_sid: str, conversion: Conversion, payload: str) -> Submission:
        """Queue a valid conversion, and process it at once unless the set-up makes submissions wait."""
        submission = Submission(
            batch_id=_batch_id(),
            account_sid=account_sid,
            type="Conversion",
            work=conversion,
            payload=payload,
            submitted_at=self.clock(),
            campaign_id=conversion.campaign_id,
            event_type_id=conversion.event_type_id,
            event_code=conversion.event_type_code,
            order_id=conversion.order_id,
            remarks=list(conversion.remarks),
        )
        return self._queue(submission)

    def submit_change(self, account_sid: str, change: Change, payload: str) -> Submission:
        """Queue a valid modification or reversal, processed like a conversion."""
        submission = Submission(
            batch_id=_batch_id(),
            account_sid=account_sid,
            type="Reversal" if change.reverses else "Modification",
            work=change,
            payload=payload,
            submitted_at=self.clock(),
            event_type_id=change.event_type_id,
            order_id=change.order_id,
        )
        return self._queue(submission)

    def _queue(self, submission: Submission) -> Submission:
        with self._lock:
            self._submissions[submission.batch_id] = submission
            self._pending.append(submission)
            self._settle()
        return submission

    def process(self) -> int:
        """Process everything that waits, without waiting; answers how many submissions that were."""
        with self._lock:
            return self._settle(at_once=True)

    def _settle(self, at_once: bool = False) -> int:
        now, settled = self.clock(), 0
        while self._pending and (at_once or self._pending[0].due_at(self.setup) <= now):
            submission = self._pending.popleft()
            self._settle_one(submission, min(now, submission.due_at(self.setup)))
            settled += 1
        return settled

    def _settle_one(self, submission: Submission, now: datetime) -> None:
        try:
            if isinstance(submission.work, Change):
                self._carry_out(submission, submission.work, now)
            else:
                self._book(submission, submission.work, now)
        except attribution.Uncredited as error:
            submission.error_type, submission.error_reason = error.type, error.reason
            submission.explanation = error.because
        except changes.Undone as error:
            submission.error_type, submission.error_reason = attribution.VALIDATION, error.reason
            submission.explanation = error.because
        submission.completed_at = now

    def _book(self, submission: Submission, conversion: Conversion, now: datetime) -> None:
        event_type = attribution.check_program(conversion, self.setup)
        submission.event_type_id, submission.event_code = event_type.id, event_type.code
        attribution.check_age(conversion, self.setup, submission.submitted_at)
        attribution.check_fields(conversion, event_type)
        same = self._by_order.setdefault((submission.account_sid, event_type.id, conversion.order_id), [])
        self._refuse_duplicate(same, submission)
        credit = attribution.credit(conversion, event_type, self.setup)
        action_id = f"{conversion.campaign_id}.4636.{100_001 + len(self._actions)}"
        action = book_action(
            action_id,
            submission.account_sid,
            submission.batch_id,
            conversion,
            event_type,
            credit,
            self.setup,
            now,
        )
        same.append(action)
        self._actions[action_id] = action
        submission.partner_id, submission.action_id = credit.partner.id, action_id

    def _refuse_duplicate(self, same: list[Action], submission: Submission) -> None:
        window = timedelta(days=self.setup.duplicate_window_days)
        for action in same:
            if submission.submitted_at - action.created_at < window:
                raise attribution.Uncredited(
                    attribution.VALIDATION,
                    "CONV_DUPLICATE",
                    f"Order {action.order_id} was booked as {action.id} under this event type.",
                )

    def _carry_out(self, submission: Submission, change: Change, now: datetime) -> None:
        action = self._find(submission.account_sid, change)
        if action is not None:
            submission.action_id, submission.partner_id = action.id, action.partner.id
            submission.campaign_id, submission.order_id = action.conversion.campaign_id, action.order_id
            submission.event_type_id, submission.event_code = action.event_type.id, action.event_type.code
        submission.remarks += changes.apply(change, action, self.setup, now)

    def _find(self, account_sid: str, change: Change) -> Action | None:
        if change.action_id:
            action = self._actions.get(change.action_id)
            return action if action is not None and action.account_sid == account_sid else None
        # Of two actions with one order id the newest is meant.
        same = self._by_order.get((account_sid, change.event_type_id or 0, change.order_id), [])
        return same[-1] if same else None

    def lock(self, order_id: str | None = None) -> int:
        """Lock the actions of one order, or all of them; answers how many were locked."""
        with self._lock:
            self._settle()
            chosen = [action for action in self._actions.values() if order_id in (None, action.order_id)]
            for action in chosen:
                action.locked_by_hand = True
                action.locking_date = min(action.locking_date, self.clock())
            return len(chosen)

    # out

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the books still while several things are read from them together."""
        with self._lock:
            yield

    def submissions(self, account_sid: str | None = None) -> list[Submission]:
        """List submissions, the oldest first, of one account or of all."""
        with self._lock:
            self._settle()
            return [one for one in self._submissions.values() if account_sid in (None, one.account_sid)]

    def submission(self, account_sid: str, batch_id: str) -> Submission | None:
        with self._lock:
            self._settle()
            found = self._submissions.get(batch_id)
            return found if found is not None and found.account_sid == account_sid else None

    def payload(self, batch_id: str) -> str:
        """Give the form of a submission as it was sent."""
        return self._submissions[batch_id].payload

    def actions(self, account_sid: str | None = None) -> list[Action]:
        """List actions, the oldest first, of one account or of all."""
        with self._lock:
            self._settle()
            return [one for one in self._actions.values() if account_sid in (None, one.account_sid)]

    def action(self, account_sid: str, action_id: str) -> Action | None:
        with self._lock:
            self._settle()
            found = self._actions.get(action_id)
            return found if found is not None and found.account_sid == account_sid else None

    def actions_of_order(self, order_id: str) -> list[Action]:
        """List the actions with this order id, of whichever account and event type, the oldest first."""
        return [action for action in self.actions() if action.order_id == order_id]

    # calls

    def take_from_limit(self, account_sid: str) -> Standing | None:
        """Count one call against the account's hour; none if no limit is set."""
        with self._lock:
            limit = self.setup.rate_limit
            return None if limit is None else self._limiter.take(account_sid, limit, self.clock())

    def note_call(self, call: Call) -> None:
        resource = call.path.removesuffix(".json").split("/")
        with self._lock:
            self._calls.append(call)
            self.call_counts["total"] += 1
            self.call_counts[f"status {call.status or 'none'}"] += 1
            self.call_counts[f"{call.method} {_resource(resource)}"] += 1

    def calls(self, latest: int | None = None) -> list[Call]:
        """List the calls kept, the oldest first; with `latest` only that many of the newest."""
        with self._lock:
            kept = list(self._calls)
        return kept if latest is None else kept[-latest:]


def _resource(segments: list[str]) -> str:
    """Name what a path is about: the segment behind the account, such as Conversions."""
    place = segments.index("Advertisers") + 2 if "Advertisers" in segments else 1
    return segments[place] if len(segments) > place else "(nothing)"


def _batch_id() -> str:
    return f"A-{uuid.uuid4()}"


def counts_by(counts: Counter[str], beginning: str) -> dict[str, Any]:
    return {
        name.removeprefix(beginning): count
        for name, count in sorted(counts.items())
        if name.startswith(beginning)
    }
