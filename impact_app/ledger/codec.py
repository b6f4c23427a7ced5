"""Domain values as text for a column, and back, unchanged."""

from __future__ import annotations

from typing import Any

import msgspec

from impact_app.domain.orders import Order
from impact_app.domain.plan import Reported


def order_text(order: Order) -> str:
    return msgspec.json.encode(order).decode()


def order_from(text: str) -> Order:
    return msgspec.json.decode(text, type=Order)


def reported_value(reported: Reported) -> Any:
    return msgspec.to_builtins(reported)


def reported_from(value: Any) -> Reported:
    return msgspec.convert(value, Reported)
