"""The GraphQL client against a pretend Admin API that misbehaves in every way Shopify does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from impact_app.simulator.shopify import faults
from impact_app.simulator.shopify.faults import Fault
from impact_app.simulator.shopify.store import Product
from impact_app.stores.shopify.api import TRIES, AdminApi
from impact_app.stores.shopify.documents import PRODUCT_FACTS
from impact_app.stores.shopify.errors import (
    AccessDenied,
    PlatformUnreachable,
    RequestRefused,
    ShopifyError,
    ShopUnavailable,
    TokenRefused,
)
from tests.stores.shopify.conftest import FixedClock, Shop

IDS = {"ids": ["gid://shopify/Product/1"]}
ANSWER = {
    "nodes": [
        {
            "id": "gid://shopify/Product/1",
            "productType": "Boards",
            "category": {"fullName": "Sports > Boards"},
        }
    ]
}


@dataclass
class Waiting:
    """A stopwatch whose time passes by sleeping only; the pretend shop's clock goes along."""

    shop: FixedClock
    waits: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return sum(self.waits)

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.shop.pass_by(seconds=seconds)


@pytest.fixture
def waiting(clock: FixedClock) -> Waiting:
    return Waiting(clock)


@pytest.fixture
def run(shop: Shop, waiting: Waiting) -> Callable[..., dict[str, Any]]:
    store = shop.keeper.connect_with_code(shop.domain, shop.pretend.tokens.code(shop.pretend.scopes))
    token = shop.keeper.access_token(store)
    shop.pretend.add_product(Product(1, category="Sports > Boards"))
    api = AdminApi(shop.http, shop.shopify, clock=waiting.clock, sleep=waiting.sleep, jitter=lambda: 1.0)

    def run(document: str = PRODUCT_FACTS, token: str = token, **options: Any) -> dict[str, Any]:
        return api.run(shop.domain, token, document, options.pop("variables", IDS), **options)

    return run


def tried(shop: Shop) -> int:
    return len(shop.asked("graphql"))


def test_a_query_gives_its_data(shop: Shop, run: Callable[..., Any], waiting: Waiting) -> None:
    assert run() == ANSWER
    assert (tried(shop), waiting.waits) == (1, [])


def test_half_of_the_bucket_is_left_to_others(shop: Shop, waiting: Waiting) -> None:
    store = shop.keeper.connect_with_code(shop.domain, shop.pretend.tokens.code(shop.pretend.scopes))
    token = shop.keeper.access_token(store)
    shop.pretend.add_product(Product(1, category="Sports > Boards"))
    api = AdminApi(shop.http, shop.shopify, clock=waiting.clock, sleep=waiting.sleep, leave=0.5)
    full = shop.pretend.bucket_size
    shop.pretend.spend(full / 2)

    assert api.run(shop.domain, token, PRODUCT_FACTS, IDS) == ANSWER
    # as long as it takes until what it cost has flowed back
    (waited,) = waiting.waits
    assert waited > 0
    assert shop.pretend.points() == full / 2

    shop.pretend.spend(-full / 2)
    api.run(shop.domain, token, PRODUCT_FACTS, IDS)
    assert waiting.waits[1:] == [0.0]


def test_throttled_comes_with_200_and_waits_until_the_bucket_holds_the_cost(
    shop: Shop, run: Callable[..., Any], waiting: Waiting
) -> None:
    shop.pretend.restore_rate = 4.0
    shop.pretend.faults.append(faults.throttled())  # empties the bucket and names a cost of 10

    assert run() == ANSWER
    assert waiting.waits == [(10 - 0) / 4.0]
    assert tried(shop) == 2


def test_a_bucket_that_is_really_empty_is_waited_for(
    shop: Shop, run: Callable[..., Any], waiting: Waiting
) -> None:
    shop.pretend.restore_rate = 2.0
    shop.pretend.spend(shop.pretend.points() - 1)
    twenty = {"ids": [f"gid://shopify/Product/{number}" for number in range(1, 21)]}

    assert len(run(variables=twenty)["nodes"]) == 20
    cost = 20 * 2  # a product and its category
    assert waiting.waits == [(cost - 1) / 2.0]
    assert tried(shop) == 2


def test_429_waits_as_long_as_it_says(shop: Shop, run: Callable[..., Any], waiting: Waiting) -> None:
    shop.pretend.faults.append(faults.too_many(2.5))

    assert run() == ANSWER
    assert (tried(shop), waiting.waits) == (2, [2.5])


@pytest.mark.parametrize(
    "fault",
    [
        faults.status(500),
        faults.status(503),
        faults.html_page(502),
        faults.html_page(200),
        faults.reset(),
        faults.lost_answer(),
        faults.slow(1.5),
        faults.reply(200, {"data": None}),
        faults.reply(200, {"errors": [{"message": "oops", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}]}),
        Fault(status=200, body="[1]"),
        Fault(status=200, body='{"data": {"nodes": ['),
        Fault(status=429),
    ],
    ids=lambda fault: f"{fault.status}-{fault.body[:12]}-{fault.cut}-{fault.seconds}",
)
def test_what_passes_by_itself_is_tried_again(
    shop: Shop, run: Callable[..., Any], waiting: Waiting, fault: Fault
) -> None:
    shop.pretend.faults.append(fault)

    assert run() == ANSWER
    assert waiting.waits == [0.5]


def test_waits_double_and_tries_are_counted(shop: Shop, run: Callable[..., Any], waiting: Waiting) -> None:
    shop.pretend.faults.extend([faults.status(500)] * 10)

    with pytest.raises(PlatformUnreachable, match=r"5 tried.*HTTP 500"):
        run()
    assert tried(shop) == TRIES == 5
    assert waiting.waits == [0.5, 1.0, 2.0, 4.0]


def test_the_budget_ends_it_before_a_wait_that_would_go_beyond(
    shop: Shop, run: Callable[..., Any], waiting: Waiting
) -> None:
    shop.pretend.faults.extend([faults.status(500)] * 10)

    with pytest.raises(PlatformUnreachable):
        run(budget=3.0)
    assert waiting.waits == [0.5, 1.0]  # 2.0 more would pass 3.0
    assert tried(shop) == 3


def test_a_retry_after_beyond_the_budget_is_not_waited_for(
    shop: Shop, run: Callable[..., Any], waiting: Waiting
) -> None:
    shop.pretend.faults.append(faults.too_many(3600))

    with pytest.raises(PlatformUnreachable, match="too many requests"):
        run()
    assert (tried(shop), waiting.waits) == (1, [])


def test_without_budget_nothing_is_asked(shop: Shop, run: Callable[..., Any]) -> None:
    with pytest.raises(PlatformUnreachable):
        run(budget=0.0)
    assert tried(shop) == 0


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (faults.status(401), TokenRefused),
        (faults.status(402), ShopUnavailable),
        (faults.status(403), ShopUnavailable),
        (faults.status(404), ShopUnavailable),
        (faults.status(423), ShopUnavailable),
        (faults.access_denied(), AccessDenied),
        (faults.max_cost_exceeded(), RequestRefused),
        (faults.reply(200, {"errors": "Parse error"}), RequestRefused),
        (faults.reply(400, {"errors": "bad"}), RequestRefused),
        (faults.status(302), RequestRefused),
    ],
    ids=lambda value: getattr(value, "__name__", None) or f"{value.status}-{value.error_code}",
)
def test_what_does_not_pass_by_itself_is_told_at_once(
    shop: Shop, run: Callable[..., Any], waiting: Waiting, fault: Fault, error: type[ShopifyError]
) -> None:
    shop.pretend.faults.append(fault)

    with pytest.raises(error):
        run()
    assert (tried(shop), waiting.waits) == (1, [])


def test_a_token_of_nobody_is_refused(shop: Shop, run: Callable[..., Any]) -> None:
    with pytest.raises(TokenRefused):
        run(token="shpat_of_nobody")
    assert tried(shop) == 1


def test_a_missing_scope_names_the_scope(shop: Shop, run: Callable[..., Any]) -> None:
    grant = shop.pretend.tokens.daily(("read_orders",), shop.clock())

    with pytest.raises(AccessDenied, match="read_products"):
        run(token=grant.access_token)


def test_an_error_page_that_echoes_the_token_does_not_carry_it_on(
    shop: Shop, run: Callable[..., Any]
) -> None:
    shop.pretend.faults.append(faults.reply(400, {"errors": "bad token shpat_very_secret"}))

    with pytest.raises(RequestRefused) as refused:
        run(token="shpat_very_secret")
    assert "shpat_very_secret" not in str(refused.value)


def test_nobody_at_home_is_unreachable(shop: Shop, waiting: Waiting) -> None:
    nowhere = type(shop.shopify)("id", "secret", None, "http://127.0.0.1:9")
    api = AdminApi(shop.http, nowhere, clock=waiting.clock, sleep=waiting.sleep, jitter=lambda: 0.5)

    with pytest.raises(PlatformUnreachable):
        api.run(shop.domain, "token", PRODUCT_FACTS, IDS)
    assert waiting.waits == [0.25, 0.5, 1.0, 2.0]  # half of the longest, by the jitter given
