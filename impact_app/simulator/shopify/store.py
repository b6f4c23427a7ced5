"""The pretend store's memory: its app credentials, orders, products, tokens, and what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from .bodies import Body
from .bulk import Book
from .faults import Fault, Where
from .specs import SHOP_DOMAIN
from .themes import Theme
from .tokens import TokenBook

BUCKET_SECONDS = 20  # how much of the restore rate the bucket holds


@dataclass(frozen=True, slots=True)
class Product:
    """A product as the Admin API shows it; `category` is its full name in Shopify's taxonomy."""

    id: int
    title: str = "Snowboard"
    product_type: str = "Boards"
    category: str | None = "Sporting Goods > Outdoor Recreation > Winter Sports & Activities > Snowboards"
    tags: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()
    vendor: str = "Impact Demo"


@dataclass(frozen=True, slots=True)
class Visit:
    landing_page: str | None
    occurred_at: datetime
    referrer_url: str | None = None
    source: str = "direct"
    utm: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Journey:
    """Shopify's record of the visits before an order; `order_index` is 0 for a customer's first order."""

    first_visit: Visit | None = None
    last_visit: Visit | None = None
    between: tuple[Visit, ...] = ()
    ready: bool = True
    order_index: int | None = 0


@dataclass(frozen=True, slots=True)
class Call:
    """One request the Admin API had: `what` is the grant type, or the GraphQL document."""

    where: Where
    what: str
    variables: Mapping[str, Any]
    status: int


@dataclass
class PretendStore:
    """One shop with one app installed.

    `now` is the store's clock (aware of its zone) and rules every expiry. `same_organisation` allows client
    credentials; `expiring_only` refuses permanent tokens, as Shopify does with public apps. An empty
    `redirect_urls` allows every redirect. `restore_rate` is query points a second. `primary_host` is the main
    domain, empty for `domain`; `metafields` are the app's own, type and value by namespace and key. `app_url`
    is where the app is reached, for the admin's page of apps; `theme` is the published one.
    """

    domain: str = SHOP_DOMAIN
    client_id: str = "pretend-client-id"
    client_secret: str = "pretend-client-secret"  # noqa: S105 - the pretend store guards nothing
    previous_secret: str | None = None
    scopes: tuple[str, ...] = ("read_orders", "read_products")
    redirect_urls: tuple[str, ...] = ()
    same_organisation: bool = False
    expiring_only: bool = False
    has_pixel_extension: bool = True
    installed: bool = True
    restore_rate: float = 100.0
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    orders: dict[int, Body] = field(default_factory=dict)
    products: dict[int, Product] = field(default_factory=dict)
    journeys: dict[int, Journey] = field(default_factory=dict)
    pixel_settings: str | None = None
    primary_host: str = ""
    app_url: str = ""
    metafields: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    theme: Theme = field(default_factory=Theme)
    bulk: Book = field(default_factory=Book)
    tokens: TokenBook = field(default_factory=TokenBook)
    faults: list[Fault] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _points: float | None = None
    _counted_at: datetime | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.client_secret, self.previous_secret) if self.previous_secret else (self.client_secret,)

    @property
    def bucket_size(self) -> float:
        return self.restore_rate * BUCKET_SECONDS

    def add_order(self, body: Body) -> Body:
        """Keep the order as it now is, in place of what was known of it; the body is given back."""
        with self.lock:
            self.orders[body["id"]] = body
        return body

    def add_product(self, product: Product) -> Product:
        with self.lock:
            self.products[product.id] = product
        return product

    def rotate_secret(self, new: str) -> None:
        """A new client secret; the one before stays good."""
        with self.lock:
            self.previous_secret, self.client_secret = self.client_secret, new

    def revoke_previous_secret(self) -> None:
        """The old client secret ends, and with it a permanent token that was made with it."""
        with self.lock:
            self.tokens.revoke(self.previous_secret)
            self.previous_secret = None

    def uninstall(self) -> None:
        """The merchant removes the app: every token dies and none is given until it is installed again."""
        with self.lock:
            self.installed = False
            self.tokens.forget()

    def install(self) -> None:
        with self.lock:
            self.installed = True

    def next_fault(self, where: Where) -> Fault | None:
        """Take the first fault meant for this kind of request."""
        with self.lock:
            for place, fault in enumerate(self.faults):
                if fault.where in ("any", where):
                    return self.faults.pop(place)
        return None

    def points(self) -> float:
        """Query points in the bucket now, after what flowed back since it was last looked at."""
        now = self.now()
        if self._points is None or self._counted_at is None:
            self._points = self.bucket_size
        else:
            passed = max(0.0, (now - self._counted_at) / timedelta(seconds=1))
            self._points = min(self.bucket_size, self._points + passed * self.restore_rate)
        self._counted_at = now
        return self._points

    def spend(self, cost: float) -> None:
        self._points = self.points() - cost
