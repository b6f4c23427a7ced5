"""For machines that watch: is the process alive, can it work, and how much waits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import redis
import sqlalchemy as sa
import structlog
from flask import Blueprint, Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from impact_app.domain.alerts import Cause
from impact_app.domain.reasons import Verdict
from impact_app.ledger.database import Database
from impact_app.ledger.tables import accounts, alerts, deliveries, orders, steps, stores
from impact_app.pipeline.beacons import Gate
from impact_app.web.access import services

log = structlog.get_logger()

health = Blueprint("health", __name__)

_DELIVERY_STATES = ("pending", "settled", "parked")
_STEP_STATES = ("pending", "in_flight", "accepted", "rejected", "gave_up", "replaced", "shadow")


@health.get("/healthz")
def healthz() -> Response:
    """The process lives and answers; nothing else is asked."""
    return jsonify(status="ok")


@health.get("/readyz")
def readyz() -> tuple[Response, int]:
    """Each dependency by name. Without Redis deliveries are still taken, so that is no reason for a 503."""
    parts = {"database": _database(), "redis": _redis()}
    if parts["database"] != "ok":
        return jsonify(status="unavailable", **parts), 503
    return jsonify(status="ready" if parts["redis"] == "ok" else "degraded", **parts), 200


@health.get("/metrics")
def metrics() -> Response:
    """Prometheus's text format, counted in SQL when asked."""
    registry = CollectorRegistry()
    registry.register(Ledger(services().database, services().clock()))
    registry.register(Beacons(services().gate))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class Ledger(Collector):
    """The ledger's figures at one moment. Ages are in seconds, 0 where nothing waits."""

    def __init__(self, database: Database, now: datetime) -> None:
        self._database = database
        self._now = now

    def collect(self) -> Iterator[Metric]:
        verdicts = tuple(verdict.value for verdict in Verdict)
        counts = (
            ("deliveries", "Webhook deliveries by state", deliveries.c.state, _DELIVERY_STATES),
            ("steps", "Calls to impact.com by state", steps.c.state, _STEP_STATES),
            ("orders", "Orders by verdict", orders.c.verdict, verdicts),
            ("stores", "Stores by state", stores.c.state, ("connected", "uninstalled")),
        )
        with self._database.read() as connection:
            for name, text, column, values in counts:
                yield self._counted(connection, name, text, column, values)
            yield self._held(connection)
            yield self._alerts(connection)
            yield self._ages(connection)

    def _counted(
        self, connection: sa.Connection, name: str, text: str, column: sa.Column[str], values: tuple[str, ...]
    ) -> Metric:
        rows = connection.execute(sa.select(column, sa.func.count()).group_by(column))
        found = {row[0]: row[1] for row in rows}
        family = GaugeMetricFamily(f"impact_{name}", text, labels=[column.name])
        for value in dict.fromkeys((*values, *found)):
            family.add_metric([value], found.get(value, 0))
        return family

    def _held(self, connection: sa.Connection) -> Metric:
        query = sa.select(sa.func.count()).where(accounts.c.held_reason.is_not(None))
        text = "impact.com accounts held until their credentials change"
        return GaugeMetricFamily("impact_accounts_held", text, value=connection.scalar(query) or 0)

    def _alerts(self, connection: sa.Connection) -> Metric:
        lasting = (alerts.c.over_at.is_(None), stores.c.state == "connected")
        rows = connection.execute(
            sa.select(alerts.c.cause, sa.func.count())
            .join(stores, stores.c.id == alerts.c.store_id)
            .where(*lasting)
            .group_by(alerts.c.cause)
        )
        found = {row[0]: row[1] for row in rows}
        family = GaugeMetricFamily("impact_alerts", "Alerts that last, by cause", labels=["cause"])
        for cause in dict.fromkeys((*(one.value for one in Cause), *found)):
            family.add_metric([cause], found.get(cause, 0))
        return family

    def _ages(self, connection: sa.Connection) -> Metric:
        family = GaugeMetricFamily(
            "impact_oldest_pending_seconds", "Age of the oldest that waits", labels=["of"]
        )
        oldest = {
            "deliveries": sa.select(sa.func.min(deliveries.c.received_at)).where(
                deliveries.c.state == "pending"
            ),
            "steps": sa.select(sa.func.min(steps.c.created_at)).where(
                steps.c.state.in_(("pending", "in_flight"))
            ),
        }
        for name, query in oldest.items():
            since: datetime | None = connection.scalar(query)
            family.add_metric([name], max(0.0, (self._now - since).total_seconds()) if since else 0.0)
        return family


class Beacons(Collector):
    """What came of beacons since Redis was last emptied."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(
            "impact_beacons", "Beacons of storefronts by outcome", labels=["outcome"]
        )
        for outcome, count in self._gate.noted().items():
            family.add_metric([outcome], count)
        yield family


def _database() -> str:
    try:
        with services().database.read() as connection:
            connection.execute(sa.select(stores.c.id).limit(1))
    except (sa.exc.SQLAlchemyError, OSError) as error:
        log.warning("ready.database_failed", fault=type(error).__name__)
        return "cannot be reached"
    return "ok"


def _redis() -> str:
    try:
        services().redis.ping()
    except (redis.RedisError, OSError) as error:
        log.warning("ready.redis_failed", fault=type(error).__name__)
        return "cannot be reached; deliveries are taken and wait"
    return "ok"
