"""Everything that happened to an order on one line of time: deliveries, calls, answers, and acts by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from impact_app.domain.reasons import EXPLANATIONS, Reason
from impact_app.ledger.acts import ActFile
from impact_app.ledger.orders import OrderFile


@dataclass(frozen=True)
class Happening:
    """One moment: `kind` is delivery, call, answer, read_back or act; `detail` may be empty."""

    at: datetime
    kind: str
    what: str
    detail: str
    status: int | None = None


def timeline(file: OrderFile, acts: Sequence[ActFile]) -> list[Happening]:
    """What happened, the first at the front; what happened at the same moment stays in this order."""
    found = [*_deliveries(file), *_acts(acts), *_calls(file), *_read_backs(file)]
    return sorted(found, key=lambda one: one.at)


def _deliveries(file: OrderFile) -> Iterator[Happening]:
    for one in file.deliveries:
        told = EXPLANATIONS[Reason(one.reason)].happened if one.reason in set(Reason) else one.state
        yield Happening(one.received_at, "delivery", one.topic, " ".join(filter(None, (told, one.detail))))


def _acts(acts: Sequence[ActFile]) -> Iterator[Happening]:
    for one in acts:
        yield Happening(one.at, "act", one.act, one.by)


def _calls(file: OrderFile) -> Iterator[Happening]:
    for step in file.steps:
        yield Happening(step.created_at, "call", step.kind, "")
        for tried in step.attempts:
            told = EXPLANATIONS[Reason(tried.reason)].happened if tried.reason in set(Reason) else ""
            yield Happening(tried.ended_at, "answer", tried.outcome, told, tried.status)


def _read_backs(file: OrderFile) -> Iterator[Happening]:
    for one in file.conversions:
        told = one.read_back
        if told.checked_at is not None:
            yield Happening(told.checked_at, "read_back", told.reason.value, told.words)
