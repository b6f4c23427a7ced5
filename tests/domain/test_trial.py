"""A test order's stops as a pure answer: the pace of asking, a link's click, each light by what is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from impact_app.domain.money import Money
from impact_app.domain.plan import Reported, ReportedItem
from impact_app.domain.reasons import Reason, Verdict
from impact_app.domain.trial import (
    FOLLOWED_FOR,
    LIGHTS,
    STOPS,
    Bought,
    Compared,
    Light,
    Sent,
    Standing,
    Stop,
    Trial,
    can_be_taken_back,
    click_in,
    is_moving,
    may_look,
    standings,
)
from impact_app.domain.verification import Finding, ReadBack

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
NAMES = ("im_ref", "irclickid")


def later(**units: float) -> datetime:
    return START + timedelta(**units)


def trial(**fields: Any) -> Trial:
    plain = Trial(1, "Click-1", False, "https://a.test/", "Ann", START, None, {})
    return replace(plain, **fields)


def sent(state: str = "accepted", **fields: str) -> Sent:
    form = {
        "ClickId": "Click-1",
        "OrderId": "900",
        "CampaignId": "1000",
        "EventTypeId": "9876",
        "CurrencyCode": "EUR",
        "ItemSku1": "MUG",
        "ItemQuantity1": "3",
        "ItemSubTotal1": "37.50",
        "ItemTotalDiscount1": "7.50",
        **fields,
    }
    return Sent(state, "", later(minutes=2), later(minutes=3), form)


def reported(currency: str = "EUR", amount: str = "30.00", **fields: Any) -> Reported:
    item = ReportedItem("MUG", 3, Money(Decimal(amount), currency))
    return Reported("1000", "9876", "900", currency, (item,), first=(item,), **fields)


def read_back(**fields: Any) -> ReadBack:
    empty = ReadBack(None, "", "IR1", None, None, None, None, None, None, None, None, None)
    return replace(empty, **fields)


BOOKED = read_back(
    finding=Finding.CREDITED,
    action_id="A1",
    partner_name="Partner",
    state="PENDING",
    amount=Decimal("30.00"),
    currency="EUR",
    checked_at=later(minutes=9),
)


def bought(**fields: Any) -> Bought:
    plain = Bought(
        number="1001",
        expected_id="900",
        currency="EUR",
        net=Decimal("30.00"),
        carrier="cart_attribute",
        carried="Click-1",
        arrived_at=later(minutes=1),
        topic="orders/paid",
        judged_at=later(minutes=2),
        placed_at=later(minutes=1),
        verdict=Verdict.REPORTED,
        reason=Reason.ACCEPTED,
        detail="",
        campaign_id="1000",
        event_type_id="9876",
        promo_code="",
        items=(("MUG", 2), ("MUG", 1)),
        submitted=sent(),
        reversal=None,
        changed_at=None,
        reported=reported(),
        read_back=read_back(),
    )
    return replace(plain, **fields)


def stop(name: Stop, order: Bought, one: Trial | None = None) -> Standing:
    found = standings(one or trial(), None, order)
    assert [standing.stop for standing in found] == list(Stop) == list(STOPS)
    return found[list(Stop).index(name)]


def wrong(standing: Standing) -> list[str]:
    return [f"{one.what} {one.which}".strip() for one in standing.compared if not one.is_same]


@pytest.mark.parametrize(
    ("link", "click"),
    [
        ("https://a.test/", ""),
        ("https://a.test/?im_ref=A", "A"),
        ("https://a.test/?irclickid=B&im_ref=A", "A"),
        ("https://a.test/?irclickid=B&im_ref=", "B"),
        ("https://a.test/?im_ref=A&im_ref=B", "A"),
        ("https://a.test/?im_ref=a%2Bb+c", "a+b+c"),
        ("https://a.test/#im_ref=A", ""),
        ("https://[/?im_ref=A", ""),
    ],
)
def test_the_click_of_a_link(link: str, click: str) -> None:
    assert click_in(link, NAMES) == click


def test_impact_com_is_asked_ever_more_seldom() -> None:
    one, now, asked = trial(), START, 0
    while now <= START + FOLLOWED_FOR + timedelta(hours=3):
        if may_look(one, now):
            one, asked = replace(one, looked_at=now), asked + 1
        now += timedelta(seconds=2)
    # 8 in the first 80 s, then each an eighth later than the one before: ln(43,200 / 80) / ln(9 / 8) = 53
    assert 50 <= asked <= 70
    assert one.looked_at is not None
    assert one.looked_at <= START + FOLLOWED_FOR


def test_nothing_is_passed_before_it_is_seen() -> None:
    assert {one.light for one in standings(trial(), None, None)} == {Light.WAITING}
    assert [one.light for one in standings(trial(), START, None)] == ["passed", *["waiting"] * 7]
    assert set(LIGHTS) == set(Light)


def test_lines_of_one_sku_are_one_item_and_discounts_are_taken_off() -> None:
    found = stop(Stop.SUBMISSION, bought())
    assert (found.light, wrong(found)) == (Light.PASSED, [])
    # 37.50 - 7.50 = 30.00, of which 4.00 are taken off the whole order
    whole = stop(Stop.SUBMISSION, bought(net=Decimal("26.00"), submitted=sent(OrderDiscount="4.00")))
    assert Compared("amount", "26.00", "26.00") in whole.compared


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("ClickId", "click-1", "click"),
        ("OrderId", "901", "order"),
        ("CampaignId", "1", "campaign"),
        ("EventTypeId", "1", "event_type"),
        ("CurrencyCode", "USD", "currency"),
        ("ItemQuantity1", "2", "units MUG"),
        ("ItemSubTotal1", "37.51", "amount"),
        ("ItemSubTotal1", "x", "amount"),
        ("OrderDiscount", "0.01", "amount"),
    ],
)
def test_one_value_that_is_not_the_orders_fails_the_stop(field: str, value: str, what: str) -> None:
    found = stop(Stop.SUBMISSION, bought(submitted=sent(**{field: value})))
    assert (found.light, wrong(found)) == (Light.FAILED, [what])


def test_an_item_that_is_missing_or_too_much_fails_the_stop() -> None:
    more = sent(ItemSku2="CUP", ItemQuantity2="1", ItemSubTotal2="0")
    assert wrong(stop(Stop.SUBMISSION, bought(submitted=more))) == ["units CUP"]
    assert wrong(stop(Stop.SUBMISSION, bought(items=(("MUG", 3), ("CUP", 1))))) == ["units CUP"]


def test_a_promo_code_is_compared_where_one_is_to_be_sent() -> None:
    assert wrong(stop(Stop.SUBMISSION, bought(promo_code="SUMMER"))) == ["code"]
    assert (
        wrong(stop(Stop.SUBMISSION, bought(promo_code="SUMMER", submitted=sent(OrderPromoCode="SUMMER"))))
        == []
    )


@pytest.mark.parametrize(("currency", "amount", "text"), [("JPY", "3000", "3000"), ("KWD", "30.5", "30.500")])
def test_amounts_have_their_currencys_digits(currency: str, amount: str, text: str) -> None:
    held = replace(BOOKED, amount=Decimal(amount), currency=currency)
    found = stop(Stop.ACTION, bought(reported=reported(currency, amount), read_back=held))
    assert Compared("amount", text, text) in found.compared
    off = replace(held, amount=Decimal(amount) + Decimal("0.0001"))
    assert wrong(stop(Stop.ACTION, bought(reported=reported(currency, amount), read_back=off))) == ["amount"]


def test_another_click_than_the_tests_is_no_success() -> None:
    assert stop(Stop.CART, bought(carried="Click-2")).light is Light.FAILED
    assert stop(Stop.ORDER, bought(carrier="beacon", carried="Click-2")).light is Light.FAILED


def test_an_order_that_no_delivery_told_of_is_said_to_be_found() -> None:
    found = stop(Stop.DELIVERY, bought(arrived_at=None, topic=""))
    assert found.light is Light.SKIPPED
    assert "No webhook" in found.said[0]


def test_items_are_compared_by_units_alone_where_impact_com_spread_a_discount() -> None:
    one = trial(told={"items": [{"sku": "MUG", "quantity": "3", "amount": "29.99"}]})
    exact = stop(Stop.ACTION, bought(read_back=BOOKED), one)
    assert wrong(exact) == ["item MUG"]
    spread = stop(Stop.ACTION, bought(reported=reported(is_spread=True), read_back=BOOKED), one)
    assert (spread.light, wrong(spread)) == (Light.PASSED, [])


@pytest.mark.parametrize(
    ("is_own", "finding", "light"),
    [
        (False, Finding.NOT_CREDITED, Light.FAILED),
        (True, Finding.NOT_CREDITED, Light.SKIPPED),
        (True, Finding.CONTRACT, Light.FAILED),
        (True, Finding.CONFIGURATION, Light.FAILED),
        (False, Finding.CREDITED, Light.WAITING),
        (False, Finding.DUPLICATE, Light.WAITING),
    ],
)
@pytest.mark.parametrize("is_read_back", [True, False])
def test_that_nobody_is_credited_is_right_for_a_click_of_the_apps_own_alone(
    is_own: bool, finding: Finding, light: Light, is_read_back: bool
) -> None:
    """Whether the line read it back or the page was told before."""
    one = trial(is_own=is_own, told={} if is_read_back else {"finding": finding.value, "said": "Why."})
    held = read_back(finding=finding, detail="Why.") if is_read_back else read_back()
    order = bought(read_back=held)
    assert stop(Stop.ACTION, order, one).light is light
    over = light is not Light.WAITING
    assert (stop(Stop.BACK, order, one).light is Light.SKIPPED) is over
    found = standings(one, None, order)
    assert is_moving(one, found, order, later(minutes=4)) is not over
    assert can_be_taken_back(one, order, later(hours=2)) is not over


def test_a_test_that_cannot_be_read_back_can_be_taken_back_after_a_while() -> None:
    assert not can_be_taken_back(trial(), bought(), later(minutes=40))
    assert can_be_taken_back(trial(), bought(), later(minutes=50))
    assert can_be_taken_back(trial(), bought(read_back=BOOKED), later(minutes=4))


def test_a_reversal_is_over_when_impact_com_lists_it() -> None:
    gone = reported(is_reversed=True)
    code = Sent("accepted", "", later(minutes=10), later(minutes=10), {"DispositionCode": "TEST_ACTION"})
    queued = bought(reported=gone, reversal=code, changed_at=later(minutes=10), read_back=BOOKED)
    assert stop(Stop.BACK, queued).light is Light.WAITING
    assert not can_be_taken_back(trial(), queued, later(minutes=11))
    listed = replace(BOOKED, state="REVERSED", amount=Decimal(0), checked_at=later(minutes=11))
    done = replace(queued, read_back=listed)
    assert (stop(Stop.BACK, done).light, stop(Stop.ACTION, done).light) == (Light.PASSED, Light.PASSED)
    stands = replace(queued, read_back=replace(BOOKED, checked_at=later(minutes=11)))
    assert stop(Stop.BACK, stands).light is Light.WAITING
    refused = bought(reversal=replace(code, state="rejected", detail="No."), read_back=BOOKED)
    assert (stop(Stop.BACK, refused).light, stop(Stop.BACK, refused).told) == (
        Light.FAILED,
        ("TEST_ACTION", "No."),
    )
    assert can_be_taken_back(trial(), refused, later(minutes=11))
    restored = replace(done, reported=reported())
    assert stop(Stop.BACK, restored).light is Light.WAITING
