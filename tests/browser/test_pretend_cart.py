"""The pretend shop's Ajax cart behaves as Shopify's does (no browser needed)."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from impact_app.simulator.storefront import PretendShop, Sales, create_storefront

MUG, BOARD = 51_000_000_000_001, 51_000_000_000_002


@pytest.fixture
def sales() -> Sales:
    return Sales()


@pytest.fixture
def client(sales: Sales) -> FlaskClient:
    return create_storefront(PretendShop(), sales).test_client()


def test_attributes_merge_and_an_empty_one_is_removed(client: FlaskClient) -> None:
    client.post("/cart/update.js", json={"attributes": {"im_ref": "abc", "gift": "yes"}})
    merged = client.post("/cart/update.js", json={"attributes": {"im_ref": "def"}})
    assert merged.get_json()["attributes"] == {"im_ref": "def", "gift": "yes"}
    client.post("/cart/update.js", json={"attributes": {"gift": ""}})
    assert client.get("/cart.js").get_json()["attributes"] == {"im_ref": "def"}


def test_an_update_makes_a_cart_and_names_it_in_a_readable_cookie(client: FlaskClient, sales: Sales) -> None:
    answer = client.post("/cart/update.js", json={"attributes": {"im_ref": "abc"}})
    cookie = client.get_cookie("cart")
    assert cookie is not None
    assert (cookie.value, cookie.http_only) == (answer.get_json()["token"], False)
    assert list(sales.carts) == [cookie.value]


def test_looking_makes_no_cart(client: FlaskClient, sales: Sales) -> None:
    assert client.get("/cart.js").get_json()["item_count"] == 0
    assert client.get_cookie("cart") is None
    assert sales.carts == {}


def test_private_attributes_cannot_be_read(client: FlaskClient, sales: Sales) -> None:
    answer = client.post("/cart/update.js", json={"attributes": {"__im_ref": "abc"}})
    assert answer.get_json()["attributes"] == {}
    assert [cart.attributes for cart in sales.carts.values()] == [{"__im_ref": "abc"}]


def test_adding_counts_in_cents_and_joins_equal_lines(client: FlaskClient) -> None:
    client.post("/cart/add.js", json={"items": [{"id": MUG, "quantity": 2}, {"id": BOARD}]})
    one = client.post("/cart/add.js", data={"id": MUG}).get_json()
    assert (one["sku"], one["quantity"], one["line_price"]) == ("MUG-1", 3, 3 * 1400)
    client.post("/cart/add.js", json={"id": MUG, "properties": {"_im_ref": "abc"}})
    cart = client.get("/cart.js").get_json()
    assert [(item["sku"], item["quantity"], item["properties"]) for item in cart["items"]] == [
        ("MUG-1", 3, {}),
        ("BOARD-1", 1, {}),
        ("MUG-1", 1, {"_im_ref": "abc"}),
    ]
    assert cart["total_price"] == 3 * 1400 + 3300 + 1400


def test_line_properties_reach_the_order_past_the_cart(client: FlaskClient, sales: Sales) -> None:
    answer = client.post("/buy-now", data={"id": MUG, "properties[_im_ref]": "abc"})
    client.post(answer.location)
    [sale] = sales.made.values()
    assert sale.body["line_items"][0]["properties"] == [{"name": "_im_ref", "value": "abc"}]
    assert sale.body["note_attributes"] == []


def test_a_checkout_keeps_what_the_cart_said_when_it_was_opened(client: FlaskClient, sales: Sales) -> None:
    client.post("/cart/add", data={"id": MUG})
    opened = client.get("/checkout").location
    client.post("/cart/update.js", json={"attributes": {"im_ref": "late"}})
    client.post(opened)
    [sale] = sales.made.values()
    assert sale.body["note_attributes"] == []
    assert sale.told == "Nobody was told: the pretend shop was started without a webhook address."


def test_a_line_is_changed_by_its_key_and_gets_its_properties_anew(client: FlaskClient) -> None:
    client.post("/cart/add.js", json={"id": MUG, "properties": {"_im_ref": "abc", "engraving": "A"}})
    client.post("/cart/add.js", json={"id": MUG})
    marked, plain = client.get("/cart.js").get_json()["items"]
    assert marked["key"] != plain["key"]
    changed = {"id": marked["key"], "quantity": 2, "properties": {"engraving": "A"}}
    items = client.post("/cart/change.js", json=changed).get_json()["items"]
    assert [(item["quantity"], item["properties"]) for item in items] == [(1, {}), (2, {"engraving": "A"})]
    gone = client.post("/cart/change.js", json={"id": plain["key"], "quantity": 0}).get_json()["items"]
    assert [item["quantity"] for item in gone] == [2]
    assert client.post("/cart/change.js", json={"id": plain["key"], "quantity": 1}).status_code == 422


def test_a_permalink_makes_a_cart_of_its_own(client: FlaskClient, sales: Sales) -> None:
    client.post("/cart/add", data={"id": BOARD})
    answer = client.get(f"/cart/{MUG}:2,{BOARD}:1?attributes[im_ref]=abc&im_ref=landed")
    client.post(answer.location)
    [sale] = sales.made.values()
    assert [(line["sku"], line["quantity"]) for line in sale.body["line_items"]] == [
        ("MUG-1", 2),
        ("BOARD-1", 1),
    ]
    assert sale.body["note_attributes"] == [{"name": "im_ref", "value": "abc"}]
    assert client.get("/cart.js").get_json()["item_count"] == 1
    assert client.get("/cart/nonsense").status_code == 404


def test_express_checkout_takes_the_cart_as_it_was_saved(client: FlaskClient, sales: Sales) -> None:
    client.post("/cart/add", data={"id": MUG})
    client.post("/cart/update.js", json={"attributes": {"im_ref": "abc"}})
    client.post(client.post("/wallets/express", data={"attributes[im_ref]": "typed"}).location)
    [sale] = sales.made.values()
    assert sale.body["note_attributes"] == [{"name": "im_ref", "value": "abc"}]
    assert sale.body["landing_site"] == "/wallets/checkouts.json"


def test_a_cart_can_be_made_to_fail_once(client: FlaskClient, sales: Sales) -> None:
    sales.faults.extend(["too_many", "bot_check", "lost"])
    update = {"attributes": {"im_ref": "abc"}}
    assert client.post("/cart/update.js", json=update).status_code == 429
    assert client.post("/cart/update.js", json=update).mimetype == "text/html"
    assert client.post("/cart/update.js", json=update).get_json()["attributes"] == {"im_ref": "abc"}
    assert client.get("/cart.js").get_json()["attributes"] == {}
    client.post("/cart/update.js", json=update)
    assert client.get("/cart.js").get_json()["attributes"] == {"im_ref": "abc"}


def test_a_headless_cart_is_known_by_its_whole_id_and_loses_what_an_update_leaves_out(
    client: FlaskClient,
) -> None:
    def ask(document: str, **variables: object) -> dict[str, object]:
        answer = client.post("/api/2026-10/graphql.json", json={"query": document, "variables": variables})
        data: dict[str, object] = answer.get_json()["data"]
        return data

    update = "mutation { cartAttributesUpdate(cartId: $id, attributes: $attributes) { cart { id } } }"
    gift, click = {"key": "gift", "value": "yes"}, {"key": "im_ref", "value": "abc"}
    made = ask("mutation { cartCreate(input: $input) { cart { id } } }", input={"attributes": [gift]})
    cart = made["cartCreate"]["cart"]  # type: ignore[index]
    assert cart["attributes"] == [gift]
    changed = ask(update, id=cart["id"], attributes=[click])
    assert changed["cartAttributesUpdate"]["cart"]["attributes"] == [click]  # type: ignore[index]
    bare = cart["id"].partition("?")[0]
    refused = ask(update, id=bare, attributes=[])
    assert refused["cartAttributesUpdate"]["userErrors"][0]["message"]  # type: ignore[index]
    assert ask("query { cart(id: $id) { id } }", id=bare) == {"cart": None}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/cart/update.js", b"{"),
        ("/cart/update.js", b"[]"),
        ("/cart/update.js", b'{"attributes": []}'),
        ("/cart/update.js", b"\xff\xfe"),
        ("/cart/add.js", b'{"id": 1}'),
        ("/cart/add.js", b'{"id": 51000000000001, "quantity": 0}'),
        ("/cart/add.js", b'{"id": 51000000000001, "quantity": 100}'),
        ("/cart/add.js", b'{"id": 51000000000001, "properties": "x"}'),
        ("/cart/add.js", b'{"items": {}}'),
        ("/cart/add.js", b'{"items": [1]}'),
        ("/cart/change.js", b'{"id": "nothing", "quantity": 1}'),
    ],
)
def test_what_makes_no_sense_is_answered_in_words(
    client: FlaskClient, sales: Sales, path: str, body: bytes
) -> None:
    answer = client.post(path, data=body, content_type="application/json")
    assert answer.status_code == 422
    assert answer.get_json()["description"].endswith(".")
    assert sales.carts == {}


@pytest.mark.parametrize("path", ["/nothing", "/products/nothing", "/checkouts/nothing"])
def test_what_is_not_there_says_so(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "There is nothing here." in answer.get_data(as_text=True)


def test_a_partner_link_leads_to_the_shop_alone(client: FlaskClient) -> None:
    assert client.get("/go?click=a:b&product=//elsewhere.example").location == "/?im_ref=a%3Ab&irgwc=1"
    assert client.get("/go?click=x&param=irclickid").location == "/?irclickid=x&irgwc=1"
    made_up = client.get("/go").location
    assert made_up != client.get("/go").location
