"""What impact.com told a store about its account, kept so that a page need not ask again.

    services().setups.told(store_id)  -> Told | None   what it told under the store's present credentials

One row a store. New credentials remove it, in the transaction that saves them (`Stores.save_settings`).
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from impact_app.domain.programs import Told, told_from, told_value
from impact_app.ledger.database import Database
from impact_app.ledger.stores import Store
from impact_app.ledger.tables import setups, stores


class Setups:
    """Reads and writes what was told, always of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def told(self, store_id: int) -> Told | None:
        """What impact.com told of the account that the store has now, None where nothing yet."""
        query = (
            sa.select(setups.c.told, setups.c.told_at)
            .join(stores, stores.c.id == setups.c.store_id)
            .where(setups.c.store_id == store_id, stores.c.account_sid == setups.c.account_sid)
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        try:
            return None if row is None else told_from(row.told, row.told_at)
        except (KeyError, TypeError, ValueError):
            # Another version of the app wrote it; asking once more costs little.
            return None

    def save(self, store: Store, told: Told) -> bool:
        """Keep what was told to a store as it was when it was asked for.

        False, and nothing is kept, where its settings were saved meanwhile: it may be of other credentials.
        """
        values = {"account_sid": told.account_sid, "told": told_value(told), "told_at": told.told_at}
        with self._database.write() as connection:
            version = sa.select(stores.c.rules_version).where(stores.c.id == store.id).with_for_update()
            if connection.scalar(version) != store.rules_version:
                return False
            insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
            connection.execute(
                insert(setups)
                .values(store_id=store.id, **values)
                .on_conflict_do_update(index_elements=["store_id"], set_=values)
            )
        return True
