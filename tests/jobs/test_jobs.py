"""RQ really runs the line: few jobs for many rows, the next one at the right moment, Redis only wakes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from rq import Queue
from rq.registry import FailedJobRegistry, ScheduledJobRegistry
from rq.worker import SimpleWorker

from impact_app import wiring
from impact_app.domain.messages import Digest
from impact_app.jobs import tasks
from impact_app.jobs.run import QUEUES
from impact_app.ledger.tables import conversions, deliveries, messages, steps, stores
from impact_app.pipeline.wake import Name, Wake
from impact_app.simulator.network import PromoCode, RunningNetwork, Setup, fault, running_network
from impact_app.simulator.saleor.server import running_saleor
from impact_app.wiring import connect_redis, services
from tests.line import OTHER_SHOP, SECRET, Bench, Clock
from tests.stores.saleor.bench import connect as connect_saleor
from tests.stores.saleor.bench import paid as paid_at_saleor


class MachineClock(Clock):
    """The jobs take the time from the machine, so the bench does too."""

    def __call__(self) -> datetime:
        return datetime.now(UTC)


@pytest.fixture
def clock() -> MachineClock:
    return MachineClock()


@pytest.fixture
def network(clock: MachineClock) -> Iterator[RunningNetwork]:
    setup = Setup(rate_limit=None, promo_codes=(PromoCode(1, "OWNED10", partner_id=20002),))
    with running_network(setup, clock=clock) as running:
        yield running


@pytest.fixture
def bench(
    tmp_path: Path,
    database_url: str,
    redis_url: str,
    network: RunningNetwork,
    clock: MachineClock,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Bench]:
    """A bench on the services that jobs find by themselves: those of the environment."""
    for name, value in {
        "SECRET_KEY": "a-secret-key-for-tests-only",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "INSTANCE_PATH": str(tmp_path),
        "SHOPIFY_API_KEY": "client-id",
        "SHOPIFY_API_SECRET": SECRET,
        "IMPACT_API_URL": network.url,
        "ADMIN_PASSWORD": "correct horse battery staple",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(wiring, "_services", None)
    yield Bench(services(), network, clock)
    services().database.close()


def _worker(bench: Bench) -> SimpleWorker:
    connection = redis.Redis.from_url(bench.line.config.redis_url)
    return SimpleWorker([Queue(name, connection=connection) for name in QUEUES], connection=connection)


def _work(bench: Bench) -> int:
    """Run what is queued, and what that queues, until nothing is; how many jobs ran, all of them well."""
    worker = _worker(bench)
    worker.work(burst=True, logging_level="WARNING")
    for name in QUEUES:
        assert FailedJobRegistry(name, connection=worker.connection).count == 0
    worker.refresh()  # type: ignore[no-untyped-call]
    return int(worker.successful_job_count)


def _queued(bench: Bench, name: str) -> int:
    return Queue(name, connection=bench.line.redis).count


def _until_queued(bench: Bench, name: str) -> None:
    """The receiver wakes the queue after it has answered."""
    ends = time.monotonic() + 5
    while not _queued(bench, name) and time.monotonic() < ends:
        time.sleep(0.01)


def _scheduled(bench: Bench) -> ScheduledJobRegistry:
    return ScheduledJobRegistry("deliver", connection=bench.line.redis)  # type: ignore[no-untyped-call]


def test_100_deliveries_are_one_wake_up_and_two_jobs(bench: Bench) -> None:
    bench.connect()
    bench.line.redis.flushdb()
    bodies = [bench.pay() for _ in range(100)]
    _until_queued(bench, "process")
    time.sleep(0.1)
    assert {name: _queued(bench, name) for name in QUEUES} == {
        "process": 1,
        "sweep": 0,
        "review": 0,
        "deliver": 0,
        "verify": 0,
        "notify": 0,
        "capture": 0,
        "reconcile": 0,
    }
    assert _work(bench) == 2
    assert {bench.verdict(body) for body in bodies} == {("reported", "accepted")}
    assert {len(bench.booked(body)) for body in bodies} == {1}


def test_a_wake_up_that_was_heard_makes_room_for_the_next(bench: Bench) -> None:
    wake = bench.line.wake
    for _ in range(5):
        wake.soon("process")
    assert _queued(bench, "process") == 1
    wake.heard("process")
    wake.soon("process")
    assert _queued(bench, "process") == 2


def test_the_next_repeat_is_scheduled_for_its_second_and_not_before(bench: Bench) -> None:
    bench.connect()
    bench.network.faults.script(fault("429_brand", seconds=30))
    body = bench.pay()
    _until_queued(bench, "process")
    _work(bench)
    assert bench.verdict(body) == ("waiting", "rate_limited")
    due = bench.line.outbox.next_due(bench.clock())
    assert due is not None
    (job_id,) = _scheduled(bench).get_job_ids()
    at = _scheduled(bench).get_scheduled_time(job_id)
    assert timedelta(0) <= at - due < timedelta(seconds=1)
    # Another look schedules nothing more.
    tasks.sweep()
    assert _scheduled(bench).get_job_ids() == [job_id]


def test_the_scheduler_brings_the_repeat_by_itself(bench: Bench) -> None:
    bench.connect()
    bench.network.faults.script(fault("429_brand", seconds=5))
    body = bench.pay()
    _until_queued(bench, "process")
    _work(bench)
    assert bench.verdict(body) == ("waiting", "rate_limited")
    _worker(bench).work(max_jobs=1, with_scheduler=True, logging_level="WARNING")
    assert bench.verdict(body) == ("reported", "accepted")
    assert len(bench.booked(body)) == 1


@pytest.mark.parametrize("wakes", ["sweep", "deliver"])
def test_accepted_conversions_are_read_back_by_a_job_of_their_own(bench: Bench, wakes: Name) -> None:
    bench.connect()
    body = bench.pay()
    _until_queued(bench, "process")
    _work(bench)
    bench.line.wake.soon(wakes)
    assert _work(bench) == 1  # nothing is due for twenty minutes
    with bench.line.database.write() as connection:
        connection.execute(conversions.update().values(check_at=bench.clock()))
    bench.line.redis.flushdb()
    bench.line.wake.soon(wakes)
    assert _work(bench) == 2  # itself and verify
    assert bench.verdict(body) == ("reported", "credited")
    assert bench.calls()[1:] == ["GET Actions 200"]


def test_an_emptied_redis_only_delays(bench: Bench) -> None:
    bench.connect()
    bench.network.faults.script("500_after")
    unread, unsent = bench.order(), bench.pay()
    _until_queued(bench, "process")
    _work(bench)
    bench.deliver_body("orders/paid", unread)
    _until_queued(bench, "process")
    bench.line.redis.flushdb()
    assert _work(bench) == 0
    with bench.line.database.write() as connection:
        connection.execute(steps.update().values(not_before=bench.clock()))
    bench.line.wake.soon("sweep")
    assert _work(bench) == 3  # sweep, process, deliver
    for body in (unread, unsent):
        assert bench.verdict(body) == ("reported", "accepted")
        assert len(bench.booked(body)) == 1


def test_the_sweep_frees_what_a_dead_worker_held_and_wakes_the_line(bench: Bench) -> None:
    bench.connect()
    body = bench.pay()
    _until_queued(bench, "process")
    bench.line.redis.flushdb()
    bench.line.inbox.claim(5, bench.clock())
    with bench.line.database.write() as connection:
        connection.execute(deliveries.update().values(claimed_at=bench.clock() - timedelta(seconds=91)))
    bench.line.wake.soon("sweep")
    assert _work(bench) == 3
    assert bench.verdict(body) == ("reported", "accepted")


def test_saved_settings_wake_the_review(bench: Bench) -> None:
    store = bench.connect(configured=False)
    body = bench.pay()
    _until_queued(bench, "process")
    _work(bench)
    assert bench.verdict(body) == ("waiting", "not_configured")
    bench.configure(store)
    _work(bench)
    assert bench.verdict(body) == ("reported", "accepted")


def test_the_steps_of_a_store_that_left_wake_nobody(bench: Bench) -> None:
    """A due step that may not be sent must not keep the deliverer running in circles."""
    bench.connect()
    bench.pay()
    assert bench.process() == 1
    with bench.line.database.write() as connection:
        connection.execute(stores.update().values(state="uninstalled"))
    bench.line.redis.flushdb()
    tasks.sweep()
    tasks.deliver()
    assert (_queued(bench, "deliver"), _scheduled(bench).count) == (0, 0)
    assert bench.calls() == []


def test_without_redis_a_wake_up_is_lost_and_nothing_else(bench: Bench) -> None:
    gone = replace(bench.line.config, redis_url="unix:///nonexistent/redis.sock")
    wake = Wake(connect_redis(gone))
    began = time.monotonic()
    for _ in range(50):
        wake.soon("process")
    wake.at("deliver", bench.clock())
    wake.heard("process")
    assert time.monotonic() - began < 1


def test_the_daily_job_learns_the_codes_and_expires_bodies(bench: Bench) -> None:
    refused, store = bench.connect(OTHER_SHOP), bench.connect()
    bench.configure(refused, token="wrong")
    bench.pay()
    assert bench.process() == 1
    with bench.line.database.write() as connection:
        long_ago = bench.clock() - timedelta(days=31)
        connection.execute(deliveries.update().values(received_at=long_ago))
    tasks.daily()
    codes = {one.id: list(one.promo_codes) for one in bench.line.stores.all()}
    assert codes == {refused.id: [], store.id: [{"code": "OWNED10", "type": "LI", "partner": "20002"}]}
    assert [row.body for row in bench.rows(deliveries)] == [None]


def test_the_daily_job_passes_over_a_store_whose_token_cannot_be_read(bench: Bench) -> None:
    lost, store = bench.connect(OTHER_SHOP), bench.connect()
    with bench.line.database.write() as connection:
        connection.execute(stores.update().where(stores.c.id == lost.id).values(auth_token="gAAAAA-spoilt"))
    tasks.daily()
    found = bench.line.stores.get(store.id)
    assert found is not None
    assert [code["code"] for code in found.promo_codes] == ["OWNED10"]


def test_the_hourly_job_brings_orders_of_events_that_saleor_gave_up(bench: Bench) -> None:
    with running_saleor() as saleor:
        saleor.token = "app-token"
        spoilt = connect_saleor(bench, [], token="spoilt", api_url="http://127.0.0.1:9/graphql/")
        with bench.line.database.write() as connection:
            gone = stores.update().where(stores.c.id == spoilt.id).values(access_token="gAAAAA-spoilt")
            connection.execute(gone)
        connect_saleor(bench, saleor.keys.jwks()["keys"], api_url=saleor.api_url)
        order = saleor.keep(paid_at_saleor(bench))
        saleor.lose("order_fully_paid", order)
        tasks.hourly()
        assert bench.run() == 1
    assert bench.booked(order) == [order["subtotal"]["net"]["amount"]]


def test_the_hourly_job_runs_with_stores_that_have_no_token(bench: Bench) -> None:
    bench.connect()
    tasks.hourly()
    assert bench.count(stores) == 1


def test_the_watch_raises_alerts_and_wakes_whoever_sends_them(bench: Bench) -> None:
    """Without a mail server the message waits; the sweep finds it, and the next try is scheduled."""
    store = bench.connect()
    bench.line.channels.save(store.id, ["ann@shop.test"], None, Digest.NONE, None)
    bench.network.faults.script("400")
    bench.pay()
    bench.run()
    bench.line.redis.flushdb()
    tasks.watch()
    assert _queued(bench, "notify") == 1
    bench.line.redis.flushdb()
    tasks.sweep()
    assert _queued(bench, "notify") == 1
    tasks.notify()
    (row,) = bench.rows(messages)
    assert (row.state, row.tries) == ("pending", 1)
    assert ScheduledJobRegistry("notify", connection=bench.line.redis).count == 1  # type: ignore[no-untyped-call]
