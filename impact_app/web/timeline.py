"""Everything that happened to an order on one line of time: messages, plans, calls, answers, acts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from impact_app.domain.reasons import EXPLANATIONS, Reason
from impact_app.ledger.acts import ActFile
from impact_app.ledger.orders import AttemptFile, OrderFile


@dataclass(frozen=True)
class Happening:
    """One moment: `kind` is delivery, act, plan, call, answer, read_back or judged; `detail` may be empty.

    status   of an answer: HTTP's, None where there was none
    """

    at: datetime
    kind: str
    what: str
    detail: str = ""
    status: int | None = None


def timeline(file: OrderFile, acts: Sequence[ActFile]) -> list[Happening]:
    """What happened, the first at the front; what happened at the same moment stays in this order."""
    found = [*_deliveries(file), *_acts(acts), *_calls(file), *_read_backs(file), _judged(file)]
    return sorted(found, key=lambda one: one.at)


def _deliveries(file: OrderFile) -> Iterator[Happening]:
    for one in file.deliveries:
        told = _told(one.reason) or one.state
        yield Happening(one.received_at, "delivery", one.topic, " ".join(filter(None, (told, one.detail))))


def _acts(acts: Sequence[ActFile]) -> Iterator[Happening]:
    for one in acts:
        yield Happening(one.at, "act", one.act, one.by)


def _calls(file: OrderFile) -> Iterator[Happening]:
    for step in file.steps:
        yield Happening(step.created_at, "plan", step.kind)
        for tried in step.attempts:
            yield Happening(tried.started_at, "call", step.kind)
            yield Happening(tried.ended_at, "answer", tried.outcome, _answer(tried), tried.status)


def _answer(tried: AttemptFile) -> str:
    """Why it was not accepted; of a call that was, its outcome says everything."""
    why = "" if tried.reason == Reason.ACCEPTED else _told(tried.reason)
    return " ".join(filter(None, (why, tried.detail)))


def _read_backs(file: OrderFile) -> Iterator[Happening]:
    for one in file.conversions:
        told = one.read_back
        if told.checked_at is not None:
            yield Happening(told.checked_at, "read_back", told.reason.value, told.words)


def _judged(file: OrderFile) -> Happening:
    """The last time that the order was judged; earlier verdicts are not kept."""
    return Happening(file.summary.judged_at, "judged", file.summary.verdict.value, _told(file.summary.reason))


def _told(reason: str | None) -> str:
    return EXPLANATIONS[Reason(reason)].happened if reason in set(Reason) else ""
