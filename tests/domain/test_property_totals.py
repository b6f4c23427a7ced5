"""For any order a shop can have: what is reported adds up to the store's own figures, to the cent.

The pretend shop works each order's figures out by a road of its own (`truth`), and its bodies carry the
store's totals; the pretend network judges the forms. PROPERTY_EXAMPLES says how many orders are tried.
"""

from __future__ import annotations

import copy
import json
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from impact_app.domain.events import Unreadable
from impact_app.domain.evidence import evidence
from impact_app.domain.mapping import sku
from impact_app.domain.money import exponent
from impact_app.domain.orders import Order, Payment
from impact_app.domain.plan import Context, Modify, Plan, Reported, Reverse, Submit, plan, taken_as_reported
from impact_app.domain.reasons import Reason
from impact_app.domain.rules import Rules, read_rules
from impact_app.simulator.network import Books
from impact_app.simulator.network.changes import read_modification, read_reversal
from impact_app.simulator.network.setup import Setup
from impact_app.simulator.network.validation import read_conversion
from impact_app.simulator.shopify.orders import (
    Figures,
    LineSpec,
    OrderSpec,
    cancel,
    edit,
    encode,
    order_body,
    refund,
    truth,
)
from impact_app.stores.shopify.reading import read_order
from impact_app.transports.api.request import call
from tests import strategies
from tests.domain.shop import TARGET, Body

EXAMPLES = int(os.environ.get("PROPERTY_EXAMPLES", "20000"))


def _few(examples: int) -> settings:
    return settings(
        max_examples=max(1, examples),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )


_SEND = dict.fromkeys(("test_orders", "pos", "drafts", "renewals", "zero_value"), "send") | {"send": "all"}
_EVERYTHING = "gift_cards,tips,duties,fees,shipping"


@cache
def rules(**more: str) -> Rules:
    return read_rules(_SEND | more)


# How discounts are written must not matter to the sum, so each way is tried with each of the sums below.
_WAYS: list[dict[str, str]] = [
    {},
    {"discounts": "order"},
    {"discounts": "item"},
    {"zero_items": "skip", "discounts": "item"},
    {"zero_items": "skip"},
    {"include": "tax"},
    {"include": "gift_cards,tips"},
    {"include": _EVERYTHING},
    {"include": f"{_EVERYTHING},tax"},
]


def expected(body: Body, figures: Figures, side: str, way: dict[str, str], taxes_included: bool) -> Decimal:
    """The store's own net under a rule, from the truth or from the store's totals."""
    match way.get("include", ""):
        case "":
            return figures.net_of_tax
        case "tax":
            counted = [one for one in figures.lines if one.counted]
            return sum((one.net if taxes_included else one.net + one.tax for one in counted), Decimal(0))
        case "gift_cards,tips":
            return sum((one.net_of_tax for one in figures.lines), Decimal(0))
        case include:
            whole = Decimal(body["total_price_set"][side]["amount"])
            tax = Decimal(body["total_tax_set"][side]["amount"])
            return whole if include.endswith(",tax") else whole - tax


def lifelike(spec: OrderSpec) -> OrderSpec:
    """Tips under the title Shopify gives them; currencies no further apart than real ones are."""
    lines = tuple(replace(one, title="Tip") if one.tip else one for one in spec.lines)
    farthest = Decimal(200_000 if exponent(spec.currency) else 1_000)
    return replace(spec, lines=lines, exchange_rate=min(spec.exchange_rate, farthest))


def reported_sum(form: tuple[tuple[str, str], ...]) -> Decimal:
    """Items less their discounts and the order's, from the form alone."""
    found = Decimal(0)
    for name, value in form:
        if name.startswith("ItemSubTotal"):
            found += Decimal(value)
        elif name.startswith("ItemTotalDiscount") or name == "OrderDiscount":
            found -= Decimal(value)
    return found


def check(spec: OrderSpec, way: dict[str, str]) -> None:
    body, figures = order_body(spec), truth(spec)
    order = read_order(encode(body))
    context = Context(TARGET, (), order.placed_at)
    for money, side, known in (
        ("shop", "shop_money", figures.shop),
        ("shopper", "presentment_money", figures.presentment),
    ):
        found = plan(order, rules(money=money, **way), None, context)
        wanted = expected(body, known, side, way, spec.taxes_included)
        if not isinstance(found.step, Submit):
            assert found.reason is Reason.ZERO_VALUE, (found.reason, found.detail)
            assert (found.conversion.items, wanted) == ((), 0)
            continue
        form = call(found.step, "IRAbc").form
        assert reported_sum(form) == wanted == found.conversion.net.amount
        assert dict(form)["CurrencyCode"] == known.currency
        if "include" not in way:
            check_items(found, known)
        check_form(form, context.now)


def check_form(form: tuple[tuple[str, str], ...], now: datetime) -> None:
    """The network takes the form, unless an amount is larger than any of its fields."""
    if all(len(value.partition(".")[0]) <= 12 for name, value in form if name.startswith("ItemSubTotal")):
        read_conversion(form, now)


def check_items(found: Plan, known: Figures) -> None:
    """Each SKU keeps its own lines' money."""
    wanted: defaultdict[str, Decimal] = defaultdict(Decimal)
    units: defaultdict[str, int] = defaultdict(int)
    for item, line in zip(found.figures, known.lines, strict=True):
        if line.counted:
            wanted[sku(item.line)] += line.net_of_tax
            units[sku(item.line)] += line.quantity
    for item in found.conversion.items:
        assert item.net.amount == wanted[item.sku]
        if item.net:
            assert item.quantity >= units[item.sku] > 0


def test_what_is_reported_is_the_stores_own_net_to_the_cent() -> None:
    """Each drawn order is tried with prices that contain tax and with prices that do not."""
    tried = 0

    @_few(EXAMPLES // 2)
    @given(strategies.orders(), st.integers(0, len(_WAYS) - 1))
    def attempt(spec: OrderSpec, at: int) -> None:
        nonlocal tried
        spec = lifelike(spec)
        check(spec, _WAYS[at])
        other = replace(spec, taxes_included=not spec.taxes_included, order_id=spec.order_id + 1)
        check(other, _WAYS[(at + 4) % len(_WAYS)])
        tried += 2

    attempt()
    assert tried >= EXAMPLES // 2 * 2


# After the sale


def change(random: Random, body: Body) -> Body:
    """One thing that happens to an order: units come back, all of them, lines go or grow, it is cancelled."""
    left = {one["id"]: one["current_quantity"] for one in body["line_items"] if one["current_quantity"]}
    kind = random.choice(("refund", "refund", "unpaid_refund", "remove", "increase", "add", "cancel"))
    some = {one: random.randint(1, units) for one, units in left.items() if random.random() < 0.5}
    if kind == "cancel" or not left:
        return cancel(body)
    # The pretend store spreads what came back of a line over the units added later, which no refund says.
    whole = [one["id"] for one in body["line_items"] if one["quantity"] == one["current_quantity"]]
    if kind == "increase" and whole:
        return edit(body, increase={random.choice(whole): random.randint(1, 3)})[1]
    if kind == "add":
        return edit(
            body, add=[LineSpec(sku=f"NEW-{random.randrange(99)}", price=Decimal(random.randint(1, 50)))]
        )[1]
    if kind == "remove":
        return edit(body, remove=some)[1]
    return refund(body, some, money_moved=kind == "refund")[1]


def applied(held: Reported | None, step: Submit | Modify | Reverse | None) -> Reported | None:
    return held if step is None else step.result


@_few(EXAMPLES // 20)
@given(strategies.orders(max_lines=8), st.integers(0, 2**32 - 1), st.sampled_from(("shop", "shopper")))
def test_a_report_follows_its_order_and_settles(spec: OrderSpec, seed: int, money: str) -> None:
    """After each change one step at most, a true one, and none when the same question is asked again."""
    random, body = Random(seed), order_body(lifelike(spec))
    own, held = rules(money=money), None
    for _ in range(4):
        order = read_order(encode(body))
        context = Context(TARGET, (), order.placed_at)
        found = plan(order, own, held, context)
        assert found.reason is not Reason.TOTALS_DISAGREE, found.detail
        if isinstance(found.step, Submit):
            check_form(call(found.step, "IRAbc").form, context.now)
        elif isinstance(found.step, Modify):
            assert held is not None
            read_modification(call(found.step, "IRAbc").form, Setup())
            before = {item.sku: item for item in held.items}
            changes = [before[item.sku] != item for item in found.step.items]
            assert all(changes) if held.is_exact else any(changes)
        elif isinstance(found.step, Reverse):
            read_reversal(call(found.step, "IRAbc").form, Setup())
        held = applied(held, found.step)
        assert held is None or plan(order, own, held, context).step is None
        if held is not None and not held.is_reversed:
            check_held(found, held, is_paid=order.payment is Payment.PAID)
        body = change(random, body)


def check_held(found: Plan, held: Reported, *, is_paid: bool) -> None:
    """What impact.com holds is what is kept, but for what an edit added."""
    now = {item.sku: item for item in found.conversion.items}
    for item in held.items:
        kept = now[item.sku].net.amount if item.sku in now else Decimal(0)
        # Only what an edit added, and nobody has paid for yet, may be missing.
        assert item.amount.amount == kept or (not is_paid and item.amount.amount < kept)


@_few(EXAMPLES // 50)
@given(strategies.orders(max_lines=20), st.sampled_from(_WAYS))
def test_the_pretend_network_books_what_the_shop_earned(spec: OrderSpec, way: dict[str, str]) -> None:
    body = order_body(lifelike(spec))
    order = read_order(encode(body))
    found = plan(order, rules(**way), None, Context(TARGET, (), order.placed_at))
    if not isinstance(found.step, Submit):
        assert found.reason is Reason.ZERO_VALUE
        return
    form = [*call(found.step, "IRAbc").form]
    if "ClickId" not in dict(form):
        form.append(("ClickId", "some-click"))
    books = Books(clock=lambda: order.placed_at)
    submission = books.submit_conversion("IRAbc", read_conversion(form, order.placed_at), "")
    assert submission.error_reason == ""
    (action,) = books.actions()
    assert action.amount == expected(body, truth(lifelike(spec)).shop, "shop_money", way, spec.taxes_included)


# Reading is total


def parts(value: Any) -> Iterator[Any]:
    """Every value an order holds, however deep."""
    if is_dataclass(value):
        for one in fields(value):
            yield from parts(getattr(value, one.name))
    elif isinstance(value, (tuple, list)):
        for inner in value:
            yield from parts(inner)
    else:
        yield value


@_few(EXAMPLES // 50)
@given(strategies.orders(max_lines=20))
def test_an_order_and_its_plan_hold_no_float(spec: OrderSpec) -> None:
    order = read_order(encode(order_body(lifelike(spec))))
    found = plan(order, rules(), None, Context(TARGET, (), order.placed_at))
    assert not [value for value in (*parts(order), *parts(found)) if isinstance(value, float)]


_ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 10**30, 2**63, 1.5, -0.0, 1e300, "", " ", "0", "-0.00", "-5.00"),
    *("1e5", "1E+400", "NaN", "sNaN", "Infinity", "0.001", "9999999999999", "12.3.4", "x" * 300, "a\x00b"),
    *("é\u202e", "\ufffd", "USD", "JPY", "usd", "2026-13-45", "0001-01-01T00:00:00+14:00", "refunded"),
    *("9999-12-31T23:59:59-14:00", "2026-11-20", "percentage", "all", "across", "fraud", "voided"),
    *([], {}, [[]], [None], [{}], {"name": "im_ref", "value": 7}, [{"name": "im_ref", "value": ["x"]}]),
    {"amount": "1.00", "currency_code": "USD"},
    {"shop_money": {"amount": "-1.00", "currency_code": "USD"}, "presentment_money": None},
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in pairs:
        yield value, key
        if isinstance(inner, (dict, list)):
            yield from places(inner)


@cache
def _some_bodies() -> tuple[Body, ...]:
    lines = (
        LineSpec(price=Decimal("19.90"), quantity=3, tax_rate=Decimal("0.19")),
        LineSpec(sku=None, price=Decimal("7.00"), properties=(("_im_ref", "x"),)),
        LineSpec(sku="C", price=Decimal("50"), gift_card=True),
        LineSpec(sku=None, price=Decimal("2"), tip=True, title="Tip"),
    )
    discount = strategies.DiscountSpec()
    plain = OrderSpec(
        lines=lines,
        discounts=(discount, replace(discount, target="shipping_line")),
        taxes_included=True,
        duties=Decimal(3),
        fees=Decimal(1),
        note_attributes=(("im_ref", "click"),),
        landing_site="/?im_ref=landed",
    )
    whole = order_body(plain)
    two = order_body(replace(plain, presentment_currency="EUR", exchange_rate=Decimal("0.9")))
    first = whole["line_items"][0]["id"]
    return whole, two, refund(whole, {first: 1}, shipping=Decimal(1))[1], cancel(two)


def spoilt(random: Random) -> bytes:
    body = copy.deepcopy(random.choice(_some_bodies()))
    found = list(places(body))
    for holder, key in random.sample(found, random.randint(1, 3)):
        if isinstance(holder, dict) and random.random() < 0.2:
            holder.pop(key, None)
        else:
            holder[key] = copy.deepcopy(random.choice(_ODD))
    raw = encode(body)
    if random.random() < 0.1:
        at = random.randrange(len(raw))
        raw = raw[:at] if random.random() < 0.5 else raw[:at] + bytes([random.randrange(256)]) + raw[at + 1 :]
    return raw


@_few(EXAMPLES // 100)
@given(st.integers(0, 2**32 - 1), st.sampled_from(_WAYS), st.sampled_from(("shop", "shopper")))
def test_a_spoilt_body_is_an_order_or_unreadable(seed: int, way: dict[str, str], money: str) -> None:
    random = Random(seed)
    for _ in range(10):
        try:
            order = read_order(spoilt(random))
        except Unreadable:
            continue
        check_told(order, rules(money=money, ip_address="yes", **way))


def check_told(order: Order, own: Rules) -> None:
    """An order that could be read can be judged, told and, where it is sent, sent in an accepted form."""
    context = Context(TARGET, (), order.placed_at)
    found = plan(order, own, None, context)
    told = json.dumps(evidence(order, found), allow_nan=False)
    assert "\\u0000" not in told
    assert not [text for text in parts(order) if isinstance(text, str) and "\x00" in text]
    order.changed_at.astimezone(datetime.now().astimezone().tzinfo)
    if isinstance(found.step, Submit):
        check_form(call(found.step, "IRAbc").form, context.now)
    plan(order, own, taken_as_reported(order, own, context), context)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b"[" * 50_000,
        b'{"id":' + b"[" * 50_000,
        b'{"id":' + b"9" * 5000,
    ],
)
def test_what_is_no_order_at_all_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        read_order(raw)
