"""The one place where things are constructed and handed to one another."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TextIO
from urllib.parse import urlsplit

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from impact_app.config import Config, read_config
from impact_app.domain.orders import Order
from impact_app.domain.reasons import Reason
from impact_app.http import Http
from impact_app.ledger.acts import Acts
from impact_app.ledger.alerts import Alerts
from impact_app.ledger.channels import Channels
from impact_app.ledger.clicks import Clicks, Told
from impact_app.ledger.database import Database
from impact_app.ledger.inbox import Delivery, Inbox
from impact_app.ledger.messages import Messages
from impact_app.ledger.orders import Orders
from impact_app.ledger.outbox import Outbox
from impact_app.ledger.overview import Overviews
from impact_app.ledger.reconciliation import Reconciliations
from impact_app.ledger.schema import upgrade
from impact_app.ledger.setups import Setups
from impact_app.ledger.stores import Store, Stores, Tokens
from impact_app.ledger.trials import Trials
from impact_app.ledger.vault import Vault
from impact_app.ledger.verification import Checks
from impact_app.mail import Mailer
from impact_app.pipeline.alerts import Watcher
from impact_app.pipeline.backfill import Backfill
from impact_app.pipeline.beacons import Gate, Origins, is_loopback
from impact_app.pipeline.by_hand import ByHand
from impact_app.pipeline.capture import Capture
from impact_app.pipeline.deliver import Deliverer
from impact_app.pipeline.fetch import ShopifyOrders
from impact_app.pipeline.joining import Joiner
from impact_app.pipeline.messages import Messenger
from impact_app.pipeline.placed import ShopifyPlaced
from impact_app.pipeline.process import (
    ChangedPage,
    Period,
    Placed,
    Platform,
    Processor,
    ProductFacts,
    Unfetched,
    Unlisted,
    Visits,
)
from impact_app.pipeline.products import Products
from impact_app.pipeline.receive import Receiver
from impact_app.pipeline.reconcile import Reconciler
from impact_app.pipeline.refusals import Refusals
from impact_app.pipeline.remap import Remapper
from impact_app.pipeline.review import Reviewer
from impact_app.pipeline.saleor import MissedEvents, SaleorOrders, SaleorStores, no_facts
from impact_app.pipeline.setup import Inquirer
from impact_app.pipeline.standing import Surveyor
from impact_app.pipeline.takeover import Takeover
from impact_app.pipeline.tokens import TokenKeeper, redis_locks
from impact_app.pipeline.trial import Following
from impact_app.pipeline.verify import Verifier
from impact_app.pipeline.wake import Wake
from impact_app.stores.saleor import reading as saleor_reading
from impact_app.stores.saleor.api import SaleorApi
from impact_app.stores.shopify import reading as shopify_reading
from impact_app.stores.shopify.api import AdminApi
from impact_app.stores.shopify.install import TokenEndpoint
from impact_app.stores.shopify.shop import checked_shop
from impact_app.transports.api.client import ImpactApi

#: The platforms there are, as commands and addresses name them.
PLATFORMS = ("saleor", "shopify")


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Services:
    """Everything a process works with, made when first asked for.

    Below the domain nothing asks for the time by itself: `clock` is handed down from here.
    """

    config: Config
    clock: Callable[[], datetime] = utc_now

    @cached_property
    def database(self) -> Database:
        database = Database(self.config.database_url)
        upgrade(database)
        return database

    @cached_property
    def stores(self) -> Stores:
        return Stores(self.database, Vault(self.config.secret_keys))

    @cached_property
    def inbox(self) -> Inbox:
        return Inbox(self.database)

    @cached_property
    def outbox(self) -> Outbox:
        return Outbox(self.database)

    @cached_property
    def orders(self) -> Orders:
        return Orders(self.database)

    @cached_property
    def reconciliations(self) -> Reconciliations:
        return Reconciliations(self.database)

    @property
    def reconciler(self) -> Reconciler:
        return Reconciler(
            self.database,
            self.stores,
            self.platforms,
            self.reconciliations,
            self.overviews,
            self.takeover,
            Checks(self.database),
            self.impact,
            self.clock,
        )

    @cached_property
    def by_hand(self) -> ByHand:
        return ByHand(self.database, self.stores, self.clock)

    @cached_property
    def acts(self) -> Acts:
        return Acts(self.database)

    @cached_property
    def trials(self) -> Trials:
        return Trials(self.database)

    @cached_property
    def following(self) -> Following:
        """What follows a test order, on a page that is not to wait for impact.com for long."""
        return Following(
            self.trials,
            self.orders,
            self.stores,
            Checks(self.database),
            ImpactApi(Http(connect=2.0, read=5.0), self.config.impact_api_url),
            lambda: self.wake.soon("verify"),
            self.clock,
        )

    @cached_property
    def overviews(self) -> Overviews:
        return Overviews(self.database)

    @cached_property
    def alerts(self) -> Alerts:
        return Alerts(self.database)

    @cached_property
    def channels(self) -> Channels:
        return Channels(self.database, Vault(self.config.secret_keys))

    @cached_property
    def messages(self) -> Messages:
        return Messages(self.database)

    @cached_property
    def watcher(self) -> Watcher:
        return Watcher(
            self.database,
            self.stores,
            self.orders,
            self.overviews,
            self.channels,
            self.config.app_url,
            self.clock,
        )

    @cached_property
    def messenger(self) -> Messenger:
        mail = self.config.mail
        mailer = Mailer(mail.host, mail.port, mail.security, mail.user, mail.password) if mail else None
        sender = mail.sender if mail else ""
        origins = self.config.webhook_origins
        return Messenger(self.messages, self.channels, mailer, sender, origins, self.clock)

    @cached_property
    def redis(self) -> redis.Redis:
        return connect_redis(self.config)

    @cached_property
    def wake(self) -> Wake:
        return Wake(self.redis)

    @cached_property
    def http(self) -> Http:
        return Http()

    @cached_property
    def receiver(self) -> Receiver[Delivery]:
        return Receiver(self.inbox, lambda: self.wake.soon("process"))

    @cached_property
    def clicks(self) -> Clicks:
        return Clicks(self.database)

    @cached_property
    def beacons(self) -> Receiver[Told]:
        return Receiver(self.clicks, lambda: self.wake.soon("review"))

    @cached_property
    def gate(self) -> Gate:
        return Gate(self.redis, self.clock)

    @cached_property
    def origins(self) -> Origins:
        return Origins(self.stores, is_loopback(urlsplit(self.config.app_url).hostname or ""))

    @cached_property
    def joiner(self) -> Joiner:
        return Joiner(self.database, self.clicks, self.stores, self.platforms, self.clock)

    @cached_property
    def impact(self) -> ImpactApi:
        return ImpactApi(self.http, self.config.impact_api_url)

    @cached_property
    def setups(self) -> Setups:
        return Setups(self.database)

    @property
    def inquirer(self) -> Inquirer:
        """Who asks impact.com while a page waits: with short time-outs."""
        api = ImpactApi(self._hasty, self.config.impact_api_url)
        return Inquirer(self.stores, self.setups, Checks(self.database), api, self.clock)

    @property
    def surveyor(self) -> Surveyor:
        shopify = self.config.shopify
        admin = shopify.admin_url if shopify else None
        address = self.config.app_url
        return Surveyor(self.database, self.stores, self.refusals, address, admin, self.clock)

    @cached_property
    def refusals(self) -> Refusals:
        return Refusals(self.redis, self.clock)

    @cached_property
    def _hasty(self) -> Http:
        return Http(connect=2.0, read=5.0)

    @cached_property
    def processor(self) -> Processor:
        return Processor(self.database, self.inbox, self.stores, self.platforms, self.clock)

    @cached_property
    def deliverer(self) -> Deliverer:
        return Deliverer(self.database, self.outbox, self.stores, self.impact, self.clock)

    @cached_property
    def verifier(self) -> Verifier:
        return Verifier(Checks(self.database), self.outbox, self.stores, self.impact, self.clock)

    @cached_property
    def reviewer(self) -> Reviewer:
        return Reviewer(self.database, self.stores, self.orders, self.clock)

    @cached_property
    def backfill(self) -> Backfill:
        return Backfill(
            self.database, self.stores, self.platforms, self.clock, lambda: self.wake.soon("deliver")
        )

    @cached_property
    def takeover(self) -> Takeover:
        return Takeover(self.database, self.stores, Checks(self.database), self.impact, self.clock)

    @cached_property
    def remapper(self) -> Remapper:
        return Remapper(self.database, self.stores, self.clock)

    @cached_property
    def platforms(self) -> dict[str, Platform]:
        """Every platform the app knows, one line each."""
        return {
            "saleor": Platform(
                read=saleor_reading.read,
                read_order=saleor_reading.read_order,
                product_facts=no_facts,
                order=self.saleor_orders.order,
                placed=self.saleor_orders.placed,
                changed=self.saleor_orders.changed,
                connect=self.saleor.connect_given,
            ),
            "shopify": Platform(
                read=shopify_reading.read,
                read_order=shopify_reading.read_order,
                product_facts=self._shopify_facts,
                order=self._shopify_order,
                placed=self._shopify_placed,
                changed=self._shopify_changed,
                connect=self._shopify_given,
                visits=self._shopify_visits,
            ),
        }

    @property
    def tokens(self) -> TokenKeeper:
        """Shopify's access tokens. Raises LookupError while Shopify is switched off."""
        if self._shopify is None:
            raise LookupError("Shopify is switched off: set SHOPIFY_API_KEY and SHOPIFY_API_SECRET.")
        return self._shopify[0]

    def settings_saved(self, store_id: int) -> None:
        """Have everything that waits looked at under the new settings."""
        self.reviewer.settings_saved(store_id)
        self.wake.soon("review")
        self.wake.soon("deliver")
        self.wake.soon("capture")

    def check_storefront(self, store_id: int) -> None:
        """Have the storefront looked at again, within a minute."""
        self.stores.capture_soon(store_id)
        self.wake.soon("capture")

    def replay(self, store_id: int, order_key: str, by: str = "command line") -> str | None:
        """Ask one order's question again, sending even what was refused; what came of it, None if unknown."""
        if not self.by_hand.replay(store_id, order_key, by):
            return None
        self.wake.soon("deliver")
        file = self.orders.show(store_id, order_key)
        return f"Judged again: {file.summary.verdict}, {file.summary.reason}." if file else None

    def replay_group(self, store_id: int, reason: Reason, detail: str | None, by: str) -> int:
        """Have every order judged anew that one cause holds up; how many those are."""
        asked = self.by_hand.replay_group(store_id, reason, detail, by)
        self.wake.soon("review")
        return asked

    @cached_property
    def capture(self) -> Capture | None:
        """What sets Shopify storefronts up; None while Shopify is switched off."""
        if self._shopify is None or self.config.shopify is None:
            return None
        api = AdminApi(self.http, self.config.shopify)
        return Capture(self.stores, self._shopify[0], api, self.config.app_url, self.clock)

    def _shopify_visits(self, store: Store, order_keys: Sequence[str], budget: float) -> Mapping[str, Visits]:
        return self._shopify[2].visits(store, order_keys, budget) if self._shopify else {}

    def _shopify_placed(self, store: Store, period: Period) -> Placed:
        return self._shopify_listing().placed(store, period)

    def _shopify_changed(self, store: Store, since: datetime, until: datetime) -> Iterator[ChangedPage]:
        return self._shopify_listing().changed(store, since, until)

    def _shopify_listing(self) -> ShopifyPlaced:
        if self._shopify is None or self.config.shopify is None:
            raise Unlisted("Shopify is switched off: set SHOPIFY_API_KEY and SHOPIFY_API_SECRET.")
        tokens, products, _orders = self._shopify
        # A page of orders takes Shopify longer than one order does, and nothing waits for it: so half of what
        # the store may ask is left to what somebody waits for.
        shopify = self.config.shopify
        api = AdminApi(self.http, shopify, leave=0.5)
        return ShopifyPlaced(tokens, api, products, self.http, shopify, clock=self.clock)

    def connect(self, platform: str, domain: str, token: str | None) -> Store:
        """Connect a store on the operator's word. Raises ValueError and the platform's own faults."""
        return self.platforms[platform].connect(domain, token)

    def connect_shopify(self, domain: str) -> Store:
        """Connect a Shopify store of the app's own organisation. Raises ValueError, `ShopifyError`."""
        return self.tokens.connect_with_client_credentials(checked_shop(domain))

    def _shopify_given(self, domain: str, token: str | None) -> Store:
        tokens = Tokens("pasted", token) if token else None
        return self.stores.connect("shopify", checked_shop(domain), tokens, now=self.clock())

    @cached_property
    def saleor_api(self) -> SaleorApi:
        # Saleor ends its own requests after 2 + 18 seconds, and a delivery may have to wait for its keys.
        return SaleorApi(Http(connect=2.0, read=5.0))

    @cached_property
    def saleor(self) -> SaleorStores:
        """Saleor stores: how they are connected, and which deliveries are theirs."""
        return SaleorStores(self.stores, self.saleor_api, self.config.saleor, clock=self.clock)

    @property
    def saleor_missed(self) -> MissedEvents:
        return MissedEvents(self.stores, self.inbox, self.saleor_orders, self.clock)

    @cached_property
    def saleor_orders(self) -> SaleorOrders:
        return SaleorOrders(self.stores, self.saleor_api, clock=self.clock)

    @cached_property
    def _shopify(self) -> tuple[TokenKeeper, Products, ShopifyOrders] | None:
        shopify = self.config.shopify
        if shopify is None:
            return None
        # Short time-outs: an order never waits long, least of all for what only makes its report nicer.
        http = Http(connect=2.0, read=5.0)
        tokens = TokenKeeper(
            self.stores, TokenEndpoint(http, shopify), clock=self.clock, locks=redis_locks(self.redis)
        )
        api = AdminApi(http, shopify)
        products = Products(self.database, tokens, api, clock=self.clock)
        return tokens, products, ShopifyOrders(tokens, api, clock=self.clock)

    def _shopify_facts(self, store: Store, product_ids: Sequence[str]) -> Mapping[str, ProductFacts]:
        return self._shopify[1].facts(store, product_ids) if self._shopify else {}

    def _shopify_order(self, store: Store, order_key: str, budget: float) -> Order:
        if self._shopify is None:
            raise Unfetched(order_key, "Shopify is switched off, so the order cannot be fetched.")
        return self._shopify[2].order(store, order_key, budget)


def connect_redis(config: Config) -> redis.Redis:
    """A connection with short time-outs: Redis only wakes, so nobody waits for it."""
    return redis.Redis.from_url(
        config.redis_url,
        socket_connect_timeout=1.0,
        socket_timeout=2.0,
        health_check_interval=30,
        # The client's own three tries sleep for seconds in between.
        retry=Retry(NoBackoff(), 0),
    )


_services: tuple[int, Services] | None = None


def services() -> Services:
    """This process's services, from the environment. Raises `ConfigError`."""
    global _services  # noqa: PLW0603 - one set a process, made anew after a fork
    if _services is None or _services[0] != os.getpid():
        _services = (os.getpid(), Services(read_config()))
    return _services[1]


class _Unfailing(io.TextIOBase):
    """A stream whose faults are nobody's: a full disk or a closed pipe must not undo what is logged about."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def log_to_stderr() -> None:
    """One JSON line an event, with ids and facts; never bodies, tokens or addresses."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(_Unfailing(sys.stderr)),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )
