"""Forgetting: what customers and platforms ask for, and what expires by itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from impact_app.domain.events import PrivacyAsked
from impact_app.domain.privacy import redacted
from impact_app.ledger import clicks
from impact_app.ledger.codec import order_from, order_text
from impact_app.ledger.database import Database
from impact_app.ledger.inbox import Claimed
from impact_app.ledger.stores import Store
from impact_app.ledger.tables import attempts, deliveries, orders, privacy_requests, steps, stores

#: Raw bodies are needed for a replay after a fault in reading; after this they go.
BODY_KEPT = timedelta(days=30)

#: Fields of a call that are about the customer.
_PERSONAL = {"CustomerId", "CustomerEmail", "CustomerStatus", "IpAddress", "UserAgent"}


def carry_out(
    connection: sa.Connection, one: Claimed, asked: PrivacyAsked, store: Store | None, now: datetime
) -> str:
    """Do what was asked, remember that it was, and say it in a sentence."""
    if asked.what == "redact_store":
        summary = _forget_store(connection, one, store)
    elif asked.what == "redact_customer":
        summary = _forget_customer(connection, one, asked, store)
    else:
        summary = _gather(connection, asked, store)
    # The request itself names the customer.
    connection.execute(sa.update(deliveries).where(deliveries.c.id == one.id).values(body=None))
    connection.execute(
        sa.insert(privacy_requests).values(
            platform=one.platform,
            domain=one.domain,
            topic=one.topic,
            order_keys=list(asked.order_keys),
            received_at=one.received_at,
            done_at=now,
            summary=summary,
        )
    )
    return summary


def expire_bodies(database: Database, now: datetime) -> int:
    """Take out raw bodies older than `BODY_KEPT` of deliveries that are settled; how many."""
    with database.write() as connection:
        expired = connection.execute(
            sa.update(deliveries)
            .where(deliveries.c.received_at < now - BODY_KEPT)
            .where(deliveries.c.body.is_not(None), deliveries.c.state != "pending")
            .values(body=None)
        )
    return expired.rowcount


def _forget_store(connection: sa.Connection, one: Claimed, store: Store | None) -> str:
    """Everything of a store that has left; one that came back since keeps its own."""
    if store is not None and store.state == "connected":
        return "The store is connected again; nothing was removed."
    connection.execute(
        sa.delete(deliveries).where(
            deliveries.c.platform == one.platform,
            deliveries.c.domain == one.domain,
            deliveries.c.id != one.id,
        )
    )
    if store is not None:
        connection.execute(sa.delete(stores).where(stores.c.id == store.id))
    return "Everything stored for the store was removed."


def _forget_customer(
    connection: sa.Connection, one: Claimed, asked: PrivacyAsked, store: Store | None
) -> str:
    rows = _orders(connection, asked, store)
    if store is not None and asked.order_keys:
        clicks.forget(connection, store.id, asked.order_keys)
    for row in rows:
        snapshot = order_text(redacted(order_from(row.snapshot)))
        connection.execute(
            sa.update(orders)
            .where(orders.c.id == row.id)
            .values(snapshot=snapshot, email_sha1=None, checkout_token=None, cart_token=None)
        )
        _forget_calls(connection, row.id)
    connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.platform == one.platform, deliveries.c.domain == one.domain)
        .where(deliveries.c.order_key.in_(asked.order_keys))
        .values(body=None)
    )
    return f"Personal data of {len(rows)} orders was removed; items and sums stay."


def _forget_calls(connection: sa.Connection, order_row_id: int) -> None:
    mine = steps.c.order_row_id == order_row_id
    for step in connection.execute(sa.select(steps.c.id, steps.c.form).where(mine)).all():
        form = [pair for pair in step.form if pair[0] not in _PERSONAL]
        connection.execute(sa.update(steps).where(steps.c.id == step.id).values(form=form))
        connection.execute(sa.update(attempts).where(attempts.c.step_id == step.id).values(answer=""))


def _gather(connection: sa.Connection, asked: PrivacyAsked, store: Store | None) -> str:
    """What is stored of these orders, in a sentence for the merchant who must answer the customer."""
    rows = _orders(connection, asked, store)
    numbers = ", ".join(row.number for row in rows) or "none"
    return (
        f"Stored of the orders asked for: {numbers}. Of each: items, sums, click id, the customer's id and a "
        "digest of the e-mail. Show them with `flask orders show`."
    )


def _orders(connection: sa.Connection, asked: PrivacyAsked, store: Store | None) -> list[Any]:
    if store is None or not asked.order_keys:
        return []
    query = sa.select(orders.c.id, orders.c.number, orders.c.snapshot).where(
        orders.c.store_id == store.id, orders.c.order_key.in_(asked.order_keys)
    )
    return list(connection.execute(query))
