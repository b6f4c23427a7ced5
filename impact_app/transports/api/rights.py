"""What a token may do, found out with calls that change nothing.

403 is said of a known token that lacks the scope (Brand API v14, status codes, seen 2026-11), so any answer
behind that door means that it may.

Posting and changing are tried with an empty form. It can book and change nothing: `CampaignId`, `EventDate`
and `OrderId` of a conversion and the id of an action are mandatory, and what lacks them is answered with 400.
That a token without the scope gets 403 before its form is looked at is our inference, so it is the test order
that proves it; only an answer in impact.com's own words counts as "may".
"""

from __future__ import annotations

import json
from urllib.parse import quote

from impact_app.domain.programs import Allowance, Need, Right
from impact_app.http import Answer, NoAnswer, NotConnected
from impact_app.transports.api.lookups import Asks, NotAnswered
from impact_app.transports.api.request import Call, Form

#: An id in the shape of a submission that there is none of.
_NO_SUBMISSION = "A-00000000-0000-0000-0000-000000000000"


def tried(asks: Asks, account_sid: str, auth_token: str, need: Need, campaign_id: str = "") -> Right:
    """What is known of one need after one call made for it alone. Never raises for what impact.com says.

    Programs and contracts are learned of from their lists, see `listed`: for these a KeyError is raised.
    """
    try:
        answer = asks.ask(_call(need, account_sid, campaign_id), account_sid, auth_token)
    except (NotConnected, NoAnswer) as fault:
        return Right(need, Allowance.NOT_KNOWN, f"impact.com could not be asked: {fault}.")
    return _judged(need, answer)


def listed(need: Need, fault: NotAnswered | None) -> Right:
    """What is known of a need from a list that was asked for anyway; `fault` None: it was given."""
    if fault is None or fault.status in (400, 404):
        return Right(need, Allowance.MAY)
    if fault.status == 403:
        return Right(need, Allowance.MAY_NOT)
    return Right(need, Allowance.NOT_KNOWN, str(fault))


def _call(need: Need, account_sid: str, campaign_id: str) -> Call:
    base = f"/Advertisers/{quote(account_sid, safe='')}"
    of_campaign: Form = (("CampaignId", campaign_id),) if campaign_id else ()
    return {
        Need.CONVERSIONS: Call("POST", f"{base}/Conversions", ()),
        Need.ACTIONS_CHANGE: Call("PUT", f"{base}/Actions", ()),
        Need.ACTIONS_READ: Call("GET", f"{base}/Actions", of_campaign),
        Need.SUBMISSIONS: Call("GET", f"{base}/APISubmissions/{_NO_SUBMISSION}", ()),
        Need.PROMO_CODES: Call("GET", f"{base}/PromoCodes", (*of_campaign, ("PageSize", "1"))),
    }[need]


_WRITES = (Need.CONVERSIONS, Need.ACTIONS_CHANGE)


def _judged(need: Need, answer: Answer) -> Right:
    if answer.status == 403:
        return Right(need, Allowance.MAY_NOT)
    behind_the_door = (200, 201, 400) if need in _WRITES else (200, 400, 404)
    if answer.status in behind_the_door and _is_theirs(answer):
        return Right(need, Allowance.MAY)
    return Right(need, Allowance.NOT_KNOWN, f"impact.com answered with status {answer.status}.")


def _is_theirs(answer: Answer) -> bool:
    """Whether it is an object of the API, not the page of something that stands in between."""
    try:
        return isinstance(json.loads(answer.text), dict)
    except (ValueError, RecursionError):
        return False
