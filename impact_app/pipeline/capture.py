"""Setting storefronts up: the script's settings, the web pixel, and the domains that may speak for a shop.

What is due is a column of the store: connecting it, saving its rules and a new day make it due. Nobody waits
for it, and a save never fails because of it. Whether the app embed is on is looked at each hour.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from impact_app.domain.rules import Rules, read_rules
from impact_app.ledger.stores import Store, Stores
from impact_app.pipeline.tokens import NeedsReauthorization, TokenKeeper
from impact_app.stores.shopify.api import AdminApi
from impact_app.stores.shopify.errors import AccessDenied, RequestRefused, ShopifyError
from impact_app.stores.shopify.products import Ask
from impact_app.stores.shopify.storefront import (
    PIXEL_SCOPES,
    Storefront,
    connect_pixel,
    pixel_settings,
    set_up_embed,
    storefront,
)
from impact_app.stores.shopify.theme import embed_switch

log = structlog.get_logger()

#: Set up anew after this, so that what somebody removed in Shopify is noticed and mended.
EVERY = timedelta(days=1)

#: The switch of the app embed is looked at this often.
LOOK_EVERY = timedelta(hours=1)

#: After a failure: this long, doubled each time, at most a day.
FIRST_PAUSE = timedelta(minutes=1)

#: What one store may take, in seconds; whoever works on it holds it for longer.
BUDGET = 20.0
HELD = timedelta(minutes=2)


@dataclass(frozen=True)
class Capture:
    """Sets up what is due, store by store. Safe to run several times at once: it sets, and never adds."""

    stores: Stores
    tokens: TokenKeeper
    api: AdminApi
    app_url: str
    clock: Callable[[], datetime]

    def drain(self, until: datetime) -> int:
        """Set stores up until none is due or the time is over; how many."""
        done = 0
        while self.clock() < until:
            store = self.stores.take_capture("shopify", self.clock(), self.clock() + HELD)
            if store is None:
                break
            self._set_up(store)
            done += 1
        return done

    def look(self, until: datetime) -> int:
        """Read the embed's switch, store by store, until none is due or the time is over; how many."""
        done = 0
        while self.clock() < until:
            store = self.stores.take_look("shopify", self.clock(), LOOK_EVERY)
            if store is None:
                break
            self._look(store)
            done += 1
        return done

    def has_due(self) -> bool:
        due, now = self.stores.next_capture("shopify"), self.clock()
        return (due is not None and due <= now) or self.stores.has_look_due("shopify", now, LOOK_EVERY)

    def _look(self, store: Store) -> None:
        try:
            seen = embed_switch(self._ask(store))
        except AccessDenied:
            self.stores.not_looked(store.id, NO_THEMES)
        except (ShopifyError, NeedsReauthorization) as error:
            self.stores.not_looked(store.id, str(error))
            log.warning("storefront.not_looked_at", store=store.id, reason=str(error))
        else:
            is_on = self.stores.looked(store.id, seen, self.clock())
            log.info("storefront.looked_at", store=store.id, embed_on=is_on)

    def _set_up(self, store: Store) -> None:
        ask, rules = self._ask(store), read_rules(store.rules)
        try:
            standing = storefront(ask)
            hosts = tuple(dict.fromkeys([standing.host, *rules.domains]))
            set_up_embed(ask, standing.installation, rules.parameters, rules.referral_days, hosts)
            pixel, fault = self._pixel(ask, store, rules, standing)
        except (ShopifyError, NeedsReauthorization) as error:
            self._failed(store, str(error))
            return
        now = self.clock()
        self.stores.captured(
            store,
            domains=[standing.host],
            pixel_id=pixel,
            fault=fault,
            now=now,
            next_at=now + EVERY,
            scopes=",".join(sorted(standing.scopes)),
        )
        log.info("storefront.set_up", store=store.id, pixel=pixel is not None)

    def _pixel(
        self, ask: Ask, store: Store, rules: Rules, standing: Storefront
    ) -> tuple[str | None, str | None]:
        """The connected web pixel, or why there is none."""
        if PIXEL_SCOPES - standing.scopes:
            return None, _MISSING
        settings = pixel_settings(self.app_url, rules.parameters, rules.referral_days)
        try:
            return connect_pixel(ask, store.pixel_id, settings), None
        except RequestRefused as refusal:
            return None, str(refusal)

    def _failed(self, store: Store, sentence: str) -> None:
        now = self.clock()
        pause = min(EVERY, FIRST_PAUSE * 2 ** min(store.capture_tries, 11))
        self.stores.capture_failed(store, sentence, now=now, next_at=now + pause)
        log.warning("storefront.not_set_up", store=store.id, reason=sentence)

    def _ask(self, store: Store) -> Ask:
        ends = time.monotonic() + BUDGET

        def ask(document: str, variables: Mapping[str, object]) -> Mapping[str, Any]:
            return self.tokens.call(
                store,
                lambda token: self.api.run(
                    store.domain, token, document, variables, budget=ends - time.monotonic()
                ),
            )

        return ask


#: A page says it in the visitor's language.
NO_THEMES = (
    "The app may not read themes (access scope read_themes), so it learns whether the script is on only when "
    "somebody opens this page in Shopify's admin. Open the app there and agree to what it asks for."
)

_MISSING = (
    "The app may not connect a web pixel: it lacks the access scopes write_pixels and read_customer_events. "
    "Open the app in Shopify's admin and agree to what it asks for."
)
