"""The calls of a store's orders in a period, as far as they were taken or are due."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from impact_app.ledger.database import Database
from impact_app.ledger.outbox import Kind
from impact_app.ledger.tables import orders, steps

#: Accepted by impact.com, and written down to be sent.
REPORTED: Sequence[str] = ("accepted",)
DUE: Sequence[str] = ("pending", "in_flight")


@dataclass(frozen=True, slots=True)
class Exported:
    """One call. `conversion`: which of the order's conversions it is about; part 1 is the order's own."""

    conversion: tuple[int, int]
    kind: Kind
    form: tuple[tuple[str, str], ...]
    currency: str


def exported(
    database: Database,
    store_id: int,
    since: datetime,
    until: datetime,
    *,
    kinds: Collection[Kind],
    states: Collection[str],
) -> Iterator[Exported]:
    """Calls of orders placed from `since` up to, not including, `until`, in the order they were written."""
    query = (
        sa.select(steps)
        .join(orders, orders.c.id == steps.c.order_row_id)
        .where(orders.c.store_id == store_id, steps.c.store_id == store_id)
        .where(orders.c.placed_at >= since, orders.c.placed_at < until)
        .where(steps.c.kind.in_(kinds), steps.c.state.in_(states))
        .order_by(steps.c.id)
    )
    with database.read() as connection:
        for row in connection.execute(query):
            yield Exported(
                conversion=(row.order_row_id, row.part),
                kind=row.kind,
                form=tuple((name, value) for name, value in row.form),
                currency=row.outcome_reported["currency"],
            )
