"""Each reason not to report, with the order that earns it and the nearest one that does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from impact_app.domain.orders import Order
from impact_app.domain.plan import Context, Plan, Submit, plan
from impact_app.domain.reasons import EXPLANATIONS, Reason, Verdict
from impact_app.domain.rules import Rules
from impact_app.simulator.shopify.orders import cancel, refund
from tests.domain.shop import CustomerSpec, asked, body, line, off, order, read

NO_CLICK: dict[str, Any] = {"note_attributes": ()}
CUSTOMER = CustomerSpec(id=7)


def shirt(**more: Any) -> Order:
    return order(line("10.00"), **more)


def refunded(quantity: int, **more: Any) -> Order:
    raw = body(line("10.00", 2))
    return read(refund(raw, {raw["line_items"][0]["id"]: quantity}, **more)[1])


# reason, the order that earns it, its rules, the nearest order that does not, and its rules
PAIRS: list[tuple[Reason, Callable[[], Order], dict[str, str], Callable[[], Order], dict[str, str]]] = [
    (Reason.TEST_ORDER, lambda: shirt(test=True), {}, shirt, {}),
    (Reason.TEST_ORDER, lambda: shirt(test=True), {}, lambda: shirt(test=True), {"test_orders": "send"}),
    (
        Reason.CANCELLED_BEFORE_REPORT,
        lambda: read(cancel(body(line("10.00")), refunded=False)),
        {},
        shirt,
        {},
    ),
    *(
        (Reason.NOT_PAID, lambda word=word: shirt(financial_status=word), {}, shirt, {})  # type: ignore[misc]
        for word in ("pending", "authorized", "partially_paid", "expired", "voided", "", "new_word")
    ),
    (Reason.REFUNDED_BEFORE_REPORT, lambda: refunded(2), {}, lambda: refunded(1), {}),
    (
        Reason.REFUNDED_BEFORE_REPORT,
        lambda: read(refund(body(line("10.00", 2)), adjustment=Decimal("20.00"))[1]),
        {},
        lambda: read(refund(body(line("10.00", 2)), adjustment=Decimal("19.99"))[1]),
        {},
    ),
    (
        Reason.FORMER_APP,
        lambda: shirt(note_attributes=(("irclickid", "c"),)),
        {"former_app_until": "2026-11-20T15:04:06+01:00"},
        lambda: shirt(note_attributes=(("irclickid", "c"),)),
        {"former_app_until": "2026-11-20T15:04:05+01:00"},
    ),
    (
        Reason.FORMER_APP,
        lambda: order(line("10.00", properties=(("_irclickid", "c"),))),
        {"former_app_until": "2026-12-01"},
        shirt,
        {"former_app_until": "2026-12-01"},
    ),
    (Reason.POINT_OF_SALE, lambda: shirt(source_name="pos"), {}, shirt, {}),
    (
        Reason.POINT_OF_SALE,
        lambda: shirt(source_name="pos"),
        {},
        lambda: shirt(source_name="pos"),
        {"pos": "send"},
    ),
    (
        Reason.SUBSCRIPTION_RENEWAL,
        lambda: shirt(source_name="subscription_contract_checkout_one"),
        {},
        lambda: shirt(source_name="subscription_contract"),
        {"renewals": "send"},
    ),
    (
        Reason.DRAFT_WITHOUT_CLICK,
        lambda: shirt(source_name="shopify_draft_order", **NO_CLICK),
        {},
        lambda: shirt(source_name="shopify_draft_order"),
        {},
    ),
    (
        Reason.DRAFT_WITHOUT_CLICK,
        lambda: shirt(source_name="shopify_draft_order", discounts=[off("1.00")], **NO_CLICK),
        {},
        lambda: shirt(source_name="shopify_draft_order", discounts=[off("1.00")], **NO_CLICK),
        {"drafts": "send"},
    ),
    (
        Reason.NO_CLICK_OR_CODE,
        lambda: shirt(customer=CUSTOMER, **NO_CLICK),
        {},
        lambda: shirt(discounts=[off("1.00")], **NO_CLICK),
        {},
    ),
    (
        Reason.NO_CLICK_OR_CODE,
        lambda: shirt(discounts=[off("1.00", kind="automatic")], **NO_CLICK),
        {},
        lambda: shirt(customer=CUSTOMER, **NO_CLICK),
        {"send": "all"},
    ),
    (
        Reason.NO_CLICK,
        lambda: shirt(discounts=[off("1.00")], **NO_CLICK),
        {"send": "clicks_only"},
        shirt,
        {"send": "clicks_only"},
    ),
    (
        Reason.NO_ATTRIBUTION_KEY,
        lambda: shirt(**NO_CLICK),
        {"send": "all"},
        lambda: shirt(customer=CUSTOMER, **NO_CLICK),
        {"send": "all"},
    ),
    (
        Reason.ZERO_VALUE,
        lambda: shirt(discounts=[off("10.00")]),
        {},
        lambda: shirt(discounts=[off("9.99")]),
        {},
    ),
    (
        Reason.ZERO_VALUE,
        lambda: shirt(discounts=[off("10.00")]),
        {},
        lambda: shirt(discounts=[off("10.00")]),
        {"zero_value": "send"},
    ),
    # nothing but a gift card: there would be no item at all, which impact.com refuses
    (
        Reason.ZERO_VALUE,
        lambda: order(line("50.00", gift_card=True)),
        {"zero_value": "send"},
        lambda: order(line("50.00", gift_card=True)),
        {"include": "gift_cards"},
    ),
]


@pytest.mark.parametrize(("reason", "order_of", "rules", "other_of", "other_rules"), PAIRS)
def test_a_reason_holds_for_its_order_and_not_for_the_nearest_other(
    reason: Reason,
    order_of: Callable[[], Order],
    rules: dict[str, str],
    other_of: Callable[[], Order],
    other_rules: dict[str, str],
) -> None:
    held = asked(order_of(), **rules)
    assert (held.step, held.reason, held.verdict) == (None, reason, Verdict.WITHHELD)
    sent = asked(other_of(), **other_rules)
    assert isinstance(sent.step, Submit), sent.reason
    assert (sent.reason, sent.verdict) == (Reason.QUEUED, Verdict.WAITING)


def test_too_old_means_more_than_88_days() -> None:
    assert isinstance(asked(shirt(), age=timedelta(days=88)).step, Submit)
    held = asked(shirt(), age=timedelta(days=88, seconds=1))
    assert (held.step, held.reason, held.detail) == (None, Reason.TOO_OLD, "Placed 88 days before.")


def test_an_order_waits_for_a_campaign_and_still_hears_what_speaks_against_it() -> None:
    def unset(about: Order) -> Plan:
        return plan(about, Rules(), None, Context(None, (), about.placed_at))

    waits = unset(shirt())
    assert (waits.step, waits.reason, waits.verdict) == (None, Reason.NOT_CONFIGURED, Verdict.WAITING)
    assert unset(shirt(test=True)).reason is Reason.TEST_ORDER


@pytest.mark.parametrize(
    ("about", "rules", "why"),
    [
        (shirt(), {}, "click"),
        (shirt(discounts=[off("1.00")], **NO_CLICK), {}, "promo_code"),
        (shirt(customer=CUSTOMER, **NO_CLICK), {"send": "all"}, "all_orders"),
        (shirt(test=True), {}, "test_order"),
    ],
)
def test_the_plan_says_why(about: Order, rules: dict[str, str], why: str) -> None:
    assert asked(about, **rules).why == why


def test_what_speaks_against_an_order_is_told_in_the_platforms_words() -> None:
    assert asked(shirt(financial_status="pending")).detail == "The platform says 'pending'."
    renewal = asked(shirt(source_name="subscription_contract"))
    assert renewal.detail == "Made by subscription_contract."
    assert asked(read(cancel(body(line("10.00")), reason="fraud"))).detail == "fraud"


def test_the_same_question_has_the_same_answer() -> None:
    about = shirt(discounts=[off("1.00")])
    assert asked(about) == asked(replace(about))


def test_every_reason_is_explained() -> None:
    assert set(EXPLANATIONS) == set(Reason)
    for explanation in EXPLANATIONS.values():
        assert explanation.happened.endswith(".")
        assert explanation.next.endswith(".")
