"""A preview: the same question as in earnest, from a file, with nothing sent."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from impact_app.domain.events import Unreadable
from impact_app.domain.mapping import PartnerCode, Target
from impact_app.domain.orders import Order
from impact_app.domain.rules import read_rules
from impact_app.pipeline.preview import preview, unwrapped
from impact_app.simulator.shopify.orders import cancel, encode, refund
from impact_app.stores.shopify.reading import read_order
from tests.domain.shop import asked, body, form, line, off, read


def previewed(
    about: Order, against: Order | None = None, now: datetime | None = None, **rules: str
) -> dict[str, Any]:
    return preview(
        about,
        read_rules(rules),
        against=against,
        target=Target("1000", "9876"),
        account_sid="IRAbc",
        partner_codes=(PartnerCode("BBB", "LI"),),
        now=now,
    )


def test_a_new_order_is_shown_as_the_call_that_would_be_made() -> None:
    about = read(body(line("10.00", 2), discounts=[off("1.00", name="AAA"), off("1.00", name="BBB")]))
    told = previewed(about)
    assert json.loads(json.dumps(told)) == told
    assert (told["decision"], told["reason"], told["carrier"]) == ("submit", "click", "cart_attribute")
    assert (told["call"]["method"], told["call"]["path"]) == ("POST", "/Advertisers/IRAbc/Conversions")
    sent = dict(told["call"]["form"])
    assert sent == {**form(asked(about)), "OrderPromoCode": "BBB"}
    assert sent["Text1"] == "AAA,BBB"


def test_nothing_to_send_says_why_and_shows_no_call() -> None:
    told = previewed(read(body(line("10.00"), test=True)))
    assert told == {
        "decision": "nothing",
        "reason": "test_order",
        "carrier": "cart_attribute",
        "call": None,
    }
    bare = previewed(read(body(line("10.00"), note_attributes=())))
    assert (bare["decision"], bare["reason"], bare["carrier"]) == (
        "nothing",
        "no_click_or_code",
        None,
    )


def test_the_order_is_judged_as_of_its_own_last_change_unless_a_moment_is_given() -> None:
    about = read(body(line("10.00")))
    assert previewed(about)["decision"] == "submit"
    assert previewed(about, now=about.placed_at + timedelta(days=88))["decision"] == "submit"
    late = previewed(about, now=about.placed_at + timedelta(days=88, seconds=1))
    assert (late["decision"], late["reason"]) == ("nothing", "too_old")


def test_against_an_earlier_snapshot_the_smallest_step_is_shown() -> None:
    raw = body(line("10.00", 2))
    one_back = refund(raw, {raw["line_items"][0]["id"]: 1})[1]
    for after, decision, reason, method in (
        (raw, "nothing", "unchanged", None),
        (one_back, "modify", "items_changed", "PUT"),
        (cancel(raw), "reverse", "order_taken_back", "DELETE"),
    ):
        told = previewed(read(after), against=read(raw))
        assert (told["decision"], told["reason"]) == (decision, reason)
        assert (told["call"] and told["call"]["method"]) == method


def test_the_earlier_snapshot_counts_as_reported_whatever_speaks_against_it() -> None:
    raw = body(line("10.00", 2), test=True, note_attributes=())
    told = previewed(read(refund(raw, {raw["line_items"][0]["id"]: 1})[1]), against=read(raw))
    assert dict(told["call"]["form"])["Amount"] == "10.00"


def test_an_older_snapshot_changes_nothing() -> None:
    raw = body(line("10.00", 2))
    later = refund(raw, {raw["line_items"][0]["id"]: 1})[1]
    assert previewed(read(raw), against=read(later)) == {
        "decision": "nothing",
        "reason": "older_snapshot",
        "carrier": None,
        "call": None,
    }


def test_two_different_orders_are_not_compared() -> None:
    with pytest.raises(Unreadable, match="different orders: 2 and, before it, 1"):
        previewed(read(body(line("10.00"), order_id=2)), against=read(body(line("10.00"), order_id=1)))


# Files


def test_an_order_is_cut_out_of_a_rest_answer_byte_for_byte() -> None:
    """Reading amounts and writing them again would turn 0.10000000000000000001 into 0.1."""
    raw = encode(body(line("10.00"))).replace(b'"total_weight":0', b'"rate":0.10000000000000000001')
    assert unwrapped(b'{"order": ' + raw + b"}") == raw
    assert unwrapped(b'{"orders": [' + raw + b"]}") == raw
    assert unwrapped(raw) == raw
    assert read_order(unwrapped(b'{"order": ' + raw + b"}")).subtotal.shop.amount == Decimal("10.00")


@pytest.mark.parametrize("count", [0, 2])
def test_a_list_of_orders_is_refused_with_its_length(count: int) -> None:
    with pytest.raises(Unreadable, match=f"a list of {count} orders"):
        unwrapped(json.dumps({"orders": [{}] * count}).encode())


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"orders":' + b"[" * 100_000,
        b'{"orders": null}',
        b'{"orders": 7}',
        b'{"order": null}',
        b'{"order": {}, "orders": []}',
    ],
)
def test_whatever_else_a_file_holds_ends_in_one_sentence(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        read_order(unwrapped(raw))
