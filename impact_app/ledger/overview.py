"""Counts of a store's orders, each answered from one index whatever the table holds."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from impact_app.domain.overview import Count, Overview
from impact_app.domain.reasons import Reason, Verdict
from impact_app.ledger.database import Database
from impact_app.ledger.tables import conversions, orders

#: Upper bounds of the classes of waiting time that are counted, in seconds.
WAITS = (60, 300, 3600, 86400)

#: Waiting times are told of so many orders.
SAMPLE = 1000


@dataclass(frozen=True, slots=True)
class Share:
    """What one partner or one promo code stands for. `net_minor`: in the currency's smallest unit."""

    name: str
    currency: str
    orders: int
    net_minor: int


class Overviews:
    """Counts the orders of one store in a span of days, its first and last day included (UTC)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, store_id: int, first: date, last: date) -> Overview:
        """Every order of the span, counted by day, verdict, reason, currency and carrier."""
        by = (orders.c.placed_on, orders.c.verdict, orders.c.reason, orders.c.currency, orders.c.carrier)
        with self._database.read() as connection:
            rows = connection.execute(_counted(*by).where(_within(store_id, first, last)).group_by(*by)).all()
        return Overview(first, last, tuple(_count(row) for row in rows))

    def partners(self, store_id: int, first: date, last: date, limit: int = 20) -> list[Share]:
        """The partners credited with most orders."""
        return self._shares(orders.c.partner_name, store_id, first, last, limit)

    def codes(self, store_id: int, first: date, last: date, limit: int = 20) -> list[Share]:
        """The promo codes reported with most orders."""
        return self._shares(orders.c.promo_code, store_id, first, last, limit)

    def waits(self, store_id: int) -> list[int]:
        """Of the latest `SAMPLE` reported orders, how many impact.com had accepted within each of `WAITS`.

        Counted from when they were heard of. One more class at the end holds those that took longer.
        """
        # By the day they were placed, which the index that holds all counts is sorted by: whatever else the
        # table holds, and however few of the store's orders are reported, rows are read for these alone.
        latest = (
            sa.select(orders.c.id)
            .where(orders.c.store_id == store_id, orders.c.verdict == Verdict.REPORTED.value)
            .order_by(orders.c.placed_on.desc(), orders.c.id.desc())
            .limit(SAMPLE)
            .subquery()
        )
        query = (
            sa.select(orders.c.created_at, conversions.c.accepted_at)
            .join(latest, latest.c.id == orders.c.id)
            .join(conversions, sa.and_(conversions.c.order_row_id == orders.c.id, conversions.c.part == 1))
        )
        found = [0] * (len(WAITS) + 1)
        with self._database.read() as connection:
            for row in connection.execute(query):
                found[bisect_left(WAITS, (row.accepted_at - row.created_at).total_seconds())] += 1
        return found

    def _shares(self, of: sa.Column[Any], store_id: int, first: date, last: date, limit: int) -> list[Share]:
        query = (
            _counted(of.label("name"), orders.c.currency)
            .where(_within(store_id, first, last), of.is_not(None))
            .group_by(of, orders.c.currency)
            .order_by(sa.desc("orders"), of)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [
                Share(row.name, row.currency, row.orders, int(row.net_minor or 0))
                for row in connection.execute(query)
            ]


def _counted(*by: sa.ColumnElement[Any]) -> sa.Select[Any]:
    return sa.select(*by, sa.func.count().label("orders"), sa.func.sum(orders.c.net_minor).label("net_minor"))


def _within(store_id: int, first: date, last: date) -> sa.ColumnElement[bool]:
    return sa.and_(orders.c.store_id == store_id, orders.c.placed_on.between(first, last))


def _count(row: Any) -> Count:
    return Count(
        day=row.placed_on,
        verdict=Verdict(row.verdict),
        reason=Reason(row.reason),
        currency=row.currency,
        carrier=row.carrier,
        orders=row.orders,
        net_minor=int(row.net_minor or 0),
    )
