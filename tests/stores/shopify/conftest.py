"""A pretend shop over real HTTP, a real database, and a clock that the test moves."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from impact_app.config import ShopifyConfig
from impact_app.http import Http
from impact_app.ledger.database import Database
from impact_app.ledger.stores import Stores
from impact_app.ledger.tables import metadata
from impact_app.ledger.vault import Vault
from impact_app.pipeline.tokens import TokenKeeper
from impact_app.simulator.shopify.admin import RunningAdmin, running_admin
from impact_app.simulator.shopify.store import PretendStore
from impact_app.stores.shopify.install import TokenEndpoint

SECRET = "shpss_0123456789abcdef0123456789abcdef"


@dataclass
class FixedClock:
    now: datetime = field(default=datetime(2026, 11, 20, 12, 0, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **units: float) -> None:
        self.now += timedelta(**units)


@dataclass(frozen=True)
class Shop:
    """The pretend shop and everything of ours that speaks with it."""

    admin: RunningAdmin
    clock: FixedClock
    shopify: ShopifyConfig
    http: Http
    database: Database
    stores: Stores
    endpoint: TokenEndpoint
    keeper: TokenKeeper

    @property
    def pretend(self) -> PretendStore:
        return self.admin.store

    @property
    def domain(self) -> str:
        return self.pretend.domain

    def asked(self, where: str) -> list[str]:
        """What the shop was asked: grant types or documents, in order."""
        return [call.what for call in self.pretend.calls if call.where == where]


def unlocked(_name: str) -> AbstractContextManager[None]:
    return nullcontext()


def shopify_config(admin_url: str = "https://{shop}", previous: str | None = None) -> ShopifyConfig:
    return ShopifyConfig("pretend-client-id", SECRET, previous, admin_url)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def pretend(clock: FixedClock) -> PretendStore:
    return PretendStore(client_secret=SECRET, now=clock)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with every table, made once and copied for each test."""
    path = tmp_path_factory.mktemp("empty") / "impact.sqlite3"
    database = Database(f"sqlite:///{path}")
    metadata.create_all(database.engine)
    database.close()
    return path


@pytest.fixture
def shop(pretend: PretendStore, clock: FixedClock, empty_database: Path, tmp_path: Path) -> Iterator[Shop]:
    database = Database(f"sqlite:///{shutil.copy(empty_database, tmp_path)}")
    stores = Stores(database, Vault(["a secret key of the tests"]))
    http = Http(connect=2.0, read=1.0)
    with running_admin(pretend) as admin:
        shopify = shopify_config(admin.admin_url)
        endpoint = TokenEndpoint(http, shopify)
        keeper = TokenKeeper(stores, endpoint, clock=clock, locks=unlocked)
        yield Shop(admin, clock, shopify, http, database, stores, endpoint, keeper)
    database.close()
