"""Who is credited for a conversion: a pure answer from the set-up and what was sent."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from .setup import Click, Contract, EventType, Partner, PromoCode, Setup
from .validation import Conversion

VALIDATION = "Validation"
CONTRACT = "Contract Error"


class Uncredited(Exception):
    """The conversion does not become an action; `reason` is impact.com's code, `type` its class of error."""

    def __init__(self, type: str, reason: str, because: str) -> None:
        super().__init__(because)
        self.type, self.reason, self.because = type, reason, because


@dataclass(frozen=True, slots=True)
class Credit:
    """The partner who is paid, by what kind of referral, and when that referral happened."""

    partner: Partner
    referral: str
    date: datetime


def check_program(conversion: Conversion, setup: Setup) -> EventType:
    """Return the event type of a conversion; raise `Uncredited` if program and event type do not fit."""
    if setup.campaign(conversion.campaign_id) is None:
        raise Uncredited(
            VALIDATION, "CAMPAIGN_NOT_FOUND", f"There is no program with the id {conversion.campaign_id}."
        )
    event_type = setup.event_type(conversion.event_type_id, conversion.event_type_code)
    named = conversion.event_type_code or conversion.event_type_id
    if event_type is None:
        raise Uncredited(VALIDATION, "ACTIONTRACKER_NOT_FOUND", f"There is no event type {named}.")
    if event_type.campaign_id != conversion.campaign_id:
        raise Uncredited(
            VALIDATION,
            "ACTIONTRACKER_CAMPAIGN_MISMATCH",
            f"Event type {named} belongs to program {event_type.campaign_id}, not {conversion.campaign_id}.",
        )
    if not event_type.active:
        raise Uncredited(VALIDATION, "ACTIONTRACKER_NOT_ACTIVE", f"Event type {named} is not switched on.")
    return event_type


def check_age(conversion: Conversion, setup: Setup, submitted: datetime) -> None:
    """Raise `Uncredited` for an event too old to be processed."""
    forced = conversion.forced_partner is not None
    days = setup.oldest_forced_event_days if forced else setup.oldest_event_days
    if submitted - conversion.event_date > timedelta(days=days):
        # impact.com says "not processed" and names no code; this is the nearest of its published ones.
        raise Uncredited(VALIDATION, "MALFORMED", f"EventDate is more than {days} days old: not processed.")


def credit(conversion: Conversion, event_type: EventType, setup: Setup) -> Credit:
    """Find the one partner to pay: forced, by an assigned code, or by a click; else raise `Uncredited`."""
    found = _referred(conversion, event_type, setup)
    if setup.contracts:
        _check_contract(found.partner.id, event_type, conversion, setup)
    return found


def _check_contract(partner_id: int, event_type: EventType, conversion: Conversion, setup: Setup) -> None:
    theirs = _contracts(partner_id, conversion, setup)
    if not theirs:
        raise Uncredited(CONTRACT, "CONTRACT_NOT_FOUND", f"Partner {partner_id} had no contract then.")
    if not any(one.covers(event_type) for one in theirs):
        raise Uncredited(
            CONTRACT, "ACTIONTERMS_NOT_FOUND", f"No contract of partner {partner_id} has {event_type.name}."
        )


def _contracts(partner_id: int, conversion: Conversion, setup: Setup) -> list[Contract]:
    """The contracts that the partner had when the event happened."""
    at = conversion.event_date
    return [one for one in setup.agreed if one.partner_id == partner_id and one.status(at) == "ACTIVE"]


def _referred(conversion: Conversion, event_type: EventType, setup: Setup) -> Credit:
    if conversion.forced_partner is not None:
        return _forced(conversion, conversion.forced_partner, setup)
    clicks = _clicks(conversion, setup)
    code = _assigned_code(conversion, event_type, setup)
    if code is not None:
        return _by_code(conversion, code, clicks, event_type, setup)
    if not clicks:
        return _by_own_domain(conversion, setup)
    valid = [click for click in clicks if _inside_window(click, conversion, event_type, setup)]
    if not valid:
        days = _window(clicks[0].partner_id, conversion, event_type, setup) / timedelta(days=1)
        raise Uncredited(
            CONTRACT, "OUTSIDE_ASSOCIATION_WINDOW", f"No click within {days:g} days before the order."
        )
    winner = max(valid, key=lambda click: _clicked_at(click, conversion))
    return Credit(_active(winner.partner_id, setup), "CLICK_COOKIE", _clicked_at(winner, conversion))


def _forced(conversion: Conversion, partner_id: int, setup: Setup) -> Credit:
    return Credit(_active(partner_id, setup), "MEDIA_ID", conversion.event_date)


def _clicks(conversion: Conversion, setup: Setup) -> list[Click]:
    sent = conversion.fields
    known = [click for click in setup.clicks if _belongs(click, sent.get("ClickId"), sent)]
    if not known and "ClickId" in sent and not setup.strict_clicks:
        return [Click(sent["ClickId"], setup.default_partner_id)]
    return known


def _belongs(click: Click, click_id: str | None, sent: Mapping[str, str]) -> bool:
    by_customer = bool(click.customer_id) and click.customer_id == sent.get("CustomerId")
    by_profile = bool(click.profile_id) and click.profile_id == sent.get("CustomProfileId")
    return click.id == click_id or by_customer or by_profile


def _clicked_at(click: Click, conversion: Conversion) -> datetime:
    return click.date or conversion.event_date - timedelta(hours=1)


def _inside_window(click: Click, conversion: Conversion, event_type: EventType, setup: Setup) -> bool:
    age = conversion.event_date - _clicked_at(click, conversion)
    return timedelta(0) <= age <= _window(click.partner_id, conversion, event_type, setup)


def _window(partner_id: int, conversion: Conversion, event_type: EventType, setup: Setup) -> timedelta:
    """The partner's longest window for the event type; the general one where none is agreed."""
    agreed = [one for one in _contracts(partner_id, conversion, setup) if one.covers(event_type)]
    usual = timedelta(days=setup.referral_window_days)
    return max((one.referral_window for one in agreed), default=usual)


def _assigned_code(conversion: Conversion, event_type: EventType, setup: Setup) -> PromoCode | None:
    sent = conversion.fields.get("OrderPromoCode")
    campaign = setup.campaign(conversion.campaign_id)
    if not sent or not event_type.credits_promo_codes or not (campaign and campaign.promo_code_tracking):
        return None
    at = conversion.event_date
    return next((code for code in setup.promo_codes if matches(code, sent) and valid_at(code, at)), None)


def matches(code: PromoCode, sent: str) -> bool:
    if code.type == "RE":
        return re.fullmatch(code.code, sent) is not None
    return code.code.casefold() == sent.casefold()


def valid_at(code: PromoCode, moment: datetime) -> bool:
    return (code.start is None or code.start <= moment) and (code.end is None or moment <= code.end)


def _by_code(
    conversion: Conversion, code: PromoCode, clicks: list[Click], event_type: EventType, setup: Setup
) -> Credit:
    valid = [click for click in clicks if _inside_window(click, conversion, event_type, setup)]
    last = max(valid, key=lambda click: _clicked_at(click, conversion), default=None)
    met = {
        "ALWAYS": True,
        "INVOLVED": any(click.partner_id == code.partner_id for click in valid),
        "WINNER": last is not None and last.partner_id == code.partner_id,
    }[code.credit_policy]
    if not met and not valid:
        raise Uncredited(
            CONTRACT, "NO_VALID_REFERRERS_FOUND", f"Code {code.code} pays only with a click of its partner."
        )
    if not met:
        raise Uncredited(CONTRACT, "RESTRICTED_PROMOCODE", f"Code {code.code} belongs to another partner.")
    return Credit(_active(code.partner_id, setup), "PROMO_CODE", conversion.event_date)


def _by_own_domain(conversion: Conversion, setup: Setup) -> Credit:
    host = urlsplit(conversion.fields.get("UniqueUrl", "")).hostname
    for partner in setup.partners:
        if host and partner.unique_domain == host:
            return Credit(_active(partner.id, setup), "UNIQUE_URL", conversion.event_date)
    if "ClickId" in conversion.fields:
        raise Uncredited(CONTRACT, "ACTION_REF_NOT_FOUND", "No click of this id is known.")
    raise Uncredited(
        CONTRACT, "NO_VALID_REFERRERS_FOUND", "No partner's click or code stands behind this order."
    )


def _active(partner_id: int, setup: Setup) -> Partner:
    partner = setup.partner(partner_id)
    if partner is None:
        raise Uncredited(CONTRACT, "ACTION_REF_NOT_FOUND", f"There is no partner {partner_id}.")
    if not partner.active:
        raise Uncredited(CONTRACT, "PARTNER_NOT_ACTIVE", f"{partner.name} is not an active partner.")
    return partner


def check_fields(conversion: Conversion, event_type: EventType) -> None:
    """Raise `Uncredited` for fields that the event type does not take."""
    if not conversion.lines and conversion.order_amount is None:
        raise Uncredited(VALIDATION, "NO_ITEM", "Neither items nor an amount were sent.")
    status = conversion.fields.get("CustomerStatus")
    if status and status.casefold() not in {known.casefold() for known in event_type.customer_statuses}:
        raise Uncredited(
            VALIDATION, "MALFORMED", f"Customer status {status} is not mapped on the event type."
        )
    code = conversion.fields.get("DispositionCode")
    if code and code not in event_type.disposition_codes:
        raise Uncredited(VALIDATION, "MALFORMED", f"Disposition code {code} is not set up on the event type.")
