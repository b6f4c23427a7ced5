"""The door inside Shopify's admin: the proof on each request, who may frame, and no cookie anywhere."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from impact_app import create_app
from impact_app.config import read_config
from impact_app.ledger.stores import Store, Tokens
from impact_app.simulator.shopify.oauth import host, id_token, launch_query
from impact_app.simulator.shopify.store import PretendStore
from impact_app.web.tickets import Holder, TicketRefused, Tickets
from impact_app.wiring import Services
from tests.web.conftest import HTML, SID, FixedClock, add_order, page_of

AGAIN = "X-Shopify-Retry-Invalid-Session-Request"


@pytest.fixture
def shop(services: Services, pretend: PretendStore) -> Store:
    """The pretend shop as a store that is connected already."""
    return services.stores.connect("shopify", pretend.domain, Tokens("pasted", "t"), now=services.clock())


@pytest.fixture
def opened(client: FlaskClient, pretend: PretendStore) -> Callable[[str], TestResponse]:
    """Opens a page as Shopify's admin does."""
    return lambda path: client.get(f"{path}?{launch_query(pretend)}", headers=HTML)


def ancestors(answer: TestResponse) -> str:
    rules = answer.headers["Content-Security-Policy"].split("; ")
    (found,) = [rule.removeprefix("frame-ancestors ") for rule in rules if rule.startswith("frame-ancestors")]
    return found


def granted(pretend: PretendStore) -> int:
    return sum("grant-type" in call.what for call in pretend.calls)


def test_the_first_visit_connects_the_store(
    opened: Callable[[str], TestResponse], services: Services, pretend: PretendStore
) -> None:
    answer = opened("/shopify/")

    assert answer.status_code == 200
    assert granted(pretend) == 1
    store = services.stores.find("shopify", pretend.domain)
    assert store is not None
    assert (store.state, store.token_kind) == ("connected", "offline")
    assert "Settings" in page_of(answer).text
    assert pretend.domain in page_of(answer).text

    assert opened("/shopify/orders").status_code == 200
    assert granted(pretend) == 1


def test_a_store_that_came_back_is_connected_again(
    opened: Callable[[str], TestResponse], services: Services, pretend: PretendStore, shop: Store
) -> None:
    with services.database.write() as connection:
        now = services.clock()
        services.stores.uninstall_in(connection, shop.id, since=now, now=now)

    assert opened("/shopify/").status_code == 200
    assert granted(pretend) == 1
    assert services.stores.get(shop.id).state == "connected"  # type: ignore[union-attr]


def test_only_the_proved_shop_and_the_admin_may_frame(
    client: FlaskClient, opened: Callable[[str], TestResponse], pretend: PretendStore, shop: Store
) -> None:
    framed = f"https://{pretend.domain} https://admin.shopify.com"

    for path in ("/shopify/", "/shopify/orders", "/shopify/settings", "/shopify/orders/none"):
        answer = opened(path)
        assert ancestors(answer) == framed
        assert "X-Frame-Options" not in answer.headers
    forged = client.get("/shopify/orders?id_token=x&shop=evil.myshopify.com", headers=HTML)
    assert ancestors(forged) == "'none'"
    assert ancestors(client.get("/nothing", headers=HTML)) == "'none'"


def test_no_answer_inside_the_frame_sets_a_cookie(
    opened: Callable[[str], TestResponse], client: FlaskClient, shop: Store
) -> None:
    answer = opened("/shopify/settings")
    fields = page_of(answer).fields
    saved = client.post("/shopify/settings", data=fields, headers=HTML)

    for one in (answer, saved, opened("/shopify/orders")):
        assert "Set-Cookie" not in one.headers
    assert "csrf_token" not in fields


@pytest.mark.parametrize("token", ["", "nonsense", "expired", "other secret", "other app"])
def test_without_a_valid_token_a_document_goes_to_app_bridge(
    client: FlaskClient, services: Services, pretend: PretendStore, token: str
) -> None:
    tokens = {
        "expired": id_token(pretend, age=timedelta(minutes=5)),
        "other secret": id_token(pretend, secret="shpss_somebody_else_0123456789abcdef"),
        "other app": id_token(pretend, aud="another-app"),
    }
    query = {"shop": pretend.domain, "host": host(pretend), "id_token": tokens.get(token, token)}
    answer = client.get("/shopify/orders", query_string={**query, "verdict": "waiting"}, headers=HTML)

    assert answer.status_code == 303
    place = urlsplit(answer.headers["Location"])
    asked = parse_qs(place.query)
    assert place.path == "/shopify/session-token"
    assert asked["shop"] == [pretend.domain]
    assert asked["host"] == [host(pretend)]
    (wanted,) = asked["shopify-reload"]
    assert urlsplit(wanted).path == "/shopify/orders"
    assert parse_qs(urlsplit(wanted).query)["verdict"] == ["waiting"]
    assert "id_token" not in wanted
    assert services.stores.all() == []
    assert granted(pretend) == 0


def test_a_token_that_is_never_accepted_ends_in_a_sentence_not_in_a_circle(
    client: FlaskClient, pretend: PretendStore, clock: FixedClock
) -> None:
    def fresh() -> str:
        return id_token(pretend, secret="shpss_somebody_else_0123456789abcdef")

    bounced = client.get("/shopify/orders", query_string={"id_token": fresh()}, headers=HTML)
    (wanted,) = parse_qs(urlsplit(bounced.headers["Location"]).query)["shopify-reload"]
    again = client.get(f"{wanted}&id_token={fresh()}", headers=HTML)

    assert again.status_code == 401
    assert "Check SHOPIFY_API_KEY and SHOPIFY_API_SECRET" in page_of(again).text
    assert ancestors(again) == "https://admin.shopify.com"
    clock.pass_by(minutes=1)
    later = client.get(f"{wanted}&id_token={fresh()}", headers=HTML)
    assert later.status_code == 303
    (wanted_later,) = parse_qs(urlsplit(later.headers["Location"]).query)["shopify-reload"]
    assert wanted_later.count("asked=") == 1


def test_without_a_valid_token_a_script_is_told_to_ask_again(
    client: FlaskClient, services: Services, pretend: PretendStore
) -> None:
    stale = id_token(pretend, age=timedelta(minutes=5))
    for headers in ({"Authorization": f"Bearer {stale}"}, {"Authorization": "Bearer x", **HTML}, {}):
        answer = client.get("/shopify/orders", headers=headers)

        assert answer.status_code == 401
        assert answer.headers[AGAIN] == "1"
    assert services.stores.all() == []


def test_a_script_with_a_valid_token_needs_no_ticket(
    client: FlaskClient, services: Services, pretend: PretendStore, shop: Store
) -> None:
    bearer = {"Authorization": f"Bearer {id_token(pretend)}"}

    assert client.get("/shopify/orders", headers=bearer).status_code == 200
    sent = {"account_sid": SID, "auth_token": "pretend-auth-token", "campaign_id": "1", "event_type_id": "2"}
    assert client.post("/shopify/settings", data=sent, headers=bearer).status_code == 200
    assert services.stores.get(shop.id).campaign_id == "1"  # type: ignore[union-attr]


def test_the_page_of_app_bridge_does_nothing_but_load_it(client: FlaskClient, pretend: PretendStore) -> None:
    answer = client.get(
        "/shopify/session-token",
        query_string={"shop": pretend.domain, "shopify-reload": "/shopify/orders?verdict=waiting"},
        headers=HTML,
    )

    page = page_of(answer)
    assert answer.status_code == 200
    scripts = [got for tag, got in page.tags if tag == "script"]
    assert scripts == [
        {
            "data-api-key": "pretend-client-id",
            "src": "https://cdn.shopify.com/shopifycloud/app-bridge.js",
        }
    ]
    assert ancestors(answer) == f"https://{pretend.domain} https://admin.shopify.com"
    assert "script-src 'self' https://cdn.shopify.com;" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "reload",
    [
        "https://evil.example/shopify/",
        "//evil.example/shopify/",
        "/\\evil.example",
        "/shopify/\\..",
        "/shopify/\n",
        "/shopify/\x00",
        "javascript:alert(1)",
        "/stores/1/orders",
        "",
        None,
    ],
)
def test_app_bridge_is_sent_nowhere_else(client: FlaskClient, reload: str | None) -> None:
    query = {"shop": "one.myshopify.com"} | ({} if reload is None else {"shopify-reload": reload})
    answer = client.get("/shopify/session-token", query_string=query, headers=HTML)

    assert answer.status_code == 400
    assert "<script" not in answer.get_data(as_text=True)
    assert ancestors(answer) == "'none'"


@pytest.mark.parametrize(
    "named", ["evil.example", "one.myshopify.com.evil.example", "a.myshopify.com https://evil.example", "*"]
)
def test_only_a_shop_can_be_named_for_that_page(client: FlaskClient, named: str) -> None:
    query = {"shop": named, "shopify-reload": "/shopify/"}
    answer = client.get("/shopify/session-token", query_string=query, headers=HTML)

    assert ancestors(answer) == "https://admin.shopify.com"


def test_links_work_for_five_minutes_without_script(
    opened: Callable[[str], TestResponse],
    client: FlaskClient,
    shop: Store,
    services: Services,
    clock: FixedClock,
) -> None:
    add_order(services, shop, "77")
    page = page_of(opened("/shopify/orders"))
    (link,) = [one for one in page.links if "/orders/77" in one]
    assert link.startswith("/shopify/orders/77?")

    assert client.get(link, headers=HTML).status_code == 200
    clock.pass_by(minutes=5)
    assert client.get(link, headers=HTML).status_code == 200
    clock.pass_by(seconds=1)
    late = client.get(link, headers=HTML)
    assert late.status_code == 303
    assert parse_qs(urlsplit(late.headers["Location"]).query)["shop"] == [shop.domain]
    assert "ticket" not in late.headers["Location"]


def test_a_copied_link_opens_nothing_outside_the_frame(
    opened: Callable[[str], TestResponse], client: FlaskClient, shop: Store
) -> None:
    link = next(one for one in page_of(opened("/shopify/orders")).links if "/settings" in one)

    assert client.get(link, headers={**HTML, "Sec-Fetch-Dest": "iframe"}).status_code == 200
    assert client.get(link, headers={**HTML, "Sec-Fetch-Dest": "document"}).status_code == 303


def test_a_form_is_taken_for_an_hour_and_only_with_its_own_ticket(
    opened: Callable[[str], TestResponse],
    client: FlaskClient,
    services: Services,
    shop: Store,
    clock: FixedClock,
) -> None:
    page = page_of(opened("/shopify/settings"))
    account = {
        "account_sid": SID,
        "auth_token": "pretend-auth-token",
        "campaign_id": "1",
        "event_type_id": "2",
    }
    sent = {**page.fields, **account}
    link_ticket = parse_qs(urlsplit(next(one for one in page.links if "ticket=" in one)).query)["ticket"][0]

    for ticket in ("", "made-up", link_ticket, sent["ticket"][:-1]):
        answer = client.post("/shopify/settings", data={**sent, "ticket": ticket}, headers=HTML)
        assert answer.status_code == 401
        assert "nothing was changed" in page_of(answer).text
    in_address = client.post(f"/shopify/settings?ticket={sent['ticket']}", data=account, headers=HTML)
    assert in_address.status_code == 401
    clock.pass_by(hours=1, seconds=1)
    late = client.post("/shopify/settings", data=sent, headers=HTML)
    assert late.status_code == 401
    assert ancestors(late) == f"https://{shop.domain} https://admin.shopify.com"
    assert services.stores.get(shop.id) == shop

    clock.pass_by(seconds=-1)
    saved = client.post("/shopify/settings", data=sent, headers=HTML)
    assert saved.status_code == 200
    assert "Saved. impact.com accepts these credentials." in page_of(saved).text
    assert services.stores.get(shop.id).campaign_id == "1"  # type: ignore[union-attr]


def test_the_ticket_of_a_store_that_is_gone_opens_nothing(
    opened: Callable[[str], TestResponse], client: FlaskClient, services: Services, shop: Store
) -> None:
    page = page_of(opened("/shopify/settings"))
    with services.database.write() as connection:
        now = services.clock()
        services.stores.uninstall_in(connection, shop.id, since=now, now=now)

    assert client.post("/shopify/settings", data=page.fields, headers=HTML).status_code == 401
    assert client.get(page.links[1], headers=HTML).status_code == 303


def test_a_ticket_is_bound_to_use_time_and_key() -> None:
    clock = FixedClock()
    holder = Holder("one.myshopify.com", "42", int(clock().timestamp()))
    ticket = Tickets(["old key"], "shopify").issue(holder, "form", clock())

    assert Tickets(["new key", "old key"], "shopify").read(ticket, "form", clock()) == holder
    for keys, use, later in ((["new key"], "form", 0), (["old key"], "link", 0), (["old key"], "form", 3601)):
        with pytest.raises(TicketRefused):
            Tickets(keys, "shopify").read(ticket, use, clock() + timedelta(seconds=later))  # type: ignore[arg-type]
    with pytest.raises(TicketRefused):
        Tickets(["old key"], "shopify").read(ticket, "form", clock() - timedelta(minutes=2))
    with pytest.raises(TicketRefused):
        Tickets(["old key"], "saleor").read(ticket, "form", clock())


@pytest.mark.parametrize(
    ("arrange", "sentence"),
    [("gone", "Shopify does not give this app access"), ("down", "Shopify cannot be reached")],
)
def test_a_shop_that_cannot_be_connected_gets_a_sentence(
    environ: dict[str, str], clock: FixedClock, pretend: PretendStore, arrange: str, sentence: str
) -> None:
    if arrange == "gone":
        pretend.installed = False
    else:
        environ = {**environ, "SHOPIFY_ADMIN_URL": "http://127.0.0.1:1"}
    services = Services(read_config(environ), clock)
    answer = create_app(services).test_client().get(f"/shopify/?{launch_query(pretend)}", headers=HTML)

    assert answer.status_code == 503
    assert sentence in page_of(answer).text
    assert services.stores.all() == []
    services.database.close()


def test_with_shopify_switched_off_there_is_a_sentence(environ: dict[str, str], clock: FixedClock) -> None:
    off = {name: text for name, text in environ.items() if not name.startswith("SHOPIFY_API")}
    services = Services(read_config(off), clock)
    client = create_app(services).test_client()

    for path in ("/shopify/", "/shopify/settings", "/shopify/session-token?shopify-reload=/shopify/"):
        answer = client.get(path, headers=HTML)
        assert answer.status_code == 404
        assert "Shopify is switched off here" in page_of(answer).text
    services.database.close()
