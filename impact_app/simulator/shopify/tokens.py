"""Session tokens and access tokens of the pretend store, with Shopify's lives and rotation rules.

Facts: Shopify's pages on offline tokens and token exchange, and the changelog of 2026-08-28 on refreshes.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

ACCESS_LIFE = timedelta(minutes=60)
REFRESH_LIFE = timedelta(days=90)
RETRY_LIFE = timedelta(days=30)
MIGRATION_RETRY = timedelta(days=7)
DAY = timedelta(hours=24)


class BadJwt(Exception):
    """The session token cannot be trusted; the message says why."""


def encode_jwt(claims: Mapping[str, Any], secret: str) -> str:
    """An HS256 JSON Web Token."""
    head = _part({"alg": "HS256", "typ": "JWT"})
    payload = _part(claims)
    return f"{head}.{payload}.{_base64(_signature(f'{head}.{payload}', secret))}"


def decode_jwt(token: str, keys: Iterable[str]) -> dict[str, Any]:
    """The claims of an HS256 token that one of the secrets signed, times unchecked; else BadJwt."""
    signed, _, signature = token.rpartition(".")
    head, _, payload = signed.partition(".")
    try:
        given = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
        header, claims = (json.loads(base64.urlsafe_b64decode(part + "===")) for part in (head, payload))
    except (binascii.Error, ValueError) as fault:
        raise BadJwt("not a JSON Web Token") from fault
    if not isinstance(claims, dict) or not isinstance(header, dict) or header.get("alg") != "HS256":
        raise BadJwt("not signed with HS256")
    if not any(hmac.compare_digest(_signature(signed, key), given) for key in keys):
        raise BadJwt("signed with another secret")
    return claims


def _part(value: Mapping[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _signature(text: str, secret: str) -> bytes:
    return hmac.digest(secret.encode(), text.encode(), "sha256")


@dataclass(slots=True)
class Grant:
    """An access token, with its refresh token when it expires.

    `refreshed_at` is None until its refresh token was used; `predecessor` is the grant it replaced.
    """

    access_token: str
    scopes: tuple[str, ...]
    expires_at: datetime | None = None
    refresh_token: str | None = None
    refresh_expires_at: datetime | None = None
    refreshed_at: datetime | None = None
    predecessor: Grant | None = None
    online_user: int | None = None
    client_secret: str = ""


@dataclass
class TokenBook:
    """Every token a store gave this app; the current offline grant, and the refresh tokens still good."""

    offline: Grant | None = None
    others: list[Grant] = field(default_factory=list)
    codes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    migrated: dict[str, tuple[datetime, Grant]] = field(default_factory=dict)

    def holder(self, access_token: str | None, now: datetime) -> Grant | None:
        """The living grant with this access token."""
        for grant in [*self.others, *([self.offline] if self.offline else [])]:
            if access_token is not None and hmac.compare_digest(grant.access_token, access_token):
                return grant if grant.expires_at is None or now < grant.expires_at else None
        return None

    def permanent(self, scopes: tuple[str, ...], client_secret: str) -> Grant:
        """The token without end; asked for again it is the same one."""
        if self.offline is None or self.offline.expires_at is not None or self.offline.scopes != scopes:
            self.offline = Grant(_new("shpat"), scopes, client_secret=client_secret)
        return self.offline

    def expiring(self, scopes: tuple[str, ...], client_secret: str, now: datetime) -> Grant:
        """A new pair of access and refresh token, in place of whatever was there."""
        self.offline = Grant(
            access_token=_new("shpat"),
            scopes=scopes,
            expires_at=now + ACCESS_LIFE,
            refresh_token=_new("shprt"),
            refresh_expires_at=now + REFRESH_LIFE,
            client_secret=client_secret,
        )
        return self.offline

    def refresh(self, refresh_token: str, client_secret: str, now: datetime) -> Grant | None:
        """A new pair for a refresh token, or None when it is unknown, retired or too old.

        A used refresh token works again until its replacement is first used, at most 30 days from its own
        first use and never past its 90 days.
        """
        current = self.offline
        if current is None:
            return None
        used = next(
            (grant for grant in (current, current.predecessor) if _holds(grant, refresh_token, now)), None
        )
        if used is None:
            return None
        used.refreshed_at = used.refreshed_at or now
        used.predecessor = None  # one step back is all that counts; a longer chain would only grow
        grant = self.expiring(used.scopes, client_secret, now)
        grant.predecessor = used
        return grant

    def migrate(
        self, old_token: str, scopes: tuple[str, ...], client_secret: str, now: datetime
    ) -> Grant | None:
        """The expiring pair for an old permanent token, which dies; the same pair again for seven days."""
        done = self.migrated.get(old_token)
        if done is not None:
            return done[1] if now < done[0] + MIGRATION_RETRY else None
        known = self.offline
        if known is None or known.access_token != old_token or known.expires_at is not None:
            return None
        grant = self.expiring(scopes, client_secret, now)
        self.migrated[old_token] = (now, grant)
        return grant

    def daily(self, scopes: tuple[str, ...], now: datetime, user: int | None = None) -> Grant:
        """A token for 24 hours: an online one for a user, or one by client credentials."""
        grant = Grant(_new("shpua" if user else "shpat"), scopes, expires_at=now + DAY, online_user=user)
        self.others.append(grant)
        return grant

    def code(self, scopes: tuple[str, ...]) -> str:
        """An authorization code, good once."""
        code = secrets.token_hex(16)
        self.codes[code] = scopes
        return code

    def revoke(self, client_secret: str | None) -> None:
        """End the permanent token made with this client secret."""
        if self.offline and self.offline.expires_at is None and self.offline.client_secret == client_secret:
            self.offline = None

    def forget(self) -> None:
        """What uninstalling does: no token works any more."""
        self.offline = None
        for held in (self.others, self.codes, self.migrated):
            held.clear()


def _holds(grant: Grant | None, refresh_token: str, now: datetime) -> bool:
    if grant is None or grant.refresh_token is None or grant.refresh_expires_at is None:
        return False
    if not hmac.compare_digest(grant.refresh_token, refresh_token) or now >= grant.refresh_expires_at:
        return False
    return grant.refreshed_at is None or now < grant.refreshed_at + RETRY_LIFE


def _new(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(16)}"
