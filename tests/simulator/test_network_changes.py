"""Changing, reversing, resetting and locking actions."""

import dataclasses
from decimal import Decimal

import pytest

from impact_app.simulator.network import EventType, Partner, Setup

from .brand import Brand, brand


@pytest.fixture(scope="module")
def shared():
    with brand(Setup(rate_limit=None)) as caller:
        yield caller


@pytest.fixture
def caller(shared: Brand):
    shared.network.books.reset()
    assert shared.submit().status_code == 200
    return shared


def lines(caller: Brand) -> list[tuple[int, str]]:
    return [(item["quantity"], item["amount"]) for item in caller.action()["items"]]


def test_a_partial_return_sets_absolute_values(caller: Brand):
    answer = caller.change(Sku="AB-1", Quantity=1, Amount="12.35", Sku2="CD-2", Quantity2=2, Amount2="58.21")
    assert caller.result(answer)["Type"] == "Modification"
    assert caller.reason(answer) == ""
    assert lines(caller) == [(1, "12.35"), (2, "58.21")]
    action = caller.action()
    assert action["amount"] == "70.56"  # 12.35 + 58.21
    assert action["payout"] == "3.53"  # 0.62 + 2.91, each 5 % rounded half up
    assert action["tracked_amount"] == "112.00"
    assert action["state"] == "PENDING"
    assert action["modifications"] == 1
    # 12.35 - 24.69 and 58.21 - 87.31
    assert [update["delta_amount"] for update in action["updates"]] == ["-12.34", "-29.10"]
    assert [update["delta_payout"] for update in action["updates"]] == ["-0.61", "-1.46"]


def test_the_action_can_be_named_by_its_id(caller: Brand):
    form = {"ActionId": caller.action()["id"], "Reason": "ORDER_UPDATE", "Sku": "AB-1", "Quantity": 0}
    assert caller.reason(caller.call("PUT", "Actions", data=form)) == ""
    assert lines(caller) == [(0, "0.00"), (3, "87.31")]


def test_quantity_alone_scales_the_amount_and_is_remarked(caller: Brand):
    caller.change(Sku="CD-2", Quantity=1)
    assert lines(caller) == [(2, "24.69"), (1, "29.10")]  # 87.31 / 3 = 29.1033…
    assert "amount was scaled" in caller.books()["submissions"][-1]["remarks"][0]


def test_a_delta_is_added_to_the_line(caller: Brand):
    caller.change(Sku="AB-1", ItemSubTotalDelta="-5.00")
    assert lines(caller) == [(2, "19.69"), (3, "87.31")]  # 24.69 - 5.00


def test_an_order_amount_is_spread_over_the_lines(caller: Brand):
    caller.change(Amount="56.00")
    # 56.00 * 24.69/112 = 12.345 and 56.00 * 87.31/112 = 43.655: of equal remainders the first gets the cent
    assert lines(caller) == [(2, "12.35"), (3, "43.65")]


def test_the_customer_status_and_category_can_change(caller: Brand):
    caller.change(CustomerStatus="EXISTING", Sku="AB-1", Category="Sale")
    assert caller.action()["customer_status"] == "EXISTING"
    assert [item["category"] for item in caller.action()["items"]] == ["Sale", "Tools"]


@pytest.mark.parametrize(
    "form",
    [
        {"Amount": "0"},
        {"Amount": "0.00"},
        {"Sku": "AB-1", "Quantity": 0, "Amount": 0, "Sku2": "CD-2", "Quantity2": 0, "Amount2": "0.00"},
    ],
)
def test_nothing_left_reverses_the_action(caller: Brand, form):
    assert caller.reason(caller.change(**form)) == ""
    action = caller.action()
    assert (action["state"], action["amount"], action["payout"]) == ("REVERSED", "0.00", "0.00")


def test_zero_is_only_a_modification_of_an_action_tracked_at_zero():
    with brand() as caller:
        caller.submit(OrderDiscount="127.00")
        caller.change(Amount="0")
        assert (caller.action()["state"], caller.action()["modifications"]) == ("PENDING", 1)


def test_a_reversal_takes_everything_back(caller: Brand):
    answer = caller.reverse(DispositionCode="ITEM_RETURNED")
    assert caller.result(answer)["Type"] == "Reversal"
    action = caller.action()
    assert (action["state"], action["amount"], action["payout"]) == ("REVERSED", "0.00", "0.00")
    assert [update["reason"] for update in action["updates"]] == ["ITEM_RETURNED", "ITEM_RETURNED"]
    assert [update["delta_amount"] for update in action["updates"]] == ["-24.69", "-87.31"]


def test_a_repeated_reversal_changes_nothing(caller: Brand):
    caller.reverse()
    assert caller.reason(caller.reverse()) == ""
    assert caller.action()["modifications"] == 1
    assert len(caller.action()["updates"]) == 2
    assert "reversed before" in caller.books()["submissions"][-1]["remarks"][0]


def test_a_reversed_action_takes_no_change_but_reset(caller: Brand):
    caller.reverse()
    assert caller.reason(caller.change(Sku="AB-1", Quantity=1)) == "ACTION_REVERSED"
    assert caller.reason(caller.change(Reason="RESET")) == ""
    assert caller.action()["state"] == "PENDING"
    assert lines(caller) == [(2, "24.69"), (3, "87.31")]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_the_verb_may_be_a_form_field(caller: Brand, method: str):
    code = {"Reason": "ORDER_UPDATE", "Amount": "0"} if method == "PUT" else {"DispositionCode": "OTHER"}
    form = {"_method": method, "ActionTrackerId": 9876, "OrderId": "450789469", **code}
    assert caller.reason(caller.call("POST", "Actions", data=form)) == ""
    assert caller.action()["state"] == "REVERSED"


def test_posting_to_actions_without_a_verb_is_405(caller: Brand):
    assert caller.call("POST", "Actions", data={"ActionTrackerId": 9876}).status_code == 405
    assert caller.action()["modifications"] == 0


REFUSED = [
    ({"Sku": "AB-1", "Quantity": 1, "Reason": ""}, "Reason", "sent empty"),
    ({"Sku": "AB-1", "Quantity": 1, "Reason": "RETURNED"}, "Reason", "not a reason"),
    (
        {"Sku": "AB-1", "Quantity": 1, "Reason": "ITEM_RETURNED"},
        "Reason",
        "always bear the reason ORDER_UPDATE",
    ),
    ({"Amount": "1.00", "Reason": "RESET"}, "Reason", "send no new values"),
    ({"Amount": "1.00", "DispositionCode": "HELD"}, "DispositionCode", "not set up"),
    ({}, "Amount", "Nothing is to be changed"),
    ({"Sku": "AB-1"}, "Sku", "Nothing of this line"),
    ({"Quantity": 1}, "Sku", "need the SKU"),
    ({"Sku": "AB-1", "Quantity": 1, "Quantity2": 1}, "Sku2", "need the SKU"),
    ({"Sku1": "AB-1", "Amount": "1.00"}, "Sku1", "without a number"),
    ({"Sku": "AB-1", "Quantity": 1, "Sku3": "CD-2", "Quantity3": 1}, "Sku2", "gap"),
    ({"Sku": "AB-1", "Quantity": 1, "Sku2": "AB-1", "Quantity2": 0}, "Sku", "changed 2 times"),
    ({"Sku": "AB-1", "Amount": "1.00", "ItemSubTotalDelta": "1.00"}, "Amount", "Send one"),
    ({"Sku": "AB-1", "Quantity": 0, "Amount": "1.00"}, "Amount", "No units are left"),
    ({"Sku": "AB-1", "Amount": "-1.00"}, "Amount", "negative"),
    ({"Amount": "1,00"}, "Amount", "no separators"),
    ({"ItemSku1": "AB-1", "Amount": "1.00"}, "ItemSku1", "called Sku"),
    ({"EventTypeId": 9876, "Amount": "1.00"}, "EventTypeId", "ActionTrackerId"),
    ({"CurrencyCode": "EUR", "Amount": "1.00"}, "CurrencyCode", "no parameter of this name"),
    ({"ActionTrackerId": "x", "Amount": "1.00"}, "ActionTrackerId", "whole number"),
]


@pytest.mark.parametrize(("form", "field", "words"), REFUSED, ids=lambda value: str(value)[:40])
def test_a_faulty_change_is_refused_in_the_general_envelope(caller: Brand, form, field, words):
    answer = caller.change(**form)
    assert answer.status_code == 400, answer.text
    body = answer.json()
    assert (body["Status"], body["Message"]) == ("ERROR", "The change was not taken.")
    assert field in [error["Field"] for error in body["Errors"]]
    assert any(words in error["Message"] for error in body["Errors"])
    assert lines(caller) == [(2, "24.69"), (3, "87.31")]
    assert len(caller.books()["submissions"]) == 1


def test_a_change_names_its_action(caller: Brand):
    answer = caller.call("PUT", "Actions", data={"Reason": "ORDER_UPDATE", "OrderId": "1", "Amount": "1.00"})
    assert answer.json()["Errors"][0]["Field"] == "ActionId"


@pytest.mark.parametrize("code", ["", "ORDER_UPDATE", "RETURNED", "CANCELLED", "item_returned"])
def test_a_reversal_needs_one_of_its_codes(caller: Brand, code: str):
    answer = caller.reverse(DispositionCode=code)
    assert answer.status_code == 400
    assert "DispositionCode" in [error["Field"] for error in answer.json()["Errors"]]
    assert caller.action()["state"] == "PENDING"


def test_a_custom_code_counts_once_it_is_set_up():
    with brand(Setup(event_types=(EventType(disposition_codes=("Cancelled_by_us",)),))) as caller:
        caller.submit()
        assert caller.reverse(DispositionCode="Cancelled_By_Us").status_code == 400
        assert caller.reason(caller.reverse(DispositionCode="Cancelled_by_us")) == ""


def test_json_is_refused(caller: Brand):
    assert caller.call("PUT", "Actions", json={"Reason": "ORDER_UPDATE"}).status_code == 400


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ({"OrderId": "unknown", "Amount": "1.00"}, "NO_VALID_ACTION_REF"),
        ({"ActionTrackerId": 1, "Amount": "1.00"}, "NO_VALID_ACTION_REF"),
        ({"ActionId": "1000.4636.1", "Amount": "1.00"}, "NO_VALID_ACTION_REF"),
        ({"Sku": "EF-3", "Quantity": 1, "Amount": "5.00"}, "NO_ITEM"),
        ({"Sku": "AB-1", "Quantity": 1, "Sku2": "EF-3", "Quantity2": 1, "CustomerStatus": "NEW"}, "NO_ITEM"),
        ({"Sku": "AB-1", "ItemSubTotalDelta": "-24.70"}, "MALFORMED"),
        ({"Sku": "AB-1", "Amount": "1.005"}, "MALFORMED"),
    ],
)
def test_what_cannot_be_carried_out_is_queued_and_ends_with_a_code(caller: Brand, form, reason):
    before = caller.action()
    answer = caller.change(**form)
    assert answer.status_code == 200
    assert caller.result(answer)["ErrorType"] == "Validation"
    assert caller.reason(answer) == reason
    assert caller.action() == before


def test_a_locked_action_refuses_every_change(caller: Brand):
    assert caller.tell("lock", order_id="another").json() == {"locked": 0}
    assert caller.tell("lock", order_id="450789469").json() == {"locked": 1}
    before = caller.action()
    assert before["state"] == "APPROVED"
    for answer in (caller.change(Amount="1.00"), caller.reverse(), caller.change(Reason="RESET")):
        assert caller.reason(answer) == "ACTION_LOCKED"
    assert caller.action() == before


def test_an_action_locks_27_days_after_the_end_of_its_month():
    with brand() as caller:
        caller.submit()
        # 30 November and 27 days: the last day is 27 December, in the order's own offset
        assert caller.action()["locking_date"] == "2026-12-28T00:00:00+01:00"
        caller.clock.go_on(days=37, hours=10, minutes=59, seconds=59)
        assert caller.action()["state"] == "PENDING"
        caller.clock.go_on(seconds=1)
        assert caller.action()["state"] == "APPROVED"
        assert caller.reason(caller.reverse()) == "ACTION_LOCKED"


def test_the_newest_of_two_actions_with_one_order_id_is_meant():
    with brand(Setup(duplicate_window_days=1)) as caller:
        caller.submit()
        caller.clock.go_on(days=1)
        caller.submit()
        caller.reverse()
        assert [action["state"] for action in caller.books()["actions"]] == ["PENDING", "REVERSED"]


def test_modifications_are_limited():
    with brand(Setup(modification_limit=2)) as caller:
        caller.submit()
        reasons = [caller.reason(caller.change(Amount=f"{amount}.00")) for amount in (9, 8, 7)]
        assert reasons == ["", "", "MODIFICATION_LIMIT"]
        assert caller.action()["amount"] == "8.00"


def test_a_change_that_changes_nothing_still_counts_and_is_remarked(caller: Brand):
    caller.change(Sku="AB-1", Quantity=2, Amount="24.69")
    assert caller.action()["modifications"] == 1
    assert caller.action()["updates"] == []
    assert "counts as a modification" in caller.books()["submissions"][-1]["remarks"][0]


def test_a_change_is_priced_with_the_rate_of_its_own_day():
    with brand() as caller:
        caller.submit()
        books = caller.network.books
        books.change_setup(dataclasses.replace(books.setup, partners=(Partner(rate=Decimal("0.10")),)))
        caller.change(Sku="AB-1", Quantity=1, Amount="12.35")
        # 10 % of 12.35 is 1.235; the untouched line keeps its 4.37
        assert [item["payout"] for item in caller.action()["items"]] == ["1.24", "4.37"]
