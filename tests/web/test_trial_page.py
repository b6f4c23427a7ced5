"""The page of a test order: which links it takes, and what its buttons do once, twice and too late."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from impact_app.ledger.stores import Store
from impact_app.ledger.tables import acts, conversions, orders, trials
from impact_app.simulator.network import RunningNetwork
from impact_app.simulator.saleor.server import PretendSaleor
from impact_app.simulator.shopify.deliveries import headers
from impact_app.simulator.shopify.oauth import id_token
from impact_app.simulator.shopify.orders import LineSpec, OrderSpec, encode, order_body
from impact_app.simulator.shopify.store import PretendStore
from impact_app.web.trial import _LINK_LIMIT
from impact_app.wiring import Services
from tests.web.conftest import (
    HTML,
    SECRET,
    SID,
    FixedClock,
    Page,
    add_order,
    connect_saleor,
    enter_dashboard,
    page_of,
)


def shown(client: FlaskClient, store: Store) -> Page:
    answer = client.get(f"/stores/{store.id}/trial", headers=HTML)
    assert answer.status_code == 200
    return page_of(answer)


def send(client: FlaskClient, store: Store, page: Page, **fields: str) -> TestResponse:
    sent = {"csrf_token": page.fields["csrf_token"], "shown": page.fields["shown"], **fields}
    return client.post(f"/stores/{store.id}/trial", data=sent, headers=HTML)


def kept(services: Services) -> list[tuple[str, str, bool]]:
    with services.database.read() as connection:
        rows = connection.execute(trials.select().order_by(trials.c.id))
        return [(row.click, row.link, row.is_own) for row in rows]


def shop(store: Store, rest: str = "") -> str:
    return f"https://{store.domain}/{rest}"


def test_a_link_gets_a_click_that_the_app_makes(
    signed_in: FlaskClient, store: Store, services: Services
) -> None:
    page = shown(signed_in, store)
    assert page.fields["link"] == shop(store)
    answer = send(signed_in, store, page, act="begin", link=shop(store, "products/mug?a=1#top"))
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/stores/{store.id}/trial")
    ((click, link, is_own),) = kept(services)
    assert is_own
    parts = urlsplit(link)
    assert (parts.netloc, parts.path, parts.fragment) == (store.domain, "/products/mug", "top")
    assert parse_qs(parts.query) == {"a": ["1"], "im_ref": [click]}
    assert link in shown(signed_in, store).links


def test_a_pasted_link_keeps_its_click(signed_in: FlaskClient, store: Store, services: Services) -> None:
    link = shop(store, "?utm=x&irclickid=Ab%2BC_1&im_ref=")
    assert send(signed_in, store, shown(signed_in, store), act="begin", link=f"  {link} ").status_code == 303
    assert kept(services) == [("Ab+C_1", link, False)]


@pytest.mark.parametrize(
    "link",
    [
        "",
        "javascript:alert(1)",
        "data:text/html,x",
        "//{domain}/",
        "{domain}",
        "https://",
        "https:///x",
        "https://[",
        "https://{domain}:x/",
        "https://two.myshopify.com/",
        "https://{domain}.evil.example/",
        "https://{domain}@evil.example/",
        "https://ann@{domain}/",
        "https://evil.example\\@{domain}/",
        "http://{domain}/",
        "https://{domain}:8443/",
        "https://{domain}/?im_ref=" + "x" * 65,
        "https://{domain}/?im_ref=a%20b",
        "https://{domain}/?im_ref=a%00b",
        "https://{domain}/?im_ref=%ff",
        "https://{domain}/\x00",
        "https://{domain}/a\nb",
        "https://{domain}/a b",
        "https://{domain}/" + "x" * _LINK_LIMIT,
    ],
)
def test_what_is_no_address_of_the_shop_begins_nothing(
    signed_in: FlaskClient, store: Store, other: Store, services: Services, link: str
) -> None:
    given = link.replace("{domain}", store.domain)
    answer = send(signed_in, store, shown(signed_in, store), act="begin", link=given)
    assert answer.status_code == 422
    page = page_of(answer)
    assert "No test was begun: correct what is marked." in page.text
    assert any(given.get("aria-invalid") == "true" for _, given in page.tags)
    assert kept(services) == []
    assert [one for one in page.links if one.startswith(("javascript", "data"))] == []


def test_a_form_that_is_too_large_is_refused(
    signed_in: FlaskClient, store: Store, services: Services
) -> None:
    answer = send(signed_in, store, shown(signed_in, store), act="begin", link="https://a/" + "x" * 70_000)
    assert answer.status_code == 413
    assert kept(services) == []


def test_the_link_begins_where_partners_links_lead(
    signed_in: FlaskClient, store: Store, services: Services, network: RunningNetwork
) -> None:
    """Where the program leads to the shop; else, or before it was told, to the first page."""
    for leads, begins in ((shop(store, "sale"), shop(store, "sale")), ("https://a.test/", shop(store))):
        setup = network.books.setup
        campaign = replace(setup.campaigns[0], landing_page=leads)
        network.books.change_setup(replace(setup, campaigns=(campaign,)))
        services.stores.save_settings(
            store.id,
            account_sid=SID,
            auth_token="pretend-auth-token",
            campaign_id=str(campaign.id),
            event_type_id="9876",
        )
        assert shown(signed_in, store).fields["link"] == shop(store)
        configured = services.stores.get(store.id)
        assert configured is not None
        services.inquirer.ask(configured)
        assert shown(signed_in, store).fields["link"] == begins
    send(signed_in, store, shown(signed_in, store), act="begin", link=shop(store, "mug?a=1"))
    assert shown(signed_in, store).fields["link"] == shop(store, "mug")


def test_a_double_click_begins_one_test(signed_in: FlaskClient, store: Store, services: Services) -> None:
    page = shown(signed_in, store)
    first, second = (send(signed_in, store, page, act="begin", link=shop(store)) for _ in range(2))
    assert (first.status_code, second.status_code) == (303, 200)
    assert len(kept(services)) == 1
    text = page_of(second).text
    assert "Another test was begun since." in text
    assert kept(services)[0][1] in text


def test_another_test_takes_the_place_of_the_one_under_way(
    signed_in: FlaskClient, store: Store, services: Services
) -> None:
    send(signed_in, store, shown(signed_in, store), act="begin", link=shop(store))
    send(signed_in, store, shown(signed_in, store), act="begin", link=shop(store))
    (_, old, _), (_, new, _) = kept(services)
    links = shown(signed_in, store).links
    assert new in links
    assert old not in links


@pytest.mark.parametrize("act", ["", "end", "begin_", "take_back"])
def test_an_act_that_makes_no_sense_is_a_404(
    signed_in: FlaskClient, store: Store, services: Services, act: str
) -> None:
    assert send(signed_in, store, shown(signed_in, store), act=act, link=shop(store)).status_code == 404
    assert kept(services) == []


def bought(
    client: FlaskClient, services: Services, store: Store, network: RunningNetwork, clock: FixedClock
) -> str:
    """A test whose order is booked and read back; the order's key."""
    setup = network.books.setup
    services.stores.save_settings(
        store.id,
        account_sid=SID,
        auth_token="pretend-auth-token",
        campaign_id=str(setup.campaigns[0].id),
        event_type_id=str(setup.event_types[0].id),
    )
    link = shop(store, "?im_ref=Click-1")
    assert send(client, store, shown(client, store), act="begin", link=link).status_code == 303
    clock.pass_by(minutes=1)
    body = order_body(
        OrderSpec(
            lines=(LineSpec(sku="MUG", price=Decimal("12.50"), quantity=2),),
            note_attributes=(("im_ref", "Click-1"),),
            processed_at=clock(),
            shop_domain=store.domain,
        )
    )
    raw = encode(body)
    signed = headers("orders/paid", store.domain, raw, SECRET, triggered_at=clock())
    assert client.post("/shopify/webhooks", data=raw, headers=signed).status_code == 200
    work(services)
    for _ in range(3):
        clock.pass_by(seconds=15)
        shown(client, store)
        work(services)
    return str(body["id"])


def work(services: Services) -> None:
    until = services.clock() + timedelta(seconds=20)
    services.processor.drain(until)
    services.deliverer.drain(until)
    services.verifier.drain(until)


def test_a_test_is_followed_and_taken_back_once(
    signed_in: FlaskClient, store: Store, services: Services, network: RunningNetwork, clock: FixedClock
) -> None:
    bought(signed_in, services, store, network, clock)
    page = shown(signed_in, store)
    assert page.text.count("Passed") == 6
    # 2 x 12.50 = 25.00, sent and booked
    assert "Amount that counts 25.00 25.00 yes" in page.text
    assert "Take the test back" in page.text
    for _ in range(2):
        answer = send(signed_in, store, page, act="take_back")
        assert (answer.status_code, answer.headers["Location"]) == (303, f"/stores/{store.id}/trial")
    work(services)
    clock.pass_by(seconds=15)
    shown(signed_in, store)
    work(services)
    page = shown(signed_in, store)
    assert page.text.count("Passed") == 7
    assert "TEST_ACTION" in page.text
    assert "Take the test back once" not in page.text
    assert send(signed_in, store, page, act="take_back").status_code == 303
    work(services)
    with services.database.read() as connection:
        assert [row.act for row in connection.execute(acts.select())] == ["take_back"]
        assert connection.scalar(conversions.select().with_only_columns(conversions.c.changes)) == 1
    assert [call.method for call in network.books.calls() if call.method == "DELETE"] == ["DELETE"]
    (action,) = network.books.actions()
    assert action.reversed


def test_what_was_begun_since_is_not_taken_back_in_its_place(
    signed_in: FlaskClient, store: Store, services: Services, network: RunningNetwork, clock: FixedClock
) -> None:
    bought(signed_in, services, store, network, clock)
    page = shown(signed_in, store)
    send(signed_in, store, page, act="begin", link=shop(store, "?im_ref=Click-2"))
    add_order(services, store, "2", click_id="Click-2")
    for stale in (page.fields["shown"], "", "x", "9" * 40, "²"):
        answer = send(signed_in, store, page, act="take_back", shown=stale)
        assert "Another test was begun since." in page_of(answer).text
    work(services)
    (action,) = network.books.actions()
    assert not action.reversed


def test_a_test_that_is_under_way_is_looked_at_by_script_and_one_that_is_over_is_not(
    signed_in: FlaskClient, store: Store, services: Services, network: RunningNetwork, clock: FixedClock
) -> None:
    path = f"/stores/{store.id}/trial"
    before = signed_in.get(path, headers=HTML)
    assert "live.js" not in before.text
    assert "script-src" not in before.headers["Content-Security-Policy"]
    send(signed_in, store, shown(signed_in, store), act="begin", link=shop(store))
    during = signed_in.get(path, headers=HTML)
    assert "live.js" in during.text
    assert f'data-live="{path}" data-every="2"' in during.text
    policy = during.headers["Content-Security-Policy"]
    assert "script-src 'self'; connect-src 'self'" in policy
    assert "Look again" in during.text
    clock.pass_by(minutes=6)
    assert 'data-every="15"' in signed_in.get(path, headers=HTML).text
    clock.pass_by(hours=13)
    after = signed_in.get(path, headers=HTML)
    assert "data-live" not in after.text
    assert "script-src" not in after.headers["Content-Security-Policy"]


def test_an_order_without_a_click_is_linked_while_the_test_waits(
    signed_in: FlaskClient, store: Store, services: Services, clock: FixedClock
) -> None:
    send(signed_in, store, shown(signed_in, store), act="begin", link=shop(store))
    clock.pass_by(minutes=1)
    add_order(services, store, "900", number="1001")
    page = shown(signed_in, store)
    assert "Orders came meanwhile that carry no click." in page.text
    assert f"/stores/{store.id}/orders/900" in page.links


def test_a_saleor_shop_is_asked_for_its_storefront(
    client: FlaskClient, services: Services, saleor: PretendSaleor, clock: FixedClock
) -> None:
    """Saleor's own address is not where people buy."""
    store = connect_saleor(services, saleor)
    assert page_of(enter_dashboard(client, saleor, clock, "/saleor/trial")).fields["link"] == ""
    services.stores.save_settings(
        store.id,
        account_sid=SID,
        auth_token=None,
        campaign_id="1",
        event_type_id="2",
        rules={"domains": "shop.test"},
    )
    page = page_of(enter_dashboard(client, saleor, clock, "/saleor/trial"))
    assert page.fields["link"] == "https://shop.test/"
    sent = {"ticket": page.fields["ticket"], "shown": "0", "act": "begin", "link": "https://shop.test/"}
    answer = client.post("/saleor/trial", data=sent, headers=HTML)
    assert answer.status_code == 303
    live = client.get(answer.headers["Location"], headers=HTML)
    assert "connect-src 'self'" in live.headers["Content-Security-Policy"]
    with services.database.read() as connection:
        assert connection.execute(orders.select()).all() == []


def test_inside_shopify_the_page_asks_again_with_what_its_address_carries(
    client: FlaskClient, services: Services, pretend: PretendStore
) -> None:
    """No cookie, no header: the ticket in the address is the proof, and a stale one shows nothing."""
    services.tokens.connected_store(pretend.domain, id_token(pretend))
    proof = {"id_token": id_token(pretend)}
    page = page_of(client.get("/shopify/trial", query_string=proof, headers=HTML))
    sent = {**page.fields, "act": "begin", "link": f"https://{pretend.domain}/"}
    answer = client.post("/shopify/trial", data=sent, headers=HTML)
    assert answer.status_code == 303
    begun = client.get(answer.headers["Location"], headers=HTML)
    live = next(given for _, given in page_of(begun).tags if given.get("id") == "live")
    assert "connect-src 'self'" in begun.headers["Content-Security-Policy"]
    fresh = client.get(str(live["data-live"]), headers=HTML)
    assert fresh.status_code == 200
    assert next(given for _, given in page_of(fresh).tags if given.get("id") == "live")["data-live"]
    bare = client.get("/shopify/trial", headers=HTML)
    assert bare.status_code == 303
    assert "data-live" not in bare.text
