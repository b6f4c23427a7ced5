"""One store's visitor never reaches another store: not its orders, not its settings, through no address."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from impact_app.domain.alerts import Cause
from impact_app.domain.messages import Digest
from impact_app.ledger.alerts import raise_
from impact_app.ledger.stores import Store
from impact_app.ledger.tables import metadata
from impact_app.simulator.network import RunningNetwork
from impact_app.simulator.shopify.oauth import id_token
from impact_app.simulator.shopify.store import PretendStore
from impact_app.wiring import Services
from tests.web.conftest import HTML, SID, add_delivery, add_order, add_step, page_of

THEIRS = (
    "two.myshopify.com",
    "THEIR-KEY",
    "THEIR-NUMBER",
    "THEIR-CLICK",
    "their-event",
    "their@two.test",
    "THEIR-ALERT",
)


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
    services.channels.save(other.id, ["their@two.test"], "https://hooks.test/T1", Digest.DAILY, None)
    with services.database.write() as connection:
        raise_(connection, other.id, Cause.DRIFT, "", "THEIR-ALERT", "", services.clock())
    return other


@pytest.fixture
def mine(services: Services, pretend: PretendStore, theirs: Store) -> Store:
    store = services.stores.connect("shopify", pretend.domain, None, now=services.clock())
    add_order(services, store, "MY-KEY", number="MY-NUMBER")
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
    ("GET", "home"): 200,
    ("GET", "overview"): 200,
    ("GET", "overview_csv"): 404,
    ("GET", "orders"): 200,
    ("GET", "order"): 404,
    ("GET", "orders_csv"): 200,
    ("GET", "ask"): 404,
    ("POST", "do"): 404,
    ("GET", "attention"): 200,
    ("POST", "replay_group"): 404,
    ("GET", "alerts"): 200,
    ("POST", "save_channels"): 422,
    ("POST", "send_test"): 422,
    ("GET", "rules"): 200,
    ("POST", "save_rules"): 422,
    ("POST", "restore_rules"): 404,
    ("GET", "settings"): 200,
    ("POST", "save_settings"): 422,
}


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


def test_every_page_of_the_admin_shows_and_changes_only_the_proved_shop(
    app: Flask, client: FlaskClient, services: Services, pretend: PretendStore, mine: Store, theirs: Store
) -> None:
    services.tokens.connected_store(pretend.domain, id_token(pretend))
    before = everything(services)
    routes = pages_of(app, "embedded")
    assert set(routes) == set(PAGES)

    for (method, name), path in sorted(routes.items()):
        for named in ({}, {"shop": theirs.domain}, {"store_id": str(theirs.id), "store": str(theirs.id)}):
            answer = client.open(
                path,
                method=method,
                query_string={**named, "search": "THEIR-CLICK"},
                data={**named, "account_sid": "IR 1", "rule.send": "?", "digest": "?"}
                if method == "POST"
                else None,
                headers={**HTML, "Authorization": f"Bearer {id_token(pretend)}"},
            )
            assert answer.status_code == PAGES[method, name], (method, name)
            told = answer.get_data(as_text=True).replace('value="THEIR-CLICK"', "")
            assert [word for word in THEIRS if word in told] == []
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
