"""Shopify keeps the contract of a platform."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from werkzeug.test import TestResponse

from impact_app.simulator.shopify.orders import LineSpec, encode, refund
from tests.contract.platform import PlatformContract
from tests.line import PREVIOUS, SECRET, Bench

_SECRETS = {"current": SECRET, "previous": PREVIOUS, "wrong": "a stranger's secret"}


class TestShopify(PlatformContract):
    secrets = (SECRET, PREVIOUS, "pretend-auth-token", "ada.buyer@example.com", "203.0.113.7", "click-1")

    def connect(self, bench: Bench) -> None:
        bench.connect()

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
