"""Reading back: what impact.com made of the conversions it accepted, with few calls and never in the way.

One listing of actions answers for every order of a window of time. Only what is not listed an hour after it
was accepted is asked for by itself, at growing gaps. Postings go first: an account with calls that are due,
held or paused is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

import structlog

from impact_app.domain.verification import (
    ASK_AFTER,
    Action,
    judge_action,
    judge_submission,
    windows,
)
from impact_app.http import Answer
from impact_app.ledger.outbox import Outbox
from impact_app.ledger.stores import Credentials, Stores
from impact_app.ledger.vault import Unreadable
from impact_app.ledger.verification import Checks, Due
from impact_app.transports.api.lookups import Asks, NotAnswered, actions, submission
from impact_app.transports.api.request import Call

log = structlog.get_logger()

#: Conversions taken at once: the more, the fewer listings.
CLAIM = 5_000

#: How long impact.com is left alone after it gave no answer, and after it said that it may not give one.
_AFTER_FAULT, _AFTER_REFUSAL = timedelta(minutes=10), timedelta(hours=6)
_A_MINUTE = 60.0


class NotNow(Exception):
    """The account may not be asked before `until`; nothing was sent."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"Not before {until}.")
        self.until = until


@dataclass
class Metered:
    """Asks for one account, each call taken from its hour first. Raises `NotNow`."""

    api: Asks
    checks: Checks
    clock: Callable[[], datetime]
    made: int = 0

    def ask(self, call: Call, account_sid: str, auth_token: str) -> Answer:
        now = self.clock()
        until = self.checks.take(account_sid, now)
        if until is not None:
            raise NotNow(until)
        self.made += 1
        return self.api.ask(call, account_sid, auth_token)


@dataclass(frozen=True)
class Verifier:
    """The last stop of the line, with all it works on."""

    checks: Checks
    outbox: Outbox
    stores: Stores
    api: Asks
    clock: Callable[[], datetime]

    def drain(self, until: datetime) -> int:
        """Look up what is due until nothing is or the time is over; how many calls were made."""
        made, idle = 0, ""
        while self.clock() < until:
            claimed = self.checks.claim(CLAIM, self.clock())
            if not claimed or claimed[0].account_sid == idle:
                self.checks.release(claimed, self.clock())
                break
            calls = sum(self._look_up(campaign, group, until) for campaign, group in _by_campaign(claimed))
            # An account that was due and could not be asked after all is left for the next turn.
            idle = "" if calls else claimed[0].account_sid
            made += calls
        return made

    def has_due(self) -> bool:
        return self.checks.has_due(self.clock())

    def _look_up(self, campaign_id: str, group: Sequence[Due], until: datetime) -> int:
        """One campaign's conversions; whatever stays without an answer goes back."""
        credentials = self._credentials(group[0])
        round_ = _Round(Metered(self.api, self.checks, self.clock), {one.id: one for one in group})
        if credentials is None:
            self.checks.not_told(group, self.clock() + _AFTER_REFUSAL, _NO_CREDENTIALS)
            return 0
        try:
            self._list(round_, credentials, campaign_id, until)
            self._ask_singly(round_, credentials, until)
        except NotNow as fault:
            self.checks.release(round_.rest, fault.until)
        except NotAnswered as fault:
            self._not_answered(round_.rest, fault)
        else:
            self.checks.release(round_.rest, self.clock())
        log.info(
            "conversions.looked_up",
            account=group[0].account_sid,
            campaign=campaign_id,
            conversions=len(group),
            answered=len(group) - len(round_.open),
            calls=round_.api.made,
        )
        return round_.api.made

    def _credentials(self, one: Due) -> Credentials | None:
        try:
            return self.stores.credentials(one.store_id)
        except Unreadable:
            log.error("credentials.unreadable", store=one.store_id)  # noqa: TRY400 - the sentence says it all
            return None

    def _list(self, round_: _Round, credentials: Credentials, campaign_id: str, until: datetime) -> None:
        """Every conversion that is listed gets its action; young ones that are not listed wait."""
        for start, end in windows(one.event_date for one in round_.rest):
            if self.clock() >= until:
                return
            account = credentials.account_sid, credentials.auth_token
            listed = actions(round_.api, *account, campaign_id, start, end, now=self.clock())
            newest = _newest(listed)
            for one in [one for one in round_.rest if start <= one.event_date <= end]:
                self._match(round_, one, newest.get(one.key))

    def _match(self, round_: _Round, one: Due, action: Action | None) -> None:
        now = self.clock()
        if action is not None:
            self.checks.found(one, judge_action(one.reported, action), action, now)
        elif _is_to_be_asked(one, now):
            return
        else:
            self.checks.nothing_yet(one, now)
        del round_.open[one.id]

    def _ask_singly(self, round_: _Round, credentials: Credentials, until: datetime) -> None:
        """What is not listed by now is asked for by the address that impact.com gave for it."""
        for one in round_.rest:
            if self.clock() >= until:
                return
            account = credentials.account_sid, credentials.auth_token
            try:
                told = submission(round_.api, *account, one.queued_uri or "", now=self.clock())
            except NotAnswered as fault:
                if fault.status != 404:
                    raise
                self.checks.nothing_yet(one, self.clock(), str(fault))
            else:
                judged = judge_submission(told)
                if judged is None:
                    self.checks.nothing_yet(one, self.clock())
                else:
                    self.checks.found(one, judged, None, self.clock())
            del round_.open[one.id]

    def _not_answered(self, rest: Sequence[Due], fault: NotAnswered) -> None:
        """Nobody is asked again too soon; where the hour is used up, postings rest as well."""
        now, sid = self.clock(), rest[0].account_sid
        log.warning("lookup.not_answered", account=sid, status=fault.status, fault=str(fault))
        if fault.status == 429:
            until = now + timedelta(seconds=_A_MINUTE if fault.retry_after is None else fault.retry_after)
            self.outbox.pause(sid, until)
            self.checks.release(rest, until)
            return
        pause = _AFTER_REFUSAL if fault.status in (400, 401, 403) else _AFTER_FAULT
        self.checks.not_told(rest, now + pause, str(fault))


@dataclass
class _Round:
    """One campaign's turn: who asks, and the conversions that have no answer yet."""

    api: Metered
    open: dict[int, Due]

    @property
    def rest(self) -> list[Due]:
        return list(self.open.values())


_NO_CREDENTIALS = "The store has no account SID and token, or they were stored under another SECRET_KEY."


def _by_campaign(claimed: Iterable[Due]) -> Iterable[tuple[str, list[Due]]]:
    def campaign(one: Due) -> str:
        return one.reported.campaign_id

    return [(key, list(group)) for key, group in groupby(sorted(claimed, key=campaign), campaign)]


def _is_to_be_asked(one: Due, now: datetime) -> bool:
    return one.finding is None and one.queued_uri is not None and now - one.accepted_at >= ASK_AFTER


def _newest(listed: Iterable[Action]) -> dict[tuple[str, str], Action]:
    """Actions by order id and event type; of two with the same, changes reach the newer one."""
    ordered = sorted(listed, key=lambda action: action.created_at.timestamp() if action.created_at else 0.0)
    return {(action.order_id, action.event_type_id): action for action in ordered}
