"""Tests that people follow from a click to the booked action, always of one store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from impact_app.domain.trial import Trial
from impact_app.ledger.database import Database
from impact_app.ledger.tables import clicks, conversions, orders, stores, trials


@dataclass(frozen=True, slots=True)
class Seen:
    """A test with what has come of it.

    seen_at    when a storefront first told of its click; None: none did
    order_key  the first order since that carries the click; None: none does
    strays     (platform id, number) of the newest orders since without any click, while none carries this one
    """

    trial: Trial
    seen_at: datetime | None
    order_key: str | None
    strays: Sequence[tuple[str, str]]


class Trials:
    """Trials in SQL; the newest of a store is the one that is shown."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(
        self, store_id: int, after: int, click: str, link: str, by: str, now: datetime, *, is_own: bool
    ) -> bool:
        """Begin a test where `after` is the newest one, 0 for none; False where another was begun since."""
        newest = sa.select(sa.func.max(trials.c.id)).where(trials.c.store_id == store_id)
        row = {"store_id": store_id, "click": click, "is_own": is_own, "link": link, "by": by[:255]}
        with self._database.write() as connection:
            # Two who begin one at once do it one after the other, and the second sees the first one's.
            connection.execute(sa.select(stores.c.id).where(stores.c.id == store_id).with_for_update())
            if (connection.scalar(newest) or 0) != after:
                return False
            connection.execute(sa.insert(trials).values(**row, started_at=now, told={}))
        return True

    def newest(self, store_id: int) -> Seen | None:
        """The store's newest test; None where there is none."""
        query = sa.select(trials, _seen_at().label("seen_at"), _order_key().label("order_key"))
        query = query.where(trials.c.store_id == store_id).order_by(trials.c.id.desc()).limit(1)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
            if row is None:
                return None
            strays = [] if row.order_key else _strays(connection, store_id, row.started_at)
        return Seen(_trial(row), row.seen_at, row.order_key, strays)

    def take_look(self, store_id: int, trial: Trial, now: datetime) -> bool:
        """Note that impact.com is asked now; False where somebody else just did."""
        mine = trials.c.id == trial.id, trials.c.store_id == store_id
        before = trials.c.looked_at.is_not_distinct_from(trial.looked_at)
        with self._database.write() as connection:
            taken = connection.execute(sa.update(trials).where(*mine, before).values(looked_at=now))
        return bool(taken.rowcount)

    def save_told(self, store_id: int, trial_id: int, told: Mapping[str, Any]) -> None:
        mine = trials.c.id == trial_id, trials.c.store_id == store_id
        with self._database.write() as connection:
            connection.execute(sa.update(trials).where(*mine).values(told=dict(told)))

    def queued_uri(self, store_id: int, order_key: str) -> str | None:
        """Where impact.com tells what became of the order's conversion."""
        query = (
            sa.select(conversions.c.queued_uri)
            .join(orders, orders.c.id == conversions.c.order_row_id)
            .where(orders.c.store_id == store_id, orders.c.order_key == order_key, conversions.c.part == 1)
        )
        with self._database.read() as connection:
            return connection.scalar(query)


def _seen_at() -> sa.ScalarSelect[datetime]:
    return (
        sa.select(clicks.c.first_at)
        .where(
            clicks.c.store_id == trials.c.store_id,
            clicks.c.first_at >= trials.c.started_at,
            clicks.c.click == trials.c.click,
            clicks.c.kind.in_(("checkout", "cart")),
        )
        .order_by(clicks.c.first_at)
        .limit(1)
        .correlate(trials)
        .scalar_subquery()
    )


def _order_key() -> sa.ScalarSelect[str]:
    return (
        sa.select(orders.c.order_key)
        .where(
            orders.c.store_id == trials.c.store_id,
            orders.c.click_id == trials.c.click,
            orders.c.created_at >= trials.c.started_at,
        )
        .order_by(orders.c.id)
        .limit(1)
        .correlate(trials)
        .scalar_subquery()
    )


def _strays(connection: sa.Connection, store_id: int, since: datetime) -> list[tuple[str, str]]:
    query = (
        sa.select(orders.c.order_key, orders.c.number)
        .where(orders.c.store_id == store_id, orders.c.placed_at >= since, orders.c.click_id.is_(None))
        .order_by(orders.c.placed_at.desc(), orders.c.id.desc())
        .limit(3)
    )
    return [(row.order_key, row.number) for row in connection.execute(query)]


def _trial(row: Any) -> Trial:
    return Trial(
        id=row.id,
        click=row.click,
        is_own=row.is_own,
        link=row.link,
        by=row.by,
        started_at=row.started_at,
        looked_at=row.looked_at,
        told=row.told,
    )
