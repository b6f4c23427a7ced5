"""The verdict of one order beside the platform's own page of it: for the block, and small."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from impact_app.domain.reasons import EXPLANATIONS, Reason
from impact_app.ledger.stores import Store, Tokens
from impact_app.ledger.tables import orders
from impact_app.simulator.saleor.server import PretendSaleor
from impact_app.simulator.shopify.oauth import id_token
from impact_app.simulator.shopify.store import PretendStore
from impact_app.wiring import Services
from tests.web.conftest import (
    HTML,
    FixedClock,
    add_order,
    connect_saleor,
    enter_dashboard,
    page_of,
    saleor_order,
)

BLOCK = "https://extensions.shopifycdn.com"
PATH = "/shopify/orders/900/verdict.json"


@pytest.fixture
def shop(services: Services, pretend: PretendStore) -> Store:
    store = services.stores.connect("shopify", pretend.domain, Tokens("pasted", "t"), now=services.clock())
    add_order(services, store, "900", number="1001")
    return store


def test_the_block_is_told_the_verdict(client: FlaskClient, pretend: PretendStore, shop: Store) -> None:
    headers = {"Authorization": f"Bearer {id_token(pretend)}", "Origin": BLOCK}
    answer = client.get(PATH, headers=headers)

    meaning = EXPLANATIONS[Reason.NO_CLICK_OR_CODE]
    name = pretend.domain.removesuffix(".myshopify.com")
    assert answer.json == {
        "verdict": "withheld",
        "title": "Not reported",
        "reason": "no_click_or_code",
        "sentence": meaning.happened,
        "next": meaning.next,
        "partner": None,
        "path": "/shopify/orders/900",
        "url": f"https://admin.shopify.com/store/{name}/apps/pretend-client-id/shopify/orders/900",
    }
    assert answer.headers["Access-Control-Allow-Origin"] == BLOCK
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_the_block_is_told_it_in_its_own_language(
    client: FlaskClient, pretend: PretendStore, shop: Store
) -> None:
    headers = {"Authorization": f"Bearer {id_token(pretend)}", "Origin": BLOCK, "Accept-Language": "en"}
    told = client.get(f"{PATH}?locale=de", headers=headers).json

    assert told is not None
    assert (told["verdict"], told["title"]) == ("withheld", "Nicht gemeldet")
    assert told["sentence"] == "Die Bestellung trägt weder Klick noch Gutscheincode."
    assert told["path"] == "/shopify/orders/900"


def test_the_browser_may_ask_before_and_reads_refusals_too(
    client: FlaskClient, pretend: PretendStore, shop: Store
) -> None:
    asked = {"Origin": BLOCK, "Access-Control-Request-Method": "GET"}
    preflight = client.options(PATH, headers={**asked, "Access-Control-Request-Headers": "authorization"})
    assert (preflight.status_code, preflight.data) == (204, b"")
    assert preflight.headers["Access-Control-Allow-Origin"] == BLOCK
    assert preflight.headers["Access-Control-Allow-Methods"] == "GET"
    assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]

    refused = client.get(PATH, headers={"Origin": BLOCK})
    missing = client.get(
        "/shopify/orders/901/verdict.json", headers={"Authorization": f"Bearer {id_token(pretend)}"}
    )
    assert (refused.status_code, missing.status_code) == (401, 404)
    for answer in (refused, missing):
        assert answer.headers["Access-Control-Allow-Origin"] == BLOCK
        assert answer.json is not None
        assert answer.json.keys() == {"error"}


def test_no_other_address_may_be_read_from_elsewhere(
    client: FlaskClient, pretend: PretendStore, shop: Store
) -> None:
    headers = {"Authorization": f"Bearer {id_token(pretend)}", "Origin": BLOCK}
    for path in ("/shopify/orders/900", "/shopify/orders.csv", "/shopify/settings", "/saleor/orders"):
        assert "Access-Control-Allow-Origin" not in client.get(path, headers=headers).headers
        assert "Access-Control-Allow-Origin" not in client.options(path, headers=headers).headers


def test_saleors_frame_beside_the_order_shows_verdict_and_partner(
    client: FlaskClient, services: Services, saleor: PretendSaleor, clock: FixedClock
) -> None:
    connect_saleor(services, saleor)
    key = saleor_order(client, services, saleor)
    with services.database.write() as connection:
        credited = {"verdict": "reported", "reason": "credited"}
        connection.execute(sa.update(orders).where(orders.c.order_key == key).values(**credited))
    query = {"orderId": key, "saleorApiUrl": saleor.api_url}
    asking = client.get("/saleor/order-verdict", query_string=query, headers=HTML)
    page = page_of(client.get(asking.headers["Location"], headers=HTML))

    shown = page_of(enter_dashboard(client, saleor, clock, page.fields["reload"]))
    assert "Reported impact.com has credited a partner with the order." in shown.text
    [link] = [one for one in shown.links if one.startswith("/saleor/orders/")]
    assert client.get(link, headers=HTML).status_code == 200


@pytest.mark.parametrize(("version", "mounts"), [("3.20", 1), ("3.21", 1), ("3.22", 2), ("3.23", 2)])
def test_the_manifest_names_what_this_saleor_knows(client: FlaskClient, version: str, mounts: int) -> None:
    said = client.get("/saleor/manifest", headers={"Saleor-Schema-Version": version}).json
    assert said is not None
    found = [(one["mount"], one["target"]) for one in said["extensions"]]
    known = [("ORDER_DETAILS_MORE_ACTIONS", "POPUP"), ("ORDER_DETAILS_WIDGETS", "WIDGET")]
    assert found == known[:mounts]
    for one in said["extensions"]:
        assert set(one["permissions"]) <= set(said["permissions"])
        assert one["url"].startswith("http://localhost:5000/saleor/order")
