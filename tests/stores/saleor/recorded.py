"""Real deliveries of real Saleor servers, read in place; where they are missing a test says so."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

PAYLOADS = Path(__file__).parents[4] / "shared" / "reference" / "saleor-payloads"
ORDER_FILES = sorted(str(file.relative_to(PAYLOADS)) for file in PAYLOADS.glob("*/*/*-order_*.json"))


@dataclass(frozen=True)
class Recorded:
    """One delivery: its headers, and the bytes that were signed."""

    headers: dict[str, str]
    raw: bytes

    @property
    def topic(self) -> str:
        return self.headers["Saleor-Event"]

    @property
    def order(self) -> dict[str, Any]:
        """The order with its numbers as decimals, for a test's own arithmetic."""
        order: dict[str, Any] = json.loads(self.raw, parse_float=Decimal)["order"]
        return order


def delivery(name: str) -> Recorded:
    file = PAYLOADS / name
    if not file.exists():
        pytest.skip(f"The recorded delivery {name} is not on this machine; it is read in place.")
    held = json.loads(file.read_bytes())
    return Recorded(held["headers"], held["raw_body"].encode())


def jwks(version: str) -> dict[str, Any]:
    file = PAYLOADS / version / "jwks.json"
    if not file.exists():
        pytest.skip(f"The keys of Saleor {version} are not on this machine; they are read in place.")
    keys: dict[str, Any] = json.loads(file.read_bytes())
    return keys
