"""Calls as lines of a file: impact.com's columns, the same money, and nothing a spreadsheet runs unasked."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from impact_app.domain.plan import Context, Submit, plan
from impact_app.domain.rules import read_rules
from impact_app.pipeline.export import sums
from impact_app.simulator.shopify.orders import OrderSpec, encode, order_body
from impact_app.stores.shopify.reading import read_order
from impact_app.transports.api.request import call
from impact_app.transports.files.request import (
    CHANGE_COLUMNS,
    CONVERSION_COLUMNS,
    Change,
    Row,
    changes,
    conversion_rows,
    conversions,
    risky,
    text,
)
from tests import strategies
from tests.domain.shop import TARGET
from tests.domain.test_property_totals import lifelike

EXAMPLES = max(1, int(os.environ.get("PROPERTY_EXAMPLES", "20000")) // 100)

FORM = (
    *(("CampaignId", "1000"), ("EventTypeId", "9876"), ("EventDate", "2026-11-20T15:04:05+01:00")),
    *(("OrderId", "450"), ("ClickId", "wXy~7Q"), ("CustomerId", "115"), ("CurrencyCode", "EUR")),
    *(("OrderPromoCode", "WELCOME15"), ("OrderDiscount", "15.00")),
    *(("ItemSku1", "SPADE-1"), ("ItemName1", "Spade"), ("ItemCategory1", "Tools"), ("ItemQuantity1", "3")),
    *(("ItemSubTotal1", "99.00"), ("ItemSku2", "HOSE-20"), ("ItemName2", "Hose, green")),
    *(("ItemCategory2", "Garden"), ("ItemQuantity2", "2"), ("ItemSubTotal2", "28.00")),
)


def read(content: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content, newline="")))


def test_the_file_has_impact_coms_heads_and_a_line_for_each_item() -> None:
    content = text(conversion_rows(FORM), CONVERSION_COLUMNS)
    assert content.splitlines() == [
        "CampaignId,ActionTrackerId,EventDate,OrderId,ClickId,CustomerId,CurrencyCode,"
        "Amount,Category,Sku,Quantity,OrderPromoCode,OrderDiscount,Name",
        "1000,9876,2026-11-20T15:04:05+01:00,450,wXy~7Q,115,EUR,28.00,Garden,HOSE-20,2,"
        'WELCOME15,15.00,"Hose, green"',
        "1000,9876,2026-11-20T15:04:05+01:00,450,wXy~7Q,115,EUR,99.00,Tools,SPADE-1,3,WELCOME15,15.00,Spade",
    ]


def test_what_an_order_lacks_is_empty() -> None:
    form = tuple(pair for pair in FORM if pair[0] not in {"ClickId", "CustomerId"})
    (first, *_) = read(text(conversion_rows(form), CONVERSION_COLUMNS))
    assert (first["ClickId"], first["CustomerId"], first["OrderId"]) == ("", "", "450")


def test_the_lines_of_one_order_stand_together() -> None:
    other = tuple((name, "449" if name == "OrderId" else value) for name, value in FORM)
    rows = conversions([FORM, other])
    assert [(row["OrderId"], row["Sku"]) for row in rows] == [
        *(("449", "HOSE-20"), ("449", "SPADE-1"), ("450", "HOSE-20"), ("450", "SPADE-1"))
    ]


def test_a_file_of_nothing_has_its_heads() -> None:
    assert text([], CHANGE_COLUMNS) == (
        "ActionId,ActionTrackerId,OrderId,Reason,Amount,CurrencyCode,Sku,Quantity\r\n"
    )


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(
    strategies.orders(max_lines=20),
    st.sampled_from(("auto", "order", "item")),
    st.sampled_from(("shop", "shopper")),
)
def test_a_file_is_worth_what_the_call_is(spec: OrderSpec, discounts: str, money: str) -> None:
    order = read_order(encode(order_body(lifelike(spec))))
    rules = read_rules({"send": "all", "test_orders": "send", "discounts": discounts, "money": money})
    found = plan(order, rules, None, Context(TARGET, (), order.placed_at))
    if not isinstance(found.step, Submit):
        return
    made = found.step.conversion

    rows = read(text(conversion_rows(call(found.step, "IRAbc").form), CONVERSION_COLUMNS))

    filled: Sequence[Row] = [{name: value for name, value in row.items() if value} for row in rows]
    assert sums(filled) == {made.currency: made.net.amount}
    assert sum(int(row["Quantity"]) for row in rows) == sum(item.quantity for item in made.items)
    assert {row["Sku"] for row in rows} == {item.sku for item in made.items}


# changes


TARGETED = (("ActionTrackerId", "9876"), ("OrderId", "450"), ("Reason", "ORDER_UPDATE"))
CODE = ("DispositionCode", "ORDER_UPDATE")


def modify(*items: tuple[str, str, str], conversion: tuple[int, int] = (1, 1)) -> Change:
    numbered = [
        pair
        for at, (sku, quantity, amount) in enumerate(items)
        for number in ("" if at == 0 else str(at + 1),)
        for pair in ((f"Sku{number}", sku), (f"Quantity{number}", quantity), (f"Amount{number}", amount))
    ]
    return Change(conversion, "modify", (*TARGETED, CODE, *numbered), "EUR")


REVERSE = Change((1, 1), "reverse", (("ActionId", "1.2.3"), ("DispositionCode", "REJECTED")), "EUR")
RESTORE = Change((1, 1), "restore", (("ActionId", "1.2.3"), ("Reason", "RESET")), "EUR")


def test_a_modification_is_a_line_for_each_item_in_absolute_figures() -> None:
    rows, left_out = changes([modify(("B", "2", "20.00"), ("A", "1", "12.35"))])
    assert text(rows, CHANGE_COLUMNS).splitlines()[1:] == [
        ",9876,450,ORDER_UPDATE,12.35,EUR,A,1",
        ",9876,450,ORDER_UPDATE,20.00,EUR,B,2",
    ]
    assert left_out == 0


def test_the_last_word_on_each_item_stands() -> None:
    rows, _ = changes([modify(("A", "2", "20.00"), ("B", "1", "5.00")), modify(("A", "1", "10.00"))])
    assert [(row["Sku"], row["Amount"]) for row in rows] == [("A", "10.00"), ("B", "5.00")]


def test_a_reversal_stands_for_all_before_it() -> None:
    rows, left_out = changes([modify(("A", "1", "10.00")), REVERSE])
    assert text(rows, CHANGE_COLUMNS).splitlines()[1:] == ["1.2.3,,,REJECTED,0,EUR,,"]
    assert left_out == 0


@pytest.mark.parametrize(
    ("steps", "lines", "left_out"),
    [
        ([REVERSE, RESTORE], 0, 1),
        ([REVERSE, RESTORE, modify(("A", "1", "10.00"))], 0, 1),
        ([REVERSE, RESTORE, REVERSE], 1, 0),
        ([REVERSE, RESTORE, modify(("A", "1", "10.00"), conversion=(2, 1))], 1, 1),
    ],
)
def test_an_undone_reversal_is_left_out_and_counted(steps: list[Change], lines: int, left_out: int) -> None:
    rows, counted = changes(steps)
    assert (len(rows), counted) == (lines, left_out)


# formulas


def with_values(**values: str) -> list[Row]:
    form: list[Any] = [(name, values.get(name, value)) for name, value in FORM]
    return conversion_rows(form)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_words_for_people_never_begin_a_formula(start: str) -> None:
    rows = with_values(ItemName2=f"{start}HYPERLINK()")
    (first, _) = read(text(rows, CONVERSION_COLUMNS))
    assert first["Name"] == f" {start}HYPERLINK()"
    assert risky(rows) == []


def test_what_impact_com_matches_by_stays_exact_and_is_named() -> None:
    rows = with_values(ClickId="=1+1", ItemSku2="-SKU", OrderPromoCode="@CODE")
    (first, _) = read(text(rows, CONVERSION_COLUMNS))
    assert (first["ClickId"], first["Sku"], first["OrderPromoCode"]) == ("=1+1", "-SKU", "@CODE")
    assert risky(rows) == ["ClickId", "OrderPromoCode", "Sku"]


def test_a_file_to_look_at_begins_no_formula() -> None:
    rows = with_values(ClickId="=1+1", ItemSku2="-SKU", OrderPromoCode="@CODE", ItemName1="+name")
    found = read(text(rows, CONVERSION_COLUMNS, to_look_at=True))
    assert not [value for row in found for value in row.values() if value.startswith(("=", "+", "-", "@"))]
    assert found[0]["ClickId"] == "'=1+1"


def test_sums_take_each_discount_off_once() -> None:
    rows = conversion_rows((*FORM, ("ItemTotalDiscount1", "9.00")))
    assert sums(rows) == {"EUR": Decimal("103.00")}  # 99.00 - 9.00 + 28.00 - 15.00
