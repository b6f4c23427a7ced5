"""The overview page: its figures are the orders', of this store alone, and every table is a file too."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

from flask.testing import FlaskClient

from impact_app.ledger.stores import Store
from impact_app.wiring import Services
from tests.web.conftest import HTML, add_order, page_of


def table(client: FlaskClient, store: Store, what: str) -> list[list[str]]:
    answer = client.get(f"/stores/{store.id}/overview.csv?what={what}", headers=HTML)
    assert answer.mimetype == "text/csv"
    return list(csv.reader(io.StringIO(answer.get_data(as_text=True))))[1:]


def some_orders(services: Services, store: Store, other: Store) -> None:
    today = services.clock()
    placed = {"placed_at": today, "placed_on": today.date()}
    reported = {"verdict": "reported", "reason": "credited", "carrier": "cart_attribute", **placed}
    add_order(services, store, "A", net_minor=1000, partner_name="Blog", promo_code="TEN", **reported)
    add_order(services, store, "B", net_minor=250, partner_name="Blog", **reported)
    add_order(services, store, "C", net_minor=4999, **placed)
    long_ago = today - timedelta(days=30)
    add_order(services, store, "D", net_minor=1, placed_at=long_ago, placed_on=long_ago.date())
    add_order(services, other, "E", net_minor=77, partner_name="Theirs", promo_code="THEIRS", **reported)


def test_figures_are_of_this_store_and_of_thirty_days(
    signed_in: FlaskClient, services: Services, store: Store, other: Store
) -> None:
    some_orders(services, store, other)
    page = page_of(signed_in.get(f"/stores/{store.id}/overview", headers=HTML)).text
    for words in ("12.50 EUR", "49.99 EUR", "2 of 3 orders", "66.7 %", "Blog", "TEN", "No click or code"):
        assert words in page, words
    for words in ("Theirs", "THEIRS", "0.77"):
        assert words not in page, words


def test_every_table_is_a_file(
    signed_in: FlaskClient, services: Services, store: Store, other: Store
) -> None:
    some_orders(services, store, other)
    day = services.clock().date().isoformat()
    assert sorted(table(signed_in, store, "days")) == [
        [day, "reported", "credited", "cart_attribute", "2", "12.50", "EUR"],
        [day, "withheld", "no_click_or_code", "", "1", "49.99", "EUR"],
    ]
    assert table(signed_in, store, "partners") == [["Blog", "2", "12.50", "EUR"]]
    assert table(signed_in, store, "codes") == [["TEN", "1", "10.00", "EUR"]]
    assert sum(int(row[1]) for row in table(signed_in, store, "waits")) == 0
    unknown = signed_in.get(f"/stores/{store.id}/overview.csv?what=secrets", headers=HTML)
    assert unknown.status_code == 404
