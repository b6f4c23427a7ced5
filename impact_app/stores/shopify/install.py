"""Getting access to a shop: the redirect flow, and every way to be given a token."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from shopify import Session as ShopifyApiSession

from impact_app.config import ShopifyConfig
from impact_app.http import Answer, Http, NoAnswer, NotConnected, redacted
from impact_app.stores.shopify.errors import GrantRefused, PlatformUnreachable
from impact_app.stores.shopify.shop import shop_domain

#: What the app asks for; `shopify.app.toml` states the same.
SCOPES = ("read_orders", "read_products", "read_themes", "write_pixels", "read_customer_events")

#: A callback's own time may differ from ours by this much, before or after (Shopify's libraries do the same).
CALLBACK_WINDOW_SECONDS = 90

_ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105 -- the name of a kind of token
_OFFLINE_TOKEN = "urn:shopify:params:oauth:token-type:offline-access-token"  # noqa: S105 -- likewise

Pairs = Sequence[tuple[str, str]]


class CallbackRefused(Exception):
    """The request is not Shopify's answer to this browser's install; nothing may come of it.

    `malformed` tells a request that no browser of ours would send from one that fails a proof.
    """

    def __init__(self, reason: str, *, malformed: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.malformed = malformed


@dataclass(frozen=True)
class Callback:
    """A merchant's consent: trade `code` for a token of `shop`."""

    shop: str
    code: str = field(repr=False)


@dataclass(frozen=True)
class Grant:
    """What the token endpoint gave; times in seconds from now, None where it never runs out or is absent."""

    access: str = field(repr=False)
    expires_in: int | None
    refresh: str | None = field(repr=False)
    refresh_expires_in: int | None
    scopes: str


def authorize_url(shopify: ShopifyConfig, shop: str, *, redirect_uri: str, state: str) -> str:
    """Where to send the merchant's browser to be asked for consent (offline access)."""
    query = {
        "client_id": shopify.api_key,
        "scope": ",".join(SCOPES),
        "redirect_uri": redirect_uri,
        "state": state,
    }
    return f"{shopify.admin_base(shop)}/admin/oauth/authorize?{urlencode(query)}"


def is_signed(pairs: Pairs, secrets: Iterable[str]) -> bool:
    """Whether `hmac` among these query parameters was made with one of `secrets` over all the others."""
    parameters = dict(pairs)
    if len(parameters) != len(pairs):
        return False
    received = parameters.pop("hmac", "").encode("utf-8", "replace")
    parameters.pop("signature", None)
    return any(hmac.compare_digest(_query_hmac(parameters, secret), received) for secret in secrets)


def _query_hmac(parameters: Mapping[str, str], secret: str) -> bytes:
    # ShopifyAPI keeps the secret on the class, for all threads; a class of its own keeps two secrets apart.
    signer: Any = type("Signer", (ShopifyApiSession,), {"secret": secret})
    return str(signer.calculate_hmac(parameters)).encode()


def read_callback(pairs: Pairs, shopify: ShopifyConfig, *, state: str | None, now: datetime) -> Callback:
    """Check that a callback is Shopify's answer to the install that this browser began with `state`.

    Raises `CallbackRefused`. Source: shopify.dev/docs/apps/build/authentication-authorization/
    access-tokens/authorization-code-grant, seen 2026-11.
    """
    parameters = dict(pairs)
    names = [name for name, _ in pairs]
    for name in ("shop", "code", "state", "timestamp", "hmac"):
        if names.count(name) != 1 or not parameters[name]:
            raise CallbackRefused(f"The parameter {name!r} must be given exactly once.", malformed=True)
    shop = shop_domain(parameters["shop"])
    if shop is None:
        raise CallbackRefused("The parameter 'shop' is not a myshopify.com domain.", malformed=True)
    if not is_signed(pairs, shopify.secrets):
        raise CallbackRefused("The request is not signed by Shopify for this app.")
    if not _is_near(parameters["timestamp"], now):
        raise CallbackRefused("The request is too old, or this machine's clock is wrong.")
    if not state or not hmac.compare_digest(_bytes(state), _bytes(parameters["state"])):
        raise CallbackRefused("This browser did not begin the installation, or began it too long ago.")
    return Callback(shop, parameters["code"])


def _is_near(timestamp: str, now: datetime) -> bool:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 12):
        return False
    return abs(now.timestamp() - int(timestamp)) <= CALLBACK_WINDOW_SECONDS


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


class TokenEndpoint:
    """Every way to get an access token from `POST /admin/oauth/access_token`, one request each, no repeats.

    All raise `GrantRefused` when Shopify says no and `PlatformUnreachable` when it says nothing of use.
    Offline tokens are asked for in their expiring form: an access token of 60 minutes and a refresh token
    of 90 days. Source: shopify.dev/docs/apps/build/authentication-authorization/access-tokens, seen 2026-11.
    """

    def __init__(self, http: Http, shopify: ShopifyConfig) -> None:
        self._http = http
        self._shopify = shopify

    def exchange_code(self, shop: str, code: str) -> Grant:
        """Trade the code of a callback; it works once."""
        return self._ask(shop, {"code": code, "expiring": "1"})

    def exchange_id_token(self, shop: str, id_token: str) -> Grant:
        """Trade the embedded page's session token, which lives about a minute."""
        return self._ask(
            shop,
            {
                "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
                "subject_token": id_token,
                "subject_token_type": _ID_TOKEN,
                "requested_token_type": _OFFLINE_TOKEN,
                "expiring": "1",
            },
        )

    def refresh(self, shop: str, refresh_token: str) -> Grant:
        """Get a new pair; the old refresh token stays good until the new one is used (since 2026-08-28)."""
        return self._ask(shop, {"grant_type": "refresh_token", "refresh_token": refresh_token})

    def client_credentials(self, shop: str) -> Grant:
        """For an app and a shop of the same organisation: 24 hours, no refresh token."""
        return self._ask(shop, {"grant_type": "client_credentials"})

    def _ask(self, shop: str, fields: Mapping[str, str]) -> Grant:
        credentials = {"client_id": self._shopify.api_key, "client_secret": self._shopify.api_secret}
        try:
            answer = self._http.request(
                "POST",
                f"{self._shopify.admin_base(shop)}/admin/oauth/access_token",
                headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
                body=urlencode({**credentials, **fields}).encode(),
            )
        except (NotConnected, NoAnswer) as error:
            raise PlatformUnreachable(f"Shopify's token endpoint cannot be reached: {error}") from error
        sent = tuple(fields.get(name, "") for name in ("code", "subject_token", "refresh_token"))
        return _grant(answer, (self._shopify.api_secret, *sent))


def _grant(answer: Answer, known: tuple[str, ...]) -> Grant:
    """Read the token endpoint's answer; `known` are the secrets we sent, should it echo one."""
    if answer.status == 429 or answer.status >= 500:
        raise PlatformUnreachable(f"Shopify's token endpoint is not able to answer (HTTP {answer.status}).")
    said = _object(answer.body)
    if answer.status != 200:
        code = said.get("error")
        description = redacted(str(said.get("error_description") or "no reason given"), known, limit=200)
        raise GrantRefused(code if isinstance(code, str) else f"http_{answer.status}", description)
    access = said.get("access_token")
    if not isinstance(access, str) or not access:
        raise PlatformUnreachable("Shopify's token endpoint answered without an access token.")
    return Grant(
        access=access,
        expires_in=_seconds(said.get("expires_in")),
        refresh=_text(said.get("refresh_token")),
        refresh_expires_in=_seconds(said.get("refresh_token_expires_in")),
        scopes=_text(said.get("scope")) or "",
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _seconds(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
