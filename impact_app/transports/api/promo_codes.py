"""Which promo codes impact.com assigns to partners: `GET /Advertisers/{sid}/PromoCodes` (Brand API v14)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from impact_app.http import NoAnswer, NotConnected
from impact_app.transports.api.client import ImpactApi
from impact_app.transports.api.request import Call

#: A program with more pages than this has codes by the ten thousand; the rest is left to regular expressions.
_PAGES = 20


class NotListed(Exception):
    """The codes could not be had; the message says why. The ones known before stay."""


def partner_codes(
    api: ImpactApi, account_sid: str, auth_token: str, campaign_id: str
) -> list[dict[str, str]]:
    """Active codes of a campaign that belong to a partner, as code, type (LI or RE) and partner.

    Raises `NotListed`.
    """
    path = f"/Advertisers/{account_sid}/PromoCodes"
    found: list[dict[str, str]] = []
    for page in range(1, _PAGES + 1):
        form = (("CampaignId", campaign_id), ("State", "ACTIVE"), ("Page", str(page)), ("PageSize", "1000"))
        body = _asked(api, Call("GET", path, form), account_sid, auth_token)
        found.extend(_codes(body))
        if page >= int(body.get("@numpages") or 1):
            break
    return found


def _asked(api: ImpactApi, call: Call, account_sid: str, auth_token: str) -> dict[str, Any]:
    try:
        answer = api.ask(call, account_sid, auth_token)
    except (NotConnected, NoAnswer) as fault:
        raise NotListed(str(fault)) from None
    if answer.status != 200:
        raise NotListed(f"impact.com answered with status {answer.status}.")
    try:
        body = json.loads(answer.text)
    except ValueError:
        raise NotListed("impact.com's answer was no JSON.") from None
    if not isinstance(body, dict):
        raise NotListed("impact.com's answer was not a list of promo codes.")
    return body


def _codes(body: dict[str, Any]) -> Iterator[dict[str, str]]:
    for entry in body.get("PromoCodes") or ():
        partner = str(entry.get("AssignedPartnerId") or "")
        if partner and entry.get("Code"):
            yield {"code": str(entry["Code"]), "type": str(entry.get("Type") or "LI"), "partner": partner}
