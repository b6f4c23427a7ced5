"""Session (ID) tokens: who sits before the embedded page, and in which shop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jwt

from impact_app.config import ShopifyConfig
from impact_app.stores.sessions import SessionRefused, expiry
from impact_app.stores.shopify.shop import shop_domain


@dataclass(frozen=True)
class Session:
    """A verified member of a shop's staff; `shop` is the only shop this request may touch."""

    shop: str
    user_id: str
    expires_at: datetime


def verify_id_token(token: str | None, shopify: ShopifyConfig, now: datetime) -> Session:
    """Read a session token that one of our secrets signed for this app and that is valid at `now`.

    Raises `SessionRefused`. ShopifyAPI's own decoder does not ask for `exp` and knows one secret only.
    Source: shopify.dev/docs/apps/build/authentication-authorization/session-tokens, seen 2026-11.
    """
    claims = _signed_claims(token, shopify.secrets)
    if claims.get("aud") != shopify.api_key:
        raise SessionRefused("the session token is for another app")
    expires_at = expiry(claims, now.timestamp())
    return Session(_shop(claims), str(claims.get("sub", "")), expires_at)


def _signed_claims(token: str | None, secrets: tuple[str, ...]) -> Mapping[str, Any]:
    if not token:
        raise SessionRefused("no session token was sent")
    # The algorithm is pinned: a token may not choose how it is checked. Times and audience are checked
    # by us, since PyJWT reads the clock itself and also takes a list of audiences.
    unchecked = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}
    for secret in secrets:
        try:
            return jwt.decode(token, secret, algorithms=["HS256"], options=unchecked)  # type: ignore[arg-type]
        except jwt.InvalidSignatureError:
            continue
        except (jwt.PyJWTError, ValueError) as error:
            raise SessionRefused(f"the session token cannot be read ({type(error).__name__})") from None
    raise SessionRefused("the session token was not signed with this app's client secret")


def _shop(claims: Mapping[str, Any]) -> str:
    """The shop of `dest`, which `iss` must name too; no parameter of a request ever stands in for it."""
    dest = claims.get("dest")
    host = dest.removeprefix("https://") if isinstance(dest, str) else None
    shop = shop_domain(host)
    if shop is None or host == dest:
        raise SessionRefused("the session token names no shop")
    if claims.get("iss") != f"{dest}/admin":
        raise SessionRefused("issuer and destination of the session token differ")
    return shop
