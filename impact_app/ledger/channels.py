"""Where a store's alerts and digests go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from impact_app.domain.messages import Digest
from impact_app.ledger.database import Database
from impact_app.ledger.tables import channels
from impact_app.ledger.vault import Unreadable, Vault


@dataclass(frozen=True, slots=True)
class Settings:
    """A store's channels as everybody may see them: no secret is in here.

    webhook       the webhook's address, masked; "" for none
    digest_until  the last day that a digest has told of
    """

    addresses: tuple[str, ...]
    webhook: str
    digest: Digest
    digest_until: date | None

    @property
    def destinations(self) -> list[tuple[str, str]]:
        """Every channel and recipient that a message goes to."""
        mails = [("email", address) for address in self.addresses]
        return [*mails, ("webhook", "")] if self.webhook else mails


NONE = Settings((), "", Digest.NONE, None)


class Channels:
    """Reads and writes where messages go, always of one store."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def of(self, store_id: int) -> Settings:
        """A store's channels; none at all where nothing was set."""
        with self._database.read() as connection:
            return self.of_in(connection, store_id)

    def of_in(self, connection: sa.Connection, store_id: int) -> Settings:
        """The same within a transaction, kept from others until it ends."""
        query = sa.select(channels).where(channels.c.store_id == store_id).with_for_update()
        row = connection.execute(query).one_or_none()
        return NONE if row is None else self._settings(row)

    def webhook_url(self, store_id: int) -> str | None:
        """The webhook's address; None for none. Raises `Unreadable`."""
        query = sa.select(channels.c.webhook_url).where(channels.c.store_id == store_id)
        with self._database.read() as connection:
            locked = connection.scalar(query)
        return None if locked is None else self._vault.unlock(locked)

    def save(
        self,
        store_id: int,
        addresses: Sequence[str],
        webhook_url: str | None,
        digest: Digest,
        digest_until: date | None,
    ) -> None:
        """Save where messages go; `webhook_url` None keeps the stored one, "" removes it."""
        values: dict[str, Any] = {
            "addresses": list(addresses),
            "digest": digest.value,
            "digest_until": digest_until,
        }
        if webhook_url is not None:
            values["webhook_url"] = self._vault.lock(webhook_url) if webhook_url else None
        with self._database.write() as connection:
            insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
            connection.execute(
                insert(channels)
                .values(store_id=store_id, **values)
                .on_conflict_do_update(index_elements=["store_id"], set_=values)
            )

    def renew_secrets(self) -> None:
        """Put every stored address under the current key. Raises `Unreadable`; safe to repeat."""
        with self._database.write() as connection:
            rows = connection.execute(
                sa.select(channels.c.store_id, channels.c.webhook_url).where(
                    channels.c.webhook_url.is_not(None)
                )
            ).all()
            for row in rows:
                renewed = self._vault.renew(row.webhook_url)
                connection.execute(
                    sa.update(channels).where(channels.c.store_id == row.store_id).values(webhook_url=renewed)
                )

    def _settings(self, row: Any) -> Settings:
        return Settings(
            addresses=tuple(row.addresses),
            webhook="" if row.webhook_url is None else self._masked(row.webhook_url),
            digest=Digest(row.digest),
            digest_until=row.digest_until,
        )

    def _masked(self, locked: str) -> str:
        try:
            url = self._vault.unlock(locked)
        except Unreadable:
            return "…"
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname}/…{url[-4:]}"


def told_until(connection: sa.Connection, store_id: int, until: date) -> None:
    """Remember the last day that a digest has told of."""
    connection.execute(sa.update(channels).where(channels.c.store_id == store_id).values(digest_until=until))
