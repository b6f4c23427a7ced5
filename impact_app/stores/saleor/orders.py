"""Orders asked for at Saleor's API, each given as bytes that `reading.read_order` reads.

The documents select what the webhook's subscription does, so there is one reader of orders. Amounts are put
back into JSON digit by digit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from impact_app.stores.saleor import documents
from impact_app.stores.saleor.api import Ask
from impact_app.stores.saleor.documents import Version

#: Saleor gives at most 100 nodes a page; an order with its lines costs more than a plain node.
ORDERS_A_PAGE = 25


_encoder = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, slots=True)
class OrdersPage:
    """One page of a listing.

    count      how many orders the whole listing has; None where Saleor does not say
    orders     bodies for `read_order`, in the order asked for
    cursor     where the next page begins; None on the last
    greatest   the latest change seen on this page; None where it is empty
    """

    count: int | None
    orders: tuple[bytes, ...]
    cursor: str | None
    greatest: datetime | None


def fetch_order(ask: Ask, order_key: str, version: Version) -> bytes | None:
    """The order as it stands now; None where Saleor has none by this id. Whatever `ask` raises passes."""
    order = ask(documents.order_by_id(version), {"id": order_key})["order"]
    return None if order is None else _body(order)


def changed_orders(
    ask: Ask, since: datetime, until: datetime, version: Version, cursor: str | None = None
) -> Iterator[OrdersPage]:
    """Every order whose last change lies between two moments (both included), the oldest change first.

    `cursor` goes on after a page seen before with the same moments. An order that changes meanwhile may come
    twice, or only in a later listing. Whatever `ask` raises passes.
    """
    asked = {"gte": _stamp(since), "lte": _stamp(until)}
    yield from _pages(ask, documents.orders_changed(version), asked, cursor)


def placed_orders(
    ask: Ask, since: datetime, until: datetime, version: Version, cursor: str | None = None
) -> Iterator[OrdersPage]:
    """Every order placed between two moments, the oldest first.

    Before Saleor 3.22 whole days (UTC) are asked for, so the first and last may bring orders from outside.
    """
    write = _day if documents.takes_days(version) else _stamp
    asked = {"gte": write(since), "lte": write(until)}
    yield from _pages(ask, documents.orders_placed(version), asked, cursor)


def failed_orders(ask: Ask) -> dict[str, str]:
    """The orders in deliveries that Saleor has given up, by the delivery's id; the latest 100 a webhook.

    Saleor keeps those two weeks. A delivery without a body, or about something else, tells of no order.
    Whatever `ask` raises passes.
    """
    app = ask(documents.failed_deliveries(), {})["app"] or {}
    held = [hook["eventDeliveries"] or {} for hook in app.get("webhooks") or ()]
    nodes = [edge["node"] for deliveries in held for edge in deliveries.get("edges") or ()]
    given_up = [node for node in nodes if node.get("status") == "FAILED"]
    found = {str(node["id"]): _order_id(node.get("payload")) for node in given_up}
    return {delivery: order_id for delivery, order_id in found.items() if order_id}


def _pages(ask: Ask, document: str, asked: Mapping[str, str], cursor: str | None) -> Iterator[OrdersPage]:
    while True:
        page = ask(document, {"first": ORDERS_A_PAGE, "after": cursor, "range": asked})["orders"]
        nodes = [edge["node"] for edge in page["edges"]]
        info = page["pageInfo"]
        cursor = info["endCursor"] if info["hasNextPage"] else None
        changes = [datetime.fromisoformat(node["updatedAt"]) for node in nodes]
        bodies = tuple(_body(node) for node in nodes)
        yield OrdersPage(page.get("totalCount"), bodies, cursor, max(changes, default=None))
        if cursor is None:
            return


def _order_id(payload: object) -> str | None:
    try:
        named = json.loads(payload) if isinstance(payload, str) else None
        order_id = named["order"]["id"] if named else None
    except (ValueError, RecursionError, KeyError, TypeError):
        return None
    return order_id if isinstance(order_id, str) else None


def _body(order: Mapping[str, Any]) -> bytes:
    return _encoder.encode(order)


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).date().isoformat()
