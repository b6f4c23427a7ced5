"""Product type and category, kept a day, so that an order never waits long for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog

from impact_app.ledger.database import Database
from impact_app.ledger.stores import Store
from impact_app.ledger.tables import products
from impact_app.pipeline.tokens import NeedsReauthorization, TokenKeeper
from impact_app.stores.shopify.api import AdminApi
from impact_app.stores.shopify.errors import ShopifyError
from impact_app.stores.shopify.products import ProductFacts, look_up

log = structlog.get_logger()

#: What was looked up is taken as true for this long.
KEPT_FOR = timedelta(hours=24)

#: A store whose products could not be asked for is left alone for this long, by this process.
REST = timedelta(minutes=1)


class Products:
    """Facts about products by id, from the cache or from Shopify.

    `budget` is what one call of `facts` may spend on asking, in seconds; a request under way lasts as long as
    the time-outs of the `Http` behind `tokens` and `api` allow, so both want short ones.
    """

    def __init__(
        self,
        database: Database,
        tokens: TokenKeeper,
        api: AdminApi,
        *,
        clock: Callable[[], datetime],
        budget: float = 4.0,
    ) -> None:
        self._database = database
        self._tokens = tokens
        self._api = api
        self._clock = clock
        self._budget = budget
        self._resting: dict[int, datetime] = {}

    def facts(
        self, store: Store, product_ids: Collection[str], *, keep: bool = True
    ) -> Mapping[str, ProductFacts]:
        """What is known of these products; one that is not known is left out. Never raises.

        Writes to the cache in a transaction of its own (unless told not to `keep`), so it must not be called
        within another. Facts older than a day are asked for again, and serve on where Shopify gives no answer
        in time.
        """
        wanted = sorted({product_id for product_id in product_ids if _is_id(product_id)})
        try:
            known, stale = self._kept(store, wanted)
            missing = [product_id for product_id in wanted if product_id not in known]
            found = {**stale, **known, **self._asked(store, missing, keep)}
        except sa.exc.SQLAlchemyError as error:
            log.warning("products.cache_failed", store=store.id, reason=type(error).__name__)
            return {}
        return {product_id: facts for product_id, facts in found.items() if facts != ProductFacts("", "")}

    def _kept(
        self, store: Store, wanted: Sequence[str]
    ) -> tuple[dict[str, ProductFacts], dict[str, ProductFacts]]:
        """What the cache holds: fresh enough, and older."""
        fresh: dict[str, ProductFacts] = {}
        stale: dict[str, ProductFacts] = {}
        if not wanted:
            return fresh, stale
        oldest = self._clock() - KEPT_FOR
        query = sa.select(products).where(products.c.store_id == store.id, products.c.product_id.in_(wanted))
        with self._database.read() as connection:
            for row in connection.execute(query):
                kept = fresh if row.looked_up_at > oldest else stale
                kept[row.product_id] = ProductFacts(row.product_type, row.category)
        return fresh, stale

    def _asked(self, store: Store, missing: Sequence[str], keep: bool) -> dict[str, ProductFacts]:
        """What Shopify says of the missing ones within the budget; each answer is kept as it comes."""
        found: dict[str, ProductFacts] = {}
        rests_until = self._resting.get(store.id)
        if not missing or (rests_until is not None and self._clock() < rests_until):
            return found
        ends = time.monotonic() + self._budget

        def ask(document: str, variables: Mapping[str, object]) -> Mapping[str, object]:
            return self._tokens.call(
                store,
                lambda token: self._api.run(
                    store.domain, token, document, variables, budget=ends - time.monotonic()
                ),
            )

        try:
            for facts in look_up(ask, missing):
                if keep:
                    self._keep(store, facts)
                found.update(facts)
        except (ShopifyError, NeedsReauthorization) as error:
            self._resting[store.id] = self._clock() + REST
            log.warning("products.not_looked_up", store=store.id, reason=str(error))
        return found

    def _keep(self, store: Store, facts: Mapping[str, ProductFacts]) -> None:
        these = products.c.store_id == store.id, products.c.product_id.in_(list(facts))
        now = self._clock()
        rows = [
            {
                "store_id": store.id,
                "product_id": product_id,
                "product_type": fact.product_type,
                "category": fact.category,
                "looked_up_at": now,
            }
            for product_id, fact in facts.items()
        ]
        # Two workers may look the same product up; the second finds its row there, which is fine.
        with suppress(sa.exc.IntegrityError), self._database.write() as connection:
            connection.execute(sa.delete(products).where(*these))
            connection.execute(sa.insert(products), rows)


def _is_id(product_id: str) -> bool:
    return product_id.isascii() and product_id.isdigit() and len(product_id) <= 20
