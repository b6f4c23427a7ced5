"""Conversions that are to be looked up: claimed for a while, and what came of it written down.

A claim is nothing but a later `check_at`: who dies holding one lets it run out, and the look is repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from impact_app.domain.plan import Reported
from impact_app.domain.reasons import EXPLANATIONS, Reason, Verdict
from impact_app.domain.verification import Action, Finding, Judgement, foremost, next_look
from impact_app.ledger import orders as order_rows
from impact_app.ledger.codec import reported_from
from impact_app.ledger.database import Database
from impact_app.ledger.outbox import IS_LIVE
from impact_app.ledger.tables import accounts, conversions, lookups, orders, steps, stores

#: Longer than any job works; after it a claim belongs to a process that died.
LEASE = timedelta(minutes=12)

#: Look-ups an account may make in any hour: a fifth of what impact.com allows, the rest is for postings.
LOOKUPS_AN_HOUR = 200
_HOUR = timedelta(hours=1)

#: Reasons that a finding may replace; any other says something that matters more.
_SETTLED = [
    reason.value
    for reason in (
        Reason.ACCEPTED,
        Reason.UNCHANGED,
        Reason.CREDITED,
        Reason.NOT_CREDITED,
        Reason.CONVERSION_INVALID,
        Reason.PROGRAM_INVALID,
    )
]


@dataclass(frozen=True, slots=True)
class Due:
    """A conversion that this process looks up now. `lease`: what its check_at is meanwhile."""

    id: int
    order_row_id: int
    store_id: int
    account_sid: str
    order_id: str
    event_type_id: str
    event_date: datetime
    queued_uri: str | None
    reported: Reported
    accepted_at: datetime
    checks: int
    finding: Finding | None
    lease: datetime

    @property
    def key(self) -> tuple[str, str]:
        """What an action is matched by: order id and event type."""
        return self.order_id, self.event_type_id


class Checks:
    """What is due to be looked up, and how much of an account's hour that may take."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, limit: int, now: datetime) -> list[Due]:
        """Take up to `limit` due conversions of one account that may be asked, the longest due first."""
        lease = now + LEASE
        with self._database.write() as connection:
            first = connection.scalar(_due(conversions.c.account_sid, now).limit(1))
            if first is None:
                return []
            chosen = _due(conversions.c.id, now).where(conversions.c.account_sid == first).limit(limit)
            ids = connection.scalars(chosen.with_for_update(of=conversions, skip_locked=True)).all()
            connection.execute(sa.update(conversions).where(conversions.c.id.in_(ids)).values(check_at=lease))
            rows = connection.execute(
                sa.select(conversions, orders.c.store_id, orders.c.placed_at)
                .join(orders, orders.c.id == conversions.c.order_row_id)
                .where(conversions.c.id.in_(ids))
                .order_by(orders.c.placed_at, conversions.c.id)
            ).all()
        return [_claimed(row, lease) for row in rows]

    def has_due(self, now: datetime) -> bool:
        """Whether anything is due of an account that may be asked."""
        with self._database.read() as connection:
            return connection.scalar(_due(conversions.c.id, now).limit(1)) is not None

    def look_soon(self, store_id: int, order_key: str, now: datetime) -> None:
        """Have an order's conversions looked up now; a look that somebody waits for does not count."""
        mine = sa.select(orders.c.id).where(orders.c.store_id == store_id, orders.c.order_key == order_key)
        # Nobody's lease lasts that long, so that nothing is taken from whoever looks just now.
        rests = conversions.c.check_at > now + LEASE
        counted = sa.case((conversions.c.checks > 0, conversions.c.checks - 1), else_=0)
        with self._database.write() as connection:
            connection.execute(
                sa.update(conversions)
                .where(conversions.c.order_row_id.in_(mine), rests)
                .values(check_at=now, checks=counted)
            )

    def release(self, claimed: Sequence[Due], until: datetime) -> None:
        """Give back what was not looked up after all; it does not count as a look."""
        self._move(claimed, check_at=until)

    def not_told(self, claimed: Sequence[Due], until: datetime, sentence: str) -> None:
        """Give back what impact.com would not tell of, with the reason for the order's page."""
        self._move(claimed, check_at=until, finding_detail=sentence)

    def _move(self, claimed: Sequence[Due], **values: Any) -> None:
        if not claimed:
            return
        mine = sa.select(conversions.c.id).where(
            conversions.c.id.in_([one.id for one in claimed]), conversions.c.check_at == claimed[0].lease
        )
        with self._database.write() as connection:
            # Who is being settled just now has a new date anyway.
            ids = connection.scalars(mine.with_for_update(skip_locked=True)).all()
            connection.execute(sa.update(conversions).where(conversions.c.id.in_(ids)).values(**values))

    def take(self, account_sid: str, now: datetime) -> datetime | None:
        """Take one look-up of the account's hour: None if it may be made now, else when to come back.

        Whatever is due to be posted goes first, and an account that is held or paused is not asked at all.
        """
        with self._database.write() as connection:
            _lock_account(connection, account_sid)
            if not connection.scalar(sa.select(_may_be_asked(sa.literal(account_sid), now))):
                return now
            return _count(connection, account_sid, now)

    def take_for_person(self, account_sid: str, now: datetime) -> datetime | None:
        """The same for a call that somebody waits for: it need not wait for postings or for a hold to end.

        A held account may be asked because what holds it is what the person is mending.
        """
        with self._database.write() as connection:
            _lock_account(connection, account_sid)
            resume = sa.select(accounts.c.resume_at).where(accounts.c.sid == account_sid)
            paused: datetime | None = connection.scalar(resume)
            if paused is not None and paused > now:
                return paused
            return _count(connection, account_sid, now)

    def found(self, one: Due, judgement: Judgement, action: Action | None, now: datetime) -> bool:
        """Write down what became of a conversion, and give its order the reason that follows.

        False where the claim was lost meanwhile: something else was accepted since, or somebody else looked.
        """
        values = {
            "finding": judgement.finding.value,
            "finding_detail": judgement.detail,
            "check_at": _again(one, judgement.finding, action, now),
            **(action_values(action) if action else {}),
            **({"repairs": 0} if judgement.finding is Finding.CREDITED else {}),
        }
        return self._write(one, values, now)

    def nothing_yet(self, one: Due, now: datetime, detail: str = "") -> bool:
        """Write down that impact.com has not got to it, and when to look again."""
        later = next_look(one.checks + 1, one.accepted_at, now)
        return self._write(one, {"check_at": later, "finding_detail": detail}, now)

    def _write(self, one: Due, values: dict[str, Any], now: datetime) -> bool:
        with self._database.write() as connection:
            # The order first, as whoever judges takes it: two who meet wait instead of tripping.
            connection.execute(
                sa.select(orders.c.id).where(orders.c.id == one.order_row_id).with_for_update()
            )
            written = connection.execute(
                sa.update(conversions)
                .where(conversions.c.id == one.id, conversions.c.check_at == one.lease)
                .values(**values, checks=one.checks + 1, checked_at=now)
            )
            if written.rowcount:
                if "partner_name" in values:
                    connection.execute(
                        sa.update(orders)
                        .where(orders.c.id == one.order_row_id)
                        .values(partner_name=values["partner_name"])
                    )
                tell_order(connection, one.order_row_id, now)
        return bool(written.rowcount)


def _again(one: Due, finding: Finding, action: Action | None, now: datetime) -> datetime | None:
    """When to look once more: while the action is not listed yet, or differs and can still be changed."""
    is_settled = finding not in {Finding.CREDITED, Finding.DIFFERS, Finding.DUPLICATE}
    if is_settled or (finding is Finding.CREDITED and action is not None):
        return None
    if action is not None and action.is_final(now):
        return None
    return next_look(one.checks + 1, one.accepted_at, now)


def action_values(action: Action) -> dict[str, Any]:
    return {
        "action_id": action.id,
        "partner_id": action.partner_id,
        "partner_name": action.partner_name,
        "action_state": action.state[:16],
        "action_amount": f"{action.amount:f}"[:40],
        "action_currency": action.currency[:8],
        "payout": f"{action.payout:f}"[:40],
        "locking_date": action.locking_date,
    }


def tell_order(connection: sa.Connection, row_id: int, now: datetime) -> None:
    told = foremost([one.read_back for one in order_rows.booked(connection, row_id)])
    current = connection.scalar(sa.select(orders.c.reason).where(orders.c.id == row_id))
    if told is None or current is None:
        return
    reason = told.instead_of(Reason.UNCHANGED if current in _SETTLED else Reason(current))
    if reason is not None:
        verdict = EXPLANATIONS[reason].verdict or Verdict.REPORTED
        order_rows.mark(connection, row_id, verdict, reason, told.words, now)


def _due(what: sa.Column[Any], now: datetime) -> sa.Select[Any]:
    """Due conversions whose account may be asked, and whose store still has that account."""
    return (
        sa.select(what)
        .join(orders, orders.c.id == conversions.c.order_row_id)
        .join(stores, stores.c.id == orders.c.store_id)
        .where(conversions.c.check_at <= now, stores.c.state == "connected")
        .where(stores.c.account_sid == conversions.c.account_sid, stores.c.auth_token.is_not(None))
        .where(_may_be_asked(conversions.c.account_sid, now))
        .order_by(conversions.c.check_at, conversions.c.id)
    )


def _may_be_asked(account_sid: sa.ColumnElement[str], now: datetime) -> sa.ColumnElement[bool]:
    """Neither held nor paused, and nothing to post that is due."""
    resting = sa.exists().where(
        accounts.c.sid == account_sid,
        sa.or_(accounts.c.held_reason.is_not(None), accounts.c.resume_at > now),
    )
    posting = sa.exists().where(
        steps.c.account_sid == account_sid,
        steps.c.state == "pending",
        steps.c.not_before <= now,
        steps.c.store_id == stores.c.id,
        stores.c.state == "connected",
        IS_LIVE,
    )
    return sa.not_(sa.or_(resting.correlate_except(accounts), posting.correlate_except(steps, stores)))


def _count(connection: sa.Connection, account_sid: str, now: datetime) -> datetime | None:
    """Take one of the hour's look-ups; when the next is free where none is left."""
    recent = lookups.c.account_sid == account_sid, lookups.c.at > now - _HOUR
    made, oldest = connection.execute(
        sa.select(sa.func.count(), sa.func.min(lookups.c.at)).where(*recent)
    ).one()
    if made >= LOOKUPS_AN_HOUR:
        free: datetime = oldest + _HOUR
        return free
    connection.execute(
        sa.delete(lookups).where(lookups.c.account_sid == account_sid, lookups.c.at <= now - _HOUR)
    )
    connection.execute(sa.insert(lookups).values(account_sid=account_sid, at=now))
    return None


def _lock_account(connection: sa.Connection, sid: str) -> None:
    """One worker at a time counts an account's hour."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    connection.execute(insert(accounts).values(sid=sid).on_conflict_do_nothing())
    connection.execute(sa.select(accounts.c.sid).where(accounts.c.sid == sid).with_for_update())


def _claimed(row: Any, lease: datetime) -> Due:
    return Due(
        id=row.id,
        order_row_id=row.order_row_id,
        store_id=row.store_id,
        account_sid=row.account_sid,
        order_id=row.network_order_id,
        event_type_id=row.event_type_id,
        event_date=row.placed_at,
        queued_uri=row.queued_uri,
        reported=reported_from(row.reported),
        accepted_at=row.accepted_at,
        checks=row.checks,
        finding=None if row.finding is None else Finding(row.finding),
        lease=lease,
    )
