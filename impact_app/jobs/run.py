"""The two long-running processes beside the web server: the workers and the clock."""

from __future__ import annotations

import logging
import os
import time
from typing import Any

import redis
import structlog
from rq import Queue
from rq.cron import CronScheduler
from rq.worker import SimpleWorker
from rq.worker_pool import WorkerPool

from impact_app.config import Config
from impact_app.jobs import tasks
from impact_app.pipeline.wake import Wake
from impact_app.processes import end_with_parent

log = structlog.get_logger()

#: In order of priority: reading comes first, since it is quick and tells everything else what to do;
#: reading back and messages come last, since nobody waits for them.
QUEUES = ("process", "sweep", "review", "deliver", "verify", "notify", "capture", "reconcile")


class Worker(SimpleWorker):
    """Runs jobs in its own process, ends with its pool, and recovers soon after Redis was gone."""

    max_connection_wait_time = 5.0

    def __init__(self, *args: Any, **options: Any) -> None:
        # RQ's scheduler ends when Redis does, and a worker left alone would look for that every ten minutes,
        # between waits of up to seven: so long nobody would come back for what is due later.
        options |= {"maintenance_interval": 5, "worker_ttl": 20}
        super().__init__(*args, **options)

    def work(self, *args: Any, **options: Any) -> bool:
        end_with_parent()
        # The scheduler is a child of its own, and would go on without its worker.
        os.register_at_fork(after_in_child=end_with_parent)
        return bool(super().work(*args, **options))


def work(config: Config, processes: int) -> None:
    """Run `processes` workers until stopped. Each drains the database, so two are enough for one machine."""
    connection = _connect(config)
    # Whatever a killed worker left is looked for at once instead of at the next full minute.
    Wake(connection).soon("sweep")
    # So is whatever the platforms could not deliver while nothing was running.
    Wake(connection).soon("reconcile")
    logging.getLogger("rq.worker").setLevel(logging.WARNING)
    pool = WorkerPool(
        [Queue(name, connection=connection) for name in QUEUES],
        connection=connection,
        num_workers=processes,
        worker_class=Worker,
    )
    pool.start(logging_level="WARNING")


def tick(config: Config) -> None:
    """Run the clock until stopped: it only enqueues, so a missed beat delays and never loses."""
    clock = CronScheduler(_connect(config), logging_level=logging.WARNING)
    clock.register(tasks.sweep, queue_name="sweep", interval=60, result_ttl=0)
    clock.register(tasks.hourly, queue_name="sweep", interval=3600, result_ttl=0)
    clock.register(tasks.watch, queue_name="sweep", interval=3600, result_ttl=0)
    clock.register(tasks.daily, queue_name="sweep", interval=86400, result_ttl=0)
    clock.start()  # type: ignore[no-untyped-call]


def _connect(config: Config) -> redis.Redis:
    """A connection to a Redis that answers; one that is still starting is waited for.

    Workers block on it while they wait for work, so it has no read time-out.
    """
    connection = redis.Redis.from_url(config.redis_url, socket_connect_timeout=5.0, health_check_interval=30)
    while True:
        try:
            connection.ping()
        except redis.RedisError as fault:
            log.warning("redis.awaited", fault=type(fault).__name__)
            time.sleep(0.5)
        else:
            return connection
