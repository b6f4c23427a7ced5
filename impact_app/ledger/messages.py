"""Messages to people: queued with what they tell of, claimed for a while, settled once they are sent.

A claim is nothing but a later `not_before`: who dies holding one lets it run out, and the message is sent
again. So a message may come twice at worst, and is never lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from impact_app.domain.messages import Letter
from impact_app.ledger.database import Database
from impact_app.ledger.tables import messages

#: Longer than sending what is claimed at once may take.
LEASE = timedelta(minutes=10)

#: Settled messages are kept this long.
KEPT = timedelta(days=90)

_PENDING = messages.c.state == "pending"


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one recipient, as `tables.messages` has it."""

    id: int
    store_id: int
    channel: str
    recipient: str
    letter: Letter
    state: str
    tries: int
    detail: str
    created_at: datetime
    not_before: datetime


class Messages:
    """Messages in SQL, and which are due."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, limit: int, now: datetime) -> list[Message]:
        """Take up to `limit` due messages, the longest due first; nobody else gets them for `LEASE`."""
        due = (
            sa.select(messages.c.id)
            .where(_PENDING, messages.c.not_before <= now)
            .order_by(messages.c.not_before, messages.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        taken = sa.update(messages).where(messages.c.id.in_(due)).values(not_before=now + LEASE)
        with self._database.write() as connection:
            rows = connection.execute(taken.returning(messages)).all()
        return sorted((_message(row) for row in rows), key=lambda one: one.id)

    def next_due(self) -> datetime | None:
        """When the next message may be sent, None if none waits."""
        with self._database.read() as connection:
            due: datetime | None = connection.scalar(
                sa.select(sa.func.min(messages.c.not_before)).where(_PENDING)
            )
        return due

    def sent(self, one: Message, now: datetime) -> None:
        """The message has gone out; that counts even where the claim ran out meanwhile."""
        self._settle(messages.c.id == one.id, state="sent", detail="", settled_at=now)

    def not_sent(self, one: Message, until: datetime, detail: str) -> None:
        """Try again later."""
        self._settle(*_mine(one), not_before=until, detail=detail)

    def gave_up(self, one: Message, now: datetime, detail: str) -> None:
        """Leave a message that could not be sent for too long."""
        self._settle(*_mine(one), state="gave_up", detail=detail, settled_at=now)

    def latest(self, store_id: int, limit: int = 10) -> list[Message]:
        """The newest messages of a store."""
        query = sa.select(messages).where(messages.c.store_id == store_id)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(messages.c.id.desc()).limit(limit))
            return [_message(row) for row in rows]

    def expire(self, now: datetime) -> None:
        """Take out what was settled long ago."""
        with self._database.write() as connection:
            connection.execute(sa.delete(messages).where(messages.c.settled_at < now - KEPT))

    def _settle(self, *where: sa.ColumnElement[bool], **values: Any) -> None:
        with self._database.write() as connection:
            connection.execute(
                sa.update(messages).where(*where, _PENDING).values(**values, tries=messages.c.tries + 1)
            )


def queue(
    connection: sa.Connection,
    store_id: int,
    destinations: Iterable[tuple[str, str]],
    letter: Letter,
    now: datetime,
) -> None:
    """Queue a letter to every destination, in the transaction that holds what it tells of."""
    rows = [
        {
            "store_id": store_id,
            "channel": channel,
            "recipient": recipient,
            "subject": letter.subject[:255],
            "body": letter.text,
            "html": letter.html,
            "created_at": now,
            "not_before": now,
        }
        for channel, recipient in destinations
    ]
    if rows:
        connection.execute(sa.insert(messages), rows)


def _mine(one: Message) -> tuple[sa.ColumnElement[bool], ...]:
    return messages.c.id == one.id, messages.c.not_before == one.not_before


def _message(row: Any) -> Message:
    return Message(
        id=row.id,
        store_id=row.store_id,
        channel=row.channel,
        recipient=row.recipient,
        letter=Letter(row.subject, row.body, row.html),
        state=row.state,
        tries=row.tries,
        detail=row.detail,
        created_at=row.created_at,
        not_before=row.not_before,
    )
