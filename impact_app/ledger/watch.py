"""What alerts are decided from, each answered for one store."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from impact_app.domain.alerts import Hour
from impact_app.domain.overview import NOT_FROM_A_VISIT, Capture, Total
from impact_app.domain.reasons import Reason, Verdict
from impact_app.ledger.codec import reported_from
from impact_app.ledger.database import Database
from impact_app.ledger.outbox import held_reason
from impact_app.ledger.tables import conversions, deliveries, orders

#: Orders of which impact.com has not been told what it should hold.
_UNSENT = orders.c.verdict.in_((Verdict.WAITING.value, Verdict.ATTENTION.value))


class Watch:
    """Reads the facts of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def held_reason(self, account_sid: str) -> Reason | None:
        """Why nothing of an account is sent, or None."""
        with self._database.read() as connection:
            return held_reason(connection, account_sid)

    def growing_old(self, store_id: int, since: datetime, until: datetime) -> Total:
        """Orders placed in this time that are not reported, and wait or are held up."""
        reported = sa.exists().where(conversions.c.order_row_id == orders.c.id)
        return self._orders(store_id, orders.c.placed_at.between(since, until), sa.not_(reported))

    def being_locked(self, store_id: int, since: datetime, until: datetime) -> Total:
        """Reported orders whose change waits or is held up, and that are locked in this time.

        Their money is what would be changed: what impact.com holds apart from what the order is worth.
        """
        locked = conversions.alias()
        is_near = sa.exists().where(
            locked.c.order_row_id == orders.c.id, locked.c.locking_date.between(since, until)
        )
        query = (
            sa.select(orders.c.id, orders.c.net_minor, orders.c.currency, conversions.c.reported)
            .join(conversions, conversions.c.order_row_id == orders.c.id)
            .where(orders.c.store_id == store_id, _UNSENT, is_near)
        )
        apart: dict[int, tuple[str, int]] = {}
        with self._database.read() as connection:
            for row in connection.execute(query):
                held = reported_from(row.reported).amount.rounded().minor
                before = apart.get(row.id, (row.currency, -(row.net_minor or 0)))[1]
                apart[row.id] = row.currency, before + held
        money: dict[str, int] = {}
        for currency, minor in apart.values():
            money[currency] = money.get(currency, 0) + abs(minor)
        return Total(len(apart), dict(sorted(money.items())))

    def last_delivery(self, platform: str, domain: str, since: datetime) -> datetime | None:
        """When the platform last delivered anything, None where that is before `since`."""
        query = (
            sa.select(deliveries.c.received_at)
            .where(deliveries.c.received_at >= since)
            .where(deliveries.c.platform == platform, deliveries.c.domain == domain)
            .order_by(deliveries.c.received_at.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            last: datetime | None = connection.scalar(query)
        return last

    def hours(self, store_id: int, since: datetime, until: datetime) -> list[Hour]:
        """The hours of a time in which orders were placed, the first at the front."""
        hour = self._hour().label("hour")
        query = (
            sa.select(hour, orders.c.currency, *_counted())
            .where(orders.c.store_id == store_id, orders.c.placed_at.between(since, until))
            .group_by(hour, orders.c.currency)
            .order_by(hour)
        )
        found: dict[datetime, list[Any]] = {}
        with self._database.read() as connection:
            for row in connection.execute(query):
                found.setdefault(_moment(row.hour), []).append(row)
        return [Hour(at, *_added(rows)) for at, rows in found.items()]

    def captured(self, store_id: int, since: datetime, until: datetime) -> tuple[Total, Capture]:
        """Of orders placed in a time that a visit could have brought: those without a click, and the rate."""
        query = (
            sa.select(orders.c.currency, orders.c.carrier.is_not(None).label("has_click"), *_counted())
            .where(orders.c.store_id == store_id, orders.c.placed_at.between(since, until))
            .where(orders.c.reason.not_in([reason.value for reason in NOT_FROM_A_VISIT]))
            .group_by(orders.c.currency, orders.c.carrier.is_not(None))
            .order_by(orders.c.currency)
        )
        with self._database.read() as connection:
            rows = list(connection.execute(query))
        without = Total(*_added([row for row in rows if not row.has_click]))
        every = sum(row.orders for row in rows)
        return without, Capture(every, every - without.orders)

    def _hour(self) -> sa.ColumnElement[Any]:
        if self._database.is_sqlite:
            return sa.func.strftime("%Y-%m-%d %H:00:00", orders.c.placed_at, type_=sa.Text)
        return sa.func.date_trunc("hour", orders.c.placed_at, "UTC", type_=sa.DateTime(timezone=True))

    def _orders(self, store_id: int, *where: sa.ColumnElement[bool]) -> Total:
        query = (
            sa.select(orders.c.currency, *_counted())
            .where(orders.c.store_id == store_id, _UNSENT, *where)
            .group_by(orders.c.currency)
            .order_by(orders.c.currency)
        )
        with self._database.read() as connection:
            return Total(*_added(list(connection.execute(query))))


def _counted() -> tuple[sa.ColumnElement[Any], ...]:
    return sa.func.count().label("orders"), sa.func.sum(orders.c.net_minor).label("net_minor")


def _added(rows: list[Any]) -> tuple[int, Mapping[str, int]]:
    return sum(row.orders for row in rows), {row.currency: int(row.net_minor or 0) for row in rows}


def _moment(value: str | datetime) -> datetime:
    """SQLite tells an hour as text, without its zone."""
    if isinstance(value, str):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    return value.astimezone(UTC)


#: Deliveries older than this say nothing of a store's rhythm any more.
LOOKED_BACK = timedelta(weeks=6)
