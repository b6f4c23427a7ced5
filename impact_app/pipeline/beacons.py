"""Beacons: what a storefront tells of a click, checked strictly, bounded, and kept for its order.

Anybody can send one, so a beacon proves nothing. What it can do is narrow: it names a connected store, a
checkout or cart by its token, which only the buyer's browser knows, and a click. An order id is never joined
by, since those can be guessed (docs/adr/0019).
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

import msgspec
import redis
import structlog

from impact_app.domain.attribution import click_fault
from impact_app.domain.rules import read_rules
from impact_app.ledger.clicks import Told
from impact_app.ledger.stores import Store, Stores

log = structlog.get_logger()

#: Beacons a minute; a checkout sends two. Those of one address may be a whole office.
PER_ADDRESS, PER_STORE = 60, 1_200

#: The counters of what came of beacons, in Redis: figures for Prometheus, and nothing rests on them.
COUNTED = "impact:beacons"

_REST_SECONDS = 2.0
_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-=]{7,127}")
_ORDER = re.compile(r"[A-Za-z0-9_\-=]{1,64}")
_HOST = re.compile(r"[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,8}(?::[0-9]{1,5})?")

Outcome = Literal[
    "accepted", "unreadable", "unknown_store", "foreign_origin", "too_many", "too_large", "failed"
]


class NotTaken(Exception):
    """A beacon is refused; the message says what is wrong with it."""


class Beacon(msgspec.Struct):
    """The body as storefronts send it; names that are not here are passed over: scripts may be newer."""

    shop: str
    click: str
    event: Literal["checkout_started", "checkout_completed"]
    checkout_token: str | None = None
    cart_token: str | None = None
    order_id: str | None = None
    consent: Literal["granted", "unknown"] = "unknown"


def read_beacon(body: bytes) -> Beacon:
    """A beacon whose every value is of its kind. Raises `NotTaken`."""
    try:
        beacon = msgspec.json.decode(body, type=Beacon)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise NotTaken(f"The body is not a beacon: {fault}.") from None
    # A headless cart's token carries a secret behind a question mark, which Shopify's orders leave out.
    cart = beacon.cart_token.partition("?")[0] if beacon.cart_token else None
    if not (beacon.checkout_token or cart):
        raise NotTaken("A checkout_token or a cart_token is needed; an order_id alone proves nothing.")
    if not _HOST.fullmatch(beacon.shop.lower()):
        raise NotTaken("shop has not the form of a shop's domain.")
    for name, value, shape in (
        ("checkout_token", beacon.checkout_token, _TOKEN),
        ("cart_token", cart, _TOKEN),
        ("order_id", beacon.order_id, _ORDER),
    ):
        if value and not shape.fullmatch(value):
            raise NotTaken(f"{name} has not the form of one.")
    if wrong := click_fault(beacon.click):
        raise NotTaken(f"click cannot be a click id: {wrong}.")
    return msgspec.structs.replace(beacon, shop=beacon.shop.lower(), cart_token=cart)


def told(beacon: Beacon, store: Store, now: datetime) -> Told:
    """The beacon as the ledger keeps it: by its checkout, else by its cart."""
    is_checkout = bool(beacon.checkout_token)
    return Told(
        store_id=store.id,
        kind="checkout" if is_checkout else "cart",
        key=(beacon.checkout_token if is_checkout else beacon.cart_token) or "",
        order_key=beacon.order_id or None,
        click=beacon.click,
        consent=beacon.consent,
        event=beacon.event,
        received_at=now,
    )


@dataclass(frozen=True)
class Origins:
    """Which pages may speak for a store.

    `on_loopback`: the app itself is on this machine only, as in a trial, so that its shops may be, too.
    """

    stores: Stores
    on_loopback: bool

    def is_of(self, origin: str, store: Store) -> bool:
        """Whether a page of this origin may speak for the store.

        The web pixel's sandbox has no origin, which browsers write as "null"; a server sends none at all.
        """
        return origin in {"", "null"} or self.is_named(origin, store)

    def is_named(self, origin: str, store: Store) -> bool:
        """Whether the origin is one of the store's own domains."""
        try:
            parts = urlsplit(origin)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            return False
        if is_loopback(host):
            return self.on_loopback and parts.scheme in {"http", "https"}
        own = {store.domain, *store.domains, *read_rules(store.rules).domains}
        return parts.scheme == "https" and port in {None, 443} and host in own

    def is_anybodys(self, origin: str) -> bool:
        """Whether any connected store has a page of this origin: a preflight names no store."""
        connected = (store for store in self.stores.all() if store.state == "connected")
        return any(self.is_named(origin, store) for store in connected)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Gate:
    """Counts beacons a minute by address and store, in Redis; without it the ledger's bounds stand alone."""

    def __init__(self, connection: redis.Redis, clock: Callable[[], datetime]) -> None:
        self._redis = connection
        self._clock = clock
        self._rests_until = 0.0

    def admits_from(self, address: str) -> bool:
        """Whether one more may come from this address, of which only a digest is kept, for two minutes."""
        return self._admits(f"from:{_digest(address)}", PER_ADDRESS)

    def admits_for(self, store: Store) -> bool:
        """Whether one more may come for this store."""
        return self._admits(f"for:{store.id}", PER_STORE)

    def _admits(self, whom: str, limit: int) -> bool:
        name = f"{COUNTED}:{int(self._clock().timestamp()) // 60}:{whom}"

        def counted(pipe: redis.client.Pipeline) -> int:
            pipe.incr(name)
            pipe.expire(name, 120)
            return int(pipe.execute()[0])

        count = self._asked(counted)
        return count is None or count <= limit

    def note(self, outcome: Outcome) -> None:
        """Count what came of a beacon."""

        def counted(pipe: redis.client.Pipeline) -> int:
            pipe.hincrby(COUNTED, outcome, 1)
            return int(pipe.execute()[0])

        self._asked(counted)

    def noted(self) -> dict[str, int]:
        """How many beacons had each outcome since Redis was emptied; nothing where it cannot be asked."""
        try:
            found: Any = self._redis.hgetall(COUNTED)
        except redis.RedisError:
            found = {}
        counts = {name.decode(): int(count) for name, count in found.items()}
        return {outcome: counts.get(outcome, 0) for outcome in get_args(Outcome)}

    def _asked(self, ask: Callable[[redis.client.Pipeline], int]) -> int | None:
        if time.monotonic() < self._rests_until:
            return None
        try:
            return ask(self._redis.pipeline(transaction=False))
        except redis.RedisError as fault:
            self._rests_until = time.monotonic() + _REST_SECONDS
            log.warning("beacons.not_counted", fault=type(fault).__name__)
            return None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:20]


def sender(peer: str, forwarded: str) -> str:
    """The address a request came from: the one our own front server saw, where there is one.

    `forwarded` is the header X-Forwarded-For. Only its last entry is the front server's word, and only if the
    peer is on this machine or its private network.
    """
    try:
        is_ours = ip_address(peer).is_private
    except ValueError:
        return peer
    seen = forwarded.rpartition(",")[2].strip()
    return seen[:64] if is_ours and seen else peer
