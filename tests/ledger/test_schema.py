"""Migrations: they end where `tables` says, with rows, up and down, whoever comes first."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from impact_app.ledger.database import Database
from impact_app.ledger.schema import NewerSchema, alembic_config, upgrade
from impact_app.ledger.tables import conversions, metadata
from impact_app.simulator.shopify.orders import LineSpec, cancel, refund
from tests.line import Bench, both_databases
from tests.servers import drop_database, make_database

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database that holds nothing at all."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.sqlite3'}"
        return
    server = request.getfixturevalue("postgres")
    yield make_database(server, "empty")
    drop_database(server, "empty")


def _tables(database: Database) -> set[str]:
    with database.read() as connection:
        return set(sa.inspect(connection).get_table_names())


def test_from_nothing_to_exactly_the_tables(empty: str) -> None:
    database = Database(empty)
    upgrade(database)
    with database.read() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    assert differences == []
    assert _tables(database) == {*metadata.tables, "alembic_version"}
    database.close()


def test_upgrading_again_changes_nothing(empty: str) -> None:
    database = Database(empty)
    for _ in range(3):
        upgrade(database)
    assert len(_tables(database)) == len(metadata.tables) + 1
    database.close()


@both_databases
def test_down_to_nothing_and_up_again_with_rows(bench: Bench) -> None:
    bench.connect()
    bench.pay()
    assert bench.run() == 1
    database = bench.line.database
    with database.write() as connection:
        command.downgrade(alembic_config(connection), "base")
    assert _tables(database) == {"alembic_version"}
    upgrade(database)
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    bench.connect()
    bench.pay()
    assert bench.run() == 1


@both_databases
def test_what_was_reported_before_is_the_first_conversion_of_its_order(bench: Bench) -> None:
    """Upgraded with rows: part 1, with as many changes as were accepted, and followed as before."""
    bench.connect()
    body = bench.pay(LineSpec(price=Decimal("10.00"), quantity=3))
    assert bench.run() == 1
    _, less = refund(body, {body["line_items"][0]["id"]: 1})
    bench.deliver_body("orders/updated", less)
    assert bench.run() == 1
    database = bench.line.database
    with database.write() as connection:
        command.downgrade(alembic_config(connection), "0004")
    upgrade(database)
    (row,) = bench.rows(conversions)
    assert (row.part, row.changes, bench.reported(body)) == (1, 1, 2 * Decimal("10.00"))
    bench.deliver_body("orders/cancelled", cancel(less))
    assert bench.run() == 1
    assert [(row.part, row.changes) for row in bench.rows(conversions)] == [(1, 2)]


def test_processes_that_upgrade_at_once_wait_for_one_another(empty: str) -> None:
    program = (
        "import sys; from impact_app.ledger.database import Database; "
        "from impact_app.ledger.schema import upgrade; upgrade(Database(sys.argv[1])); print('done')"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, empty],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    told = [process.communicate(timeout=60) for process in started]
    assert told == [("done\n", "")] * 3
    database = Database(empty)
    assert len(_tables(database)) == len(metadata.tables) + 1
    database.close()


def test_a_database_of_a_newer_version_is_refused_in_words(empty: str) -> None:
    database = Database(empty)
    upgrade(database)
    with database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = 'from-the-future'"))
    with pytest.raises(NewerSchema, match="newer version"):
        upgrade(database)
    with database.read() as connection:
        assert connection.scalar(sa.text("SELECT version_num FROM alembic_version")) == "from-the-future"
    database.close()
