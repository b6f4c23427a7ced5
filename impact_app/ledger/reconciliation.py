"""What a reconciliation remembers, and the conversions it holds against impact.com's list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from impact_app.domain.money import Money, zero
from impact_app.domain.plan import Reported
from impact_app.domain.verification import Action, Finding
from impact_app.ledger.codec import reported_from, reported_value
from impact_app.ledger.database import Database
from impact_app.ledger.tables import balances, conversions, orders, steps, stores
from impact_app.ledger.verification import action_values


@dataclass(frozen=True, slots=True)
class Booked:
    """A conversion that impact.com has accepted, with what is needed to hold it against the list.

    is_quiet   no call of its order is open
    """

    id: int
    order_row_id: int
    order_key: str
    number: str
    placed_at: datetime
    key: tuple[str, str]
    reported: Reported
    finding: Finding | None
    changed_at: datetime
    repairs: int
    is_quiet: bool


@dataclass(frozen=True, slots=True)
class Apart:
    """What a conversion should be worth, and what impact.com holds of it."""

    ours: Money
    theirs: Money


class Reconciliations:
    """How far each store was reconciled, and what is held against what."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def until(self, store_id: int) -> datetime | None:
        """The change up to which the store's orders were looked through; None: never."""
        query = sa.select(stores.c.reconciled_until).where(stores.c.id == store_id)
        with self._database.read() as connection:
            found: datetime | None = connection.scalar(query)
        return found

    def reached(self, store_id: int, until: datetime) -> None:
        """Remember how far it came; never less than before."""
        mine = stores.c.id == store_id
        earlier = sa.or_(stores.c.reconciled_until.is_(None), stores.c.reconciled_until < until)
        with self._database.write() as connection:
            connection.execute(sa.update(stores).where(mine, earlier).values(reconciled_until=until))

    def count(self, store_id: int, there: Mapping[date, int], now: datetime) -> None:
        """Write down how many orders the store says it has of each day."""
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        rows = [
            {"store_id": store_id, "day": day, "orders_there": orders, "counted_at": now}
            for day, orders in there.items()
        ]
        if not rows:
            return
        made = insert(balances).values(rows)
        kept = {name: getattr(made.excluded, name) for name in ("orders_there", "counted_at")}
        with self._database.write() as connection:
            connection.execute(made.on_conflict_do_update(index_elements=["store_id", "day"], set_=kept))

    def counted(self, store_id: int, first: date, last: date) -> dict[date, int]:
        """How many orders the store had of each day when it was last asked."""
        query = sa.select(balances.c.day, balances.c.orders_there).where(
            balances.c.store_id == store_id, balances.c.day.between(first, last)
        )
        with self._database.read() as connection:
            return {row.day: row.orders_there for row in connection.execute(query)}

    def booked(self, store_id: int, account_sid: str, since: datetime, until: datetime) -> list[Booked]:
        """The store's conversions to hold against the list, the oldest order first.

        Those of orders placed between two moments, both included; and older ones that were found to differ,
        as long as impact.com can change them.
        """
        can_change = sa.or_(conversions.c.locking_date.is_(None), conversions.c.locking_date > until)
        is_chosen = sa.or_(
            orders.c.placed_at.between(since, until),
            sa.and_(conversions.c.finding == Finding.DIFFERS.value, can_change),
        )
        open_step = sa.exists().where(
            steps.c.order_row_id == orders.c.id, steps.c.state.in_(("pending", "in_flight"))
        )
        query = (
            sa.select(conversions, orders.c.order_key, orders.c.number, orders.c.placed_at, open_step)
            .join(orders, orders.c.id == conversions.c.order_row_id)
            .where(orders.c.store_id == store_id, conversions.c.account_sid == account_sid)
            .where(is_chosen)
            .order_by(orders.c.placed_at, conversions.c.id)
        )
        with self._database.read() as connection:
            return [_booked(row) for row in connection.execute(query)]

    def drifted(self, store_id: int) -> list[Apart]:
        """What impact.com holds otherwise than it was reported, and is left to a person."""
        query = (
            sa.select(conversions)
            .join(orders, orders.c.id == conversions.c.order_row_id)
            .where(orders.c.store_id == store_id, conversions.c.finding == Finding.DRIFTED.value)
            .order_by(conversions.c.id)
        )
        with self._database.read() as connection:
            return [_apart(row) for row in connection.execute(query)]


def found(
    connection: sa.Connection,
    one: Booked,
    finding: Finding,
    detail: str,
    action: Action | None,
    now: datetime,
) -> bool:
    """Write down what a conversion was found to be; False where something was accepted of it meanwhile."""
    values: dict[str, Any] = {"finding": finding.value, "finding_detail": detail, "checked_at": now}
    if finding is Finding.CREDITED:
        values["repairs"] = 0
    if action is not None:
        values |= action_values(action)
    elif finding is Finding.DRIFTED:
        values["action_id"] = None
    _lock_order(connection, one)
    return bool(connection.execute(sa.update(conversions).where(*_as_seen(one)).values(**values)).rowcount)


def take_as_held(connection: sa.Connection, one: Booked, held: Reported, now: datetime) -> bool:
    """Go on from what impact.com really holds; False where something was accepted meanwhile."""
    _lock_order(connection, one)
    values = {
        "reported": reported_value(held),
        "repairs": one.repairs + 1,
        "changed_at": now,
        "checked_at": now,
    }
    return bool(connection.execute(sa.update(conversions).where(*_as_seen(one)).values(**values)).rowcount)


def go_on(connection: sa.Connection, order_row_id: int, part: int, held: Reported) -> None:
    """Take a drift as known: what differs still is set right once more, unless it is held as wanted."""
    connection.execute(
        sa.update(conversions)
        .where(conversions.c.order_row_id == order_row_id, conversions.c.part == part)
        .values(reported=reported_value(held), finding=Finding.CREDITED.value, finding_detail="", repairs=0)
    )


def _as_seen(one: Booked) -> Sequence[sa.ColumnElement[bool]]:
    return conversions.c.id == one.id, conversions.c.changed_at == one.changed_at


def _lock_order(connection: sa.Connection, one: Booked) -> None:
    connection.execute(sa.select(orders.c.id).where(orders.c.id == one.order_row_id).with_for_update())


def _apart(row: Any) -> Apart:
    ours = reported_from(row.reported).amount
    if row.action_id is None or row.action_state == "REVERSED":
        return Apart(ours, zero(ours.currency))
    return Apart(ours, Money(Decimal(row.action_amount), row.action_currency))


def _booked(row: sa.Row[tuple[object, ...]]) -> Booked:
    value = row._mapping
    return Booked(
        id=value["id"],
        order_row_id=value["order_row_id"],
        order_key=value["order_key"],
        number=value["number"],
        placed_at=value["placed_at"],
        key=(value["network_order_id"], value["event_type_id"]),
        reported=reported_from(value["reported"]),
        finding=None if value["finding"] is None else Finding(value["finding"]),
        changed_at=value["changed_at"],
        repairs=value["repairs"],
        is_quiet=not tuple(row)[-1],
    )
