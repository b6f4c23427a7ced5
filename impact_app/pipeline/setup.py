"""Asking impact.com what a store's set-up needs: account, rights, programs, contracts, event types.

    services().inquirer.ask(store)    -> Told          asks now, within seconds, and keeps what was told
    services().setups.told(store_id)  -> Told | None   what was told last, without asking

What follows from it is in `domain/programs.py`: `Told.program`, `.right`, `.event_type`, `.window`; what a
program says of links in `click_parameters`, `completed_parameters` and `uncovered`.

A page waits for it, so everything is bounded: at most `CALLS` calls, none begun after `SECONDS`, and none
after one that was not answered. What could not be asked is `Allowance.NOT_KNOWN` with a sentence; programs,
contracts and event types that were told before stay.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from impact_app.domain.programs import (
    AccountCheck,
    Allowance,
    Contract,
    Need,
    Program,
    Right,
    Told,
    event_types,
)
from impact_app.http import Answer, NoAnswer, NotConnected
from impact_app.ledger.setups import Setups
from impact_app.ledger.stores import Credentials, Store, Stores
from impact_app.ledger.vault import Unreadable
from impact_app.ledger.verification import Checks
from impact_app.pipeline.verify import NotNow
from impact_app.transports.api.account import account_check
from impact_app.transports.api.lookups import Asks, NotAnswered
from impact_app.transports.api.programs import contracts, programs, used_event_types
from impact_app.transports.api.request import Call
from impact_app.transports.api.rights import listed, tried

log = structlog.get_logger()

#: Calls one inquiry makes at most; eight where each list fits on a page.
CALLS = 12

#: No call is begun after this; one that is under way has its own time-outs.
SECONDS = 10.0


@dataclass
class _Patience:
    """Asks for one inquiry, each call taken from the account's hour, until there is reason to stop.

    Raises `NotNow` where nothing may be asked at all, later `NoAnswer`.
    """

    api: Asks
    checks: Checks
    clock: Callable[[], datetime]
    ends: float
    made: int = 0
    stopped: str = ""

    def ask(self, call: Call, account_sid: str, auth_token: str) -> Answer:
        if not self.stopped and (self.made >= CALLS or time.monotonic() >= self.ends):
            self.stopped = "the time for asking was over"
        if self.stopped:
            raise NoAnswer(self.stopped)
        self._take(account_sid)
        try:
            answer = self.api.ask(call, account_sid, auth_token)
        except NotConnected:
            self.stopped = "no connection came about"
            raise NotConnected(self.stopped) from None
        except NoAnswer:
            self.stopped = "no answer came that could be read"
            raise NoAnswer(self.stopped) from None
        if answer.status in (401, 429):
            self.stopped = f"it answered with status {answer.status} before"
        return answer

    def _take(self, account_sid: str) -> None:
        until = self.checks.take_for_person(account_sid, self.clock())
        if until is not None:
            if not self.made:
                raise NotNow(until)
            self.stopped = "the look-ups of this hour are used up"
            raise NoAnswer(self.stopped)
        self.made += 1


@dataclass(frozen=True)
class Inquirer:
    """Asks, and keeps what was told. Safe to run several times at once: the last one is kept."""

    stores: Stores
    setups: Setups
    checks: Checks
    api: Asks
    clock: Callable[[], datetime]
    seconds: float = SECONDS

    def ask(self, store: Store) -> Told:
        """Ask now with the stored credentials, about the store's campaign or the only one there is.

        Raises LookupError where the store has no readable account SID and token.
        """
        credentials = self._credentials(store)
        patience = _Patience(self.api, self.checks, self.clock, time.monotonic() + self.seconds)
        earlier = self._earlier(store, credentials)
        try:
            account = account_check(patience, credentials)
        except NotNow as fault:
            account = AccountCheck("unreachable", _NOT_NOW.format(fault.until))
        if account.outcome in ("works", "limited"):
            told = _Inquiry(patience, credentials, earlier, self.clock()).told(account, store.campaign_id)
        else:
            told = _unasked(earlier, account)
        kept = self.setups.save(store, told)
        log.info("setup.asked", store=store.id, outcome=account.outcome, calls=patience.made, kept=kept)
        return told

    def _credentials(self, store: Store) -> Credentials:
        try:
            found = self.stores.credentials(store.id)
        except Unreadable:
            raise LookupError("The stored token cannot be read any more. Enter it again.") from None
        if found is None:
            raise LookupError(f"{store.domain} has no impact.com account SID and auth token yet.")
        return found

    def _earlier(self, store: Store, credentials: Credentials) -> Told:
        """What was told before, as far as it is of the same account and campaign."""
        earlier = self.setups.told(store.id)
        if earlier is None or earlier.account_sid != credentials.account_sid:
            never = AccountCheck("unreachable", "")
            return Told(credentials.account_sid, store.campaign_id or "", self.clock(), never)
        return _about(replace(earlier, told_at=self.clock()), store.campaign_id or earlier.campaign_id)


def _about(told: Told, campaign_id: str) -> Told:
    """What was told, without what is about another campaign."""
    if campaign_id == told.campaign_id:
        return told
    return replace(told, campaign_id=campaign_id, contracts=(), contracts_complete=True, event_types=())


_NOT_NOW = "The app has asked impact.com as often as it may for now. Try again after {:%H:%M} UTC."


def _unasked(earlier: Told, account: AccountCheck) -> Told:
    """Nothing but the account was asked about; of credentials that are refused nothing else is known."""
    rights = tuple(Right(need, Allowance.NOT_KNOWN, account.sentence) for need in Need)
    if account.outcome == "refused":
        return Told(earlier.account_sid, earlier.campaign_id, earlier.told_at, account, rights)
    return replace(earlier, account=account, rights=rights)


@dataclass
class _Inquiry:
    """One turn of questions; what is not answered stays as it was told earlier."""

    asks: _Patience
    credentials: Credentials
    earlier: Told
    now: datetime
    rights: dict[Need, Right] = field(default_factory=dict)

    def told(self, account: AccountCheck, campaign_id: str | None) -> Told:
        self._try(Need.CONVERSIONS)
        self._try(Need.ACTIONS_CHANGE)
        listing = self._programs()
        campaign = campaign_id or _only(listing)
        told = replace(_about(self.earlier, campaign), account=account, programs=listing)
        told = self._of_campaign(told) if campaign else self._without_campaign(told)
        self._try(Need.SUBMISSIONS)
        self._try(Need.PROMO_CODES, campaign)
        return replace(told, rights=tuple(self.rights[need] for need in Need))

    def _of_campaign(self, told: Told) -> Told:
        found, complete = self._contracts(told)
        kinds = event_types(found, self._event_types(told.campaign_id))
        if not (self._is_known(Need.CONTRACTS) and self._is_known(Need.ACTIONS_READ)):
            kinds = tuple({one.id: one for one in (*told.event_types, *kinds)}.values())
        return replace(told, contracts=found, contracts_complete=complete, event_types=kinds)

    def _without_campaign(self, told: Told) -> Told:
        self._try(Need.ACTIONS_READ)
        sentence = "Choose a program first: contracts are asked for by program."
        self.rights[Need.CONTRACTS] = Right(Need.CONTRACTS, Allowance.NOT_KNOWN, sentence)
        return told

    def _is_known(self, need: Need) -> bool:
        return self.rights[need].allowance is not Allowance.NOT_KNOWN

    def _try(self, need: Need, campaign_id: str = "") -> None:
        self.rights[need] = tried(self.asks, *self._account, need, campaign_id)

    def _programs(self) -> tuple[Program, ...]:
        try:
            found = programs(self.asks, *self._account, now=self.now)
        except NotAnswered as fault:
            self.rights[Need.PROGRAMS] = listed(Need.PROGRAMS, fault)
            return () if self._is_known(Need.PROGRAMS) else self.earlier.programs
        self.rights[Need.PROGRAMS] = listed(Need.PROGRAMS, None)
        return tuple(found)

    def _contracts(self, told: Told) -> tuple[tuple[Contract, ...], bool]:
        try:
            found, complete = contracts(self.asks, *self._account, told.campaign_id, now=self.now)
        except NotAnswered as fault:
            self.rights[Need.CONTRACTS] = listed(Need.CONTRACTS, fault)
            return ((), True) if self._is_known(Need.CONTRACTS) else (told.contracts, told.contracts_complete)
        self.rights[Need.CONTRACTS] = listed(Need.CONTRACTS, None)
        return tuple(found), complete

    def _event_types(self, campaign_id: str) -> list[tuple[str, str]]:
        """Id and name of each action's event type; none where the actions could not be had."""
        try:
            seen = used_event_types(self.asks, *self._account, campaign_id, now=self.now)
        except NotAnswered as fault:
            self.rights[Need.ACTIONS_READ] = listed(Need.ACTIONS_READ, fault)
            return []
        self.rights[Need.ACTIONS_READ] = listed(Need.ACTIONS_READ, None)
        return seen

    @property
    def _account(self) -> tuple[str, str]:
        return self.credentials.account_sid, self.credentials.auth_token


def _only(listing: tuple[Program, ...]) -> str:
    """The one active program's id, "" where there is none or a choice."""
    active = [program.id for program in listing if program.is_active]
    return active[0] if len(active) == 1 else ""
