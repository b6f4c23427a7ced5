"""Orders exported in bulk become the same bodies as orders asked for one by one; a bad export gives none."""

from __future__ import annotations

import http.server
import json
import threading
import tracemalloc
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from impact_app.domain.orders import Order
from impact_app.http import Http
from impact_app.simulator.shopify.admin import running_admin
from impact_app.simulator.shopify.bulk import Mishap
from impact_app.simulator.shopify.orders import (
    CustomerSpec,
    DiscountSpec,
    LineSpec,
    OrderSpec,
    order_body,
    refund,
)
from impact_app.simulator.shopify.store import PretendStore
from impact_app.stores.shopify.api import AdminApi
from impact_app.stores.shopify.bulk import BulkFailed, Exports
from impact_app.stores.shopify.documents import BULK_OPERATION, BULK_OPERATIONS, BULK_RUN, ORDER_BY_ID
from impact_app.stores.shopify.orders import fetch_order, placed_orders
from impact_app.stores.shopify.reading import read_order
from tests.stores.shopify.conftest import FixedClock, shopify_config

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SINCE, UNTIL = NOW - timedelta(days=30), NOW - timedelta(days=1)


@dataclass
class Shop:
    """A pretend shop that exports orders; `asked` and `paused` tell what it took."""

    pretend: PretendStore
    api: AdminApi
    base: str
    clock: FixedClock
    asked: list[str] = field(default_factory=list)
    paused: list[float] = field(default_factory=list)
    told: list[int] = field(default_factory=list)

    def grant(self, *scopes: str) -> None:
        self.token = self.pretend.tokens.permanent(scopes, "secret").access_token

    def ask(self, document: str, variables: Mapping[str, object]) -> Mapping[str, Any]:
        self.asked.append(document)
        return self.api.run(self.pretend.domain, self.token, document, variables)

    @property
    def exports(self) -> Exports:
        return Exports(self.ask, Http(connect=2.0, read=5.0), self.base, self.paused.append, self.clock)

    def export(self, **options: bool) -> list[bytes]:
        return list(self.exports.placed_orders(SINCE, UNTIL, self.told.append, **options))

    def sold(self, *lines: LineSpec, days_ago: float = 3, **fields: Any) -> dict[str, Any]:
        when = NOW - timedelta(days=days_ago)
        spec = OrderSpec(lines=lines or (LineSpec(),), processed_at=when, updated_at=when, **fields)
        return self.pretend.add_order(order_body(spec))


@pytest.fixture
def shop() -> Iterator[Shop]:
    clock = FixedClock(NOW)
    pretend = PretendStore(now=clock, restore_rate=1e9)
    with running_admin(pretend) as admin:
        api = AdminApi(Http(connect=2.0, read=10.0), shopify_config(admin.admin_url), jitter=lambda: 0.0)
        shop = Shop(pretend, api, admin.url, clock)
        shop.grant("read_orders", "read_products", "read_customers")
        yield shop


def read(bodies: list[bytes]) -> dict[str, Order]:
    return {order.key: order for order in map(read_order, bodies)}


def test_an_export_gives_what_a_listing_gives(shop: Shop) -> None:
    shop.sold(
        LineSpec(sku="A", price=Decimal("30.00"), quantity=3, tax_rate=Decimal("0.19")), LineSpec(sku="B")
    )
    shop.sold(
        LineSpec(sku="C", price=Decimal("20.00"), properties=(("_im_ref", "click"),)),
        discounts=(DiscountSpec(), DiscountSpec(target="shipping_line", name="FREE", value=Decimal(100))),
        note_attributes=(("im_ref", "click"),),
        landing_site="/?im_ref=click",
    )
    shop.sold(*(LineSpec(sku=f"N-{at}", price=Decimal(at)) for at in range(1, 300)), shipping=None)
    shop.sold(days_ago=40)
    shop.sold(days_ago=1)  # as the period ends, no more within it

    exported = shop.export(sees_customers=True)

    listed = list(placed_orders(shop.ask, SINCE, UNTIL, sees_customers=True))
    assert len(exported) == 3
    assert read(exported) == read(listed)
    assert sorted(map(json.loads, exported), key=str) == sorted(map(json.loads, listed), key=str)


def test_a_refunded_order_is_read_by_itself(shop: Shop) -> None:
    plain = shop.sold()
    body = shop.sold(LineSpec(sku="A", price=Decimal("30.00"), quantity=3))
    shop.pretend.add_order(refund(body, {body["line_items"][0]["id"]: 1})[1])

    found = read(shop.export())

    assert shop.asked.count(ORDER_BY_ID) == 1
    (line,) = found[str(body["id"])].lines
    assert (line.returned, line.refunded.shop.amount) == (1, Decimal("30.00"))
    fetched = fetch_order(shop.ask, str(body["id"]))
    assert fetched is not None
    assert found[str(body["id"])] == read_order(fetched)
    assert str(plain["id"]) in found


@pytest.mark.parametrize("sees", [True, False])
def test_what_may_not_be_seen_of_the_buyer_is_not_asked_for(shop: Shop, sees: bool) -> None:
    shop.grant("read_orders", "read_products", *(["read_customers"] if sees else []))
    shop.sold(customer=CustomerSpec(id=4711))

    (body,) = shop.export(sees_customers=True)

    assert read_order(body).customer.id == ("4711" if sees else "")


def test_an_export_is_waited_for_and_its_progress_told(shop: Shop) -> None:
    shop.pretend.bulk.looks = 4
    for _ in range(6):
        shop.sold()

    shop.export()

    assert len(shop.paused) == 4
    assert shop.paused == sorted(shop.paused)
    assert shop.told == [3, 3, 3, 3]
    assert shop.asked.count(BULK_OPERATION) == 4


def test_an_export_of_nothing_has_no_file(shop: Shop) -> None:
    assert shop.export() == []


# an export that is under way already


def test_an_export_under_way_is_used_after_a_stop(shop: Shop) -> None:
    shop.sold()

    class Stopped(Exception):
        pass

    def stop(_seconds: float) -> None:
        raise Stopped

    halted = Exports(shop.ask, Http(), shop.base, stop, shop.clock)
    with pytest.raises(Stopped):
        list(halted.placed_orders(SINCE, UNTIL, shop.told.append))
    assert len(shop.export()) == 1
    assert shop.asked.count(BULK_RUN) == 1


@pytest.mark.parametrize(
    ("later", "until", "begun"),
    [
        (timedelta(minutes=59), UNTIL, 1),
        (timedelta(minutes=61), UNTIL, 2),  # what it says may be out of date
        (timedelta(minutes=1), NOW + timedelta(hours=9), 2),  # it lacks what was placed since
    ],
)
def test_a_finished_export_is_used_while_it_can_lack_nothing(
    shop: Shop, later: timedelta, until: datetime, begun: int
) -> None:
    shop.sold()
    list(shop.exports.placed_orders(SINCE, until, shop.told.append))
    shop.clock.now += later
    list(shop.exports.placed_orders(SINCE, until, shop.told.append))
    assert shop.asked.count(BULK_RUN) == begun


def test_an_export_of_other_orders_is_not_used(shop: Shop) -> None:
    shop.sold()
    list(shop.exports.placed_orders(SINCE - timedelta(days=1), UNTIL, shop.told.append))
    shop.export()
    assert shop.asked.count(BULK_RUN) == 2


def test_an_export_begun_by_a_call_whose_answer_was_lost_is_found(shop: Shop) -> None:
    shop.sold()
    shop.pretend.bulk.limit = 1
    answers: list[Mapping[str, Any]] = []

    def losing(document: str, variables: Mapping[str, object]) -> Mapping[str, Any]:
        answer = shop.ask(document, variables)
        if document == BULK_RUN and not answers:
            answers.append(answer)
            return shop.ask(document, variables)  # as the client repeats what got no answer
        return answer

    exports = Exports(losing, Http(), shop.base, shop.paused.append, shop.clock)
    assert len(list(exports.placed_orders(SINCE, UNTIL, shop.told.append))) == 1
    assert len(shop.pretend.bulk.operations) == 1
    assert shop.asked.count(BULK_OPERATIONS) == 2


# what may go wrong


@pytest.mark.parametrize(
    ("mishap", "sentence"),
    [
        ("failed", "Shopify could not finish exporting the orders (INTERNAL_SERVER_ERROR)."),
        ("canceled", "The export of the orders was cancelled in Shopify."),
        ("expired", "Shopify's export of the orders is too old to be had."),
        ("gone", "The exported file is not to be had any more (HTTP 403)."),
        ("cut_off", "The exported file broke off"),
        ("lost", "The exported file is shorter than Shopify says."),
    ],
)
def test_a_bad_export_is_a_sentence_and_the_next_one_is_whole(
    shop: Shop, mishap: Mishap, sentence: str
) -> None:
    for _ in range(5):
        shop.sold()
    shop.pretend.bulk.mishaps = [mishap]
    given: list[bytes] = []

    with pytest.raises(BulkFailed) as fault:
        given.extend(shop.export())

    assert str(fault.value).startswith(sentence)
    assert str(fault.value).endswith("Nothing is lost: the same command begins anew.")
    assert given == []
    shop.clock.now += timedelta(hours=2)
    assert len(shop.export()) == 5


def test_other_operations_under_way_are_a_sentence(shop: Shop) -> None:
    shop.sold()
    shop.pretend.bulk.others = 5
    with pytest.raises(BulkFailed, match="busy with other bulk operations of this app"):
        shop.export()
    assert shop.pretend.bulk.operations == []


@pytest.mark.parametrize(
    "url",
    [
        "http://storage.example.com/orders.jsonl",
        "https://127.0.0.1/orders.jsonl",
        "https://10.0.0.8/orders.jsonl",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/orders.jsonl",
        "https://localhost/orders.jsonl",
        "file:///etc/passwd",
        "https://",
    ],
)
def test_a_file_is_fetched_from_nowhere_inside(shop: Shop, url: str) -> None:
    shop.sold()

    def elsewhere(document: str, variables: Mapping[str, object]) -> Mapping[str, Any]:
        answer = shop.ask(document, variables)
        if document == BULK_OPERATION and answer["bulkOperation"]["url"]:
            return {"bulkOperation": {**answer["bulkOperation"], "url": url}}
        return answer

    exports = Exports(elsewhere, Http(), shop.base, shop.paused.append, shop.clock)
    with pytest.raises(BulkFailed, match="no public one"):
        list(exports.placed_orders(SINCE, UNTIL, shop.told.append))


def test_the_file_is_fetched_without_the_token(shop: Shop) -> None:
    shop.sold()
    shop.export()
    (call,) = [call for call in shop.pretend.calls if call.where == "file"]
    assert shop.token not in str(call.variables)
    assert not {"X-Shopify-Access-Token", "Authorization"} & set(call.variables)


# size


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address under which its files are served, in small pieces."""
    handler = partial(_Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield tmp_path, f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_two_thousand_orders_are_read_in_little_memory(shop: Shop, folder: tuple[Path, str]) -> None:
    place, base = folder
    shop.sold(LineSpec(sku="A", title="x" * 2_000), LineSpec(sku="B", title="y" * 2_000))
    shop.export()
    (operation,) = shop.pretend.bulk.operations
    with (place / "orders.jsonl").open("wb") as file:
        for at in range(2_000):
            for line in operation.lines:
                number = str(shop.pretend.orders and next(iter(shop.pretend.orders))).encode()
                file.write(line.replace(number, str(10**12 + at).encode()))
    size = (place / "orders.jsonl").stat().st_size
    ended = {
        **{"id": "gid://shopify/BulkOperation/7", "status": "COMPLETED", "errorCode": None, "query": ""},
        **{"createdAt": NOW.isoformat(), "rootObjectCount": "2000", "fileSize": str(size)},
        "url": f"{base}/orders.jsonl",
    }

    def answers(document: str, _variables: Mapping[str, object]) -> Mapping[str, Any]:
        if document == BULK_RUN:
            return {"bulkOperationRunQuery": {"bulkOperation": ended, "userErrors": []}}
        # The pretend shop would only add its own memory to what is measured.
        return {"bulkOperations": {"nodes": []}}

    exports = Exports(answers, Http(), base, shop.paused.append, shop.clock)
    tracemalloc.start()
    try:
        keys = {read_order(body).key for body in exports.placed_orders(SINCE, UNTIL, shop.told.append)}
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(keys) == 2_000
    assert size > 12_000_000
    assert peak < 4_000_000  # a third of the file; in fact it is under a tenth
