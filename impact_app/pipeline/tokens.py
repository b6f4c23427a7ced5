"""Access tokens of Shopify stores: got at connecting, renewed in time, and by one worker at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime, timedelta
from typing import TypeVar

import redis
import structlog

from impact_app.ledger.stores import Store, Stores, TokenKind, Tokens
from impact_app.ledger.vault import Unreadable
from impact_app.stores.shopify.errors import GrantRefused, PlatformUnreachable, TokenRefused
from impact_app.stores.shopify.install import Grant, TokenEndpoint

log = structlog.get_logger()

PLATFORM = "shopify"

#: A token with less than this left is renewed before it is used.
RENEW_BEFORE = timedelta(minutes=5)

#: A pair nobody used for this long is renewed by the clock: refresh tokens live 90 days and then only a
#: merchant's visit helps.
IDLE = timedelta(days=7)

#: Longer than one request to the token endpoint can take, so a holder that died does not block for long.
LOCK_SECONDS = 45.0

#: Who waits longer than this goes on without the lock; a second renewal does no harm, a waiting order does.
LOCK_WAIT_SECONDS = 3.0

Result = TypeVar("Result")
LockFactory = Callable[[str], AbstractContextManager[object]]


class NeedsReauthorization(Exception):
    """The store has no token that works, and only a person can get one; the message says how."""


def redis_locks(connection: redis.Redis) -> LockFactory:
    """Locks by name across processes; without Redis the block runs all the same.

    That is safe, only wasteful: Shopify keeps the previous refresh token usable until its replacement is used
    (changelog of 2026-08-28), so two renewals at once both end with a pair that works.
    """

    @contextmanager
    def locked(name: str) -> Iterator[None]:
        lock = connection.lock(f"lock:{name}", timeout=LOCK_SECONDS, blocking_timeout=LOCK_WAIT_SECONDS)
        held = False
        with suppress(redis.RedisError):
            held = lock.acquire()
        try:
            yield
        finally:
            if held:
                with suppress(redis.RedisError):
                    lock.release()

    return locked


class TokenKeeper:
    """Hands out access tokens that work, and keeps the pairs alive.

    A new pair is stored, both tokens and both times in one transaction, before it is used.
    """

    def __init__(
        self, stores: Stores, endpoint: TokenEndpoint, *, clock: Callable[[], datetime], locks: LockFactory
    ) -> None:
        self._stores = stores
        self._endpoint = endpoint
        self._clock = clock
        self._locks = locks

    def connect_with_id_token(self, shop: str, id_token: str) -> Store:
        """Connect the shop of a verified session token. Raises `GrantRefused`, `PlatformUnreachable`."""
        return self._connect(shop, "offline", lambda: self._endpoint.exchange_id_token(shop, id_token))

    def connect_with_code(self, shop: str, code: str) -> Store:
        """Connect the shop of a verified callback. Raises `GrantRefused`, `PlatformUnreachable`."""
        return self._connect(shop, "offline", lambda: self._endpoint.exchange_code(shop, code))

    def connect_with_client_credentials(self, shop: str) -> Store:
        """Connect a shop of the app's own organisation. Raises `GrantRefused`, `PlatformUnreachable`."""
        return self._connect(shop, "client_credentials", lambda: self._endpoint.client_credentials(shop))

    def connected_store(self, shop: str, id_token: str) -> Store:
        """The store of a verified session token, connected first where it has no token that can be used.

        Raises `GrantRefused`, `PlatformUnreachable`.
        """
        store = self._stores.find(PLATFORM, shop)
        if store is not None and store.reauthorize_reason is None:
            with suppress(NeedsReauthorization):
                self._tokens(store)
                return store
        return self.connect_with_id_token(shop, id_token)

    def access_token(self, store: Store) -> str:
        """A token with time left on it, renewed first where that is needed.

        Raises `NeedsReauthorization`, or `PlatformUnreachable` when the stored one has run out and Shopify
        gives no other just now.
        """
        tokens = self._tokens(store)
        if not _runs_out(tokens, self._clock() + RENEW_BEFORE):
            return tokens.access
        try:
            return self._renew(store, tokens.access)
        except PlatformUnreachable:
            if _runs_out(tokens, self._clock()):
                raise
            return tokens.access

    def call(self, store: Store, ask: Callable[[str], Result]) -> Result:
        """What `ask` returns for the store's token; refused with 401, it is asked once more with a new one.

        Raises `NeedsReauthorization`, `PlatformUnreachable`, and whatever else `ask` raises.
        """
        token = self.access_token(store)
        try:
            return ask(token)
        except TokenRefused:
            token = self._renew(store, token)
        try:
            return ask(token)
        except TokenRefused:
            raise self._given_up(store, "Shopify refuses a token it has only just given:") from None

    def refresh_idle(self, now: datetime) -> int:
        """Renew every pair that nobody used for a week; the number renewed. One bad store stops no other."""
        renewed = 0
        for store in self._stores.all():
            if store.platform != PLATFORM or store.state != "connected":
                continue
            try:
                tokens = self._tokens(store)
                if tokens.refresh and _runs_out(tokens, now - IDLE):
                    self._renew(store, tokens.access)
                    renewed += 1
            except (NeedsReauthorization, PlatformUnreachable) as error:
                log.warning("tokens.idle_not_renewed", store=store.id, reason=str(error))
        return renewed

    def _connect(self, shop: str, kind: TokenKind, ask: Callable[[], Grant]) -> Store:
        # Under the same lock as renewals: one that is under way must not save its pair over the new one.
        with self._locks(_lock_name(shop)):
            tokens = self._of_grant(kind, ask())
            store = self._stores.connect(PLATFORM, shop, tokens, now=self._clock())
        log.info("store.connected", store=store.id, platform=PLATFORM, token=kind)
        return store

    def _renew(self, store: Store, used_up: str) -> str:
        """A token other than `used_up`: another worker's if it was quicker, else a fresh one."""
        with self._locks(_lock_name(store.domain)):
            tokens = self._tokens(store)
            if tokens.access != used_up:
                return tokens.access
            try:
                fresh = self._of_grant(tokens.kind, self._ask(store, tokens))
            except GrantRefused as error:
                return self._anothers(store, used_up, error)
            self._stores.save_tokens(store.id, fresh)
        log.info("tokens.renewed", store=store.id, token=fresh.kind)
        return fresh.access

    def _ask(self, store: Store, tokens: Tokens) -> Grant:
        if tokens.kind == "client_credentials":
            return self._endpoint.client_credentials(store.domain)
        if tokens.refresh is None:
            raise self._given_up(store, "Shopify refuses the stored access token, which cannot be renewed:")
        return self._endpoint.refresh(store.domain, tokens.refresh)

    def _anothers(self, store: Store, used_up: str, error: GrantRefused) -> str:
        """Without a lock (Redis down) another worker may have used the refresh token before us."""
        tokens = self._tokens(store)
        if tokens.access != used_up:
            return tokens.access
        if error.code == "invalid_client":
            reason = (
                "Shopify does not accept SHOPIFY_API_SECRET, or the app is not installed: mend that, then"
            )
            raise self._given_up(store, reason) from error
        raise self._given_up(store, f"Shopify renews the access token no more ({error.code}):") from error

    def _given_up(self, store: Store, reason: str) -> NeedsReauthorization:
        sentence = f"{reason} open the app once in the Shopify admin, or connect the store again."
        self._stores.needs_reauthorization(store.id, sentence)
        log.warning("tokens.needs_reauthorization", store=store.id, reason=reason)
        return NeedsReauthorization(sentence)

    def _tokens(self, store: Store) -> Tokens:
        try:
            tokens = self._stores.tokens(store.id)
        except Unreadable as error:
            raise NeedsReauthorization(str(error)) from error
        if tokens is None:
            raise NeedsReauthorization("The store has no access token: install the app in it first.")
        return tokens

    def _of_grant(self, kind: TokenKind, grant: Grant) -> Tokens:
        return Tokens(
            kind=kind,
            access=grant.access,
            access_expires_at=self._after(grant.expires_in),
            refresh=grant.refresh,
            refresh_expires_at=self._after(grant.refresh_expires_in),
            scopes=grant.scopes,
        )

    def _after(self, seconds: int | None) -> datetime | None:
        return None if seconds is None else self._clock() + timedelta(seconds=seconds)


def _lock_name(shop: str) -> str:
    return f"shopify-tokens:{shop}"


def _runs_out(tokens: Tokens, by: datetime) -> bool:
    return tokens.access_expires_at is not None and tokens.access_expires_at <= by
