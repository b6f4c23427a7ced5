"""The orders that were placed in a Shopify store in some period, asked for at Shopify."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from impact_app.config import ShopifyConfig
from impact_app.domain.events import Unreadable
from impact_app.domain.orders import Order
from impact_app.http import Http
from impact_app.ledger.stores import Store
from impact_app.pipeline.fetch import sees_customers
from impact_app.pipeline.process import ChangedPage, Period, Placed, Unfetched, Unlisted, with_products
from impact_app.pipeline.products import Products
from impact_app.pipeline.tokens import NeedsReauthorization, TokenKeeper
from impact_app.stores.shopify.api import AdminApi
from impact_app.stores.shopify.bulk import Exports
from impact_app.stores.shopify.errors import ShopifyError
from impact_app.stores.shopify.orders import changed_orders, count_placed, granted_scopes, placed_orders
from impact_app.stores.shopify.products import Ask
from impact_app.stores.shopify.reading import read_order

#: Without the scope `read_all_orders` Shopify shows an app no older orders (shopify.dev, 2026-11).
SHOWN_FOR = timedelta(days=60)

#: More orders than this are exported into one file; fewer are read page by page, which is sooner done.
BULK_ABOVE = 500

#: Seconds one question may take, waits for Shopify's rate limit included.
PATIENCE = 120.0

#: Orders whose products are looked up together.
_TOGETHER = 25


class ShopifyPlaced:
    """Past orders of Shopify stores, in whole periods.

    Waits for Shopify's rate limit as long as it takes, so it belongs into a command, not into a job.
    """

    def __init__(
        self,
        tokens: TokenKeeper,
        api: AdminApi,
        products: Products,
        http: Http,
        shopify: ShopifyConfig,
        *,
        clock: Callable[[], datetime],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._tokens = tokens
        self._api = api
        self._http = http
        self._shopify = shopify
        self._pause = pause
        self._products = products
        self._clock = clock

    def placed(self, store: Store, period: Period) -> Placed:
        """Every order of the period that Shopify shows. Raises `Unlisted`, also while orders are taken.

        Calls Shopify and may renew the store's token, so neither it nor taking the next order may happen
        within a transaction.
        """
        ask = self._asker(store)
        with _told_plainly():
            self._check_reach(ask, period)
            count = count_placed(ask, period.since, period.until)
        return Placed(count, self._orders(store, ask, period, in_bulk=count > BULK_ABOVE))

    def changed(self, store: Store, since: datetime, until: datetime) -> Iterator[ChangedPage]:
        """Every order that changed between two moments (both included), the oldest change first.

        Raises `Unlisted`, also while pages are taken. Calls Shopify, so neither it nor taking the next page
        may happen within a transaction.
        """
        ask, calls = _counted(self._asker(store))
        with _told_plainly():
            for page in changed_orders(ask, since, until, sees_customers=sees_customers(store)):
                read = self._filled(store, [_read(body) for body in page.orders], keep=True)
                yield ChangedPage(tuple(read), page.cursor, page.greatest, calls())

    def _orders(
        self, store: Store, ask: Ask, period: Period, *, in_bulk: bool
    ) -> Iterator[Order | Unfetched]:
        sees = sees_customers(store)
        with _told_plainly():
            if in_bulk:
                bodies = self._exports(store, ask).placed_orders(
                    period.since, period.until, period.told, sees_customers=sees
                )
            else:
                bodies = placed_orders(ask, period.since, period.until, sees_customers=sees)
            while some := list(islice(bodies, _TOGETHER)):
                yield from self._filled(store, [_read(body) for body in some], keep=not period.is_trial)

    def _filled(
        self, store: Store, found: Sequence[Order | Unfetched], *, keep: bool
    ) -> Iterable[Order | Unfetched]:
        read = [one for one in found if isinstance(one, Order)]
        ids = sorted({line.product_id for order in read for line in order.lines if line.product_id})
        facts = self._products.facts(store, ids, keep=keep)
        return [with_products(one, facts) if isinstance(one, Order) else one for one in found]

    def _check_reach(self, ask: Ask, period: Period) -> None:
        reach = self._clock() - SHOWN_FOR
        if period.since >= reach or "read_all_orders" in granted_scopes(ask):
            return
        raise Unlisted(
            "Shopify shows this app only orders of the last 60 days: the period can begin on "
            f"{reach + timedelta(days=1):%Y-%m-%d} at the earliest. With the access scope read_all_orders, "
            "which Shopify grants to apps that ask for it, older orders can be read."
        )

    def _exports(self, store: Store, ask: Ask) -> Exports:
        return Exports(ask, self._http, self._shopify.admin_base(store.domain), self._pause, self._clock)

    def _asker(self, store: Store) -> Ask:
        def ask(document: str, variables: Mapping[str, object]) -> Mapping[str, Any]:
            return self._tokens.call(
                store,
                lambda token: self._api.run(store.domain, token, document, variables, budget=PATIENCE),
            )

        return ask


def _counted(ask: Ask) -> tuple[Ask, Callable[[], int]]:
    """The same way to ask, and how many questions there were since that was last asked."""
    made = [0]

    def counting(document: str, variables: Mapping[str, object]) -> Mapping[str, Any]:
        made[0] += 1
        return ask(document, variables)

    def since_then() -> int:
        count, made[0] = made[0], 0
        return count

    return counting, since_then


@contextmanager
def _told_plainly() -> Iterator[None]:
    try:
        yield
    except (ShopifyError, NeedsReauthorization) as error:
        raise Unlisted(str(error)) from error


def _read(body: bytes) -> Order | Unfetched:
    try:
        return read_order(body)
    except Unreadable as fault:
        return Unfetched(str(json.loads(body)["id"]), str(fault))
