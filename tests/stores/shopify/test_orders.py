"""An order fetched from the Admin API reads as the order of the webhook does, however long it is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from graphql import get_operation_ast, parse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from impact_app.domain.events import Unreadable
from impact_app.domain.orders import Order
from impact_app.http import Http
from impact_app.simulator.shopify import cost, faults
from impact_app.simulator.shopify.admin import SCHEMA, running_admin
from impact_app.simulator.shopify.orders import (
    CustomerSpec,
    DiscountSpec,
    LineSpec,
    OrderSpec,
    cancel,
    edit,
    encode,
    order_body,
    refund,
)
from impact_app.simulator.shopify.store import Journey, PretendStore, Product, Visit
from impact_app.stores.shopify import documents, payloads
from impact_app.stores.shopify.api import AdminApi
from impact_app.stores.shopify.documents import ORDER_BY_ID, ORDER_LINES, ORDERS_CHANGED, REFUND_LINES
from impact_app.stores.shopify.errors import AccessDenied, PlatformUnreachable
from impact_app.stores.shopify.orders import ChangedOrders, changed_orders, fetch_order, webhook_body
from impact_app.stores.shopify.reading import read_order
from tests import strategies
from tests.stores.shopify.conftest import FixedClock, shopify_config

Body = dict[str, Any]

EXAMPLES = max(1, int(os.environ.get("PROPERTY_EXAMPLES", "20000")) // 100)
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SCOPES = ("read_orders", "read_products")
WITH_CUSTOMERS = (*SCOPES, "read_customers")
BOARD = Product(LineSpec().product_id or 0)


@dataclass
class Shop:
    """A pretend shop over real HTTP with ample budget; `ask` records what it is asked."""

    pretend: PretendStore
    api: AdminApi
    asked: list[tuple[str, Mapping[str, object]]] = field(default_factory=list)

    def grant(self, *scopes: str) -> None:
        self.token = self.pretend.tokens.permanent(scopes, "secret").access_token
        self.asked.clear()

    def ask(self, document: str, variables: Mapping[str, object]) -> Mapping[str, Any]:
        self.asked.append((document, variables))
        return self.api.run(self.pretend.domain, self.token, document, variables)

    def fetch(self, body: Body, **options: bool) -> bytes:
        fetched = fetch_order(self.ask, str(body["id"]), **options)
        assert fetched is not None
        return fetched

    def documents(self) -> list[str]:
        return [document for document, _ in self.asked]

    def pages(self, **options: Any) -> list[ChangedOrders]:
        return list(changed_orders(self.ask, NOW - timedelta(hours=2), NOW, **options))


@pytest.fixture(scope="module")
def opened() -> Iterator[Shop]:
    pretend = PretendStore(now=FixedClock(NOW), restore_rate=1e9)
    http = Http(connect=2.0, read=10.0)
    with running_admin(pretend) as admin:
        yield Shop(pretend, AdminApi(http, shopify_config(admin.admin_url), jitter=lambda: 0.0))


@pytest.fixture
def shop(opened: Shop) -> Shop:
    for kept in (opened.pretend.orders, opened.pretend.products, opened.pretend.journeys):
        kept.clear()
    opened.pretend.add_product(BOARD)
    opened.grant(*WITH_CUSTOMERS)
    return opened


def numbered(count: int) -> tuple[LineSpec, ...]:
    """Lines of 1.00, 2.00, 3.00 and so on."""
    return tuple(LineSpec(sku=f"N-{at}", price=Decimal(at), quantity=2) for at in range(1, count + 1))


def placed(*lines: LineSpec, minutes_ago: int = 30, **fields: Any) -> Body:
    when = NOW - timedelta(minutes=minutes_ago)
    given_lines = lines or (LineSpec(),)
    return order_body(OrderSpec(lines=given_lines, processed_at=when, updated_at=when, **fields))


def read(fetched: bytes) -> Order:
    return read_order(fetched)


# the same order, whichever way it came


@st.composite
def histories(draw: st.DrawFn) -> Body:
    """An order, and up to three things that happened to it."""
    spec = draw(strategies.orders(max_lines=60))
    body = order_body(spec)
    for what in draw(st.lists(st.sampled_from(("refund", "edit", "cancel", "money")), max_size=3)):
        left = {line["id"]: line["current_quantity"] for line in body["line_items"]}
        some = {key: draw(st.integers(1, kept)) for key, kept in list(left.items())[:3] if kept}
        if what == "refund" and some:
            body = refund(body, some, restock_type=draw(st.sampled_from(("return", "no_restock"))))[1]
        elif what == "money":
            body = refund(body, {}, adjustment=Decimal(1))[1]
        elif what == "edit":
            added = [draw(strategies.lines(spec.currency))] if draw(st.booleans()) else []
            first = next((line["id"] for line in body["line_items"] if line["taxable"]), None)
            grown = {first: 2} if first and draw(st.booleans()) else {}
            body = edit(body, remove=some, increase=grown, add=[one for one in added if not one.tip])[1]
        elif what == "cancel" and any(left.values()):
            return cancel(body, refunded=draw(st.booleans()))
    return body


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, *HealthCheck],
)
@given(body=histories(), sees_customers=st.booleans())
def test_a_fetched_order_is_the_order_of_the_webhook(shop: Shop, body: Body, sees_customers: bool) -> None:
    shop.pretend.orders.clear()
    shop.pretend.add_order(body)
    shop.grant(*(WITH_CUSTOMERS if sees_customers else SCOPES))
    raw = shop.fetch(body, sees_customers=sees_customers)
    try:
        seen = read_order(encode(body))
    except Unreadable as fault:  # a sum that no order can have: either way it is refused in the same words
        with pytest.raises(Unreadable, match=re.escape(str(fault))):
            read(raw)
        return

    fetched = read(raw)

    # The API has no user agent at all, and no customer without the scope for it.
    customer = seen.customer if sees_customers else replace(seen.customer, id="")
    assert fetched == replace(seen, user_agent="", customer=customer)
    long_refunds = sum(len(one["refund_line_items"]) > 50 for one in body["refunds"])
    long_order = len(body["line_items"]) > 50
    assert shop.documents() == [ORDER_BY_ID] + [ORDER_LINES] * long_order + [REFUND_LINES] * long_refunds


def differences(fetched: Any, webhook: Any, place: str = "") -> Iterator[str]:
    """Where a fetched body says something else than the webhook's; what it leaves out does not count."""
    if isinstance(fetched, dict) and isinstance(webhook, dict):
        for name, value in fetched.items():
            yield from differences(value, webhook.get(name, "absent"), f"{place}.{name}")
    elif isinstance(fetched, list) and isinstance(webhook, list) and len(fetched) == len(webhook):
        for at, pair in enumerate(zip(fetched, webhook, strict=True)):
            yield from differences(*pair, f"{place}[{at}]")
    elif fetched != webhook or isinstance(fetched, str) != isinstance(webhook, str):
        yield place


@pytest.mark.parametrize("currency", ["USD", "JPY", "KWD"])
def test_the_body_is_in_the_webhook_s_own_spelling(shop: Shop, currency: str) -> None:
    rate = Decimal("0.07")
    lines = (
        LineSpec(price=Decimal(20), quantity=3, tax_rate=rate, properties=(("_im_ref", "x"), ("gift", None))),
        LineSpec(sku=None, price=Decimal(7), product_id=None, variant_id=None),
        LineSpec(price=Decimal(50), gift_card=True),
    )
    discounts = (
        DiscountSpec(name="SAVE10", method="across"),
        DiscountSpec(kind="automatic", name="Autumn", value=Decimal(3), value_type="fixed_amount"),
        DiscountSpec(kind="manual", name="Sorry", value=Decimal(5), target="shipping_line"),
    )
    body = placed(
        *lines,
        discounts=discounts,
        currency=currency,
        presentment_currency="EUR",
        exchange_rate=Decimal("0.93"),
        shipping_tax_rate=rate,
        duties=Decimal(4),
        fees=Decimal(2),
        note_attributes=(("im_ref", "click-1"), ("note", None)),
        landing_site="/products/a?im_ref=click-1",
        country_code="DE",
    )
    body = cancel(refund(body, {body["line_items"][0]["id"]: 1})[1], reason="fraud")
    shop.pretend.add_order(body)

    fetched = msgspec.json.decode(shop.fetch(body, sees_customers=True))

    times = {".created_at", ".processed_at", ".updated_at", ".cancelled_at"}
    webhook = msgspec.json.decode(encode(body))
    assert set(differences(fetched, webhook)) == times  # the same moments, in UTC
    for name in (time.removeprefix(".") for time in times):
        assert fetched[name].endswith("Z")
        assert datetime.fromisoformat(fetched[name]) == datetime.fromisoformat(webhook[name])
    assert fetched["line_items"][0]["price"] == {"USD": "20.00", "JPY": "20", "KWD": "20.000"}[currency]
    assert isinstance(fetched["refunds"][0]["refund_line_items"][0]["subtotal"], int | float)


def names(struct: type[msgspec.Struct]) -> set[str]:
    return {one.name for one in msgspec.structs.fields(struct)}


def test_every_field_that_is_read_of_a_webhook_is_fetched(shop: Shop) -> None:
    line = LineSpec(price=Decimal(20), quantity=2, tax_rate=Decimal("0.07"))
    body = placed(line, discounts=(DiscountSpec(), DiscountSpec(kind="manual", name="Sorry")))
    body = refund(body, {body["line_items"][0]["id"]: 1})[1]

    fetched = msgspec.json.decode(shop.fetch(shop.pretend.add_order(body), sees_customers=True))

    # The API has one e-mail address, and nothing of the browser but its address.
    assert set(fetched) == names(payloads.OrderBody) - {"contact_email", "client_details"}
    (item,) = fetched["line_items"]
    assert set(item) == names(payloads.LineItem)
    assert set(item["discount_allocations"][0]) == names(payloads.Allocation)
    assert set(item["tax_lines"][0]) == names(payloads.TaxLine)
    # `is_removed`: shipping lines that were removed are not listed
    assert set(fetched["shipping_lines"][0]) == names(payloads.ShippingLine) - {"is_removed"}
    assert set(fetched["refunds"][0]) == names(payloads.RefundBody)
    assert set(fetched["refunds"][0]["refund_line_items"][0]) == names(payloads.RefundLine)
    code, manual = fetched["discount_applications"]
    assert set(code) == names(payloads.Application) - {"title"}
    assert set(manual) == names(payloads.Application) - {"code"}


# long ones


def test_an_order_of_620_lines_is_paged_to_its_end(shop: Shop) -> None:
    body = shop.pretend.add_order(placed(*numbered(620)))

    order = read(shop.fetch(body))

    assert order == replace(read_order(encode(body)), user_agent="", customer=order.customer)
    assert [line.sku for line in order.lines] == [f"N-{at}" for at in range(1, 621)]
    # 50 with the order, then 250 + 250 + 70
    assert shop.documents() == [ORDER_BY_ID, ORDER_LINES, ORDER_LINES, ORDER_LINES]
    assert [asked.get("first") for _, asked in shop.asked] == [None, 250, 250, 250]


@pytest.mark.parametrize(("lines", "calls"), [(50, 1), (51, 2), (300, 2), (301, 3)])
def test_no_page_is_asked_for_that_is_not_there(shop: Shop, lines: int, calls: int) -> None:
    body = shop.pretend.add_order(placed(*numbered(lines)))

    assert len(read(shop.fetch(body)).lines) == lines
    assert len(shop.asked) == calls


def test_a_refund_of_320_lines_is_paged_to_its_end(shop: Shop) -> None:
    body = placed(*numbered(320))
    ids = [line["id"] for line in body["line_items"]]
    body = refund(body, dict.fromkeys(ids, 1))[1]
    body = shop.pretend.add_order(refund(body, {ids[0]: 1})[1])

    order = read(shop.fetch(body))

    # one of two units of each line, at 1.00 + 2.00 + … + 320.00, and the other unit of the first
    given_back = sum((line.refunded.shop.amount for line in order.lines), Decimal(0))
    assert given_back == Decimal(320 * 321 // 2 + 1)
    assert [line.kept for line in order.lines] == [0] + [1] * 319
    # lines: 50 with the order, then 250 + 20; the first refund: 50 with the order, then 250 + 20
    assert shop.documents() == [ORDER_BY_ID] + [ORDER_LINES] * 2 + [REFUND_LINES] * 2


def change_during(shop: Shop, body: Body, times: int) -> Any:
    """An `ask` during which the order changes after its first page, that many times."""
    changed = 0

    def ask(document: str, variables: Mapping[str, object]) -> Mapping[str, Any]:
        nonlocal changed
        answer = shop.ask(document, variables)
        if document == ORDER_BY_ID and changed < times:
            changed += 1
            now = shop.pretend.orders[body["id"]]
            shop.pretend.add_order(refund(now, {body["line_items"][59]["id"]: 1})[1])
        return answer

    return ask


def test_lines_of_two_moments_are_never_mixed(shop: Shop) -> None:
    body = shop.pretend.add_order(placed(*numbered(60)))

    fetched = fetch_order(change_during(shop, body, 1), str(body["id"]))

    assert fetched is not None
    order = read(fetched)
    assert (order.lines[59].kept, order.changed_at) == (1, NOW + timedelta(minutes=30))
    assert shop.documents() == [ORDER_BY_ID, ORDER_LINES] * 2


def test_an_order_that_never_holds_still_is_left_for_later(shop: Shop) -> None:
    body = shop.pretend.add_order(placed(*numbered(59), LineSpec(quantity=9)))

    with pytest.raises(PlatformUnreachable, match="changed again"):
        fetch_order(change_during(shop, body, 9), str(body["id"]))

    assert shop.documents() == [ORDER_BY_ID, ORDER_LINES] * 3


# what is not there, and what may not be seen


@pytest.mark.parametrize("key", ["", "12a", "gid://shopify/Order/1", "１２", "-1"])  # noqa: RUF001
def test_what_is_no_id_is_not_asked_for(shop: Shop, key: str) -> None:
    assert fetch_order(shop.ask, key) is None
    assert shop.asked == []


def test_an_order_that_shopify_does_not_show_is_none(shop: Shop) -> None:
    old = shop.pretend.add_order(placed(minutes_ago=61 * 24 * 60))

    assert fetch_order(shop.ask, "999") is None
    assert fetch_order(shop.ask, str(old["id"])) is None
    shop.grant(*SCOPES, "read_all_orders")
    assert read(shop.fetch(old)).key == str(old["id"])


def test_without_the_scope_for_customers_the_order_comes_without_its_customer(shop: Shop) -> None:
    body = shop.pretend.add_order(placed(customer=CustomerSpec(id=77)))
    assert read(shop.fetch(body, sees_customers=True)).customer.id == "77"

    shop.grant(*SCOPES)  # as when a scope was taken away that we believe to have
    assert read(shop.fetch(body, sees_customers=True)).customer.id == ""
    assert [asked["customer"] for _, asked in shop.asked] == [True, False]


def test_without_approval_for_personal_data_the_order_comes_without_it(shop: Shop) -> None:
    body = shop.pretend.add_order(placed(browser_ip="203.0.113.7"))

    def ask(document: str, variables: Mapping[str, object]) -> Mapping[str, Any]:
        if variables["contact"]:
            shop.pretend.faults.append(faults.access_denied())
        return shop.ask(document, variables)

    fetched = fetch_order(ask, str(body["id"]))

    assert fetched is not None
    order = read(fetched)
    assert (order.ip_address, order.country, order.customer.email_sha1) == ("", "", "")
    assert order.subtotal == read_order(encode(body)).subtotal
    assert len(shop.asked) == 2


def test_without_the_scope_for_orders_it_says_so(shop: Shop) -> None:
    body = shop.pretend.add_order(placed())
    shop.grant("read_products")

    with pytest.raises(AccessDenied, match="read_orders"):
        shop.fetch(body)
    assert len(shop.asked) == 2  # with and without personal data


def visit(page: str | None) -> Visit:
    return Visit(page, NOW - timedelta(hours=3))


CLICKED = visit("https://a.example/?im_ref=first")


@pytest.mark.parametrize(
    ("journey", "landing"),
    [
        (Journey(CLICKED, visit("https://b.example/x?im_ref=last")), "/x?im_ref=last"),
        (Journey(CLICKED, visit("https://a.example/back")), "/?im_ref=first"),
        (Journey(visit("https://a.example/first"), visit("https://a.example/back")), "/back"),
        (Journey(CLICKED, None), "/?im_ref=first"),
        (Journey(visit(None), visit(None)), ""),
        (Journey(None, None), ""),
        (Journey(CLICKED, None, ready=False), ""),
        (Journey(visit("https://[a?im_ref=odd"), None), "https://[a?im_ref=odd"),
    ],
)
def test_the_landing_page_is_the_last_visit_s_that_brought_anything(
    shop: Shop, journey: Journey, landing: str
) -> None:
    body = shop.pretend.add_order(placed())
    shop.pretend.journeys[body["id"]] = journey

    assert read(shop.fetch(body)).landing_url == landing


def test_a_discount_missing_from_the_list_moves_no_other(shop: Shop) -> None:
    """`Order.discountApplications` leaves out those that an edit made; allocations still name them."""
    discounts = (DiscountSpec(name="A"), DiscountSpec(name="B"), DiscountSpec(name="C"))
    body = shop.pretend.add_order(placed(LineSpec(price=Decimal(1000)), discounts=discounts))
    shop.fetch(body)
    node = dict(shop.ask(*shop.asked[0])["order"])
    listed = node["discountApplications"]["nodes"]
    node["discountApplications"] = {"nodes": [listed[2], listed[0]]}  # B came by an edit; order is no promise

    order = read(webhook_body(node))

    assert [discount.code for discount in order.discounts] == ["A", "C"]
    assert [one.discount for one in order.lines[0].reductions] == [0, None, 1]
    assert [one.amount for one in order.lines[0].reductions] == [
        one.amount for one in read_order(encode(body)).lines[0].reductions
    ]


# what changed since


def keys(page: ChangedOrders) -> list[str]:
    return [read(body).key for body in page.orders]


def test_changed_orders_come_in_pages_the_first_to_change_first(shop: Shop) -> None:
    bodies = [shop.pretend.add_order(placed(minutes_ago=age)) for age in range(60)]

    pages = shop.pages()

    assert [len(page.orders) for page in pages] == [25, 25, 10]
    assert [key for page in pages for key in keys(page)] == [str(body["id"]) for body in reversed(bodies)]
    assert [page.greatest for page in pages] == [NOW - timedelta(minutes=ago) for ago in (35, 10, 0)]
    assert [page.cursor is None for page in pages] == [False, False, True]
    assert shop.documents() == [ORDERS_CHANGED] * 3


def test_a_long_listing_is_begun_anew_where_it_came_to(shop: Shop) -> None:
    """Shopify would end it without a word."""
    bodies = [shop.pretend.add_order(placed(minutes_ago=age)) for age in range(120)]
    began = NOW - timedelta(hours=3)

    pages = list(changed_orders(shop.ask, began, NOW, listed_at_most=50))

    assert {key for page in pages for key in keys(page)} == {str(body["id"]) for body in bodies}
    begun = {variables["query"] for _, variables in shop.asked}
    # after 50 of 120 orders, after 50 of the 71 from there on (the last one again), then the 22 that are left
    assert len(begun) == 3


def test_a_listing_goes_on_from_a_cursor(shop: Shop) -> None:
    for age in range(60):
        shop.pretend.add_order(placed(minutes_ago=age))
    pages = shop.pages()

    assert shop.pages(cursor=pages[0].cursor) == pages[1:]
    assert shop.pages(cursor=pages[1].cursor) == pages[2:]


def test_both_ends_of_the_window_belong_to_it(shop: Shop) -> None:
    ages = {120: True, 121: False, 0: True, -1: False}
    bodies = {age: shop.pretend.add_order(placed(minutes_ago=age)) for age in ages}

    (page,) = shop.pages()

    assert keys(page) == [str(bodies[120]["id"]), str(bodies[0]["id"])]


def test_nothing_changed_is_one_empty_page(shop: Shop) -> None:
    assert shop.pages() == [ChangedOrders((), None, None)]
    assert len(shop.asked) == 1


def test_a_long_order_on_a_page_is_read_whole(shop: Shop) -> None:
    short, long = placed(minutes_ago=20), placed(*numbered(120), minutes_ago=10)
    for body in (short, long):
        shop.pretend.add_order(body)

    (page,) = shop.pages()

    assert [len(read(body).lines) for body in page.orders] == [1, 120]
    assert shop.documents() == [ORDERS_CHANGED, ORDER_BY_ID, ORDER_LINES]


def test_a_change_during_the_listing_is_seen_in_it_or_in_the_next(shop: Shop) -> None:
    bodies = [shop.pretend.add_order(placed(minutes_ago=60 - at)) for at in range(30)]
    listing = changed_orders(shop.ask, NOW - timedelta(hours=2), NOW)
    first = next(listing)
    first_line = bodies[29]["line_items"][0]["id"]
    shop.pretend.add_order(refund(bodies[29], {first_line: 1}, at=NOW + timedelta(minutes=1))[1])

    (second,) = listing

    assert first.greatest is not None
    assert keys(second) == [str(body["id"]) for body in bodies[25:29]]  # it left the window while we read
    (later,) = changed_orders(shop.ask, first.greatest, NOW + timedelta(hours=1))
    assert keys(later)[-1] == str(bodies[29]["id"])


def test_what_may_not_be_seen_is_found_out_once_a_listing(shop: Shop) -> None:
    for age in range(60):
        shop.pretend.add_order(placed(minutes_ago=age))
    shop.grant(*SCOPES)

    assert sum(len(page.orders) for page in shop.pages(sees_customers=True)) == 60
    assert [asked["customer"] for _, asked in shop.asked] == [True, False, False, False]


# cost


@pytest.mark.parametrize(
    ("document", "variables", "points"),
    [
        (ORDER_BY_ID, {"id": "1", "lines": 50}, 86),
        (ORDERS_CHANGED, {"query": "", "first": 25, "lines": 50}, 862),
        (ORDER_LINES, {"id": "1", "first": 250}, 99),
        (REFUND_LINES, {"id": "1", "first": 250}, 35),
    ],
)
def test_no_document_costs_more_than_shopify_takes(
    document: str, variables: dict[str, Any], points: int
) -> None:
    parsed = parse(document)
    operation = get_operation_ast(parsed)

    assert operation is not None
    assert cost.requested(SCHEMA, parsed, operation, variables) == points
    assert points < cost.MAX_COST


def test_sums_that_leave_discounts_out_are_not_asked_for() -> None:
    everything = "".join(text for name, text in vars(documents).items() if name.isupper())

    assert "discountAllocations" in everything
    for trap in ("discountedTotalSet", "discountedUnitPriceSet", "totalDiscountSet"):
        assert trap not in everything
