"""Claiming what is to be looked up, the hour several workers share, and the migration that brought it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from impact_app.domain.verification import Finding, Judgement
from impact_app.ledger.database import Database
from impact_app.ledger.schema import alembic_config, upgrade
from impact_app.ledger.tables import accounts, conversions, lookups, metadata, orders
from impact_app.ledger.verification import LEASE, LOOKUPS_AN_HOUR, Checks
from impact_app.simulator.network import Setup
from tests.line import Bench, both_databases
from tests.servers import drop_database, make_database

SID = Setup().sid


@pytest.fixture
def checks(bench: Bench) -> Checks:
    return Checks(bench.line.database)


def reported(bench: Bench, count: int) -> None:
    """So many accepted orders whose first look is due."""
    bench.connect()
    for _ in range(count):
        bench.pay()
    assert bench.run() == count
    bench.clock.advance(minutes=30)


@both_databases
def test_a_claim_is_whole_and_for_one_worker_only(bench: Bench, checks: Checks) -> None:
    reported(bench, 5)
    first = checks.claim(3, bench.clock())
    second = checks.claim(3, bench.clock())
    assert (len(first), len(second)) == (3, 2)
    assert not {one.id for one in first} & {one.id for one in second}
    assert checks.claim(3, bench.clock()) == []
    assert not checks.has_due(bench.clock())
    assert {one.lease for one in first} == {bench.clock() + LEASE}


@both_databases
def test_a_claim_of_a_dead_worker_runs_out(bench: Bench, checks: Checks) -> None:
    reported(bench, 2)
    assert len(checks.claim(10, bench.clock())) == 2
    bench.clock.advance(seconds=LEASE.total_seconds() - 1)
    assert checks.claim(10, bench.clock()) == []
    bench.clock.advance(seconds=1)
    assert len(checks.claim(10, bench.clock())) == 2


@both_databases
def test_who_lost_a_claim_writes_nothing(bench: Bench, checks: Checks) -> None:
    reported(bench, 1)
    (late,) = checks.claim(1, bench.clock())
    bench.clock.advance(seconds=LEASE.total_seconds())
    (now,) = checks.claim(1, bench.clock())
    assert not checks.found(late, Judgement(Finding.DATA, "MALFORMED"), None, bench.clock())
    assert not checks.nothing_yet(late, bench.clock())
    checks.release([late], bench.clock())
    checks.not_told([late], bench.clock(), "no answer")
    (row,) = bench.rows(conversions)
    assert (row.finding, row.finding_detail, row.check_at, row.checks) == (None, "", now.lease, 0)
    assert [order.reason for order in bench.rows(orders)] == ["accepted"]
    assert checks.found(now, Judgement(Finding.PROMO, "x"), None, bench.clock())
    assert [order.reason for order in bench.rows(orders)] == ["not_credited"]


@both_databases
def test_the_hour_of_an_account_is_counted_whoever_asks(bench: Bench, checks: Checks) -> None:
    """Eight workers want 50 look-ups each: 200 of the 400 are had, the others are told when to come back."""
    bench.connect()
    now = bench.clock()
    with ThreadPoolExecutor(8) as workers:
        answers = [
            answer
            for worker in [
                workers.submit(lambda: [checks.take(SID, now) for _ in range(50)]) for _ in range(8)
            ]
            for answer in worker.result()
        ]
    assert answers.count(None) == LOOKUPS_AN_HOUR
    assert set(answers) == {None, now + timedelta(hours=1)}
    assert bench.count(lookups) == LOOKUPS_AN_HOUR
    assert checks.take("IRAnotherAccount", now) is None


def test_the_hour_moves_with_the_clock(bench: Bench, checks: Checks) -> None:
    """Half of them at noon, half at 12:40: at 13:00 half are free again, not all."""
    bench.connect()
    start = bench.clock()
    for minutes in (0, 40):
        at = start + timedelta(minutes=minutes)
        assert [checks.take(SID, at) for _ in range(LOOKUPS_AN_HOUR // 2)] == [None] * 100
    later = start + timedelta(minutes=60)
    assert [checks.take(SID, later) for _ in range(101)] == [None] * 100 + [start + timedelta(minutes=100)]
    assert bench.count(lookups) == LOOKUPS_AN_HOUR


@pytest.mark.parametrize(
    ("values", "is_asked"),
    [
        ({"held_reason": "not_allowed"}, False),
        ({"resume_at": 1}, False),
        ({"resume_at": 0}, True),
        ({}, True),
    ],
)
@both_databases
def test_an_account_that_rests_is_not_counted_either(
    bench: Bench, checks: Checks, values: dict[str, Any], is_asked: bool
) -> None:
    bench.connect()
    now = bench.clock()
    if "resume_at" in values:
        values = {"resume_at": now + timedelta(seconds=values["resume_at"])}
    with bench.line.database.write() as connection:
        connection.execute(sa.insert(accounts).values(sid=SID, **values))
    assert checks.take(SID, now) == (None if is_asked else now)
    assert bench.count(lookups) == int(is_asked)


# The migration


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A database without any table."""
    if request.param == "sqlite":
        yield Database(f"sqlite:///{tmp_path / 'empty.sqlite3'}")
        return
    server = request.getfixturevalue("postgres")
    database = Database(make_database(server, "migrated"))
    yield database
    database.close()
    drop_database(server, "migrated")


def migrate(database: Database, step: Callable[..., None], to: str) -> None:
    with database.write() as connection:
        step(alembic_config(connection), to)


def accept(connection: sa.Connection, number: int, changed_at: str) -> None:
    """An accepted order as the version before wrote it."""
    connection.execute(
        sa.text(
            "INSERT INTO orders (id, store_id, order_key, number, placed_at, changed_at, snapshot, verdict, "
            "reason, detail, evidence, rules_version, currency, created_at, judged_at) VALUES (:id, 1, :key, "
            "'1', :at, :at, '{}', 'reported', 'accepted', '', '{}', 1, 'EUR', :at, :at)"
        ),
        {"id": number, "key": str(number), "at": "2026-11-20 12:00:00.000000"},
    )
    connection.execute(
        sa.text(
            "INSERT INTO conversions (order_row_id, account_sid, event_type_id, network_order_id, "
            "reported, queued_uri, accepted_at, changed_at) "
            "VALUES (:id, 'IRx', '1', '1', '{}', '/x/A-1', :at, :changed)"
        ),
        {"id": number, "at": "2026-11-20 12:00:00.000000", "changed": changed_at},
    )


def test_what_was_accepted_before_is_looked_up_after_the_update(empty: Database) -> None:
    migrate(empty, command.upgrade, "0001")
    with empty.write() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO stores (id, platform, domain, state, rules, promo_codes, connected_at, "
                "installed_at) VALUES (1, 'shopify', 'x', 'connected', '{}', '[]', :at, :at)"
            ),
            {"at": "2026-11-20 12:00:00.000000"},
        )
        accept(connection, 1, "2026-11-20 12:00:00.000000")
        accept(connection, 2, "2026-11-20 13:00:00.000000")
    upgrade(empty)
    with empty.read() as connection:
        rows = connection.execute(sa.select(conversions).order_by(conversions.c.order_row_id)).all()
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    assert [(row.check_at == row.accepted_at, row.checks, row.finding) for row in rows] == [
        (True, 0, None)
    ] * 2
    # The address kept for the second one was that of its change.
    assert [row.queued_uri for row in rows] == ["/x/A-1", None]


def test_the_migration_can_be_undone_and_done_again(empty: Database) -> None:
    upgrade(empty)
    migrate(empty, command.downgrade, "0001")
    with empty.read() as connection:
        names = {column["name"] for column in sa.inspect(connection).get_columns("conversions")}
    assert "finding" not in names
    assert "queued_uri" in names
    upgrade(empty)
    with empty.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
