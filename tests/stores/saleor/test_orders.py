"""Orders asked for at Saleor's API: one, a period's, those whose events never arrived; and its faults."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from decimal import Decimal

import pytest

from impact_app.domain.events import OrderChanged
from impact_app.http import Http
from impact_app.ledger.stores import Store, Tokens
from impact_app.ledger.tables import orders as order_rows
from impact_app.pipeline.process import Period, Unfetched, Unlisted
from impact_app.simulator.saleor.deliveries import encode
from impact_app.simulator.saleor.orders import Body, LineSpec, later, refund
from impact_app.simulator.saleor.server import Fault, PretendSaleor
from impact_app.stores.saleor.api import TRIES, SaleorApi
from impact_app.stores.saleor.documents import NEWEST, OLDEST, Version
from impact_app.stores.saleor.errors import AppGone, RequestRefused, SaleorUnreachable
from impact_app.stores.saleor.orders import changed_orders, failed_orders, fetch_order, placed_orders
from impact_app.stores.saleor.reading import read, read_order
from tests.line import Bench
from tests.stores.saleor.bench import connect, paid

D = Decimal


@pytest.fixture
def store(bench: Bench, shop: PretendSaleor, app_url: str) -> Store:
    """The pretend Saleor, installed and configured."""
    shop.install(f"{app_url}/saleor/manifest")
    (found,) = bench.line.stores.all()
    bench.configure(found)
    configured = bench.line.stores.get(found.id)
    assert configured is not None
    return configured


def api(waits: list[float] | None = None) -> SaleorApi:
    kept: list[float] = [] if waits is None else waits
    return SaleorApi(Http(), sleep=kept.append, jitter=lambda: 1.0)


def several(bench: Bench, shop: PretendSaleor, count: int) -> list[Body]:
    """Orders placed an hour apart, the last one an hour ago."""
    now = bench.clock()
    made = []
    for at in range(count):
        created = now - timedelta(hours=count - at)
        made.append(shop.keep(paid(bench, created=created)))
    return made


def test_an_order_is_read_as_its_webhook_would_bring_it(
    bench: Bench, shop: PretendSaleor, store: Store
) -> None:
    node = shop.keep(paid(bench, LineSpec(price=D("0.1")), LineSpec(price=D("0.2"), variant=900)))
    found = bench.line.saleor_orders.order(store, node["id"], 5.0)
    event = read("order_updated", shop.rendered("order_updated", node))
    assert found == read_order(encode(node)) == event.order  # type: ignore[union-attr]
    assert found.subtotal.shop.text == "0.30"


@pytest.mark.parametrize("version", [OLDEST, Version(3, 21), NEWEST])
def test_every_release_line_is_asked_in_its_own_words(
    shop: PretendSaleor, bench: Bench, version: Version
) -> None:
    shop.token = "token"
    nodes = several(bench, shop, 3)
    ask = api().ask(shop.api_url, "token")
    # before 3.21 a line's own discounts are not told
    body = fetch_order(ask, nodes[0]["id"], version)
    assert body is not None
    assert read_order(body).subtotal == read_order(encode(nodes[0])).subtotal
    since, until = bench.clock() - timedelta(hours=2), bench.clock()
    for listing in (changed_orders, placed_orders):
        (page,) = listing(ask, since, until, version)
        keys = [json.loads(one)["id"] for one in page.orders]
        assert keys[-2:] == [node["id"] for node in nodes[1:]]


def test_an_unknown_order_is_none(shop: PretendSaleor, bench: Bench, store: Store) -> None:
    with pytest.raises(Unfetched, match="no such order") as missing:
        bench.line.saleor_orders.order(store, "T3JkZXI6MQ==", 5.0)
    assert not missing.value.is_passing


def test_changed_orders_come_in_pages_and_go_on_after_any_of_them(shop: PretendSaleor, bench: Bench) -> None:
    shop.token = "token"
    nodes = several(bench, shop, 60)
    shop.keep(later(nodes[0], 3600 * 70))
    ask = api().ask(shop.api_url, "token")
    since, until = bench.clock() - timedelta(hours=60), bench.clock() + timedelta(days=1)
    pages = list(changed_orders(ask, since, until, NEWEST))
    assert [len(page.orders) for page in pages] == [25, 25, 10]
    assert json.loads(pages[-1].orders[-1])["id"] == nodes[0]["id"]
    assert pages[-1].cursor is None
    assert pages[0].greatest == bench.clock() - timedelta(hours=60 - 25)
    again = list(changed_orders(ask, since, until, NEWEST, pages[0].cursor))
    assert again == pages[1:]


def test_a_period_is_taken_in_as_if_its_events_had_come(
    bench: Bench, shop: PretendSaleor, store: Store
) -> None:
    nodes = several(bench, shop, 30)
    period = Period(bench.clock() - timedelta(hours=28), bench.clock() - timedelta(hours=1))
    found = bench.line.saleor_orders.placed(store, period)
    keys = [one.key for one in found.orders if not isinstance(one, Unfetched)]
    assert keys == [node["id"] for node in nodes[2:29]]


def test_an_older_saleor_lists_whole_days_and_the_rest_is_left_out(
    bench: Bench, shop: PretendSaleor, store: Store
) -> None:
    bench.line.stores.save_installation(store.id, {**store.installation, "version": "3.20.119"})
    older = bench.line.stores.get(store.id)
    assert older is not None
    nodes = several(bench, shop, 6)
    period = Period(bench.clock() - timedelta(hours=3), bench.clock() - timedelta(hours=1))
    found = bench.line.saleor_orders.placed(older, period)
    assert [one.key for one in found.orders if not isinstance(one, Unfetched)] == [
        node["id"] for node in nodes[3:5]
    ]


def test_what_changed_is_read_and_one_bad_order_stops_none(
    bench: Bench, shop: PretendSaleor, store: Store
) -> None:
    nodes = several(bench, shop, 3)
    nodes[1]["channel"]["currencyCode"] = "dollars"
    since = bench.clock() - timedelta(hours=3)
    (page,) = bench.line.saleor_orders.changed(store, since, bench.clock())
    first, second, third = page.orders
    assert isinstance(second, Unfetched)
    assert "ISO 4217" in str(second)
    assert [one.key for one in (first, third) if not isinstance(one, Unfetched)] == [
        nodes[0]["id"],
        nodes[2]["id"],
    ]
    assert page.greatest == bench.clock() - timedelta(hours=1)
    shop.delete_app()
    with pytest.raises(Unlisted):
        list(bench.line.saleor_orders.changed(store, since, bench.clock()))


def test_a_listing_that_cannot_be_had_is_a_sentence(bench: Bench, shop: PretendSaleor, store: Store) -> None:
    shop.delete_app()
    with pytest.raises(Unlisted, match="denies the app access"):
        bench.line.saleor_orders.placed(store, Period(bench.clock(), bench.clock()))


# what the API's answers mean

ANSWERS: dict[str, tuple[int, bytes, type[Exception]]] = {
    "denied": (
        200,
        b'{"errors": [{"extensions": {"exception": {"code": "PermissionDenied"}}}], "data": null}',
        AppGone,
    ),
    "unauthorised": (401, b"", AppGone),
    "a wrong question": (400, b'{"errors": [{"message": "Cannot query field"}]}', RequestRefused),
    "moved": (302, b"", RequestRefused),
    "not found": (404, b"<html>", RequestRefused),
    "odd errors": (200, b'{"errors": "all wrong"}', RequestRefused),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_repeating_cannot_mend_is_not_repeated(shop: PretendSaleor, name: str) -> None:
    status, body, fault = ANSWERS[name]
    shop.faults = [Fault("graphql", status, body)]
    with pytest.raises(fault):
        api().run(shop.api_url, "token", "{ shop { name } }", {})
    assert len(shop.calls) == 1


@pytest.mark.parametrize(
    ("status", "body"), [(500, b""), (503, b""), (429, b""), (200, b"<html>"), (200, b"{}")]
)
def test_an_answer_that_may_be_better_later_is_asked_for_again(
    shop: PretendSaleor, status: int, body: bytes
) -> None:
    waits: list[float] = []
    shop.token = "token"
    shop.faults = [Fault("graphql", status, body)] * 2
    found = api(waits).run(shop.api_url, "token", "{ shop { name } }", {})
    assert found == {"shop": {"name": "Pretend Saleor"}}
    assert waits == [0.5, 1.0]


def test_it_ends_after_some_tries_and_with_the_budget(shop: PretendSaleor) -> None:
    shop.faults = [Fault("graphql", 503)] * 10
    with pytest.raises(SaleorUnreachable, match=f"{TRIES} tried"):
        api().run(shop.api_url, "token", "{ shop { name } }", {})
    assert len(shop.calls) == TRIES
    with pytest.raises(SaleorUnreachable, match="1 tried"):
        api().run(shop.api_url, "token", "{ shop { name } }", {}, budget=0.4)
    with pytest.raises(SaleorUnreachable, match="No time"):
        api().run(shop.api_url, "token", "{ shop { name } }", {}, budget=0.0)


def test_no_secret_is_in_a_message(shop: PretendSaleor) -> None:
    shop.faults = [Fault("graphql", 404, b"you sent the-very-secret-token")]
    with pytest.raises(RequestRefused) as refused:
        api().run(shop.api_url, "the-very-secret-token", "{ shop { name } }", {})
    assert "the-very-secret-token" not in str(refused.value)


def test_a_refused_token_is_remembered_until_the_app_is_installed_again(
    bench: Bench, shop: PretendSaleor, store: Store, app_url: str
) -> None:
    shop.delete_app()
    with pytest.raises(Unfetched):
        bench.line.saleor_orders.order(store, "T3JkZXI6MQ==", 5.0)
    (gone,) = bench.line.stores.all()
    assert gone.reauthorize_reason is not None
    assert gone.reauthorize_reason.endswith("Install the app in Saleor again.")
    shop.install(f"{app_url}/saleor/manifest")
    assert [one.reauthorize_reason for one in bench.line.stores.all()] == [None]


def test_a_store_that_cannot_be_asked_rests(bench: Bench, shop: PretendSaleor, store: Store) -> None:
    shop.faults = [Fault("graphql", 503)] * 20
    asked = set()
    for _ in range(3):
        with pytest.raises(Unfetched) as missing:
            bench.line.saleor_orders.order(store, "T3JkZXI6MQ==", 0.2)
        assert missing.value.is_passing
        asked.add(len(shop.calls))
    assert len(asked) == 1
    shop.faults.clear()
    node = shop.keep(paid(bench))
    bench.clock.advance(minutes=2)
    assert bench.line.saleor_orders.order(store, node["id"], 5.0).key == node["id"]


# events that never arrived


def test_an_event_that_was_given_up_brings_its_order_as_it_is_now(
    bench: Bench, shop: PretendSaleor, store: Store
) -> None:
    node = shop.keep(paid(bench))
    shop.lose("order_fully_paid", node)
    shop.keep(refund(node, D("5.95")))
    assert bench.line.saleor_missed.sweep() == 1
    assert bench.run() == 1
    # 5.95 with 19 % tax is 5.00 without
    assert bench.booked(node) == [node["subtotal"]["net"]["amount"] - D("5.00")]
    assert bench.line.saleor_missed.sweep() == 1
    assert bench.run() == 0
    assert bench.fates() == [("settled", "judged")]


def test_what_tells_of_no_order_is_passed_over(bench: Bench, shop: PretendSaleor, store: Store) -> None:
    node = paid(bench)
    shop.lose("order_updated", node)
    for payload in (None, "", "null", "[]", '{"order": null}', '{"order": {"id": 5}}', "<"):
        shop.failed.append({**shop.failed[0], "id": str(uuid.uuid4()), "payload": payload})
    shop.failed.append({**shop.failed[0], "id": "pending", "status": "PENDING"})
    ask = bench.line.saleor_orders.ask(store, 5.0)
    assert list(failed_orders(ask).values()) == [node["id"]]


def test_one_store_that_cannot_be_asked_stops_no_other(
    bench: Bench, shop: PretendSaleor, store: Store
) -> None:
    connect(bench, shop.keys.jwks()["keys"], api_url="http://127.0.0.1:9/graphql/")
    shop.lose("order_updated", shop.keep(paid(bench)))
    assert bench.line.saleor_missed.sweep() == 1
    bench.line.stores.connect("saleor", "without.example.com", Tokens("pasted", "x"), now=bench.clock())
    bench.line.stores.connect("saleor", "tokenless.example.com", None, now=bench.clock())
    assert bench.line.saleor_missed.sweep() == 1


def test_our_own_hint_names_an_order() -> None:
    assert read("order_missed", b'{"order": "T3JkZXI6MQ=="}') == OrderChanged("T3JkZXI6MQ==")


def test_a_hint_waits_while_saleor_is_down(bench: Bench, shop: PretendSaleor, store: Store) -> None:
    node = shop.keep(paid(bench))
    shop.lose("order_fully_paid", node)
    bench.line.saleor_missed.sweep()
    shop.faults = [Fault("graphql", 503)] * 20
    assert bench.run() == 0
    assert bench.count(order_rows) == 0
    shop.faults.clear()
    bench.clock.advance(minutes=3)
    assert bench.run() == 1
    assert bench.verdict(node) == ("reported", "accepted")
