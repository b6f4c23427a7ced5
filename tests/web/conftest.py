"""The real app on a real database, with the pretend impact.com and the pretend Shopify on loopback."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from impact_app import create_app
from impact_app.config import read_config
from impact_app.ledger.stores import Store, Tokens
from impact_app.ledger.tables import attempts, deliveries, orders, steps
from impact_app.simulator.network import RunningNetwork, running_network
from impact_app.simulator.saleor import deliveries as saleor_deliveries
from impact_app.simulator.saleor.dashboard import user_token
from impact_app.simulator.saleor.orders import OrderSpec, order
from impact_app.simulator.saleor.server import PretendSaleor, running_saleor
from impact_app.simulator.shopify.admin import RunningAdmin, running_admin
from impact_app.simulator.shopify.store import PretendStore
from impact_app.wiring import Services

SID = "IRPretendNetworkAccount00000000001"
PASSWORD = "correct horse battery staple"
SECRET = "shpss_0123456789abcdef0123456789abcdef"
HTML = {"Accept": "text/html"}


@dataclass
class FixedClock:
    now: datetime = field(default=datetime(2026, 11, 20, 12, 0, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **units: float) -> None:
        self.now += timedelta(**units)


class Page(HTMLParser):
    """What a reader and a browser find in a page: its text, its fields, its links."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.links: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._words: list[str] = []
        self._choosing: str | None = None
        self._area: str | None = None
        self.feed(html)

    @property
    def text(self) -> str:
        """What is to be read, with the signs for times and minus as a keyboard has them."""
        return re.sub(r"\s+", " ", " ".join(self._words)).translate({0xD7: "x", 0x2212: "-"})

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        got = dict(attrs)
        self.tags.append((tag, got))
        name = got.get("name") or ""
        if tag == "input":
            self.fields[name] = got.get("value") or ""
        elif tag == "select":
            self._choosing = name
        elif tag == "option" and self._choosing and ("selected" in got or self._choosing not in self.fields):
            self.fields[self._choosing] = got.get("value") or ""
        elif tag == "textarea":
            self._area, self.fields[name] = name, ""
        elif tag == "a":
            self.links.append(got.get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = None

    def handle_data(self, data: str) -> None:
        if self._area:
            self.fields[self._area] += data.removeprefix("\n")
        self._words.append(data)


def page_of(answer: TestResponse) -> Page:
    return Page(answer.get_data(as_text=True))


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def network(clock: FixedClock) -> Iterator[RunningNetwork]:
    with running_network(clock=clock) as running:
        yield running


@pytest.fixture
def pretend(clock: FixedClock) -> PretendStore:
    return PretendStore(client_secret=SECRET, now=clock)


@pytest.fixture
def shopify(pretend: PretendStore) -> Iterator[RunningAdmin]:
    with running_admin(pretend) as running:
        yield running


@pytest.fixture
def saleor() -> Iterator[PretendSaleor]:
    with running_saleor() as running:
        yield running


def connect_saleor(services: Services, shop: PretendSaleor) -> Store:
    """Connect the pretend Saleor as an installation does."""
    keys = [{name: key[name] for name in ("kid", "n", "e")} for key in shop.keys.jwks()["keys"]]
    facts = {"api_url": shop.api_url, "app_id": saleor_deliveries.APP_ID, "version": "3.23.28", "keys": keys}
    return services.stores.connect(
        "saleor", shop.domain, Tokens("offline", "t"), now=services.clock(), installation=facts
    )


def enter_dashboard(
    client: FlaskClient, shop: PretendSaleor, clock: FixedClock, path: str = "/saleor/", **claims: Any
) -> TestResponse:
    """Open a page as Saleor's dashboard does, the user's token in hand; the page's own answer."""
    token = user_token(shop, now=clock(), **claims)
    sent = {"token": token, "saleorApiUrl": shop.api_url, "reload": path}
    taken = client.post("/saleor/session-token", data=sent, headers=HTML)
    assert taken.status_code == 303, taken.get_data(as_text=True)
    return client.get(taken.headers["Location"], headers=HTML)


def saleor_order(client: FlaskClient, services: Services, shop: PretendSaleor, **fields: Any) -> str:
    """An order that arrived signed and was judged; its key."""
    placed = services.clock() - timedelta(minutes=5)
    body = order(OrderSpec(metadata=(("im_ref", "Click-1"),), created=placed, **fields))
    raw = saleor_deliveries.encode(saleor_deliveries.event("order_fully_paid", body))
    signed = saleor_deliveries.headers("order_fully_paid", shop.api_url, raw)
    assert client.post("/saleor/webhooks", data=raw, headers=signed).status_code == 200
    assert services.processor.drain(services.clock() + timedelta(minutes=1)) == 1
    return str(body["id"])


@pytest.fixture
def environ(tmp_path: Path, network: RunningNetwork, shopify: RunningAdmin) -> dict[str, str]:
    return {
        "INSTANCE_PATH": str(tmp_path),
        "SECRET_KEY": "a secret key of the tests",
        "ADMIN_PASSWORD": PASSWORD,
        "IMPACT_API_URL": network.url,
        # Nobody listens there: pages work without Redis, which only wakes.
        "REDIS_URL": f"unix://{tmp_path}/nobody.sock",
        "SHOPIFY_API_KEY": "pretend-client-id",
        "SHOPIFY_API_SECRET": SECRET,
        "SHOPIFY_ADMIN_URL": shopify.admin_url,
    }


@pytest.fixture
def services(environ: dict[str, str], clock: FixedClock) -> Iterator[Services]:
    made = Services(read_config(environ), clock)
    yield made
    made.database.close()


@pytest.fixture
def app(services: Services) -> Flask:
    return create_app(services)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def store(services: Services) -> Store:
    return services.stores.connect(
        "shopify", "one.myshopify.com", Tokens("pasted", "t1"), now=services.clock()
    )


@pytest.fixture
def other(services: Services) -> Store:
    return services.stores.connect(
        "shopify", "two.myshopify.com", Tokens("pasted", "t2"), now=services.clock()
    )


@pytest.fixture
def signed_in(client: FlaskClient) -> FlaskClient:
    sign_in(client)
    return client


def sign_in(client: FlaskClient, password: str = PASSWORD, **more: str) -> TestResponse:
    token = page_of(client.get("/", headers=HTML)).fields["csrf_token"]
    sent = {"csrf_token": token, "password": password, **more}
    return client.post("/login", data=sent, headers=HTML)


def add_order(services: Services, store: Store, key: str, **columns: Any) -> int:
    """One judged order as the line leaves it; a column not named has a plain value."""
    now = services.clock()
    row: dict[str, Any] = {
        "store_id": store.id,
        "order_key": key,
        "number": key,
        "placed_at": now,
        "changed_at": now,
        "snapshot": "{}",
        "verdict": "withheld",
        "reason": "no_click_or_code",
        "detail": "",
        "evidence": {},
        "rules_version": 1,
        "carrier": None,
        "click_id": None,
        "net_minor": 4999,
        "currency": "EUR",
        "created_at": now,
        "judged_at": now,
        **columns,
    }
    row.setdefault("placed_on", row["placed_at"].date())
    with services.database.write() as connection:
        return int(connection.execute(orders.insert().values(**row).returning(orders.c.id)).scalar_one())


def add_step(services: Services, store: Store, order_id: int, **columns: Any) -> int:
    """One call of an order; a column not named has a plain value."""
    now = services.clock()
    row: dict[str, Any] = {
        "store_id": store.id,
        "order_row_id": order_id,
        "account_sid": SID,
        "kind": "submit",
        "method": "POST",
        "path": f"/Advertisers/{SID}/Conversions",
        "form": [["OrderId", "1001"], ["ItemSku1", "MUG"]],
        "outcome_reported": {},
        "state": "pending",
        "created_at": now,
        "not_before": now,
        "trying_since": now,
        **columns,
    }
    with services.database.write() as connection:
        return int(connection.execute(steps.insert().values(**row).returning(steps.c.id)).scalar_one())


def add_attempt(services: Services, step_id: int, **columns: Any) -> None:
    now = services.clock()
    row: dict[str, Any] = {
        "step_id": step_id,
        "started_at": now,
        "ended_at": now + timedelta(seconds=0.4),
        "outcome": "rejected",
        "reason": "invalid_field",
        "detail": "ItemSku1: is missing",
        "status": 400,
        "answer": '{"Status":"ERROR"}',
        **columns,
    }
    with services.database.write() as connection:
        connection.execute(attempts.insert().values(**row))


def add_delivery(services: Services, store: Store, **columns: Any) -> None:
    now = services.clock()
    row: dict[str, Any] = {
        "platform": store.platform,
        "domain": store.domain,
        "topic": "orders/paid",
        "delivery_key": f"{store.domain}-{columns.get('order_key', '')}-{columns.get('state', '')}",
        "received_at": now,
        "not_before": now,
        "state": "settled",
        "reason": "judged",
        **columns,
    }
    with services.database.write() as connection:
        connection.execute(deliveries.insert().values(**row))


@pytest.fixture
def app_without_network(
    environ: dict[str, str], clock: FixedClock, tmp_path: Path
) -> Iterator[tuple[FlaskClient, Store, Services]]:
    """Signed in to an app whose impact.com is a port nobody listens on."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{unused.getsockname()[1]}"
        made = Services(read_config({**environ, "IMPACT_API_URL": nowhere}), clock)
        known = made.stores.connect("shopify", "one.myshopify.com", None, now=clock())
        client = create_app(made).test_client()
        sign_in(client)
        yield client, known, made
        made.database.close()
