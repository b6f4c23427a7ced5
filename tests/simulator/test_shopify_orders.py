"""The pretend store's order bodies: Shopify's shape, and money that adds up by arithmetic written here."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from impact_app.simulator.shopify.orders import (
    DiscountSpec,
    LineSpec,
    OrderSpec,
    cancel,
    edit,
    encode,
    order_body,
    refund,
    truth,
)

D = Decimal
REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "shopify-payloads"
REAL_ORDER = REFERENCE / "real-dev-store" / "orders_create_hkd_automatic_fixed_on_one_line.json"


def sample(folder: str, name: str) -> Any:
    path = REFERENCE / folder / name
    if not path.exists():
        pytest.skip(f"the published payload {name} is not on this machine")
    return json.loads(path.read_text(encoding="utf-8"))


def keys(value: Any, path: str = "") -> set[str]:
    """Every key of a body with its path; money bags count as one."""
    if isinstance(value, list):
        return set().union(*(keys(item, path + "[]") for item in value))
    if not isinstance(value, dict):
        return set()
    below = (keys(item, f"{path}.{name}") for name, item in value.items() if not name.endswith("_set"))
    return {f"{path}.{name}" for name in value}.union(*below)


def rich_order(**changes: Any) -> dict[str, Any]:
    spec = OrderSpec(
        lines=(
            LineSpec(tax_rate=D("0.06"), properties=(("Engraving", "A"),)),
            LineSpec(sku="B", price=D(50)),
        ),
        discounts=(DiscountSpec(kind="automatic", name="Spring", value=D(5), value_type="fixed_amount"),),
        **changes,
    )
    return order_body(spec)


def allocated(line: dict[str, Any]) -> list[str]:
    return [part["amount"] for part in line["discount_allocations"]]


def test_a_body_has_every_key_of_a_real_order_but_the_one_shopify_removed() -> None:
    real = sample("real-dev-store", REAL_ORDER.name)
    assert keys(real) - keys(rich_order()) == {".checkout_id"}


def test_a_body_has_the_keys_of_the_2026_reference_order() -> None:
    reference = keys(sample("doc-samples/2026-07", "orders_paid.json")["response"])
    staff = {".line_items[].attributed_staffs[].id", ".line_items[].attributed_staffs[].quantity"}
    missing = reference - keys(rich_order())
    assert missing == staff
    assert "checkout_id" not in rich_order()


def test_ten_off_three_equal_lines_is_spread_unevenly_and_adds_up() -> None:
    lines = tuple(LineSpec(sku=sku, price=D(199)) for sku in "ABC")
    code = DiscountSpec(name="TENOFF", value=D(10), value_type="fixed_amount")
    body = order_body(OrderSpec(lines=lines, discounts=(code,), shipping=D(7)))
    assert [allocated(line) for line in body["line_items"]] == [["3.34"], ["3.33"], ["3.33"]]
    assert body["subtotal_price"] == "587.00"  # 3 * 199.00 - 10.00
    assert body["total_line_items_price"] == "597.00"
    assert body["total_price"] == "594.00"  # 587.00 + 7.00
    assert body["total_discounts"] == "10.00"
    assert body["discount_codes"] == [{"code": "TENOFF", "amount": "10.00", "type": "fixed_amount"}]
    assert [line["total_discount"] for line in body["line_items"]] == ["0.00"] * 3
    assert body["discount_applications"][0]["value"] == "10.0"


def test_discounts_apply_one_after_the_other() -> None:
    lines = (LineSpec(sku="A", price=D("14.00"), quantity=2), LineSpec(sku="B", price=D("33.00"), quantity=3))
    discounts = (
        DiscountSpec(
            kind="automatic", name="B", selection="entitled", entitled=(1,), method="each", value=D(10)
        ),
        DiscountSpec(name="HALF", value=D(50)),
    )
    body = order_body(OrderSpec(lines=lines, discounts=discounts))
    # B: 99.00 - 9.90 = 89.10; both: (28.00 + 89.10) * 0.5 = 58.55, of which A takes 14.00 and B 44.55
    assert [allocated(line) for line in body["line_items"]] == [["14.00"], ["9.90", "44.55"]]
    assert body["subtotal_price"] == "58.55"
    assert [code["amount"] for code in body["discount_codes"]] == ["58.55"]


def test_each_unit_of_a_line_is_reduced_and_one_reduces_a_single_line() -> None:
    lines = (LineSpec(sku="A", price=D(8), quantity=3), LineSpec(sku="B", price=D(2), quantity=3))
    each = DiscountSpec(
        value=D(3), value_type="fixed_amount", selection="entitled", entitled=(0, 1), method="each"
    )
    body = order_body(OrderSpec(lines=lines, discounts=(each,)))
    assert [allocated(line) for line in body["line_items"]] == [
        ["9.00"],
        ["6.00"],
    ]  # B holds no more than 6.00
    one = DiscountSpec(
        value=D(3), value_type="fixed_amount", selection="explicit", entitled=(1, 0), method="one"
    )
    body = order_body(OrderSpec(lines=lines, discounts=(one,)))
    assert [allocated(line) for line in body["line_items"]] == [[], ["3.00"]]


def test_gift_cards_and_tips_escape_order_wide_discounts_but_stand_in_the_subtotal() -> None:
    lines = (
        LineSpec(price=D(40)),
        LineSpec(sku="GC", gift_card=True, price=D(25)),
        LineSpec(tip=True, price=D(5)),
    )
    spec = OrderSpec(lines=lines, discounts=(DiscountSpec(value=D(100)),))
    body = order_body(spec)
    assert [line["product_id"] is None for line in body["line_items"]] == [False, False, True]
    assert body["subtotal_price"] == "30.00"  # 40.00 - 40.00 + 25.00 + 5.00
    assert body["total_tip_received"] == "5.00"
    assert truth(spec).shop.net_of_tax == D(0)
    assert truth(spec).shop.store_subtotal == D(30)


def test_shipping_discounts_stay_on_the_shipping_line() -> None:
    free = DiscountSpec(name="FREESHIP", target="shipping_line", value=D(100))
    body = order_body(OrderSpec(discounts=(free,), shipping=D("4.90")))
    shipping = body["shipping_lines"][0]
    assert (shipping["price"], shipping["discounted_price"]) == ("4.90", "0.00")
    assert allocated(shipping) == ["4.90"]
    assert allocated(body["line_items"][0]) == []
    assert body["discount_codes"] == [{"code": "FREESHIP", "amount": "4.90", "type": "shipping"}]
    assert (body["subtotal_price"], body["total_price"], body["total_discounts"]) == (
        "100.00",
        "100.00",
        "4.90",
    )


def test_a_draft_orders_manual_discount_poses_as_a_code() -> None:
    manual = DiscountSpec(kind="manual", name="Courtesy", value=D(20))
    draft = order_body(OrderSpec(discounts=(manual,), source_name="shopify_draft_order"))
    assert draft["discount_codes"] == [{"code": "Courtesy", "amount": "20.00", "type": "percentage"}]
    assert "code" not in draft["discount_applications"][0]
    assert order_body(OrderSpec(discounts=(manual,)))["discount_codes"] == []


def test_tax_is_contained_or_added() -> None:
    line = LineSpec(price=D(119), tax_rate=D("0.19"))
    inside = OrderSpec(lines=(line,), taxes_included=True, shipping=None)
    assert order_body(inside)["total_tax"] == "19.00"  # 119.00 * 0.19 / 1.19
    assert order_body(inside)["total_price"] == "119.00"
    assert truth(inside).shop.net_of_tax == D(100)
    outside = OrderSpec(lines=(line,), shipping=D(10), shipping_tax_rate=D("0.19"))
    body = order_body(outside)
    assert body["total_tax"] == "24.51"  # 22.61 + 1.90
    assert body["total_price"] == "153.51"  # 119.00 + 10.00 + 24.51
    assert [(tax["rate"], tax["price"]) for tax in body["tax_lines"]] == [(D("0.19"), "24.51")]
    assert truth(outside).shop.net_of_tax == D(119)


@pytest.mark.parametrize(("currency", "text"), [("JPY", "1250"), ("KWD", "1250.000"), ("EUR", "1250.00")])
def test_money_has_the_decimals_of_its_currency(currency: str, text: str) -> None:
    body = order_body(OrderSpec(lines=(LineSpec(price=D(1250)),), currency=currency))
    assert body["line_items"][0]["price"] == text
    assert body["subtotal_price_set"]["shop_money"] == {"amount": text, "currency_code": currency}


def test_an_amount_finer_than_its_currency_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match=r"9\.5 JPY is finer than the currency's smallest unit"):
        order_body(OrderSpec(lines=(LineSpec(price=D("9.5")),), currency="JPY"))


def test_shop_and_presentment_money_each_add_up() -> None:
    spec = OrderSpec(
        lines=tuple(LineSpec(sku=sku, price=D("9.99")) for sku in "ABC"),
        discounts=(DiscountSpec(value=D(10), value_type="fixed_amount"),),
        currency="EUR",
        presentment_currency="JPY",
        exchange_rate=D("161.27"),
    )
    body = order_body(spec)
    assert body["subtotal_price"] == "19.97"  # 29.97 - 10.00
    # 9.99 * 161.27 = 1611.09 → 1611 a line; 10.00 → 1613
    assert body["subtotal_price_set"]["presentment_money"] == {"amount": "3220", "currency_code": "JPY"}
    spread = [line["discount_allocations"][0]["amount_set"] for line in body["line_items"]]
    assert [part["presentment_money"]["amount"] for part in spread] == ["538", "538", "537"]
    assert truth(spec).presentment.store_subtotal == D(3220)


def test_the_truth_adds_lines_of_one_sku_together() -> None:
    lines = (
        LineSpec(sku="A", price=D(10), quantity=2),
        LineSpec(sku=None),
        LineSpec(sku="A", price=D("7.50")),
    )
    figures = truth(OrderSpec(lines=lines)).shop
    assert {sku: (part.quantity, part.net_of_tax) for sku, part in figures.by_sku.items()} == {
        "A": (3, D("27.50")),
        "": (1, D(100)),
    }


def test_the_bytes_are_utf8_json_with_ruby_escapes_and_plain_numbers() -> None:
    lines = (LineSpec(title="Größe <M> & 測試", tax_rate=D("0.06")),)
    body = order_body(OrderSpec(lines=lines, landing_site="/?a=1&im_ref=x"))
    refunded, _ = refund(body, {body["line_items"][0]["id"]: 1})
    raw = encode(body)
    assert "Größe \\u003cM\\u003e \\u0026 測試".encode() in raw
    assert b'"rate":0.06' in raw
    assert b'"subtotal":100.0,"total_tax":6.0' in encode(refunded)
    assert json.loads(raw, parse_float=D) == body


def test_parts_of_a_line_given_back_add_up_to_its_net() -> None:
    spec = OrderSpec(
        lines=(LineSpec(sku="A", price=D(4), quantity=3), LineSpec(sku="B", price=D(30))),
        discounts=(DiscountSpec(value=D(2), value_type="fixed_amount", selection="entitled", entitled=(0,)),),
    )
    order = order_body(spec)
    line = order["line_items"][0]["id"]
    subtotals = []
    for left in (2, 1, 0):
        given, order = refund(order, {line: 1})
        subtotals.append(given["refund_line_items"][0]["subtotal"])
        assert order["line_items"][0]["current_quantity"] == left
    assert subtotals == [D("3.33"), D("3.34"), D("3.33")]  # 3 * 4.00 - 2.00 = 10.00
    assert order["line_items"][0]["quantity"] == 3
    assert (order["subtotal_price"], order["current_subtotal_price"]) == ("40.00", "30.00")
    assert order["current_total_discounts"] == "0.00"
    assert order["financial_status"] == "partially_refunded"
    assert len(order["refunds"]) == 3
    assert order["updated_at"] > order["created_at"]


def test_a_refund_names_the_order_it_belongs_to_and_leaves_the_given_body_alone() -> None:
    body = rich_order()
    before = encode(body)
    given, after = refund(body, {body["line_items"][0]["id"]: 1}, restock_type="no_restock")
    assert encode(body) == before
    assert given["order_id"] == after["id"]
    assert given == after["refunds"][0]
    assert given["restock"] is False
    with pytest.raises(ValueError, match="has 0 left, so 1 cannot come back"):
        refund(after, {body["line_items"][0]["id"]: 1})
    with pytest.raises(ValueError, match="has no line 1"):
        refund(after, {1: 1})


def test_a_refund_has_the_keys_of_the_published_ones() -> None:
    body = rich_order()
    given, _ = refund(body, {body["line_items"][0]["id"]: 1}, shipping=D(2), adjustment=D(1))
    published = keys(sample("doc-samples/2026-07", "refunds_create.json")["response"])
    shown = {key for key in published if not key.startswith((".return.", ".transactions"))}
    assert shown - keys(given) == set()
    shipping = keys(sample("rest-examples", "refund_929361471_shipping_only.json")["refund"])
    assert shipping - keys(given) == set()


def test_shipping_and_bare_money_come_back_below_zero() -> None:
    body = order_body(OrderSpec(shipping=D(10), shipping_tax_rate=D("0.1")))
    given, after = refund(body, shipping=D(4), adjustment=D(15))
    parts = [(part["kind"], part["amount"], part["tax_amount"]) for part in given["order_adjustments"]]
    assert parts == [("shipping_refund", "-4.00", "-0.40"), ("refund_discrepancy", "-15.00", "0.00")]
    assert given["refund_line_items"] == []
    assert [paid["amount"] for paid in given["transactions"]] == ["19.40"]  # 4.00 + 0.40 + 15.00
    assert after["current_shipping_price_set"]["shop_money"]["amount"] == "6.00"
    assert after["current_subtotal_price"] == "100.00"
    assert after["current_total_price"] == "106.60"  # 100.00 + 6.00 + 0.60


def test_units_can_come_back_for_nothing() -> None:
    body = order_body(OrderSpec(lines=(LineSpec(quantity=2),)))
    line = body["line_items"][0]["id"]
    given, after = refund(body, {line: 1}, subtotals={line: D(0)}, adjustment=D(30))
    assert given["refund_line_items"][0]["subtotal"] == 0
    assert given["transactions"][0]["amount"] == "30.00"
    assert after["current_subtotal_price"] == "100.00"


def test_a_cancelled_order_keeps_nothing() -> None:
    body = rich_order(duties=D(3), fees=D(2), shipping_tax_rate=D("0.2"))
    first, partly = refund(body, {body["line_items"][0]["id"]: 1})
    after = cancel(partly)
    assert after["cancel_reason"] == "customer"
    assert after["cancelled_at"] == after["updated_at"]
    current = [after[f"current_{name}"] for name in ("subtotal_price", "total_tax", "total_price")]
    assert current == ["0.00", "0.00", "0.00"]
    assert [line["current_quantity"] for line in after["line_items"]] == [0, 0]
    moved = [D(paid["amount"]) for record in after["refunds"] for paid in record["transactions"]]
    assert len(moved) == 2
    assert sum(moved) == D(after["total_price"])
    assert after["financial_status"] == "refunded"
    assert first["restock"] is True


def test_an_unpaid_order_is_voided() -> None:
    after = cancel(rich_order(financial_status="authorized"), reason="fraud")
    assert (after["financial_status"], after["cancel_reason"]) == ("voided", "fraud")
    assert after["refunds"][0]["transactions"] == []


def test_an_edit_names_changes_without_prices_and_the_order_shows_them() -> None:
    body = order_body(
        OrderSpec(lines=(LineSpec(sku="A", price=D(20), quantity=2), LineSpec(sku="B", price=D(5))))
    )
    first, second = (line["id"] for line in body["line_items"])
    new = LineSpec(sku="C", price=D(12), quantity=2, tax_rate=D("0.1"))
    edited, after = edit(body, remove={first: 1}, increase={second: 1}, add=[new])
    third = after["line_items"][2]["id"]
    assert edited["order_edit"]["order_id"] == body["id"]
    assert edited["order_edit"]["line_items"] == {
        "additions": [{"id": second, "delta": 1}, {"id": third, "delta": 2}],
        "removals": [{"id": first, "delta": 1}],
    }
    kept = [(line["quantity"], line["current_quantity"]) for line in after["line_items"]]
    assert kept == [(2, 1), (2, 2), (2, 2)]
    assert after["subtotal_price"] == "74.00"  # 40.00 + 10.00 + 24.00, the removed unit still in it
    assert after["current_subtotal_price"] == "54.00"
    assert after["total_tax"] == "2.40"
    assert after["total_outstanding"] == "31.40"  # 5.00 + 24.00 + 2.40
    assert after["refunds"][0]["refund_line_items"][0]["restock_type"] == "cancel"
    assert after["refunds"][0]["transactions"] == []
    published = keys(sample("doc-samples/2026-07", "orders_edited.json")["response"])
    assert published == keys(edited)
