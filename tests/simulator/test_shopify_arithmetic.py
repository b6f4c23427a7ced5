"""Every generated order adds up, in both currencies, and the truth agrees with the body by another road."""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from hypothesis import given, settings

from impact_app.simulator.shopify.orders import Figures, OrderSpec, cancel, order_body, refund, truth
from impact_app.simulator.shopify.specs import exponent
from tests import strategies

Body = dict[str, Any]
SIDES = ("shop_money", "presentment_money")


def money(bag: Body | None, side: str) -> Decimal:
    return Decimal(str(bag[side]["amount"])) if bag else Decimal(0)


def total(bags: list[Body], name: str, side: str) -> Decimal:
    return sum((money(part[name], side) for part in bags), Decimal(0))


def line_net(line: Body, side: str) -> Decimal:
    taken = total(line["discount_allocations"], "amount_set", side)
    return money(line["price_set"], side) * int(line["quantity"]) - taken


def check_sums(body: Body, side: str, figures: Figures) -> None:
    nets = [line_net(line, side) for line in body["line_items"]]
    assert min(nets) >= 0
    assert nets == [line.net for line in figures.lines]
    taxes = [total(line["tax_lines"], "price_set", side) for line in body["line_items"]]
    assert taxes == [line.tax for line in figures.lines]
    subtotal = money(body["subtotal_price_set"], side)
    assert subtotal == sum(nets) == figures.store_subtotal
    tax = money(body["total_tax_set"], side)
    assert tax == sum(taxes) + sum(
        total(line["tax_lines"], "price_set", side) for line in body["shipping_lines"]
    )
    assert tax == total(body["tax_lines"], "price_set", side)
    parts = ("total_shipping_price_set", "original_total_duties_set", "original_total_additional_fees_set")
    owed = subtotal + sum(money(body[name], side) for name in parts)
    assert money(body["total_price_set"], side) == (owed if body["taxes_included"] else owed + tax)
    assert {Decimal(line["total_discount"]) for line in body["line_items"]} == {Decimal(0)}


@settings(max_examples=120, deadline=None)
@given(strategies.orders(max_lines=60))
def test_a_body_adds_up_and_agrees_with_the_truth(spec: OrderSpec) -> None:
    # Further apart than any two currencies are, one unit of the shop's is more than cents can be spread over.
    spec = replace(spec, exchange_rate=min(spec.exchange_rate, Decimal(1_000)))
    body, expected = order_body(spec), truth(spec)
    for side, figures in zip(SIDES, (expected.shop, expected.presentment), strict=True):
        check_sums(body, side, figures)
        assert figures.net_of_tax == sum(part.net_of_tax for part in figures.by_sku.values())


def taken_by(line: Body, applications: range, side: str) -> Decimal:
    parts = [
        part for part in line["discount_allocations"] if part["discount_application_index"] in applications
    ]
    return total(parts, "amount_set", side)


@settings(max_examples=120, deadline=None)
@given(strategies.orders(max_lines=60))
def test_allocations_of_a_spread_discount_are_its_value_or_all_that_was_left(spec: OrderSpec) -> None:
    body = order_body(spec)
    unit = Decimal(1).scaleb(-exponent(spec.currency))
    for index, discount in enumerate(spec.discounts):
        taken = sum(taken_by(line, range(index, index + 1), "shop_money") for line in body["line_items"])
        targets = discount.targets(spec.lines)[: 1 if discount.method == "one" else None]
        left = sum(
            money(line["price_set"], "shop_money") * line["quantity"]
            - taken_by(line, range(index), "shop_money")
            for line in (body["line_items"][target] for target in targets)
        )
        if discount.method == "each":
            assert taken <= left
        elif discount.value_type == "fixed_amount":
            assert taken == min(left, discount.value)
        else:
            assert taken == Decimal(left * discount.value / 100).quantize(unit, ROUND_HALF_UP)


@settings(max_examples=60, deadline=None)
@given(strategies.orders(max_lines=12))
def test_refunds_take_a_line_apart_without_a_remainder(spec: OrderSpec) -> None:
    order = order_body(spec)
    line = order["line_items"][0]
    subtotals = dict.fromkeys(SIDES, Decimal(0))
    while order["line_items"][0]["current_quantity"]:
        given_back, order = refund(order, {line["id"]: 1})
        for side in SIDES:
            subtotals[side] += total(given_back["refund_line_items"], "subtotal_set", side)
    for side in SIDES:
        assert subtotals[side] == line_net(line, side)
        left = money(order["subtotal_price_set"], side) - subtotals[side]
        assert money(order["current_subtotal_price_set"], side) == left


@settings(max_examples=60, deadline=None)
@given(strategies.orders(max_lines=12))
def test_a_cancelled_order_has_given_everything_back(spec: OrderSpec) -> None:
    order = cancel(order_body(spec))
    for side in SIDES:
        for name in ("subtotal_price", "total_tax", "total_price"):
            assert money(order[f"current_{name}_set"], side) == 0
    paid = [Decimal(entry["amount"]) for record in order["refunds"] for entry in record["transactions"]]
    assert sum(paid) == money(order["total_price_set"], "presentment_money")
