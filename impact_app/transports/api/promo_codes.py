"""Which promo codes impact.com assigns to partners: `GET /Advertisers/{sid}/PromoCodes` (Brand API v14)."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from impact_app.http import NoAnswer, NotConnected
from impact_app.transports.api.client import ImpactApi
from impact_app.transports.api.request import Call

#: A program with more pages than this has codes by the ten thousand; the rest is left to regular expressions.
_PAGES = 20


class NotListed(Exception):
    """The codes could not be had; the message says why. The ones known before stay."""


class _Code(msgspec.Struct, rename="pascal"):
    code: str | int | None = None
    type: str | None = None
    assigned_partner_id: str | int | None = None


class _Page(msgspec.Struct):
    numpages: int | None = msgspec.field(default=1, name="@numpages")
    codes: list[_Code] | None = msgspec.field(default=None, name="PromoCodes")


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
        answer = _asked(api, Call("GET", path, form), account_sid, auth_token)
        found.extend(_owned(answer))
        if page >= (answer.numpages or 1):
            break
    return found


def _asked(api: ImpactApi, call: Call, account_sid: str, auth_token: str) -> _Page:
    try:
        answer = api.ask(call, account_sid, auth_token)
    except (NotConnected, NoAnswer) as fault:
        raise NotListed(str(fault)) from None
    if answer.status != 200:
        raise NotListed(f"impact.com answered with status {answer.status}.")
    try:
        # Paging figures come as text.
        return msgspec.json.decode(answer.body, type=_Page, strict=False)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise NotListed(f"impact.com's answer was not a list of promo codes: {fault}") from None


def _owned(page: _Page) -> Iterator[dict[str, str]]:
    for one in page.codes or ():
        if one.code and one.assigned_partner_id:
            yield {"code": str(one.code), "type": one.type or "LI", "partner": str(one.assigned_partner_id)}
