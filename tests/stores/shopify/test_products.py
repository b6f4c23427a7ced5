"""Product facts: asked for once a day, used on in an outage, and never in the way of an order."""

from __future__ import annotations

import itertools
import time
from datetime import timedelta

import pytest
import sqlalchemy as sa

from impact_app.ledger.stores import Store
from impact_app.ledger.tables import products as table
from impact_app.pipeline.products import Products
from impact_app.simulator.shopify import faults
from impact_app.simulator.shopify.store import Product
from impact_app.stores.shopify.api import AdminApi
from impact_app.stores.shopify.documents import PRODUCT_FACTS
from impact_app.stores.shopify.products import ProductFacts
from tests.stores.shopify.conftest import Shop

BOARD = ProductFacts("Boards", "Sports > Boards")
WAX = ProductFacts("Wax", "")


@pytest.fixture
def store(shop: Shop) -> Store:
    shop.pretend.add_product(Product(1, product_type="Boards", category="Sports > Boards"))
    shop.pretend.add_product(Product(2, product_type="Wax", category=None))
    shop.pretend.add_product(Product(3, product_type="", category=None))
    return shop.keeper.connect_with_code(shop.domain, shop.pretend.tokens.code(shop.pretend.scopes))


def cached(shop: Shop, **options: float) -> Products:
    api = AdminApi(shop.http, shop.shopify, jitter=lambda: 0.1)
    return Products(shop.database, shop.keeper, api, clock=shop.clock, **options)


def asked(shop: Shop) -> int:
    return len(shop.asked("graphql"))


def rows(shop: Shop) -> int:
    with shop.database.read() as connection:
        count: int = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
    return count


def test_type_and_category_are_looked_up_once_for_many(shop: Shop, store: Store) -> None:
    products = cached(shop)

    assert products.facts(store, ["1", "2", "1"]) == {"1": BOARD, "2": WAX}
    assert products.facts(store, {"2", "1"}) == {"1": BOARD, "2": WAX}
    assert cached(shop).facts(store, ["1"]) == {"1": BOARD}  # another process, the same cache
    assert shop.asked("graphql") == [PRODUCT_FACTS]
    assert shop.pretend.calls[-1].variables == {"ids": ["gid://shopify/Product/1", "gid://shopify/Product/2"]}


def test_only_what_is_missing_is_asked_for(shop: Shop, store: Store) -> None:
    products = cached(shop)
    products.facts(store, ["1"])

    assert products.facts(store, ["1", "2"]) == {"1": BOARD, "2": WAX}
    assert shop.pretend.calls[-1].variables == {"ids": ["gid://shopify/Product/2"]}


def test_a_product_without_facts_or_gone_is_left_out_and_not_asked_for_again(
    shop: Shop, store: Store
) -> None:
    products = cached(shop)

    assert products.facts(store, ["3", "404"]) == {}
    assert products.facts(store, ["3", "404"]) == {}
    assert (asked(shop), rows(shop)) == (1, 2)


def test_after_a_day_it_is_asked_for_anew(shop: Shop, store: Store) -> None:
    products = cached(shop)
    products.facts(store, ["1"])
    shop.pretend.add_product(Product(1, product_type="Snowboards", category="Sports > Boards"))

    shop.clock.pass_by(hours=23, minutes=59)
    assert products.facts(store, ["1"]) == {"1": BOARD}
    shop.clock.pass_by(minutes=1)
    assert products.facts(store, ["1"]) == {"1": ProductFacts("Snowboards", "Sports > Boards")}
    assert (asked(shop), rows(shop)) == (2, 1)


@pytest.mark.parametrize("status", [500, 402, 403, 404, 423])
def test_in_an_outage_old_facts_serve_on(shop: Shop, store: Store, status: int) -> None:
    products = cached(shop)
    products.facts(store, ["1"])
    shop.clock.pass_by(days=3)
    shop.pretend.faults.extend([faults.status(status, "graphql")] * 10)

    assert products.facts(store, ["1", "2"]) == {"1": BOARD}
    assert rows(shop) == 1


def test_a_store_that_did_not_answer_rests_a_minute(shop: Shop, store: Store) -> None:
    products = cached(shop)
    shop.pretend.faults.append(faults.access_denied())

    assert products.facts(store, ["1"]) == {}
    assert products.facts(store, ["1"]) == {}
    assert asked(shop) == 1
    shop.clock.pass_by(seconds=60)
    assert products.facts(store, ["1"]) == {"1": BOARD}
    assert asked(shop) == 2


def test_a_hanging_platform_holds_an_order_for_the_budget_and_one_request(shop: Shop, store: Store) -> None:
    shop.pretend.faults.extend([faults.slow(1.3)] * 10)  # the tests' Http waits one second
    began = time.monotonic()

    assert cached(shop, budget=1.5).facts(store, ["1"]) == {}
    assert time.monotonic() - began < 1.5 + 1.0 + 0.9


def test_throttled_for_longer_than_the_budget_is_not_waited_for(shop: Shop, store: Store) -> None:
    shop.pretend.restore_rate = 1.0
    shop.pretend.faults.append(faults.throttled())  # 10 points at one a second
    began = time.monotonic()

    assert cached(shop).facts(store, ["1"]) == {}
    assert time.monotonic() - began < 2
    assert asked(shop) == 1


def test_a_big_order_is_asked_for_in_parts_and_keeps_what_came(shop: Shop, store: Store) -> None:
    for number in range(1, 251):
        shop.pretend.add_product(Product(number, product_type=f"Type {number}", category=None))
    shop.pretend.restore_rate = 1000.0
    ids = [str(number) for number in range(1, 251)]

    found = cached(shop).facts(store, ids)

    assert found == {number: ProductFacts(f"Type {number}", "") for number in ids}
    assert [len(call.variables["ids"]) for call in shop.pretend.calls if call.where == "graphql"] == [
        100,
        100,
        50,
    ]
    assert rows(shop) == 250


def test_a_store_without_a_token_gives_nothing_and_raises_nothing(shop: Shop) -> None:
    store = shop.stores.connect("shopify", shop.domain, None, now=shop.clock())

    assert cached(shop).facts(store, ["1"]) == {}
    assert asked(shop) == 0


def test_a_token_refused_is_renewed_on_the_way(shop: Shop, store: Store) -> None:
    shop.pretend.tokens.offline.expires_at = shop.clock() - timedelta(1)  # type: ignore[union-attr]

    assert cached(shop).facts(store, ["1"]) == {"1": BOARD}
    assert shop.asked("token") == ["authorization_code", "refresh_token"]


def test_a_database_that_fails_gives_nothing_and_raises_nothing(shop: Shop, store: Store) -> None:
    with shop.database.write() as connection:
        connection.execute(sa.text("DROP TABLE products"))

    assert cached(shop).facts(store, ["1"]) == {}


@pytest.mark.parametrize("ids", [[], ["", "gid://shopify/Product/1", "1 OR 1", "\u0661", "9" * 21]])
def test_what_is_no_product_id_is_not_asked_for(shop: Shop, store: Store, ids: list[str]) -> None:
    assert cached(shop).facts(store, ids) == {}
    assert asked(shop) == 0


def test_stores_do_not_see_one_anothers_products(shop: Shop, store: Store) -> None:
    products = cached(shop)
    products.facts(store, ["1"])
    other = shop.stores.connect("shopify", "other.myshopify.com", None, now=shop.clock())

    assert products.facts(other, ["1"]) == {}


def test_a_clock_that_moves_between_two_looks_still_asks(shop: Shop, store: Store) -> None:
    ticks = itertools.count()
    api = AdminApi(shop.http, shop.shopify)
    products = Products(
        shop.database, shop.keeper, api, clock=lambda: shop.clock() + timedelta(microseconds=next(ticks))
    )

    assert products.facts(store, ["1"]) == {"1": BOARD}
