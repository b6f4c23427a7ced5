"""A Saleor's GraphQL API and its published keys: one question in, its data out."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from impact_app.http import Answer, Http, NoAnswer, NotConnected, redacted
from impact_app.stores.saleor.errors import AppGone, RequestRefused, SaleorUnreachable
from impact_app.stores.saleor.signature import read_keys

#: Runs a document with its variables and answers with `data`.
Ask = Callable[[str, Mapping[str, object]], Mapping[str, Any]]

#: A document is sent at most this often, however much of the budget is left.
TRIES = 4

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 8.0

#: What the API says, with HTTP 200, of a token that is dead or may not ask this.
_DENIED = frozenset(
    {"PermissionDenied", "InvalidTokenError", "ExpiredSignatureError", "InvalidSignatureError"}
)


@dataclass(frozen=True)
class _Later:
    """The answer was 'not now'; `wait` in seconds, or None where Saleor did not say how long."""

    reason: str
    wait: float | None = None


class SaleorApi:
    """Runs queries against any Saleor. `clock` and `sleep` are in seconds; `jitter` gives 0 to 1.

    Queries only: what got no answer is asked again, which is not safe for a mutation.
    """

    def __init__(
        self,
        http: Http,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._http = http
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter

    def run(
        self,
        api_url: str,
        token: str,
        document: str,
        variables: Mapping[str, object],
        *,
        budget: float = 20.0,
    ) -> Mapping[str, Any]:
        """The `data` of a query; its numbers with a point are Decimals.

        No try starts, and no wait is begun, that would end after `budget` seconds; a try under way lasts as
        long as the time-outs of `http` allow. Raises `AppGone`, `RequestRefused`, and `SaleorUnreachable`
        once tries or budget are used up.
        """
        deadline = self._clock() + budget
        if budget <= 0:
            raise SaleorUnreachable("No time was left to ask Saleor's API.")
        body = json.dumps({"query": document, "variables": variables}).encode()
        tried = 0
        while True:
            said = self._try(api_url, token, body)
            if not isinstance(said, _Later):
                return said
            tried += 1
            wait = self._backoff(tried) if said.wait is None else said.wait
            if tried == TRIES or self._clock() + wait >= deadline:
                raise SaleorUnreachable(f"Saleor's API gave no data ({tried} tried): {said.reason}.")
            self._sleep(wait)

    def ask(self, api_url: str, token: str, *, budget: float = 20.0) -> Ask:
        """A way to ask several questions within one budget."""
        ends = self._clock() + budget

        def asked(document: str, variables: Mapping[str, object]) -> Mapping[str, Any]:
            return self.run(api_url, token, document, variables, budget=ends - self._clock())

        return asked

    def keys(self, api_url: str) -> list[dict[str, str]]:
        """The keys that this Saleor signs with, as it publishes them now. Raises `SaleorUnreachable`."""
        parts = urlsplit(api_url)
        url = f"{parts.scheme}://{parts.netloc}/.well-known/jwks.json"
        try:
            answer = self._http.request("GET", url, headers={"Accept": "application/json"})
        except (NotConnected, NoAnswer) as error:
            raise SaleorUnreachable(f"Saleor's keys cannot be fetched: {error}.") from error
        if answer.status != 200:
            raise SaleorUnreachable(f"Saleor's keys cannot be fetched: HTTP {answer.status}.")
        try:
            return read_keys(answer.body)
        except (ValueError, RecursionError) as error:
            raise SaleorUnreachable(f"Saleor's keys cannot be read: {error}") from error

    def _try(self, api_url: str, token: str, body: bytes) -> Mapping[str, Any] | _Later:
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Authorization": f"Bearer {token}",
        }
        try:
            answer = self._http.request("POST", api_url, headers=headers, body=body)
        except (NotConnected, NoAnswer) as error:
            return _Later(str(error))
        return _read(answer, token)

    def _backoff(self, tried: int) -> float:
        """Full jitter, so that workers which failed together do not come back together."""
        longest: float = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (tried - 1))
        return longest * self._jitter()


def _read(answer: Answer, token: str) -> Mapping[str, Any] | _Later:
    if answer.status == 429:
        return _Later("too many requests", _seconds(answer.headers.get("retry-after")))
    if answer.status >= 500:
        return _Later(f"HTTP {answer.status}")
    said = _object(answer.body)
    if said.get("errors"):
        return _refused(said["errors"], token)
    if answer.status in {401, 403}:
        raise AppGone(f"Saleor denies the app access (HTTP {answer.status}).")
    if answer.status != 200:
        words = redacted(answer.text, (token,), limit=300)
        raise RequestRefused(f"Saleor refuses the request with HTTP {answer.status}. {words}".strip())
    if not isinstance(said.get("data"), dict):
        return _Later("HTTP 200 without data")
    data: Mapping[str, Any] = said["data"]
    return data


def _refused(errors: object, token: str) -> _Later:
    """GraphQL's own errors: the app is not let in, or the question is wrong. Raises."""
    listed = errors if isinstance(errors, list) else [errors]
    words = redacted("; ".join(_message(error) for error in listed), (token,), limit=300)
    if any(_code(error) in _DENIED for error in listed):
        raise AppGone(f"Saleor denies the app access: {words}")
    raise RequestRefused(f"Saleor refuses the question: {words}")


def _code(error: object) -> str:
    try:
        return str(error["extensions"]["exception"]["code"])  # type: ignore[index]
    except (KeyError, TypeError):
        return ""


def _message(error: object) -> str:
    return str(error.get("message", "")) if isinstance(error, dict) else str(error)


def _object(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds < 86_400 else None
