"""The overview's arithmetic: counts added up by verdict, reason, carrier and day."""

from __future__ import annotations

from datetime import date

from impact_app.domain.overview import Count, Overview, Total
from impact_app.domain.reasons import Reason, Verdict

FIRST, LAST = date(2026, 11, 18), date(2026, 11, 20)


def count(day: date, verdict: Verdict, reason: Reason, orders: int, **fields: object) -> Count:
    values = {"currency": "EUR", "carrier": None, "net_minor": 0, **fields}
    return Count(day=day, verdict=verdict, reason=reason, orders=orders, **values)  # type: ignore[arg-type]


FOUND = Overview(
    FIRST,
    LAST,
    (
        count(FIRST, Verdict.REPORTED, Reason.CREDITED, 3, carrier="cart_attribute", net_minor=3000),
        count(LAST, Verdict.REPORTED, Reason.CREDITED, 1, carrier="landing_url", net_minor=950),
        count(LAST, Verdict.REPORTED, Reason.ACCEPTED, 2, currency="JPY", net_minor=700),
        count(LAST, Verdict.WITHHELD, Reason.NO_CLICK_OR_CODE, 4, net_minor=4400),
        count(LAST, Verdict.WITHHELD, Reason.POINT_OF_SALE, 5, net_minor=5500),
        count(LAST, Verdict.WITHHELD, Reason.TEST_ORDER, 1, net_minor=100),
    ),
)


def test_verdicts_add_up_with_their_money_by_currency() -> None:
    assert FOUND.verdicts() == {
        Verdict.REPORTED: Total(3 + 1 + 2, {"EUR": 3000 + 950, "JPY": 700}),
        Verdict.WITHHELD: Total(4 + 5 + 1, {"EUR": 4400 + 5500 + 100}),
        Verdict.WAITING: Total(0, {}),
        Verdict.ATTENTION: Total(0, {}),
    }
    assert sum(total.orders for total in FOUND.verdicts().values()) == FOUND.all.orders == 16


def test_one_day_is_told_by_itself() -> None:
    assert FOUND.verdicts(FIRST)[Verdict.REPORTED] == Total(3, {"EUR": 3000})
    assert FOUND.verdicts(FIRST)[Verdict.WITHHELD] == Total(0, {})


def test_reasons_come_most_frequent_first() -> None:
    assert [(reason, total.orders) for reason, total in FOUND.reasons(Verdict.WITHHELD)] == [
        (Reason.POINT_OF_SALE, 5),
        (Reason.NO_CLICK_OR_CODE, 4),
        (Reason.TEST_ORDER, 1),
    ]


def test_capture_is_told_of_orders_that_a_visit_could_have_brought() -> None:
    # 16 orders less 5 at a till and 1 test; clicks came with 3 + 1
    assert (FOUND.capture.visits, FOUND.capture.with_click) == (10, 4)
    assert FOUND.capture.rate == 0.4
    assert Overview(FIRST, LAST, ()).capture.rate is None
    assert [(name, total.orders) for name, total in FOUND.carriers()] == [
        ("cart_attribute", 3),
        ("landing_url", 1),
    ]


def test_a_day_without_orders_stands_among_the_others() -> None:
    days = FOUND.days()
    assert [day for day, _ in days] == [FIRST, date(2026, 11, 19), LAST]
    assert set(days[1][1].values()) == {0}
    assert days[2][1][Verdict.WITHHELD] == 10
