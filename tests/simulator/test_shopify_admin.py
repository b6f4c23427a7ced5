"""The pretend Admin API over real HTTP: grants, orders, products, cost, faults."""

from __future__ import annotations

import base64
import gzip
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from graphql import (
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    build_client_schema,
)

from impact_app.simulator.shopify import faults, oauth
from impact_app.simulator.shopify.admin import SCHEMA, RunningAdmin, running_admin
from impact_app.simulator.shopify.orders import (
    DiscountSpec,
    LineSpec,
    OrderSpec,
    cancel,
    order_body,
    refund,
)
from impact_app.simulator.shopify.store import Journey, PretendStore, Product, Visit

SCHEMAS = Path(__file__).parents[3] / "shared" / "reference" / "shopify-schema"
START = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, **time: float) -> None:
        self.at += timedelta(**time)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def admin(clock: Clock) -> Iterator[RunningAdmin]:
    with running_admin(PretendStore(now=clock)) as running:
        yield running


def ask_token(admin: RunningAdmin, **parameters: Any) -> requests.Response:
    given = {"client_id": admin.store.client_id, "client_secret": admin.store.client_secret, **parameters}
    return requests.post(admin.url + "/admin/oauth/access_token", json=given, timeout=5)


def exchange(admin: RunningAdmin, subject: str | None = None, **more: Any) -> requests.Response:
    given = {
        "grant_type": oauth.TOKEN_EXCHANGE,
        "subject_token": subject or oauth.id_token(admin.store),
        "subject_token_type": oauth.ID_TOKEN,
        "requested_token_type": oauth.OFFLINE_TOKEN,
        "expiring": "1",
        **more,
    }
    return ask_token(admin, **given)


def refresh(admin: RunningAdmin, token: str) -> requests.Response:
    return ask_token(admin, grant_type="refresh_token", refresh_token=token)


def post(
    admin: RunningAdmin, document: str, token: str, version: str = "2026-10", /, **variables: Any
) -> requests.Response:
    return requests.post(
        f"{admin.url}/{admin.store.domain}/admin/api/{version}/graphql.json",
        json={"query": document, "variables": variables},
        headers={"X-Shopify-Access-Token": token},
        timeout=5,
    )


def permanent(admin: RunningAdmin) -> str:
    return admin.store.tokens.permanent(admin.store.scopes, admin.store.client_secret).access_token


def run(admin: RunningAdmin, document: str, /, **variables: Any) -> Any:
    answer = post(admin, document, permanent(admin), **variables).json()
    assert "errors" not in answer, answer
    return answer["data"]


def error_code(answer: requests.Response) -> str:
    assert answer.status_code == 200
    return str(answer.json()["errors"][0]["extensions"]["code"])


SHOP = "{ shop { myshopifyDomain } }"


def test_a_session_token_becomes_a_pair_that_works_for_an_hour(admin: RunningAdmin, clock: Clock) -> None:
    pair = exchange(admin).json()
    assert (pair["expires_in"], pair["refresh_token_expires_in"]) == (3600, 90 * 86_400)
    assert pair["scope"] == "read_orders,read_products"
    clock.pass_(minutes=59)
    answer = post(admin, SHOP, pair["access_token"])
    assert answer.json()["data"] == {"shop": {"myshopifyDomain": admin.store.domain}}
    clock.pass_(minutes=1)
    assert post(admin, SHOP, pair["access_token"]).status_code == 401


@pytest.mark.parametrize(
    "wrong",
    [
        {"aud": "another-app"},
        {"iss": "https://evil.myshopify.com/admin"},
        {"dest": "https://evil.myshopify.com"},
        {"exp": None},
        {"sub": None},
        {"secret": "guessed"},
        {"age": timedelta(seconds=71)},
        {"age": timedelta(seconds=-11)},
    ],
)
def test_a_session_token_that_is_not_right_gets_nothing(admin: RunningAdmin, wrong: dict[str, Any]) -> None:
    answer = exchange(admin, oauth.id_token(admin.store, **wrong))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_subject_token")
    assert admin.store.tokens.offline is None


def test_a_session_token_in_pieces_gets_nothing(admin: RunningAdmin) -> None:
    good = oauth.id_token(admin.store)
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none"}').decode() + "." + good.split(".")[1] + "."
    for token in ("", "a.b.c", good[:-4], unsigned, "[].[].x"):
        assert exchange(admin, token or "-").json()["error"] == "invalid_subject_token"
    assert admin.store.tokens.offline is None


def test_both_secrets_are_good_while_they_rotate(admin: RunningAdmin) -> None:
    old = admin.store.client_secret
    before = exchange(admin, expiring="0").json()["access_token"]
    admin.store.rotate_secret("new-secret")
    assert exchange(admin, oauth.id_token(admin.store, secret=old), client_secret=old).status_code == 200
    admin.store.tokens.offline = None
    again = exchange(admin, expiring="0", client_secret=old).json()["access_token"]
    assert again != before
    admin.store.revoke_previous_secret()
    assert post(admin, SHOP, again).status_code == 401
    answer = exchange(admin, client_secret=old)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_a_refresh_rotates_and_the_access_token_before_it_dies(admin: RunningAdmin) -> None:
    first = exchange(admin).json()
    second = refresh(admin, first["refresh_token"]).json()
    assert second["access_token"] != first["access_token"]
    assert second["refresh_token"] != first["refresh_token"]
    assert post(admin, SHOP, first["access_token"]).status_code == 401
    assert post(admin, SHOP, second["access_token"]).status_code == 200


def test_the_previous_refresh_token_works_until_its_replacement_is_used(admin: RunningAdmin) -> None:
    first = exchange(admin).json()["refresh_token"]
    admin.store.faults.append(faults.lost_answer("token"))
    with pytest.raises(requests.ConnectionError):
        refresh(admin, first)
    second = refresh(admin, first).json()["refresh_token"]
    third = refresh(admin, second).json()["refresh_token"]
    answer = refresh(admin, first)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert refresh(admin, third).status_code == 200


def test_a_used_refresh_token_ends_after_thirty_days_and_any_after_ninety(
    admin: RunningAdmin, clock: Clock
) -> None:
    first = exchange(admin).json()["refresh_token"]
    assert refresh(admin, first).status_code == 200
    clock.pass_(days=29, hours=23)
    last = refresh(admin, first).json()["refresh_token"]
    clock.pass_(hours=1)
    assert refresh(admin, first).json()["error"] == "invalid_grant"
    clock.pass_(days=90)
    assert refresh(admin, last).json()["error"] == "invalid_grant"
    assert exchange(admin).status_code == 200


def test_an_old_permanent_token_is_traded_for_a_pair_and_dies(admin: RunningAdmin, clock: Clock) -> None:
    old = permanent(admin)
    trade = {"subject_token_type": oauth.OFFLINE_TOKEN}
    pair = exchange(admin, old, **trade).json()
    assert post(admin, SHOP, old).status_code == 401
    clock.pass_(days=6)
    assert exchange(admin, old, **trade).json()["refresh_token"] == pair["refresh_token"]
    clock.pass_(days=1)
    assert exchange(admin, old, **trade).json()["error"] == "invalid_subject_token"


def test_client_credentials_are_for_the_same_organisation(admin: RunningAdmin, clock: Clock) -> None:
    assert ask_token(admin, grant_type="client_credentials").json()["error"] == "shop_not_permitted"
    admin.store.same_organisation = True
    given = ask_token(admin, grant_type="client_credentials").json()
    assert given["expires_in"] == 86_400
    assert "refresh_token" not in given
    assert post(admin, SHOP, given["access_token"]).status_code == 200
    clock.pass_(hours=24)
    assert post(admin, SHOP, given["access_token"]).status_code == 401


def authorize(admin: RunningAdmin, **changes: str) -> requests.Response:
    wanted = {
        "client_id": admin.store.client_id,
        "scope": "read_orders",
        "redirect_uri": "https://app.example.com/shopify/callback",
        "state": "nonce-1",
        **changes,
    }
    where = f"{admin.url}/{admin.store.domain}/admin/oauth/authorize"
    return requests.get(where, params=wanted, timeout=5, allow_redirects=False)


def test_the_merchant_installs_and_the_callback_is_signed(admin: RunningAdmin) -> None:
    admin.store.redirect_urls = ("https://app.example.com/shopify/callback",)
    answer = authorize(admin)
    assert answer.status_code == 302
    target = urlsplit(answer.headers["Location"])
    assert f"{target.scheme}://{target.netloc}{target.path}" == "https://app.example.com/shopify/callback"
    query = {name: value for name, [value] in parse_qs(target.query).items()}
    digest = query.pop("hmac")
    message = "&".join(f"{name}={query[name]}" for name in sorted(query))
    assert digest == hmac.new(admin.store.client_secret.encode(), message.encode(), "sha256").hexdigest()
    assert (query["state"], query["shop"]) == ("nonce-1", admin.store.domain)
    assert query["timestamp"] == str(int(START.timestamp()))
    pair = ask_token(admin, code=query["code"], expiring="1").json()
    assert (pair["scope"], pair["expires_in"]) == ("read_orders", 3600)
    again = ask_token(admin, code=query["code"], expiring="1")
    assert (again.status_code, again.json()["error"]) == (400, "invalid_request")


def test_a_foreign_redirect_or_app_is_not_installed(admin: RunningAdmin) -> None:
    admin.store.redirect_urls = ("https://app.example.com/shopify/callback",)
    for wrong in ({"redirect_uri": "https://evil.example"}, {"client_id": "x"}):
        answer = authorize(admin, **wrong)
        assert answer.status_code == 400
        assert answer.text.startswith("Oauth error invalid_request")
    assert admin.store.tokens.codes == {}


def test_an_online_token_belongs_to_the_user_and_leaves_the_offline_one_alone(admin: RunningAdmin) -> None:
    offline = exchange(admin).json()["access_token"]
    online = exchange(admin, requested_token_type=oauth.ONLINE_TOKEN).json()
    assert (online["associated_user"]["id"], online["expires_in"]) == (oauth.USER_ID, 86_400)
    for token in (offline, online["access_token"]):
        assert post(admin, SHOP, token).status_code == 200


def test_an_uninstalled_app_has_no_tokens_and_gets_none(admin: RunningAdmin) -> None:
    token = exchange(admin).json()["access_token"]
    admin.store.uninstall()
    assert post(admin, SHOP, token).status_code == 401
    assert exchange(admin).json()["error"] == "invalid_client"
    admin.store.install()
    assert exchange(admin).status_code == 200


def test_permanent_tokens_can_be_refused_as_for_public_apps(admin: RunningAdmin) -> None:
    token = exchange(admin, expiring="0").json()["access_token"]
    assert post(admin, SHOP, token).status_code == 200
    admin.store.expiring_only = True
    answer = post(admin, SHOP, token)
    assert answer.status_code == 403
    assert "Non-expiring access tokens" in answer.json()["errors"]


def test_each_shop_knows_its_own_tokens(clock: Clock) -> None:
    other = PretendStore(domain="other.myshopify.com", now=clock)
    with running_admin(PretendStore(now=clock), other) as admin:
        token = permanent(admin)
        headers = {"X-Shopify-Access-Token": token}
        path = "/admin/api/2026-10/graphql.json"
        for shop, status in ((admin.store.domain, 200), (other.domain, 401), ("unknown.myshopify.com", 404)):
            answer = requests.post(
                admin.admin_url.format(shop=shop) + path, json={"query": SHOP}, headers=headers, timeout=5
            )
            assert answer.status_code == status
    assert len(other.calls) == 1


def sold(at: datetime, **changes: Any) -> OrderSpec:
    return OrderSpec(processed_at=at, updated_at=at, **changes)


PAGES = """query($first: Int!, $after: String, $query: String) {
  orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {
    nodes { legacyResourceId updatedAt } pageInfo { hasNextPage endCursor }
  }
}"""


def paged_ids(admin: RunningAdmin, first: int, query: str | None = None) -> list[list[str]]:
    pages, after = [], None
    while True:
        found = run(admin, PAGES, first=first, after=after, query=query)["orders"]
        pages.append([node["legacyResourceId"] for node in found["nodes"]])
        after = found["pageInfo"]["endCursor"]
        if not found["pageInfo"]["hasNextPage"]:
            return pages


def test_orders_come_in_pages_by_their_last_change(admin: RunningAdmin) -> None:
    specs = [sold(START - timedelta(hours=hours)) for hours in (1, 5, 3, 4, 2)]
    for spec in specs:
        admin.store.add_order(order_body(spec))
    oldest_first = [str(spec.order_id) for spec in sorted(specs, key=lambda spec: spec.processed_at)]
    assert paged_ids(admin, 2) == [oldest_first[:2], oldest_first[2:4], oldest_first[4:]]
    since = (START - timedelta(hours=3)).isoformat()
    assert paged_ids(admin, 9, f"updated_at:>='{since}'") == [oldest_first[2:]]


def test_a_page_holds_while_orders_change(admin: RunningAdmin) -> None:
    bodies = [admin.store.add_order(order_body(sold(START - timedelta(hours=hours)))) for hours in (4, 3, 2)]
    first = run(admin, PAGES, first=2)["orders"]
    changed = refund(bodies[1], {bodies[1]["line_items"][0]["id"]: 1}, at=START)[1]
    admin.store.add_order(changed)
    rest = run(admin, PAGES, first=2, after=first["pageInfo"]["endCursor"])["orders"]
    assert [node["legacyResourceId"] for node in rest["nodes"]] == [str(bodies[2]["id"]), str(changed["id"])]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("financial_status:paid", "ac"),
        ("financial_status:pending", "b"),
        ("-financial_status:paid", "b"),
        ("test:true OR financial_status:pending", "bc"),
        ("test:false financial_status:paid", "a"),
        ("processed_at:<'2026-11-18T00:00:00Z'", "a"),
        ("id:{b}", "b"),
        ("id:>={b}", "bc"),
        ("status:cancelled", ""),
        ("name:1002", "b"),
        ("nonsense:1", "abc"),
    ],
)
def test_orders_are_found_by_shopifys_filters(admin: RunningAdmin, query: str, found: str) -> None:
    days = {"a": 3, "b": 2, "c": 1}
    extras: dict[str, dict[str, Any]] = {"a": {}, "b": {"financial_status": "pending"}, "c": {"test": True}}
    ids = {name: str(10_000 + place) for place, name in enumerate("abc")}
    for place, name in enumerate("abc"):
        at = START - timedelta(days=days[name])
        spec = sold(at, order_id=int(ids[name]), order_number=1001 + place, **extras[name])
        admin.store.add_order(order_body(spec))
    assert paged_ids(admin, 50, query.format(**ids)) == [[ids[name] for name in found]]


def test_an_unknown_search_field_is_ignored_with_a_warning(admin: RunningAdmin) -> None:
    answer = post(admin, PAGES, permanent(admin), first=1, query="custom_attribute:im_ref").json()
    [warned] = answer["extensions"]["search"]
    assert warned["warnings"][0]["field"] == "custom_attribute"


def test_orders_older_than_sixty_days_need_their_own_scope(admin: RunningAdmin) -> None:
    admin.store.add_order(order_body(sold(START - timedelta(days=61))))
    assert paged_ids(admin, 5) == [[]]
    admin.store.scopes = ("read_orders", "read_all_orders")
    assert len(paged_ids(admin, 5)[0]) == 1


ORDER = """query($id: ID!) { order(id: $id) {
  name createdAt displayFinancialStatus cancelledAt currencyCode presentmentCurrencyCode taxesIncluded
  customAttributes { key value } discountCodes clientIp cartToken checkoutToken sourceName test
  subtotalPriceSet { shopMoney { amount currencyCode } presentmentMoney { amount currencyCode } }
  currentSubtotalPriceSet { shopMoney { amount } }
  shippingAddress { countryCodeV2 }
  customerJourneySummary { ready customerOrderIndex lastVisit { landingPage utmParameters { source } } }
  lineItems(first: 50) { pageInfo { hasNextPage } nodes {
    id sku quantity currentQuantity isGiftCard taxable originalUnitPriceSet { shopMoney { amount } }
    customAttributes { key value } product { productType category { fullName } } taxLines { rate }
    discountAllocations { allocatedAmountSet { shopMoney { amount } } discountApplication {
      index targetType ... on DiscountCodeApplication { code } ... on AutomaticDiscountApplication { title }
      value { ... on MoneyV2 { amount } ... on PricingPercentageValue { percentage } } } }
  } }
  refunds(first: 10) { totalRefundedSet { presentmentMoney { amount } }
    refundLineItems(first: 50) { nodes {
      quantity restockType subtotalSet { shopMoney { amount } } lineItem { id } } }
    orderAdjustments(first: 10) { nodes { reason amountSet { shopMoney { amount } } } }
    refundShippingLines(first: 10) { nodes { subtotalAmountSet { shopMoney { amount } } } }
    transactions(first: 10) { nodes { kind status } } }
} }"""


def test_an_order_shows_what_the_webhook_says_in_graphqls_words(admin: RunningAdmin) -> None:
    lines = (
        LineSpec(
            sku="A",
            price=Decimal("12.50"),
            quantity=2,
            tax_rate=Decimal("0.2"),
            properties=(("_im_ref", "p"),),
        ),
        LineSpec(sku="GC", gift_card=True, price=Decimal(30), product_id=None),
    )
    discounts = (
        DiscountSpec(name="TEN", value=Decimal(10)),
        DiscountSpec(kind="automatic", name="Less", value=Decimal(3), value_type="fixed_amount"),
    )
    spec = sold(
        START,
        lines=lines,
        discounts=discounts,
        currency="EUR",
        presentment_currency="JPY",
        exchange_rate=Decimal(160),
        note_attributes=(("im_ref", "click-1"),),
        landing_site="/?im_ref=click-2",
    )
    body = order_body(spec)
    first = body["line_items"][0]["id"]
    _, body = refund(body, {first: 1}, shipping=Decimal(2), adjustment=Decimal(1))
    admin.store.add_order(body)
    admin.store.add_product(
        Product(9_797_441_000_001, product_type="Boards", category="Sporting Goods > Boards")
    )
    shown = run(admin, ORDER, id=body["admin_graphql_api_id"])["order"]
    assert shown["createdAt"] == "2026-11-20T12:00:00Z"
    assert shown["displayFinancialStatus"] == "PARTIALLY_REFUNDED"
    assert shown["customAttributes"] == [{"key": "im_ref", "value": "click-1"}]
    assert shown["discountCodes"] == ["TEN"]
    # 25.00 - 2.50 - 3.00 = 19.50, and 30.00 for the gift card
    assert shown["subtotalPriceSet"]["shopMoney"] == {"amount": "49.5", "currencyCode": "EUR"}
    assert shown["subtotalPriceSet"]["presentmentMoney"] == {"amount": "7920.0", "currencyCode": "JPY"}
    assert shown["currentSubtotalPriceSet"]["shopMoney"]["amount"] == "39.75"
    assert shown["customerJourneySummary"]["lastVisit"]["landingPage"].endswith("/?im_ref=click-2")
    [board, card] = shown["lineItems"]["nodes"]
    assert (board["quantity"], board["currentQuantity"], board["taxLines"]) == (2, 1, [{"rate": 0.2}])
    assert board["product"] == {"productType": "Boards", "category": {"fullName": "Sporting Goods > Boards"}}
    assert [part["discountApplication"]["index"] for part in board["discountAllocations"]] == [0, 1]
    [code, automatic] = [part["discountApplication"] for part in board["discountAllocations"]]
    assert (code["code"], code["value"]) == ("TEN", {"percentage": 10.0})
    assert (automatic["title"], automatic["value"]) == ("Less", {"amount": "3.0"})
    assert (card["isGiftCard"], card["product"]) == (True, None)
    [given] = shown["refunds"]
    [part] = given["refundLineItems"]["nodes"]
    assert part["subtotalSet"]["shopMoney"]["amount"] == "9.75"
    assert (part["restockType"], part["lineItem"]["id"]) == ("RETURN", board["id"])
    assert given["orderAdjustments"]["nodes"] == [
        {"reason": "REFUND_DISCREPANCY", "amountSet": {"shopMoney": {"amount": "-1.0"}}}
    ]
    assert given["refundShippingLines"]["nodes"] == [{"subtotalAmountSet": {"shopMoney": {"amount": "2.0"}}}]
    assert given["transactions"]["nodes"] == [{"kind": "REFUND", "status": "SUCCESS"}]
    # 9.75 + 1.95 tax + 2.00 + 1.00 = 14.70 EUR, at 160
    assert given["totalRefundedSet"]["presentmentMoney"]["amount"] == "2352.0"


def test_journeys_can_be_told(admin: RunningAdmin) -> None:
    body = admin.store.add_order(cancel(order_body(sold(START - timedelta(hours=2)))))
    visit = Visit("https://shop.example/?im_ref=c", START, utm={"source": "impact"})
    admin.store.journeys[body["id"]] = Journey(None, visit, ready=False, order_index=4)
    shown = run(admin, ORDER, id=body["admin_graphql_api_id"])["order"]
    assert shown["customerJourneySummary"] == {
        "ready": False,
        "customerOrderIndex": 4,
        "lastVisit": {"landingPage": "https://shop.example/?im_ref=c", "utmParameters": {"source": "impact"}},
    }
    assert shown["cancelledAt"] == "2026-11-20T11:00:00Z"


def test_products_are_looked_up_by_id(admin: RunningAdmin) -> None:
    admin.store.add_product(
        Product(1, category=None, tags=("a", "b"), collections=("Winter sale",), vendor="V")
    )
    query = """query($ids: [ID!]!) { nodes(ids: $ids) { id ... on Product {
      productType vendor tags category { name fullName }
      collections(first: 5) { nodes { title handle } } } } }"""
    ids = [f"gid://shopify/Product/{number}" for number in (1, 2)]
    assert run(admin, query, ids=ids)["nodes"] == [
        {
            "id": ids[0],
            "productType": "Boards",
            "vendor": "V",
            "tags": ["a", "b"],
            "category": None,
            "collections": {"nodes": [{"title": "Winter sale", "handle": "winter-sale"}]},
        },
        None,
    ]
    found = run(admin, '{ products(first: 5, query: "vendor:v") { nodes { legacyResourceId } } }')
    assert found == {"products": {"nodes": [{"legacyResourceId": "1"}]}}


def test_a_missing_scope_denies_the_field_alone(admin: RunningAdmin) -> None:
    body = admin.store.add_order(order_body(sold(START)))
    query = "query($id: ID!) { order(id: $id) { name customer { id } } }"
    answer = post(admin, query, permanent(admin), id=body["admin_graphql_api_id"])
    assert error_code(answer) == "ACCESS_DENIED"
    assert answer.json()["data"] == {"order": {"name": body["name"], "customer": None}}
    admin.store.scopes = ("read_products",)
    answer = post(admin, PAGES, permanent(admin), first=1)
    assert error_code(answer) == "ACCESS_DENIED"
    assert answer.json()["data"] is None


def test_the_app_can_read_its_scopes(admin: RunningAdmin) -> None:
    found = run(admin, "{ currentAppInstallation { accessScopes { handle } } }")
    handles = [scope["handle"] for scope in found["currentAppInstallation"]["accessScopes"]]
    assert handles == ["read_orders", "read_products"]


def test_one_web_pixel_can_be_made(admin: RunningAdmin) -> None:
    mutation = """mutation($settings: JSON!) { webPixelCreate(webPixel: {settings: $settings}) {
      webPixel { id settings } userErrors { code message field } } }"""
    denied = post(admin, mutation, permanent(admin), settings="{}")
    assert error_code(denied) == "ACCESS_DENIED"
    assert admin.store.pixel_settings is None
    admin.store.scopes = ("write_pixels",)
    made = run(admin, mutation, settings='{"url":"https://app.example.com"}')["webPixelCreate"]
    assert made["webPixel"]["settings"] == '{"url":"https://app.example.com"}'
    assert made["userErrors"] == []
    again = run(admin, mutation, settings="{}")["webPixelCreate"]
    assert (again["webPixel"], again["userErrors"][0]["code"]) == (None, "TAKEN")


def test_the_bucket_runs_dry_and_fills_again(admin: RunningAdmin, clock: Clock) -> None:
    admin.store.restore_rate = 1.0
    token = permanent(admin)
    spent = 0
    while "errors" not in (answer := post(admin, PAGES, token, first=50).json()):
        spent += 1
        assert spent < 100
    price = answer["extensions"]["cost"]
    assert answer["errors"][0]["extensions"]["code"] == "THROTTLED"
    status = price["throttleStatus"]
    assert (status["maximumAvailable"], status["restoreRate"]) == (20.0, 1.0)
    assert price["actualQueryCost"] is None
    clock.pass_(seconds=price["requestedQueryCost"] - status["currentlyAvailable"])
    assert "errors" not in post(admin, PAGES, token, first=50).json()


def test_a_document_that_asks_for_too_much_is_refused(admin: RunningAdmin) -> None:
    wide = "{ orders(first: 250) { nodes { id lineItems(first: 250) { nodes { id product { id } } } } } }"
    answer = post(admin, wide, permanent(admin))
    assert error_code(answer) == "MAX_COST_EXCEEDED"
    usual = wide.replace("first: 250) { nodes { id line", "first: 25) { nodes { id line").replace("250", "50")
    price = post(admin, usual, permanent(admin)).json()["extensions"]["cost"]
    assert price["requestedQueryCost"] < 1000
    assert price["actualQueryCost"] == 1


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("{ orders { nodes { id } } }", "you must provide one of first or last"),
        ("{ orders(first: 251) { nodes { id } } }", "first cannot exceed 250"),
        ('{ orders(first: 1, after: "x") { nodes { id } } }', "Invalid cursor"),
        ('{ orders(first: 1, query: "just words") { nodes { id } } }', "cannot search for 'just words'"),
        ('{ order(id: "1") { id } }', "Invalid global id '1'"),
        ("{ shop { nonsense } }", "Cannot query field 'nonsense'"),
        ("{ shop { ", "Syntax Error"),
    ],
)
def test_documents_that_cannot_run_say_why(admin: RunningAdmin, query: str, words: str) -> None:
    answer = post(admin, query, permanent(admin))
    assert answer.status_code == 200
    assert words in answer.json()["errors"][0]["message"]


def test_versions_fall_forward_and_future_ones_are_not_there(admin: RunningAdmin) -> None:
    token = permanent(admin)
    assert post(admin, SHOP, token, "2024-10").headers["X-Shopify-API-Version"] == "2026-01"
    assert post(admin, SHOP, token).headers["X-Shopify-API-Version"] == "2026-10"
    assert post(admin, SHOP, token, "2099-99").status_code == 404


def test_what_is_no_request_is_refused(admin: RunningAdmin) -> None:
    url = f"{admin.url}/admin/api/2026-10/graphql.json"
    headers = {"X-Shopify-Access-Token": permanent(admin)}
    assert requests.post(url, data=b"[1", headers=headers, timeout=5).status_code == 400
    assert requests.post(url, json={"query": SHOP}, timeout=5).status_code == 401
    answer = ask_token(admin, grant_type="password")
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


@pytest.mark.parametrize("status", [401, 402, 403, 404, 423, 500, 502, 503, 504])
def test_a_fault_answers_once_with_its_status(admin: RunningAdmin, status: int) -> None:
    admin.store.faults.append(faults.status(status))
    assert [post(admin, SHOP, permanent(admin)).status_code for _ in range(2)] == [status, 200]


def test_faults_come_in_order_and_only_where_they_belong(admin: RunningAdmin) -> None:
    admin.store.faults += [
        faults.status(500, "token"),
        faults.too_many(1.5),
        faults.throttled(),
        faults.max_cost_exceeded(),
        faults.access_denied(),
        faults.html_page(),
    ]
    token = permanent(admin)
    limited = post(admin, SHOP, token)
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "1.5")
    codes = [error_code(post(admin, SHOP, token)) for _ in range(3)]
    assert codes == ["THROTTLED", "MAX_COST_EXCEEDED", "ACCESS_DENIED"]
    page = post(admin, SHOP, token)
    assert (page.status_code, page.headers["Content-Type"]) == (502, "text/html")
    admin.store.faults.append(faults.reply(401, {"error": "invalid_request"}, "token"))
    assert exchange(admin).status_code == 500
    assert exchange(admin).json() == {"error": "invalid_request"}
    assert exchange(admin).status_code == 200
    assert admin.store.faults == []
    assert [call.status for call in admin.store.calls] == [429, 200, 200, 200, 502, 500, 401, 200]


def test_answers_can_be_late_or_never_come(admin: RunningAdmin) -> None:
    admin.store.faults += [faults.slow(0.4), faults.reset(), faults.lost_answer()]
    url, headers = f"{admin.url}/admin/api/2026-10/graphql.json", {"X-Shopify-Access-Token": permanent(admin)}
    with pytest.raises(requests.ReadTimeout):
        requests.post(url, json={"query": SHOP}, headers=headers, timeout=0.1)
    for _ in range(2):
        with pytest.raises(requests.ConnectionError):
            requests.post(url, json={"query": SHOP}, headers=headers, timeout=5)
    assert requests.post(url, json={"query": SHOP}, headers=headers, timeout=5).status_code == 200


def test_the_embedded_page_is_loaded_with_a_signed_query(admin: RunningAdmin) -> None:
    query = {name: value for name, [value] in parse_qs(oauth.launch_query(admin.store)).items()}
    assert query["shop"] == admin.store.domain
    assert base64.b64decode(query["host"] + "==").decode() == "admin.shopify.com/store/impact-demo"
    assert exchange(admin, query["id_token"]).status_code == 200


@pytest.mark.parametrize("version", ["2026-07", "2026-10"])
def test_the_schema_is_a_part_of_shopifys(version: str) -> None:
    path = SCHEMAS / f"admin_{version}.json.gz"
    if not path.exists():
        pytest.skip(f"Shopify's published schema {path.name} is not on this machine")
    with gzip.open(path) as file:
        theirs = build_client_schema(json.load(file)["data"])
    ours: dict[str, Any] = {name: kind for name, kind in SCHEMA.type_map.items() if not name.startswith("__")}
    assert len(ours) > 80
    for name, kind in ours.items():
        other: Any = theirs.type_map[name]
        assert type(kind) is type(other), name
        if isinstance(kind, GraphQLEnumType):
            assert set(kind.values) <= set(other.values), name
        if isinstance(kind, GraphQLUnionType):
            assert {part.name for part in kind.types} <= {part.name for part in other.types}
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            assert {face.name for face in kind.interfaces} <= {face.name for face in other.interfaces}, name
        for field, definition in getattr(kind, "fields", {}).items():
            assert str(definition.type) == str(other.fields[field].type), f"{name}.{field}"
            for argument, taken in getattr(definition, "args", {}).items():
                assert str(taken.type) == str(other.fields[field].args[argument].type), f"{name}.{field}"
                assert taken.default_value == other.fields[field].args[argument].default_value, (
                    f"{name}.{field}"
                )


def test_the_page_of_apps_leads_to_the_apps_installation(admin: RunningAdmin) -> None:
    admin.store.app_url = "http://app.test"
    page = requests.get(f"{admin.url}/{admin.store.domain}/admin", timeout=5)
    assert f'href="http://app.test/shopify/install?shop={admin.store.domain}"' in page.text
    assert requests.get(f"{admin.url}/nobody.myshopify.com/admin", timeout=5).status_code == 404
