"""The hourly rate limit of an account and the headers that tell of it, in both published families.

Source: impact.com, pages on rate limiting of the Brand and the Partner API, seen November 2026. The text
calls the reset "seconds" while the brand example shows a Unix time, so either can be chosen.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from .setup import Setup

_WINDOW = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an account stands after a call: `limit` a window, `remaining` of it, until `reset_at`."""

    limit: int
    remaining: int
    reset_at: datetime
    exceeded: bool


class Limiter:
    """Counts calls per account in windows of an hour that begin with the first call; its caller locks."""

    def __init__(self) -> None:
        self._windows: dict[str, tuple[datetime, int]] = {}

    def take(self, account_sid: str, limit: int, now: datetime) -> Standing:
        began, used = self._windows.get(account_sid, (now, 0))
        if now - began >= _WINDOW:
            began, used = now, 0
        exceeded = used >= limit
        used = used if exceeded else used + 1
        self._windows[account_sid] = (began, used)
        return Standing(limit, limit - used, began + _WINDOW, exceeded)

    def forget(self) -> None:
        self._windows.clear()


def headers(standing: Standing, setup: Setup, now: datetime) -> dict[str, str]:
    """Write the rate headers of one answer; `Retry-After` only in the partner family and only on 429."""
    return rate_headers(
        setup.rate_headers,
        setup.rate_reset,
        limit=standing.limit,
        remaining=standing.remaining,
        wait=max(0, math.ceil((standing.reset_at - now).total_seconds())),
        now=now,
        exceeded=standing.exceeded,
    )


def rate_headers(
    family: str, reset_style: str, limit: int, remaining: int, wait: int, now: datetime, exceeded: bool
) -> dict[str, str]:
    """Write one family of headers; `wait` in seconds, shown as such or as the Unix time when it is over."""
    reset = str(int(now.timestamp()) + wait if reset_style == "epoch" else wait)
    if family == "brand":
        return {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(remaining),
            "X-RateLimit-Reset": reset,
        }
    if family == "partner":
        retry = {"Retry-After": str(wait)} if exceeded else {}
        return {
            "X-RateLimit-Limit-hour": str(limit),
            "X-RateLimit-Remaining-hour": str(remaining),
            "RateLimit-Reset": reset,
            **retry,
        }
    return {}
