"""Telling the queue that there is work. The rows are the queue; Redis only wakes who works through them."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from typing import Literal

import redis
import structlog
from rq import Queue

log = structlog.get_logger()

Name = Literal["process", "deliver", "review", "sweep", "verify", "notify", "capture", "reconcile"]

#: While a wake-up waits in the queue, more of the same say nothing new; after this a lost one is replaced.
_ENOUGH_SECONDS = 5

#: After a failure Redis is left alone for a moment, so that a receiver under load does not wait on it.
_REST_SECONDS = 2.0


class Wake:
    """Enqueues one drain job for any number of rows; without Redis, the sweep finds the rows later."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection
        self._rests_until = 0.0

    def soon(self, name: Name) -> None:
        """Have `name` run as soon as a worker is free."""
        if time.monotonic() < self._rests_until:
            return
        try:
            if self._redis.set(_key(name), "1", nx=True, ex=_ENOUGH_SECONDS):
                self._queue(name).enqueue(_task(name), job_timeout=600, result_ttl=0, failure_ttl=86400)
        except redis.RedisError as fault:
            self._rests_until = time.monotonic() + _REST_SECONDS
            log.warning("wake.lost", queue=name, fault=type(fault).__name__)

    def at(self, name: Name, when: datetime) -> None:
        """Have `name` run at a moment, to the next full second; several for the same second are one."""
        # RQ cuts fractions off. A job that came that much too early would ask for its own second again,
        # and be deleted at its end together with what it asked for.
        second = math.ceil(when.timestamp())
        try:
            self._queue(name).enqueue_at(
                datetime.fromtimestamp(second, UTC),
                _task(name),
                job_id=f"{name}-{second}",
                job_timeout=600,
                result_ttl=0,
                failure_ttl=86400,
            )
        except redis.RedisError as fault:
            log.warning("wake.lost", queue=name, fault=type(fault).__name__)

    def heard(self, name: Name) -> None:
        """A worker has begun; whatever comes from now on needs a wake-up of its own."""
        try:
            self._redis.delete(_key(name))
        except redis.RedisError as fault:
            log.warning("wake.lost", queue=name, fault=type(fault).__name__)

    def _queue(self, name: Name) -> Queue:
        return Queue(name, connection=self._redis)


def _key(name: Name) -> str:
    return f"impact:wake:{name}"


def _task(name: Name) -> str:
    return f"impact_app.jobs.tasks.{name}"
