"""No page asks the database more often than it must, however much it shows."""

from __future__ import annotations

import gzip
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from impact_app.ledger.stores import Store
from impact_app.wiring import Services
from tests.web.conftest import HTML, add_attempt, add_delivery, add_order, add_step
from tests.web.test_orders_pages import EVIDENCE

MOST = 12


@pytest.mark.parametrize(
    "path",
    [
        "orders",
        "orders?search=1001",
        "orders/900",
        "overview",
        "attention",
        "rules",
        "settings",
        "setup",
        "trial",
    ],
)
def test_a_page_takes_few_queries(
    signed_in: FlaskClient, store: Store, services: Services, path: str
) -> None:
    for number in range(60):
        row = add_order(services, store, str(900 + number), number=str(1001 + number))
        add_attempt(services, add_step(services, store, row, state="rejected"))
        add_delivery(services, store, order_key=str(900 + number))
    link = f"https://{store.domain}/?im_ref=click-1"
    services.trials.begin(store.id, 0, "click-1", link, "Ann", services.clock(), is_own=False)
    add_order(services, store, "1000", number="1101", click_id="click-1", evidence=EVIDENCE)
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        asked.append(statement)

    event.listen(services.database.engine, "before_cursor_execute", note)
    try:
        answer = signed_in.get(f"/stores/{store.id}/{path}", headers=HTML)
    finally:
        event.remove(services.database.engine, "before_cursor_execute", note)
    assert answer.status_code == 200
    queries = [statement for statement in asked if not statement.startswith("PRAGMA")]
    assert 1 <= len(queries) <= MOST, queries


def test_a_first_visit_loads_little(signed_in: FlaskClient, store: Store) -> None:
    """Own HTML, style sheets and script of the heaviest page, gzipped: under 60 kB."""

    page = signed_in.get(f"/stores/{store.id}/overview", headers=HTML).get_data()
    parts = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.decode())
    sizes = [len(gzip.compress(page)), *(len(gzip.compress(signed_in.get(one).get_data())) for one in parts)]
    assert len(parts) >= 3
    assert sum(sizes) < 60_000


def test_the_overview_keeps_to_indexes_where_all_orders_have_one_verdict(
    signed_in: FlaskClient, store: Store, services: Services
) -> None:
    for number in range(300):
        add_order(services, store, str(number))
    with services.database.write() as connection:
        connection.exec_driver_sql("ANALYZE")
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if "FROM orders" in statement:
            asked.append((statement, parameters))

    event.listen(services.database.engine, "before_cursor_execute", note)
    try:
        signed_in.get(f"/stores/{store.id}/overview", headers=HTML)
    finally:
        event.remove(services.database.engine, "before_cursor_execute", note)
    assert len(asked) >= 4
    with services.database.read() as connection:
        for statement, parameters in asked:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            assert [row[3] for row in plan if row[3].startswith("SCAN orders")] == [], statement
