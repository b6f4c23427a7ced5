"""The beacon's door: who may speak for a shop, what a beacon may say, and how much of it is taken."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from impact_app.config import Config
from impact_app.ledger import clicks as clicks_ledger
from impact_app.ledger.tables import clicks, stores
from impact_app.pipeline import beacons
from impact_app.pipeline.beacons import sender
from impact_app.wiring import Services, connect_redis
from tests.line import SHOP, Bench, Clock, both_databases

OWN = f"https://{SHOP}"
PLAIN = "text/plain;charset=UTF-8"


def body(**changed: Any) -> dict[str, Any]:
    return {
        "shop": SHOP,
        "checkout_token": "c1a5e7b0c1a5e7b0",
        "order_id": None,
        "click": "Qx~7:Ab-9",
        "consent": "granted",
        "event": "checkout_started",
        "at": "2026-11-20T12:00:00.000Z",
        **changed,
    }


def post(
    bench: Bench,
    *,
    origin: str | None = None,
    kind: str = PLAIN,
    raw: bytes | None = None,
    address: str = "198.51.100.7",
    **changed: Any,
) -> TestResponse:
    sent = json.dumps(body(**changed)).encode() if raw is None else raw
    headers = {"X-Forwarded-For": address, **({"Origin": origin} if origin else {})}
    return bench.client.post("/storefront/clicks", data=sent, content_type=kind, headers=headers)


def opened(answer: TestResponse) -> str | None:
    return answer.headers.get("Access-Control-Allow-Origin")


@both_databases
@pytest.mark.parametrize("kind", [PLAIN, "application/json"])
def test_a_beacon_is_kept_and_answered_with_nothing(bench: Bench, kind: str) -> None:
    store = bench.connect()
    answer = post(bench, kind=kind, origin=OWN)
    assert (answer.status_code, answer.data) == (204, b"")
    assert "Set-Cookie" not in answer.headers
    assert "Access-Control-Allow-Credentials" not in answer.headers
    (row,) = bench.rows(clicks)
    assert (row.store_id, row.kind, row.key, row.click) == (
        store.id,
        "checkout",
        "c1a5e7b0c1a5e7b0",
        "Qx~7:Ab-9",
    )
    assert (row.consent, row.event, row.received_at) == ("granted", "checkout_started", bench.clock())


def test_a_store_that_is_not_here_is_answered_alike_and_nothing_is_kept(bench: Bench) -> None:
    bench.connect()
    known, unknown = post(bench), post(bench, shop="nobody.myshopify.com")
    assert [(answer.status_code, answer.data) for answer in (known, unknown)] == [(204, b"")] * 2
    assert dict(known.headers) == dict(unknown.headers)
    assert bench.count(clicks) == 1


def test_a_store_that_left_keeps_nothing(bench: Bench) -> None:
    store = bench.connect()
    with bench.line.database.write() as connection:
        bench.line.stores.uninstall_in(connection, store.id, since=bench.clock(), now=bench.clock())
    assert post(bench).status_code == 204
    assert bench.count(clicks) == 0


# Origins


@pytest.mark.parametrize("origin", [OWN, "https://www.example.fr", "https://shop.example.com"])
def test_pages_of_the_shops_own_domains_may_read_the_answer(bench: Bench, origin: str) -> None:
    store = bench.connect(domains="www.example.fr")
    with bench.line.database.write() as connection:
        mine = sa.update(stores).where(stores.c.id == store.id)
        connection.execute(mine.values(domains=["shop.example.com"]))
    answer = post(bench, origin=origin)
    assert (answer.status_code, opened(answer), answer.headers["Vary"]) == (204, origin, "Origin")
    asked = bench.client.options("/storefront/clicks", headers={"Origin": origin})
    assert (asked.status_code, opened(asked)) == (204, origin)
    assert asked.headers["Access-Control-Allow-Methods"] == "POST"
    assert asked.headers["Access-Control-Allow-Headers"] == "Content-Type"


@pytest.mark.parametrize("origin", [None, "null"])
def test_the_pixels_sandbox_has_no_origin_and_needs_no_answer(bench: Bench, origin: str | None) -> None:
    bench.connect()
    answer = post(bench, origin=origin)
    assert (answer.status_code, opened(answer)) == (204, None)
    assert bench.count(clicks) == 1


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        f"http://{SHOP}",
        f"https://{SHOP}.evil.example",
        f"https://x.{SHOP}",
        f"https://{SHOP}:8443",
        f"https://{SHOP}:x",
        "https://[",
        "file://",
    ],
)
def test_other_pages_are_refused_and_nothing_is_kept(bench: Bench, origin: str) -> None:
    bench.connect()
    answer = post(bench, origin=origin)
    assert (answer.status_code, opened(answer)) == (403, None)
    assert opened(bench.client.options("/storefront/clicks", headers={"Origin": origin})) is None
    assert bench.count(clicks) == 0


def test_another_stores_page_may_not_speak_for_this_one(bench: Bench) -> None:
    bench.connect()
    bench.connect("other.myshopify.com")
    assert post(bench, origin="https://other.myshopify.com").status_code == 403
    assert bench.count(clicks) == 0


def test_a_shop_on_this_machine_speaks_to_an_app_on_this_machine_only(
    bench: Bench, config: Config, clock: Clock
) -> None:
    store = bench.connect()
    assert post(bench, origin="http://127.0.0.1:8080").status_code == 204
    origins = Services(replace(config, app_url="https://app.example.com"), clock).origins
    assert origins.is_of(OWN, store)
    assert not origins.is_of("http://127.0.0.1:8080", store)
    assert not origins.is_of("http://localhost:8080", store)


# Values


@pytest.mark.parametrize(
    "changed",
    [
        {"click": ""},
        {"click": "x" * 65},
        {"click": "a b"},
        {"click": "a\u0000b"},
        {"click": 7},
        {"click": None},
        {"checkout_token": None},
        {"checkout_token": "short"},
        {"checkout_token": "x" * 129},
        {"checkout_token": "../../etc/passwd"},
        {"checkout_token": ["x"]},
        {"checkout_token": None, "cart_token": "<script>alert(1)</script>"},
        {"order_id": "1 OR 1=1"},
        {"order_id": "9" * 65},
        {"order_id": 4711},
        {"shop": "https://impact-demo.myshopify.com/"},
        {"shop": ""},
        {"event": "page_viewed"},
        {"consent": "denied"},
    ],
    ids=str,
)
def test_a_value_of_another_kind_is_refused_in_words(bench: Bench, changed: dict[str, Any]) -> None:
    bench.connect()
    answer = post(bench, **changed)
    assert answer.status_code == 400
    assert answer.mimetype == "text/plain"
    assert len(answer.text.splitlines()) == 1
    assert bench.count(clicks) == 0


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 2000, b"shop=x&click=y"]
)
def test_what_is_no_beacon_is_refused(bench: Bench, raw: bytes) -> None:
    bench.connect()
    assert post(bench, raw=raw).status_code == 400
    assert bench.count(clicks) == 0


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "multipart/form-data", "text/html", ""]
)
def test_another_content_type_is_refused(bench: Bench, kind: str) -> None:
    bench.connect()
    assert post(bench, kind=kind).status_code == 400
    assert bench.count(clicks) == 0


def test_a_name_that_is_not_known_is_passed_over(bench: Bench) -> None:
    bench.connect()
    assert post(bench, added_by_a_newer_script={"x": 1}).status_code == 204
    assert bench.count(clicks) == 1


def test_a_large_body_is_refused_unread(bench: Bench) -> None:
    bench.connect()
    assert post(bench, padding="x" * 4096).status_code == 413
    assert bench.count(clicks) == 0


# How much


def test_one_address_may_send_so_many_a_minute(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beacons, "PER_ADDRESS", 3)
    bench.connect()
    statuses = [post(bench, checkout_token=f"token-{at:04}").status_code for at in range(5)]
    assert statuses == [204, 204, 204, 429, 429]
    assert post(bench, address="198.51.100.8").status_code == 204
    assert bench.count(clicks) == 4
    bench.clock.advance(minutes=1)
    assert post(bench).status_code == 204


def test_one_store_is_told_so_much_a_minute(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beacons, "PER_STORE", 2)
    bench.connect()
    bench.connect("other.myshopify.com")
    answers = [post(bench, address=f"198.51.100.{at}") for at in range(3)]
    assert [answer.status_code for answer in answers] == [204, 204, 429]
    assert answers[-1].headers["Retry-After"] == "60"
    assert post(bench, shop="other.myshopify.com").status_code == 204


@both_databases
def test_without_redis_the_ledgers_own_bounds_stand(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clicks_ledger, "HOURLY", 5)
    monkeypatch.setattr(clicks_ledger, "IN_ALL", 7)
    bench.connect()
    gone = replace(bench.line.config, redis_url="redis://127.0.0.1:9/0")
    monkeypatch.setattr(bench.line, "redis", connect_redis(gone))
    for at in range(20):
        assert post(bench, checkout_token=f"token-{at:04}").status_code == 204
    assert bench.count(clicks) == 5
    bench.clock.advance(hours=1)
    for at in range(20, 30):
        post(bench, checkout_token=f"token-{at:04}")
    assert bench.count(clicks) == 7


def test_the_same_checkout_is_one_row_however_often_it_is_told_of(bench: Bench) -> None:
    bench.connect()
    for at in range(10):
        bench.clock.advance(seconds=1)
        assert post(bench, click=f"click-{at}").status_code == 204
    assert [row.click for row in bench.rows(clicks)] == ["click-9"]


def test_what_came_of_beacons_is_counted_by_outcome(bench: Bench) -> None:
    bench.connect()
    post(bench)
    post(bench, shop="nobody.myshopify.com")
    post(bench, click="")
    post(bench, origin="https://evil.example")
    text = bench.client.get("/metrics").text
    for outcome in ("accepted", "unknown_store", "unreadable", "foreign_origin"):
        assert f'impact_beacons_total{{outcome="{outcome}"}} 1.0' in text
    assert 'impact_beacons_total{outcome="too_many"} 0.0' in text


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("93.184.215.14", "198.51.100.7", "93.184.215.14"),
        ("127.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.2", "1.1.1.1, 198.51.100.7", "198.51.100.7"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("", "198.51.100.7", ""),
    ],
)
def test_only_our_own_front_server_says_who_sent(peer: str, forwarded: str, address: str) -> None:
    assert sender(peer, forwarded) == address


def test_a_database_that_does_not_answer_asks_for_the_beacon_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.connect()
    monkeypatch.setattr("impact_app.pipeline.receive.PATIENCE", 0.05)
    with bench.line.database.write():
        answer = post(bench)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
