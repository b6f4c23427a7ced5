"""Benchmarks, each as a ratio against a baseline measured in the same run: `python -m bench`.

Absolute figures depend on the machine; the ratios and the bar (p99 under 100 ms at 200 a second) do not.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from multiprocessing import get_context

import requests
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from impact_app.demo import SHOP, Stage, free_port, running_demo
from impact_app.domain.mapping import Target
from impact_app.domain.plan import Context, plan
from impact_app.domain.rules import Rules
from impact_app.ledger.tables import deliveries, orders
from impact_app.simulator.network import Setup
from impact_app.simulator.shopify.deliveries import headers
from impact_app.simulator.shopify.orders import LineSpec, OrderSpec, encode, order_body
from impact_app.stores.shopify.reading import read_order

from .pages import BAR_MS, ORDERS, pages
from .reconciliation import HALF_AN_HOUR_OF_POINTS, MOST_CALLS, reconciled_day
from .senders import RATE, paced, send
from .storefront import SLOW_DOWN, script_cost

SECONDS = 30
TOLD = Console(stderr=True)


def body(number: int, lines: int = 5) -> bytes:
    """An order of five lines, about 20 kB as Shopify sends it."""
    specs = tuple(
        LineSpec(f"SKU-{number}-{at}", f"Thing {at}", Decimal("19.90"), 2, product_id=None)
        for at in range(lines)
    )
    spec = OrderSpec(
        lines=specs,
        note_attributes=(("im_ref", f"click-{number}"),),
        processed_at=datetime.now(UTC).replace(microsecond=0),
    )
    return encode(order_body(spec))


def main() -> None:
    table = Table(title="Benchmarks", title_justify="left")
    for name in ("What", "Ours", "Baseline", "Ratio"):
        table.add_column(name, justify="left" if name == "What" else "right")
    with running_demo(TOLD, Setup(rate_limit=None)) as stage:
        arrived = receive_paced(stage)
        ours = saturation(f"http://127.0.0.1:{stage.config.port}/shopify/webhooks", _signed(stage))
        drained = drain_rate(stage)
    with bare_flask() as url:
        bare = saturation(url, lambda _number: (b"x" * 20_000, {}))
    with bare_flask() as url:
        loop = one_connection(url)
    table.add_row(f"receive, {RATE}/s for {SECONDS} s: p50 / p99 ms", arrived, "bar: p99 100 ms", "")
    table.add_row(
        "receive at saturation, 1/s", f"{ours:.0f}", f"{bare:.0f} (bare Flask)", f"{ours / bare:.2f}"
    )
    read, parsed = read_and_plan(), parse_alone()
    table.add_row(
        "read and plan an order, 1/s", f"{read:.0f}", f"{parsed:.0f} (json alone)", f"{read / parsed:.2f}"
    )
    table.add_row(
        "orders judged and booked, 1/s", f"{drained:.0f}", f"{loop:.0f} (bare loop)", f"{drained / loop:.2f}"
    )
    table.add_row(
        f"storefront script on load, processor slowed {SLOW_DOWN} times: ms",
        f"{script_cost():.1f}",
        "bar: 5 ms",
        "",
    )
    for database, page, median in pages():
        table.add_row(
            f"page with {ORDERS:,} orders, {page}, {database}: ms", f"{median:.0f}", f"bar: {BAR_MS} ms", ""
        )
    day = reconciled_day()
    table.add_row(
        f"reconcile a day of {day.orders} orders: calls to impact.com",
        str(day.impact_calls),
        f"bar: {MOST_CALLS}",
        f"{day.impact_calls / MOST_CALLS:.2f}",
    )
    table.add_row(
        f"the same: Shopify's points in {day.store_calls} calls",
        f"{day.points:.0f}",
        f"bar: {HALF_AN_HOUR_OF_POINTS:.0f} (half of Basic's hour)",
        f"{day.points / HALF_AN_HOUR_OF_POINTS:.2f}",
    )
    Console().print(table)


def _signed(stage: Stage) -> Callable[[int], tuple[bytes, dict[str, str]]]:
    secret = stage.admin.store.client_secret

    def make(number: int) -> tuple[bytes, dict[str, str]]:
        sent = body(number)
        return sent, headers("orders/paid", SHOP, sent, secret)

    return make


def receive_paced(stage: Stage) -> str:
    """200 deliveries a second for 30 seconds, each a durable row; p50 and p99 of the answers in ms."""
    make = _signed(stage)
    prepared = [make(number) for number in range(RATE * SECONDS)]
    url = f"http://127.0.0.1:{stage.config.port}/shopify/webhooks"
    before = rows(stage)
    # In a process of its own, since this one is busy being impact.com.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
        times = apart.submit(paced, url, prepared).result()
    assert rows(stage) - before == len(prepared), "deliveries were lost"
    return f"{times[len(times) // 2] * 1000:.1f} / {times[int(len(times) * 0.99)] * 1000:.1f}"


def rows(stage: Stage) -> int:
    with stage.line.database.read() as connection:
        return int(connection.scalar(sa.select(sa.func.count()).select_from(deliveries)) or 0)


def saturation(url: str, make: Callable[[int], tuple[bytes, dict[str, str]]]) -> float:
    """Requests a second from 16 senders as fast as they go."""
    prepared = [make(10_000_000 + number) for number in range(3_000)]
    begun = time.monotonic()
    send(url, prepared, due=lambda _number: 0.0)
    return len(prepared) / (time.monotonic() - begun)


def drain_rate(stage: Stage) -> float:
    """Orders a second from their rows to their bookings, over what still waits after the load."""
    begun, first = time.monotonic(), _waiting(stage)
    while time.monotonic() - begun < 60 and _waiting(stage) > first * 0.1:
        time.sleep(0.5)
    return max(first - _waiting(stage), 1) / (time.monotonic() - begun)


def _waiting(stage: Stage) -> int:
    """Deliveries that are not read yet, and orders that are not booked yet."""
    count = sa.select(sa.func.count())
    unread = count.select_from(deliveries).where(deliveries.c.state == "pending")
    unbooked = count.select_from(orders).where(orders.c.verdict == "waiting")
    with stage.line.database.read() as connection:
        return sum(int(connection.scalar(query) or 0) for query in (unread, unbooked))


@contextmanager
def bare_flask() -> Iterator[str]:
    """A Flask that answers "ok" under the same server and settings as the app."""
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(port), "--workers", "2"]
    command += ["--blocking-threads", "32", "--no-ws", "--log-level", "error", "bench.bare:app"]
    with subprocess.Popen(command) as process:  # noqa: S603 - our own command
        url = f"http://127.0.0.1:{port}/"
        for _ in range(100):
            time.sleep(0.1)
            try:
                requests.post(url, timeout=1)
            except requests.RequestException:
                continue
            break
        yield url
        process.terminate()


def one_connection(url: str) -> float:
    """Small forms a second over one kept-alive connection, one after the other."""
    session = requests.Session()
    begun = time.monotonic()
    for _ in range(1_000):
        session.post(url, data={"OrderId": "1"}, timeout=5)
    return 1_000 / (time.monotonic() - begun)


def read_and_plan() -> float:
    """Orders a second from their bytes to their plan."""
    context = Context(Target("1000", "9876"), (), datetime.now(UTC) + timedelta(minutes=1))
    return _rate(lambda sent: plan(read_order(sent), Rules(), None, context))


def parse_alone() -> float:
    """What the standard library needs to parse and write the same bodies."""
    return _rate(lambda sent: json.dumps(json.loads(sent)))


def _rate(work: Callable[[bytes], object]) -> float:
    bodies = [body(number) for number in range(200)]
    begun, done = time.monotonic(), 0
    while time.monotonic() - begun < 3:
        for sent in bodies:
            work(sent)
        done += len(bodies)
    return done / (time.monotonic() - begun)


if __name__ == "__main__":
    main()
