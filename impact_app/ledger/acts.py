"""What people did by hand: who, when, and to which order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from impact_app.ledger.database import Database
from impact_app.ledger.tables import acts


class Act(StrEnum):
    """What can be done by hand."""

    #: not by hand: a state of an order that no delivery told of, found when the store was asked
    FIND = "find"
    REPLAY = "replay"
    RESEND = "resend"
    TAKE_BACK = "take_back"
    IGNORE = "ignore"
    REPLAY_GROUP = "replay_group"


@dataclass(frozen=True, slots=True)
class ActFile:
    """One thing that somebody did. `order_key` None: it was done to many orders at once, as `detail` says."""

    act: str
    by: str
    at: datetime
    order_key: str | None
    detail: str


class Acts:
    """Writes and reads what was done by hand in one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_order(self, store_id: int, order_key: str) -> list[ActFile]:
        """What was done to one order, the first at the front."""
        query = (
            sa.select(acts)
            .where(acts.c.store_id == store_id, acts.c.order_key == order_key)
            .order_by(acts.c.id)
        )
        with self._database.read() as connection:
            return [
                ActFile(row.act, row.by, row.at, row.order_key, row.detail)
                for row in connection.execute(query)
            ]

    def newest(self, store_id: int, order_key: str) -> int:
        """The newest thing that somebody did to one order; 0 for none."""
        with self._database.read() as connection:
            return newest(connection, store_id, order_key)


def newest(connection: sa.Connection, store_id: int, order_key: str) -> int:
    """The newest thing that a person did to one order; 0 for none."""
    query = sa.select(sa.func.max(acts.c.id)).where(
        acts.c.store_id == store_id, acts.c.order_key == order_key, acts.c.act != Act.FIND.value
    )
    return int(connection.scalar(query) or 0)


def record(
    connection: sa.Connection,
    store_id: int,
    act: Act,
    by: str,
    now: datetime,
    *,
    order_key: str | None = None,
    detail: str = "",
) -> None:
    """Write down an act in the transaction that carries it out."""
    connection.execute(
        sa.insert(acts).values(
            store_id=store_id, act=act.value, by=by[:255], at=now, order_key=order_key, detail=detail
        )
    )
