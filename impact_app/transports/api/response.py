"""Reading impact.com's answer. It never raises: whatever came back is turned into a receipt.

Ask of each branch: may the call have arrived?
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import unescape
from typing import Any

from impact_app.domain.reasons import Reason
from impact_app.domain.receipts import Outcome, Receipt
from impact_app.http import Answer, redacted

#: A reset above this is a moment (seconds since 1970), below it a wait; both are documented.
_EPOCH_FROM = 100_000
_LONGEST_WAIT = 3600.0
#: Characters of a page or a message that are searched; what is kept of it is shorter.
_LOOKED_AT = 8_000

_REFUSALS = {
    400: Reason.INVALID_FIELD,
    402: Reason.REQUEST_FAILED,
    404: Reason.WRONG_ADDRESS,
    405: Reason.WRONG_ADDRESS,
}


def receipt(answer: Answer, secrets: tuple[str, ...], now: datetime) -> Receipt:
    """What an answer means for the call it answers. `now` turns a reset moment into a wait."""
    text = answer.text
    fields = _fields(text)
    read = replace(
        _judged(answer, fields),
        status=answer.status,
        answer=redacted(text[:_LOOKED_AT], secrets),
        calls_left=_number(answer.headers, "x-ratelimit-remaining", "x-ratelimit-remaining-hour"),
        reset_after=_reset(answer.headers, now),
    )
    if answer.status == 429 or answer.status >= 500:
        asked = _retry_after(answer.headers, now)
        if asked is None and answer.status == 429:
            asked = read.reset_after
        read = replace(read, retry_after=asked)
    # JSON can spell half a character, which no database stores.
    detail = read.detail[:_LOOKED_AT].encode("utf-8", "replace").decode()
    return replace(read, detail=redacted(detail, secrets, 500))


def _judged(answer: Answer, fields: Mapping[str, Any]) -> Receipt:  # noqa: PLR0911 - a row of the table each
    status = answer.status
    if status in (200, 201):
        return _success(fields)
    if status == 401:
        return Receipt(Outcome.REJECTED, Reason.CREDENTIALS_REFUSED, _message(fields), holds=True)
    if status == 403:
        return Receipt(Outcome.REJECTED, Reason.NOT_ALLOWED, _message(fields), holds=True)
    if status == 429:
        # Refused before it was looked at, so repeating is safe; so is the rest of the account's hour.
        return Receipt(Outcome.NOT_SENT, Reason.RATE_LIMITED, _message(fields), holds=True)
    if status == 408 or status >= 500:
        # A 5xx may come after the order was stored; only the same order id makes a repeat safe.
        return Receipt(Outcome.UNCERTAIN, Reason.SERVER_ERROR, _message(fields))
    if 200 <= status < 300:
        return Receipt(Outcome.UNCERTAIN, Reason.UNREADABLE_ANSWER, f"Status {status} is not documented.")
    if 300 <= status < 400:
        return Receipt(Outcome.REJECTED, Reason.WRONG_ADDRESS, "It answered with a redirect.")
    detail = _message(fields)
    reason = _REFUSALS.get(status, Reason.REFUSED)
    if reason is Reason.INVALID_FIELD and not detail:
        reason = Reason.REFUSED  # a gateway's page names no field that a person could correct
    return Receipt(Outcome.REJECTED, reason, detail)


def _success(fields: Mapping[str, Any]) -> Receipt:
    status, uri = str(fields.get("status", "")).upper(), _uri(fields.get("queueduri"))
    if status == "ERROR":
        return Receipt(Outcome.REJECTED, Reason.INVALID_FIELD, _message(fields))
    if status == "QUEUED" or uri:
        return Receipt(Outcome.ACCEPTED, Reason.ACCEPTED, queued_uri=uri)
    # A proxy's page or a broken-off body: impact.com may well have taken the call.
    return Receipt(Outcome.UNCERTAIN, Reason.UNREADABLE_ANSWER, "The answer is not the documented one.")


def _uri(value: Any) -> str | None:
    """A path at the network. Anything else is dropped, since credentials will be sent where it points."""
    found = _PATH.fullmatch(value) if isinstance(value, str) else None
    return found[0] if found else None


_PATH = re.compile(r"/[A-Za-z0-9._~/%-]{1,254}")


def _fields(text: str) -> dict[str, Any]:
    """The answer's top-level fields by lower-case name, from JSON or from plain XML; {} for anything else."""
    try:
        body = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return _xml_fields(text)
    return {str(name).lower(): value for name, value in body.items()} if isinstance(body, dict) else {}


def _xml_fields(text: str) -> dict[str, Any]:
    text = text[:_LOOKED_AT]
    errors = [_xml_pairs(error) for error in _XML_ERROR.findall(text)]
    return {**_xml_pairs(_XML_ERROR.sub("", text)), **({"errors": errors} if errors else {})}


def _xml_pairs(text: str) -> dict[str, Any]:
    return {name.lower(): unescape(value) for name, value in _XML_FIELD.findall(text)}


_XML_ERROR = re.compile(r"<errors>(.*?)</errors>", re.IGNORECASE | re.DOTALL)
_XML_FIELD = re.compile(r"<(Status|QueuedUri|Field|Message)>([^<]*)</\1>", re.IGNORECASE)


def _message(fields: Mapping[str, Any]) -> str:
    """What the answer says is wrong, in either error envelope, naming each field."""
    errors = fields.get("errors")
    named = [_error(error) for error in errors] if isinstance(errors, list) else []
    parts = [part for part in (*named, str(fields.get("message") or "")) if part]
    return " ".join(dict.fromkeys(parts))


def _error(error: Any) -> str:
    if not isinstance(error, dict):
        return str(error)
    found = {str(name).lower(): value for name, value in error.items()}
    field, message = found.get("field"), found.get("message") or ""
    return f"{field}: {message}" if field else str(message)


def _retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    if not _is_number(text):
        return _until(text, now)
    return min(float(text), _LONGEST_WAIT)


def _until(text: str, now: datetime) -> float | None:
    """Seconds until an HTTP date, in any of the three forms HTTP knows; all are in UTC."""
    try:
        moment = parsedate_to_datetime(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return min(max(0.0, (moment - now).total_seconds()), _LONGEST_WAIT)
    except (ValueError, TypeError, OverflowError):
        return None


def _reset(headers: Mapping[str, str], now: datetime) -> float | None:
    value = _number(headers, "x-ratelimit-reset", "ratelimit-reset", "x-ratelimit-reset-hour")
    if value is None:
        return None
    seconds = value - now.timestamp() if value > _EPOCH_FROM else float(value)
    return min(max(0.0, seconds), _LONGEST_WAIT)


def _number(headers: Mapping[str, str], *names: str) -> int | None:
    found = (headers.get(name, "").strip() for name in names)
    return next((int(float(text)) for text in found if _is_number(text)), None)


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\d{1,15}(\.\d{1,9})?", text) is not None
