"""The inbox: deliveries kept before anybody looks into them, claimed in turn, settled with their effect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from impact_app.domain.reasons import Reason
from impact_app.ledger.database import Database
from impact_app.ledger.tables import deliveries

#: A claim older than this belongs to a process that died.
STALE_CLAIM = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a platform handed over, signature checked, body not looked into."""

    platform: str
    domain: str
    topic: str
    delivery_key: str
    body: bytes
    received_at: datetime
    event_id: str | None = None
    api_version: str | None = None
    triggered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this process works on now."""

    id: int
    platform: str
    domain: str
    topic: str
    body: bytes
    received_at: datetime
    tries: int
    triggered_at: datetime | None = None


class Inbox:
    """Deliveries in SQL. `add` is safe to repeat: one delivery is one row, however often it comes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = sqlite.insert if database.is_sqlite else postgresql.insert
        # A repeat is recognised by the unique key; its row, settled or not, stays as it is.
        self._insert: Any = insert(deliveries).on_conflict_do_nothing()

    def add(self, batch: Sequence[Delivery]) -> None:
        """Keep a batch durably, in one transaction; when this returns, all of it is on disk."""
        with self._database.write() as connection:
            connection.execute(
                self._insert, [{**asdict(one), "not_before": one.received_at} for one in batch]
            )

    def claim(self, limit: int, now: datetime) -> list[Claimed]:
        """Take up to `limit` due deliveries, oldest first; nobody else gets them."""
        due = (
            sa.select(deliveries.c.id)
            .where(deliveries.c.state == "pending", deliveries.c.not_before <= now)
            .where(deliveries.c.claimed_at.is_(None))
            .order_by(deliveries.c.not_before, deliveries.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        taken = (
            sa.update(deliveries)
            .where(deliveries.c.id.in_(due))
            .values(claimed_at=now, tries=deliveries.c.tries + 1)
            .returning(deliveries)
        )
        with self._database.write() as connection:
            rows = connection.execute(taken).all()
        return sorted((_claimed(row) for row in rows), key=lambda one: one.id)

    def release(self, ids: Iterable[int], *, not_before: datetime, detail: str) -> None:
        """Give deliveries back, to be tried again later."""
        with self._database.write() as connection:
            connection.execute(
                sa.update(deliveries)
                .where(deliveries.c.id.in_(list(ids)), deliveries.c.state == "pending")
                .values(claimed_at=None, not_before=not_before, detail=detail)
            )

    def free_stale(self, now: datetime) -> int:
        """Give back what a dead process had claimed; how many."""
        with self._database.write() as connection:
            freed = connection.execute(
                sa.update(deliveries)
                .where(deliveries.c.state == "pending", deliveries.c.claimed_at < now - STALE_CLAIM)
                .values(claimed_at=None)
            )
        return freed.rowcount

    def next_stale(self) -> datetime | None:
        """When the oldest delivery being worked on counts as abandoned, or None if none is."""
        query = sa.select(sa.func.min(deliveries.c.claimed_at)).where(deliveries.c.state == "pending")
        with self._database.read() as connection:
            claimed: datetime | None = connection.scalar(query)
        return None if claimed is None else claimed + STALE_CLAIM

    def fate(self, platform: str, domain: str, delivery_key: str) -> tuple[str, str, str | None] | None:
        """State, detail and order of one delivery; None where it never came."""
        query = sa.select(deliveries).where(
            deliveries.c.platform == platform,
            deliveries.c.domain == domain,
            deliveries.c.delivery_key == delivery_key,
        )
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else (row.reason or row.state, row.detail or "", row.order_key)

    def has_due(self, now: datetime) -> bool:
        query = sa.select(deliveries.c.id).where(
            deliveries.c.state == "pending", deliveries.c.claimed_at.is_(None), deliveries.c.not_before <= now
        )
        with self._database.read() as connection:
            return connection.execute(query.limit(1)).first() is not None


def settle(
    connection: sa.Connection,
    delivery_id: int,
    reason: Reason,
    now: datetime,
    *,
    detail: str = "",
    order_key: str | None = None,
    parked: bool = False,
) -> None:
    """Close a delivery in the transaction that holds its effect; a parked one waits for its store."""
    connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.id == delivery_id)
        .values(
            state="parked" if parked else "settled",
            reason=reason.value,
            detail=detail,
            settled_at=now,
            claimed_at=None,
            order_key=order_key,
        )
    )


def _claimed(row: Any) -> Claimed:
    return Claimed(
        id=row.id,
        platform=row.platform,
        domain=row.domain,
        topic=row.topic,
        body=row.body or b"",
        received_at=row.received_at,
        tries=row.tries,
        triggered_at=row.triggered_at,
    )
