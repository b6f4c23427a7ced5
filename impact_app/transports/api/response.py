"""Reading impact.com's answer. It never raises: whatever came back is turned into a receipt.

Ask of each branch: may the call have arrived?
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from impact_app.domain.reasons import Reason
from impact_app.domain.receipts import Outcome, Receipt
from impact_app.http import Answer, redacted

#: A reset above this is a moment (seconds since 1970), below it a wait; both are documented.
_EPOCH_FROM = 100_000
_LONGEST_WAIT = 3600.0

_REFUSALS: dict[int, tuple[Reason, str]] = {
    400: (Reason.INVALID_FIELD, ""),
    402: (Reason.REQUEST_FAILED, ""),
    404: (Reason.WRONG_ADDRESS, ""),
    405: (Reason.WRONG_ADDRESS, ""),
}


def receipt(answer: Answer, secrets: tuple[str, ...], now: datetime) -> Receipt:
    """What an answer means for the call it answers. `now` turns a reset moment into a wait."""
    fields = _fields(answer.text)
    read = replace(
        _judged(answer, fields),
        status=answer.status,
        answer=redacted(answer.text, secrets),
        calls_left=_number(answer.headers, "x-ratelimit-remaining", "x-ratelimit-remaining-hour"),
        reset_after=_reset(answer.headers, now),
    )
    if answer.status == 429 or answer.status >= 500:
        asked = _retry_after(answer.headers, now)
        if asked is None and answer.status == 429:
            asked = read.reset_after
        read = replace(read, retry_after=asked)
    return replace(read, detail=redacted(read.detail, secrets, 500))


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
    reason, detail = _REFUSALS.get(status, (Reason.REFUSED, ""))
    return Receipt(Outcome.REJECTED, reason, detail or _message(fields))


def _success(fields: Mapping[str, Any]) -> Receipt:
    status, uri = str(fields.get("status", "")).upper(), fields.get("queueduri")
    if status == "ERROR":
        return Receipt(Outcome.REJECTED, Reason.INVALID_FIELD, _message(fields))
    if status == "QUEUED" or uri:
        return Receipt(Outcome.ACCEPTED, Reason.ACCEPTED, queued_uri=str(uri) if uri else None)
    # A proxy's page or a broken-off body: impact.com may well have taken the call.
    return Receipt(Outcome.UNCERTAIN, Reason.UNREADABLE_ANSWER, "The answer is not the documented one.")


def _fields(text: str) -> dict[str, Any]:
    """The answer's top-level fields by lower-case name, from JSON or from plain XML; {} for anything else."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return {name.lower(): value for name, value in _XML_FIELD.findall(text)}
    return {str(name).lower(): value for name, value in body.items()} if isinstance(body, dict) else {}


_XML_FIELD = re.compile(r"<(Status|QueuedUri|Message)>([^<]*)</\1>")


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
    """Seconds until an HTTP date."""
    try:
        moment = parsedate_to_datetime(text)
        return min(max(0.0, (moment - now).total_seconds()), _LONGEST_WAIT)
    except (ValueError, TypeError):
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
