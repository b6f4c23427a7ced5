"""The whole order behind a delivery that only hints at a change, asked for at Shopify."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog

from impact_app.domain.events import Unreadable
from impact_app.domain.orders import Order
from impact_app.ledger.stores import Store
from impact_app.pipeline.process import Unfetched, Visits
from impact_app.pipeline.tokens import NeedsReauthorization, TokenKeeper
from impact_app.stores.shopify.api import AdminApi
from impact_app.stores.shopify.errors import PlatformUnreachable, ShopifyError
from impact_app.stores.shopify.orders import fetch_order
from impact_app.stores.shopify.products import Ask
from impact_app.stores.shopify.reading import read_order
from impact_app.stores.shopify.visits import visits

log = structlog.get_logger()

#: A store that could not be asked is left alone for this long, by this process.
REST = timedelta(minutes=1)


class ShopifyOrders:
    """Orders of Shopify stores as they stand now.

    A request under way lasts as long as the time-outs of the `Http` behind `tokens` and `api` allow.
    """

    def __init__(self, tokens: TokenKeeper, api: AdminApi, *, clock: Callable[[], datetime]) -> None:
        self._tokens = tokens
        self._api = api
        self._clock = clock
        self._resting: dict[int, datetime] = {}

    def order(self, store: Store, order_key: str, budget: float) -> Order:
        """The whole order, asked for within `budget` seconds. Raises `Unfetched`.

        Calls Shopify and may renew the store's token, so it must not be called within a transaction.
        """
        rests_until = self._resting.get(store.id)
        if budget <= 0 or (rests_until is not None and self._clock() < rests_until):
            raise Unfetched(order_key, "Shopify could not be asked for the order just now.", is_passing=True)
        try:
            body = self._asked(store, order_key, budget)
        except PlatformUnreachable as error:
            self._resting[store.id] = self._clock() + REST
            log.warning("order.not_fetched", store=store.id, order=order_key, reason=str(error))
            raise Unfetched(order_key, str(error), is_passing=True) from error
        except (ShopifyError, NeedsReauthorization) as error:
            log.warning("order.not_fetched", store=store.id, order=order_key, reason=str(error))
            raise Unfetched(order_key, str(error)) from error
        if body is None:
            sentence = "Shopify does not show the order: it is older than 60 days, or it was deleted."
            raise Unfetched(order_key, sentence)
        try:
            return read_order(body)
        except Unreadable as fault:
            raise Unfetched(order_key, str(fault)) from fault

    def visits(self, store: Store, order_keys: Sequence[str], budget: float) -> Mapping[str, Visits]:
        """The visits before these orders, as far as Shopify tells within `budget` seconds. Never raises."""
        rests_until = self._resting.get(store.id)
        if rests_until is not None and self._clock() < rests_until:
            return {}
        found: dict[str, Visits] = {}
        try:
            for key, pages, is_complete in visits(self._ask(store, budget), order_keys):
                found[key] = Visits(pages, is_complete)
        except (ShopifyError, NeedsReauthorization) as error:
            if isinstance(error, PlatformUnreachable):
                self._resting[store.id] = self._clock() + REST
            log.warning("visits.not_told", store=store.id, reason=str(error))
        return found

    def _asked(self, store: Store, order_key: str, budget: float) -> bytes | None:
        return fetch_order(self._ask(store, budget), order_key, sees_customers=sees_customers(store))

    def _ask(self, store: Store, budget: float) -> Ask:
        ends = time.monotonic() + budget

        def ask(document: str, variables: Mapping[str, object]) -> Mapping[str, Any]:
            return self._tokens.call(
                store,
                lambda token: self._api.run(
                    store.domain, token, document, variables, budget=ends - time.monotonic()
                ),
            )

        return ask


def sees_customers(store: Store) -> bool:
    """Whether the app may see who bought."""
    granted = {scope.strip() for scope in store.scopes.split(",")}
    return not granted.isdisjoint({"read_customers", "write_customers"})
