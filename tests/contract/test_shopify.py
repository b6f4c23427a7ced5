"""Shopify keeps the contract of a platform."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from werkzeug.test import TestResponse

from impact_app.config import Config
from impact_app.simulator.shopify.admin import running_admin
from impact_app.simulator.shopify.orders import LineSpec, encode, refund
from impact_app.simulator.shopify.store import PretendStore
from tests.contract.platform import PlatformContract
from tests.line import PREVIOUS, SECRET, SHOP, Bench, Clock

_SECRETS = {"current": SECRET, "previous": PREVIOUS, "wrong": "a stranger's secret"}


class TestShopify(PlatformContract):
    secrets = (SECRET, PREVIOUS, "pretend-auth-token", "ada.buyer@example.com", "203.0.113.7", "click-1")

    pretend: PretendStore

    @pytest.fixture
    def config(self, config: Config, clock: Clock) -> Iterator[Config]:
        """The line, with an Admin API that answers it."""
        assert config.shopify is not None
        self.pretend = PretendStore(
            domain=SHOP, client_id="client-id", client_secret=SECRET, restore_rate=10_000.0, now=clock
        )
        with running_admin(self.pretend) as admin:
            yield replace(config, shopify=replace(config.shopify, admin_url=admin.admin_url))

    def connect(self, bench: Bench) -> None:
        code = self.pretend.tokens.code(self.pretend.scopes)
        bench.configure(bench.line.tokens.connect_with_code(SHOP, code))

    def keep(self, body: Mapping[str, Any]) -> None:
        self.pretend.add_order(dict(body))

    def deliver(
        self, bench: Bench, body: bytes, *, key: str = "one", secret: str = "current", topic: str = ""
    ) -> TestResponse:
        topic = topic or "orders/updated"
        if secret == "none":
            return bench.post(topic, body, Webhook_Id=key, Hmac_Sha256=None)
        return bench.post(topic, body, secret=_SECRETS[secret], Webhook_Id=key)

    def paid(self, bench: Bench, **changed: Any) -> Mapping[str, Any]:
        return bench.order(LineSpec(price=Decimal("50.00"), quantity=2), **changed)

    def changed(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return refund(dict(body), {body["line_items"][0]["id"]: 1})[1]

    def encoded(self, body: Mapping[str, Any]) -> bytes:
        return encode(dict(body))
