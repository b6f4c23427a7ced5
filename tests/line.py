"""The line in one hand: real services, a pretend network, a store, a clock that a test moves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from impact_app import create_app
from impact_app.config import Config, read_config
from impact_app.http import Http
from impact_app.ledger.stores import Store
from impact_app.ledger.tables import attempts, conversions, deliveries, orders, steps
from impact_app.simulator.network import RunningNetwork
from impact_app.simulator.shopify.deliveries import headers
from impact_app.simulator.shopify.orders import CustomerSpec, LineSpec, OrderSpec, encode, order_body
from impact_app.wiring import Services

SHOP = "impact-demo.myshopify.com"
OTHER_SHOP = "another-shop.myshopify.com"
SECRET = "current-client-secret"
PREVIOUS = "previous-client-secret"
TOKEN = "pretend-auth-token"
START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

#: Runs a test on both databases; it takes `line` or `bench` as usual.
both_databases = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


@dataclass
class Clock:
    """Stands still until a test moves it."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **units: float) -> None:
        self.now += timedelta(**units)


def config_for(folder: Path, database_url: str, redis_url: str, impact_url: str) -> Config:
    return read_config(
        {
            "SECRET_KEY": "a-secret-key-for-tests-only",
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "INSTANCE_PATH": str(folder),
            "SHOPIFY_API_KEY": "client-id",
            "SHOPIFY_API_SECRET": SECRET,
            "SHOPIFY_API_SECRET_PREVIOUS": PREVIOUS,
            "SHOPIFY_ADMIN_URL": "http://127.0.0.1:9/{shop}",
            "IMPACT_API_URL": impact_url,
            "ADMIN_PASSWORD": "correct horse battery staple",
        }
    )


@dataclass
class Bench:
    """One line with everything a test does to it and asks of it."""

    line: Services
    network: RunningNetwork
    clock: Clock
    client: FlaskClient = field(init=False)
    placed: int = 0

    def __post_init__(self) -> None:
        self.client = create_app(self.line).test_client()

    def wait_for_answers(self, seconds: float) -> None:
        """Give impact.com this long to answer; to be said before anything is sent."""
        self.line.http = Http(read=seconds)

    # in

    def connect(self, domain: str = SHOP, *, configured: bool = True, **rules: str) -> Store:
        store = self.line.stores.connect("shopify", domain, None, now=self.clock())
        if configured:
            self.configure(store, **rules)
        found = self.line.stores.get(store.id)
        assert found is not None
        return found

    def configure(self, store: Store, *, token: str = TOKEN, **rules: str) -> None:
        """Save settings as the page does, and have what waits looked at."""
        setup = self.network.books.setup
        self.line.stores.save_settings(
            store.id,
            account_sid=setup.sid,
            auth_token=token,
            campaign_id=str(setup.campaigns[0].id),
            event_type_id=str(setup.event_types[0].id),
            rules=rules,
            by="a test",
            now=self.clock(),
        )
        self.line.settings_saved(store.id)

    def order(self, *lines: LineSpec, shop: str = SHOP, **fields: Any) -> dict[str, Any]:
        """The body of a paid order with a click, placed five minutes ago; one line of 100.00 by default."""
        self.placed += 1
        spec = OrderSpec(
            lines=lines or (LineSpec(price=Decimal("100.00")),),
            note_attributes=(("im_ref", f"click-{self.placed}"),),
            customer=CustomerSpec(id=8_210_000_000_000 + self.placed),
            processed_at=self.clock() - timedelta(minutes=5),
            order_id=5_000_000_000_000 + 65_536 * self.placed,
            shop_domain=shop,
        )
        return order_body(replace(spec, **fields))

    def post(
        self,
        topic: str,
        body: Mapping[str, Any] | bytes,
        *,
        shop: str = SHOP,
        secret: str = SECRET,
        **changed: str | None,
    ) -> TestResponse:
        """Deliver a body signed as Shopify signs it; `changed` sets headers, or takes them out with None."""
        raw = body if isinstance(body, bytes) else encode(dict(body))
        sent: dict[str, str | None] = dict(headers(topic, shop, raw, secret, triggered_at=self.clock()))
        for name, value in changed.items():
            sent[f"X-Shopify-{name.replace('_', '-')}"] = value
        kept = {name: value for name, value in sent.items() if value is not None}
        return self.client.post("/shopify/webhooks", data=raw, headers=kept)

    def deliver_body(self, topic: str, body: Mapping[str, Any] | bytes, **more: Any) -> None:
        answer = self.post(topic, body, **more)
        assert (answer.status_code, answer.text) == (200, "Kept.\n")

    def pay(self, *lines: LineSpec, **fields: Any) -> dict[str, Any]:
        """Deliver a paid order; its body."""
        body = self.order(*lines, **fields)
        self.deliver_body("orders/paid", body, shop=fields.get("shop", SHOP))
        return body

    # work

    @property
    def turn(self) -> datetime:
        return self.clock() + timedelta(seconds=20)

    def process(self) -> int:
        return self.line.processor.drain(self.turn)

    def deliver(self) -> int:
        return self.line.deliverer.drain(self.turn)

    def review(self) -> int:
        return self.line.reviewer.drain(self.turn)

    def join(self) -> int:
        return self.line.joiner.drain(self.turn)

    def run(self) -> int:
        """Everything that is due now; the number of calls made."""
        made = 0
        while True:
            worked = self.process() + self.review() + self.join()
            sent = self.deliver()
            made += sent
            if not worked and not sent:
                return made

    # out

    def rows(self, table: sa.Table, *where: sa.ColumnElement[bool]) -> list[Any]:
        with self.line.database.read() as connection:
            key = table.c.id if "id" in table.c else sa.literal(1)
            return list(connection.execute(sa.select(table).where(*where).order_by(key)))

    def count(self, table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
        return len(self.rows(table, *where))

    def counts(self) -> dict[str, int]:
        """Rows of each table along the line."""
        tables = (deliveries, orders, steps, attempts, conversions)
        return {table.name: self.count(table) for table in tables}

    def fates(self) -> list[tuple[str, str | None]]:
        """State and reason of every delivery, in the order they came."""
        return [(row.state, row.reason) for row in self.rows(deliveries)]

    def verdict(self, body: Mapping[str, Any]) -> tuple[str, str]:
        """Verdict and reason of the order, of whichever store."""
        (row,) = self.rows(orders, orders.c.order_key == str(body["id"]))
        return row.verdict, row.reason

    def steps_of(self, body: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Kind and state of an order's steps."""
        (row,) = self.rows(orders, orders.c.order_key == str(body["id"]))
        return [(step.kind, step.state) for step in self.rows(steps, steps.c.order_row_id == row.id)]

    def calls(self) -> list[str]:
        """Every call the network met: verb, resource and status."""
        return [
            f"{call.method} {call.path.rsplit('/', 1)[1]} {call.status}"
            for call in self.network.books.calls()
        ]

    def booked(self, body: Mapping[str, Any]) -> list[Decimal]:
        """What impact.com's stand-in pays on: the amount of each action of this order."""
        return [action.amount for action in self.network.books.actions_of_order(str(body["id"]))]

    def reported(self, body: Mapping[str, Any]) -> Decimal:
        """What the ledger believes that impact.com holds of the order, 0 for none."""
        (row,) = self.rows(orders, orders.c.order_key == str(body["id"]))
        held = self.rows(conversions, conversions.c.order_row_id == row.id)
        return sum((self._amount(item) for one in held for item in one.reported["items"]), Decimal(0))

    @staticmethod
    def _amount(item: Mapping[str, Any]) -> Decimal:
        amount = item["amount"]
        return Decimal(amount["amount"])


def sums(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))
