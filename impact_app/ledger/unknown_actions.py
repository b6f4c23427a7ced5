"""Actions in impact.com's books that this app did not report, as they were last listed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import islice

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from impact_app.domain.takeover import Booking
from impact_app.domain.verification import Action
from impact_app.ledger.tables import conversions, unknown_actions

#: Values in one statement: SQLite takes 32,766, an action has twelve.
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Listed:
    """How many actions a listing held, how many of them this app had reported, and the calls it took."""

    actions: int
    ours: int
    calls: int = 0


def keep(
    connection: sa.Connection, account_sid: str, campaign_id: str, listed: Iterable[Action], now: datetime
) -> Listed:
    """Remember those of a campaign's actions that this app did not report; repeating it renews them."""
    seen = ours = 0
    for chunk in _chunks(listed):
        known = _reported(connection, account_sid, chunk)
        seen, ours = seen + len(chunk), ours + len(known)
        _resolve(connection, account_sid, known, now)
        others = [_values(account_sid, campaign_id, one, now) for one in chunk if one.id not in known]
        if others:
            _renew(connection, others)
    return Listed(seen, ours)


def bookings(
    connection: sa.Connection, account_sid: str, names: Sequence[str] | None = None
) -> list[Booking]:
    """What others reported under one of these order ids, or under any; the oldest first."""
    query = sa.select(unknown_actions).where(
        unknown_actions.c.account_sid == account_sid, unknown_actions.c.resolved_at.is_(None)
    )
    if names is not None:
        query = query.where(unknown_actions.c.network_order_id.in_(names))
    rows = connection.execute(query.order_by(unknown_actions.c.id))
    return [
        Booking(
            row.action_id,
            row.network_order_id,
            row.event_type_id,
            row.event_date,
            Decimal(row.amount),
            row.currency,
            row.state,
            row.partner_id,
        )
        for row in rows
    ]


def resolve(connection: sa.Connection, account_sid: str, action_id: str, now: datetime) -> None:
    """An action is ours from now on, and unknown no more."""
    _resolve(connection, account_sid, {action_id}, now)


def _chunks(listed: Iterable[Action]) -> Iterator[list[Action]]:
    rest = iter(listed)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk


def _reported(connection: sa.Connection, account_sid: str, chunk: Sequence[Action]) -> set[str]:
    """The actions that a conversion of ours became: by id, or by order id and event type."""
    rows = connection.execute(
        sa.select(conversions.c.action_id, conversions.c.network_order_id, conversions.c.event_type_id).where(
            conversions.c.account_sid == account_sid,
            sa.or_(
                conversions.c.action_id.in_([one.id for one in chunk]),
                conversions.c.network_order_id.in_([one.order_id for one in chunk]),
            ),
        )
    ).all()
    ids = {row.action_id for row in rows}
    named = {(row.network_order_id, row.event_type_id) for row in rows}
    return {one.id for one in chunk if one.id in ids or (one.order_id, one.event_type_id) in named}


def _resolve(connection: sa.Connection, account_sid: str, ids: set[str], now: datetime) -> None:
    if ids:
        connection.execute(
            sa.update(unknown_actions)
            .where(unknown_actions.c.account_sid == account_sid, unknown_actions.c.action_id.in_(ids))
            .where(unknown_actions.c.resolved_at.is_(None))
            .values(resolved_at=now)
        )


def _values(account_sid: str, campaign_id: str, one: Action, now: datetime) -> dict[str, object]:
    return {
        "account_sid": account_sid,
        "campaign_id": campaign_id,
        "action_id": one.id,
        "network_order_id": one.order_id,
        "event_type_id": one.event_type_id,
        "event_date": one.event_date,
        "amount": f"{one.amount:f}"[:40],
        "currency": one.currency[:8],
        "state": one.state[:16],
        "partner_id": one.partner_id,
        "first_seen": now,
        "last_seen": now,
    }


def _renew(connection: sa.Connection, rows: Sequence[dict[str, object]]) -> None:
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    made = insert(unknown_actions).values(rows)
    renewed = ("network_order_id", "event_date", "amount", "currency", "state", "partner_id", "last_seen")
    connection.execute(
        made.on_conflict_do_update(
            index_elements=["account_sid", "action_id"],
            set_={name: getattr(made.excluded, name) for name in renewed},
        )
    )
