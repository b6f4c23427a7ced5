"""Signed deliveries over real HTTP, and the signature against a published HMAC-SHA256 value."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone

import pytest
from flask import Flask, Response, request
from werkzeug.serving import make_server

from impact_app.simulator.shopify import deliveries


@contextmanager
def receiver(answer: Response) -> Iterator[tuple[str, list[tuple[bytes, dict[str, str]]]]]:
    app, seen = Flask(__name__), []

    @app.post("/shopify/webhooks")
    def receive() -> Response:
        seen.append((request.get_data(), {name.lower(): value for name, value in request.headers.items()}))
        return answer

    server = make_server("127.0.0.1", 0, app)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}/shopify/webhooks", seen
    finally:
        server.shutdown()
        thread.join()


def test_the_signature_is_the_published_one() -> None:
    # RFC 4231, test case 2, there in hex: 5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843
    expected = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="
    assert deliveries.sign(b"what do ya want for nothing?", "Jefe") == expected


def test_a_delivery_arrives_with_its_headers_and_the_very_bytes() -> None:
    at = datetime(2026, 11, 20, 13, 5, 6, 789, tzinfo=timezone(timedelta(hours=1)))
    with receiver(Response("", 200)) as (url, seen):
        answer = deliveries.post(
            url,
            "orders/paid",
            "a.myshopify.com",
            '{"é":1}'.encode(),
            "hush",
            webhook_id="w-1",
            triggered_at=at,
        )
    assert answer.status_code == 200
    [(body, headers)] = seen
    assert body == '{"é":1}'.encode()
    assert headers["x-shopify-hmac-sha256"] == deliveries.sign(body, "hush")
    assert headers["x-shopify-topic"] == "orders/paid"
    assert headers["x-shopify-shop-domain"] == "a.myshopify.com"
    assert headers["x-shopify-api-version"] == "2026-10"
    assert headers["x-shopify-webhook-id"] == "w-1"
    assert headers["x-shopify-triggered-at"] == "2026-11-20T12:05:06.000789Z"
    assert headers["content-type"] == "application/json"


def test_each_delivery_has_its_own_ids_unless_it_is_a_repeat() -> None:
    one, two = (deliveries.headers("app/uninstalled", "a", b"{}", "hush") for _ in range(2))
    for name in ("X-Shopify-Webhook-Id", "X-Shopify-Event-Id"):
        assert one[name] != two[name]
    repeat = deliveries.headers("app/uninstalled", "a", b"{}", "hush", webhook_id=one["X-Shopify-Webhook-Id"])
    assert repeat["X-Shopify-Webhook-Id"] == one["X-Shopify-Webhook-Id"]
    moment = datetime.fromisoformat(one["X-Shopify-Triggered-At"])
    assert abs(datetime.now(UTC) - moment) < timedelta(seconds=5)


@pytest.mark.parametrize("status", [302, 401, 503])
def test_redirects_and_refusals_come_back_as_they_are(status: int) -> None:
    refusal = Response("", status, {"Location": "/elsewhere"})
    with receiver(refusal) as (url, seen):
        answer = deliveries.post(url, "orders/paid", "a.myshopify.com", b"{}", "hush")
    assert answer.status_code == status
    assert len(seen) == 1
