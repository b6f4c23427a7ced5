"""User tokens: who of a shop's staff sits before the page in Saleor's dashboard, and what they may do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jwt

from impact_app.stores.saleor.signature import ALGORITHM, Key, UnknownKey, public_key
from impact_app.stores.sessions import SessionRefused, expiry

#: Who may look at orders in Saleor may look at them here, and act on one.
MAY_SEE = "MANAGE_ORDERS"

#: Who may manage apps in Saleor may change how this one works.
MAY_CONFIGURE = "MANAGE_APPS"


class NotPermitted(SessionRefused):
    """The token holds, and says that its user may not see orders."""


@dataclass(frozen=True)
class StaffSession:
    """A verified member of a shop's staff who may see its orders."""

    user_id: str
    may_configure: bool
    expires_at: datetime


def verify_user_token(
    token: str, keys: Sequence[Key], *, api_url: str, app_id: str, now: datetime
) -> StaffSession:
    """Read a token that one Saleor signed for one of its staff and for this installation of the app.

    Raises `UnknownKey` where it names a key that is not among `keys`, else `SessionRefused`. The token that
    the dashboard itself works with has another type and no app: it would open the whole API, so it is not
    taken here.
    Source: Saleor 3.23.28, see NOTES.md.
    """
    claims = _signed_claims(token, keys)
    if claims.get("iss") != api_url:
        raise SessionRefused("the user's token is another Saleor's")
    if claims.get("type") != "thirdparty" or not app_id or claims.get("app") != app_id:
        raise SessionRefused("the user's token is not for this installation of the app")
    if claims.get("is_staff") is not True:
        raise SessionRefused("the user is no member of staff")
    expires_at = expiry(claims, now.timestamp())
    held = _permissions(claims)
    if MAY_SEE not in held:
        raise NotPermitted(f"the user lacks {MAY_SEE}")
    return StaffSession(str(claims.get("user_id", ""))[:100], MAY_CONFIGURE in held, expires_at)


def _permissions(claims: Mapping[str, Any]) -> set[object]:
    """All of the user's own permissions: the other list leaves out what the app itself may not."""
    held = claims.get("user_permissions")
    return {one for one in held if isinstance(one, str)} if isinstance(held, list) else set()


def _signed_claims(token: str, keys: Sequence[Key]) -> Mapping[str, Any]:
    # The algorithm is pinned: a token may not choose how it is checked. Times are checked by us, since PyJWT
    # reads the clock itself.
    unchecked = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}
    try:
        kid = jwt.get_unverified_header(token).get("kid")
        key = next((one for one in keys if one["kid"] == kid), None)
        if key is None:
            raise UnknownKey("The user's token names a key that this Saleor does not list.")
        return jwt.decode(token, public_key(key), algorithms=[ALGORITHM], options=unchecked)  # type: ignore[arg-type]
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise SessionRefused(f"the user's token does not hold ({type(error).__name__})") from None
