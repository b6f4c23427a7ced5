"""Saleor keeps the contract of a platform."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest
from werkzeug.test import TestResponse

from impact_app.simulator.saleor.deliveries import encode, event
from impact_app.simulator.saleor.keys import SigningKeys
from impact_app.simulator.saleor.orders import LineSpec, grant, refund
from impact_app.simulator.saleor.server import PretendSaleor, running_saleor
from tests.contract.platform import PlatformContract
from tests.line import Bench
from tests.stores.saleor.bench import connect, deliver, paid

_TOKEN = "an-app-token-of-thirty-letters"


class TestSaleor(PlatformContract):
    shop: PretendSaleor
    secrets = (_TOKEN, "pretend-auth-token", "buyer@example.com", "click-1")

    @pytest.fixture(autouse=True)
    def running(self) -> Iterator[None]:
        """The Saleor that the deliveries come from; it publishes both of its keys."""
        with running_saleor(PretendSaleor(keys=SigningKeys(["current", "previous"]))) as self.shop:
            yield

    def connect(self, bench: Bench) -> None:
        connect(bench, self.shop.keys.jwks()["keys"], token=_TOKEN, api_url=self.shop.api_url)

    def deliver(
        self, bench: Bench, body: bytes, *, key: str = "one", secret: str = "current", topic: str = ""
    ) -> TestResponse:
        return deliver(bench, body, key=secret, topic=topic or "order_updated", api_url=self.shop.api_url)

    def paid(self, bench: Bench, **changed: Any) -> Mapping[str, Any]:
        return paid(bench, LineSpec(price=Decimal("50.00"), quantity=2), **changed)

    def changed(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        granted = grant(dict(body), {0: 1})
        return refund(granted, granted["totalGrantedRefund"]["amount"])

    def keep(self, body: Mapping[str, Any]) -> None:
        self.shop.token = _TOKEN
        self.shop.keep(dict(body))

    def encoded(self, body: Mapping[str, Any]) -> bytes:
        return encode(event("order_updated", body))
