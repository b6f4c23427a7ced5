"""What holds up orders, by cause."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from impact_app.domain.attention import MOST_DETAILS, Held, Repair, causes
from impact_app.domain.reasons import Reason

DAY = datetime(2026, 11, 20, tzinfo=UTC)


def held(detail: str, orders: int, *, currency: str = "EUR", minor: int = 100, days: int = 0) -> Held:
    return Held(Reason.PROGRAM_INVALID, detail, currency, orders, minor, DAY - timedelta(days=days))


def test_one_detail_in_two_currencies_is_one_cause() -> None:
    (cause,) = causes([held("X", 2), held("X", 3, currency="JPY", minor=7, days=1)])
    assert (cause.orders, dict(cause.money)) == (2 + 3, {"EUR": 100, "JPY": 7})
    assert cause.since == DAY - timedelta(days=1)
    assert cause.repair is Repair.REPLAY


def test_what_holds_up_most_comes_first() -> None:
    few = Held(Reason.CREDENTIALS_REFUSED, "", "EUR", 1, 1, DAY)
    found = causes([few, held("X", 2), held("Y", 9)])
    assert [(cause.detail, cause.orders) for cause in found] == [("Y", 9), ("X", 2), ("", 1)]
    assert found[-1].repair is Repair.SETTINGS


def test_details_that_all_differ_are_one_cause() -> None:
    (cause,) = causes([held(f"order {at}", 1) for at in range(MOST_DETAILS + 1)])
    assert (cause.detail, cause.orders) == (None, MOST_DETAILS + 1)
    assert len(causes([held(f"order {at}", 1) for at in range(MOST_DETAILS)])) == MOST_DETAILS
