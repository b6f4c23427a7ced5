"""A delivery that only hints at a change has its order fetched; without the order it stays a hint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from impact_app.config import Config
from impact_app.domain.orders import Order
from impact_app.domain.privacy import redacted
from impact_app.ledger.inbox import Delivery
from impact_app.ledger.stores import Store
from impact_app.ledger.tables import deliveries, orders, steps
from impact_app.pipeline.process import PUT_OFF, Platform, Processor, Unfetched, completed
from impact_app.simulator.shopify import faults
from impact_app.simulator.shopify.admin import RunningAdmin, running_admin
from impact_app.simulator.shopify.orders import (
    CustomerSpec,
    LineSpec,
    cancel,
    edit,
    encode,
    order_body,
    refund,
)
from impact_app.simulator.shopify.specs import OrderSpec
from impact_app.simulator.shopify.store import PretendStore, Product
from impact_app.stores.shopify.documents import ORDER_BY_ID
from impact_app.stores.shopify.reading import read_order
from impact_app.wiring import Services
from tests.line import OTHER_SHOP, SECRET, SHOP, Bench, Clock, both_databases

Body = dict[str, Any]

THREE = (LineSpec(sku="A", price=Decimal("30.00"), quantity=3),)


@dataclass
class Shop:
    """The line, and a store whose Admin API answers it."""

    bench: Bench
    admin: RunningAdmin

    @property
    def pretend(self) -> PretendStore:
        return self.admin.store

    def connect(self, **rules: str) -> Store:
        code = self.pretend.tokens.code(self.pretend.scopes)
        store = self.bench.line.tokens.connect_with_code(SHOP, code)
        self.bench.configure(store, **rules)
        return store

    def reported(self, *lines: LineSpec, **fields: Any) -> Body:
        """A paid order that impact.com has accepted."""
        body = self.bench.pay(*(lines or THREE), **fields)
        assert self.bench.run() == 1
        self.pretend.add_order(body)
        return body

    def refund(self, body: Body, units: int, **more: Any) -> Body:
        """Give back units of the first line in the store, and deliver refunds/create alone."""
        record, now = refund(body, {body["line_items"][0]["id"]: units}, **more)
        self.pretend.add_order(now)
        self.bench.deliver_body("refunds/create", record)
        return now

    @property
    def asked(self) -> list[str]:
        return [call.what for call in self.pretend.calls if call.where == "graphql"]

    @property
    def orders_asked(self) -> int:
        return self.asked.count(ORDER_BY_ID)

    @property
    def last(self) -> Any:
        """The delivery that came last."""
        return self.bench.rows(deliveries)[-1]


@pytest.fixture
def admin(clock: Clock) -> Iterator[RunningAdmin]:
    store = PretendStore(domain=SHOP, client_id="client-id", client_secret=SECRET, now=clock)
    with running_admin(store) as running:
        yield running


@pytest.fixture
def config(config: Config, admin: RunningAdmin) -> Config:
    assert config.shopify is not None
    return replace(config, shopify=replace(config.shopify, admin_url=admin.admin_url))


@pytest.fixture
def shop(bench: Bench, admin: RunningAdmin) -> Shop:
    return Shop(bench, admin)


# what a hint brings about


@both_databases
def test_a_refund_alone_becomes_a_modification(shop: Shop) -> None:
    shop.connect()
    body = shop.reported()

    shop.refund(body, 1)

    assert shop.bench.run() == 1
    assert shop.bench.fates()[-1] == ("settled", "judged")
    assert shop.bench.booked(body) == [Decimal("60.00")]  # 3 x 30.00 - 1 x 30.00
    assert shop.bench.calls() == ["POST Conversions 200", "PUT Actions 200"]
    assert shop.orders_asked == 1


def test_an_edit_alone_becomes_a_modification(shop: Shop) -> None:
    shop.connect()
    body = shop.reported()
    edited, now = edit(body, remove={body["line_items"][0]["id"]: 2})
    shop.pretend.add_order(now)

    shop.bench.deliver_body("orders/edited", edited)

    assert shop.bench.run() == 1
    assert shop.bench.fates()[-1] == ("settled", "judged")
    assert shop.bench.booked(body) == [Decimal("30.00")]  # 3 x 30.00 - 2 x 30.00


def test_a_full_refund_alone_reverses_the_conversion(shop: Shop) -> None:
    shop.connect()
    body = shop.reported()

    shop.refund(body, 3)

    assert shop.bench.run() == 1
    assert shop.bench.calls() == ["POST Conversions 200", "DELETE Actions 200"]
    assert shop.bench.verdict(body) == ("reported", "reversed")


def test_the_update_that_follows_finds_nothing_left_to_do(shop: Shop) -> None:
    shop.connect()
    body = shop.reported()
    now = shop.refund(body, 1)
    assert shop.bench.run() == 1

    shop.bench.deliver_body("orders/updated", now)

    assert shop.bench.run() == 0
    assert shop.bench.fates()[-1] == ("settled", "judged")
    assert shop.bench.booked(body) == [Decimal("60.00")]


def test_a_refund_before_the_paid_webhook_reports_what_is_left(shop: Shop) -> None:
    shop.connect()
    body = shop.bench.order(*THREE)
    shop.refund(body, 1)
    assert shop.bench.run() == 1

    shop.bench.deliver_body("orders/paid", body)

    assert shop.bench.run() == 0
    assert shop.bench.fates() == [("settled", "judged"), ("settled", "older_snapshot")]
    assert shop.bench.booked(body) == [Decimal("60.00")]  # 2 x 30.00, in one conversion
    assert shop.bench.calls() == ["POST Conversions 200"]


def test_a_hint_that_changes_nothing_makes_no_call(shop: Shop) -> None:
    shop.connect()
    body = shop.reported()
    record, now = refund(body, {}, shipping=Decimal("5.00"))
    shop.pretend.add_order(now)

    shop.bench.deliver_body("refunds/create", record)

    assert shop.bench.run() == 0
    assert shop.orders_asked == 1
    assert shop.bench.fates()[-1] == ("settled", "judged")
    assert shop.bench.booked(body) == [Decimal("90.00")]


def test_several_hints_of_one_order_are_asked_for_once(shop: Shop) -> None:
    shop.connect()
    body = shop.reported()

    shop.refund(shop.refund(shop.refund(body, 1), 1), 1)

    assert shop.bench.run() == 1
    assert shop.bench.fates()[-3:] == [("settled", "judged")] * 3
    assert shop.orders_asked == 1
    assert shop.bench.calls()[1:] == ["DELETE Actions 200"]


def test_a_cancelled_order_counts_its_refund_once(shop: Shop) -> None:
    shop.connect()
    body = shop.reported()
    gone = cancel(body)
    shop.pretend.add_order(gone)

    shop.bench.deliver_body("refunds/create", gone["refunds"][0])
    shop.bench.deliver_body("orders/cancelled", gone)

    assert shop.bench.run() == 1
    assert shop.bench.calls()[1:] == ["DELETE Actions 200"]


def test_a_fetched_order_has_its_category(shop: Shop) -> None:
    shop.connect(category="category")
    shop.pretend.add_product(Product(THREE[0].product_id or 0, category="Sport > Boards"))
    body = shop.bench.order(*THREE)

    shop.refund(body, 1)

    assert shop.bench.run() == 1
    (step,) = shop.bench.rows(steps)
    assert ["ItemCategory1", "Sport > Boards"] in [list(pair) for pair in step.form]


def test_what_only_the_webhook_told_stays_with_the_order(shop: Shop) -> None:
    """The API knows no user agent, no customer without the scope, and no offset of the shop."""
    shop.connect(user_agent="yes")
    body = shop.bench.pay(*THREE, user_agent="Mozilla/5.0 (told by the webhook)")
    assert shop.bench.process() == 1
    (waiting,) = shop.bench.rows(steps)

    shop.refund(body, 1)

    assert shop.bench.process() == 1
    before, after = (dict(step.form) for step in shop.bench.rows(steps))
    changed = {name for name in before if before[name] != after.get(name)}
    assert (waiting.state, changed) == ("pending", {"ItemQuantity1", "ItemSubTotal1"})
    assert after["UserAgent"] == "Mozilla/5.0 (told by the webhook)"
    assert after["CustomerId"] == str(body["customer"]["id"])
    assert (after["ItemQuantity1"], after["ItemSubTotal1"]) == ("2", "60.00")


@pytest.mark.parametrize(
    ("scopes", "customer"), [("", None), ("read_customers", "4711"), ("write_customers", "4711")]
)
def test_the_customer_comes_with_the_scope_for_customers(
    shop: Shop, scopes: str, customer: str | None
) -> None:
    shop.pretend.scopes = ("read_orders", "read_products", *scopes.split())
    shop.connect()
    body = shop.bench.order(*THREE, customer=CustomerSpec(id=4711))

    shop.refund(body, 1)

    assert shop.bench.run() == 1
    (step,) = shop.bench.rows(steps)
    assert dict(step.form).get("CustomerId") == customer
    assert shop.orders_asked == 1


def test_a_call_that_waits_is_not_written_anew_by_a_hint(shop: Shop) -> None:
    shop.connect()
    body = shop.bench.pay(*THREE)
    assert shop.bench.process() == 1
    shop.pretend.add_order(body)

    shop.bench.deliver_body("orders/edited", edit(body)[0])

    assert shop.bench.process() == 1
    assert shop.orders_asked == 1
    assert shop.bench.steps_of(body) == [("submit", "pending")]


# where the order cannot be had


def test_without_a_token_a_hint_stays_a_hint(shop: Shop) -> None:
    shop.bench.connect()
    body = shop.reported()

    shop.refund(body, 1)

    assert shop.bench.run() == 0
    assert (shop.last.state, shop.last.reason) == ("settled", "hint_only")
    assert shop.last.detail == "The store has no access token: install the app in it first."
    assert shop.last.order_key == str(body["id"])
    assert shop.asked == []
    assert shop.bench.booked(body) == [Decimal("90.00")]


def test_an_order_that_shopify_does_not_show_stays_a_hint(shop: Shop) -> None:
    shop.connect()
    old = shop.bench.order(*THREE, processed_at=shop.bench.clock() - timedelta(days=61))

    shop.refund(old, 1)

    assert shop.bench.run() == 0
    assert (shop.last.state, shop.last.reason) == ("settled", "hint_only")
    assert "older than 60 days" in shop.last.detail
    assert (shop.orders_asked, shop.bench.count(orders)) == (1, 0)


@pytest.mark.parametrize(
    ("fault", "detail"),
    [(faults.status(402, "graphql"), "frozen"), (faults.access_denied(), "denied")],
)
def test_a_refusal_is_not_asked_again(shop: Shop, fault: faults.Fault, detail: str) -> None:
    shop.connect()
    body = shop.reported()
    shop.pretend.faults = [fault] * 2  # without personal data it is asked once more

    shop.refund(body, 1)

    assert shop.bench.run() == 0
    assert (shop.last.state, shop.last.reason, shop.last.tries) == ("settled", "hint_only", 1)
    assert detail in shop.last.detail


def test_a_fetched_order_that_cannot_be_read_stays_a_hint(shop: Shop) -> None:
    shop.connect()
    body = shop.bench.order(LineSpec(price=Decimal(9) * 10**14))

    shop.refund(body, 1)

    assert shop.bench.run() == 0
    assert (shop.last.state, shop.last.reason) == ("settled", "hint_only")
    assert "is no amount of money" in shop.last.detail


@pytest.mark.parametrize(
    ("domain", "leave", "reason"), [(OTHER_SHOP, False, "unknown_store"), (SHOP, True, "store_uninstalled")]
)
def test_nothing_is_asked_for_a_store_that_is_not_here(
    shop: Shop, domain: str, leave: bool, reason: str
) -> None:
    shop.connect()
    record, _ = refund(shop.bench.order(*THREE), {}, adjustment=Decimal(1))
    if leave:
        shop.bench.clock.advance(minutes=1)
        shop.bench.deliver_body("app/uninstalled", {})
        assert shop.bench.process() == 1

    shop.bench.deliver_body("refunds/create", record, shop=domain)
    answering = Answering(KeyError(), shop.bench.line, [])

    assert processor(shop, answering).drain(shop.bench.turn) == 1
    assert (shop.last.state, shop.last.reason) == ("parked", reason)
    assert shop.last.order_key == str(record["order_id"])
    assert answering.budgets == []


def test_with_shopify_switched_off_nothing_is_fetched(config: Config, shop: Shop) -> None:
    store = shop.connect()
    off = Services(replace(config, shopify=None), shop.bench.clock)

    with pytest.raises(Unfetched, match="switched off") as fault:
        off.platforms["shopify"].order(store, "1", 8.0)

    assert not fault.value.is_passing
    assert shop.asked == []


# where Shopify is down


def busy() -> faults.Fault:
    """Shopify cannot answer for longer than anybody waits."""
    return faults.too_many(retry_after=600, where="graphql")


def test_a_hint_is_put_off_while_shopify_is_down(shop: Shop) -> None:
    shop.connect()
    body = shop.reported()
    shop.pretend.faults = [busy()]
    shop.refund(body, 1)
    assert shop.bench.run() == 0
    assert (shop.last.state, shop.last.tries) == ("pending", 1)
    assert shop.last.not_before == shop.bench.clock() + timedelta(minutes=1)
    assert "gave no data" in shop.last.detail

    shop.bench.clock.advance(seconds=59)
    assert shop.bench.run() == 0
    assert shop.orders_asked == 1

    shop.bench.clock.advance(seconds=1)
    assert shop.bench.run() == 1
    assert (shop.last.state, shop.last.reason, shop.last.tries) == ("settled", "judged", 2)
    assert shop.bench.booked(body) == [Decimal("60.00")]


def test_after_an_hour_a_hint_is_left_to_the_update_that_follows(shop: Shop) -> None:
    shop.connect()
    body = shop.reported()
    shop.pretend.faults = [busy() for _ in range(20)]
    now = shop.refund(body, 1)
    waited = []

    while shop.bench.run() == 0 and shop.last.state == "pending":
        waited.append((shop.last.not_before - shop.bench.clock()) // timedelta(minutes=1))
        shop.bench.clock.now = shop.last.not_before

    assert waited == [1, 2, 4, 8, 16, 32]
    assert (shop.last.reason, shop.last.tries, shop.orders_asked) == ("hint_only", PUT_OFF + 1, PUT_OFF + 1)
    assert shop.bench.booked(body) == [Decimal("90.00")]
    shop.bench.deliver_body("orders/updated", now)
    assert shop.bench.run() == 1
    assert shop.bench.booked(body) == [Decimal("60.00")]


def test_a_store_that_cannot_be_asked_is_asked_once_and_holds_up_nobody(shop: Shop) -> None:
    shop.connect()
    first, second = shop.reported(), shop.reported()
    shop.pretend.faults = [busy() for _ in range(20)]
    shop.refund(first, 1)
    shop.refund(second, 1)
    paid = shop.bench.order(LineSpec(price=Decimal("7.00"), product_id=None, variant_id=None))
    shop.bench.deliver_body("orders/paid", paid)

    assert shop.bench.run() == 1

    assert shop.bench.booked(paid) == [Decimal("7.00")]
    assert shop.orders_asked == 1
    assert [state for state, _ in shop.bench.fates()[-3:]] == ["pending", "pending", "settled"]


# the stop itself, with a platform of its own


@dataclass
class Answering:
    """A platform's `order` that does something first."""

    order: Order | Exception
    line: Services
    budgets: list[float]

    def __call__(self, store: Store, order_key: str, budget: float) -> Order:
        self.budgets.append(budget)
        # Would wait for ever, or fail, if the line held a transaction meanwhile.
        self.line.inbox.add([Delivery("shopify", SHOP, "unknown", f"{len(self.budgets)}", b"{}", NEVER)])
        if isinstance(self.order, Exception):
            raise self.order
        return self.order


NEVER = datetime.fromisoformat("2030-01-01T00:00:00+00:00")


def processor(shop: Shop, answering: Answering) -> Processor:
    line = shop.bench.line
    mine: Platform = replace(line.platforms["shopify"], order=answering)
    return Processor(line.database, line.inbox, line.stores, {"shopify": mine}, line.clock)


@both_databases
def test_no_transaction_is_open_while_an_order_is_fetched(shop: Shop) -> None:
    shop.connect()
    bodies = [shop.reported() for _ in range(2)]
    for body in bodies:
        shop.refund(body, 1)
    order = read_order(encode(bodies[0]))
    answering = Answering(order, shop.bench.line, [])

    assert processor(shop, answering).drain(shop.bench.turn) == 2

    assert len(answering.budgets) == 2
    assert all(0 < budget <= 8 for budget in answering.budgets)
    assert shop.bench.count(deliveries, deliveries.c.topic == "unknown") == 2


def test_a_fault_of_the_app_is_tried_again_and_shows_no_traceback(shop: Shop) -> None:
    shop.connect()
    body = shop.reported()
    shop.refund(body, 1)
    answering = Answering(KeyError("lineItems"), shop.bench.line, [])

    assert processor(shop, answering).drain(shop.bench.turn) == 1

    (row,) = shop.bench.rows(deliveries, deliveries.c.topic == "refunds/create")
    assert (row.state, row.detail) == ("pending", "The app failed to fetch the order; see its log.")
    assert shop.bench.run() == 0
    shop.bench.clock.advance(minutes=1)
    assert shop.bench.run() == 1
    assert shop.bench.booked(body) == [Decimal("60.00")]


def test_a_redacted_order_has_nothing_to_fill_a_fetched_one_with() -> None:
    fetched = read_order(encode(order_body(OrderSpec(landing_site="/?im_ref=click-1"))))
    forgotten = redacted(fetched)

    assert completed(forgotten, forgotten) == forgotten
    assert completed(fetched, forgotten) == fetched
    # and the other way round: what the API hides is known from the webhook
    assert completed(forgotten, fetched) == fetched


def test_a_moment_that_differs_is_taken_from_the_fetched_order() -> None:
    known = read_order(encode(order_body(OrderSpec())))
    moved = replace(known, placed_at=known.placed_at + timedelta(days=1))

    assert completed(moved, known).placed_at == moved.placed_at
    in_utc = replace(known, placed_at=known.placed_at.astimezone(UTC))
    assert completed(in_utc, known).placed_at.utcoffset() == timedelta(hours=-5)
