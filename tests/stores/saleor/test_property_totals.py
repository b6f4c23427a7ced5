"""For any order a Saleor shop can have: what is reported adds up to the store's own figures, to the cent.

The store's figures are worked out from what was asked of the pretend Saleor, as one sum, and taken from the
totals in its bodies; the pretend network judges the forms. PROPERTY_EXAMPLES says how many orders are tried.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from impact_app.domain.events import OrderSeen
from impact_app.domain.orders import Order, Payment
from impact_app.domain.plan import Plan, Submit, plan
from impact_app.domain.reasons import Reason
from impact_app.http import Http
from impact_app.simulator.network import Books
from impact_app.simulator.network.validation import read_conversion
from impact_app.simulator.saleor.deliveries import encode, event
from impact_app.simulator.saleor.orders import (
    Body,
    LineSpec,
    OrderSpec,
    cancel,
    charge,
    digits,
    edit,
    global_id,
    grant,
    order,
    refund,
    return_units,
    rounded,
)
from impact_app.simulator.saleor.server import PretendSaleor, running_saleor
from impact_app.stores.saleor import documents
from impact_app.stores.saleor.api import SaleorApi
from impact_app.stores.saleor.documents import Version
from impact_app.stores.saleor.orders import fetch_order
from impact_app.stores.saleor.reading import read, read_order
from impact_app.transports.api.request import Form, call
from tests.stores.saleor import strategies
from tests.stores.saleor.books import SETUP, Told, check_followed, context, rules

D = Decimal
ZERO = D(0)
EXAMPLES = int(os.environ.get("PROPERTY_EXAMPLES", "1000"))
VERSIONS = (Version(3, 20), Version(3, 21), Version(3, 22), Version(3, 23))


def _few(examples: int) -> settings:
    return settings(
        max_examples=max(1, examples),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )


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


# After the sale


@dataclass
class Life:
    """An order and what became of it, with what its body does not sum up.

    `loose`   given back for nothing in particular, with tax
    `fees`    what staff kept of the price of units that came back, with tax
    `waits`   whether units were named that no money has gone back for: later money may have been for them
    `freight` whether some money that went back may have been for shipping
    `odd`     how many smallest units the roundings may come to
    """

    spec: OrderSpec
    node: Body
    loose: Decimal = ZERO
    fees: Decimal = ZERO
    waits: bool = False
    freight: bool = False
    odd: int = 0

    @property
    def cent(self) -> Decimal:
        return D(1).scaleb(-digits(self.spec.currency))

    @property
    def charged(self) -> Decimal:
        return amount_of(self.node["totalCharged"])

    @property
    def shipping(self) -> Decimal:
        return amount_of(self.node["shippingPrice"]["gross"])

    @property
    def total(self) -> Decimal:
        return amount_of(self.node["total"]["gross"])

    def some_units(self, random: Random) -> dict[int, int]:
        """Units, by place, of lines that nothing was named of yet, or not all of."""
        named: Counter[str] = Counter()
        for one in (*self.node["grantedRefunds"], *self.node["fulfillments"]):
            if one["status"] not in _SAYS_NOTHING:
                for line in one["lines"]:
                    named[line["orderLine"]["id"]] += line["quantity"]
        left = {at: line["quantity"] - named[line["id"]] for at, line in enumerate(self.node["lines"])}
        chosen = {at: units for at, units in left.items() if units > 0 and random.random() < 0.5}
        return {at: random.choice((units, random.randint(1, units))) for at, units in chosen.items()}

    def pay_back(self, amount: Decimal) -> None:
        if amount:
            self.node = refund(self.node, amount)


_SAYS_NOTHING = {"FAILURE", "CANCELED", "FULFILLED", "WAITING_FOR_APPROVAL"}


def amount_of(money: Body) -> Decimal:
    found = money["amount"]
    assert isinstance(found, Decimal)
    return found


def units_granted_and_paid(random: Random, life: Life) -> None:
    """Units come back with their money; perhaps with shipping, with something on top, or less a fee."""
    some = life.some_units(random)
    # Saleor refuses to grant shipping a second time.
    has_shipping = any(one["shippingCostsIncluded"] for one in life.node["grantedRefunds"])
    with_shipping = not has_shipping and random.random() < 0.3
    status = random.choice(("NONE", "PENDING", "SUCCESS"))
    granted = grant(life.node, some, status=status, with_shipping=with_shipping)
    worth = amount_of(granted["grantedRefunds"][-1]["amount"])
    # What is paid beside an odd cent of every unit is told from a rounding.
    least = (sum(some.values()) + 1) * life.cent
    amount = random.choice((worth, worth, worth + least * 2, worth - least * 2))
    fee = max(D(0), worth - amount)
    if not some or not 0 < amount <= life.charged or (fee and life.waits):
        return
    life.node = grant(life.node, some, status=status, amount=amount, with_shipping=with_shipping)
    life.fees, life.freight = life.fees + fee, life.freight or with_shipping
    life.odd += 2 * len(some)
    life.pay_back(amount)


def units_refunded_by_fulfilment(random: Random, life: Life) -> None:
    """The older payments' way, and units that come back before or with their money."""
    some, status = life.some_units(random), random.choice(("REFUNDED", "REFUNDED_AND_RETURNED", "RETURNED"))
    worth = amount_of(grant(life.node, some)["grantedRefunds"][-1]["amount"])
    if some and worth <= life.charged:
        # No amount is told, and Saleor pays units back at the rounded price of one: half a cent off for each.
        life.odd += 2 * len(some) + sum(some.values()) // 2
        life.node = return_units(life.node, some, status=status)
        life.pay_back(worth)


def units_named_only(random: Random, life: Life) -> None:
    """Granted or returned, and no money moves."""
    some, status = life.some_units(random), random.choice(("NONE", "PENDING", "FAILURE", "RETURNED"))
    if life.fees or not some:
        return
    if status == "RETURNED":
        life.node = return_units(life.node, some)
    else:
        life.node = grant(life.node, some, status=status)
    life.waits = life.waits or status != "FAILURE"
    life.odd += sum(some.values())


def told_nothing(random: Random, life: Life) -> None:
    """A fulfilment made, or taken back, says nothing of money."""
    life.node = return_units(life.node, life.some_units(random), status=random.choice(tuple(_SAYS_NOTHING)))


def money_goes_back(random: Random, life: Life) -> None:
    amount = rounded(life.total * random.randint(1, 60) / 100, life.spec.currency)
    if amount <= life.charged:
        life.loose += amount
        life.freight = life.freight or life.loose == life.shipping
        life.pay_back(amount)


def shipping_goes_back(_: Random, life: Life) -> None:
    if life.shipping <= life.charged:
        life.freight = True
        life.pay_back(life.shipping)


def paid_too_much(random: Random, life: Life) -> None:
    """And given back again."""
    more = random.randint(1, 900) * life.cent
    life.node = refund(charge(life.node, more), more)


def all_goes_back(_: Random, life: Life) -> None:
    life.pay_back(life.charged)


def cancelled(_: Random, life: Life) -> None:
    life.node = cancel(life.node)


def edited(random: Random, life: Life) -> None:
    """Staff change units and add lines while nothing was given back; most often what is due is settled."""
    if amount_of(life.node["totalRefunded"]) or life.spec.gift_card or life.odd or life.waits:
        return
    lines = [
        replace(line, quantity=random.choice((line.quantity, random.randint(1, 50))))
        for line in life.spec.lines
    ]
    if random.random() < 0.4:
        lines.append(replace(random.choice(lines), sku=random.choice(("NEW-1", "A-1"))))
    life.spec = replace(life.spec, lines=tuple(lines))
    life.node = edit(life.node, life.spec)
    due = life.total - life.charged
    if due < 0:
        life.pay_back(-due)
    elif random.random() < 0.8:
        life.node = charge(life.node)


_SELDOM = (all_goes_back, cancelled, paid_too_much, shipping_goes_back, told_nothing)
_CHANGES = (units_granted_and_paid, units_refunded_by_fulfilment, units_named_only, money_goes_back, edited)


def kept_money(life: Life, found: Order) -> list[Decimal]:
    """What the shop keeps for its merchandise, with tax, by its sums alone; several where it is not told."""
    if found.cancelled_at is not None or found.payment is Payment.REFUNDED:
        return [D(0)]
    back = max(D(0), life.total - life.charged)
    goods = amount_of(life.node["subtotal"]["gross"]) - back - life.fees
    # What is left beside units that were named without money may be just what shipping cost.
    is_sure = not (life.freight or life.waits)
    return [max(D(0), goods + part) for part in ((D(0),) if is_sure else (D(0), life.shipping))]


@_few(EXAMPLES // 4)
@given(strategies.orders(), st.integers(0, 2**32 - 1))
def test_what_impact_com_holds_follows_the_money_the_shop_keeps(spec: OrderSpec, seed: int) -> None:
    """With tax the sum is known by the store's sums alone; without it, each line's by its own net."""
    random, life = Random(seed), Life(spec, order(replace(spec, status="UNCONFIRMED")))
    everything = {"include": "gift_cards,tax", "added_items": "second_conversion"}
    with_tax, net = (
        Told(spec.created, **everything),
        Told(spec.created, **everything | {"include": "gift_cards"}),
    )
    goods = Told(spec.created)
    for _ in range(6):
        found = seen(life.node)
        for told in (with_tax, net, goods):
            check_followed(found, told.follow(found), told)
        if found.payment is not Payment.UNPAID:
            kept = kept_money(life, found)
            assert any(abs(with_tax.amount - one) <= life.odd * life.cent for one in kept), kept
            check_net(life, found, net)
        change = random.choice((random.choice(_SELDOM), *_CHANGES, *_CHANGES))
        change(random, life)
        note(f"{change.__name__}: charged {life.charged} of {life.total}")


def check_net(life: Life, found: Order, net: Told) -> None:
    """Each line's net is its share for the units kept; the whole falls with what went back for no unit.

    A share of a price and a share of its tax are each rounded, so a line may be two smallest units off.
    """
    lines = {line["id"]: line for line in life.node["lines"]}
    left = plan(found, rules(include="gift_cards", amount_refunds="leave"), None, context(found))
    for item in left.figures:
        whole = amount_of(lines[item.line.id]["totalPrice"]["net"])
        share = whole * item.line.kept / item.line.quantity
        assert abs(item.net.amount - share) < 2 * life.cent
        assert item.net.amount == whole or item.line.kept < item.line.quantity
    if found.given_back is None or found.cancelled_at is not None or found.payment is Payment.REFUNDED:
        return
    kept, back = left.conversion.net.amount, found.given_back.shop.amount
    if life.spec.with_tax and kept:
        paid = sum((item.value.amount for item in left.figures), D(0))
        back = kept * min(back, paid) / paid
    apart = net.amount - max(D(0), kept - back)
    assert abs(apart) <= (len(lines) * life.cent / 2 if life.spec.with_tax else 0)
