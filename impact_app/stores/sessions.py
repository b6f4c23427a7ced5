"""What the session tokens of all platforms have in common: when they hold, and how one is refused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

#: A platform's clock and ours may differ by this much.
LEEWAY_SECONDS = 10


class SessionRefused(Exception):
    """The token proves nothing; `reason` says why. The platform's frame can fetch a new one."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def expiry(claims: Mapping[str, Any], now: float) -> datetime:
    """When a token that holds at `now` (seconds since 1970) ends. Raises `SessionRefused`."""
    expires = _moment(claims, "exp")
    # Each comparison must come out true: with "refuse if later" a NaN would pass.
    if expires is None or not now < expires + LEEWAY_SECONDS:
        raise SessionRefused("the session token has run out or has no end")
    for name in ("nbf", "iat"):
        if name in claims:
            begins = _moment(claims, name)
            if begins is None or not begins <= now + LEEWAY_SECONDS:
                raise SessionRefused("the session token is not valid yet")
    return datetime.fromtimestamp(expires, UTC)


def _moment(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**33:
        return None
    return float(value)
