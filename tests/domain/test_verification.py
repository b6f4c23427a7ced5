"""What impact.com's answers mean, where books differ, and when to look again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from impact_app.domain.money import Money
from impact_app.domain.plan import Reported, ReportedItem
from impact_app.domain.reasons import EXPLANATIONS, Reason, Verdict
from impact_app.domain.verification import (
    ERROR_REASONS,
    NOBODY_PAID,
    NOT_BOOKED,
    Action,
    ActionItem,
    Difference,
    Finding,
    ReadBack,
    Submission,
    difference,
    foremost,
    judge_action,
    judge_submission,
    next_look,
    windows,
)

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

REPORTED = Reported(
    campaign_id="1000",
    event_type_id="9876",
    order_id="450789469",
    currency="EUR",
    items=(
        ReportedItem("HOSE", 2, Money(Decimal("28.00"), "EUR")),
        ReportedItem("SPADE", 3, Money(Decimal("84.00"), "EUR")),
    ),
)
ACTION = Action(
    id="1000.4636.158133",
    order_id="450789469",
    event_type_id="9876",
    partner_id="20001",
    partner_name="Pretend Partner",
    state="PENDING",
    amount=Decimal("112.0"),
    currency="EUR",
    payout=Decimal("5.60"),
    event_date=NOON,
    created_at=NOON,
    locking_date=NOON + timedelta(days=37),
)


def record(reason: str = "", kind: str = "Validation", status: str = "Complete") -> Submission:
    return Submission(status, "450789469", kind if reason else "", reason, "")


# Submissions

# The table of impact.com's error reasons, written out a second time on purpose.
TABLE = {
    Finding.DATA: "MALFORMED CONV_MALFORMED OID_MISSING NO_ITEM",
    Finding.CONFIGURATION: (
        "CAMPAIGN_NOT_FOUND ACTIONTRACKER_NOT_FOUND ACTIONTRACKER_CAMPAIGN_MISMATCH ACTIONTRACKER_NOT_ACTIVE"
    ),
    Finding.DUPLICATE: "CONV_DUPLICATE",
    Finding.NOT_CREDITED: (
        "ACTION_REF_NOT_FOUND NO_VALID_ACTION_REF NO_VALID_REFERRERS_FOUND OUTSIDE_ASSOCIATION_WINDOW "
        "OTHER_REF_PRIORITIZED UNCLAIMED"
    ),
    Finding.CONTRACT: (
        "CONTRACT_NOT_FOUND ACTIONTERMS_NOT_FOUND REFTYPE_NOT_ACCEPTED PARTNER_NOT_ACTIVE "
        "CREDITING_RULE_MISMATCH MAX_RECURRENCES_REACHED BLACKLISTED_SOURCE_IP"
    ),
    Finding.PROMO: "BLOCKED_BY_PROMOCODE RESTRICTED_PROMOCODE",
}
CASES = [(code, finding) for finding, codes in TABLE.items() for code in codes.split()]


@pytest.mark.parametrize(("code", "finding"), CASES)
def test_every_published_code_has_its_class_and_a_sentence(code: str, finding: Finding) -> None:
    judged = judge_submission(record(code))
    assert judged is not None
    assert judged.finding is finding
    assert judged.detail.startswith(f"{code}: ")
    assert judged.detail.endswith(".")


def test_the_table_holds_nothing_else() -> None:
    assert sorted(ERROR_REASONS) == sorted(code for code, _ in CASES)


def test_a_complete_submission_without_error_is_credited() -> None:
    judged = judge_submission(record())
    assert judged is not None
    assert (judged.finding, judged.detail) == (Finding.CREDITED, "")


@pytest.mark.parametrize("status", ["Queued", "In Progress", "queued", ""])
def test_a_submission_under_way_has_no_finding(status: str) -> None:
    assert judge_submission(record("MALFORMED", status=status)) is None


@pytest.mark.parametrize("status", ["Complete", "COMPLETE", " complete"])
def test_complete_is_read_in_any_case(status: str) -> None:
    assert judge_submission(record(status=status)) is not None


@pytest.mark.parametrize(
    ("codes", "finding"),
    [
        ("NO_ITEM CONV_DUPLICATE", Finding.DUPLICATE),
        ("NO_VALID_REFERRERS_FOUND CONTRACT_NOT_FOUND", Finding.CONTRACT),
        ("CONTRACT_NOT_FOUND RESTRICTED_PROMOCODE", Finding.PROMO),
        ("ACTION_REF_NOT_FOUND MALFORMED", Finding.DATA),
        ("MALFORMED CAMPAIGN_NOT_FOUND", Finding.CONFIGURATION),
    ],
)
def test_of_several_codes_the_weightier_decides_and_all_are_told(codes: str, finding: Finding) -> None:
    judged = judge_submission(record(codes))
    assert judged is not None
    assert judged.finding is finding
    assert all(f"{code}: " in judged.detail for code in codes.split())


@pytest.mark.parametrize(
    ("kind", "finding"), [("Contract Error", Finding.CONTRACT), ("Validation", Finding.DATA)]
)
def test_an_unknown_code_is_classed_by_its_type(kind: str, finding: Finding) -> None:
    judged = judge_submission(record("CALL_TOO_SHORT", kind))
    assert judged is not None
    assert judged.finding is finding
    assert judged.detail == "CALL_TOO_SHORT: impact.com does not explain this code."


def test_a_type_without_a_code_still_says_something() -> None:
    judged = judge_submission(Submission("Complete", "1", "Contract Error", "", ""))
    assert judged is not None
    assert (judged.finding, judged.detail) == (Finding.CONTRACT, "Contract Error")


# Actions


def test_an_action_as_reported_is_credited() -> None:
    assert difference(REPORTED, ACTION) == ()
    assert judge_action(REPORTED, ACTION).finding is Finding.CREDITED


def test_another_amount_is_named_with_both_sums() -> None:
    """28.00 + 84.00 was reported; 112.00 - 14.00 is held."""
    action = replace(ACTION, amount=Decimal("98.00"))
    assert difference(REPORTED, action) == (Difference("Amount", "112.00", "98.00"),)
    judged = judge_action(REPORTED, action)
    assert judged.finding is Finding.DIFFERS
    assert judged.detail == "Amount: reported 112.00, impact.com holds 98.00. 14.00 EUR too little."


def test_amounts_of_another_currency_are_not_compared() -> None:
    action = replace(ACTION, amount=Decimal("121.40"), currency="USD")
    assert difference(REPORTED, action) == ()
    assert judge_action(REPORTED, action).finding is Finding.CREDITED


@pytest.mark.parametrize(
    ("ours", "theirs", "found"),
    [
        (True, "REVERSED", ()),
        (True, "PENDING", (Difference("State", "reversed", "not reversed"),)),
        (False, "REVERSED", (Difference("State", "not reversed", "reversed"),)),
        (False, "APPROVED", ()),
    ],
)
def test_a_reversal_is_compared_before_any_amount(
    ours: bool, theirs: str, found: tuple[Difference, ...]
) -> None:
    reported = replace(REPORTED, items=(), is_reversed=True) if ours else REPORTED
    amount = Decimal(0) if theirs == "REVERSED" else Decimal("112.00")
    assert difference(reported, replace(ACTION, state=theirs, amount=amount)) == found


def test_a_reversal_in_another_currency_still_counts() -> None:
    action = replace(ACTION, state="REVERSED", amount=Decimal(0), currency="USD")
    assert difference(REPORTED, action) == (Difference("State", "not reversed", "reversed"),)


def test_items_are_compared_where_they_are_known() -> None:
    items = (ActionItem("HOSE", 1, Decimal("14.00")), ActionItem("RAKE", 1, Decimal("98.00")))
    assert difference(REPORTED, replace(ACTION, items=items)) == (
        Difference("Item HOSE", "2 for 28.00", "1 for 14.00"),
        Difference("Item SPADE", "3 for 84.00", "none"),
        Difference("Item RAKE", "none", "1 for 98.00"),
    )


def test_equal_items_written_otherwise_do_not_differ() -> None:
    items = (ActionItem("SPADE", 3, Decimal(84)), ActionItem("HOSE", 2, Decimal("28.0")))
    gone = ActionItem("RAKE", 0, Decimal(0))
    assert difference(REPORTED, replace(ACTION, items=(*items, gone))) == ()


@pytest.mark.parametrize(("days", "is_final"), [(36, False), (37, True), (38, True)])
def test_an_action_is_final_from_its_locking_date(days: int, is_final: bool) -> None:
    assert ACTION.is_final(NOON + timedelta(days=days)) is is_final


# What an order says of it

TOLD = ReadBack(
    finding=None,
    detail="",
    account_sid="IRx",
    action_id=None,
    partner_id=None,
    partner_name=None,
    state=None,
    amount=None,
    currency=None,
    payout=None,
    locking_date=None,
    checked_at=None,
)


@pytest.mark.parametrize("finding", [None, *Finding])
def test_every_finding_gives_a_reported_order_its_reason(finding: Finding | None) -> None:
    reason = replace(TOLD, finding=finding).reason
    verdict = EXPLANATIONS[reason].verdict
    needs_a_person = finding in NOT_BOOKED or finding is Finding.DRIFTED
    assert verdict is (Verdict.ATTENTION if needs_a_person else Verdict.REPORTED)
    assert (reason is Reason.NOT_CREDITED) is (finding in NOBODY_PAID)
    assert (reason is Reason.CREDITED) is (finding in {Finding.CREDITED, Finding.DIFFERS})
    assert (reason is Reason.ACCEPTED) is (finding in {None, Finding.DUPLICATE})


@pytest.mark.parametrize(
    ("finding", "detail", "partner", "words"),
    [
        (None, "The token may not read this.", None, ""),
        (Finding.CREDITED, "", "Pretend Partner", "Partner: Pretend Partner."),
        (Finding.DIFFERS, "Amount: x.", "Pretend Partner", "Partner: Pretend Partner. Amount: x."),
        (Finding.NOT_CREDITED, "UNCLAIMED: x.", None, "UNCLAIMED: x."),
    ],
)
def test_a_reason_comes_with_the_partner_and_what_was_said(
    finding: Finding | None, detail: str, partner: str | None, words: str
) -> None:
    assert replace(TOLD, finding=finding, detail=detail, partner_name=partner).words == words


# When


def test_looks_come_at_growing_gaps_on_the_quarter_hour() -> None:
    """20 minutes, doubling, each moved up to the quarter hour; at most a day."""
    at, gaps = NOON, []
    for checks in range(9):
        later = next_look(checks, NOON, at)
        assert later is not None
        assert (later.minute % 15, later.second) == (0, 0)
        gaps.append((later - at).total_seconds() / 60)
        at = later
    assert gaps == [30, 45, 90, 165, 330, 645, 1290, 1440, 1440]


def test_one_quarter_hour_shares_its_looks() -> None:
    looks = {next_look(0, NOON, NOON + timedelta(seconds=seconds)) for seconds in range(1, 600)}
    assert looks == {NOON + timedelta(minutes=30)}


def test_after_ninety_days_nobody_can_tell_any_more() -> None:
    late = NOON + timedelta(days=89, hours=12)
    assert next_look(20, NOON, late - timedelta(days=1)) is not None
    assert next_look(20, NOON, late) is None


def test_windows_are_few_and_hold_everything() -> None:
    day = timedelta(days=1)
    moments = [NOON, NOON + day / 2, NOON + day, NOON + 30 * day]
    margin = timedelta(minutes=5)
    assert windows(reversed(moments)) == [
        (NOON - margin, NOON + day + margin),
        (NOON + 30 * day - margin, NOON + 30 * day + margin),
    ]
    assert windows([]) == []


NOW = datetime(2026, 12, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    ("finding", "locks", "reason"),
    [
        (Finding.DIFFERS, NOW, Reason.TOO_LATE),
        (Finding.DIFFERS, NOW + timedelta(days=1), Reason.CREDITED),
        (Finding.DIFFERS, None, Reason.CREDITED),
        (Finding.CREDITED, NOW, Reason.CREDITED),
    ],
)
def test_what_differs_and_is_locked_comes_too_late(
    finding: Finding, locks: datetime | None, reason: Reason
) -> None:
    told = replace(TOLD, finding=finding, locking_date=locks, checked_at=NOW)
    assert told.instead_of(Reason.UNCHANGED) is reason
    is_late = reason is Reason.TOO_LATE
    assert told.instead_of(Reason.REVERSED) is (Reason.TOO_LATE if is_late else None)
    assert told.instead_of(Reason.ADDED_ITEMS) is None


def test_of_two_conversions_the_one_with_a_fault_is_told() -> None:
    well = replace(TOLD, finding=Finding.CREDITED, partner_name="First")
    late = replace(TOLD, finding=Finding.DIFFERS, locking_date=NOW, checked_at=NOW)
    lost = replace(TOLD, finding=Finding.DATA)
    assert foremost([]) is None
    assert foremost([well, replace(well, partner_name="Second")]) is well
    assert foremost([well, late]) is late
    assert foremost([late, lost, well]) is lost
