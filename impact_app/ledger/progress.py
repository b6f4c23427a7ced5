"""How far a store has come on its way to the first booked order, each answered from few rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from impact_app.domain.alerts import Cause
from impact_app.domain.attribution import Carrier
from impact_app.domain.reasons import Reason, Verdict
from impact_app.ledger.database import Database
from impact_app.ledger.stores import Store
from impact_app.ledger.tables import accounts, alerts, conversions, deliveries, orders
from impact_app.ledger.watch import LOOKED_BACK

#: So many of the latest orders are looked at, however many there are.
LATEST = 500

#: What the storefront itself wrote onto an order, no other record of the visit.
_BY_STOREFRONT = {Carrier.CART_ATTRIBUTE.value, Carrier.LINE_PROPERTY.value}


@dataclass(frozen=True, slots=True)
class Traces:
    """What a store has left in the ledger.

    last_delivery     when something last arrived, None: nothing within the time that is looked back on
    unread_since      when the oldest delivery came that nobody has looked into
    silence           what the open alert about its silence says, "" where none is open
    held              why nothing of its account is sent, None: nothing stands against it
    unbookable        orders that impact.com took, and could not book under their program and event type
    orders            of the latest orders, how many were placed since the store was connected
    carried_at        when the newest of them was placed that carries a click itself
    booked, reported  numbers of the newest order with a click that has an action, and that was accepted; ""
    is_uncredited     whether impact.com has said of the latter that it credits no partner
    """

    last_delivery: datetime | None
    unread_since: datetime | None
    silence: str
    held: Reason | None
    unbookable: int
    orders: int
    carried_at: datetime | None
    booked: str
    reported: str
    is_uncredited: bool


class Progress:
    """Reads the traces of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, store: Store, now: datetime) -> Traces:
        with self._database.read() as connection:
            single = connection.execute(_single(store, now)).one()
            latest = connection.execute(_latest(store)).all()
            followed = connection.execute(_followed(store)).all()
        carried = (row.placed_at for row in latest if row.carrier in _BY_STOREFRONT)
        booked = (row.number for row in followed if row.action_id)
        return Traces(
            last_delivery=single.last_delivery,
            unread_since=single.unread_since,
            silence=single.silence or "",
            held=None if single.held is None else Reason(single.held),
            unbookable=single.unbookable,
            orders=len(latest),
            carried_at=next(carried, None),
            booked=next(booked, ""),
            reported=followed[0].number if followed else "",
            is_uncredited=bool(followed) and followed[0].reason == Reason.NOT_CREDITED.value,
        )


def _single(store: Store, now: datetime) -> sa.Select[Any]:
    """All that is one value each, in one query."""
    ours = deliveries.c.platform == store.platform, deliveries.c.domain == store.domain
    last = (
        sa.select(deliveries.c.received_at)
        .where(deliveries.c.received_at >= now - LOOKED_BACK, *ours)
        .order_by(deliveries.c.received_at.desc())
        .limit(1)
    )
    is_unread = deliveries.c.state == "pending", deliveries.c.tries == 0
    unread = sa.select(sa.func.min(deliveries.c.received_at)).where(*is_unread, *ours)
    is_silent = alerts.c.cause == Cause.SILENCE.value, alerts.c.over_at.is_(None)
    silence = sa.select(alerts.c.words).where(alerts.c.store_id == store.id, *is_silent).limit(1)
    held = sa.select(accounts.c.held_reason).where(accounts.c.sid == store.account_sid)
    unbookable = sa.select(sa.func.count()).where(
        orders.c.store_id == store.id,
        orders.c.verdict == Verdict.ATTENTION.value,
        orders.c.reason == Reason.PROGRAM_INVALID.value,
    )
    return sa.select(
        last.scalar_subquery().label("last_delivery"),
        unread.scalar_subquery().label("unread_since"),
        silence.scalar_subquery().label("silence"),
        held.scalar_subquery().label("held"),
        unbookable.scalar_subquery().label("unbookable"),
    )


def _latest(store: Store) -> sa.Select[Any]:
    return (
        sa.select(orders.c.placed_at, orders.c.carrier)
        .where(orders.c.store_id == store.id, orders.c.placed_at >= store.connected_at)
        .order_by(orders.c.placed_at.desc())
        .limit(LATEST)
    )


def _followed(store: Store) -> sa.Select[Any]:
    """The latest reported orders with a click, the newest at the front, with their actions."""
    latest = (
        sa.select(orders.c.id, orders.c.number, orders.c.reason)
        .where(orders.c.store_id == store.id, orders.c.verdict == Verdict.REPORTED.value)
        .where(orders.c.click_id.is_not(None))
        .order_by(orders.c.id.desc())
        .limit(LATEST)
        .subquery()
    )
    is_the_order = sa.and_(conversions.c.order_row_id == latest.c.id, conversions.c.part == 1)
    query = sa.select(latest.c.number, latest.c.reason, conversions.c.action_id).join(
        conversions, is_the_order
    )
    return query.order_by(latest.c.id.desc())
