"""For any order a Saleor shop can have: what is reported adds up to the store's own figures, to the cent.

The store's figures are worked out from what was asked of the pretend Saleor, as one sum, and taken from the
totals in its bodies; the pretend network judges the forms. PROPERTY_EXAMPLES says how many orders are tried.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from impact_app.domain.events import OrderSeen
from impact_app.domain.mapping import Target
from impact_app.domain.orders import Order
from impact_app.domain.plan import Context, Plan, Submit, plan
from impact_app.domain.reasons import Reason
from impact_app.domain.rules import Rules, read_rules
from impact_app.http import Http
from impact_app.simulator.network import Books
from impact_app.simulator.network.setup import Setup
from impact_app.simulator.network.validation import read_conversion
from impact_app.simulator.saleor.deliveries import encode, event
from impact_app.simulator.saleor.orders import Body, LineSpec, OrderSpec, charge, global_id, order, rounded
from impact_app.simulator.saleor.server import PretendSaleor, running_saleor
from impact_app.stores.saleor import documents
from impact_app.stores.saleor.api import SaleorApi
from impact_app.stores.saleor.documents import Version
from impact_app.stores.saleor.orders import fetch_order
from impact_app.stores.saleor.reading import read, read_order
from impact_app.transports.api.request import Form, call
from tests.stores.saleor import strategies

D = Decimal
EXAMPLES = int(os.environ.get("PROPERTY_EXAMPLES", "1000"))
SETUP = Setup()
TARGET = Target(str(SETUP.campaigns[0].id), str(SETUP.event_types[0].id))
VERSIONS = (Version(3, 20), Version(3, 21), Version(3, 22), Version(3, 23))


def _few(examples: int) -> settings:
    return settings(
        max_examples=max(1, examples),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )


@cache
def rules(**more: str) -> Rules:
    return read_rules({"send": "all", "drafts": "send", "zero_value": "send"} | more)


# How discounts are written must not matter to the sum, so each way is tried with each of the sums below.
_WAYS: list[dict[str, str]] = [
    {},
    {"discounts": "order"},
    {"discounts": "item"},
    {"zero_items": "skip"},
    {"include": "tax"},
    {"include": "tax", "discounts": "item", "zero_items": "skip"},
    {"include": "gift_cards"},
    {"include": "shipping"},
    {"include": "gift_cards,shipping"},
    {"include": "gift_cards,shipping,tax"},
]
ways = st.sampled_from(_WAYS)


def merchandise(spec: OrderSpec) -> Decimal:
    """What the lines cost as prices are entered: all of them less all discounts, in one sum.

    Discounts of single lines come first. One of the whole order takes what there is at most.
    """
    left = [D(0) if line.is_gift else (line.price - line.sale) * line.quantity for line in spec.lines]
    wide = []
    for one in spec.discounts:
        for at in one.lines:
            units = 1 if one.once else spec.lines[at].quantity
            price = spec.lines[at].price * units
            off = (
                one.amount * units
                if one.percent is None
                else rounded(price * one.percent / 100, spec.currency)
            )
            left[at] = max(D(0), left[at] - off)
        if one.kind != "SHIPPING" and not one.lines:
            wide.append(one)
    whole = sum(left, D(0))
    for one in wide:
        off = one.amount if one.percent is None else rounded(whole * one.percent / 100, spec.currency)
        whole -= min(whole, off)
    return whole


def expected(node: Body, spec: OrderSpec, way: dict[str, str]) -> Decimal:
    """The store's own sum under a rule, by the totals of its body."""
    included = way.get("include", "").split(",")
    side = "gross" if "tax" in included else "net"
    found = D(0)
    for line, one in zip(node["lines"], spec.lines, strict=True):
        if one.kind != "GIFT_CARD" or "gift_cards" in included:
            found += line["totalPrice"][side]["amount"]
    if "shipping" in included:
        found += node["shippingPrice"][side]["amount"]
    return found


def check_stores_own(node: Body, spec: OrderSpec) -> None:
    """The totals in the body are what was asked of the store."""
    side = "gross" if spec.with_tax else "net"
    assert node["subtotal"][side]["amount"] == merchandise(spec)
    assert all(line["totalPrice"][side]["amount"] >= 0 for line in node["lines"])
    for each in ("gross", "net"):
        lines = sum((line["totalPrice"][each]["amount"] for line in node["lines"]), D(0))
        assert node["subtotal"][each]["amount"] == lines
    total, parts = node["total"]["gross"]["amount"], (node["subtotal"], node["shippingPrice"])
    assert total + spec.gift_card == sum((part["gross"]["amount"] for part in parts), D(0))


def reported_sum(form: Form) -> Decimal:
    """Items less their discounts and the order's, from the form alone."""
    found = D(0)
    for name, value in form:
        if name.startswith("ItemSubTotal"):
            found += D(value)
        elif name.startswith("ItemTotalDiscount") or name == "OrderDiscount":
            found -= D(value)
    return found


def seen(node: Body) -> Order:
    found = read("order_updated", encode(event("order_updated", node)))
    assert isinstance(found, OrderSeen)
    return found.order


def context(found: Order) -> Context:
    return Context(TARGET, (), found.changed_at)


def named(line: LineSpec, at: int) -> str:
    """What impact.com is told to call the line's item."""
    return line.sku or global_id("ProductVariant", line.variant + at)


def check_items(found: Plan, node: Body, spec: OrderSpec) -> None:
    """Each SKU keeps its own lines' money and units."""
    money: defaultdict[str, Decimal] = defaultdict(Decimal)
    units: Counter[str] = Counter()
    for at, (line, one) in enumerate(zip(node["lines"], spec.lines, strict=True)):
        if one.kind != "GIFT_CARD":
            money[named(one, at)] += line["totalPrice"]["net"]["amount"]
            units[named(one, at)] += one.quantity
    assert {item.sku: item.net.amount for item in found.conversion.items} == money
    assert {item.sku: item.quantity for item in found.conversion.items} == units


def check(spec: OrderSpec, way: dict[str, str]) -> None:
    """As bought and paid: judged, told, taken by the pretend impact.com and booked with the store's sum."""
    node = order(spec)
    check_stores_own(node, spec)
    bought = seen(node)
    found, wanted = plan(bought, rules(**way), None, context(bought)), expected(node, spec, way)
    assert found.reason is not Reason.TOTALS_DISAGREE, found.detail
    if not isinstance(found.step, Submit):
        assert found.reason is Reason.ZERO_VALUE, (found.reason, found.detail)
        assert (found.conversion.items, wanted) == ((), 0)
        return
    form = call(found.step, SETUP.sid).form
    assert reported_sum(form) == wanted == found.conversion.net.amount
    if not way:
        check_items(found, node, spec)
    books = Books(SETUP, clock=lambda: bought.placed_at)
    submission = books.submit_conversion(SETUP.sid, read_conversion(form, bought.placed_at), "")
    assert submission.error_reason == ""
    (action,) = books.actions()
    assert (action.amount, action.currency) == (wanted, spec.currency)


def test_what_is_reported_is_the_stores_own_net_to_the_cent() -> None:
    """Each drawn order is tried with prices that contain tax and with prices that do not."""
    tried = 0

    @_few(EXAMPLES // 2)
    @given(strategies.orders(), ways, ways)
    def attempt(spec: OrderSpec, way: dict[str, str], other: dict[str, str]) -> None:
        nonlocal tried
        check(spec, way)
        check(replace(spec, with_tax=not spec.with_tax, gift_card=D(0)), other)
        tried += 2

    attempt()
    assert tried >= EXAMPLES // 2 * 2


@_few(EXAMPLES // 10)
@given(strategies.orders(), st.integers(0, 99))
def test_an_order_is_reported_once_the_rest_is_paid(spec: OrderSpec, percent: int) -> None:
    whole: Decimal = order(spec)["total"]["gross"]["amount"]
    node = order(replace(spec, charged=rounded(whole * percent / 100, spec.currency)))
    partly = seen(node)
    if node["totalCharged"]["amount"] < whole:
        assert plan(partly, rules(), None, context(partly)).reason is Reason.NOT_PAID
    paid = seen(charge(node))
    found = plan(paid, rules(), None, context(paid))
    assert found.conversion.net.amount == expected(node, spec, {})
    assert isinstance(found.step, Submit) or not found.conversion.items


# Both ways in


@pytest.fixture(scope="module")
def shop() -> Iterator[PretendSaleor]:
    with running_saleor() as running:
        running.token = "token"
        yield running


@_few(EXAMPLES // 10)
@given(spec=strategies.orders(), version=st.sampled_from(VERSIONS))
def test_a_delivery_and_the_api_tell_the_same_order(
    shop: PretendSaleor, spec: OrderSpec, version: Version
) -> None:
    """Whichever release: one shows the smallest units, the other digits, and 3.20 no discounts of lines."""
    shop.manifest = {"webhooks": [{"query": documents.subscription(version)}]}
    node = shop.keep(order(spec))
    delivered = read("order_updated", shop.rendered("order_updated", node))
    answered = fetch_order(SaleorApi(Http()).ask(shop.api_url, "token"), node["id"], version)
    assert isinstance(delivered, OrderSeen)
    assert answered is not None
    assert delivered.order == read_order(answered)
    found = plan(delivered.order, rules(), None, context(delivered.order))
    assert found.sums.fault == ""
    assert found.conversion.net.amount == expected(node, spec, {})
