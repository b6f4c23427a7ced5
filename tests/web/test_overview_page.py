"""The overview page: its figures are the orders', of this store alone, and every table is a file too."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

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


def test_every_figure_leads_to_its_orders(
    signed_in: FlaskClient, services: Services, store: Store, other: Store
) -> None:
    some_orders(services, store, other)
    add_order(services, store, "F", reason="not_paid", net_minor=1)
    page = page_of(signed_in.get(f"/stores/{store.id}/overview", headers=HTML))
    for words in (
        "Paid orders 3 62.49 EUR",
        "No click or code 1 49.99 EUR",
        "Cart attribute 2 66.7 % 12.50 EUR",
    ):
        assert words in page.text, words

    def led_to(**wanted: str) -> list[list[str]]:
        """The orders behind each link that asks for this, today's before the month's."""
        links = [link for link in page.links if "/orders?" in link and asks(link) >= wanted.items()]
        assert links
        return [found(signed_in, link) for link in links]

    def asks(link: str) -> set[tuple[str, str]]:
        return set(parse_qsl(urlsplit(link).query))

    # D was placed thirty days ago, so it is in neither figure.
    assert led_to(verdict="withheld") == [["F", "C"], ["F", "C"]]
    assert led_to(verdict="reported") == [["B", "A"], ["B", "A"]]
    assert led_to(reason="no_click_or_code") == [["C"]]
    assert led_to(partner="Blog") == [["B", "A"]]
    assert led_to(search="TEN") == [["A"]]


def found(client: FlaskClient, link: str) -> list[str]:
    listed = page_of(client.get(link, headers=HTML)).links
    return [one.rpartition("/")[2] for one in listed if "/orders/" in one]


def test_no_cell_of_a_file_computes(signed_in: FlaskClient, services: Services, store: Store) -> None:
    names = ["=cmd|' /C calc'!A0", "+1", "-2+3", "@SUM(A1)", "\tx", "\uff1d1+1"]
    for number, name in enumerate(names):
        add_order(services, store, str(number), partner_name=name, promo_code=name, number=name)
    for path in ("overview.csv?what=partners", "overview.csv?what=codes", "orders.csv"):
        text = signed_in.get(f"/stores/{store.id}/{path}", headers=HTML).get_data(as_text=True)
        cells = [cell for row in csv.reader(io.StringIO(text.removeprefix("\ufeff"))) for cell in row]
        for name in names:
            assert f"'{name}" in cells
            assert name not in cells
        assert "49.99" in cells


def test_the_table_of_days_counts_each_verdict_under_its_own_head(
    signed_in: FlaskClient, services: Services, store: Store
) -> None:
    kinds = (
        ("reported", "credited"),
        ("withheld", "not_paid"),
        ("waiting", "queued"),
        ("attention", "refused"),
    )
    for times, (verdict, reason) in enumerate(kinds, start=1):
        for number in range(times):
            add_order(services, store, f"{verdict}-{number}", verdict=verdict, reason=reason)
    text = page_of(signed_in.get(f"/stores/{store.id}/overview", headers=HTML)).text
    assert (
        "Day (UTC) Reported Waiting Not reported Needs attention 20 Nov 2026 1 3 2 4 19 Nov 2026 0 0 0 0"
        in text
    )


def test_each_days_balance_is_shown_and_closes_or_does_not(
    signed_in: FlaskClient, services: Services, store: Store, other: Store
) -> None:
    """Paid = reported + not reported + waiting + attention + difference; today is still running."""
    now = services.clock()
    days = [now - timedelta(days=ago) for ago in range(4)]
    verdicts = (
        ("reported", "credited"),
        ("withheld", "no_click_or_code"),
        ("waiting", "server_error"),
        ("attention", "invalid_field"),
        ("withheld", "not_paid"),
    )
    for at, (verdict, reason) in enumerate(verdicts * 2):
        day = days[1 + at // len(verdicts)]
        known = {"verdict": verdict, "reason": reason, "placed_at": day, "placed_on": day.date()}
        add_order(services, store, f"A{at}", net_minor=1000 * (at + 1), **known)
    add_order(services, store, "T", net_minor=500, placed_at=now, placed_on=now.date())
    # Yesterday five of five, the day before seven that the store has against five; of today nobody is asked.
    services.reconciliations.count(store.id, {days[0].date(): 9, days[1].date(): 5, days[2].date(): 7}, now)
    services.reconciliations.count(other.id, {days[1].date(): 99}, now)

    rows = table(signed_in, store, "balance")
    assert len(rows) == 30
    # 10.00 + 20.00 + 30.00 + 40.00 paid yesterday; 60.00 + 70.00 + 80.00 + 90.00 the day before
    assert [row[1:] for row in reversed(rows[-4:])] == [
        ["1", "0", "1", "0", "0", "", "running", "5.00", "EUR"],
        ["4", "1", "1", "1", "1", "0", "closes", "100.00", "EUR"],
        ["6", "1", "1", "1", "1", "2", "open", "300.00", "EUR"],
        ["0", "0", "0", "0", "0", "", "uncounted", "", ""],
    ]
    page = page_of(signed_in.get(f"/stores/{store.id}/overview", headers=HTML)).text
    for words in ("1 day does not close.", "4 100.00 EUR 1 1 1 1 0 yes", "6 300.00 EUR 1 1 1 1 2 no"):
        assert words in page, words
    assert "99" not in page
    services.reconciliations.count(store.id, {days[2].date(): 5}, now)
    page = page_of(signed_in.get(f"/stores/{store.id}/overview", headers=HTML)).text
    assert "All 2 days that were counted close." in page
