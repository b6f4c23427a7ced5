"""Webhook deliveries as a Saleor sends them: the event around an order, the headers, the signature."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from .keys import signature

VERSION = "3.23.28"
APP_ID = "QXBwOjE="


def event(name: str, order: Mapping[str, Any], issued_at: datetime | None = None) -> dict[str, Any]:
    """The body around an order; `name` as in `order_fully_paid`."""
    return {**_around(name, issued_at), "order": dict(order)}


def app_deleted(issued_at: datetime | None = None, app_id: str = APP_ID) -> dict[str, Any]:
    return {**_around("app_deleted", issued_at), "app": {"id": app_id}}


def _around(name: str, issued_at: datetime | None) -> dict[str, Any]:
    return {
        "__typename": name.title().replace("_", ""),
        "issuedAt": (issued_at or datetime.now(UTC)).astimezone(UTC).isoformat(),
        "version": VERSION,
        "issuingPrincipal": None,
        "recipient": {"id": APP_ID},
    }


def encode(body: Mapping[str, Any]) -> bytes:
    """JSON as Saleor writes it: ASCII, amounts as numbers."""
    return json.dumps(body, default=_number).encode()


def _number(value: object) -> float:
    assert isinstance(value, Decimal), value
    return float(value)


def headers(name: str, api_url: str, body: bytes, key: str = "current") -> dict[str, str]:
    """The headers of a delivery signed with the key of this name."""
    said = {
        "Event": name,
        "Domain": urlsplit(api_url).netloc,
        "Api-Url": api_url,
        "Signature": signature(body, key),
    }
    older = {f"X-Saleor-{header}": value for header, value in said.items() if header != "Api-Url"}
    newer = {f"Saleor-{header}": value for header, value in said.items()}
    user_agent = f"Saleor/{VERSION.rpartition('.')[0]}"
    return {"User-Agent": user_agent, "Content-Type": "application/json", **older, **newer}
