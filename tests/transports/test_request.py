"""A step as impact.com's documented call: its own worked example, field for field."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest

from impact_app.domain.mapping import Target
from impact_app.domain.orders import Order
from impact_app.domain.plan import Context, Submit, plan
from impact_app.domain.rules import read_rules
from impact_app.simulator.network import Books, PromoCode, Setup
from impact_app.simulator.network.changes import read_modification, read_reversal
from impact_app.simulator.network.validation import read_conversion
from impact_app.simulator.shopify.orders import cancel, refund
from impact_app.transports.api.request import call
from tests.domain.shop import Body, CustomerSpec, asked, body, line, off, percent, read

D = Decimal
NOW = datetime.fromisoformat("2026-11-20T15:05:00+01:00")


def worked_body() -> Body:
    """Two hoses of 14.00 and three spades of 33.00, 15.00 off with a code."""
    return body(
        line("14.00", 2, "AB-1", title="Garden hose"),
        line("33.00", 3, "CD-2", title="Spade"),
        discounts=[off("15.00", name="WELCOME10")],
        currency="EUR",
        note_attributes=(("im_ref", "SKhRQaSXwxyOUQ3"),),
        customer=CustomerSpec(id=115310627314723954),
        email="ada@example.com",
    )


def with_catalogue(order: Order) -> Order:
    """The order with what the shop's catalogue adds: product types, and that the customer is new."""
    types = {"AB-1": "Gardening", "CD-2": "Tools"}
    lines = tuple(replace(one, product_type=types[one.sku]) for one in order.lines)
    return replace(order, lines=lines, customer=replace(order.customer, is_new=True))


def test_the_networks_worked_example_field_for_field() -> None:
    """impact.com's reference, API implementation: the names, their spelling and their order."""
    found = asked(with_catalogue(read(worked_body())))
    assert found.step is not None
    made = call(found.step, "IRAbc")
    assert (made.method, made.path) == ("POST", "/Advertisers/IRAbc/Conversions")
    assert made.form == (
        ("CampaignId", "1000"),
        ("EventTypeId", "9876"),
        ("EventDate", "2026-11-20T15:04:05+01:00"),
        ("OrderId", "450789469"),
        ("ClickId", "SKhRQaSXwxyOUQ3"),
        ("CustomerId", "115310627314723954"),
        ("CustomerEmail", hashlib.sha1(b"ada@example.com").hexdigest()),
        ("CustomerStatus", "New"),
        ("CurrencyCode", "EUR"),
        ("OrderPromoCode", "WELCOME10"),
        ("OrderDiscount", "15.00"),
        ("ItemSku1", "AB-1"),
        ("ItemName1", "Garden hose"),
        ("ItemCategory1", "Gardening"),
        ("ItemQuantity1", "2"),
        ("ItemSubTotal1", "28.00"),
        ("ItemSku2", "CD-2"),
        ("ItemName2", "Spade"),
        ("ItemCategory2", "Tools"),
        ("ItemQuantity2", "3"),
        ("ItemSubTotal2", "99.00"),
    )


def test_the_worked_example_is_booked_as_impact_com_works_it_out() -> None:
    """15.00 spread over 28.00 and 99.00 is 3.31 and 11.69, so 24.69 and 87.31 are paid on."""
    found = asked(with_catalogue(read(worked_body())))
    assert isinstance(found.step, Submit)
    books = Books(clock=lambda: NOW)
    books.submit_conversion("IRAbc", read_conversion(call(found.step, "IRAbc").form, NOW), "")
    (action,) = books.actions()
    assert [(item.sku, item.quantity, item.amount) for item in action.items] == [
        ("AB-1", 2, D("28.00") - D("3.31")),
        ("CD-2", 3, D("99.00") - D("11.69")),
    ]
    assert action.amount == 2 * D("14.00") + 3 * D("33.00") - D("15.00")
    assert [item.net.amount for item in found.step.conversion.items] == [D("24.69"), D("87.31")]


def test_item_discounts_all_codes_and_the_rest_have_their_place() -> None:
    raw = body(
        line("10.00", 2, "A", title="Shirt"),
        discounts=[off("1.00", name="ONE", selection="entitled", entitled=(0,)), off("2.00", name="TWO")],
        browser_ip="203.0.113.7",
        user_agent="Mozilla/5.0",
    )
    found = asked(read(raw), ip_address="yes", user_agent="yes", brand="yes")
    assert found.step is not None
    assert [name for name, _ in call(found.step, "IRAbc").form] == [
        *("CampaignId", "EventTypeId", "EventDate", "OrderId", "ClickId", "IpAddress", "UserAgent"),
        *("CurrencyCode", "OrderPromoCode", "Text1", "ItemSku1", "ItemName1", "ItemCategory1"),
        *("ItemBrand1", "ItemQuantity1", "ItemSubTotal1", "ItemTotalDiscount1"),
    ]


def test_a_field_without_a_value_is_not_sent() -> None:
    raw = body(line("10.00", title=""), note_attributes=(), discounts=[percent("10", name="ONE")])
    made = asked(read(raw))
    assert made.step is not None
    sent = call(made.step, "IRAbc").form
    assert all(value for _, value in sent)
    assert {"ClickId", "CustomerId", "CustomerEmail", "ItemName1"}.isdisjoint(dict(sent))


@pytest.mark.parametrize("title", ["a\x00b", "a\x07b\x1b[31m", "\ud7ff\uffff", "Größe 測試 👟", "x" * 300])
def test_any_title_makes_a_form_the_network_takes(title: str) -> None:
    made = asked(read(body(line("10.00", title=title), discounts=[percent("10", name=title)])))
    assert made.step is not None
    read_conversion(call(made.step, "IRAbc").form, NOW)


def booked(books: Books, raw: Body) -> Submit:
    step = asked(with_catalogue(read(raw))).step
    assert isinstance(step, Submit)
    books.submit_conversion("IRAbc", read_conversion(call(step, "IRAbc").form, NOW), "")
    return step


def test_a_modification_and_a_reversal_are_taken_and_carried_out() -> None:
    books, raw = Books(clock=lambda: NOW), worked_body()
    held = booked(books, raw).result
    hose = raw["line_items"][0]["id"]
    _, after = refund(raw, {hose: 1})
    context = Context(Target("1000", "9876"), (), NOW)
    change = plan(with_catalogue(read(after)), read_rules({}), held, context).step
    assert change is not None
    made = call(change, "IRAbc")
    assert (made.method, made.path) == ("PUT", "/Advertisers/IRAbc/Actions")
    books.submit_change("IRAbc", read_modification(made.form, Setup()), "")
    (action,) = books.actions()
    # 24.69 for two hoses; the shop gave 12.35 or 12.34 back for one
    back = D(str(after["refunds"][0]["refund_line_items"][0]["subtotal"]))
    assert [(item.quantity, item.amount) for item in action.items] == [
        (1, D("24.69") - back),
        (3, D("87.31")),
    ]
    reversal = plan(with_catalogue(read(cancel(after))), read_rules({}), change.result, context).step
    assert reversal is not None
    made = call(reversal, "IRAbc")
    assert (made.method, made.path) == ("DELETE", "/Advertisers/IRAbc/Actions")
    assert made.form == (
        ("ActionTrackerId", "9876"),
        ("OrderId", "450789469"),
        ("DispositionCode", "REJECTED"),
    )
    books.submit_change("IRAbc", read_reversal(made.form, Setup()), "")
    assert (action.reversed, action.amount) == (True, 0)
    assert [submission.error_reason for submission in books.submissions()] == ["", "", ""]


def test_an_order_with_a_partners_code_alone_is_credited() -> None:
    setup = Setup(promo_codes=(PromoCode(1, "WELCOME10", partner_id=20002),))
    books = Books(setup, clock=lambda: NOW)
    raw = {**worked_body(), "note_attributes": []}
    booked(books, raw)
    (action,) = books.actions()
    assert action.partner.id == 20002
