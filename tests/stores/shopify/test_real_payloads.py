"""Payloads that others published, each with the event it is read as and the verdict it earns.

They are read in place and never copied here. The documentation's samples do not add up, by their publisher's
own word; so one of them is held. Where nothing is said about an order's age, it is judged as of its own date.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from impact_app.domain.events import (
    Event,
    OrderChanged,
    OrderSeen,
    PrivacyAsked,
    ScopesChanged,
    Uninstalled,
    UnknownTopic,
    Unreadable,
)
from impact_app.domain.mapping import Target
from impact_app.domain.orders import Order
from impact_app.domain.plan import Context, Modify, Plan, Reverse, Submit, plan, taken_as_reported
from impact_app.domain.reasons import Reason
from impact_app.domain.rules import read_rules
from impact_app.pipeline.preview import preview, unwrapped
from impact_app.simulator.network import Books
from impact_app.simulator.network.validation import read_conversion
from impact_app.simulator.shopify.orders import cancel, refund
from impact_app.stores.shopify.reading import read, read_order
from impact_app.transports.api.request import call

PAYLOADS = Path(__file__).parents[4] / "shared" / "reference" / "shopify-payloads"
REAL = "real-dev-store/orders_create_hkd_automatic_fixed_on_one_line.json"
D = Decimal


def payload(name: str) -> bytes:
    file = PAYLOADS / name
    if not file.exists():
        pytest.skip(f"The published payload {name} is not on this machine; it is read in place.")
    return file.read_bytes()


def judged(order: Order, **rules: str) -> Plan:
    context = Context(Target("1000", "9876"), (), order.changed_at)
    return plan(order, read_rules(rules), None, context)


# Shopify's documentation samples, a topic each

SAMPLES: dict[str, tuple[str, Event | type[OrderSeen]]] = {
    "orders_paid": ("orders/paid", OrderSeen),
    "orders_updated": ("orders/updated", OrderSeen),
    "orders_cancelled": ("orders/cancelled", OrderSeen),
    "orders_edited": ("orders/edited", OrderChanged("820982911946154500")),
    "refunds_create": ("refunds/create", OrderChanged("820982911946154500")),
    "app_uninstalled": ("app/uninstalled", Uninstalled()),
    "app_scopes_update": ("app/scopes_update", ScopesChanged("read_products,write_products")),
    "customers_data_request": (
        "customers/data_request",
        PrivacyAsked("show", ("299938", "280263", "220458")),
    ),
    "customers_redact": (
        "customers/redact",
        PrivacyAsked("redact_customer", ("299938", "280263", "220458")),
    ),
    "shop_redact": ("shop/redact", PrivacyAsked("redact_store", ())),
    "bulk_operations_finish": ("bulk_operations/finish", UnknownTopic()),
}


def sample(name: str) -> bytes:
    """The body under `response`; the rest of the file describes the topic."""
    whole = json.loads(payload(f"doc-samples/2026-07/{name}.json"), parse_float=str)
    return json.dumps(whole["response"]).encode()


@pytest.mark.parametrize("name", SAMPLES)
def test_each_documented_topic_is_read_as_its_event(name: str) -> None:
    topic, expected = SAMPLES[name]
    found = read(topic, sample(name))
    if expected is OrderSeen:
        assert isinstance(found, OrderSeen)
        assert found.order.key == "820982911946154500"
    else:
        assert found == expected


def test_no_documented_sample_is_left_out() -> None:
    payload(f"doc-samples/2026-07/{next(iter(SAMPLES))}.json")
    assert {file.stem for file in (PAYLOADS / "doc-samples/2026-07").iterdir()} == set(SAMPLES)


@pytest.mark.parametrize("name", ["orders_paid", "orders_updated", "orders_cancelled"])
@pytest.mark.parametrize(
    ("rules", "reason"),
    [({}, Reason.TEST_ORDER), ({"test_orders": "send", "send": "all"}, Reason.CANCELLED_BEFORE_REPORT)],
)
def test_the_documented_order_is_a_cancelled_test_order(
    name: str, rules: dict[str, str], reason: Reason
) -> None:
    found = judged(read_order(sample(name)), **rules)
    assert (found.step, found.reason) == (None, reason)


def test_the_documented_order_does_not_add_up() -> None:
    """Its lines come to more than its subtotal, so that even paid and real it would be held."""
    body = json.loads(sample("orders_paid"))
    body |= {"test": False, "cancelled_at": None, "financial_status": "paid"}
    order = read_order(json.dumps(body).encode())
    lines = sum((line.unit_price.shop.amount * line.quantity for line in order.lines), D(0))
    assert (lines, order.subtotal.shop.amount) == (D("414.95"), D("404.95"))
    assert judged(order, send="all").reason is Reason.TOTALS_DISAGREE


# Examples from Shopify's REST reference

EXAMPLES: dict[str, tuple[dict[str, str], Reason]] = {
    "order_1073459969_plain_paid_one_line.json": ({}, Reason.NO_CLICK_OR_CODE),
    "order_1073459976_eur_tax_excluded_qty3.json": ({}, Reason.NO_CLICK_OR_CODE),
    "orders_list_450789469_authorized.json": ({}, Reason.NOT_PAID),
    # subtotal 597.00, though 10.00 is allocated to lines of 597.00
    "orders_list_450789469_fixed_code_partially_refunded.json": ({}, Reason.TOTALS_DISAGREE),
}
REFUNDS = ("refund_929361471_shipping_only.json", "refunds_list_509562969_two_lines_restocked.json")


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_rest_example_has_its_verdict(name: str) -> None:
    rules, reason = EXAMPLES[name]
    found = judged(read_order(unwrapped(payload(f"rest-examples/{name}"))), **rules)
    assert (found.step, found.reason) == (None, reason)


@pytest.mark.parametrize("name", REFUNDS)
def test_a_refund_is_no_order(name: str) -> None:
    with pytest.raises(Unreadable, match="missing required field `id`"):
        read_order(unwrapped(payload(f"rest-examples/{name}")))


def test_no_rest_example_is_left_out() -> None:
    payload(f"rest-examples/{REFUNDS[0]}")
    assert {file.name for file in (PAYLOADS / "rest-examples").iterdir()} == {*EXAMPLES, *REFUNDS}


def with_a_click(raw: bytes) -> Order:
    """The published order with a click among its note attributes, every other byte's meaning untouched."""
    body = json.loads(raw, parse_float=str)
    body["note_attributes"] = [{"name": "im_ref", "value": "SKhRQaSXwxyOUQ3"}]
    return read_order(json.dumps(body).encode())


def booked(order: Order, **rules: str) -> list[tuple[str, int, Decimal]]:
    """SKU, units and amount of each item the pretend network books for an order, as of its own date."""
    found = judged(order, **rules)
    assert isinstance(found.step, Submit), (found.reason, found.detail)
    books = Books(clock=lambda: order.changed_at)
    form = call(found.step, "IRAbc").form
    submission = books.submit_conversion("IRAbc", read_conversion(form, order.changed_at), "")
    assert submission.error_reason == ""
    (action,) = books.actions()
    assert (action.order_id, action.currency) == (order.key, order.currency)
    return [(item.sku, item.quantity, item.amount) for item in action.items]


def test_the_rest_examples_that_add_up_are_booked_with_their_net() -> None:
    """One iPod of 199.00 USD; three pairs of boots without SKU at 74.99 EUR, the 13.50 of tax left out."""
    plain = with_a_click(unwrapped(payload("rest-examples/order_1073459969_plain_paid_one_line.json")))
    assert booked(plain) == [("IPOD2009BLACK", 1, D("199.00"))]
    boots = with_a_click(unwrapped(payload("rest-examples/order_1073459976_eur_tax_excluded_qty3.json")))
    assert booked(boots) == [("big-brown-bear-boots", 3, 3 * D("74.99"))]


# The real delivery of a development store: a draft order, three lines without SKU, 5.00 off the first


def test_the_real_order_is_withheld_by_default_each_time_for_the_next_reason() -> None:
    order = read_order(payload(REAL))
    for rules, reason in (
        ({}, Reason.DRAFT_WITHOUT_CLICK),
        ({"drafts": "send"}, Reason.NO_CLICK_OR_CODE),
        ({"drafts": "send", "send": "clicks_only"}, Reason.NO_CLICK),
        ({"drafts": "send", "send": "all"}, Reason.NO_ATTRIBUTION_KEY),
    ):
        found = judged(order, **rules)
        assert (found.step, found.reason) == (None, reason)


def test_the_real_order_is_far_too_old_today() -> None:
    order = with_a_click(payload(REAL))
    target = Target("1000", "9876")
    told = {
        now: preview(
            order,
            read_rules({"drafts": "send"}),
            against=None,
            target=target,
            account_sid="IRAbc",
            partner_codes=(),
            now=now,
        )
        for now in (None, order.placed_at.replace(year=2026))
    }
    assert [(one["decision"], one["reason"]) for one in told.values()] == [
        ("submit", "click"),
        ("nothing", "too_old"),
    ]


@pytest.mark.parametrize("rules", [{}, {"drafts": "send", "send": "all"}])
def test_the_real_order_with_a_click_is_booked_with_its_net(rules: dict[str, str]) -> None:
    """
    | variant        | list   | off  | net    |
    | 50398373085484 | 99.00  | 5.00 | 94.00  |
    | 50451770802476 | 100.00 | 0    | 100.00 |
    | 50460159541548 | 100.00 | 0    | 100.00 |

    Shipping of 10.00 stays out: 99.00 - 5.00 + 100.00 + 100.00 = 294.00 HKD.
    """
    order = with_a_click(payload(REAL))
    items = booked(order, **rules)
    assert items == [
        ("50398373085484", 1, D("99.00") - D("5.00")),
        ("50451770802476", 1, D("100.00")),
        ("50460159541548", 1, D("100.00")),
    ]
    assert order.currency == "HKD"
    assert sum(amount for *_, amount in items) == D("99.00") - D("5.00") + D("100.00") + D("100.00")
    assert sum(amount for *_, amount in items) == D("294.00")


def test_the_real_order_is_sent_as_item_discount_without_personal_data() -> None:
    """Its automatic discount has no code, its buyer no account and no e-mail; the names are Chinese."""
    found = judged(with_a_click(payload(REAL)))
    assert found.step is not None
    sent = dict(call(found.step, "IRAbc").form)
    assert sent["OrderId"] == "6200354537772"
    assert sent["EventDate"] == "2025-01-23T22:09:39-05:00"
    assert sent["ItemName1"] == "aaa0103測試商品11aa"
    assert (sent["ItemSubTotal1"], sent["ItemTotalDiscount1"]) == ("99.00", "5.00")
    left_out = {"OrderDiscount", "OrderPromoCode", "CustomerId", "CustomerEmail", "IpAddress", "UserAgent"}
    assert left_out.isdisjoint(sent)


def test_the_real_order_is_followed_through_a_refund_and_a_cancellation() -> None:
    """One snowboard of 100.00 comes back; then all is cancelled, by Shopify's rules."""
    raw = json.loads(payload(REAL), parse_float=Decimal)
    order = with_a_click(payload(REAL))
    context = Context(Target("1000", "9876"), (), order.changed_at)
    held = taken_as_reported(order, read_rules({}), context)
    board = raw["line_items"][1]["id"]
    _, after = refund(raw, {board: 1})
    step = plan(read_order(json.dumps(after, default=str).encode()), read_rules({}), held, context).step
    assert isinstance(step, Modify)
    assert dict(call(step, "IRAbc").form) == {
        "ActionTrackerId": "9876",
        "OrderId": "6200354537772",
        "Reason": "ORDER_UPDATE",
        "DispositionCode": "ORDER_UPDATE",
        "Sku": "50451770802476",
        "Quantity": "0",
        "Amount": "0.00",
    }
    gone = read_order(json.dumps(cancel(after, reason="fraud"), default=str).encode())
    reversal = plan(gone, read_rules({}), step.result, context).step
    assert isinstance(reversal, Reverse)
    assert reversal.code == "CONS_FRAUD"


def test_no_real_order_is_left_out() -> None:
    payload(REAL)
    assert [file.name for file in (PAYLOADS / "real-dev-store").iterdir()] == [Path(REAL).name]


# Shapes of live deliveries, every value a placeholder

SHAPES: Mapping[str, tuple[str, str]] = {
    "2024-01_orders_1.json": ("orders/paid", "Invalid decimal string"),
    "2025-04_orders_1.json": ("orders/paid", "Invalid decimal string"),
    "2025-04_carts_1.json": ("orders/paid", "Invalid decimal string"),
    "2025-04_order_transactions_1.json": ("orders/paid", "missing required field `subtotal_price`"),
    "2025-04_orders_3.json": ("orders/paid", "missing required field `id`"),
    "2025-04_orders_2.json": ("orders/edited", ""),
    "2025-04_refunds_1.json": ("refunds/create", ""),
}


@pytest.mark.parametrize("name", SHAPES)
def test_each_shape_is_read_or_says_what_is_wrong(name: str) -> None:
    topic, fault = SHAPES[name]
    body = payload(f"shape-only/{name}")
    if fault:
        with pytest.raises(Unreadable, match=fault):
            read(topic, body)
    else:
        assert isinstance(read(topic, body), OrderChanged)


def test_no_shape_is_left_out() -> None:
    payload(f"shape-only/{next(iter(SHAPES))}")
    assert {file.name for file in (PAYLOADS / "shape-only").iterdir()} == set(SHAPES)
