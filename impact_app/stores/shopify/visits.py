"""The visits before an order, as Shopify has recorded them: landing pages with their query, and no script.

Needs the scope `read_orders` alone. What Shopify may record depends on the visitor's consent.
Source: Admin GraphQL reference 2026-10 (CustomerJourneySummary), seen 2026-11.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from impact_app.stores.shopify.documents import ORDER_VISITS
from impact_app.stores.shopify.products import Ask

#: Requested cost stays under the limit of 1,000 points.
ORDERS_A_CALL = 25

Node = Mapping[str, Any]


def visits(ask: Ask, order_keys: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...], bool]]:
    """Of each order its key, the first pages of its visits, the newest first, and whether that is all.

    An order that Shopify does not show is left out. Whatever `ask` raises passes.
    """
    known = [key for key in order_keys if key.isascii() and key.isdigit()]
    for start in range(0, len(known), ORDERS_A_CALL):
        asked = known[start : start + ORDERS_A_CALL]
        data = ask(ORDER_VISITS, {"ids": [f"gid://shopify/Order/{key}" for key in asked]})
        for node in data["nodes"]:
            if node:
                journey = node.get("customerJourneySummary")
                yield node["legacyResourceId"], _pages(journey), bool(journey and journey["ready"])


def _pages(journey: Node | None) -> tuple[str, ...]:
    if journey is None:
        return ()
    moments = (journey.get("moments") or {}).get("nodes") or ()
    seen = [visit for visit in (journey["lastVisit"], *moments, journey["firstVisit"]) if visit]
    placed = [(visit["occurredAt"], visit["landingPage"]) for visit in seen if visit.get("landingPage")]
    newest = sorted(placed, key=lambda one: str(one[0]), reverse=True)
    return tuple(dict.fromkeys(page for _, page in newest))
