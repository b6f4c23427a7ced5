"""Fixtures every folder may use: servers once a session, a fresh database and clock for each test."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from impact_app.config import Config
from impact_app.ledger.database import Database
from impact_app.ledger.schema import upgrade
from impact_app.simulator.network import RunningNetwork, Setup, running_network
from impact_app.wiring import Services
from tests.line import Bench, Clock, config_for
from tests.servers import RedisServer, drop_database, make_database, postgres_server

pytest_plugins = ["tests.browsers"]

# The everyday run tries the same examples each time, so that a red run is the change's doing; a run that is
# told how many (`make test-deep`) looks elsewhere each time.
settings.register_profile("everyday", derandomize=True, database=None)
if "PROPERTY_EXAMPLES" not in os.environ:
    settings.load_profile("everyday")

# Its own way of showing exceptions, with every local value, takes seconds for each.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S"),
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a real PostgreSQL server's own database."""
    with postgres_server() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres: str) -> str:
    """The name of a database that holds our tables and no rows."""
    database = Database(make_database(postgres, "shaped"))
    upgrade(database)
    database.close()
    return "shaped"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file that holds our tables and no rows."""
    file = tmp_path_factory.mktemp("shaped") / "impact.sqlite3"
    database = Database(f"sqlite:///{file}")
    upgrade(database)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return file


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    server = RedisServer()
    server.start()
    yield server
    server.close()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """A Redis database that no other test uses."""
    return redis_server.new_database()


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh database: a SQLite file, or with the parameter `postgresql` one on the real server."""
    if getattr(request, "param", "sqlite") == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "impact.sqlite3")
        yield f"sqlite:///{tmp_path / 'impact.sqlite3'}"
        return
    server, template = request.getfixturevalue("postgres"), request.getfixturevalue("postgres_template")
    name = f"test_{next(_numbers)}"
    yield make_database(server, name, template)
    drop_database(server, name)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def network(clock: Clock) -> Iterator[RunningNetwork]:
    """A pretend impact.com without a rate limit, on the test's clock."""
    with running_network(Setup(rate_limit=None), clock=clock) as running:
        yield running


@pytest.fixture
def config(tmp_path: Path, database_url: str, redis_url: str, network: RunningNetwork) -> Config:
    return config_for(tmp_path, database_url, redis_url, network.url)


@pytest.fixture
def line(config: Config, clock: Clock) -> Iterator[Services]:
    """Real services on a fresh database."""
    services = Services(config, clock)
    yield services
    services.database.close()


@pytest.fixture
def bench(line: Services, network: RunningNetwork, clock: Clock) -> Bench:
    return Bench(line, network, clock)


@pytest.fixture
def make_bench(
    tmp_path: Path, database_url: str, redis_url: str, clock: Clock
) -> Iterator[Callable[[Setup], Bench]]:
    """Makes a bench whose network has the given set-up."""
    with ExitStack() as stack:

        def make(setup: Setup) -> Bench:
            running = stack.enter_context(running_network(setup, clock=clock))
            services = Services(config_for(tmp_path, database_url, redis_url, running.url), clock)
            stack.callback(services.database.close)
            return Bench(services, running, clock)

        yield make
