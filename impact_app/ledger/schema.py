"""Bringing a database to the shape this version needs, once, whoever comes first."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from impact_app.ledger.database import Database

_MIGRATIONS = Path(__file__).with_name("migrations")

#: Any number will do, as long as every process takes the same.
_LOCK = 7_413_250_611


class NewerSchema(Exception):
    """The database was made by a version of the app that this one does not know."""


def upgrade(database: Database) -> None:
    """Apply the migrations that are missing; processes that start together wait for one another.

    Raises `NewerSchema`, and then nothing has changed.
    """
    script = ScriptDirectory(str(_MIGRATIONS))
    with database.read() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current == script.get_current_head():
        return
    if current is not None and current not in {one.revision for one in script.walk_revisions()}:
        raise NewerSchema(
            f"The database was made by a newer version of this app (its shape is {current!r}): "
            "install that version, or one after it."
        )
    with database.write() as connection:
        if not database.is_sqlite:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        command.upgrade(alembic_config(connection), "head")


def alembic_config(connection: sa.Connection) -> AlembicConfig:
    """Alembic's view of our migrations, on a connection that is already in a transaction."""
    config = AlembicConfig()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    return config
