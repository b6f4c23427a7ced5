"""What is asked of impact.com once it holds an order: the smallest step to what the order has become."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impact_app.domain.orders import Payment
from impact_app.domain.plan import (
    Context,
    Held,
    Limits,
    Modify,
    Reported,
    ReportedItem,
    Restore,
    Reverse,
    Submit,
    plan,
)
from impact_app.domain.reasons import Reason, Verdict
from impact_app.domain.rules import default_text, read_rules
from impact_app.simulator.shopify.orders import cancel, edit, refund
from tests.domain.shop import (
    PLACED,
    TARGET,
    Body,
    asked,
    body,
    form,
    items,
    line,
    money,
    net,
    off,
    percent,
    read,
    reported,
)

D = Decimal


def two_lines(**more: object) -> Body:
    """A: 3 x 10.00, B: 1 x 20.00."""
    return body(line("10.00", 3, "A"), line("20.00", 1, "B"), **more)


def ids(raw: Body) -> list[int]:
    return [one["id"] for one in raw["line_items"]]


def test_nothing_changed_means_nothing_is_sent() -> None:
    raw = two_lines()
    held = reported(read(raw))
    again = {**raw, "updated_at": "2026-11-21T00:00:00+01:00", "note": "Please ring twice"}
    found = asked(read(again), held)
    assert (found.step, found.reason, found.verdict) == (None, Reason.UNCHANGED, Verdict.REPORTED)


def test_units_returned_change_their_item_alone_in_absolute_figures() -> None:
    """3 x 10.00, one unit back: 2 units, 20.00; B is not named."""
    raw = two_lines()
    held = reported(read(raw))
    found = asked(read(refund(raw, {ids(raw)[0]: 1})[1]), held)
    assert isinstance(found.step, Modify)
    assert form(found) == {
        "ActionTrackerId": "9876",
        "OrderId": "450789469",
        "Reason": "ORDER_UPDATE",
        "DispositionCode": "ORDER_UPDATE",
        "Sku": "A",
        "Quantity": "2",
        "Amount": "20.00",
    }
    assert found.step.result == replace(
        held, items=(ReportedItem("A", 2, money("20.00")), ReportedItem("B", 1, money("20.00")))
    )
    assert asked(read(refund(raw, {ids(raw)[0]: 1})[1]), found.step.result).step is None


def test_a_line_returned_whole_stays_listed_with_nothing_and_the_second_item_is_numbered() -> None:
    raw = two_lines()
    held = reported(read(raw))
    sent = form(asked(read(refund(raw, {ids(raw)[0]: 2, ids(raw)[1]: 1})[1]), held))
    assert [(name, value) for name, value in sent.items()][4:] == [
        ("Sku", "A"),
        ("Quantity", "1"),
        ("Amount", "10.00"),
        ("Sku2", "B"),
        ("Quantity2", "0"),
        ("Amount2", "0.00"),
    ]


def test_a_discounted_unit_returns_what_was_paid_for_it() -> None:
    """3 x 10.00 less 10 %: 27.00; one unit back is 9.00 back, so 18.00 stays."""
    raw = two_lines(discounts=[percent("10")])
    held = reported(read(raw))
    sent = form(asked(read(refund(raw, {ids(raw)[0]: 1})[1]), held))
    assert (sent["Quantity"], sent["Amount"]) == ("2", f"{D('27.00') - D('9.00')}")


@pytest.mark.parametrize(
    ("become", "code"),
    [
        (lambda raw: refund(raw, {ids(raw)[0]: 3, ids(raw)[1]: 1})[1], "ITEM_RETURNED"),
        (lambda raw: refund(raw, adjustment=D("50.00"))[1], "ITEM_RETURNED"),
        (cancel, "REJECTED"),
        (lambda raw: cancel(raw, reason="fraud"), "CONS_FRAUD"),
        (lambda raw: cancel(raw, refunded=False), "REJECTED"),
        (lambda raw: edit(raw, remove={ids(raw)[0]: 3, ids(raw)[1]: 1})[1], "ITEM_RETURNED"),
        (lambda raw: {**raw, "financial_status": "voided"}, "ITEM_RETURNED"),
    ],
)
def test_an_order_taken_back_is_reversed_with_its_code_and_only_once(become: object, code: str) -> None:
    raw = two_lines()
    held = reported(read(raw))
    after = read(become(raw))  # type: ignore[operator]
    found = asked(after, held)
    assert isinstance(found.step, Reverse)
    assert form(found) == {
        "ActionTrackerId": "9876",
        "OrderId": "450789469",
        "DispositionCode": code,
    }
    assert found.step.result == replace(held, items=(), is_reversed=True)
    again = asked(after, found.step.result)
    assert (again.step, again.reason, again.verdict) == (None, Reason.REVERSED, Verdict.REPORTED)


def test_the_codes_are_the_merchants() -> None:
    rules = {"code_refund": "RETURNED", "code_cancel": "CALLED_OFF", "code_fraud": "FRAUD"}
    raw = two_lines()
    held = reported(read(raw))
    whole = {ids(raw)[0]: 3, ids(raw)[1]: 1}
    for after, code in (
        (refund(raw, whole)[1], "RETURNED"),
        (cancel(raw), "CALLED_OFF"),
        (cancel(raw, reason="fraud"), "FRAUD"),
    ):
        assert form(asked(read(after), held, **rules))["DispositionCode"] == code


def test_money_back_without_items_is_spread_over_what_is_kept() -> None:
    """30.00 and 20.00 lose 10.00 in proportion: 6.00 and 4.00."""
    raw = two_lines()
    found = asked(read(refund(raw, adjustment=D("10.00"))[1]), reported(read(raw)))
    assert isinstance(found.step, Modify)
    assert found.step.items == (ReportedItem("A", 3, money("24.00")), ReportedItem("B", 1, money("16.00")))


def test_money_back_without_items_is_spread_to_the_cent() -> None:
    """9.99 over 30.00 and 20.00: 5.994 and 3.996; the cent that is left goes to the larger remainder."""
    raw = two_lines()
    found = asked(read(refund(raw, adjustment=D("9.99"))[1]), reported(read(raw)))
    assert isinstance(found.step, Modify)
    left = [item.amount.amount for item in found.step.items]
    assert left == [D("30.00") - D("5.99"), D("20.00") - D("4.00")]
    assert sum(left) == D("50.00") - D("9.99")


def test_money_back_without_items_is_left_alone_by_rule() -> None:
    raw = two_lines()
    held = reported(read(raw), amount_refunds="leave")
    found = asked(read(refund(raw, adjustment=D("49.99"))[1]), held, amount_refunds="leave")
    assert (found.step, found.reason) == (None, Reason.UNCHANGED)


def test_all_but_a_cent_back_leaves_no_item_below_zero() -> None:
    raw = two_lines()
    found = asked(read(refund(raw, adjustment=D("49.99"))[1]), reported(read(raw)))
    assert isinstance(found.step, Modify)
    left = [item.amount.amount for item in found.step.result.items]
    assert (sum(left), min(left)) == (D("0.01"), D("0.00"))


def test_money_back_contains_tax_where_prices_do() -> None:
    """119.00 with 19 % in it is 100.00 net; 11.90 back leaves 107.10, which is 90.00 net."""
    raw = body(line("119.00", 1, "A", tax="0.19"), taxes_included=True)
    held = reported(read(raw))
    assert held.amount == money("100.00")
    sent = form(asked(read(refund(raw, adjustment=D("11.90"))[1]), held))
    assert (sent["Quantity"], sent["Amount"]) == ("1", f"{D('107.10') / D('1.19'):.2f}")


@pytest.mark.parametrize(
    ("currency", "price", "back", "left"),
    [("JPY", "1000", "10", ["993", "497"]), ("KWD", "10.000", "0.010", ["9.993", "4.997"])],
)
def test_money_back_is_spread_in_the_currencys_own_units(
    currency: str, price: str, back: str, left: list[str]
) -> None:
    """Two parts and one part of ten units: 6.67 and 3.33, so 7 and 3."""
    raw = body(line(price, 1, "A"), line(str(D(price) / 2), 1, "B"), currency=currency)
    found = asked(read(refund(raw, adjustment=D(back))[1]), reported(read(raw)))
    assert isinstance(found.step, Modify)
    assert [item.amount.text for item in found.step.items] == left


def test_money_back_before_the_report_reduces_what_is_reported() -> None:
    """30.00 + 20.00 less 5.00: 27.00 and 18.00, told as what they are worth now."""
    raw = refund(two_lines(), adjustment=D("5.00"))[1]
    sent = form(asked(read(raw)))
    assert [sent["ItemSubTotal1"], sent["ItemSubTotal2"]] == ["27.00", "18.00"]


@settings(max_examples=300, deadline=None, database=None, derandomize=True)
@given(
    prices=st.lists(st.integers(1, 10**7), min_size=1, max_size=30),
    part=st.fractions(0, 1),
    currency=st.sampled_from(("USD", "JPY", "KWD")),
)
def test_whatever_is_given_back_is_spread_exactly(prices: list[int], part: Fraction, currency: str) -> None:
    """The shares add up to the amount, none exceeds its line, and the same order gives the same shares."""
    digits = {"USD": 2, "JPY": 0, "KWD": 3}[currency]
    amounts = [D(price).scaleb(-digits) for price in prices]
    given_back = D(int(sum(prices) * part)).scaleb(-digits)
    lines = [line(str(amount), 1, f"SKU-{at}") for at, amount in enumerate(amounts)]
    after = read(refund(body(*lines, currency=currency), adjustment=given_back)[1])
    after = replace(after, payment=Payment.PAID)
    found = asked(after, reported(read(body(*lines, currency=currency))))
    left = [item.given_back.amount for item in found.figures]
    assert sum(left) == given_back
    assert all(0 <= taken <= amount for taken, amount in zip(left, amounts, strict=True))
    assert [item.net.amount for item in found.figures] == [
        amount - taken for amount, taken in zip(amounts, left, strict=True)
    ]
    assert asked(after).figures == found.figures


def test_what_is_given_back_spares_gift_cards_and_shipping() -> None:
    """A gift card keeps its worth: all of the 10.00 is borne by the towel of 30.00."""
    raw = body(line("30.00", 1, "A"), line("25.00", 1, "CARD", gift_card=True), shipping=D("5.00"))
    found = asked(read(refund(raw, adjustment=D("10.00"))[1]), reported(read(raw)))
    assert isinstance(found.step, Modify)
    assert found.step.items == (ReportedItem("A", 1, money("20.00")),)


def test_what_is_given_back_with_tax_reported_is_taken_off_as_it_is() -> None:
    """119.00 with tax reported: 11.90 back leaves 107.10, whether prices contain it or not."""
    for contained, price in ((True, "119.00"), (False, "100.00")):
        raw = body(line(price, 1, "A", tax="0.19"), taxes_included=contained)
        after = read(refund(raw, adjustment=D("11.90"))[1])
        sent = form(asked(after, reported(read(raw), include="tax"), include="tax"))
        assert sent["Amount"] == f"{D('119.00') - D('11.90')}"


def test_what_is_given_back_may_be_more_than_the_price_without_its_tax() -> None:
    """100.00 and 19.00 of tax on top: 110.00 back leaves 9.00, of two lines 4.50 each."""
    raw = body(line("50.00", 1, "A", tax="0.19"), line("50.00", 1, "B", tax="0.19"), taxes_included=False)
    after = read(refund(raw, adjustment=D("110.00"))[1])
    step = asked(after, reported(read(raw), include="tax"), include="tax").step
    assert isinstance(step, Modify)
    assert [item.amount for item in step.items] == [money("59.50") - money("55.00")] * 2


def test_an_amount_without_a_sign_is_given_back_where_the_refund_is_nothing_else() -> None:
    raw = two_lines()
    after = refund(raw, adjustment=D("10.00"))[1]
    (adjustment,) = after["refunds"][0]["order_adjustments"]
    for side in adjustment["amount_set"].values():
        side["amount"] = side["amount"].removeprefix("-")
    given = read(after).given_back
    assert given is not None
    assert given.shop == money("10.00")


def test_what_was_kept_of_a_returned_item_is_not_taken_from_the_others() -> None:
    """B is worth 20.00; 15.00 came back for it first, the other 5.00 later: A keeps its 30.00."""
    raw = two_lines()
    held = reported(read(raw))
    once = refund(raw, {ids(raw)[1]: 1}, adjustment=D("-5.00"))[1]
    found = asked(read(once), held)
    assert isinstance(found.step, Modify)
    assert found.step.items == (ReportedItem("B", 0, money("0")),)
    twice = refund(once, adjustment=D("5.00"))[1]
    assert asked(read(twice), found.step.result).step is None


def test_units_that_came_back_for_nothing_are_not_paid_for_twice() -> None:
    """A refund of one unit says 0.00 and hands back 10.00 beside it: that is the unit's own money."""
    raw = two_lines()
    after = refund(raw, {ids(raw)[0]: 1}, subtotals={ids(raw)[0]: D("0.00")}, adjustment=D("10.00"))[1]
    after |= {"current_subtotal_price": "40.00"}
    found = asked(read(after), reported(read(raw)))
    assert isinstance(found.step, Modify)
    assert found.step.items == (ReportedItem("A", 2, money("20.00")),)


def test_a_refund_of_nothing_changes_nothing() -> None:
    raw = two_lines()
    found = asked(read(refund(raw, note="Sorry")[1]), reported(read(raw)))
    assert (found.step, found.reason) == (None, Reason.UNCHANGED)


def test_an_added_item_is_told_and_not_sent() -> None:
    raw = two_lines()
    held = reported(read(raw))
    found = asked(read(edit(raw, add=[line("5.00", 1, "NEW")])[1]), held)
    assert (found.step, found.reason, found.detail) == (None, Reason.ADDED_ITEMS, "NEW: 5.00 USD.")


def test_units_added_by_an_edit_count_once_they_are_paid() -> None:
    raw = two_lines()
    held = reported(read(raw))
    after = edit(raw, increase={ids(raw)[1]: 2})[1]
    assert after["financial_status"] == "partially_paid"
    assert asked(read(after), held).step is None
    paid = form(asked(read({**after, "financial_status": "paid"}), held))
    assert (paid["Sku"], paid["Quantity"], paid["Amount"]) == ("B", "3", "60.00")


def test_units_removed_while_something_is_unpaid_leave_at_once() -> None:
    raw = two_lines()
    held = reported(read(raw))
    after = edit(raw, remove={ids(raw)[0]: 1}, increase={ids(raw)[1]: 2})[1]
    sent = form(asked(read(after), held))
    assert (sent["Sku"], sent["Quantity"], sent["Amount"], "Sku2" in sent) == ("A", "2", "20.00", False)


def test_an_order_that_no_longer_adds_up_is_held() -> None:
    raw = two_lines()
    held = reported(read(raw))
    after = refund(raw, {ids(raw)[0]: 1})[1]
    after["current_subtotal_price_set"]["shop_money"]["amount"] = "39.00"
    found = asked(read(after), held)
    assert (found.step, found.reason, found.verdict) == (None, Reason.TOTALS_DISAGREE, Verdict.ATTENTION)


def test_another_currency_chosen_later_does_not_touch_what_is_reported() -> None:
    """A change names no currency: 18.00 EUR in place of 20.00 USD would be booked as 18.00 USD."""
    raw = body(line("10.00", 2), presentment_currency="EUR", exchange_rate=D("0.9"))
    held = reported(read(raw))
    assert held.currency == "USD"
    assert asked(read(raw), held, money="shopper").step is None
    sent = form(asked(read(refund(raw, {ids(raw)[0]: 1})[1]), held, money="shopper"))
    assert (sent["Quantity"], sent["Amount"]) == ("1", "10.00")
    in_euro = reported(read(raw), money="shopper")
    assert (in_euro.currency, asked(read(raw), in_euro).step) == ("EUR", None)


def test_another_order_number_chosen_later_still_finds_the_action() -> None:
    raw = two_lines()
    held = reported(read(raw))
    assert form(asked(read(cancel(raw)), held, order_id="name"))["OrderId"] == "450789469"


def test_a_route_chosen_later_leaves_the_action_where_it_is() -> None:
    raw = two_lines()
    held = reported(read(raw))
    sent = form(asked(read(cancel(raw)), held, routes="country=US -> 5:6"))
    assert sent["ActionTrackerId"] == "9876"


def test_what_would_keep_a_new_order_back_does_not_stop_a_change() -> None:
    """The rules tell what is reported; what was reported follows its order."""
    raw = two_lines(test=True)
    held = reported(read(raw), test_orders="send")
    assert isinstance(asked(read(cancel(raw)), held).step, Reverse)


def test_a_free_item_is_returned_by_its_units() -> None:
    """A gift of 0.00 comes back: the amount stays 0.00 and the units say it."""
    raw = body(line("10.00", 1, "A"), line("0.00", 2, "GIFT"))
    held = reported(read(raw))
    sent = form(asked(read(refund(raw, {ids(raw)[1]: 2})[1]), held))
    assert (sent["Sku"], sent["Quantity"], sent["Amount"]) == ("GIFT", "0", "0.00")


def test_one_sku_on_two_lines_is_changed_as_one_item() -> None:
    """2 x 10.00 and 1 x 12.00 under one SKU; one of the first comes back: 2 units, 22.00."""
    raw = body(line("10.00", 2, "A"), line("12.00", 1, "A"))
    held = reported(read(raw))
    assert held.items == (ReportedItem("A", 3, money("32.00")),)
    sent = form(asked(read(refund(raw, {ids(raw)[0]: 1})[1]), held))
    assert (sent["Sku"], sent["Quantity"], sent["Amount"]) == ("A", "2", "22.00")


def test_a_reversed_order_that_counts_again_is_brought_back_by_a_reset() -> None:
    raw = two_lines()
    held = reported(read(raw))
    gone = replace(held, items=(), is_reversed=True)
    found = asked(read(raw), gone)
    assert isinstance(found.step, Restore)
    assert form(found) == {"ActionTrackerId": "9876", "OrderId": "450789469", "Reason": "RESET"}
    assert (found.step.result, found.why) == (held, "order_restored")
    assert asked(read(raw), found.step.result).step is None


@pytest.mark.parametrize("status", ["pending", "partially_paid", "refunded", "voided"])
def test_a_reversed_order_is_brought_back_only_once_it_is_paid(status: str) -> None:
    raw = two_lines()
    gone = replace(reported(read(raw)), items=(), is_reversed=True)
    found = asked(read({**raw, "financial_status": status}), gone)
    assert (found.step, found.reason) == (None, Reason.REVERSED)


def test_the_number_of_a_second_conversion_has_room_for_what_follows() -> None:
    """A name of 64 characters gives way to its suffix."""
    raw = {**two_lines(), "name": "#" + "9" * 63}
    held = reported(read(raw), order_id="name")
    after = {**edit(raw, add=[line("5.00", 1, "NEW")])[1], "financial_status": "paid"}
    found = asked(read(after), held, order_id="name", added_items="second_conversion")
    assert form(found)["OrderId"] == "#" + "9" * 61 + "-2"
    assert (found.part, found.why) == (2, "items_added")


def test_a_second_conversion_goes_where_the_first_one_went() -> None:
    raw = two_lines()
    after = {**edit(raw, add=[line("5.00", 1, "NEW")])[1], "financial_status": "paid"}
    rules = {"added_items": "second_conversion", "routes": "country=US -> 5:6"}
    sent = form(asked(read(after), reported(read(raw)), **rules))
    assert (sent["CampaignId"], sent["EventTypeId"], sent["OrderId"]) == ("1000", "9876", "450789469-2")
    assert items(sent) == [("NEW", 1, D("5.00"), D(0))]


def test_the_codes_that_hold_without_a_rule() -> None:
    """The dispositions that impact.com's list gives for each case."""
    found = {name: default_text(f"code_{name}") for name in ("refund", "cancel", "fraud", "test")}
    assert found == {
        "refund": "ITEM_RETURNED",
        "cancel": "REJECTED",
        "fraud": "CONS_FRAUD",
        "test": "TEST_ACTION",
    }


def test_kept_shipping_keeps_the_action_where_shipping_counts() -> None:
    raw = body(line("10.00", 1, "A"), shipping=D("4.00"))
    held = reported(read(raw), include="shipping")
    found = asked(read(refund(raw, {ids(raw)[0]: 1})[1]), held, include="shipping")
    assert form(found)["Sku"] == "A"
    assert isinstance(found.step, Modify)
    assert found.step.result.items == (
        ReportedItem("A", 0, money("0")),
        ReportedItem("shipping", 1, money("4.00")),
    )


def test_reported_is_what_was_sent_less_its_discounts() -> None:
    held = reported(read(two_lines(discounts=[off("5.00")])))
    assert held == Reported(
        campaign_id="1000",
        event_type_id="9876",
        order_id="450789469",
        currency="USD",
        items=(ReportedItem("A", 3, money("27.00")), ReportedItem("B", 1, money("18.00"))),
    )


def test_refunded_is_its_own_word() -> None:
    raw = two_lines()
    words = {"refunded": Payment.REFUNDED, "partially_refunded": Payment.PAID, "voided": Payment.VOIDED}
    for word, payment in words.items():
        assert read({**raw, "financial_status": word}).payment is payment


def test_what_is_reported_anew_leaves_out_what_has_a_conversion_of_its_own() -> None:
    """impact.com could not book the order, but holds what was added: A and B go again, NEW does not."""
    raw = two_lines(discounts=[percent("10")])
    first = reported(read(raw))
    after = {**edit(raw, add=[line("5.00", 1, "NEW")])[1], "financial_status": "paid"}
    added = asked(read(after), first, added_items="second_conversion")
    assert isinstance(added.step, Submit)
    context = Context(TARGET, (), PLACED, further=(Held(2, added.step.result, Limits()),))
    found = plan(read(after), read_rules({}), None, context)
    sent = form(found)
    assert [sku for sku, *_ in items(sent)] == ["A", "B"]
    assert net(sent) == D("50.00") - D("5.00")
    assert found.part == 1


def test_of_two_conversions_the_locked_one_does_not_hold_up_the_other() -> None:
    """All comes back: the first is locked, so 50.00 stand too much; the second is still reversed."""
    raw = two_lines()
    first = reported(read(raw))
    after = {**edit(raw, add=[line("5.00", 1, "NEW")])[1], "financial_status": "paid"}
    added = asked(read(after), first, added_items="second_conversion")
    assert isinstance(added.step, Submit)
    context = Context(
        TARGET, (), PLACED, limits=Limits(PLACED), further=(Held(2, added.step.result, Limits()),)
    )
    found = plan(read(cancel(after)), read_rules({}), first, context)
    assert (found.part, form(found)["OrderId"]) == (2, "450789469-2")
    assert isinstance(found.step, Reverse)
    rest = replace(context, further=(Held(2, found.step.result, Limits()),))
    last = plan(read(cancel(after)), read_rules({}), first, rest)
    assert (last.step, last.reason) == (None, Reason.TOO_LATE)
    assert last.detail.endswith("50.00 USD too much.")
