"""How far a store has come on its way to the first booked order, each answered from few rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from impact_app.domain.alerts import Cause
from impact_app.domain.attribution import Carrier
from impact_app.domain.reasons import Reason, Verdict
from impact_app.ledger.database import Database
from impact_app.ledger.tables import alerts, conversions, deliveries, orders

#: So many of the latest orders are looked at, however many there are.
LATEST = 500

#: What the storefront itself wrote onto an order, no other record of the visit.
_BY_STOREFRONT = {Carrier.CART_ATTRIBUTE.value, Carrier.LINE_PROPERTY.value}


@dataclass(frozen=True, slots=True)
class Latest:
    """The latest orders of a store. `carried_at`: when the newest was placed that carries a click itself."""

    orders: int
    carried_at: datetime | None


@dataclass(frozen=True, slots=True)
class Followed:
    """Numbers of orders with a click, "" where there is none: one with an action, one that was accepted."""

    booked: str
    reported: str


class Progress:
    """Reads the facts of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def latest(self, store_id: int, since: datetime) -> Latest:
        """The latest orders that were placed since a moment."""
        query = (
            sa.select(orders.c.placed_at, orders.c.carrier)
            .where(orders.c.store_id == store_id, orders.c.placed_at >= since)
            .order_by(orders.c.placed_at.desc())
            .limit(LATEST)
        )
        with self._database.read() as connection:
            found = connection.execute(query).all()
        carried = (row.placed_at for row in found if row.carrier in _BY_STOREFRONT)
        return Latest(len(found), next(carried, None))

    def followed(self, store_id: int) -> Followed:
        """The newest of the latest reported orders that came with a click, and the newest with an action."""
        latest = (
            sa.select(orders.c.id, orders.c.number)
            .where(orders.c.store_id == store_id, orders.c.verdict == Verdict.REPORTED.value)
            .where(orders.c.click_id.is_not(None))
            .order_by(orders.c.id.desc())
            .limit(LATEST)
            .subquery()
        )
        query = (
            sa.select(latest.c.number, conversions.c.action_id)
            .join(conversions, sa.and_(conversions.c.order_row_id == latest.c.id, conversions.c.part == 1))
            .order_by(latest.c.id.desc())
        )
        with self._database.read() as connection:
            found = connection.execute(query).all()
        booked = (row.number for row in found if row.action_id)
        return Followed(next(booked, ""), next((row.number for row in found), ""))

    def unread_since(self, platform: str, domain: str) -> datetime | None:
        """When the oldest delivery came that nobody has looked into, None where there is none."""
        query = sa.select(sa.func.min(deliveries.c.received_at)).where(
            deliveries.c.state == "pending",
            deliveries.c.tries == 0,
            deliveries.c.platform == platform,
            deliveries.c.domain == domain,
        )
        with self._database.read() as connection:
            oldest: datetime | None = connection.scalar(query)
        return oldest

    def unbookable(self, store_id: int) -> int:
        """Orders that impact.com took, and could not book under their program and event type."""
        query = sa.select(sa.func.count()).where(
            orders.c.store_id == store_id,
            orders.c.verdict == Verdict.ATTENTION.value,
            orders.c.reason == Reason.PROGRAM_INVALID.value,
        )
        with self._database.read() as connection:
            return int(connection.scalar(query) or 0)

    def silence(self, store_id: int) -> str:
        """What the open alert about the store's silence says, "" where none is open."""
        query = sa.select(alerts.c.words).where(
            alerts.c.store_id == store_id,
            alerts.c.cause == Cause.SILENCE.value,
            alerts.c.over_at.is_(None),
        )
        with self._database.read() as connection:
            return str(connection.scalar(query) or "")
