"""When a delivery was last turned away for its signature, by the store it said it came from.

Whoever sends such a delivery chooses that name, so this is a hint for a page and nothing more: kept in Redis,
for a day, for so many names at most.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime

import redis
import structlog

log = structlog.get_logger()

_KEY = "impact:refused"
_KEPT_SECONDS = 24 * 3600
MOST = 10_000

#: After a fault Redis is left alone for so long: a webhook's answer must not wait for it each time.
_REST_SECONDS = 30.0


class Refusals:
    """Remembers them for at most `most` names. Without Redis nothing is known of them."""

    def __init__(self, connection: redis.Redis, clock: Callable[[], datetime], most: int = MOST) -> None:
        self._redis = connection
        self._clock = clock
        self._most = most
        self._rests_until = 0.0

    def note(self, platform: str, domain: str) -> None:
        """Remember one. Never raises."""
        if time.monotonic() < self._rests_until:
            return
        name = _name(platform, domain)
        try:
            if self._redis.hexists(_KEY, name) or self._redis.hlen(_KEY) < self._most:
                self._redis.hset(_KEY, name, str(self._clock().timestamp()))
                self._redis.expire(_KEY, _KEPT_SECONDS)
        except redis.RedisError as fault:
            self._rest(fault)

    def last(self, platform: str, domain: str) -> datetime | None:
        """When the last one came, None where none did lately or nobody knows. Never raises."""
        if time.monotonic() < self._rests_until:
            return None
        try:
            kept: bytes | None = self._redis.hget(_KEY, _name(platform, domain))  # type: ignore[assignment]
        except redis.RedisError as fault:
            self._rest(fault)
            return None
        return None if kept is None else datetime.fromtimestamp(float(kept), UTC)

    def _rest(self, fault: redis.RedisError) -> None:
        self._rests_until = time.monotonic() + _REST_SECONDS
        log.warning("refusals.not_noted", fault=type(fault).__name__)


def _name(platform: str, domain: str) -> str:
    return hashlib.sha256(f"{platform}:{domain}".encode("utf-8", "replace")).hexdigest()[:24]
