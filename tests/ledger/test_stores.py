"""Stores, their secrets at rest, and the database behind two words."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa

from impact_app.ledger.stores import Credentials, Stores, Tokens
from impact_app.ledger.tables import accounts, deliveries, stores
from impact_app.ledger.vault import Unreadable, Vault
from tests.line import SHOP, Bench, both_databases

PAIR = Tokens(
    "offline",
    "shpat_access",
    datetime(2026, 11, 20, 13, tzinfo=UTC),
    "shprt_refresh",
    datetime(2027, 2, 18, tzinfo=UTC),
    "read_orders,read_products",
)


@both_databases
def test_tokens_come_back_as_they_were_and_lie_encrypted(bench: Bench) -> None:
    store = bench.line.stores.connect("shopify", SHOP, PAIR, now=bench.clock())
    assert bench.line.stores.tokens(store.id) == PAIR
    (row,) = bench.rows(stores)
    assert "shpat_access" not in str(tuple(row))
    assert "shprt_refresh" not in str(tuple(row))


def test_no_secret_is_in_what_is_printed(bench: Bench) -> None:
    store = bench.connect()
    bench.line.stores.save_tokens(store.id, PAIR)
    credentials = bench.line.stores.credentials(store.id)
    told = f"{bench.line.stores.get(store.id)!r} {credentials!r} {PAIR!r} {bench.line.stores.all()!r}"
    for secret in ("pretend-auth-token", "shpat_access", "shprt_refresh"):
        assert secret not in told


@both_databases
def test_connecting_again_keeps_settings_and_replaces_all_tokens_at_once(bench: Bench) -> None:
    store = bench.connect(order_id="number")
    bench.line.stores.save_tokens(store.id, PAIR)
    again = bench.line.stores.connect("shopify", SHOP, Tokens("pasted", "shpat_new"), now=bench.clock())
    assert (again.id, again.account_sid, again.rules) == (store.id, store.account_sid, {"order_id": "number"})
    assert bench.line.stores.tokens(store.id) == Tokens("pasted", "shpat_new")
    kept = bench.line.stores.connect("shopify", SHOP, None, now=bench.clock())
    assert bench.line.stores.tokens(kept.id) == Tokens("pasted", "shpat_new")
    assert bench.count(stores) == 1


def test_a_saved_token_is_kept_when_none_is_given(bench: Bench) -> None:
    store = bench.connect()
    bench.line.stores.save_settings(
        store.id,
        account_sid="IRanother",
        auth_token=None,
        campaign_id="1",
        event_type_id="2",
        rules={"send": "all"},
    )
    assert bench.line.stores.credentials(store.id) == Credentials("IRanother", "pretend-auth-token")
    found = bench.line.stores.get(store.id)
    assert found is not None
    assert (found.rules, found.rules_version) == ({"send": "all"}, 3)


@both_databases
def test_saving_lifts_the_hold_of_this_account_alone(bench: Bench) -> None:
    store = bench.connect()
    sid = bench.network.books.setup.sid
    held = {"held_reason": "not_allowed", "held_at": bench.clock()}
    with bench.line.database.write() as connection:
        connection.execute(sa.insert(accounts), [{"sid": sid, **held}, {"sid": "IRother", **held}])
    bench.configure(store)
    assert {row.sid: row.held_reason for row in bench.rows(accounts)} == {sid: None, "IRother": "not_allowed"}


# the vault


def test_a_new_key_reads_what_the_old_one_wrote_until_it_is_dropped() -> None:
    locked = Vault(["old key"]).lock("secret")
    assert Vault(["new key", "old key"]).unlock(locked) == "secret"
    with pytest.raises(Unreadable, match="SECRET_KEY_FALLBACKS"):
        Vault(["new key"]).unlock(locked)
    renewed = Vault(["new key", "old key"]).renew(locked)
    assert Vault(["new key"]).unlock(renewed) == "secret"
    with pytest.raises(Unreadable):
        Vault(["third key"]).renew(locked)


@pytest.mark.parametrize("spoilt", ["", "gAAAAA", "ä", "\x00"])
def test_what_no_vault_made_is_unreadable(spoilt: str) -> None:
    with pytest.raises(Unreadable):
        Vault(["key"]).unlock(spoilt)


@both_databases
def test_all_secrets_move_to_the_current_key(bench: Bench) -> None:
    store = bench.connect()
    bench.line.stores.save_tokens(store.id, PAIR)
    rotated = Stores(bench.line.database, Vault(["the new key", *bench.line.config.secret_keys]))
    assert rotated.renew_secrets() == rotated.renew_secrets() == 1
    new_only = Stores(bench.line.database, Vault(["the new key"]))
    assert new_only.tokens(store.id) == PAIR
    assert new_only.credentials(store.id) == Credentials(store.account_sid or "", "pretend-auth-token")


def test_a_secret_that_cannot_be_moved_moves_none(bench: Bench) -> None:
    store = bench.connect()
    before = bench.rows(stores)
    with pytest.raises(Unreadable):
        Stores(bench.line.database, Vault(["a key that never was"])).renew_secrets()
    assert bench.rows(stores) == before
    assert bench.line.stores.credentials(store.id) is not None


# the database


@both_databases
def test_moments_come_back_in_utc_whatever_zone_they_had(bench: Bench) -> None:
    there = datetime(2026, 11, 20, 1, 2, 3, 456789, tzinfo=timezone(timedelta(hours=-9, minutes=-30)))
    bench.line.stores.connect("shopify", SHOP, None, now=there)
    (row,) = bench.rows(stores)
    assert (row.connected_at, row.connected_at.utcoffset()) == (there, timedelta(0))
    with pytest.raises(sa.exc.StatementError, match="without a zone"):
        bench.line.stores.connect("shopify", SHOP, None, now=there.replace(tzinfo=None))


@both_databases
def test_a_write_that_fails_leaves_nothing(bench: Bench) -> None:
    twice = sa.insert(accounts).values(sid="IR1")
    with pytest.raises(sa.exc.IntegrityError), bench.line.database.write() as connection:
        assert [connection.execute(twice) for _ in range(2)] == []
    assert bench.count(accounts) == 0


@both_databases
def test_what_a_statement_carries_is_not_in_its_fault(bench: Bench) -> None:
    bench.connect()
    with pytest.raises(sa.exc.DBAPIError) as raised, bench.line.database.write() as connection:
        connection.execute(
            sa.insert(stores).values(
                platform="shopify",
                domain=SHOP,
                state="connected",
                access_token="shpat_secret",
                rules={},
                promo_codes=[],
                connected_at=bench.clock(),
                installed_at=bench.clock(),
            )
        )
    assert "shpat_secret" not in str(raised.value)


def test_writers_of_one_process_take_turns(bench: Bench) -> None:
    """Sixteen threads write at once; none meets a locked database, and none waits for SQLite's own sleep."""
    bench.connect()
    faults: list[BaseException] = []

    def write(at: int) -> None:
        try:
            for step in range(10):
                with bench.line.database.write() as connection:
                    connection.execute(sa.insert(accounts).values(sid=f"IR{at}-{step}"))
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=write, args=(at,)) for at in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert bench.count(accounts) == 160


def test_readers_are_not_held_up_by_a_writer(bench: Bench) -> None:
    bench.connect()
    with bench.line.database.write() as connection:
        connection.execute(sa.insert(accounts).values(sid="IR1"))
        began = time.monotonic()
        assert bench.count(accounts) == 0
        assert time.monotonic() - began < 1
    assert bench.count(accounts) == 1


def test_the_lock_file_is_for_its_owner_alone(bench: Bench, tmp_path: Path) -> None:
    bench.connect()
    assert (tmp_path / "impact.sqlite3.lock").stat().st_mode & 0o777 == 0o600
    assert bench.count(deliveries) == 0
