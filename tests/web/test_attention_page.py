"""What needs a person, by cause: its money, its orders, and the repair of the whole group."""

from __future__ import annotations

import re

from flask.testing import FlaskClient

from impact_app.ledger.stores import Store
from impact_app.ledger.tables import acts
from impact_app.wiring import Services
from tests.web.conftest import HTML, Page, add_order, page_of

#: A browser sends the end of a line as two signs, and a detail may hold quotes and tags.
DETAIL = 'Event type "123"\nis not <active>.'


def attention(client: FlaskClient, store: Store) -> Page:
    answer = client.get(f"/stores/{store.id}/attention", headers=HTML)
    assert answer.status_code == 200
    return page_of(answer)


def repair(client: FlaskClient, store: Store, page: Page, status: int = 200) -> Page:
    """Press the only cause's button, as a browser does."""
    sent = {name: re.sub(r"\r?\n", "\r\n", text) for name, text in page.fields.items()}
    answer = client.post(f"/stores/{store.id}/attention", data=sent, headers=HTML)
    assert answer.status_code == status
    return page_of(answer)


def held(services: Services, store: Store, key: str, detail: str = DETAIL, minor: int = 10_00) -> None:
    columns = {"verdict": "attention", "reason": "program_invalid", "detail": detail}
    add_order(services, store, key, net_minor=minor, **columns)


def test_a_group_is_repaired_in_one_click_and_the_page_says_how_far_that_is(
    signed_in: FlaskClient, store: Store, services: Services
) -> None:
    held(services, store, "1")
    held(services, store, "2", minor=20_50)
    page = attention(signed_in, store)
    assert "2 orders : 30.50 EUR" in page.text

    before = page
    page = repair(signed_in, store, before)
    assert "2 orders are judged again in the background." in page.text
    assert "All of them are being judged again." in page.text
    assert "cause" not in page.fields
    assert "judged again already" in repair(signed_in, store, before).text
    with services.database.read() as connection:
        (row,) = connection.execute(acts.select()).all()
    assert (row.act, row.by) == ("replay_group", "admin password")

    held(services, store, "3", minor=1)
    page = attention(signed_in, store)
    assert "3 orders : 30.51 EUR" in page.text
    assert "2 of them are being judged again." in page.text
    assert page.fields["cause"]


def test_a_cause_that_is_gone_is_told_of_and_nothing_is_done(
    signed_in: FlaskClient, store: Store, other: Store, services: Services
) -> None:
    held(services, other, "1")
    held(services, store, "2", detail="Something else.")
    page = attention(signed_in, other)
    assert "Nothing of this cause is left." in repair(signed_in, store, page, 409).text
    with services.database.read() as connection:
        assert connection.execute(acts.select()).all() == []


def test_a_cause_leads_to_its_own_orders(signed_in: FlaskClient, store: Store, services: Services) -> None:
    held(services, store, "1")
    held(services, store, "2", detail="Something else.")
    links = [link for link in attention(signed_in, store).links if "reason=program_invalid" in link]
    shown = []
    for link in links:
        page = page_of(signed_in.get(link, headers=HTML))
        shown.append([one.rpartition("/")[2] for one in page.links if "/orders/" in one])
    assert sorted(shown) == [["1"], ["2"]]
