"""The list of orders and the file of one: what stands there, in which order, and what Replay does."""

from __future__ import annotations

import csv
import hashlib
import io
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from impact_app.domain.reasons import EXPLANATIONS, Reason
from impact_app.ledger.stores import Store
from impact_app.web.orders import PAGE_SIZE
from impact_app.wiring import Services
from tests.web.conftest import HTML, Page, add_attempt, add_delivery, add_order, add_step, page_of

EVIDENCE: dict[str, Any] = {
    "carriers": [
        {"carrier": "cart_attribute", "name": "im_ref", "value": "click-1", "used": True, "fault": ""},
        {
            "carrier": "landing_url",
            "name": "im_ref",
            "value": "<b>",
            "used": False,
            "fault": "not a click id",
        },
    ],
    "codes": ["SUMMER", "VIP"],
    "promo_code": "SUMMER",
    "route": None,
    "campaign_id": "1000",
    "event_type_id": "9876",
    "items": [
        {
            "sku": "MUG",
            "title": "Mug",
            "quantity": 2,
            "list_price": "28.00",
            "paid": "25.00",
            "tax": "3.99",
            "subtotal": "23.53",
            "discount": "2.52",
            "net": "21.01",
            "counts": True,
        }
    ],
    "sums": {
        "currency": "EUR",
        "items_as_ordered": "25.00",
        "store_as_ordered": "25.01",
        "items_now": "25.00",
        "store_now": "25.01",
        "left_out": "0.00",
        "fault": "0.01 EUR apart",
    },
    "consent": {"asked": True, "purposes": ["marketing", {"analytics": None}]},
}


def shown(client: FlaskClient, store: Store, query: str = "") -> Page:
    answer = client.get(f"/stores/{store.id}/orders{query}", headers=HTML)
    assert answer.status_code == 200
    return page_of(answer)


def keys(page: Page) -> list[str]:
    return [link.split("/")[-1] for link in page.links if "/orders/" in link]


def test_an_order_is_one_line_with_all_that_matters(
    signed_in: FlaskClient, store: Store, services: Services
) -> None:
    add_order(
        services,
        store,
        "900",
        number="1001",
        verdict="reported",
        reason="accepted",
        carrier="cart_attribute",
        net_minor=123456,
        placed_at=services.clock() - timedelta(hours=2),
    )

    text = shown(signed_in, store).text
    for part in (
        "1001",
        "Reported",
        "impact.com has accepted the conversion.",
        "20 Nov 2026, 10:00 UTC",
        "Cart attribute",
        "1,234.56 EUR",
    ):
        assert part in text


def test_amounts_follow_their_currency(signed_in: FlaskClient, store: Store, services: Services) -> None:
    add_order(services, store, "1", net_minor=5000, currency="JPY")
    add_order(services, store, "2", net_minor=5000, currency="KWD")
    add_order(services, store, "3", net_minor=None)

    text = shown(signed_in, store).text
    assert "5,000 JPY" in text
    assert "5.000 KWD" in text
    assert "unknown" in text


def test_verdicts_filter_and_searches_find(signed_in: FlaskClient, store: Store, services: Services) -> None:
    add_order(services, store, "1", number="1001")
    add_order(services, store, "2", number="1002", verdict="attention", reason="gave_up", click_id="Click-2")
    add_order(services, store, "3", number="1003", verdict="attention", reason="refused")

    assert keys(shown(signed_in, store)) == ["3", "2", "1"]
    assert keys(shown(signed_in, store, "?verdict=attention")) == ["3", "2"]
    assert keys(shown(signed_in, store, "?search=1001")) == ["1"]
    assert keys(shown(signed_in, store, "?search=%231001")) == ["1"]
    assert keys(shown(signed_in, store, "?search=Click-2")) == ["2"]
    assert keys(shown(signed_in, store, "?search=3")) == ["3"]
    assert keys(shown(signed_in, store, "?search=nothing")) == []
    page = shown(signed_in, store, "?verdict=attention&search=1003")
    assert keys(page) == ["3"]
    assert (page.fields["verdict"], page.fields["search"]) == ("attention", "1003")
    for counted in ("All (3)", "Needs attention (2)", "Not reported (1)", "Waiting (0)"):
        assert counted in page.text


def test_orders_are_found_by_partner_day_amount_code_and_address(
    signed_in: FlaskClient, store: Store, services: Services
) -> None:
    day = services.clock() - timedelta(days=3)
    digest = hashlib.sha1(b"ann@example.com").hexdigest()
    add_order(services, store, "1", net_minor=1000, partner_name="Blog", email_sha1=digest)
    add_order(services, store, "2", net_minor=2000, placed_at=day, promo_code="TEN")
    add_order(services, store, "3", net_minor=1500, currency="JPY", placed_at=day)

    def found(query: str) -> list[str]:
        return keys(shown(signed_in, store, query))

    assert found("?partner=Blog") == ["1"]
    assert found(f"?last={day.date()}") == ["3", "2"]
    assert found(f"?first={day.date() + timedelta(days=1)}") == ["1"]
    # 10.00 EUR, 20.00 EUR and 1500 JPY
    assert found("?least=10.01") == ["3", "2"]
    assert found("?least=10&most=20.00") == ["1", "2"]
    assert found("?search=TEN") == ["2"]
    assert found("?search=%20Ann@Example.com") == ["1"]
    assert found(f"?search={digest}") == ["1"]
    assert found("?search=ten") == ["2"]
    # No order is worth 10.005 EUR, so none between there and 10.009 either.
    assert found("?least=10.005&most=10.009") == []
    assert found("?least=1500&most=1500") == ["3"]


def test_a_partner_is_found_by_any_name(signed_in: FlaskClient, store: Store, services: Services) -> None:
    names = [
        "Family \U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\u0645\u062f\u0648\u0646\u0629\u200f",
        "p" * 255,
    ]
    for number, name in enumerate(names):
        add_order(services, store, str(number), partner_name=name)
    for number, name in enumerate(names):
        assert keys(shown(signed_in, store, f"?partner={quote(name)}")) == [str(number)]


BAD_VALUES = {
    "verdict=fine": ("verdict", "There is no such verdict."),
    "reason=fine": ("reason", "There is no such reason."),
    "first=yesterday": ("first", "Enter a day such as"),
    "last=2026-13-01": ("last", "Enter a day such as"),
    "first=2026-11-20&last=2026-11-19": ("last", "This day is before the first one."),
    "least=much": ("least", "Enter an amount such as"),
    "least=1e99": ("least", "Enter an amount such as"),
    "most=NaN": ("most", "Enter an amount such as"),
    "least=10&most=9.99": ("most", "This amount is below the first one."),
}


@pytest.mark.parametrize("query", BAD_VALUES)
def test_a_value_that_makes_no_sense_is_marked_and_kept(
    signed_in: FlaskClient, store: Store, services: Services, query: str
) -> None:
    add_order(services, store, "1")
    name, sentence = BAD_VALUES[query]
    answer = signed_in.get(f"/stores/{store.id}/orders?search=1&{query}", headers=HTML)
    page = page_of(answer)

    assert answer.status_code == 400
    assert sentence in page.text
    assert keys(page) == []
    assert page.fields["search"] == "1"
    if name in ("first", "last", "least", "most"):
        marked = [got["name"] for tag, got in page.tags if tag == "input" and "aria-invalid" in got]
        assert marked == [name]
        assert page.fields[name] == query.rpartition("=")[2]
    file = signed_in.get(f"/stores/{store.id}/orders.csv?{query}", headers=HTML)
    assert file.status_code == 400
    assert sentence in file.get_data(as_text=True)


def test_the_wanted_orders_are_a_file(signed_in: FlaskClient, store: Store, services: Services) -> None:
    for n in range(3):
        add_order(services, store, f"k{n}", number=f"=1+{n}", net_minor=None if n else 4990)
    add_order(services, store, "other", verdict="waiting", reason="queued")
    answer = signed_in.get(f"/stores/{store.id}/orders.csv?verdict=withheld", headers=HTML)
    text = answer.get_data(as_text=True)
    # Without this mark a spreadsheet takes the letters for another alphabet's.
    assert text.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text[1:])))
    assert [(row["platform_id"], row["net"], row["currency"]) for row in rows] == [
        ("k2", "", "EUR"),
        ("k1", "", "EUR"),
        ("k0", "49.90", "EUR"),
    ]
    # A spreadsheet would take it for a formula.
    assert rows[0]["order"] == "'=1+2"


def test_pages_of_the_list_meet_every_order_once(
    signed_in: FlaskClient, store: Store, services: Services
) -> None:
    total = 2 * PAGE_SIZE + 1
    for n in range(total):
        add_order(services, store, f"k{n}", verdict="waiting", reason="queued")

    seen: list[str] = []
    sizes: list[int] = []
    query = "?verdict=waiting"
    while query:
        page = shown(signed_in, store, query)
        sizes.append(len(keys(page)))
        seen += keys(page)
        query = next((link[link.index("?") :] for link in page.links if "before=" in link), "")

    assert sizes == [PAGE_SIZE, PAGE_SIZE, 1]
    assert seen == [f"k{n}" for n in reversed(range(total))]


def test_the_list_begins_with_the_newest_whenever_an_order_came(
    signed_in: FlaskClient, store: Store, services: Services
) -> None:
    for hours in (3, 1, 2, 30):
        add_order(services, store, str(hours), placed_at=services.clock() - timedelta(hours=hours))
    assert keys(shown(signed_in, store)) == ["1", "2", "3", "30"]


def test_orders_that_arrive_meanwhile_move_no_page(
    signed_in: FlaskClient, store: Store, services: Services
) -> None:
    for n in range(PAGE_SIZE + 5):
        add_order(services, store, f"k{n}", placed_at=services.clock() - timedelta(days=1, minutes=-n))
    first = shown(signed_in, store)
    for n in range(10):
        # one of them is told of late, and was placed on the day that is being read
        placed = services.clock() - timedelta(days=n % 2)
        add_order(services, store, f"new{n}", placed_at=placed)
    older = shown(
        signed_in, store, next(link[link.index("?") :] for link in first.links if "before=" in link)
    )
    assert keys(older) == [f"k{n}" for n in reversed(range(5))]


@pytest.mark.parametrize(
    "query",
    [
        "?before=x",
        "?before=-1",
        f"?before=20261120-{2**63}",
        "?before=٣",
        "?before=20269999-1",
    ],
)
def test_a_list_that_does_not_exist_is_a_404(signed_in: FlaskClient, store: Store, query: str) -> None:
    assert signed_in.get(f"/stores/{store.id}/orders{query}", headers=HTML).status_code == 404


@pytest.mark.parametrize("search", ["%00", "%ED%A0%80", "'%20OR%201=1--", "%25", "x" * 3000])
def test_a_strange_search_finds_nothing(
    signed_in: FlaskClient, store: Store, services: Services, search: str
) -> None:
    add_order(services, store, "1")

    assert keys(shown(signed_in, store, f"?search={search}")) in ([], ["1"])


def test_the_file_of_an_order_tells_everything(
    signed_in: FlaskClient, store: Store, services: Services
) -> None:
    order_id = add_order(
        services,
        store,
        "900",
        number="1001",
        verdict="attention",
        reason="invalid_field",
        detail="ItemSku1: is missing",
        evidence=EVIDENCE,
        click_id="click-1",
    )
    step_id = add_step(services, store, order_id, state="rejected", reason="invalid_field")
    add_attempt(services, step_id, answer='{"Message":"<script>x</script>"}')
    add_attempt(services, step_id, outcome="uncertain", reason="no_answer", status=None, detail="", answer="")
    add_delivery(services, store, order_key="900")

    answer = signed_in.get(f"/stores/{store.id}/orders/900", headers=HTML)
    page = page_of(answer)

    meaning = EXPLANATIONS[Reason.INVALID_FIELD]
    for part in (
        "Order 1001",
        "Needs attention",
        meaning.happened,
        meaning.next,
        "It is for you to act.",
        "ItemSku1: is missing",
        "click-1",
        "not a click id",
        "SUMMER, VIP (reported: SUMMER)",
        "No click in: Line item property, Web pixel or storefront, The customer's earlier click.",
        "Consent: nothing was told of it",
        # the price of one, the discount, what was paid; 25.00 / 1.19 would be 21.01 and 3.99 of tax
        "Mug MUG 14.00 x 2 - 3.00 = 25.00 - 3.99 = 21.01 told as 23.53 - 2.52",
        "Items that count, together: 21.01 EUR",
        "items 25.00 EUR, the store says 25.01 EUR",
        "0.01 EUR apart",
        "Consent",
        "marketing",
        "Rejected , invalid field, status 400, 0.4 s",
        "Uncertain , no answer, 0.4 s",
        "Planned : Report 20 Nov 2026, 12:00 UTC Call to impact.com : Report",
        "Its answer : Rejected (400)",
        "Judged : Needs attention",
        "orders/paid",
        "The delivery was read and its order judged.",
        "POST /Advertisers/",
        '{"Message":"<script>x</script>"}',
    ):
        assert part in page.text, part
    assert [tag for tag, _ in page.tags if tag in ("script", "b")] == []


@pytest.mark.parametrize("evidence", [{}, {"items": []}, {"new": {"deep": [1, [2, None]], "on": False}}])
def test_evidence_of_another_shape_is_shown_all_the_same(
    signed_in: FlaskClient, store: Store, services: Services, evidence: dict[str, Any]
) -> None:
    add_order(services, store, "900", evidence=evidence)

    assert signed_in.get(f"/stores/{store.id}/orders/900", headers=HTML).status_code == 200


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_its_words(
    signed_in: FlaskClient, store: Store, services: Services, reason: Reason
) -> None:
    add_order(services, store, "900", reason=reason.value)

    page = page_of(signed_in.get(f"/stores/{store.id}/orders/900", headers=HTML))
    assert EXPLANATIONS[reason].happened in page.text
    assert EXPLANATIONS[reason].happened in shown(signed_in, store).text


@pytest.mark.parametrize("key", ["nobody", "%00", "a%2Fb", "x" * 3000, "..%2F..", "%ED%A0%80"])
def test_an_order_that_is_not_there_is_a_404(signed_in: FlaskClient, store: Store, key: str) -> None:
    for method in ("GET", "HEAD"):
        path = f"/stores/{store.id}/orders/{key}"
        assert signed_in.open(path, method=method, headers=HTML).status_code == 404


def test_what_was_given_back_and_what_the_rules_leave_out_can_be_followed(
    signed_in: FlaskClient, store: Store, services: Services
) -> None:
    plain = {"title": "", "quantity": 3, "tax": "0", "discount": "0", "counts": True}
    rows = [
        # 3 x 33.00 = 99.00 were paid, and 10.00 given back without items
        {
            **plain,
            "sku": "SPADE",
            "list_price": "99.00",
            "paid": "99.00",
            "given_back": "10.00",
            "net": "89.00",
        },
        {**plain, "sku": "CARD", "list_price": "75.00", "paid": "75.00", "given_back": "0", "net": "75.00"},
    ]
    rows[1]["counts"] = False
    evidence = {"items": [{**row, "subtotal": row["net"]} for row in rows]}
    add_order(services, store, "900", evidence=evidence, net_minor=8900)
    text = page_of(signed_in.get(f"/stores/{store.id}/orders/900", headers=HTML)).text
    assert "33.00 x 3 0.00 = 99.00 - 10.00 0.00 = 89.00" in text
    assert "left out by the rules 25.00 x 3" in text
    assert "together: 89.00 EUR" in text


def test_an_order_offers_what_makes_sense_and_says_what_was_done(
    signed_in: FlaskClient, store: Store, services: Services
) -> None:
    add_order(services, store, "900", reason="not_paid")
    path = f"/stores/{store.id}/orders/900"
    page = page_of(signed_in.get(path, headers=HTML))
    assert [link for link in page.links if link.startswith(f"{path}/")] == [
        f"{path}/replay",
        f"{path}/ignore",
    ]
    done = page_of(signed_in.get(f"{path}?done=ignore", headers=HTML)).text
    assert "The order is not reported." in done
    assert signed_in.get(f"{path}?done=%3Cb%3E", headers=HTML).status_code == 200
