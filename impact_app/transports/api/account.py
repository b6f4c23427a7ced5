"""Trying credentials at impact.com, with the cheapest call that needs them."""

from __future__ import annotations

import json
from typing import Any, Protocol
from urllib.parse import quote

from impact_app.domain.programs import AccountCheck
from impact_app.http import Answer, Http, NoAnswer, NotConnected
from impact_app.transports.api.client import ImpactApi
from impact_app.transports.api.lookups import Asks
from impact_app.transports.api.request import Call


class Credentials(Protocol):
    """What impact.com asks for with each call, whoever keeps it."""

    @property
    def account_sid(self) -> str: ...

    @property
    def auth_token(self) -> str: ...


def check_account(http: Http, base_url: str, credentials: Credentials) -> AccountCheck:
    """Ask impact.com who these credentials belong to. Never raises."""
    return account_check(ImpactApi(http, base_url), credentials)


def account_check(asks: Asks, credentials: Credentials) -> AccountCheck:
    """The same through somebody who asks. Raises only what asking raises beside the faults of a connection.

    Only 401 means a wrong SID or token. 403 means that the token is known and may not do this one thing;
    it may still post conversions.
    Source: Brand API v14, `CompanyInformation`, and the notes on scoped tokens, seen 2026-11.
    """
    sid = quote(credentials.account_sid, safe="")
    call = Call("GET", f"/Advertisers/{sid}/CompanyInformation", ())
    try:
        answer = asks.ask(call, credentials.account_sid, credentials.auth_token)
    except (NotConnected, NoAnswer):
        return AccountCheck(
            "unreachable", "impact.com could not be reached, so the credentials could not be tried."
        )
    return _judged(answer)


def _judged(answer: Answer) -> AccountCheck:
    status = answer.status
    if status == 401:
        return AccountCheck("refused", "impact.com refuses this account SID and auth token.")
    if status == 403:
        return AccountCheck(
            "limited",
            "impact.com knows these credentials, but the token may not read the account. That is no fault if "
            "it has the Conversions scope (and Actions, for refunds); the first order will show it.",
        )
    if status in (408, 429) or status >= 500:
        return AccountCheck(
            "unreachable", f"impact.com could not answer just now (status {status}), so nothing was tried."
        )
    return _named(_fields(answer)) if status == 200 else _unexpected(f"with status {status}")


def _named(company: dict[str, Any]) -> AccountCheck:
    currency, zone = str(company.get("currency") or ""), str(company.get("timezone") or "")
    if not company:
        return _unexpected("with something else than an account")
    told = [f"currency {currency}"] * bool(currency) + [f"time zone {zone}"] * bool(zone)
    more = f" The account has {' and '.join(told)}." if told else ""
    return AccountCheck("works", f"impact.com accepts these credentials.{more}", currency, zone)


def _unexpected(how: str) -> AccountCheck:
    return AccountCheck(
        "unexpected",
        f"The address of impact.com answered {how}, so the credentials could not be tried. "
        "Check IMPACT_API_URL.",
    )


def _fields(answer: Answer) -> dict[str, Any]:
    """The answer's fields by lower-case name; {} unless it is a JSON object."""
    try:
        body = json.loads(answer.text)
    except (ValueError, RecursionError):
        return {}
    return {str(name).lower(): value for name, value in body.items()} if isinstance(body, dict) else {}
