"""Saleor stores: connected once their token is proved, their deliveries checked against their own keys."""

from __future__ import annotations

import hashlib
import itertools
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from impact_app.config import SaleorConfig
from impact_app.domain.events import Unreadable
from impact_app.domain.orders import Order
from impact_app.ledger.inbox import Delivery, Inbox
from impact_app.ledger.stores import Store, Stores, Tokens
from impact_app.ledger.vault import Unreadable as SecretUnreadable
from impact_app.pipeline.process import ChangedPage, Period, Placed, ProductFacts, Unfetched, Unlisted
from impact_app.stores.saleor.api import Ask, SaleorApi
from impact_app.stores.saleor.documents import Version, read_version
from impact_app.stores.saleor.errors import AppGone, InstallRefused, SaleorError, SaleorUnreachable
from impact_app.stores.saleor.install import UNREACHABLE, Installed, api_url_of, domain_of, proved
from impact_app.stores.saleor.orders import (
    OrdersPage,
    changed_orders,
    failed_orders,
    fetch_order,
    placed_orders,
)
from impact_app.stores.saleor.reading import MISSED, read_order
from impact_app.stores.saleor.session import StaffSession, verify_user_token
from impact_app.stores.saleor.signature import (
    BadSignature,
    Key,
    UnknownKey,
    is_hmac,
    verify_hmac,
    verify_jws,
)
from impact_app.stores.sessions import SessionRefused

log = structlog.get_logger()

PLATFORM = "saleor"

#: How soon the keys of one Saleor may be asked for again, by this process.
ASK_AGAIN = timedelta(seconds=10)


class KeysUnavailable(Exception):
    """The keys that a signature needs cannot be had just now, so nothing can be said of it."""


@dataclass(frozen=True)
class _Known:
    """What checking needs of one store, as last read."""

    store_id: int
    api_url: str
    keys: tuple[Key, ...]


class SaleorStores:
    """Connects Saleor stores and says which deliveries are theirs.

    Keys are kept with the store and, once read, in this process; they are asked for anew when a signature
    names one that is not among them.
    """

    def __init__(
        self, stores: Stores, api: SaleorApi, saleor: SaleorConfig, *, clock: Callable[[], datetime]
    ) -> None:
        self._stores = stores
        self._api = api
        self._saleor = saleor
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._asked: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def connect(self, installed: Installed) -> Store:
        """Connect a proved installation; the same Saleor again gets the new token and keeps its settings."""
        tokens = Tokens("offline", installed.token, scopes=",".join(installed.permissions))
        store = self._stores.connect(
            PLATFORM, installed.domain, tokens, now=self._clock(), installation=installed.facts
        )
        self._known.pop(installed.domain, None)
        log.info("store.connected", store=store.id, platform=PLATFORM, version=installed.version)
        return store

    def connect_given(self, domain: str, token: str | None) -> Store:
        """Connect a Saleor on the operator's word, by its domain or its API's address.

        A token is proved where Saleor can be reached. Raises ValueError for what is no domain,
        `InstallRefused` for a token that is refused.
        """
        api_url = api_url_of(domain, self._saleor)
        if api_url is None:
            raise ValueError(f"{domain!r} is no domain such as shop.example.com.")
        if token:
            try:
                return self.connect(proved(self._api, api_url, token))
            except InstallRefused as refusal:
                if refusal.code != UNREACHABLE:
                    raise
                log.warning("store.not_proved", domain=domain_of(api_url), reason=str(refusal))
        return self._connect_unproved(api_url, token)

    def _connect_unproved(self, api_url: str, token: str | None) -> Store:
        """Keys are fetched with the first delivery."""
        self._known.pop(domain_of(api_url), None)
        store = self._stores.find(PLATFORM, domain_of(api_url))
        known = store.installation if store else {}
        return self._stores.connect(
            PLATFORM,
            domain_of(api_url),
            Tokens("pasted", token) if token else None,
            now=self._clock(),
            installation={**known, "api_url": api_url},
        )

    def verify(self, domain: str, body: bytes, signature: str | None) -> None:
        """Raise `BadSignature` unless the Saleor at `domain` signed these very bytes.

        A domain that is not connected has no keys, so nothing of it can be believed. Raises `KeysUnavailable`
        where a key is needed that Saleor does not give at the moment.
        """
        known = self._known.get(domain) or self._read(domain)
        if known is None:
            raise BadSignature("The Saleor it names is not connected here.")
        if is_hmac(signature):
            verify_hmac(body, signature, self._saleor.secrets)
            return
        try:
            verify_jws(body, signature, known.keys)
        except UnknownKey:
            verify_jws(body, signature, self._anew(domain, known))

    def session(self, domain: str, token: str) -> tuple[Store, StaffSession]:
        """The store at `domain`, and who of its staff a user's token proves.

        Raises `SessionRefused`, also where no such Saleor is connected; `KeysUnavailable` as `verify` does.
        """
        store = self._stores.find(PLATFORM, domain)
        known = self._known.get(domain) or self._read(domain)
        if store is None or known is None or store.state != "connected":
            raise SessionRefused("the Saleor it names is not connected here")
        app_id, now = str(store.installation.get("app_id", "")), self._clock()

        def proved_by(keys: Sequence[Key]) -> StaffSession:
            return verify_user_token(token, keys, api_url=known.api_url, app_id=app_id, now=now)

        try:
            return store, proved_by(known.keys)
        except UnknownKey:
            keys = self._anew(domain, known)
        try:
            return store, proved_by(keys)
        except UnknownKey as error:
            raise SessionRefused(str(error)) from error

    def _read(self, domain: str) -> _Known | None:
        store = self._stores.find(PLATFORM, domain)
        if store is None or "api_url" not in store.installation:
            return None
        facts = store.installation
        known = _Known(store.id, str(facts["api_url"]), tuple(facts.get("keys", ())))
        self._known[domain] = known
        return known

    def _anew(self, domain: str, known: _Known) -> tuple[Key, ...]:
        """The keys as another process may have found them, else as Saleor publishes them now."""
        with self._lock:
            stored = self._read(domain)
            if stored is not None and stored.keys != known.keys:
                return stored.keys
            asked, now = self._asked.get(domain), self._clock()
            if asked is not None and now - asked < ASK_AGAIN:
                # A stranger may name keys that never were; that must not make us ask with each delivery.
                raise KeysUnavailable("The signature names another key than the ones fetched a moment ago.")
            self._asked[domain] = now
        return self._fetched(domain, known)

    def _fetched(self, domain: str, known: _Known) -> tuple[Key, ...]:
        try:
            keys = self._api.keys(known.api_url)
        except SaleorUnreachable as error:
            log.warning("keys.not_fetched", store=known.store_id, reason=str(error))
            raise KeysUnavailable(str(error)) from error
        store = self._stores.get(known.store_id)
        if store is not None and list(known.keys) != keys:
            self._stores.save_installation(store.id, {**store.installation, "keys": keys})
            log.info("keys.changed", store=store.id)
        self._known[domain] = _Known(known.store_id, known.api_url, tuple(keys))
        return tuple(keys)


#: A store that could not be asked is left alone for this long, by this process.
REST = timedelta(minutes=1)

#: Seconds one question of a listing may take.
PATIENCE = 60.0


class SaleorOrders:
    """Orders of Saleor stores as they stand now."""

    def __init__(self, stores: Stores, api: SaleorApi, *, clock: Callable[[], datetime]) -> None:
        self._stores = stores
        self._api = api
        self._clock = clock
        self._resting: dict[int, datetime] = {}

    def order(self, store: Store, order_key: str, budget: float) -> Order:
        """The whole order, asked for within `budget` seconds. Raises `Unfetched`.

        Calls Saleor, so it must not be called within a transaction.
        """
        rests_until = self._resting.get(store.id)
        if budget <= 0 or (rests_until is not None and self._clock() < rests_until):
            raise Unfetched(order_key, "Saleor could not be asked for the order just now.", is_passing=True)
        try:
            body = fetch_order(self.ask(store, budget), order_key, version_of(store))
        except SaleorUnreachable as error:
            self._resting[store.id] = self._clock() + REST
            log.warning("order.not_fetched", store=store.id, order=order_key, reason=str(error))
            raise Unfetched(order_key, str(error), is_passing=True) from error
        except (SaleorError, LookupError) as error:
            log.warning("order.not_fetched", store=store.id, order=order_key, reason=str(error))
            raise Unfetched(order_key, str(error)) from error
        if body is None:
            raise Unfetched(order_key, "Saleor has no such order (any more).")
        try:
            return read_order(body)
        except Unreadable as fault:
            raise Unfetched(order_key, str(fault)) from fault

    def placed(self, store: Store, period: Period) -> Placed:
        """Every order placed in the period. Raises `Unlisted`, also while orders are taken.

        Calls Saleor, so neither it nor taking the next order may happen within a transaction.
        """
        with _told_plainly():
            pages = placed_orders(
                self._asker(store),
                period.since,
                period.until,
                version_of(store),
            )
            first = next(pages)
        return Placed(first.count or 0, _within(period, itertools.chain([first], pages)))

    def changed(
        self, store: Store, since: datetime, until: datetime, cursor: str | None = None
    ) -> Iterator[ChangedPage]:
        """Every order that changed between two moments (both included), the oldest change first.

        `cursor` goes on after a page seen before with the same moments. Raises `Unlisted`, also while pages
        are taken. Calls Saleor, so neither it nor taking the next page may happen within a transaction.
        """
        with _told_plainly():
            pages = changed_orders(self._asker(store), since, until, version_of(store), cursor)
            for page in pages:
                yield ChangedPage(tuple(map(_read, page.orders)), page.cursor, page.greatest)

    def _asker(self, store: Store) -> Ask:
        """A budget for each question, since a listing may have any number of pages."""

        def asked(document: str, variables: Mapping[str, object]) -> Mapping[str, Any]:
            return self.ask(store, PATIENCE)(document, variables)

        return asked

    def ask(self, store: Store, budget: float) -> Ask:
        """A way to ask this store's API for `budget` seconds in all.

        Raises LookupError where nothing is known to ask with. A token that is refused is remembered, since
        only a new installation can help.
        """
        try:
            tokens, api_url = self._stores.tokens(store.id), store.installation.get("api_url")
        except SecretUnreadable as error:
            raise LookupError(str(error)) from error
        if tokens is None or not api_url:
            raise LookupError("The store has no access token: install the app in Saleor first.")
        asked = self._api.ask(str(api_url), tokens.access, budget=budget)

        def watched(document: str, variables: Mapping[str, object]) -> Mapping[str, Any]:
            try:
                return asked(document, variables)
            except AppGone as error:
                self._stores.needs_reauthorization(store.id, f"{error} Install the app in Saleor again.")
                raise

        return watched


@dataclass(frozen=True)
class MissedEvents:
    """Looks for events that Saleor has given up, and has their orders looked at."""

    stores: Stores
    inbox: Inbox
    orders: SaleorOrders
    clock: Callable[[], datetime]

    def sweep(self) -> int:
        """Put a hint into the inbox for each event that never arrived; how many were told of.

        The same event is told of each time for two weeks and is one hint, since the delivery's id is its key.
        One store that cannot be asked stops no other.
        """
        told = 0
        for store in self.stores.all():
            if store.platform == PLATFORM and store.state == "connected":
                told += self._sweep(store)
        return told

    def _sweep(self, store: Store) -> int:
        try:
            missed = failed_orders(self.orders.ask(store, PATIENCE))
        except (SaleorError, LookupError) as error:
            log.warning("missed.not_asked", store=store.id, reason=str(error))
            return 0
        now = self.clock()
        hints = [
            Delivery(
                platform=PLATFORM,
                domain=store.domain,
                topic=MISSED,
                delivery_key=hashlib.sha256(delivery.encode()).hexdigest(),
                received_at=now,
                body=json.dumps({"order": order_key}).encode(),
            )
            for delivery, order_key in missed.items()
        ]
        if hints:
            self.inbox.add(hints)
        return len(hints)


def _within(period: Period, pages: Iterable[OrdersPage]) -> Iterator[Order | Unfetched]:
    """The orders of the period alone: an older Saleor lists whole days."""
    with _told_plainly():
        for body in itertools.chain.from_iterable(page.orders for page in pages):
            found = _read(body)
            if isinstance(found, Unfetched) or period.since <= found.placed_at < period.until:
                yield found


def _read(body: bytes) -> Order | Unfetched:
    try:
        return read_order(body)
    except Unreadable as fault:
        return Unfetched(str(json.loads(body)["id"]), str(fault))


@contextmanager
def _told_plainly() -> Iterator[None]:
    try:
        yield
    except (SaleorError, LookupError) as error:
        raise Unlisted(str(error)) from error


def version_of(store: Store) -> Version:
    """The release line that a store's Saleor said it is of when the app was installed."""
    return read_version(str(store.installation.get("version", "")))


def no_facts(_store: Store, _product_ids: Sequence[str]) -> Mapping[str, ProductFacts]:
    """A Saleor order tells type and category of its products by itself."""
    return {}
