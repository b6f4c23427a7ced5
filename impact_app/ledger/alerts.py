"""Alerts: raised once a cause and subject, kept while they last, closed when they are over.

`raise_` and `over` are called in the transaction that finds out. They queue nothing: who announces alerts
finds what nobody has been told of yet, so a message is queued once whoever raised the alert.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from impact_app.domain.alerts import Cause
from impact_app.ledger.database import Database
from impact_app.ledger.tables import alerts, stores

#: Alerts that are over and are still shown.
_SHOWN = 20

_LASTS = alerts.c.over_at.is_(None)


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing that is not as it should be. `over_at` None: it still is not. `money`: orders and amounts."""

    id: int
    store_id: int
    cause: Cause
    subject: str
    words: str
    money: str
    raised_at: datetime
    calm_since: datetime | None
    over_at: datetime | None


class Alerts:
    """Reads the alerts of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, store_id: int) -> list[Alert]:
        """What lasts, the oldest first."""
        with self._database.read() as connection:
            return open_of(connection, store_id)

    def untold_stores(self) -> list[int]:
        """The connected stores with an alert whose beginning or end nobody has been told of."""
        ended = sa.and_(alerts.c.over_at.is_not(None), alerts.c.over_told_at.is_(None))
        query = (
            sa.select(alerts.c.store_id)
            .distinct()
            .join(stores, stores.c.id == alerts.c.store_id)
            .where(stores.c.state == "connected", sa.or_(alerts.c.told_at.is_(None), ended))
            .order_by(alerts.c.store_id)
        )
        with self._database.read() as connection:
            return list(connection.scalars(query))

    def ended(self, store_id: int) -> list[Alert]:
        """The last ones that are over, the latest first."""
        query = (
            sa.select(alerts)
            .where(alerts.c.store_id == store_id, alerts.c.over_at.is_not(None))
            .order_by(alerts.c.over_at.desc(), alerts.c.id.desc())
            .limit(_SHOWN)
        )
        with self._database.read() as connection:
            return [_alert(row) for row in connection.execute(query)]


def open_of(connection: sa.Connection, store_id: int) -> list[Alert]:
    """What lasts in a store, the oldest first."""
    query = sa.select(alerts).where(alerts.c.store_id == store_id, _LASTS).order_by(alerts.c.id)
    return [_alert(row) for row in connection.execute(query)]


def raise_(
    connection: sa.Connection,
    store_id: int,
    cause: Cause,
    subject: str,
    words: str,
    money: str,
    now: datetime,
) -> bool:
    """Open an alert, or bring what an open one says up to date; whether it is new.

    `words` is a sentence in English; `money` the orders and amounts, such as "41 orders, 3,120.50 EUR".
    """
    said = {"words": words, "money": money, "calm_since": None}
    known = connection.execute(sa.update(alerts).where(*_one(store_id, cause, subject)).values(**said))
    if known.rowcount:
        return False
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    # Two who find out at once make one row.
    made = connection.execute(
        insert(alerts)
        .values(store_id=store_id, cause=cause.value, subject=subject[:255], raised_at=now, **said)
        .on_conflict_do_nothing()
    )
    return bool(made.rowcount)


def over(connection: sa.Connection, store_id: int, cause: Cause, subject: str, now: datetime) -> bool:
    """Close an alert; False where none is open."""
    closed = connection.execute(sa.update(alerts).where(*_one(store_id, cause, subject)).values(over_at=now))
    return bool(closed.rowcount)


def calm(connection: sa.Connection, store_id: int, cause: Cause, subject: str, now: datetime) -> None:
    """Remember since when an open alert's cause has looked well."""
    connection.execute(
        sa.update(alerts)
        .where(*_one(store_id, cause, subject), alerts.c.calm_since.is_(None))
        .values(calm_since=now)
    )


def untold(connection: sa.Connection, store_id: int, now: datetime) -> tuple[list[Alert], list[Alert]]:
    """Alerts whose beginning, and those whose end, nobody has been told of; from now on both count as told.

    One that was over before anybody heard of it is not worth a message.
    """
    mine = alerts.c.store_id == store_id
    unheard = mine, alerts.c.told_at.is_(None), alerts.c.over_at.is_not(None)
    connection.execute(sa.update(alerts).where(*unheard).values(told_at=now, over_told_at=now))
    begun = sa.update(alerts).where(mine, alerts.c.told_at.is_(None)).values(told_at=now)
    ended = (
        sa.update(alerts)
        .where(mine, alerts.c.over_at.is_not(None), alerts.c.over_told_at.is_(None))
        .values(over_told_at=now)
    )
    found = [connection.execute(query.returning(alerts)).all() for query in (begun, ended)]
    first, last = ([_alert(row) for row in sorted(rows, key=lambda row: row.id)] for rows in found)
    return first, last


def _one(store_id: int, cause: Cause, subject: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        alerts.c.store_id == store_id,
        alerts.c.cause == cause.value,
        alerts.c.subject == subject[:255],
        _LASTS,
    )


def _alert(row: Any) -> Alert:
    return Alert(
        id=row.id,
        store_id=row.store_id,
        cause=Cause(row.cause),
        subject=row.subject,
        words=row.words,
        money=row.money,
        raised_at=row.raised_at,
        calm_since=row.calm_since,
        over_at=row.over_at,
    )
