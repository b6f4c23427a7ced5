"""A world for the histories: the database and the pretend impact.com made once a module, emptied for each."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import structlog

import impact_app.http
from impact_app.ledger.database import Database
from tests.histories.world import World
from tests.line import config_for
from tests.servers import RedisServer, drop_database, make_database

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def quiet() -> Iterator[None]:
    """What is logged of so many faults on purpose would only cost time."""
    before = structlog.get_config()
    structlog.configure(processors=[_silence], cache_logger_on_first_use=False)
    yield
    structlog.configure(**before)


def _silence(*_: Any) -> Any:
    raise structlog.DropEvent


def _world(folder: Path, url: str, redis: RedisServer) -> Iterator[World]:
    database = Database(url)

    if database.is_sqlite:

        @sa.event.listens_for(database.engine, "connect")
        def unsafe(connection: Any, _record: object) -> None:
            # No power fails here: a process that is killed loses nothing that was committed.
            connection.execute("PRAGMA synchronous=OFF")

    config = config_for(folder, url, redis.new_database(), "http://impact.test")
    assert config.shopify is not None
    shopify = replace(config.shopify, admin_url="http://shop.test/{shop}")
    world = World(replace(config, shopify=shopify), database)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(impact_app.http, "HTTPAdapter", world.wires.adapter)
        yield world
    database.close()


@pytest.fixture(scope="module")
def world(
    quiet: None, tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, redis_server: RedisServer
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("histories")
    shutil.copy(sqlite_template, folder / "impact.sqlite3")
    yield from _world(folder, f"sqlite:///{folder / 'impact.sqlite3'}", redis_server)


@pytest.fixture
def world_on_postgres(
    quiet: None,
    tmp_path_factory: pytest.TempPathFactory,
    postgres: str,
    postgres_template: str,
    redis_server: RedisServer,
) -> Iterator[World]:
    name = f"histories_{next(_numbers)}"
    url = make_database(postgres, name, postgres_template)
    yield from _world(tmp_path_factory.mktemp("histories"), url, redis_server)
    drop_database(postgres, name)
