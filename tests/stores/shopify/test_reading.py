"""From bytes to events: topics, identity, and bodies that are not what Shopify sends."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import Any

import pytest

from impact_app.domain.events import OrderChanged, OrderSeen, PrivacyAsked, UnknownTopic, Unreadable
from impact_app.domain.orders import Channel, Payment
from impact_app.simulator.shopify.orders import CustomerSpec, edit, encode, refund
from impact_app.stores.shopify.reading import read, read_order
from tests.domain.shop import Body, asked, body, line, percent
from tests.domain.shop import read as read_body

ORDER_TOPICS = ("orders/create", "orders/paid", "orders/updated", "orders/cancelled")


def changed(**fields: Any) -> bytes:
    return encode({**body(line("10.00")), **fields})


# Topics


@pytest.mark.parametrize("topic", ORDER_TOPICS)
def test_topics_that_carry_an_order_are_that_order(topic: str) -> None:
    raw = changed()
    assert read(topic, raw) == OrderSeen(read_order(raw))


def test_topics_that_carry_a_change_name_the_order() -> None:
    raw = body(line("10.00", 2), order_id=2**62 + 3)
    edited, _ = edit(raw, remove={raw["line_items"][0]["id"]: 1})
    refunded, _ = refund(raw, {raw["line_items"][0]["id"]: 1})
    assert read("orders/edited", encode(edited)) == OrderChanged(str(2**62 + 3))
    assert read("refunds/create", encode(refunded)) == OrderChanged(str(2**62 + 3))


def test_privacy_topics_name_their_orders_and_need_none() -> None:
    assert read("customers/redact", b'{"orders_to_redact": [1, "2"]}') == PrivacyAsked(
        "redact_customer", ("1", "2")
    )
    assert read("customers/data_request", b'{"orders_requested": null}') == PrivacyAsked("show", ())
    assert read("shop/redact", b"{}") == PrivacyAsked("redact_store", ())


@pytest.mark.parametrize("topic", ["", "orders", "ORDERS/PAID", "orders/fulfilled", "products/update"])
def test_an_unknown_topic_is_said_to_be_unknown_whatever_its_body(topic: str) -> None:
    assert read(topic, b"\xff not json") == UnknownTopic()


# The order itself


def test_ids_beyond_what_a_float_holds_are_exact() -> None:
    order = read_body(body(line("10.00", variant_id=2**62 + 5, sku=None), order_id=2**62 + 1))
    assert (order.key, order.lines[0].variant_id) == (str(2**62 + 1), str(2**62 + 5))


def test_json_numbers_are_money_to_the_last_digit() -> None:
    """Refund subtotals are JSON numbers; 33.349999999 read as a float would not survive."""
    raw = changed().replace(b'"price":"10.00"', b'"price":33.349999999', 1)
    raw = raw.replace(b'"price_set":', b'"other_set":')
    assert str(read_order(raw).lines[0].unit_price.shop.amount) == "33.349999999"


def test_unknown_fields_are_passed_over_and_optional_ones_may_be_missing() -> None:
    least = {
        "id": 1,
        "currency": "USD",
        "subtotal_price": "10.00",
        "created_at": "2026-11-20T15:04:05Z",
        "financial_status": "paid",
        "line_items": [{"id": 2, "price": "10.00", "quantity": 1, "brand_new": {"field": [1]}}],
        "note_attributes": [{"name": "im_ref", "value": "x"}],
        "brand_new": {"field": [1]},
    }
    order = read_order(json.dumps(least).encode())
    found = asked(order)
    assert found.step is not None
    assert (found.conversion.net.amount, order.current_subtotal) == (Decimal("10.00"), None)
    assert (order.number, order.name, order.customer.id, order.country) == ("1", "1", "", "")


def test_kept_units_are_counted_from_refunds_where_they_are_not_given() -> None:
    raw = refund(body(line("10.00", 3)), None)[1]
    raw = refund(raw, {raw["line_items"][0]["id"]: 2})[1]
    del raw["line_items"][0]["current_quantity"]
    assert read_body(raw).lines[0].kept == 1


@pytest.mark.parametrize(
    ("source", "channel"),
    [
        ("web", Channel.WEB),
        ("755357713", Channel.WEB),
        ("iphone", Channel.WEB),
        (None, Channel.WEB),
        ("pos", Channel.POINT_OF_SALE),
        ("shopify_draft_order", Channel.DRAFT),
        ("subscription_contract", Channel.RENEWAL),
        ("subscription_contract_checkout_one", Channel.RENEWAL),
    ],
)
def test_the_source_says_the_channel(source: str | None, channel: Channel) -> None:
    assert read_order(changed(source_name=source)).channel is channel


@pytest.mark.parametrize(
    ("word", "payment"),
    [
        ("paid", Payment.PAID),
        ("partially_refunded", Payment.PAID),
        ("refunded", Payment.REFUNDED),
        ("voided", Payment.VOIDED),
        ("pending", Payment.UNPAID),
        ("authorized", Payment.UNPAID),
        ("partially_paid", Payment.UNPAID),
        ("expired", Payment.UNPAID),
        (None, Payment.UNPAID),
    ],
)
def test_only_what_was_paid_in_full_is_paid(word: str | None, payment: Payment) -> None:
    assert read_order(changed(financial_status=word)).payment is payment


def test_attributes_are_pairs_in_their_order_whatever_their_shape() -> None:
    for given, expected in (
        ([{"name": "a", "value": 1}, {"name": "a", "value": None}], (("a", "1"), ("a", ""))),
        ({"a": "b", "c": None}, (("a", "b"), ("c", ""))),
        ([{"name": None, "value": "x"}, {"value": "x"}, "x", None, ["x"]], ()),
        ([{"name": "a", "value": ["x"]}], (("a", ""),)),
        (None, ()),
        ("x", ()),
        ({}, ()),
    ):
        assert read_order(changed(note_attributes=given)).attributes == expected


def test_the_country_is_where_it_goes_else_who_pays() -> None:
    to, by = {"country_code": "DE"}, {"country_code": "AT"}
    assert read_order(changed(shipping_address=to, billing_address=by)).country == "DE"
    assert read_order(changed(shipping_address=None, billing_address=by)).country == "AT"
    assert read_order(changed(shipping_address=None, billing_address=None)).country == ""


def test_an_address_is_an_address_or_nothing() -> None:
    for given, expected in (
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("[redacted]", ""),
        ("", ""),
    ):
        assert read_order(changed(browser_ip=given, client_details=None)).ip_address == expected
    from_browser = changed(browser_ip=None, client_details={"browser_ip": "203.0.113.9"})
    assert read_order(from_browser).ip_address == "203.0.113.9"


def test_no_address_name_or_street_is_part_of_an_order() -> None:
    customer = CustomerSpec(id=7, email="ada@example.com", first_name="Ada", last_name="Buyer")
    order = read_body(body(line("10.00"), customer=customer, email="ada@example.com"))
    said = repr(order)
    for personal in ("ada@example.com", "Buyer", "Example Street", "40202"):
        assert personal not in said


def test_control_characters_are_made_visible() -> None:
    raw = body(line("10.00", title="a\x00b\x07c\td"), note_attributes=(("im_ref", "x\x00"),))
    order = read_body(raw)
    assert order.lines[0].title == "a\ufffdb\ufffdc\td"
    assert order.attributes == (("im_ref", "x\ufffd"),)


def test_a_negative_zero_is_zero() -> None:
    raw = body(line("10.00", 1, "A"), line("0.00", 1, "FREE"))
    raw["line_items"][1]["price_set"]["shop_money"]["amount"] = "-0.00"
    assert str(read_body(raw).lines[1].unit_price.shop.amount) == "0.00"


@pytest.mark.parametrize(
    ("selection", "method", "value_type", "order_wide"),
    [
        ("all", "across", "fixed_amount", True),
        ("all", "across", "percentage", True),
        ("all", "each", "percentage", True),
        ("all", "each", "fixed_amount", False),
        ("all", "one", "percentage", False),
        ("entitled", "across", "percentage", False),
        ("explicit", "across", "percentage", False),
        (None, None, None, False),
    ],
)
def test_order_wide_means_all_lines_in_proportion(
    selection: str | None, method: str | None, value_type: str | None, order_wide: bool
) -> None:
    application = {
        "type": "automatic",
        "title": "x",
        "target_selection": selection,
        "allocation_method": method,
        "value_type": value_type,
    }
    (found,) = read_order(changed(discount_applications=[application])).discounts
    assert (found.order_wide, found.on_shipping) == (order_wide, False)


# What is no order


def with_money(amount: str, currency: str = "USD") -> Body:
    money = {"amount": amount, "currency_code": currency}
    return {"shop_money": money, "presentment_money": money}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "not complete JSON"),
        (changed()[:-100], "not complete JSON"),
        ("Größe".encode("latin-1"), "not complete JSON"),
        (b"[" * 100_000, "not as Shopify sends it"),
        (b'{"note_attributes":' + b"[" * 100_000, "not complete JSON"),
        (b"null", "not as Shopify sends it"),
        (b"[]", "not as Shopify sends it"),
        (b"{}", "missing required field `id`"),
        (changed(line_items=None), r"\$.line_items"),
        (changed(line_items=[{"id": 1, "price": "x", "quantity": 1}]), r"\$.line_items\[0\].price"),
        (changed(id=1.5), r"\$.id"),
        (changed(id=""), "no id of Shopify"),
        (changed(id="1" * 65), "no id of Shopify"),
        (changed(id="a\x00"), "no id of Shopify"),
        (changed(currency="usd"), "no ISO 4217 code"),
        (changed(currency="US DOLLAR"), "no ISO 4217 code"),
        (changed(presentment_currency="€"), "no ISO 4217 code"),
        (changed(processed_at=None, created_at=None), "neither processed_at nor created_at"),
        (changed(processed_at="2026-13-45"), r"\$.processed_at"),
        (changed(processed_at="0001-01-01T00:00:00+14:00"), "the year 1"),
        (changed(cancelled_at="9999-12-31T23:59:59-14:00"), "the year 9999"),
        (changed(subtotal_price_set=with_money("NaN")), "subtotal_price is no amount of money: NaN"),
        (changed(subtotal_price_set=with_money("Infinity")), "no amount of money: Infinity"),
        (changed(subtotal_price_set=with_money("1E+13")), "no amount of money"),
        (changed(subtotal_price_set=with_money("1E-10")), "no amount of money"),
        (changed(subtotal_price_set=with_money("10.00", "EUR")), "in other currencies than the order"),
        (changed(total_tip_received="sNaN"), "total_tip_received is no amount of money"),
        (
            changed(presentment_currency="EUR", subtotal_price_set=None, line_items=[]),
            "has no amount in the buyer's currency",
        ),
        (
            changed(line_items=[{"id": 1, "price": "1.00", "quantity": -1}]),
            r"line_items\[0\].quantity is -1",
        ),
        (
            changed(line_items=[{"id": 1, "price": "1.00", "quantity": 10**6 + 1}]),
            r"line_items\[0\].quantity is 1000001",
        ),
    ],
)
def test_what_is_no_order_is_unreadable_and_says_where(raw: bytes, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        read_order(raw)


def test_many_lines_and_refunds_are_read_in_a_moment() -> None:
    """5,000 lines, each refunded: 25 million comparisons if each line looked through every refund."""
    raw = body(line("1.00"), discounts=[percent("10")])
    one = raw["line_items"][0]
    raw["line_items"] = [{**one, "id": at} for at in range(1, 5001)]
    back = {"quantity": 1, "subtotal": "0.90", "total_tax": 0}
    raw["refunds"] = [{"refund_line_items": [{**back, "line_item_id": at} for at in range(1, 5001)]}]
    encoded = encode(raw)
    began = time.process_time()
    order = read_order(encoded)
    assert time.process_time() - began < 1.5
    assert sum(line.returned for line in order.lines) == 5000
