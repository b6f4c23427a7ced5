"""How long pages take on the server with 100,000 orders of one store, on SQLite and on PostgreSQL."""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from flask.testing import FlaskClient

from impact_app import create_app
from impact_app.config import read_config
from impact_app.domain.programs import AccountCheck, Told
from impact_app.ledger.tables import orders
from impact_app.wiring import Services
from tests.servers import make_database, postgres_server
from tests.web.conftest import HTML, PASSWORD, page_of

ORDERS = 100_000
BAR_MS = 150
_SNAPSHOT = '{"padding": "' + "x" * 3000 + '"}'
_KINDS = (
    ("reported", "credited"),
    ("reported", "not_credited"),
    ("withheld", "no_click_or_code"),
    ("withheld", "point_of_sale"),
    ("waiting", "queued"),
    ("attention", "invalid_field"),
)
PAGES = {
    "list": "orders",
    "list, filtered": "orders?verdict=attention&partner=Partner%207&least=50",
    "search": "orders?search=1050000",
    "order": "orders/550000",
    "overview": "overview",
    "setup": "setup",
}


def pages() -> Iterator[tuple[str, str, float]]:
    """Database, page, and the median of nine requests in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        yield from _measured("SQLite", Path(folder), f"sqlite:///{folder}/impact.sqlite3")
    with tempfile.TemporaryDirectory() as folder, postgres_server() as server:
        yield from _measured("PostgreSQL", Path(folder), make_database(server, "pages"))


def _measured(database: str, folder: Path, url: str) -> Iterator[tuple[str, str, float]]:
    with _filled(folder, url) as client:
        for name, path in PAGES.items():
            yield database, name, statistics.median(_timed(client, f"/stores/1/{path}") for _ in range(9))


@contextmanager
def _filled(folder: Path, url: str) -> Iterator[FlaskClient]:
    line = Services(
        read_config(
            {
                "INSTANCE_PATH": str(folder),
                "DATABASE_URL": url,
                "ADMIN_PASSWORD": PASSWORD,
                "REDIS_URL": f"unix://{folder}/nobody.sock",
            }
        )
    )
    now = datetime.now(UTC)
    store = line.stores.connect("shopify", "bench.myshopify.com", None, now=now)
    line.stores.save_settings(
        store.id, account_sid="IRbench", auth_token="t", campaign_id="1", event_type_id="2", rules={}
    )
    known = line.stores.get(store.id)
    assert known is not None
    # Told just now, so that no page has impact.com asked.
    line.setups.save(known, Told("IRbench", "1", now, AccountCheck("works", "")))
    for first in range(0, ORDERS, 5_000):
        with line.database.write() as connection:
            connection.execute(sa.insert(orders), [_row(store.id, first + at, now) for at in range(5_000)])
    with line.database.write() as connection:
        connection.execute(sa.text("ANALYZE"))
    client = create_app(line).test_client()
    token = page_of(client.get("/", headers=HTML)).fields["csrf_token"]
    client.post("/login", data={"csrf_token": token, "password": PASSWORD}, headers=HTML)
    yield client
    line.database.close()


def _row(store_id: int, number: int, now: datetime) -> dict[str, object]:
    chance = random.Random(number)
    verdict, reason = chance.choice(_KINDS)
    placed = now - timedelta(days=30) * chance.random()
    return {
        "store_id": store_id,
        "order_key": str(500_000 + number),
        "number": str(1_000_000 + number),
        "placed_at": placed,
        "placed_on": placed.date(),
        "changed_at": placed,
        "snapshot": _SNAPSHOT,
        "verdict": verdict,
        "reason": reason,
        "detail": "",
        "evidence": {},
        "rules_version": 2,
        "carrier": chance.choice([None, "cart_attribute", "landing_url"]),
        "click_id": f"click-{number}",
        "net_minor": chance.randrange(100_00),
        "currency": "EUR",
        "created_at": placed,
        "judged_at": placed,
        "promo_code": chance.choice([None, None, "TEN", "TWENTY"]),
        "partner_name": f"Partner {chance.randrange(30)}" if reason == "credited" else None,
    }


def _timed(client: FlaskClient, path: str) -> float:
    begun = time.perf_counter()
    answer = client.get(path, headers=HTML)
    assert answer.status_code == 200, (path, answer.status_code)
    return (time.perf_counter() - begun) * 1000
