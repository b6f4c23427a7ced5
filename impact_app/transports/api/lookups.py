"""Reading back from impact.com: what became of a submission, and which actions stand in its books.

Source: Brand API v14, APISubmissions and Actions (seen 2026-11). There is no filter by order: a window of
time is listed and matched by `Oid`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol
from urllib.parse import parse_qsl, quote, urlsplit

from impact_app.domain.verification import Action, ActionItem, Submission
from impact_app.http import Answer, NoAnswer, NotConnected
from impact_app.transports.api.fields import moment_of, text_of
from impact_app.transports.api.request import Call, Form
from impact_app.transports.api.response import receipt

#: The smallest page impact.com gives. Its usual 20,000 records would be more than an answer may have here.
PAGE_SIZE = 2_000
#: A window that holds more is refused.
PAGES = 10
LONGEST_WINDOW = timedelta(days=45)
_SHORTEST_WINDOW = timedelta(minutes=1)


class Asks(Protocol):
    """Whoever makes one call and hands back the bare answer."""

    def ask(self, call: Call, account_sid: str, auth_token: str) -> Answer: ...


class NotAnswered(Exception):
    """impact.com did not tell; the message says why.

    status       its HTTP status; None where no answer came
    retry_after  seconds it asks to wait, None where it says nothing
    """

    def __init__(self, sentence: str, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.retry_after = retry_after


def submission(api: Asks, account_sid: str, auth_token: str, queued_uri: str, *, now: datetime) -> Submission:
    """The record behind a `QueuedUri`. Raises `NotAnswered`, with status 404 where none is kept."""
    # Only the batch id is taken from what the network said, so that credentials go nowhere else.
    batch = urlsplit(queued_uri).path.rstrip("/").rsplit("/", 1)[-1]
    call = Call("GET", f"/Advertisers/{account_sid}/APISubmissions/{batch}", ())
    record = asked(api, call, account_sid, auth_token, now)
    if not text_of(record, "Status"):
        raise NotAnswered("impact.com's answer is not the record of a submission.", 200)
    return Submission(
        status=text_of(record, "Status"),
        order_id=text_of(record, "OrderId"),
        error_type=text_of(record, "ErrorType"),
        error_reason=text_of(record, "ErrorReason"),
        partner_id=text_of(record, "MediaPartnerId"),
    )


def actions(
    api: Asks,
    account_sid: str,
    auth_token: str,
    campaign_id: str,
    start: datetime,
    end: datetime,
    *,
    now: datetime,
) -> list[Action]:
    """Every action of a campaign whose event lies between `start` and `end`, both included.

    One call for each 2,000 actions; windows are at most 45 days, and one that holds too many is halved.
    Raises `NotAnswered`.
    """
    found: list[Action] = []
    while start <= end:
        until = min(end, start + LONGEST_WINDOW - timedelta(seconds=1))
        found.extend(_window(api, (account_sid, auth_token), campaign_id, start, until, now))
        start = until + timedelta(seconds=1)
    return found


def action_items(
    api: Asks, account_sid: str, auth_token: str, action_id: str, *, now: datetime
) -> tuple[ActionItem, ...]:
    """The items of one action. Raises `NotAnswered`, with status 404 where there is no such action."""
    path = f"/Advertisers/{account_sid}/Actions/{quote(action_id, safe='')}/Items"
    body = asked(api, Call("GET", path, ()), account_sid, auth_token, now)
    records = body.get("ActionItems")
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise NotAnswered("impact.com's answer is not a list of items.", 200)
    return tuple(
        ActionItem(text_of(record, "Sku"), int(_amount(record, "Quantity")), _amount(record, "SaleAmount"))
        for record in records
    )


def _window(
    api: Asks, account: tuple[str, str], campaign_id: str, start: datetime, end: datetime, now: datetime
) -> list[Action]:
    try:
        return list(_pages(api, account, _query(campaign_id, start, end), now))
    except NotAnswered as fault:
        if not holds_too_many(fault) or end - start <= _SHORTEST_WINDOW:
            raise
    middle = (start + (end - start) / 2).replace(microsecond=0)
    early = _window(api, account, campaign_id, start, middle, now)
    return [*early, *_window(api, account, campaign_id, middle + timedelta(seconds=1), end, now)]


def holds_too_many(fault: NotAnswered) -> bool:
    """More than ten pages have no code of their own, and the wording is not published."""
    return fault.status == 400 and any(word in str(fault).lower() for word in ("page", "too many", "exceed"))


def _query(campaign_id: str, start: datetime, end: datetime) -> Form:
    return (
        ("CampaignId", campaign_id),
        ("ActionDateStart", written(start)),
        ("ActionDateEnd", written(end)),
        ("PageSize", str(PAGE_SIZE)),
    )


def written(moment: datetime) -> str:
    """A moment with its time part: without one impact.com refuses a date, or reads it as it likes."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _pages(api: Asks, account: tuple[str, str], query: Form, now: datetime) -> Iterator[Action]:
    path = f"/Advertisers/{account[0]}/Actions"
    for _ in range(PAGES):
        body = asked(api, Call("GET", path, query), *account, now)
        if "Actions" not in body:
            raise NotAnswered("impact.com's answer is not a list of actions.", 200)
        for record in body["Actions"] or ():
            yield _action(record)
        following = tuple(parse_qsl(urlsplit(str(body.get("@nextpageuri") or "")).query))
        if not following or following == query:
            return
        query = following


def asked(api: Asks, call: Call, account_sid: str, auth_token: str, now: datetime) -> dict[str, Any]:
    """The object that impact.com answers with. Raises `NotAnswered`, also where it is something else."""
    try:
        answer = api.ask(call, account_sid, auth_token)
    except (NotConnected, NoAnswer) as fault:
        raise NotAnswered(f"impact.com could not be asked: {fault}.") from None
    if answer.status != 200:
        raise _refusal(answer, auth_token, now)
    try:
        body = json.loads(answer.text, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise NotAnswered("impact.com's answer was no JSON.", 200) from None
    if not isinstance(body, dict):
        raise NotAnswered("impact.com's answer was not the documented one.", 200)
    return body


def _refusal(answer: Answer, auth_token: str, now: datetime) -> NotAnswered:
    read = receipt(answer, (auth_token,), now)
    said = read.detail or f"status {answer.status}"
    if answer.status == 401:
        said = "the account SID or the auth token is wrong"
    elif answer.status == 403:
        said = "the token may not read this; it needs the scopes Actions (read) and Submissions (read)"
    return NotAnswered(f"impact.com did not answer: {said.rstrip('.')}.", answer.status, read.retry_after)


def _action(record: Any) -> Action:
    if not isinstance(record, dict) or not text_of(record, "Id"):
        raise NotAnswered("impact.com's list holds something that is no action.", 200)
    return Action(
        id=text_of(record, "Id"),
        order_id=text_of(record, "Oid"),
        event_type_id=text_of(record, "ActionTrackerId"),
        partner_id=text_of(record, "MediaPartnerId"),
        partner_name=text_of(record, "MediaPartnerName"),
        state=text_of(record, "State"),
        amount=_amount(record, "Amount"),
        currency=text_of(record, "Currency"),
        payout=_amount(record, "Payout"),
        event_date=moment_of(record, "EventDate"),
        created_at=moment_of(record, "CreationDate"),
        locking_date=moment_of(record, "LockingDate"),
    )


def _amount(record: dict[str, Any], name: str) -> Decimal:
    """A number, or text with a point; impact.com sends both. Nothing at all is nothing."""
    text = text_of(record, name) or "0"
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise NotAnswered(f"impact.com's {name} {text[:40]!r} is no amount.", 200)
    return amount
