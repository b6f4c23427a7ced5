"""Shopify's Admin GraphQL API: one document in, its data out, with Shopify's limits respected."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import msgspec
import structlog

from impact_app.config import SHOPIFY_API_VERSION, ShopifyConfig
from impact_app.http import Answer, Http, NoAnswer, NotConnected, redacted
from impact_app.stores.shopify.errors import (
    AccessDenied,
    PlatformUnreachable,
    RequestRefused,
    ShopUnavailable,
    TokenRefused,
)

log = structlog.get_logger()

#: A document is sent at most this often, however much of the budget is left.
TRIES = 5

#: Seconds before the second try where Shopify names no time; doubled each time, at most `_LONGEST_WAIT`.
_FIRST_WAIT = 0.5
_LONGEST_WAIT = 8.0


@dataclass(frozen=True)
class _Later:
    """The answer was 'not now'; `wait` in seconds, or None where Shopify did not say how long."""

    reason: str
    wait: float | None = None


class AdminApi:
    """Runs GraphQL queries of the pinned API version against any shop.

    Queries only: what got no answer is asked again, which is not safe for a mutation. `clock` and `sleep` are
    in seconds; `jitter` gives numbers from 0 to 1. `leave` is the part of Shopify's allowance that is left to
    others, from 0 to 1: after each answer that finds less in the bucket, it waits for as much to flow back.
    """

    def __init__(
        self,
        http: Http,
        shopify: ShopifyConfig,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
        leave: float = 0.0,
    ) -> None:
        self._http = http
        self._shopify = shopify
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._leave = leave

    def run(
        self,
        shop: str,
        access_token: str,
        document: str,
        variables: Mapping[str, object],
        *,
        budget: float = 20.0,
    ) -> dict[str, Any]:
        """The `data` of a query.

        No try starts, and no wait is begun, that would end after `budget` seconds; a try under way lasts as
        long as the time-outs of `http` allow. Raises `TokenRefused`, `ShopUnavailable`, `AccessDenied`,
        `RequestRefused`, and `PlatformUnreachable` once tries or budget are used up.
        Source: shopify.dev/docs/api/usage/limits, seen 2026-11.
        """
        deadline = self._clock() + budget
        body = json.dumps({"query": document, "variables": variables}).encode()
        tried = 0
        if budget <= 0:
            raise PlatformUnreachable("No time was left to ask Shopify's Admin API.")
        while True:
            said = self._try(shop, access_token, body)
            if not isinstance(said, _Later):
                return said
            tried += 1
            wait = self._backoff(tried) if said.wait is None else said.wait
            if tried == TRIES or self._clock() + wait >= deadline:
                raise PlatformUnreachable(f"Shopify's Admin API gave no data ({tried} tried): {said.reason}.")
            self._sleep(wait)

    def _try(self, shop: str, access_token: str, body: bytes) -> dict[str, Any] | _Later:
        url = f"{self._shopify.admin_base(shop)}/admin/api/{SHOPIFY_API_VERSION}/graphql.json"
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "X-Shopify-Access-Token": access_token,
        }
        try:
            answer = self._http.request("POST", url, headers=headers, body=body)
        except (NotConnected, NoAnswer) as error:
            return _Later(str(error))
        answered = answer.headers.get("x-shopify-api-version", SHOPIFY_API_VERSION)
        if answered != SHOPIFY_API_VERSION:
            # A version past its end is silently replaced by the oldest one still supported.
            log.warning("shopify.api_version_replaced", asked=SHOPIFY_API_VERSION, answered=answered)
        said = _read(answer, access_token)
        if self._leave and not isinstance(said, _Later):
            self._sleep(_refill_time(answer.body, self._leave))
        return said

    def _backoff(self, tried: int) -> float:
        """Full jitter, so that workers which failed together do not come back together."""
        longest: float = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (tried - 1))
        return longest * self._jitter()


def _read(answer: Answer, access_token: str) -> dict[str, Any] | _Later:
    status = answer.status
    if status == 200:
        return _read_body(answer, access_token)
    if status == 429:
        return _Later("too many requests", _seconds(answer.headers.get("retry-after")))
    if status >= 500:
        return _Later(f"HTTP {status}")
    if status == 401:
        raise TokenRefused("Shopify does not accept the access token.")
    if status in {402, 403, 404, 423}:
        raise ShopUnavailable(status)
    raise RequestRefused(f"HTTP {status}: {redacted(answer.text, (access_token,), limit=300)}")


def _read_body(answer: Answer, access_token: str) -> dict[str, Any] | _Later:
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        return _Later("HTTP 200 with something that is not a GraphQL answer")
    if said.get("errors"):
        return _read_errors(said, access_token)
    if not isinstance(said.get("data"), dict):
        return _Later("HTTP 200 without data")
    data: dict[str, Any] = said["data"]
    return data


def _read_errors(said: Mapping[str, Any], access_token: str) -> _Later:
    """GraphQL's own errors, which come with HTTP 200: either a wait, or it raises."""
    errors = said["errors"] if isinstance(said["errors"], list) else [said["errors"]]
    codes = {_code(error) for error in errors}
    words = redacted("; ".join(map(_message, errors)), (access_token,), limit=300)
    if "ACCESS_DENIED" in codes:
        raise AccessDenied(words)
    if "THROTTLED" in codes:
        return _Later("throttled", _restore_time(said))
    if codes & {"INTERNAL_SERVER_ERROR", "TIMEOUT"}:
        return _Later(f"Shopify failed inside: {words}")
    _refuse(codes, words)


def _refuse(codes: set[str], words: str) -> NoReturn:
    if "SHOP_INACTIVE" in codes:
        raise ShopUnavailable(402)
    raise RequestRefused(f"{' '.join(sorted(codes)).strip() or 'no code'}: {words}")


def _restore_time(said: Mapping[str, Any]) -> float | None:
    """Seconds until the bucket holds what the query asks for; None where Shopify gives no numbers."""
    try:
        cost = said["extensions"]["cost"]
        bucket = cost["throttleStatus"]
        missing = cost["requestedQueryCost"] - bucket["currentlyAvailable"]
        return max(0.0, float(missing) / float(bucket["restoreRate"])) or None
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None


class _Throttle(msgspec.Struct):
    maximumAvailable: float  # noqa: N815 - Shopify's names
    currentlyAvailable: float  # noqa: N815
    restoreRate: float  # noqa: N815


class _Cost(msgspec.Struct):
    throttleStatus: _Throttle  # noqa: N815


class _Extensions(msgspec.Struct):
    cost: _Cost


class _Answer(msgspec.Struct):
    extensions: _Extensions


def _refill_time(body: bytes, part: float) -> float:
    """Seconds until the bucket holds this part of what fits into it; 0 where Shopify gives no numbers."""
    try:
        bucket = msgspec.json.decode(body, type=_Answer).extensions.cost.throttleStatus
        missing = part * bucket.maximumAvailable - bucket.currentlyAvailable
        return max(0.0, missing / bucket.restoreRate)
    except (msgspec.MsgspecError, ZeroDivisionError):
        return 0.0


def _code(error: object) -> str:
    extensions = error.get("extensions") if isinstance(error, dict) else None
    return str(extensions.get("code", "")) if isinstance(extensions, dict) else ""


def _message(error: object) -> str:
    return str(error.get("message", "")) if isinstance(error, dict) else str(error)


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds < 86_400 else None
