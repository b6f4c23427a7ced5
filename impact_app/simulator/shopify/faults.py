"""Misbehaviour on demand: what the pretend Admin API does instead of answering, one fault a request."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

Where = Literal["any", "graphql", "token", "file"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One wrong answer, used up by the next request to `where`.

    `status` None lets the request do its work. `seconds` passes before anything is answered; with `cut` the
    connection closes without an answer, after the work when `status` is None, before it otherwise.
    `error_code` becomes a GraphQL error beside HTTP 200.
    """

    status: int | None = None
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    cut: bool = False
    error_code: str | None = None
    where: Where = "any"


def status(code: int, where: Where = "any") -> Fault:
    """A refusal or failure with Shopify's body for it: 401, 402, 403, 404, 423, 500, 502, 503, 504."""
    return Fault(
        status=code, body=json.dumps({"errors": _WORDS.get(code, "Internal Server Error")}), where=where
    )


def reply(code: int, body: dict[str, Any], where: Where = "any") -> Fault:
    return Fault(status=code, body=json.dumps(body), where=where)


def too_many(retry_after: float = 2.0, where: Where = "any") -> Fault:
    """HTTP 429 with `Retry-After` in seconds."""
    words = json.dumps(
        {"errors": "Exceeded 2 calls per second for api client. Reduce request rates to resume."}
    )
    return Fault(status=429, body=words, headers={"Retry-After": str(retry_after)}, where=where)


def throttled() -> Fault:
    """HTTP 200 with the GraphQL error THROTTLED, whatever the bucket holds."""
    return Fault(error_code="THROTTLED", where="graphql")


def max_cost_exceeded() -> Fault:
    return Fault(error_code="MAX_COST_EXCEEDED", where="graphql")


def access_denied() -> Fault:
    """HTTP 200 with ACCESS_DENIED and no data, as when a scope or protected-data approval is missing."""
    return Fault(error_code="ACCESS_DENIED", where="graphql")


def slow(seconds: float, where: Where = "any") -> Fault:
    """The right answer, but late: a caller with a shorter time-out gives up."""
    return Fault(seconds=seconds, where=where)


def reset(where: Where = "any") -> Fault:
    """The connection closes before the request does anything."""
    return Fault(status=503, cut=True, where=where)


def lost_answer(where: Where = "any") -> Fault:
    """The request does its work and the answer never arrives."""
    return Fault(cut=True, where=where)


def html_page(code: int = 502, where: Where = "any") -> Fault:
    """An error page from something in front of Shopify, where JSON was expected."""
    page = "<!DOCTYPE html><html><body><h1>Bad gateway</h1></body></html>"
    return Fault(status=code, body=page, headers={"Content-Type": "text/html"}, where=where)


_WORDS = {
    401: "[API] Invalid API key or access token (unrecognized login or wrong password)",
    402: "Unavailable Shop",
    403: "[API] This action requires merchant approval for this app.",
    404: "Not Found",
    423: "Unavailable Shop",
    503: "Service Unavailable",
}
