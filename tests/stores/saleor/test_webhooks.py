"""The doorway for Saleor's events: keys that change, keys that cannot be had, bytes that were altered."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from impact_app.simulator.saleor.deliveries import encode, event
from impact_app.simulator.saleor.keys import hmac_signature, jwk, signature
from impact_app.simulator.saleor.orders import refund
from impact_app.simulator.saleor.server import Fault, PretendSaleor
from impact_app.web.bodies import BODY_LIMIT
from tests.line import Bench, both_databases
from tests.stores.saleor.bench import API_URL, connect, deliver, paid
from tests.stores.saleor.conftest import OLDER_SECRET, WEBHOOK_SECRET
from tests.stores.saleor.recorded import delivery, jwks

BODY = b'{"__typename": "OrderUpdated"}'


def posted(
    bench: Bench, shop: PretendSaleor, body: bytes = BODY, key: str = "current", **changed: str | None
) -> int:
    return deliver(bench, body, key=key, api_url=shop.api_url, **changed).status_code


def asked_for_keys(shop: PretendSaleor) -> int:
    return [where for where, _ in shop.calls].count("jwks")


@pytest.fixture
def connected(bench: Bench, shop: PretendSaleor, app_url: str) -> PretendSaleor:
    connect(bench, shop.keys.jwks()["keys"], api_url=shop.api_url)
    return shop


def test_known_keys_are_not_asked_for_again(bench: Bench, connected: PretendSaleor) -> None:
    connected.faults = [Fault("jwks", 500)] * 5
    assert [posted(bench, connected, BODY + b" " * at) for at in range(3)] == [200] * 3
    assert asked_for_keys(connected) == 0


def test_a_key_that_was_changed_is_fetched_once_and_kept(bench: Bench, connected: PretendSaleor) -> None:
    connected.keys.rotate("rotated")
    assert [posted(bench, connected, BODY + b" " * at, "rotated") for at in range(3)] == [200] * 3
    assert asked_for_keys(connected) == 1
    (store,) = bench.line.stores.all()
    assert [key["kid"] for key in store.installation["keys"]] == [jwk("rotated")["kid"]]
    bench.clock.advance(minutes=1)
    assert posted(bench, connected, key="current") == 401


def test_another_process_learns_the_new_key_from_the_database(bench: Bench, connected: PretendSaleor) -> None:
    assert posted(bench, connected) == 200
    (store,) = bench.line.stores.all()
    key = {name: jwk("rotated")[name] for name in ("kid", "n", "e")}
    bench.line.stores.save_installation(store.id, {**store.installation, "keys": [key]})
    assert posted(bench, connected, BODY + b" ", "rotated") == 200
    assert asked_for_keys(connected) == 0


def test_without_the_keys_saleor_is_asked_to_repeat(bench: Bench, connected: PretendSaleor) -> None:
    """401 would end the delivery for good; 503 is tried again, and then the keys are there."""
    connected.keys.rotate("rotated")
    connected.faults = [Fault("jwks", 500)]
    assert posted(bench, connected, key="rotated") == 503
    assert bench.counts()["deliveries"] == 0
    bench.clock.advance(seconds=10)
    assert posted(bench, connected, key="rotated") == 200


@pytest.mark.parametrize("published", [b"", b"[]", b'{"keys": []}', b"<html>"])
def test_keys_that_cannot_be_read_are_no_keys(
    bench: Bench, connected: PretendSaleor, published: bytes
) -> None:
    connected.faults = [Fault("jwks", 200, published)]
    assert posted(bench, connected, key="rotated") == 503
    assert posted(bench, connected) == 200


def test_a_stranger_who_names_keys_cannot_make_us_ask_each_time(
    bench: Bench, connected: PretendSaleor
) -> None:
    assert posted(bench, connected, key="a stranger") == 401
    assert [posted(bench, connected, BODY + b" " * at, "a stranger") for at in range(5)] == [503] * 5
    assert asked_for_keys(connected) == 1
    assert bench.counts()["deliveries"] == 0


def test_one_saleors_key_says_nothing_for_another(bench: Bench, connected: PretendSaleor) -> None:
    connect(bench, [jwk("of the other shop")])
    answer = deliver(bench, BODY, key="of the other shop", api_url=connected.api_url)
    assert answer.status_code == 401
    assert bench.counts()["deliveries"] == 0


def test_an_altered_body_is_refused_and_not_kept(bench: Bench, connected: PretendSaleor) -> None:
    given = signature(BODY, "current")
    assert posted(bench, connected, BODY + b" ", Signature=given) == 401
    assert bench.counts()["deliveries"] == 0


def test_the_older_form_is_taken_where_a_secret_is_set(bench: Bench, connected: PretendSaleor) -> None:
    for at, secret in enumerate((WEBHOOK_SECRET, OLDER_SECRET)):
        body = BODY + b" " * at
        assert posted(bench, connected, body, Signature=hmac_signature(body, secret)) == 200
    assert posted(bench, connected, Signature=hmac_signature(BODY, "a stranger's")) == 401
    assert bench.counts()["deliveries"] == 2


@pytest.mark.parametrize(
    "changed",
    [{"Event": None}, {"Api_Url": None}, {"Api_Url": "shop.example.com"}, {"Event": "x" * 65}, {"Event": ""}],
)
def test_headers_that_are_missing_or_malformed(
    bench: Bench, connected: PretendSaleor, changed: dict[str, str | None]
) -> None:
    assert posted(bench, connected, **changed) == 400
    assert bench.counts()["deliveries"] == 0


def test_a_body_that_is_too_large(bench: Bench, connected: PretendSaleor) -> None:
    assert posted(bench, connected, b" " * (BODY_LIMIT + 1)) == 413


@both_databases
def test_a_repeat_has_the_same_bytes_and_is_one(bench: Bench, connected: PretendSaleor) -> None:
    body = encode(event("order_fully_paid", paid(bench)))
    assert [posted(bench, connected, body) for _ in range(3)] == [200] * 3
    assert bench.run() == 1
    assert bench.counts() == {"deliveries": 1, "orders": 1, "steps": 1, "attempts": 1, "conversions": 1}


Arrival = Callable[[list[bytes]], list[bytes]]


@pytest.mark.parametrize(
    "arrival", [list, lambda bodies: bodies[::-1], lambda bodies: bodies[2:] + bodies[:2]]
)
def test_five_events_of_one_order_in_any_order_are_one_conversion(
    bench: Bench, connected: PretendSaleor, arrival: Arrival
) -> None:
    node = paid(bench)
    names = ("order_created", "order_paid", "order_fully_paid", "order_updated", "order_confirmed")
    for body in arrival([encode(event(name, node)) for name in names]):
        assert posted(bench, connected, body) == 200
    assert bench.run() == 1
    assert bench.booked(node) == [node["subtotal"]["net"]["amount"]]


def test_a_refund_follows_to_impact(bench: Bench, connected: PretendSaleor) -> None:
    node = paid(bench)
    posted(bench, connected, encode(event("order_fully_paid", node)))
    assert bench.run() == 1
    posted(bench, connected, encode(event("order_refunded", refund(node))), Event="order_refunded")
    assert bench.run() == 1
    assert bench.steps_of(node) == [("submit", "accepted"), ("reverse", "accepted")]


def test_the_recorded_deliveries_go_through_the_door(bench: Bench) -> None:
    """Saleor 3.23.28 as it was, from its own signature to the booked amount: 145.00 less 14.50."""
    name = "3.23.28/16a-order-to-refund/03-order_fully_paid.json"
    found = delivery(name)
    connect(bench, jwks("3.23.28")["keys"], api_url=found.headers["Saleor-Api-Url"])
    answer = bench.client.post("/saleor/webhooks", data=found.raw, headers=found.headers)
    assert answer.status_code == 200
    assert bench.run() == 1
    assert [str(amount) for amount in bench.booked(found.order)] == ["130.50"]


def test_the_database_is_gone(bench: Bench, connected: PretendSaleor) -> None:
    assert posted(bench, connected) == 200
    with bench.line.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE deliveries RENAME TO elsewhere")
    assert posted(bench, connected, BODY + b" ") == 503


def test_the_address_is_only_for_posting(bench: Bench) -> None:
    assert bench.client.get("/saleor/webhooks").status_code == 405
    assert API_URL.startswith("https://")
