"""Gathers what is known of a store for the set-up page; nobody outside is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from impact_app.domain.programs import Told
from impact_app.domain.rules import read_rules
from impact_app.domain.setup import Facts, Standing, standings
from impact_app.ledger.database import Database
from impact_app.ledger.progress import Progress
from impact_app.ledger.stores import Store, Stores
from impact_app.ledger.vault import Unreadable
from impact_app.pipeline.beacons import is_loopback
from impact_app.pipeline.refusals import Refusals
from impact_app.stores.saleor.install import PERMISSIONS
from impact_app.stores.shopify.install import SCOPES

#: Without these no order arrives; the rest of what the app asks for makes things better.
_NEEDED: Mapping[str, tuple[str, ...]] = {"shopify": ("read_orders",), "saleor": PERMISSIONS}
_ASKED_FOR: Mapping[str, tuple[str, ...]] = {"shopify": SCOPES, "saleor": PERMISSIONS}


@dataclass(frozen=True)
class Surveyor:
    """Tells how stores stand.

    app_url        where this app is reached
    shopify_admin  where Shopify is, as `ShopifyConfig` has it; None: switched off
    """

    database: Database
    stores: Stores
    refusals: Refusals
    app_url: str
    shopify_admin: str | None
    clock: Callable[[], datetime]

    def survey(self, store: Store, told: Told | None) -> tuple[Facts, list[Standing]]:
        """What is known of a store, and how it stands with each step. `told`: what impact.com told it."""
        facts = self._facts(store, told)
        return facts, standings(facts)

    def _facts(self, store: Store, told: Told | None) -> Facts:
        now = self.clock()
        traces = Progress(self.database).of(store, now)
        needed = _NEEDED[store.platform]
        rules = read_rules(store.rules)
        return Facts(
            platform=store.platform,
            domain=store.domain,
            now=now,
            connected_at=store.connected_at,
            is_connected=store.state == "connected",
            has_access=store.has_access_token,
            reauthorize_reason=store.reauthorize_reason or "",
            needed=needed,
            wanted=tuple(scope for scope in _ASKED_FOR[store.platform] if scope not in needed),
            granted=frozenset(scope.strip() for scope in store.scopes.split(",") if scope.strip()),
            address=self.app_url,
            is_reachable=is_reachable(self.app_url, self._platform_url(store)),
            last_delivery=traces.last_delivery,
            unread_since=traces.unread_since,
            refused_at=self._refused(store, traces.last_delivery),
            undelivered=traces.orders if traces.last_delivery is None else 0,
            silence=traces.silence,
            account_sid=store.account_sid or "",
            has_auth_token=store.has_auth_token,
            is_token_readable=self._is_token_readable(store),
            held=traces.held,
            told=told,
            campaign_id=store.campaign_id or "",
            event_type_id=store.event_type_id or "",
            rules=rules,
            hosts=(*store.domains, *rules.domains),
            unbookable=traces.unbookable,
            embed_on=store.embed.is_on,
            is_embed_deployed=store.embed.is_deployed,
            carried_at=traces.carried_at,
            pixel_id=store.pixel_id or "",
            storefront_fault=store.capture_fault or "",
            set_up_at=store.capture_checked_at,
            booked=traces.booked,
            reported=traces.reported,
            is_uncredited=traces.is_uncredited,
        )

    def _platform_url(self, store: Store) -> str:
        if store.platform == "shopify":
            return (self.shopify_admin or "https://{shop}").replace("{shop}", store.domain)
        return str(store.installation.get("api_url", f"https://{store.domain}"))

    def _refused(self, store: Store, last: datetime | None) -> datetime | None:
        """When a delivery was turned away since the last one that was taken."""
        refused = self.refusals.last(store.platform, store.domain)
        return refused if refused is not None and (last is None or refused > last) else None

    def _is_token_readable(self, store: Store) -> bool:
        try:
            self.stores.credentials(store.id)
        except Unreadable:
            return False
        return True


def is_reachable(app_url: str, platform_url: str) -> bool:
    """Whether a platform can deliver to an app at `app_url`: by https, or both are on one machine."""
    app, platform = urlsplit(app_url), urlsplit(platform_url)
    if is_loopback(platform.hostname or ""):
        return True
    return app.scheme == "https" and not is_loopback(app.hostname or "")
