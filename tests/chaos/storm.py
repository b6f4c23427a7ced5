"""The whole line under a storm: every process real, every one killed hard, a network that fails.

    python -m tests.chaos.storm 10000 5      orders, kills of each of web, worker and Redis

Half of the orders are Shopify's, half are Saleor's. Each is delivered three times, twice as one delivery and
once as another, in random order, fast.
At the end each paid order stands booked once, with the right amount, and the verdicts say so.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

import psutil
import requests
import sqlalchemy as sa
from rich.console import Console

from impact_app.demo import SHOP, Stage, running_demo
from impact_app.ledger.stores import Tokens
from impact_app.ledger.tables import attempts, deliveries, orders
from impact_app.simulator.network import TRANSIENT, Setup, fault
from impact_app.simulator.saleor import deliveries as deliveries_of_saleor
from impact_app.simulator.saleor import orders as orders_of_saleor
from impact_app.simulator.saleor.server import PretendSaleor, running_saleor
from impact_app.simulator.shopify.deliveries import headers
from impact_app.simulator.shopify.orders import LineSpec, OrderSpec, encode, order_body

FAILING = 0.30
SENDERS = 8

#: How the processes of each kind are found among the supervisor's descendants.
KINDS = {"web": "granian", "worker": "app worker", "redis": "redis-server"}


@dataclass(frozen=True)
class Posting:
    """One delivery: the path at the door, the bytes, the signed headers."""

    path: str
    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True)
class Sale:
    """One paid order, how it is delivered, and what impact.com should pay on."""

    key: str
    net: Decimal
    postings: tuple[Posting, Posting]


@dataclass
class Figures:
    """What happened in a storm."""

    orders: int
    posted: int = 0
    repeated: int = 0
    kills: dict[str, int] = field(default_factory=dict)
    faults: int = 0
    attempts: int = 0
    duplicates: int = 0
    seconds: float = 0.0

    def table(self) -> str:
        return "\n".join(f"{name:>12}  {value}" for name, value in vars(self).items())


def storm(count: int, kills: int, *, seed: int, told: Console, patience: float) -> Figures:
    """Run one storm and check its end. Raises AssertionError with what does not add up."""
    chance = random.Random(seed)
    figures = Figures(count)
    started = time.monotonic()
    with running_saleor() as saleor, running_demo(told, Setup(rate_limit=None)) as stage:
        _connect(stage, saleor)
        sales = [_saleor(chance, saleor) if at % 2 else _shopify(chance, stage) for at in range(count)]
        stage.network.faults.at_random(
            FAILING, seed=seed, kinds=[fault(name, seconds=0.05) for name in TRANSIENT]
        )
        over = threading.Event()
        killer = threading.Thread(target=_kill, args=(stage, kills, chance, over, figures))
        killer.start()
        try:
            _post(stage, sales, chance, figures)
            _settle(stage, killer, told, patience)
        finally:
            over.set()
            killer.join()
        figures.seconds = round(time.monotonic() - started, 1)
        _check(stage, sales, figures)
    return figures


def _connect(stage: Stage, saleor: PretendSaleor) -> None:
    """Connect the pretend Saleor as an installation does, with the account of the demo's store."""
    facts = {"api_url": saleor.api_url, "version": saleor.version, "keys": saleor.keys.jwks()["keys"]}
    tokens = Tokens("offline", "app-token")
    store = stage.line.stores.connect(
        "saleor", saleor.domain, tokens, now=datetime.now(UTC), installation=facts
    )
    setup = stage.network.books.setup
    stage.line.stores.save_settings(
        store.id,
        account_sid=setup.sid,
        auth_token=setup.token,
        campaign_id=str(setup.campaigns[0].id),
        event_type_id=str(setup.event_types[0].id),
        rules={},
        now=datetime.now(UTC),
    )


def _prices(chance: random.Random) -> list[tuple[Decimal, int]]:
    """Price and units of one to four lines."""
    count = chance.randint(1, 4)
    return [(Decimal(chance.randint(100, 50_000)) / 100, chance.randint(1, 3)) for _ in range(count)]


def _net(prices: list[tuple[Decimal, int]]) -> Decimal:
    return sum((price * units for price, units in prices), Decimal(0))


def _shopify(chance: random.Random, stage: Stage) -> Sale:
    prices = _prices(chance)
    spec = OrderSpec(
        lines=tuple(
            LineSpec(f"SKU-{at}", f"Thing {at}", price, units, product_id=None)
            for at, (price, units) in enumerate(prices)
        ),
        note_attributes=(("im_ref", f"click-{chance.getrandbits(48):x}"),),
        processed_at=datetime.now(UTC).replace(microsecond=0),
    )
    made = order_body(spec)
    key, body = str(made["id"]), encode(made)
    first, second = (_delivery(stage, body, f"{key}-{copy}") for copy in "ab")
    return Sale(key, _net(prices), (first, second))


def _delivery(stage: Stage, body: bytes, webhook_id: str) -> Posting:
    secret = stage.admin.store.client_secret
    return Posting(
        "/shopify/webhooks", body, headers("orders/paid", SHOP, body, secret, webhook_id=webhook_id)
    )


def _saleor(chance: random.Random, saleor: PretendSaleor) -> Sale:
    """Two events of one order; a repeated one has the same bytes."""
    prices = _prices(chance)
    spec = orders_of_saleor.OrderSpec(
        lines=tuple(
            orders_of_saleor.LineSpec(f"Thing {at}", price, units, sku=f"SKU-{at}")
            for at, (price, units) in enumerate(prices)
        ),
        metadata=(("im_ref", f"click-{chance.getrandbits(48):x}"),),
    )
    made = orders_of_saleor.order(spec)
    first, second = (_event(name, made, saleor) for name in ("order_fully_paid", "order_updated"))
    return Sale(made["id"], _net(prices), (first, second))


def _event(name: str, made: orders_of_saleor.Body, saleor: PretendSaleor) -> Posting:
    body = deliveries_of_saleor.encode(deliveries_of_saleor.event(name, made))
    return Posting("/saleor/webhooks", body, deliveries_of_saleor.headers(name, saleor.api_url, body))


def _post(stage: Stage, sales: list[Sale], chance: random.Random, figures: Figures) -> None:
    """Every delivery, in random order, from several senders at once."""
    queue = [sale.postings[copy] for sale in sales for copy in (0, 0, 1)]
    chance.shuffle(queue)
    waiting = iter(queue)
    lock = threading.Lock()

    def send() -> None:
        session = requests.Session()
        while True:
            with lock:
                posting = next(waiting, None)
            if posting is None:
                return
            repeated = _deliver(stage, session, posting)
            with lock:
                figures.posted += 1
                figures.repeated += repeated

    with ThreadPoolExecutor(SENDERS) as senders:
        for done in [senders.submit(send) for _ in range(SENDERS)]:
            done.result()


def _deliver(stage: Stage, session: requests.Session, posting: Posting) -> int:
    """Deliver until it is taken, as platforms do, only sooner; how often it had to be repeated."""
    url = f"http://127.0.0.1:{stage.config.port}{posting.path}"
    for tried in range(600):
        try:
            answer = session.post(url, data=posting.body, headers=posting.headers, timeout=5)
        except requests.RequestException:
            answer = None
        if answer is not None and answer.status_code == 200:
            return tried
        assert answer is None or answer.status_code == 503, f"{answer.status_code}: {answer.text}"
        time.sleep(0.2)
    raise AssertionError(f"a delivery to {posting.path} was not taken")


def _kill(stage: Stage, kills: int, chance: random.Random, over: threading.Event, figures: Figures) -> None:
    """Kill one of each kind in turn, parents and children alike, with moments between."""
    for kind in [kind for _ in range(kills) for kind in chance.sample(sorted(KINDS), len(KINDS))]:
        if over.wait(chance.uniform(1.0, 4.0)):
            return
        victims = list(_processes(stage, KINDS[kind]))
        if victims:
            chance.choice(victims).kill()
            figures.kills[kind] = figures.kills.get(kind, 0) + 1


def _processes(stage: Stage, mark: str) -> Iterator[psutil.Process]:
    pid = int((stage.config.instance_path / "supervisord.pid").read_text())
    for process in psutil.Process(pid).children(recursive=True):
        try:
            if mark in " ".join(process.cmdline()):
                yield process
        except psutil.NoSuchProcess:
            continue


def _settle(stage: Stage, killer: threading.Thread, told: Console, patience: float) -> None:
    """Wait until nobody is killed any more and nothing waits."""
    killer.join()
    ends = time.monotonic() + patience
    shown = 0.0
    while time.monotonic() < ends:
        pending, waiting = _open(stage)
        if not pending and not waiting:
            return
        if time.monotonic() - shown > 10:
            told.print(f"{pending} deliveries and {waiting} orders wait ...", highlight=False)
            shown = time.monotonic()
        time.sleep(1)
    raise AssertionError(f"After {patience:.0f} seconds, deliveries and orders that wait: {_open(stage)}")


def _open(stage: Stage) -> tuple[int, int]:
    with stage.line.database.read() as connection:
        pending = connection.scalar(
            sa.select(sa.func.count()).select_from(deliveries).where(deliveries.c.state == "pending")
        )
        waiting = connection.scalar(
            sa.select(sa.func.count()).select_from(orders).where(orders.c.verdict == "waiting")
        )
    return int(pending or 0), int(waiting or 0)


def _check(stage: Stage, sales: list[Sale], figures: Figures) -> None:
    """Each paid order booked once and rightly; the ledger says the same; nothing else was booked."""
    books = stage.network.books
    booked: dict[str, list[Decimal]] = {}
    for action in books.actions():
        booked.setdefault(action.order_id, []).append(action.amount)
    expected = {sale.key: [sale.net] for sale in sales}
    lost = sorted(set(expected) - set(booked))
    wrong = {key: booked[key] for key in booked if booked[key] != expected.get(key)}
    assert not lost, f"{len(lost)} orders lost: {lost[:5]}"
    assert not wrong, f"{len(wrong)} orders booked twice or wrongly: {list(wrong.items())[:5]}"
    with stage.line.database.read() as connection:
        rows = connection.execute(sa.select(orders.c.order_key, orders.c.verdict, orders.c.net_minor)).all()
        figures.attempts = int(connection.scalar(sa.select(sa.func.count()).select_from(attempts)) or 0)
    told = {row.order_key: (row.verdict, Decimal(row.net_minor) / 100) for row in rows}
    assert told == {sale.key: ("reported", sale.net) for sale in sales}, "the ledger tells another story"
    figures.faults = sum(stage.network.faults.met.values())
    figures.duplicates = sum("CONV_DUPLICATE" in (one.error_reason or "") for one in books.submissions())


if __name__ == "__main__":
    console = Console(stderr=True)
    found = storm(int(sys.argv[1]), int(sys.argv[2]), seed=int(time.time()), told=console, patience=3600)
    print(found.table())  # noqa: T201 - this is a command
