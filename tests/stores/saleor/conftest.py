"""A pretend Saleor and this app, each listening on loopback and allowed to reach the other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from werkzeug.serving import make_server

from impact_app import create_app
from impact_app.config import SaleorConfig
from impact_app.simulator.saleor.server import PretendSaleor, running_saleor
from tests.line import Bench

WEBHOOK_SECRET, OLDER_SECRET = "webhook-secret", "older-webhook-secret"


@pytest.fixture
def shop() -> Iterator[PretendSaleor]:
    with running_saleor() as running:
        yield running


@pytest.fixture
def app_url(bench: Bench, shop: PretendSaleor) -> Iterator[str]:
    """Where the app listens; the pretend Saleor may install it."""
    server = make_server("127.0.0.1", 0, create_app(bench.line), threaded=True)
    url = f"http://127.0.0.1:{server.port}"
    saleor = SaleorConfig((), (shop.url,), WEBHOOK_SECRET, OLDER_SECRET)
    bench.line.config = replace(bench.line.config, app_url=url, saleor=saleor)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield url
    server.shutdown()
    thread.join()
    server.server_close()
