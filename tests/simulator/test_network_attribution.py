"""Which conversions become actions, whom they pay, and with which code the others end."""

from datetime import timedelta
from decimal import Decimal

import pytest

from impact_app.simulator.network import (
    Click,
    Contract,
    EventType,
    Partner,
    PromoCode,
    Setup,
    UnusableSetup,
)

from .brand import NOON, brand

PARTNERS = (
    Partner(1, "Blog"),
    Partner(2, "Coupons", Decimal("0.03"), unique_domain="deals.example"),
    Partner(3, "Gone", active=False),
)
CLICKS = (
    Click(
        "blog-click", 1, NOON - timedelta(days=3), customer_id="known-customer", profile_id="known-profile"
    ),
    Click("old-click", 1, NOON - timedelta(days=31)),
    Click("gone-click", 3, NOON - timedelta(days=1)),
    Click("journey", 1, NOON - timedelta(days=5)),
    Click("journey", 2, NOON - timedelta(days=2)),
)
CODES = (
    PromoCode(1, "ALWAYS2", 2),
    PromoCode(2, "INVOLVED1", 1, credit_policy="INVOLVED"),
    PromoCode(3, "WINNER1", 1, credit_policy="WINNER"),
    PromoCode(4, "VIP-[0-9]+", 2, type="RE"),
    PromoCode(5, "OVER2", 2, end=NOON - timedelta(days=1)),
)
EVENT_TYPES = (
    EventType(),
    EventType(11, "Switched off", active=False, code="OFF"),
    EventType(12, "Elsewhere", campaign_id=2000),
    EventType(13, "No codes", credits_promo_codes=False),
)
SETUP = Setup(
    strict_clicks=True, partners=PARTNERS, clicks=CLICKS, promo_codes=CODES, event_types=EVENT_TYPES
)
KEYS = ("ClickId", "CustomerId", "OrderPromoCode", "EventTypeId")
EVENT = {"EventTypeId": 9876, "EventDate": "2026-11-20T12:00:00Z"}


@pytest.fixture(scope="module")
def shared():
    with brand(SETUP) as caller:
        yield caller


@pytest.fixture
def caller(shared):
    shared.network.books.reset()
    return shared


@pytest.mark.parametrize(
    ("sent", "partner", "referral"),
    [
        ({"ClickId": "blog-click"}, 1, "CLICK_COOKIE"),
        ({"ClickId": "journey"}, 2, "CLICK_COOKIE"),  # the last of several clicks
        ({"CustomerId": "known-customer"}, 1, "CLICK_COOKIE"),
        ({"CustomProfileId": "known-profile"}, 1, "CLICK_COOKIE"),
        ({"OrderPromoCode": "always2"}, 2, "PROMO_CODE"),  # paid without any click, in any case of letters
        ({"OrderPromoCode": "VIP-77"}, 2, "PROMO_CODE"),
        ({"PromoCode": "ALWAYS2"}, 2, "PROMO_CODE"),
        ({"OrderPromoCode": "ALWAYS2", "ClickId": "blog-click"}, 2, "PROMO_CODE"),
        ({"OrderPromoCode": "INVOLVED1", "ClickId": "journey"}, 1, "PROMO_CODE"),
        ({"OrderPromoCode": "WINNER1", "ClickId": "blog-click"}, 1, "PROMO_CODE"),
        ({"OrderPromoCode": "OVER2", "ClickId": "blog-click"}, 1, "CLICK_COOKIE"),  # an expired code
        ({"OrderPromoCode": "UNKNOWN", "ClickId": "blog-click"}, 1, "CLICK_COOKIE"),
        ({"EventTypeId": 13, "OrderPromoCode": "ALWAYS2", "ClickId": "blog-click"}, 1, "CLICK_COOKIE"),
        ({"MediaId": 1}, 1, "MEDIA_ID"),
        ({"UniqueUrl": "https://deals.example/x"}, 2, "UNIQUE_URL"),
    ],
)
def test_one_partner_is_credited(caller, sent, partner, referral):
    answer = caller.submit(KEYS, **{**EVENT, **sent})
    assert caller.result(answer)["ErrorReason"] == ""
    assert caller.result(answer)["MediaPartnerId"] == partner
    assert (caller.action()["partner_id"], caller.action()["referral"]) == (partner, referral)


CONTRACT, VALIDATION = "Contract Error", "Validation"


@pytest.mark.parametrize(
    ("sent", "kind", "reason"),
    [
        ({"ClickId": "unknown"}, CONTRACT, "ACTION_REF_NOT_FOUND"),
        ({"ClickId": "BLOG-CLICK"}, CONTRACT, "ACTION_REF_NOT_FOUND"),  # ids are case-sensitive
        ({"CustomerId": "unknown"}, CONTRACT, "NO_VALID_REFERRERS_FOUND"),
        ({"OrderPromoCode": "UNKNOWN"}, CONTRACT, "NO_VALID_REFERRERS_FOUND"),
        ({"OrderPromoCode": "vip-77"}, CONTRACT, "NO_VALID_REFERRERS_FOUND"),  # expressions mind the case
        ({"OrderPromoCode": "WINNER1"}, CONTRACT, "NO_VALID_REFERRERS_FOUND"),
        ({"OrderPromoCode": "WINNER1", "ClickId": "journey"}, CONTRACT, "RESTRICTED_PROMOCODE"),
        ({"ClickId": "old-click"}, CONTRACT, "OUTSIDE_ASSOCIATION_WINDOW"),
        ({"ClickId": "gone-click"}, CONTRACT, "PARTNER_NOT_ACTIVE"),
        ({"MediaId": 99}, CONTRACT, "ACTION_REF_NOT_FOUND"),
        ({"ClickId": "blog-click", "CampaignId": 77}, VALIDATION, "CAMPAIGN_NOT_FOUND"),
        ({"ClickId": "blog-click", "EventTypeId": 77}, VALIDATION, "ACTIONTRACKER_NOT_FOUND"),
        ({"ClickId": "blog-click", "EventTypeId": 11}, VALIDATION, "ACTIONTRACKER_NOT_ACTIVE"),
        ({"ClickId": "blog-click", "EventTypeId": 12}, VALIDATION, "ACTIONTRACKER_CAMPAIGN_MISMATCH"),
        ({"ClickId": "blog-click", "CustomerStatus": "VIP"}, VALIDATION, "MALFORMED"),
        ({"ClickId": "blog-click", "DispositionCode": "HELD"}, VALIDATION, "MALFORMED"),
        # 88 days before 20 November 2026 is 24 August
        ({"ClickId": "blog-click", "EventDate": "2026-08-24T11:59:59Z"}, VALIDATION, "MALFORMED"),
    ],
)
def test_the_others_end_with_a_code_and_no_action(caller, sent, kind, reason):
    result = caller.result(caller.submit(KEYS, **{**EVENT, **sent}))
    assert (result["Status"], result["ErrorType"], result["ErrorReason"]) == ("Complete", kind, reason)
    assert result["MediaPartnerId"] is None
    assert caller.books()["actions"] == []


def test_an_event_of_88_days_is_processed_and_a_forced_one_of_398(caller):
    oldest = caller.submit(
        EventDate="2026-08-24T12:00:00Z", ClickId="unknown", without=KEYS, EventTypeId=9876
    )
    assert caller.reason(oldest) == "ACTION_REF_NOT_FOUND"  # looked at, unlike one second earlier
    forced = caller.submit(KEYS, EventTypeId=9876, MediaId=1, EventDate="2025-10-18T12:00:00Z")
    assert caller.reason(forced) == ""  # 398 days
    too_old = caller.submit(KEYS, EventTypeId=9876, MediaId=1, OrderId="2", EventDate="2025-10-18T11:59:59Z")
    assert caller.reason(too_old) == "MALFORMED"


def test_without_items_or_amount_there_is_nothing_to_pay(caller):
    names = tuple(
        f"Item{name}{n}" for name in ("Sku", "Name", "Category", "Quantity", "SubTotal") for n in (1, 2)
    )
    assert caller.reason(caller.submit((*names, "OrderDiscount"))) == "NO_ITEM"


def test_an_event_type_code_stands_for_its_id(caller):
    caller.submit(("EventTypeId",), EventTypeCode="ONLINE_SALE", ClickId="blog-click")
    assert caller.action()["event_type_id"] == 9876


def test_any_click_counts_unless_clicks_are_strict():
    with brand() as caller:
        caller.submit(ClickId="never-heard-of")
        assert caller.action()["partner_id"] == caller.network.books.setup.default_partner_id


def test_a_second_conversion_of_an_order_is_a_duplicate_inside_the_window():
    with brand(Setup(duplicate_window_days=10)) as caller:
        first, second = caller.submit(), caller.submit(OrderDiscount="1.00")
        assert (first.status_code, second.status_code) == (200, 200)
        assert caller.reason(second) == "CONV_DUPLICATE"
        assert caller.action()["amount"] == "112.00"  # the first one's 127.00 - 15.00
        caller.clock.go_on(days=10, seconds=-1)
        assert caller.reason(caller.submit()) == "CONV_DUPLICATE"
        caller.clock.go_on(seconds=1)
        assert caller.reason(caller.submit()) == ""
        assert len(caller.books()["actions"]) == 2


def test_the_same_order_under_another_event_type_is_no_duplicate():
    with brand(Setup(event_types=(EventType(), EventType(2, "Lead")))) as caller:
        caller.submit()
        assert caller.reason(caller.submit(EventTypeId=2)) == ""
        assert [action["event_type_id"] for action in caller.books()["actions"]] == [9876, 2]


def test_an_uncredited_conversion_does_not_stand_in_the_way_of_a_repaired_one():
    with brand() as caller:
        assert caller.reason(caller.submit(CampaignId=77)) == "CAMPAIGN_NOT_FOUND"
        assert caller.reason(caller.submit()) == ""


def test_a_contracts_window_and_event_types_decide_who_is_paid():
    clicks = (
        Click("fresh", 1, NOON - timedelta(days=39)),
        Click("stale", 1, NOON - timedelta(days=41)),
        Click("brief", 2, NOON - timedelta(hours=49)),
        Click("unpaid", 4, NOON - timedelta(days=1)),
        Click("nobody", 5, NOON - timedelta(days=1)),
    )
    contracts = (
        Contract("S-1", 1, window=40),
        Contract("S-2", 2, window=48, window_unit="HOUR"),
        Contract("S-3", 4, event_type_ids=(13,)),
        Contract("S-4", 5, end=NOON - timedelta(days=2)),
    )
    setup = Setup(
        strict_clicks=True,
        partners=(*PARTNERS, Partner(4, "Leads only"), Partner(5, "Left")),
        clicks=clicks,
        promo_codes=(),
        contracts=contracts,
    )
    with brand(setup) as caller:
        ends = {
            click.id: caller.reason(
                caller.submit(("CustomerId", "OrderPromoCode"), ClickId=click.id, OrderId=click.id, **EVENT)
            )
            for click in clicks
        }
    assert ends == {
        "fresh": "",
        "stale": "OUTSIDE_ASSOCIATION_WINDOW",
        "brief": "OUTSIDE_ASSOCIATION_WINDOW",
        "unpaid": "ACTIONTERMS_NOT_FOUND",
        "nobody": "CONTRACT_NOT_FOUND",
    }


def test_a_contract_with_an_impossible_window_is_refused():
    with pytest.raises(UnusableSetup, match="S-1"):
        Contract("S-1", window=-1)
