"""Programs, contracts and the event types in use, as impact.com lists them.

Sources, seen 2026-11: Brand API v14, `GET Campaigns` and the Program object; `GET
Campaigns/{CampaignId}/Contracts` and the Contract object (integrations.impact.com/brand-api-reference,
contracts: only active contracts are listed unless a status is asked for); `GET Actions`.

NOTES. The published object of a *brand's* contract tells no referral window. The same contract as its
*partner* reads it (Partner API v16, Contract object) has one for each event type: `ValidReferrals` with
`Type`, `Window` and `WindowUnit`; a partner's public terms have `ReferralPeriod` and `ReferralPeriodUnit`.
Fields are added without a new version, so a window is read under these names where it stands beside an event
type, and where there is none nothing is made up. That a brand is told at all is our inference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from impact_app.domain.programs import Contract, Program, Term, window_days
from impact_app.transports.api.fields import flag_of, moment_of, object_of, records_of, text_of
from impact_app.transports.api.lookups import (
    LONGEST_WINDOW,
    PAGE_SIZE,
    Asks,
    NotAnswered,
    asked,
    holds_too_many,
    written,
)
from impact_app.transports.api.request import Call, Form

#: Records a page, and pages that are read: somebody waits for them.
_PAGE, _PAGES = 100, 3

#: Characters of a template and of a list of domains that are looked at.
_LONG = 4_000


def programs(asks: Asks, account_sid: str, auth_token: str, *, now: datetime) -> list[Program]:
    """The account's programs, at most 300, in impact.com's order. Raises `NotAnswered`."""
    path = f"/Advertisers/{_part(account_sid)}/Campaigns"
    records, _ = _listed(asks, (account_sid, auth_token), path, "Campaigns", now)
    return [_program(record) for record in records if text_of(record, "Id")]


def contracts(
    asks: Asks, account_sid: str, auth_token: str, campaign_id: str, *, now: datetime
) -> tuple[list[Contract], bool]:
    """A program's contracts in force, and whether these are all; 300 are read. Raises `NotAnswered`."""
    path = f"/Advertisers/{_part(account_sid)}/Campaigns/{_part(campaign_id)}/Contracts"
    records, complete = _listed(asks, (account_sid, auth_token), path, "Contracts", now)
    return [_contract(record) for record in records if _is_in_force(record, now)], complete


def used_event_types(
    asks: Asks, account_sid: str, auth_token: str, campaign_id: str, *, now: datetime
) -> list[tuple[str, str]]:
    """Id and name of the event type of each action of the last 45 days, at most 2,000 actions.

    A program that has more than impact.com lists for so long is asked for the last day. Raises `NotAnswered`.
    """
    try:
        return _event_types(asks, (account_sid, auth_token), campaign_id, LONGEST_WINDOW, now)
    except NotAnswered as fault:
        if not holds_too_many(fault):
            raise
    return _event_types(asks, (account_sid, auth_token), campaign_id, timedelta(days=1), now)


def _event_types(
    asks: Asks, account: tuple[str, str], campaign_id: str, since: timedelta, now: datetime
) -> list[tuple[str, str]]:
    query: Form = (
        ("CampaignId", campaign_id),
        ("ActionDateStart", written(now - since + timedelta(minutes=1))),
        ("ActionDateEnd", written(now)),
        ("PageSize", str(PAGE_SIZE)),
    )
    body = asked(asks, Call("GET", f"/Advertisers/{_part(account[0])}/Actions", query), *account, now)
    if "Actions" not in body:
        raise NotAnswered("impact.com's answer is not the list that was asked for.", 200)
    named = ((text_of(one, "ActionTrackerId"), one) for one in records_of(body["Actions"]))
    return [(tracker, text_of(one, "ActionTrackerName")) for tracker, one in named if tracker]


def _part(text: str) -> str:
    return quote(text, safe="")


def _listed(
    asks: Asks, account: tuple[str, str], path: str, name: str, now: datetime
) -> tuple[list[Mapping[str, Any]], bool]:
    """The records of the first pages of a list, and whether there are no more."""
    found: list[Mapping[str, Any]] = []
    query: Form = (("Page", "1"), ("PageSize", str(_PAGE)))
    for _ in range(_PAGES):
        body = asked(asks, Call("GET", path, query), *account, now)
        if name not in body:
            raise NotAnswered("impact.com's answer is not the list that was asked for.", 200)
        found.extend(records_of(body[name]))
        # Only the query is taken from what the network said, so that credentials go nowhere else.
        following = tuple(parse_qsl(urlsplit(text_of(body, "@nextpageuri", _LONG)).query))
        if not following or following == query:
            return found, True
        query = following
    return found, False


def _program(record: Mapping[str, Any]) -> Program:
    gateway = object_of(record, "GatewayTrackingSettings")
    templates = (
        text_of(gateway, name, _LONG) for name in ("MediaPartnerTrackingTemplate", "CampaignTrackingTemplate")
    )
    return Program(
        id=text_of(record, "Id"),
        name=text_of(record, "Name"),
        state=text_of(record, "State"),
        type=text_of(record, "Type"),
        tracking_domain=text_of(record, "TrackingDomain"),
        landing_page=text_of(gateway, "DefaultLandingPage", _LONG),
        tracking_templates=tuple(template for template in templates if template),
        deep_linking=flag_of(gateway, "DeepLinking"),
        deep_link_domains=tuple(_domains(gateway.get("DeepLinkDomains"))),
        promo_code_tracking=flag_of(record, "PromoCodeTracking"),
        view_through=flag_of(record, "ViewThroughCrediting"),
    )


def _domains(value: Any) -> Iterator[str]:
    """Domains from a text with commas, as published, or from a list."""
    entries = value if isinstance(value, list) else text_of({"": value}, "", _LONG).split(",")
    for entry in entries:
        domain = text_of({"": entry}, "").strip()
        if domain:
            yield domain


def _is_in_force(record: Mapping[str, Any], now: datetime) -> bool:
    starts, ends = moment_of(record, "StartDate"), moment_of(record, "EndDate")
    is_active = text_of(record, "Status").upper() in ("", "ACTIVE")
    return is_active and (starts is None or starts <= now) and (ends is None or ends > now)


def _contract(record: Mapping[str, Any]) -> Contract:
    both = (object_of(record, name) for name in ("TemplateTerms", "Terms"))
    payouts = (payout for terms in both for payout in records_of(terms.get("EventPayouts")))
    return Contract(
        id=text_of(record, "Id"),
        terms=tuple(_term(payout) for payout in payouts if text_of(payout, "EventTypeId")),
    )


def _term(payout: Mapping[str, Any]) -> Term:
    told = [days for days in _windows(payout) if days is not None]
    return Term(
        event_type_id=text_of(payout, "EventTypeId"),
        event_type_name=text_of(payout, "EventTypeName"),
        window=max(told, default=None),
    )


def _windows(payout: Mapping[str, Any]) -> Iterator[int | None]:
    for referral in records_of(payout.get("ValidReferrals")):
        # A window for impressions says nothing of how long a click counts.
        if (text_of(referral, "Type") or "CLICKS").upper().startswith("CLICK"):
            yield _window(referral, "Window")
    for name in ("ReferralWindow", "ReferralPeriod"):
        yield _window(payout, name)


def _window(record: Mapping[str, Any], name: str) -> int | None:
    try:
        return window_days(float(text_of(record, name)), text_of(record, f"{name}Unit"))
    except ValueError:
        return None
