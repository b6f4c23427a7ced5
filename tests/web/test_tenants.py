"""One store's visitor never reaches another store: not its orders, not its settings, through no address.

Every route behind each door is tried by the owner, a colleague, strangers and another store's owner.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from impact_app.domain.alerts import Cause
from impact_app.domain.messages import Digest
from impact_app.domain.programs import AccountCheck, Told
from impact_app.ledger.alerts import raise_
from impact_app.ledger.codec import order_text
from impact_app.ledger.stores import Store, Tokens
from impact_app.ledger.tables import metadata
from impact_app.simulator.network import RunningNetwork
from impact_app.simulator.saleor.deliveries import encode
from impact_app.simulator.saleor.keys import SigningKeys
from impact_app.simulator.saleor.orders import OrderSpec, order
from impact_app.simulator.saleor.server import PretendSaleor
from impact_app.simulator.shopify.oauth import id_token
from impact_app.simulator.shopify.store import PretendStore
from impact_app.stores.saleor.reading import read_order
from impact_app.web.tickets import Holder, Tickets
from impact_app.wiring import Services
from tests.web.conftest import (
    HTML,
    SECRET,
    SID,
    FixedClock,
    add_delivery,
    add_order,
    add_step,
    connect_saleor,
    enter_dashboard,
    page_of,
    sign_in,
)

THEIRS = (
    "two.myshopify.com",
    "THEIR-KEY",
    "THEIR-NUMBER",
    "THEIR-CLICK",
    "their-event",
    "their@two.test",
    "THEIR-ALERT",
    "THEIR-ACCOUNT",
)


def readable_snapshot() -> str:
    """What is kept of an order, so that it can be judged again."""
    return order_text(read_order(encode(order(OrderSpec()))))


@pytest.fixture
def theirs(services: Services, other: Store) -> Store:
    """Another store with settings and one order."""
    services.stores.save_settings(
        other.id, account_sid=SID, auth_token="their-token", campaign_id="1", event_type_id="2", rules={}
    )
    evidence = {"event_type_id": "their-event"}
    order_id = add_order(
        services, other, "THEIR-KEY", number="THEIR-NUMBER", click_id="THEIR-CLICK", evidence=evidence
    )
    add_step(services, other, order_id)
    add_delivery(services, other, order_key="THEIR-KEY")
    known = services.stores.get(other.id)
    assert known is not None
    # Told just now, so that nobody's visit has impact.com asked.
    account = AccountCheck("works", "THEIR-ACCOUNT")
    assert services.setups.save(known, Told(SID, "1", services.clock(), account))
    services.channels.save(other.id, ["their@two.test"], "https://hooks.test/T1", Digest.DAILY, None)
    with services.database.write() as connection:
        raise_(connection, other.id, Cause.DRIFT, "", "THEIR-ALERT", "", services.clock())
    return other


@pytest.fixture
def mine(services: Services, pretend: PretendStore, theirs: Store) -> Store:
    store = services.stores.connect("shopify", pretend.domain, None, now=services.clock())
    add_order(services, store, "MY-KEY", number="MY-NUMBER", snapshot=readable_snapshot())
    return store


def everything(services: Services) -> dict[str, list[Any]]:
    with services.database.read() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(sa.select(table))]
            for table in metadata.sorted_tables
        }


#: What no form takes.
WRONG = {"account_sid": "IR 1", "rule.send": "?", "digest": "?"}

#: Every page of a store, with what its visitor gets who asks for another store's order or table.
#: A page that is added without standing here fails the tests below.
PAGES = {
    ("GET", "verdict"): 404,
    ("GET", "verdict_json"): 404,
    ("GET", "home"): 200,
    ("GET", "overview"): 200,
    ("GET", "overview_csv"): 404,
    ("GET", "orders"): 200,
    ("GET", "order"): 404,
    ("GET", "orders_csv"): 200,
    ("GET", "ask"): 404,
    ("POST", "do"): 404,
    ("GET", "attention"): 200,
    ("POST", "replay_group"): 409,
    ("GET", "alerts"): 200,
    ("POST", "save_channels"): 422,
    ("POST", "send_test"): 422,
    ("GET", "rules"): 200,
    ("POST", "save_rules"): 422,
    ("POST", "restore_rules"): 404,
    ("GET", "settings"): 200,
    ("POST", "save_settings"): 422,
    ("GET", "setup"): 200,
    ("POST", "save_setup"): 404,
    ("POST", "note_embed"): 404,
    ("GET", "trial"): 200,
    ("POST", "act_on_trial"): 404,
}


#: What is another for whoever asks for an order of their own. Sending again what was never sent is refused.
OWN = {
    **PAGES,
    ("GET", "order"): 200,
    ("GET", "verdict"): 200,
    ("GET", "verdict_json"): 200,
    ("GET", "ask"): 200,
    ("POST", "do"): 409,
}

#: Routes outside the doors: what they show or take belongs to no store, or is proved in a way of its own.
OPEN = {
    "health.healthz",
    "health.metrics",
    "health.readyz",
    "password.front",
    "password.login",
    "password.logout",
    "saleor.manifest",
    "saleor.register",
    "saleor.webhooks",
    "saleor_session.ask",
    "saleor_session.order",
    "saleor_session.order_verdict",
    "saleor_session.take",
    "shopify_install.callback",
    "shopify_install.install",
    "shopify_session.preflight",
    "shopify_session.session_token",
    "static",
    "storefront.clicks",
    "storefront.preflight",
    "webhooks.shopify",
}

DOORS = ("embedded", "dashboard", "store")


def pages_of(app: Flask, door: str, **values: object) -> dict[tuple[str, str], str]:
    """The path of every page behind a door, by method and name, aimed at the other store's order."""
    adapter = app.url_map.bind("localhost")
    return {
        (method, rule.endpoint.removeprefix(f"{door}.")): adapter.build(
            rule.endpoint,
            {
                name: {"order_key": "THEIR-KEY", "act": "replay", "version": 999, **values}[name]
                for name in rule.arguments
            },
            method,
        )
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith(f"{door}.")
        for method in (rule.methods or set()) & {"GET", "POST"}
    }


def test_every_route_stands_behind_a_door_or_is_open_on_purpose(app: Flask) -> None:
    names = {rule.endpoint for rule in app.url_map.iter_rules()}
    assert {name for name in names if name.partition(".")[0] not in DOORS} == OPEN
    for door in DOORS:
        assert set(pages_of(app, door, store_id=1)) == set(PAGES)


Open = Callable[[str, str], TestResponse]


@dataclass
class Platform:
    """Two stores of one platform, each with an order, and ways to visit them.

    members      of a store's staff, who are proved
    strangers    who are not
    """

    door: str
    mine: Store
    other: Store
    my_key: str
    members: dict[str, Open]
    neighbour: Open
    strangers: dict[str, Open]


@pytest.fixture(params=DOORS)
def platform(request: pytest.FixtureRequest) -> Platform:
    found: Platform = request.getfixturevalue(f"{request.param}_platform")
    return found


@pytest.fixture
def embedded_platform(
    client: FlaskClient, services: Services, pretend: PretendStore, mine: Store, theirs: Store
) -> Platform:
    neighbour = PretendStore(client_secret=SECRET, now=services.clock)
    neighbour.domain = theirs.domain
    for shop in (pretend, neighbour):
        tokens = Tokens("pasted", "t")
        services.stores.connect("shopify", shop.domain, tokens, now=services.clock())

    def by(token: str) -> Open:
        headers = {**HTML, "Authorization": f"Bearer {token}"} if token else HTML
        return lambda method, path: client.open(
            path, method=method, headers=headers, data=WRONG if method == "POST" else None
        )

    return Platform(
        "embedded",
        mine,
        theirs,
        "MY-KEY",
        {"owner": by(id_token(pretend)), "colleague": by(id_token(pretend, user_id=4711))},
        by(id_token(neighbour)),
        {
            "nobody": by(""),
            "expired": by(id_token(pretend, age=timedelta(minutes=5))),
            "forged": by(id_token(pretend, secret="shpss_somebody_else_0123456789abcdef")),
            **{name: by(token) for name, token in refused_tokens(pretend).items()},
        },
    )


def refused_tokens(shop: PretendStore) -> dict[str, str]:
    """Session tokens that prove nothing, though most name the right shop, user and app."""
    good = id_token(shop)
    claims = jwt.decode(good, options={"verify_signature": False})
    head, _, signature = good.split(".")
    others = id_token(PretendStore(domain=THEIRS[0], client_secret=SECRET, now=shop.now))
    deep = base64.urlsafe_b64encode(b'{"alg":"HS256","x":' + b"[" * 2000 + b"]" * 2000 + b"}")
    return {
        "another app": id_token(shop, aud="another-app"),
        "not yet valid": id_token(shop, age=-timedelta(minutes=5)),
        "made later": id_token(shop, iat=int((shop.now() + timedelta(minutes=5)).timestamp())),
        "no end": id_token(shop, exp=None),
        "another shop's admin": id_token(shop, iss=f"https://{THEIRS[0]}/admin"),
        "no shop": id_token(shop, dest="https://evil.example", iss="https://evil.example/admin"),
        "no signature": good.rpartition(".")[0] + ".",
        "another's claims": ".".join((head, others.split(".")[1], signature)),
        "alg none": jwt.encode(claims, None, algorithm="none"),  # type: ignore[arg-type]
        "alg HS512": jwt.encode(claims, SECRET * 2, algorithm="HS512"),
        "nonsense": "x",
        "too deep": ".".join((deep.decode().rstrip("="), head, signature)),
    }


def test_each_embedded_route_has_a_stale_session_renewed(
    app: Flask, client: FlaskClient, services: Services, embedded_platform: Platform, pretend: PretendStore
) -> None:
    """A script is told to ask again, a page comes back by way of App Bridge, and a form stops."""
    before = everything(services)
    refused = {"expired": id_token(pretend, age=timedelta(minutes=5)), **refused_tokens(pretend)}
    aimed = {"store_id": embedded_platform.mine.id, "order_key": embedded_platform.my_key}
    for (method, name), path in sorted(pages_of(app, "embedded", **aimed).items()):
        data = WRONG if method == "POST" else None
        for kind, token in refused.items():
            bearer = {"Authorization": f"Bearer {token}"}
            script = client.open(path, method=method, headers=bearer, data=data)
            assert script.status_code == 401, (name, kind)
            assert script.headers["X-Shopify-Retry-Invalid-Session-Request"] == "1", (name, kind)
        if method == "POST":
            form = client.post(path, data={**WRONG, "ticket": "x"}, headers=HTML)
            assert (form.status_code, form.mimetype) == (401, "text/html"), name
            continue
        wanted = {"id_token": refused["expired"], "shop": pretend.domain, "kept": "1"}
        page = client.get(path, query_string=wanted, headers=HTML)
        assert page.status_code == 303, name
        place = urlsplit(page.headers["Location"])
        (back,) = parse_qs(place.query)["shopify-reload"]
        assert (place.path, urlsplit(back).path) == ("/shopify/session-token", path), name
        assert parse_qs(urlsplit(back).query)["kept"] == ["1"]
        assert "id_token" not in back
    assert everything(services) == before


@pytest.fixture
def dashboard_platform(
    client: FlaskClient, services: Services, clock: FixedClock, saleor: PretendSaleor, theirs: Store
) -> Platform:
    mine = connect_saleor(services, saleor)
    add_order(services, mine, "MY-KEY", number="MY-NUMBER", snapshot=readable_snapshot())
    keys = SigningKeys(["neighbour"])
    other_shop = PretendSaleor(url="https://two.example.com", keys=keys)
    other = connect_saleor(services, other_shop)
    add_order(services, other, "THEIR-KEY", number="THEIR-NUMBER", click_id="THEIR-CLICK")

    def by(link: str, form: str) -> Open:
        def opened(method: str, path: str) -> TestResponse:
            if method == "POST":
                return client.post(path, headers=HTML, data={**WRONG, "ticket": form})
            return client.get(path, headers=HTML, query_string={"ticket": link})

        return opened

    def staff(shop: PretendSaleor, **claims: Any) -> tuple[str, str]:
        """The two tickets that a member of staff is given."""
        entered = page_of(enter_dashboard(client, shop, clock, "/saleor/settings", **claims))
        address = next(one for one in entered.links if one.startswith("/saleor/orders?"))
        return parse_qs(urlsplit(address).query)["ticket"][0], entered.fields["ticket"]

    link, form = staff(saleor)
    at = int(clock().timestamp())
    old = clock() - timedelta(hours=2)
    holder = Holder(mine.domain, "VXNlcjox", at)
    ours, shopifys = (
        Tickets(services.config.secret_keys, "saleor"),
        Tickets(services.config.secret_keys, "shopify"),
    )
    forged = Tickets(["somebody else's key"], "saleor")

    def pair(made: Tickets, at: datetime) -> Open:
        return by(made.issue(holder, "link", at), made.issue(holder, "form", at))

    return Platform(
        "dashboard",
        mine,
        other,
        "MY-KEY",
        {"owner": by(link, form), "colleague": by(*staff(saleor, user_id="VXNlcjoyMg=="))},
        by(*staff(other_shop)),
        {
            "nobody": by("", ""),
            "expired": pair(ours, old),
            "forged": pair(forged, clock()),
            "another platform": pair(shopifys, clock()),
            "exchanged": by(form, link),
        },
    )


@pytest.fixture
def store_platform(app: Flask, services: Services, mine: Store, theirs: Store) -> Platform:
    def by(browser: FlaskClient) -> Open:
        def opened(method: str, path: str) -> TestResponse:
            fields = page_of(browser.get(f"/stores/{mine.id}/settings", headers=HTML)).fields
            data = {**WRONG, "csrf_token": fields.get("csrf_token", "")} if method == "POST" else None
            return browser.open(path, method=method, headers=HTML, data=data)

        return opened

    owner, colleague, guesser, forger = (app.test_client() for _ in range(4))
    for browser in (owner, colleague):
        sign_in(browser)
    assert sign_in(guesser, "wrong password").status_code == 403
    forger.set_cookie("session", "eyJwcm9vZiI6IngifQ.made.up")
    return Platform(
        "store",
        mine,
        theirs,
        "MY-KEY",
        {"owner": by(owner), "colleague": by(colleague)},
        by(owner),
        {"nobody": by(app.test_client()), "guesser": by(guesser), "forger": by(forger)},
    )


def told(answer: TestResponse, words: tuple[str, ...]) -> list[str]:
    """Which of these words are in the answer, apart from what the address itself said."""
    text = answer.get_data(as_text=True) + answer.headers.get("Location", "")
    for asked in ("orders/THEIR-KEY", "orders/MY-KEY", "orders%2FTHEIR-KEY", "orders%2FMY-KEY"):
        text = text.replace(asked, "")
    return [word for word in words if word in text]


def test_owner_and_colleague_reach_their_own_store(platform: Platform, app: Flask) -> None:
    own = {"store_id": platform.mine.id, "order_key": platform.my_key, "act": "resend"}
    for who, opened in platform.members.items():
        for (method, name), path in sorted(pages_of(app, platform.door, **own).items()):
            answer = opened(method, path)
            assert answer.status_code == OWN[method, name], (who, method, name)
            assert told(answer, THEIRS) == []


def test_another_stores_owner_reaches_nothing_of_it(
    platform: Platform, app: Flask, services: Services
) -> None:
    # A test message would go out to whom the neighbour named for their own store.
    services.channels.save(platform.other.id, [], "", Digest.NONE, None)
    before = everything(services)
    # Behind the password all stores are the owner's, but each order is found below its own store alone.
    aimed = {"store_id": platform.other.id, "order_key": platform.my_key}
    for (method, name), path in sorted(pages_of(app, platform.door, **aimed).items()):
        answer = platform.neighbour(method, path)
        assert answer.status_code == PAGES[method, name], (method, name)
        assert told(answer, ("MY-KEY", "MY-NUMBER")) == [], (method, name)
    assert everything(services) == before


def test_strangers_reach_nothing(platform: Platform, app: Flask, services: Services) -> None:
    before = everything(services)
    words = (*THEIRS[1:], "MY-KEY", "MY-NUMBER")
    aimed = {"store_id": platform.mine.id, "order_key": platform.my_key}
    for who, opened in platform.strangers.items():
        for (method, name), path in sorted(pages_of(app, platform.door, **aimed).items()):
            answer = opened(method, path)
            assert answer.status_code in ((401,) if method == "POST" else (303, 401)), (who, method, name)
            assert told(answer, words) == [], (who, method, name)
    assert everything(services) == before


def test_no_parameter_names_another_shop(
    app: Flask, client: FlaskClient, services: Services, pretend: PretendStore, mine: Store, theirs: Store
) -> None:
    services.tokens.connected_store(pretend.domain, id_token(pretend))
    before = everything(services)
    routes = pages_of(app, "embedded")

    for (method, name), path in sorted(routes.items()):
        for named in ({"shop": theirs.domain}, {"store_id": str(theirs.id), "store": str(theirs.id)}):
            answer = client.open(
                path,
                method=method,
                query_string={**named, "search": "THEIR-CLICK"},
                data={**named, **WRONG} if method == "POST" else None,
                headers={**HTML, "Authorization": f"Bearer {id_token(pretend)}"},
            )
            assert answer.status_code == PAGES[method, name], (method, name)
            text = answer.get_data(as_text=True).replace('value="THEIR-CLICK"', "")
            assert [word for word in THEIRS if word in text] == []
    assert everything(services) == before


def test_a_ticket_of_one_shop_opens_that_shop_only(
    client: FlaskClient, services: Services, pretend: PretendStore, mine: Store, theirs: Store
) -> None:
    services.tokens.connected_store(pretend.domain, id_token(pretend))
    page = page_of(
        client.get(
            "/shopify/orders/MY-KEY/replay", query_string={"id_token": id_token(pretend)}, headers=HTML
        )
    )
    before = everything(services)

    posted = client.post(
        "/shopify/orders/THEIR-KEY/replay", data={**page.fields, "shop": theirs.domain}, headers=HTML
    )
    link = next(one for one in page.links if one.startswith("/shopify/orders?"))
    read = client.get(link.replace("/shopify/orders?", "/shopify/orders/THEIR-KEY?"), headers=HTML)

    assert (posted.status_code, read.status_code) == (404, 404)
    assert everything(services) == before


def test_a_shopify_proof_opens_no_page_behind_the_password(
    client: FlaskClient, services: Services, pretend: PretendStore, mine: Store, theirs: Store
) -> None:
    before = everything(services)
    headers = {**HTML, "Authorization": f"Bearer {id_token(pretend)}"}
    for store in (mine, theirs):
        routes = pages_of(client.application, "store", store_id=store.id)
        assert set(routes) == set(PAGES)
        for (method, _), path in routes.items():
            token = {"id_token": id_token(pretend)}
            got = client.open(path, method=method, query_string=token, headers=headers)
            assert got.status_code == (303 if method == "GET" else 401)
            assert [
                word for word in THEIRS if word in got.get_data(as_text=True).replace("THEIR-KEY", "")
            ] == []
    assert everything(services) == before


def test_behind_the_password_an_order_belongs_to_its_store_too(
    signed_in: FlaskClient, services: Services, mine: Store, theirs: Store, network: RunningNetwork
) -> None:
    token = page_of(signed_in.get(f"/stores/{mine.id}/rules", headers=HTML)).fields["csrf_token"]
    before = everything(services)

    for store_id, key in ((mine.id, "THEIR-KEY"), (theirs.id, "MY-KEY"), (2**70, "MY-KEY"), (99, "MY-KEY")):
        path = f"/stores/{store_id}/orders/{key}"
        assert signed_in.get(path, headers=HTML).status_code == 404
        assert signed_in.post(f"{path}/ignore", data={"csrf_token": token}, headers=HTML).status_code == 404
    mine_only = signed_in.get(f"/stores/{mine.id}/orders?search=THEIR-CLICK", headers=HTML)
    assert "THEIR-NUMBER" not in mine_only.get_data(as_text=True)
    assert everything(services) == before
    assert network.books.calls() == []
