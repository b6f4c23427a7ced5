"""What impact.com tells a store before its first order: account, rights, programs, contracts, event types.

Nothing is asked here: this is what was told, what follows from it for the rules, and how it is kept.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from urllib.parse import unquote_plus

from impact_app.domain.rules import RuleError, read_rules

#: The macro that impact.com replaces with the click id, in exactly this spelling.
#: Source: impact.com help, "Gateway Tracking Templates", seen 2026-11.
CLICK_MACRO = "{clickid}"

#: A learned window is cut to this, as the rule `referral_days` takes no more.
LONGEST_WINDOW = 365

Outcome = Literal["works", "refused", "limited", "unreachable", "unexpected"]


@dataclass(frozen=True, slots=True)
class AccountCheck:
    """What impact.com says of credentials, in words for the merchant; "" where it told nothing more."""

    outcome: Outcome
    sentence: str
    currency: str = ""
    time_zone: str = ""


@dataclass(frozen=True, slots=True)
class Program:
    """A program, at impact.com also called campaign; "" and None where nothing was told.

    state, type         as impact.com has them: ACTIVE, SETUP, …; Performance, Creator, …
    tracking_templates  what is added to partners' links, then to all links of the program
    deep_link_domains   hosts without path, perhaps with `*.` in front
    """

    id: str
    name: str
    state: str = ""
    type: str = ""
    tracking_domain: str = ""
    landing_page: str = ""
    tracking_templates: tuple[str, ...] = ()
    deep_linking: bool | None = None
    deep_link_domains: tuple[str, ...] = ()
    promo_code_tracking: bool | None = None
    view_through: bool | None = None

    @property
    def is_active(self) -> bool:
        return self.state.upper() == "ACTIVE"


@dataclass(frozen=True, slots=True)
class Term:
    """What a contract says of one event type; `window`: days a click counts, None where it is not told."""

    event_type_id: str
    event_type_name: str = ""
    window: int | None = None


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract with a partner that is in force."""

    id: str
    terms: tuple[Term, ...] = ()


@dataclass(frozen=True, slots=True)
class EventType:
    """An event type that was met; `seen`: actions of it among those that were listed.

    source  contracts | actions | both
    """

    id: str
    name: str = ""
    seen: int = 0
    source: Literal["contracts", "actions", "both"] = "actions"


class Need(StrEnum):
    """What the app asks of a token, each by one harmless call."""

    CONVERSIONS = "conversions"
    ACTIONS_CHANGE = "actions_change"
    ACTIONS_READ = "actions_read"
    SUBMISSIONS = "submissions"
    PROGRAMS = "programs"
    PROMO_CODES = "promo_codes"
    CONTRACTS = "contracts"


@dataclass(frozen=True, slots=True)
class NeedMeaning:
    """A need in words: the scope to tick at impact.com, and what the app does with it.

    required  without it no order can be reported, or none corrected
    """

    scope: str
    use: str
    required: bool = False


NEEDS: Mapping[Need, NeedMeaning] = {
    Need.CONVERSIONS: NeedMeaning("Conversions: create", "Reports paid orders.", required=True),
    Need.ACTIONS_CHANGE: NeedMeaning(
        "Actions: update and delete", "Reports refunds, edits and cancellations.", required=True
    ),
    Need.ACTIONS_READ: NeedMeaning(
        "Actions: read", "Shows which partner was credited, and checks that both books agree."
    ),
    Need.SUBMISSIONS: NeedMeaning(
        "Submissions: read", "Shows why impact.com did not book what it had accepted."
    ),
    Need.PROGRAMS: NeedMeaning(
        "Programs: read", "Lists your programs and reads under which name the click arrives."
    ),
    Need.PROMO_CODES: NeedMeaning("Promo Codes: read", "Picks the partner's code when a buyer used several."),
    Need.CONTRACTS: NeedMeaning("Contracts: read", "Reads how long a click counts."),
}


class Allowance(StrEnum):
    """Whether a token may do something, as far as can be known without booking anything."""

    MAY = "may"
    MAY_NOT = "may_not"
    NOT_KNOWN = "not_known"


@dataclass(frozen=True, slots=True)
class Right:
    """What is known of one need; `sentence`: why it is not known, "" otherwise."""

    need: Need
    allowance: Allowance
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """Everything impact.com told a store, and of what.

    account_sid, campaign_id  what it was asked about; a store that has others by now was told nothing yet.
                              campaign_id "": no campaign was chosen, so contracts and event types are unknown
    told_at                   when it was asked last
    rights                    one for each `Need`, in its order
    contracts_complete        whether every contract in force is among `contracts`
    """

    account_sid: str
    campaign_id: str
    told_at: datetime
    account: AccountCheck
    rights: tuple[Right, ...] = ()
    programs: tuple[Program, ...] = ()
    contracts: tuple[Contract, ...] = ()
    contracts_complete: bool = True
    event_types: tuple[EventType, ...] = ()

    def program(self, campaign_id: str | None) -> Program | None:
        """The program of this id, None where impact.com listed none."""
        return next((one for one in self.programs if one.id == campaign_id), None)

    def right(self, need: Need) -> Right:
        """What is known of one need."""
        unknown = Right(need, Allowance.NOT_KNOWN)
        return next((one for one in self.rights if one.need is need), unknown)

    def event_type(self, event_type_id: str | None) -> EventType | None:
        """The event type of this id, None where neither a contract nor an action has it."""
        return next((one for one in self.event_types if one.id == event_type_id), None)

    def window(self, event_type_id: str | None) -> int | None:
        """The referral window in days, None where no contract told one."""
        return referral_window(self.contracts, event_type_id or "")

    def is_of(self, account_sid: str | None, campaign_id: str | None) -> bool:
        """Whether it was asked with this account and about this campaign."""
        return (self.account_sid, self.campaign_id) == (account_sid or "", campaign_id or "")


def click_parameters(program: Program) -> tuple[str, ...]:
    """Names of the query parameters that hold the click id and nothing else, in the templates' order.

    `x={irpid}_{clickid}` does not count: its value is no click id.
    """
    names = (
        unquote_plus(name).strip()
        for template in program.tracking_templates
        for name, _, value in (part.partition("=") for part in re.split(r"[?&#]", template))
        if value.strip() == CLICK_MACRO
    )
    return tuple(dict.fromkeys(name for name in names if name))


def completed_parameters(program: Program, parameters: Sequence[str]) -> str:
    """The rule `parameters` as text, with what it lacks put in front: that is what partners' links carry.

    A name that no rule takes, such as `sub[id]`, is left out.
    """
    missing = [name for name in click_parameters(program) if name not in parameters and _is_taken(name)]
    return ", ".join((*missing, *parameters))


def _is_taken(name: str) -> bool:
    try:
        return read_rules({"parameters": name}).parameters == (name,)
    except RuleError:
        return False


def uncovered(domains: Iterable[str], program: Program) -> tuple[str, ...]:
    """The shop's domains that partners cannot link to.

    A domain is covered if it is listed itself, or by `*.` in front of a domain above it. `shop.example` alone
    does not cover `www.shop.example`. With deep linking off nothing is covered; with neither the switch nor a
    list told nothing can be said, and nothing is named.
    Source: impact.com help, "Set Up Permitted Domains for Deep Linking", seen 2026-11.
    """
    hosts = dict.fromkeys(filter(None, (_host(domain) for domain in domains)))
    if program.deep_linking is False:
        return tuple(hosts)
    if program.deep_linking is None and not program.deep_link_domains:
        return ()
    permitted = [_host(domain) for domain in program.deep_link_domains]
    return tuple(host for host in hosts if not any(_covers(entry, host) for entry in permitted))


def _covers(entry: str, host: str) -> bool:
    if entry.startswith("*."):
        return len(host) > len(entry) - 1 and host.endswith(entry[1:])
    return host == entry


def _host(text: str) -> str:
    """The host of what may be an address, in lower case, without port, path and final dot."""
    text = text.strip().lower().partition("://")[2] or text.strip().lower()
    return re.split(r"[/?#:]", text, maxsplit=1)[0].rstrip(".")


def referral_window(contracts: Iterable[Contract], event_type_id: str) -> int | None:
    """The longest window in days that a contract gives an event type, at most 365; None where none is told.

    The longest, because the storefront does not know whose click it keeps.
    """
    told = [
        term.window
        for contract in contracts
        for term in contract.terms
        if term.event_type_id == event_type_id and term.window
    ]
    return min(max(told), LONGEST_WINDOW) if told else None


_UNITS = {"MINUTE": 1 / 1440, "HOUR": 1 / 24, "DAY": 1, "WEEK": 7, "MONTH": 31, "YEAR": 365}


def window_days(length: float, unit: str) -> int | None:
    """A window in whole days, rounded up; without a unit it is in days. None where it cannot be told."""
    days = _UNITS.get(unit.strip().upper().removesuffix("S") or "DAY")
    if days is None or not 0 < length < 1_000_000:
        return None
    # Twelfths and sixtieths are not exact in a float.
    return math.ceil(round(length * days, 6))


def event_types(contracts: Iterable[Contract], seen: Iterable[tuple[str, str]]) -> tuple[EventType, ...]:
    """Every event type that a contract names or an action has, the most used first.

    seen  id and name of the event type of each action that was listed
    """
    found: dict[str, EventType] = {}
    for term in (term for contract in contracts for term in contract.terms):
        known = found.get(term.event_type_id) or EventType(term.event_type_id, source="contracts")
        found[known.id] = replace(known, name=known.name or term.event_type_name)
    for event_type_id, name in seen:
        known = found.get(event_type_id) or EventType(event_type_id)
        source: Literal["actions", "both"] = "actions" if known.source == "actions" else "both"
        found[known.id] = replace(known, name=known.name or name, seen=known.seen + 1, source=source)
    return tuple(sorted(found.values(), key=lambda one: (-one.seen, one.id)))


def told_value(told: Told) -> dict[str, Any]:
    """What was told as values that JSON has, `told_at` left out: it is a column of its own."""
    value = asdict(told)
    del value["told_at"]
    return value


def told_from(value: Mapping[str, Any], told_at: datetime) -> Told:
    """The reverse of `told_value`. Raises KeyError, TypeError or ValueError for anything else."""
    return Told(
        account_sid=value["account_sid"],
        campaign_id=value["campaign_id"],
        told_at=told_at,
        account=AccountCheck(**value["account"]),
        rights=tuple(_right(one) for one in value["rights"]),
        programs=tuple(_program(one) for one in value["programs"]),
        contracts=tuple(
            Contract(one["id"], tuple(Term(**term) for term in one["terms"])) for one in value["contracts"]
        ),
        contracts_complete=value["contracts_complete"],
        event_types=tuple(EventType(**one) for one in value["event_types"]),
    )


def _right(value: Mapping[str, Any]) -> Right:
    return Right(Need(value["need"]), Allowance(value["allowance"]), value["sentence"])


def _program(value: Mapping[str, Any]) -> Program:
    listed = {name: tuple(value[name]) for name in ("tracking_templates", "deep_link_domains")}
    return Program(**{**value, **listed})
