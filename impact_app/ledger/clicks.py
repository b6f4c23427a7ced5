"""Clicks that come beside orders: kept as they arrive, bounded in number, joined by tokens only.

One row for each checkout, cart or customer of a store, however often it is told of, so that what strangers
send can neither grow without end nor reach another store's orders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects import postgresql, sqlite

from impact_app.ledger.database import Database
from impact_app.ledger.tables import clicks, orders, stores

log = structlog.get_logger()

Kind = Literal["checkout", "cart", "customer"]

#: New rows of one store within an hour, and rows it has in all: what a stranger can make the disk hold.
HOURLY, IN_ALL = 5_000, 100_000

#: A click that no order came to is kept this long; one with an order, as long as impact.com takes the order.
UNJOINED_KEPT, JOINED_KEPT = timedelta(days=7), timedelta(days=90)

#: A click that found no order looks once more: the order's own transaction may have been under way.
LOOK_AGAIN = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Told:
    """A click as a storefront tells of it."""

    store_id: int
    kind: Kind
    key: str
    order_key: str | None
    click: str
    consent: str
    event: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Click:
    """A click as it is kept."""

    id: int
    kind: Kind
    key: str
    order_key: str | None
    click: str
    consent: str
    event: str
    received_at: datetime


class Clicks:
    """Clicks in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, batch: Sequence[Told]) -> None:
        """Keep a batch durably in one transaction; what would pass a store's bounds is left out.

        A newer click replaces an older one until the checkout is completed.
        """
        with self._database.write() as connection:
            room: dict[int, int] = {}
            # In one order whoever writes, so that two batches never wait for one another.
            for one in sorted(batch, key=lambda one: (one.store_id, one.kind, one.key)):
                left = room.get(one.store_id)
                room[one.store_id] = _room(connection, one) if left is None else left
                if room[one.store_id] <= 0:
                    log.warning("click.no_room", store=one.store_id)
                    continue
                room[one.store_id] -= 1
                keep(connection, one, one.received_at + UNJOINED_KEPT, look_at=one.received_at)

    def due(self, now: datetime, limit: int) -> list[tuple[int, int]]:
        """Store and row of clicks whose order is to be looked for, the oldest first."""
        query = (
            sa.select(clicks.c.store_id, clicks.c.id)
            .join(stores, stores.c.id == clicks.c.store_id)
            .where(clicks.c.look_at <= now, stores.c.state == "connected")
            .order_by(clicks.c.look_at, clicks.c.id)
        )
        with self._database.read() as connection:
            return [(row.store_id, row.id) for row in connection.execute(query.limit(limit))]

    def expire(self, now: datetime) -> int:
        """Remove what has had its time; how many."""
        has_order = sa.exists().where(
            orders.c.store_id == clicks.c.store_id,
            sa.or_(
                sa.and_(clicks.c.kind == "checkout", orders.c.checkout_token == clicks.c.key),
                sa.and_(clicks.c.kind == "cart", orders.c.cart_token == clicks.c.key),
            ),
        )
        is_over = sa.and_(clicks.c.expires_at < now, sa.not_(has_order))
        is_old = sa.and_(clicks.c.kind != "customer", clicks.c.received_at < now - JOINED_KEPT)
        with self._database.write() as connection:
            return connection.execute(sa.delete(clicks).where(sa.or_(is_over, is_old))).rowcount


def keep(
    connection: sa.Connection,
    one: Told,
    expires_at: datetime,
    *,
    look_at: datetime | None,
) -> None:
    """Write the one row of a checkout, cart or customer; a completed checkout's stays as it is."""
    completed_at = one.received_at if one.event == "checkout_completed" else None
    fresh = {
        "order_key": one.order_key,
        "click": one.click,
        "consent": one.consent,
        "event": one.event,
        "received_at": one.received_at,
        "completed_at": completed_at,
        "expires_at": expires_at,
        "look_at": look_at,
    }
    row = {"store_id": one.store_id, "kind": one.kind, "key": one.key, "first_at": one.received_at}
    insert: Any = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    connection.execute(
        insert(clicks)
        .values(**row, **fresh)
        .on_conflict_do_update(
            index_elements=["store_id", "kind", "key"],
            set_=fresh,
            where=sa.and_(clicks.c.completed_at.is_(None), clicks.c.received_at <= one.received_at),
        )
    )


def of_order(connection: sa.Connection, store_id: int, checkout_token: str, cart_token: str) -> list[Click]:
    """The clicks that a storefront told of an order's checkout and cart, the checkout's first."""
    tokens = [("checkout", checkout_token), ("cart", cart_token)]
    named = [
        sa.and_(clicks.c.store_id == store_id, clicks.c.kind == kind, clicks.c.key == token)
        for kind, token in tokens
        if token
    ]
    if not named:
        return []
    found = [_click(row) for row in connection.execute(sa.select(clicks).where(sa.or_(*named)))]
    return sorted(found, key=lambda one: one.kind, reverse=True)


def of_customer(connection: sa.Connection, store_id: int, customer_id: str) -> Click | None:
    """The click that the customer's latest order carried."""
    query = sa.select(clicks).where(
        clicks.c.store_id == store_id, clicks.c.kind == "customer", clicks.c.key == customer_id
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else _click(row)


def lock(connection: sa.Connection, store_id: int, click_id: int) -> Click | None:
    """A click whose order is to be looked for, kept from everybody else until the transaction ends."""
    row = connection.execute(
        sa.select(clicks)
        .where(clicks.c.store_id == store_id, clicks.c.id == click_id, clicks.c.look_at.is_not(None))
        .with_for_update()
    ).one_or_none()
    return None if row is None else _click(row)


def orders_of(connection: sa.Connection, store_id: int, click: Click) -> list[str]:
    """Platform ids of the orders that a click's checkout or cart became."""
    token = orders.c.checkout_token if click.kind == "checkout" else orders.c.cart_token
    query = sa.select(orders.c.order_key).where(orders.c.store_id == store_id, token == click.key)
    return [one.order_key for one in connection.execute(query.order_by(orders.c.id))]


def looked(connection: sa.Connection, store_id: int, click: Click, now: datetime, *, is_found: bool) -> None:
    """Note that a click's order was looked for; one that found none looks once more a little later."""
    is_last = is_found or now >= click.received_at + LOOK_AGAIN
    mine = sa.update(clicks).where(clicks.c.store_id == store_id, clicks.c.id == click.id)
    connection.execute(mine.values(look_at=None if is_last else click.received_at + LOOK_AGAIN))


def give_up(connection: sa.Connection, store_id: int, click_id: int) -> None:
    """Look for a click's order no more; it still counts whenever an order of its token is judged."""
    mine = sa.update(clicks).where(clicks.c.store_id == store_id, clicks.c.id == click_id)
    connection.execute(mine.values(look_at=None))


def next_look(connection: sa.Connection) -> datetime | None:
    """When the next click's order is to be looked for."""
    query = (
        sa.select(sa.func.min(clicks.c.look_at))
        .join(stores, stores.c.id == clicks.c.store_id)
        .where(clicks.c.look_at.is_not(None), stores.c.state == "connected")
    )
    found: datetime | None = connection.scalar(query)
    return found


def forget(connection: sa.Connection, store_id: int, order_keys: Sequence[str]) -> None:
    """Remove every click that was joined to one of these orders, or stored from it."""
    these = sa.select(orders.c.checkout_token, orders.c.cart_token).where(
        orders.c.store_id == store_id, orders.c.order_key.in_(order_keys)
    )
    tokens = [token for row in connection.execute(these) for token in row if token]
    connection.execute(
        sa.delete(clicks).where(
            clicks.c.store_id == store_id,
            sa.or_(clicks.c.order_key.in_(order_keys), clicks.c.key.in_(tokens)),
        )
    )


def _room(connection: sa.Connection, one: Told) -> int:
    """How many more rows a store may have now."""
    mine = sa.select(sa.func.count()).where(clicks.c.store_id == one.store_id)
    lately = connection.scalar(mine.where(clicks.c.first_at > one.received_at - timedelta(hours=1))) or 0
    return min(HOURLY - lately, IN_ALL - (connection.scalar(mine) or 0))


def _click(row: Any) -> Click:
    return Click(row.id, row.kind, row.key, row.order_key, row.click, row.consent, row.event, row.received_at)
