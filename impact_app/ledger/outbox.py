"""The outbox: one row for each call to make, written with the verdict, claimed, sent, settled by its receipt.

    pending ──claim──▶ in_flight ──accepted──▶ accepted
       ▲                  │ ├────rejected────▶ rejected      a person must act
       └──not_sent────────┘ └────for 72 hours▶ gave_up       a person must act
          uncertain, held

A step written in shadow mode is settled at once, as `shadow`: the call that would have been made.
A pending step that cannot have arrived may be `replaced` when its order changes; one that may have arrived
keeps its payload until impact.com has answered for it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from impact_app.domain.orders import Order
from impact_app.domain.plan import Reported
from impact_app.domain.reasons import Reason, Verdict
from impact_app.domain.receipts import PATIENCE, Outcome, Receipt, wait
from impact_app.domain.verification import next_look
from impact_app.ledger.codec import order_from, reported_from, reported_value
from impact_app.ledger.database import Database
from impact_app.ledger.tables import accounts, attempts, conversions, orders, steps, stores

#: A claim older than this belongs to a process that died; longer than any call may take.
STALE_CLAIM = timedelta(seconds=50)

Kind = Literal["submit", "modify", "reverse", "restore"]


@dataclass(frozen=True, slots=True)
class NewStep:
    """A call to make, frozen. `result` is what impact.com holds of this part once it has accepted.

    `rules_version` planned it, and goes on judging what it reports.
    """

    kind: Kind
    method: str
    path: str
    form: Sequence[tuple[str, str]]
    result: Reported
    rules_version: int
    part: int = 1


@dataclass(frozen=True, slots=True)
class ClaimedStep:
    """A step that this process sends now. `claim` tells one claim from the next."""

    id: int
    store_id: int
    order_row_id: int
    order_key: str
    account_sid: str
    part: int
    kind: Kind
    method: str
    path: str
    form: tuple[tuple[str, str], ...]
    tries: int
    trying_since: datetime
    claim: str


@dataclass(frozen=True, slots=True)
class OpenStep:
    """The step of an order that is not settled yet, or the last one that was refused."""

    id: int
    state: str
    form: list[list[str]]
    method: str
    path: str
    account_sid: str
    reason: str | None
    detail: str
    may_have_arrived: bool


class Outbox:
    """Steps in SQL, and when each account may call."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, limit: int, now: datetime, claim: str) -> list[ClaimedStep]:
        """Take up to `limit` due steps, the stores in turn, leaving out accounts that are held or paused."""
        # Looked for without holding up writers; taking is conditional, so who comes second gets fewer.
        with self._database.read() as connection:
            ids = _due(connection, limit, now)
        if not ids:
            return []
        with self._database.write() as connection:
            taken = (
                sa.update(steps)
                .where(steps.c.id.in_(ids), steps.c.state == "pending")
                .values(state="in_flight", claimed_at=now, claimed_by=claim)
                .returning(steps.c.id)
            )
            mine = connection.scalars(taken).all()
            rows = connection.execute(
                sa.select(steps, orders.c.order_key)
                .join(orders, orders.c.id == steps.c.order_row_id)
                .where(steps.c.id.in_(mine))
            ).all()
        rank = {step_id: at for at, step_id in enumerate(ids)}
        return sorted((_claimed(row) for row in rows), key=lambda one: rank[one.id])

    def release(self, claimed: Sequence[ClaimedStep]) -> None:
        """Give back steps that were not sent after all; it does not count as a try."""
        with self._database.write() as connection:
            connection.execute(
                sa.update(steps)
                .where(steps.c.id.in_([one.id for one in claimed]), steps.c.state == "in_flight")
                .values(state="pending", claimed_at=None, claimed_by=None)
            )

    def free_stale(self, now: datetime) -> int:
        """Give back what a dead process was sending; each may have arrived. How many."""
        stale = steps.c.state == "in_flight", steps.c.claimed_at < now - STALE_CLAIM
        with self._database.write() as connection:
            rows = connection.execute(sa.select(steps.c.id, steps.c.claimed_at).where(*stale)).all()
            for row in rows:
                _record(connection, row.id, row.claimed_at, now, _INTERRUPTED)
            connection.execute(
                sa.update(steps)
                .where(*stale)
                .values(
                    state="pending",
                    claimed_at=None,
                    claimed_by=None,
                    tries=steps.c.tries + 1,
                    may_have_arrived=True,
                    reason=Reason.INTERRUPTED.value,
                )
            )
        return len(rows)

    def next_stale(self) -> datetime | None:
        """When the oldest call on its way counts as lost, or None if none is."""
        query = sa.select(sa.func.min(steps.c.claimed_at)).where(steps.c.state == "in_flight")
        with self._database.read() as connection:
            claimed: datetime | None = connection.scalar(query)
        return None if claimed is None else claimed + STALE_CLAIM

    def next_due(self, now: datetime) -> datetime | None:
        """When the next pending step may be sent, or None if none waits."""
        when = sa.case(
            (
                sa.and_(accounts.c.resume_at.is_not(None), accounts.c.resume_at > steps.c.not_before),
                accounts.c.resume_at,
            ),
            else_=steps.c.not_before,
        )
        query = (
            sa.select(when)
            .select_from(_FROM)
            .where(steps.c.state == "pending", *_MAY_CALL)
            .order_by(when)
            .limit(1)
        )
        with self._database.read() as connection:
            moment: datetime | None = connection.scalar(query)
        return None if moment is None else max(moment, now)

    def pause(self, account_sid: str, until: datetime) -> None:
        """Let an account rest until its next hour begins."""
        with self._database.write() as connection:
            _account(connection, account_sid, resume_at=until)


_INTERRUPTED = Receipt(Outcome.UNCERTAIN, Reason.INTERRUPTED, "The program stopped while it was sending.")


#: A step with its store and its account, which may not have been heard of yet.
_FROM = steps.join(stores, stores.c.id == steps.c.store_id).outerjoin(
    accounts, accounts.c.sid == steps.c.account_sid
)
#: Nothing of a store in shadow mode is sent, not even what was written before it was switched there.
IS_LIVE = sa.func.trim(sa.func.coalesce(stores.c.rules["mode"].as_string(), "live")) != "shadow"
_MAY_CALL = stores.c.state == "connected", accounts.c.held_reason.is_(None), IS_LIVE


def _due(connection: sa.Connection, limit: int, now: datetime) -> list[int]:
    """Due steps: each store's first, then each store's second, and so on; nobody waits behind a crowd.

    What a store has in flight counts as its first ones, so that a place that becomes free goes to whoever
    has the fewest.
    """
    is_due = sa.and_(steps.c.state == "pending", steps.c.not_before <= now)
    under_way_first = sa.case((steps.c.state == "in_flight", 0), else_=1)
    turn = sa.func.row_number().over(
        partition_by=steps.c.store_id, order_by=(under_way_first, steps.c.not_before, steps.c.id)
    )
    open_ones = (
        sa.select(steps.c.id, steps.c.state, steps.c.not_before, turn.label("turn"))
        .select_from(_FROM)
        .where(sa.or_(steps.c.state == "in_flight", is_due), *_MAY_CALL)
        .where(sa.or_(accounts.c.resume_at.is_(None), accounts.c.resume_at <= now))
        .subquery()
    )
    query = (
        sa.select(open_ones.c.id)
        .where(open_ones.c.state == "pending")
        .order_by(open_ones.c.turn, open_ones.c.not_before, open_ones.c.id)
        .limit(limit)
    )
    return list(connection.scalars(query))


def open_step(connection: sa.Connection, order_row_id: int) -> OpenStep | None:
    """The newest step of an order unless it was accepted or replaced; one in shadow counts as open."""
    row = connection.execute(
        sa.select(steps).where(steps.c.order_row_id == order_row_id).order_by(steps.c.id.desc()).limit(1)
    ).one_or_none()
    if row is None or row.state in {"accepted", "replaced"}:
        return None
    return OpenStep(
        id=row.id,
        state=row.state,
        form=row.form,
        method=row.method,
        path=row.path,
        account_sid=row.account_sid,
        reason=row.reason,
        detail=row.detail,
        may_have_arrived=row.may_have_arrived,
    )


def write(
    connection: sa.Connection,
    store_id: int,
    order_row_id: int,
    account_sid: str,
    step: NewStep,
    now: datetime,
    *,
    in_shadow: bool = False,
) -> None:
    """Put a call into the outbox, due at once; in shadow mode it is kept and never due.

    This is the one place where a call begins, so the mode is looked up here whoever asks.
    """
    is_live = connection.scalar(sa.select(IS_LIVE).where(stores.c.id == store_id))
    state = "pending" if is_live and not in_shadow else "shadow"
    connection.execute(
        sa.insert(steps).values(
            store_id=store_id,
            order_row_id=order_row_id,
            account_sid=account_sid,
            part=step.part,
            kind=step.kind,
            method=step.method,
            path=step.path,
            form=[list(pair) for pair in step.form],
            outcome_reported=reported_value(step.result),
            rules_version=step.rules_version,
            state=state,
            settled_at=now if state == "shadow" else None,
            created_at=now,
            not_before=now,
            trying_since=now,
        )
    )


def repeat(connection: sa.Connection, order_row_id: int, account_sid: str, now: datetime) -> bool:
    """Put the call that reported an order into the outbox once more; False where none is kept."""
    row = connection.execute(
        sa.select(steps)
        .where(steps.c.order_row_id == order_row_id, steps.c.account_sid == account_sid)
        .where(steps.c.kind == "submit", steps.c.part == 1, steps.c.state == "accepted")
        .order_by(steps.c.id.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return False
    result = reported_from(row.outcome_reported)
    step = NewStep("submit", row.method, row.path, row.form, result, row.rules_version)
    write(connection, row.store_id, order_row_id, account_sid, step, now)
    return True


def shadow_calls(
    connection: sa.Connection, store_id: int, since: datetime, until: datetime
) -> list[tuple[Order, Reported]]:
    """Orders of a time judged in shadow mode, each with what impact.com would hold of it."""
    rows = connection.execute(
        sa.select(orders.c.snapshot, steps.c.outcome_reported)
        .join(steps, steps.c.order_row_id == orders.c.id)
        .where(orders.c.store_id == store_id, orders.c.reason == Reason.SHADOW.value)
        .where(orders.c.placed_at >= since, orders.c.placed_at <= until, steps.c.state == "shadow")
        .order_by(orders.c.id)
    )
    return [(order_from(row.snapshot), reported_from(row.outcome_reported)) for row in rows]


def replace(connection: sa.Connection, step_id: int, now: datetime) -> bool:
    """Take a step out that nobody is sending; False if somebody just began to."""
    taken = connection.execute(
        sa.update(steps)
        .where(steps.c.id == step_id, steps.c.state.in_(("pending", "rejected", "gave_up", "shadow")))
        .values(state="replaced", settled_at=now, claimed_at=None, claimed_by=None)
    )
    return bool(taken.rowcount)


def renew_patience(connection: sa.Connection, store_id: int, now: datetime) -> None:
    """Make everything a store has waiting due now, as when its credentials work again."""
    connection.execute(
        sa.update(steps)
        .where(steps.c.store_id == store_id, steps.c.state == "pending")
        .values(not_before=now, trying_since=now, reason=None, detail="")
    )


def held_reason(connection: sa.Connection, account_sid: str) -> Reason | None:
    """Why nothing of an account is sent until a person acts, or None."""
    value = connection.scalar(sa.select(accounts.c.held_reason).where(accounts.c.sid == account_sid))
    return None if value is None else Reason(value)


def revive(connection: sa.Connection, step_id: int, now: datetime) -> None:
    """Make a refused or given-up step due again, as it was."""
    connection.execute(
        sa.update(steps)
        .where(steps.c.id == step_id, steps.c.state.in_(("pending", "rejected", "gave_up")))
        .values(state="pending", not_before=now, trying_since=now, settled_at=None, reason=None, detail="")
    )


def settle(
    connection: sa.Connection,
    claimed: ClaimedStep,
    receipt: Receipt,
    started_at: datetime,
    now: datetime,
    chance: random.Random,
) -> str | None:
    """Write down what became of a call; the step's new state, or None if the claim was lost meanwhile.

    An acceptance counts even then: it tells what impact.com holds.
    """
    # The order before its step, as whoever judges takes them: two who meet wait instead of tripping.
    connection.execute(sa.select(orders.c.id).where(orders.c.id == claimed.order_row_id).with_for_update())
    _record(connection, claimed.id, started_at, now, receipt)
    if receipt.holds:
        _hold(connection, claimed.account_sid, receipt, now, chance)
    values = _after(claimed, receipt, now, chance)
    mine = [steps.c.id == claimed.id]
    if receipt.outcome is Outcome.ACCEPTED:
        mine.append(steps.c.state.in_(("pending", "in_flight")))
    else:
        mine.append(steps.c.claimed_by == claimed.claim)
    written = connection.execute(
        sa.update(steps)
        .where(*mine)
        .values(**values, claimed_at=None, claimed_by=None, tries=steps.c.tries + 1)
        .returning(steps.c.outcome_reported, steps.c.rules_version)
    ).one_or_none()
    if written is None:
        return None
    if receipt.outcome is Outcome.ACCEPTED:
        reported = reported_from(written.outcome_reported)
        _acknowledge(connection, claimed, reported, written.rules_version, receipt, now)
    return str(values["state"])


def _after(claimed: ClaimedStep, receipt: Receipt, now: datetime, chance: random.Random) -> dict[str, Any]:
    said: dict[str, Any] = {"reason": receipt.reason.value, "detail": receipt.detail}
    if receipt.outcome is Outcome.ACCEPTED:
        return {**said, "state": "accepted", "settled_at": now}
    if receipt.holds:
        # The account waits, not the order: it is due as soon as the account may call again.
        return {**said, "state": "pending", "not_before": now}
    if receipt.outcome is Outcome.REJECTED:
        return {**said, "state": "rejected", "settled_at": now}
    if receipt.outcome is Outcome.UNCERTAIN:
        said["may_have_arrived"] = True
    if now - claimed.trying_since >= PATIENCE:
        return {**said, "state": "gave_up", "reason": Reason.GAVE_UP.value, "settled_at": now}
    due = now + wait(claimed.tries + 1, chance, receipt.retry_after)
    return {**said, "state": "pending", "not_before": due}


def _hold(
    connection: sa.Connection, sid: str, receipt: Receipt, now: datetime, chance: random.Random
) -> None:
    if receipt.outcome is Outcome.REJECTED:
        _account(connection, sid, held_reason=receipt.reason.value, held_at=now)
        _tell(connection, sid, receipt.reason, now)
    else:
        pause = receipt.retry_after if receipt.retry_after is not None else 60.0
        _account(connection, sid, resume_at=now + timedelta(seconds=pause + chance.uniform(0, 1)))


def _tell(connection: sa.Connection, sid: str, reason: Reason, now: datetime) -> None:
    """Every order that waits for the account says what it waits for, not only the one that was refused."""
    waiting = sa.select(steps.c.order_row_id).where(steps.c.account_sid == sid, steps.c.state == "pending")
    connection.execute(
        sa.update(orders)
        .where(orders.c.id.in_(waiting))
        .values(verdict=Verdict.ATTENTION.value, reason=reason.value, detail="", judged_at=now)
    )


def _account(connection: sa.Connection, sid: str, **values: Any) -> None:
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    connection.execute(
        insert(accounts).values(sid=sid, **values).on_conflict_do_update(index_elements=["sid"], set_=values)
    )


def _record(
    connection: sa.Connection, step_id: int, started_at: datetime, ended_at: datetime, receipt: Receipt
) -> None:
    connection.execute(
        sa.insert(attempts).values(
            step_id=step_id,
            started_at=started_at,
            ended_at=ended_at,
            outcome=receipt.outcome.value,
            reason=receipt.reason.value,
            detail=receipt.detail,
            status=receipt.status,
            answer=receipt.answer,
        )
    )


def _acknowledge(
    connection: sa.Connection,
    claimed: ClaimedStep,
    reported: Reported,
    rules_version: int | None,
    receipt: Receipt,
    now: datetime,
) -> None:
    """Remember what impact.com now holds of the order, and when to look what it made of it."""
    values: dict[str, Any] = {
        "reported": reported_value(reported),
        "changed_at": now,
        "check_at": next_look(0, now, now),
        "checks": 0,
    }
    if claimed.kind == "submit":
        values.update(_submitted(claimed, reported, rules_version, receipt, now))
    else:
        values["changes"] = conversions.c.changes + 1
    found = connection.execute(
        sa.update(conversions)
        .where(conversions.c.order_row_id == claimed.order_row_id, conversions.c.part == claimed.part)
        .values(**values)
    )
    if not found.rowcount:
        submitted = _submitted(claimed, reported, rules_version, receipt, now)
        whole = {"order_row_id": claimed.order_row_id, "part": claimed.part, **values, **submitted}
        connection.execute(sa.insert(conversions).values(**whole))


def _submitted(
    claimed: ClaimedStep, reported: Reported, rules_version: int | None, receipt: Receipt, now: datetime
) -> dict[str, Any]:
    """What a submission begins anew: whatever was found of an earlier one is said of it no more."""
    return {
        "account_sid": claimed.account_sid,
        "event_type_id": reported.event_type_id,
        "network_order_id": reported.order_id,
        "rules_version": rules_version,
        "queued_uri": receipt.queued_uri,
        "accepted_at": now,
        "changes": 0,
        "finding": None,
        "finding_detail": "",
    }


def _claimed(row: Any) -> ClaimedStep:
    return ClaimedStep(
        id=row.id,
        store_id=row.store_id,
        order_row_id=row.order_row_id,
        order_key=row.order_key,
        account_sid=row.account_sid,
        part=row.part,
        kind=row.kind,
        method=row.method,
        path=row.path,
        form=tuple((name, value) for name, value in row.form),
        tries=row.tries,
        trying_since=row.trying_since,
        claim=row.claimed_by,
    )


def click_reported(connection: sa.Connection, order_row_id: int) -> str | None:
    """The click that an order was reported with; None: without one, or by somebody else."""
    query = (
        sa.select(steps.c.form)
        .where(steps.c.order_row_id == order_row_id, steps.c.part == 1)
        .where(steps.c.kind == "submit", steps.c.state == "accepted")
        .order_by(steps.c.id.desc())
        .limit(1)
    )
    form = connection.scalar(query)
    return next((value for name, value in form or () if name == "ClickId"), None)
