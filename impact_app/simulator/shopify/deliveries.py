"""Webhook deliveries as Shopify sends them: the headers, the signature, the POST."""

from __future__ import annotations

import base64
import hmac
import uuid
from datetime import UTC, datetime

import requests

API_VERSION = "2026-10"


def sign(body: bytes, secret: str) -> str:
    """The `X-Shopify-Hmac-Sha256` of a body: base64 of HMAC-SHA256 keyed with the app's client secret."""
    return base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()


def headers(
    topic: str,
    shop: str,
    body: bytes,
    secret: str,
    *,
    webhook_id: str | None = None,
    event_id: str | None = None,
    triggered_at: datetime | None = None,
    api_version: str = API_VERSION,
) -> dict[str, str]:
    """The headers of a delivery; a repeated delivery keeps its `webhook_id`, new ones are made when None.

    `shop` is the myshopify domain; `triggered_at` must know its zone and is sent in UTC.
    """
    moment = (triggered_at or datetime.now(UTC)).astimezone(UTC)
    return {
        "Content-Type": "application/json",
        "User-Agent": "Shopify-Captain-Hook",
        "X-Shopify-API-Version": api_version,
        "X-Shopify-Event-Id": event_id or str(uuid.uuid4()),
        "X-Shopify-Hmac-Sha256": sign(body, secret),
        "X-Shopify-Shop-Domain": shop,
        "X-Shopify-Topic": topic,
        "X-Shopify-Triggered-At": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "X-Shopify-Webhook-Id": webhook_id or str(uuid.uuid4()),
    }


def post(
    url: str,
    topic: str,
    shop: str,
    body: bytes,
    secret: str,
    *,
    webhook_id: str | None = None,
    event_id: str | None = None,
    triggered_at: datetime | None = None,
    api_version: str = API_VERSION,
    session: requests.Session | None = None,
    timeout: float = 5.0,
) -> requests.Response:
    """Send one delivery and give back the answer, which is not followed if it is a redirect.

    To Shopify a redirect is a failure; it waits five seconds in all (webhook guide, 2026). Raises
    requests.RequestException when no answer came.
    """
    signed = headers(
        topic,
        shop,
        body,
        secret,
        webhook_id=webhook_id,
        event_id=event_id,
        triggered_at=triggered_at,
        api_version=api_version,
    )
    send = session.post if session is not None else requests.post
    return send(url, data=body, headers=signed, timeout=timeout, allow_redirects=False)
