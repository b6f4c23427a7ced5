"""Receiving: what is kept, what is refused, and that 200 is said only of what is on disk."""

from __future__ import annotations

import base64
import fcntl
import hmac
import json
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import event

from impact_app.config import Config
from impact_app.ledger.database import Database
from impact_app.ledger.tables import deliveries
from impact_app.pipeline.sweep import sweep
from impact_app.simulator.network import RunningNetwork, Setup, running_network
from impact_app.simulator.shopify.orders import encode
from impact_app.web.webhooks import BODY_LIMIT
from impact_app.wiring import Services
from tests.line import OTHER_SHOP, PREVIOUS, SECRET, SHOP, Bench, Clock, both_databases

NOTHING = {"deliveries": 0, "orders": 0, "steps": 0, "attempts": 0, "conversions": 0}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def network(clock: Clock) -> Iterator[RunningNetwork]:
    with running_network(Setup(rate_limit=None), clock=clock) as running:
        yield running


# signatures


@pytest.mark.parametrize("secret", [SECRET, PREVIOUS])
def test_current_and_previous_secret_are_equal_citizens(bench: Bench, secret: str) -> None:
    body = bench.order()
    assert bench.post("orders/paid", body, secret=secret).status_code == 200
    (row,) = bench.rows(deliveries)
    assert (row.platform, row.domain, row.topic, row.state) == ("shopify", SHOP, "orders/paid", "pending")
    assert row.body == encode(body)


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "AAAA",
        base64.b64encode(b"\x00" * 32).decode(),
        "größe",
        "\xff\xfe",
        "=" * 4000,
    ],
    ids=["missing", "empty", "short", "wrong", "not ASCII", "bytes", "long"],
)
def test_a_signature_that_does_not_hold_is_401_and_leaves_nothing(
    bench: Bench, signature: str | None
) -> None:
    answer = bench.post("orders/paid", bench.order(), Hmac_Sha256=signature)
    assert answer.status_code == 401
    assert answer.text.startswith("The signature does not hold")
    assert bench.counts() == NOTHING


def test_the_signature_is_over_the_raw_bytes(bench: Bench) -> None:
    body = encode(bench.order())
    spaced = json.dumps(json.loads(body), indent=1).encode()
    signed = base64.b64encode(hmac.digest(SECRET.encode(), body, "sha256")).decode()
    assert bench.post("orders/paid", spaced, Hmac_Sha256=signed).status_code == 401
    assert bench.counts() == NOTHING


def test_a_hex_signature_is_not_taken_for_base64(bench: Bench) -> None:
    body = encode(bench.order())
    signed = hmac.new(SECRET.encode(), body, "sha256").hexdigest()
    assert bench.post("orders/paid", body, Hmac_Sha256=signed).status_code == 401
    assert bench.counts() == NOTHING


def test_without_a_client_secret_the_address_says_that_shopify_is_off(
    config: Config, clock: Clock, network: RunningNetwork
) -> None:
    bench = Bench(Services(replace(config, shopify=None), clock), network, clock)
    answer = bench.post("orders/paid", bench.order(), secret="")
    assert (answer.status_code, "switched off" in answer.text) == (404, True)
    assert bench.counts() == NOTHING


# shops and topics


def test_an_unknown_shop_is_kept_and_read_once_it_connects(bench: Bench) -> None:
    body = bench.pay(shop=OTHER_SHOP)
    assert bench.process() == 1
    assert bench.fates() == [("parked", "unknown_store")]
    assert bench.counts() == {**NOTHING, "deliveries": 1}
    bench.connect(OTHER_SHOP)
    assert bench.run() == 1
    assert bench.fates() == [("settled", "judged")]
    assert bench.verdict(body) == ("reported", "accepted")
    assert len(bench.booked(body)) == 1


@pytest.mark.parametrize(
    "shop",
    [
        None,
        "",
        "shop.example",
        "https://impact-demo.myshopify.com",
        "impact-demo.myshopify.com/admin",
        "impact-demo.myshopify.com.evil.example",
        "-impact.myshopify.com",
        "impact_demo.myshopify.com",
        "größe.myshopify.com",
        "a" * 64 + ".myshopify.com",
        "impact-demo.myshopify.com, other.myshopify.com",
    ],
)
def test_a_malformed_shop_is_400_and_leaves_nothing(bench: Bench, shop: str | None) -> None:
    assert bench.post("orders/paid", bench.order(), Shop_Domain=shop).status_code == 400
    assert bench.counts() == NOTHING


def test_a_shop_in_capitals_is_the_same_shop(bench: Bench) -> None:
    bench.connect()
    body = bench.order()
    assert bench.post("orders/paid", body, Shop_Domain="Impact-Demo.myshopify.com").status_code == 200
    assert bench.run() == 1
    assert bench.verdict(body) == ("reported", "accepted")


@pytest.mark.parametrize("topic", [None, "", " ", "t" * 65, "orders/\x7fpaid"])
def test_a_missing_or_malformed_topic_is_400_and_leaves_nothing(bench: Bench, topic: str | None) -> None:
    assert bench.post("orders/paid", bench.order(), Topic=topic).status_code == 400
    assert bench.counts() == NOTHING


def test_an_unknown_topic_is_kept_and_nothing_is_done(bench: Bench) -> None:
    bench.connect()
    bench.deliver_body("carts/update", b'{"id": 1}')
    assert bench.run() == 0
    assert bench.fates() == [("settled", "unknown_topic")]
    assert bench.counts() == {**NOTHING, "deliveries": 1}


@pytest.mark.parametrize(
    "moment", [None, "yesterday", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]
)
@both_databases
def test_a_strange_triggered_at_loses_nothing(bench: Bench, moment: str | None) -> None:
    assert bench.post("orders/paid", bench.order(), Triggered_At=moment).status_code == 200
    (row,) = bench.rows(deliveries)
    assert row.triggered_at is None


# bodies


def _utf16(body: bytes) -> bytes:
    return body.decode().encode("utf-16")


def _latin1(body: bytes) -> bytes:
    return body.replace(b"Snowboard", "Schneebrett für zwei".encode("latin-1"))


def _cut_off(body: bytes) -> bytes:
    return body[: len(body) // 2]


SPOILT: dict[str, Callable[[bytes], bytes]] = {
    "cut off": _cut_off,
    "in UTF-16": _utf16,
    "in Latin-1": _latin1,
    "empty": lambda _body: b"",
    "null": lambda _body: b"null",
    "a list": lambda _body: b"[]",
    "only NUL": lambda _body: b"\x00" * 100,
    "deep lists": lambda _body: b"[" * 200_000,
    "deep objects": lambda _body: b'{"id": ' * 50_000,
    "lone surrogate as bytes": lambda body: body.replace(b'"Snowboard"', b'"\xed\xa0\x80"'),
    "a price beyond all": lambda body: body.replace(b'"100.00"', b'"1e999999999"'),
    "a negative quantity": lambda body: body.replace(b'"quantity":1', b'"quantity":-1'),
    "a currency with NUL": lambda body: body.replace(b'"currency":"USD"', b'"currency":"US\\u0000"'),
}


@both_databases
def test_a_body_that_cannot_be_read_is_kept_and_said_to_be_unreadable(bench: Bench) -> None:
    bench.connect()
    spoilt = {name: spoil(encode(bench.order())) for name, spoil in SPOILT.items()}
    for body in spoilt.values():
        bench.deliver_body("orders/paid", body)
    assert bench.process() == len(SPOILT) == 13
    for (name, body), row in zip(spoilt.items(), bench.rows(deliveries), strict=True):
        assert (name, row.state, row.reason) == (name, "settled", "unreadable_body")
        assert row.body == body
        assert len(row.detail) > 20
    assert bench.counts() == {**NOTHING, "deliveries": 13}


@pytest.mark.parametrize("text", [r"a\u0000b", r"\ud83d", r"\udc00\ud800", "\\u202e", "\U0001f3c2"])
@both_databases
def test_strange_text_inside_strings_does_not_stop_an_order(bench: Bench, text: str) -> None:
    bench.connect()
    body = bench.order()
    raw = encode(body).replace(b'"title":"Snowboard"', f'"title":"{text}"'.encode())
    raw = raw.replace(b'"name":"Snowboard"', f'"name":"{text}"'.encode())
    bench.deliver_body("orders/paid", raw)
    made = bench.run()
    ((state, reason),) = bench.fates()
    assert state == "settled"
    if reason == "judged":
        assert (made, bench.verdict(body)) == (1, ("reported", "accepted"))
    else:
        # A lone surrogate is no text at all.
        assert (made, reason, "\\ud" in text) == (0, "unreadable_body", True)


@both_databases
def test_long_names_do_not_stop_an_order(bench: Bench) -> None:
    bench.connect()
    body = {
        **bench.order(),
        "name": "#" + "9" * 200,
        "source_name": "w" * 500,
        "landing_site": "/" + "l" * 9000,
    }
    bench.deliver_body("orders/paid", body)
    assert bench.run() == 1
    assert bench.verdict(body) == ("reported", "accepted")


def test_ten_megabytes_are_413_and_leave_nothing(bench: Bench) -> None:
    answer = bench.post("orders/paid", b"x" * 10 * 1024 * 1024)
    assert (answer.status_code, answer.text) == (413, f"The body is larger than {BODY_LIMIT} bytes.\n")
    assert bench.counts() == NOTHING


def _chunked(bench: Bench, body: bytes) -> Any:
    """A body without a length, as servers hand it on that read chunks."""
    signature = base64.b64encode(hmac.digest(SECRET.encode(), body, "sha256")).decode()
    sent = {
        "X-Shopify-Hmac-Sha256": signature,
        "X-Shopify-Shop-Domain": SHOP,
        "X-Shopify-Topic": "orders/paid",
        "X-Shopify-Webhook-Id": str(uuid.uuid4()),
        "Transfer-Encoding": "chunked",
    }
    return bench.client.post(
        "/shopify/webhooks",
        input_stream=BytesIO(body),
        headers=sent,
        environ_overrides={"wsgi.input_terminated": True},
    )


def test_a_chunked_body_is_kept(bench: Bench) -> None:
    body = encode(bench.order())
    assert _chunked(bench, body).status_code == 200
    (row,) = bench.rows(deliveries)
    assert row.body == body


def test_a_chunked_body_has_the_same_limit(bench: Bench) -> None:
    assert _chunked(bench, b"x" * 10 * 1024 * 1024).status_code == 413
    assert bench.counts() == NOTHING


def test_a_body_that_breaks_off_is_400_and_leaves_nothing(bench: Bench) -> None:
    answer = bench.client.post(
        "/shopify/webhooks", input_stream=BytesIO(b"abc"), headers={"Content-Length": "300"}
    )
    assert answer.status_code in (400, 401)
    assert bench.counts() == NOTHING


def test_an_order_of_500_lines_is_kept(bench: Bench) -> None:
    bench.connect()
    line = bench.order()["line_items"][0]
    body = bench.order()
    assert len(body["line_items"]) == 1
    many = {**body, "line_items": [{**line, "id": 1 + at, "sku": f"S{at}"} for at in range(500)]}
    assert bench.post("orders/paid", many).status_code == 200
    (row,) = bench.rows(deliveries)
    assert len(json.loads(row.body)["line_items"]) == 500


# once


@both_databases
def test_the_same_delivery_three_times_is_one_row(bench: Bench) -> None:
    bench.connect()
    body = bench.order()
    for _ in range(3):
        assert bench.post("orders/paid", body, Webhook_Id="one-and-the-same").status_code == 200
    assert bench.process() == 1
    assert bench.post("orders/paid", body, Webhook_Id="one-and-the-same").status_code == 200
    assert bench.run() == 1
    assert bench.counts() == {"deliveries": 1, "orders": 1, "steps": 1, "attempts": 1, "conversions": 1}


@both_databases
def test_the_same_delivery_from_20_threads_at_once_is_one_row(bench: Bench) -> None:
    body = bench.order()
    with ThreadPoolExecutor(20) as threads:
        posted = threads.map(
            lambda _: bench.post("orders/paid", body, Webhook_Id="once").status_code, range(20)
        )
    assert list(posted) == [200] * 20
    assert bench.count(deliveries) == 1


def test_without_an_id_the_body_itself_tells_one_delivery_from_another(bench: Bench) -> None:
    body = bench.order()
    for _ in range(2):
        assert bench.post("orders/paid", body, Webhook_Id=None).status_code == 200
    assert bench.post("orders/paid", bench.order(), Webhook_Id=None).status_code == 200
    assert bench.count(deliveries) == 2


@both_databases
def test_100_deliveries_at_once_are_100_rows(bench: Bench) -> None:
    bodies = [bench.order() for _ in range(100)]
    with ThreadPoolExecutor(20) as threads:
        posted = list(threads.map(lambda body: bench.post("orders/paid", body).status_code, bodies))
    assert posted == [200] * 100
    assert bench.count(deliveries) == 100


# durable


def test_200_comes_after_the_row_is_on_disk(bench: Bench, tmp_path: Path) -> None:
    """While another process writes, nobody is told 200; afterwards a second connection sees the row."""
    bench.connect()
    answered = threading.Event()
    statuses: list[int] = []

    def deliver() -> None:
        statuses.append(bench.post("orders/paid", bench.order()).status_code)
        answered.set()

    with (tmp_path / "impact.sqlite3.lock").open("r+") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        thread = threading.Thread(target=deliver)
        thread.start()
        assert not answered.wait(0.3)
        assert _rows_seen_by_another(tmp_path) == 0
    thread.join(5)
    assert statuses == [200]
    assert _rows_seen_by_another(tmp_path) == 1


def _rows_seen_by_another(folder: Path) -> int:
    connection = sqlite3.connect(folder / "impact.sqlite3")
    try:
        (count,) = connection.execute("SELECT count(*) FROM deliveries").fetchone()
    finally:
        connection.close()
    return int(count)


def test_a_writer_that_is_kept_waiting_too_long_says_503(bench: Bench, tmp_path: Path) -> None:
    bench.connect()
    with (tmp_path / "impact.sqlite3.lock").open("r+") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        answer = bench.post("orders/paid", bench.order())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "did not answer in time" in answer.text
    assert bench.post("orders/paid", bench.order()).status_code == 200


@contextmanager
def _with_pragma(database: Database, trouble: str, relief: str) -> Iterator[None]:
    """Every connection has the trouble; SQLite itself then refuses the writes."""

    def checkout(connection: Any, *_: object) -> None:
        connection.execute(f"PRAGMA {trouble}")

    event.listen(database.engine, "checkout", checkout)
    try:
        yield
    finally:
        event.remove(database.engine, "checkout", checkout)
        event.listen(database.engine, "checkout", lambda one, *_: one.execute(f"PRAGMA {relief}"))


@pytest.mark.parametrize(
    ("trouble", "relief"),
    [("query_only=ON", "query_only=OFF"), ("max_page_count=1", "max_page_count=1000000")],
    ids=["read-only", "disk full"],
)
def test_a_database_that_takes_no_writes_is_503_and_works_again_afterwards(
    bench: Bench, trouble: str, relief: str
) -> None:
    bench.connect()
    big = {**bench.order(), "note": "n" * 200_000}
    with _with_pragma(bench.line.database, trouble, relief):
        answer = bench.post("orders/paid", big, Webhook_Id="again")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert "Traceback" not in answer.text
        assert "sqlite" not in answer.text.lower()
    assert bench.count(deliveries) == 0
    bench.deliver_body("orders/paid", big, Webhook_Id="again")
    assert bench.run() == 1
    assert bench.verdict(big) == ("reported", "accepted")


def _allow(server: str, database_url: str, *, yes: bool) -> None:
    name = sa.make_url(database_url).database
    with psycopg.connect(server.replace("postgresql+psycopg", "postgresql"), autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {yes}')
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_postgresql_that_goes_away_is_503_and_works_again_afterwards(bench: Bench, postgres: str) -> None:
    bench.connect()
    body = bench.order()
    _allow(postgres, bench.line.config.database_url, yes=False)
    try:
        answer = bench.post("orders/paid", body)
        # Refused at once, or, on a busy machine, not in time.
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert answer.text.endswith("Send it again.\n")
    finally:
        _allow(postgres, bench.line.config.database_url, yes=True)
    bench.deliver_body("orders/paid", body)
    assert bench.run() == 1
    assert bench.booked(body) == bench.booked(body)[:1]


# without Redis


def test_without_redis_it_is_200_all_the_same_and_the_sweep_finds_the_row(
    config: Config, clock: Clock, network: RunningNetwork
) -> None:
    gone = replace(config, redis_url="unix:///nonexistent/redis.sock")
    bench = Bench(Services(gone, clock), network, clock)
    bench.connect()
    body = bench.pay()
    swept = sweep(bench.line.inbox, bench.line.outbox, clock)
    assert (swept.has_due_deliveries, swept.next_step_due) == (True, None)
    assert bench.run() == 1
    assert bench.verdict(body) == ("reported", "accepted")


# what the log tells


def test_neither_secrets_nor_addresses_reach_the_log(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    bench.connect()
    body = bench.pay(email="ada.buyer@example.com")
    bench.post("orders/paid", body, secret="wrong")
    bench.deliver_body("orders/paid", encode(body)[:500])
    bench.network.faults.script("400", "500_after")
    bench.run()
    bench.pay()
    bench.clock.advance(hours=1)
    bench.run()
    told = "".join(capfd.readouterr())
    assert "conversion.attempted" in told
    assert "delivery.refused" in told
    for secret in (SECRET, PREVIOUS, "pretend-auth-token", "ada.buyer", "Buyer", "click-1", "203.0.113.7"):
        assert secret not in told
