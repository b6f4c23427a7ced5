"""What a person must do, told by cause instead of by order: one cause may hold up hundreds of orders."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import groupby

from impact_app.domain.reasons import Reason

#: Orders of one reason whose details differ in more ways than this are told as one cause.
MOST_DETAILS = 5


class Repair(StrEnum):
    """What is to be done about a cause on a page of ours."""

    SETTINGS = "settings"
    REPLAY = "replay"


#: What sets orders of a reason free. For all others it is a replay, once what is named is corrected.
REPAIRS = {
    Reason.CREDENTIALS_REFUSED: Repair.SETTINGS,
    Reason.NOT_ALLOWED: Repair.SETTINGS,
    Reason.NOT_CONFIGURED: Repair.SETTINGS,
}


@dataclass(frozen=True, slots=True)
class Held:
    """Orders of one reason, detail and currency.

    net_minor   in the currency's smallest unit
    asked       so many of them are to be judged anew in a moment, because somebody asked for it
    """

    reason: Reason
    detail: str
    currency: str
    orders: int
    net_minor: int
    since: datetime
    asked: int = 0


@dataclass(frozen=True, slots=True)
class Cause:
    """What holds up a group of orders.

    detail  what they have in common besides the reason; None: they differ in it
    money   what they are worth by currency, in its smallest unit
    since   when the first of them was placed
    asked   so many of them are to be judged anew in a moment
    """

    reason: Reason
    detail: str | None
    orders: int
    money: Mapping[str, int]
    since: datetime
    asked: int = 0

    @property
    def key(self) -> str:
        """What a form names the cause by; its detail may be long, and a browser may change its line ends."""
        told = f"{self.reason.value}\n{'' if self.detail is None else f':{self.detail}'}"
        return hashlib.sha256(told.encode()).hexdigest()[:32]

    @property
    def repair(self) -> Repair:
        return REPAIRS.get(self.reason, Repair.REPLAY)


def causes(held: Iterable[Held]) -> list[Cause]:
    """The causes behind orders that are held up, the one that holds up most at the front."""
    by_reason = groupby(sorted(held, key=lambda one: one.reason), lambda one: one.reason)
    found = [cause for _, group in by_reason for cause in _of_reason(list(group))]
    return sorted(found, key=lambda cause: (-cause.orders, cause.since))


def _of_reason(group: list[Held]) -> list[Cause]:
    details = dict.fromkeys(one.detail for one in group)
    if len(details) > MOST_DETAILS:
        return [_cause(group, None)]
    return [_cause([one for one in group if one.detail == detail], detail) for detail in details]


def _cause(group: list[Held], detail: str | None) -> Cause:
    money: dict[str, int] = {}
    for one in group:
        money[one.currency] = money.get(one.currency, 0) + one.net_minor
    return Cause(
        reason=group[0].reason,
        detail=detail,
        orders=sum(one.orders for one in group),
        money=money,
        since=min(one.since for one in group),
        asked=sum(one.asked for one in group),
    )
