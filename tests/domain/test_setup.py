"""Every finding of the set-up comes of its facts, with its sentence, who acts, and where."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from impact_app.domain.messages import ACTORS
from impact_app.domain.programs import (
    AccountCheck,
    Allowance,
    Contract,
    EventType,
    Need,
    Program,
    Right,
    Term,
    Told,
)
from impact_app.domain.reasons import Reason
from impact_app.domain.rules import Rules
from impact_app.domain.setup import (
    DONE,
    FINDINGS,
    STEPS,
    Facts,
    Finding,
    Light,
    Link,
    Said,
    Standing,
    StepName,
    first_open,
    progress,
    standings,
)

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)

PROGRAM = Program(
    "1000",
    "Garden",
    state="ACTIVE",
    tracking_templates=("im_ref={clickid}",),
    deep_linking=True,
    deep_link_domains=("shop.example",),
    promo_code_tracking=True,
)
TOLD = Told(
    "IR1",
    "1000",
    NOW,
    AccountCheck("works", "impact.com accepts these credentials."),
    rights=tuple(Right(need, Allowance.MAY) for need in Need),
    programs=(PROGRAM,),
    contracts=(Contract("7", (Term("9876", "Online Sale", 30),)),),
    event_types=(EventType("9876", "Online Sale", 3, "both"),),
)

#: A store with which everything is as it should be.
WELL = Facts(
    platform="shopify",
    domain="one.myshopify.com",
    now=NOW,
    connected_at=NOW - 30 * HOUR,
    needed=("read_orders",),
    wanted=("read_products", "write_pixels"),
    granted=frozenset({"read_orders", "read_products", "write_pixels"}),
    address="https://app.example.com",
    last_delivery=NOW - HOUR,
    account_sid="IR1",
    has_auth_token=True,
    told=TOLD,
    campaign_id="1000",
    event_type_id="9876",
    hosts=("shop.example",),
    embed_on=True,
    pixel_id="gid://1",
    set_up_at=NOW - HOUR,
    booked="1001",
)

SALEOR = {"platform": "saleor", "embed_on": None, "pixel_id": "", "needed": ("MANAGE_ORDERS",), "wanted": ()}


def told(**values: Any) -> dict[str, Any]:
    return {"told": replace(TOLD, **values)}


def program(**values: Any) -> dict[str, Any]:
    return told(programs=(replace(PROGRAM, **values),))


def account(outcome: Any) -> dict[str, Any]:
    return told(account=AccountCheck(outcome, "What impact.com said."))


def may_not(need: Need, **values: Any) -> dict[str, Any]:
    kept = (right for right in TOLD.rights if right.need is not need)
    return told(rights=(*kept, Right(need, Allowance.MAY_NOT)), **values)


PLATFORM, WEBHOOKS, ACCOUNT, PROGRAM_STEP = (
    StepName.PLATFORM,
    StepName.WEBHOOKS,
    StepName.ACCOUNT,
    StepName.PROGRAM,
)
EVENT, WINDOW, STOREFRONT = StepName.EVENT_TYPE, StepName.WINDOW, StepName.STOREFRONT
PIXEL, TEST = StepName.PIXEL, StepName.TEST_ORDER

NEW = {"last_delivery": None}
GONE = {"is_connected": False}
UNTESTED = {"booked": ""}

#: The step, what is other than with a store that is well, what is found then, and who acts where.
CASES: list[tuple[StepName, dict[str, Any], Finding, str, Link | None]] = [
    (PLATFORM, {}, Finding.CONNECTED, "nobody", None),
    (PLATFORM, GONE, Finding.UNINSTALLED, "merchant", Link.INSTALL),
    (PLATFORM, {"has_access": False}, Finding.NO_TOKEN, "merchant", Link.OPEN_APP),
    (PLATFORM, {"reauthorize_reason": "Ended."}, Finding.TOKEN_ENDED, "merchant", Link.OPEN_APP),
    (PLATFORM, {"granted": frozenset({"x"})}, Finding.SCOPE_MISSING, "merchant", Link.OPEN_APP),
    (PLATFORM, {"granted": frozenset({"read_orders"})}, Finding.SCOPE_WANTED, "merchant", Link.OPEN_APP),
    (PLATFORM, {"granted": frozenset()}, Finding.SCOPES_UNKNOWN, "nobody", None),
    (WEBHOOKS, {}, Finding.ARRIVING, "nobody", None),
    (WEBHOOKS, GONE, Finding.NOT_INSTALLED, "nobody", None),
    (WEBHOOKS, {**NEW, "is_reachable": False}, Finding.ADDRESS_PRIVATE, "operator", Link.DEVELOPER),
    (WEBHOOKS, NEW, Finding.NOTHING_YET, "nobody", Link.STORE_ORDERS),
    (WEBHOOKS, {**NEW, "undelivered": 3}, Finding.NOT_DELIVERED, "operator", Link.DEVELOPER),
    (WEBHOOKS, {"silence": "Nothing came."}, Finding.SILENT, "operator", Link.STORE_ORDERS),
    (WEBHOOKS, {"unread_since": NOW - HOUR}, Finding.UNREAD_DELIVERIES, "operator", Link.HEALTH),
    (WEBHOOKS, {"refused_at": NOW}, Finding.SIGNATURES_REFUSED, "operator", Link.DEVELOPER),
    (ACCOUNT, {}, Finding.ACCOUNT_WORKS, "nobody", None),
    (ACCOUNT, {"has_auth_token": False}, Finding.ACCOUNT_MISSING, "merchant", Link.HERE),
    (ACCOUNT, {"told": None}, Finding.ACCOUNT_UNTRIED, "merchant", Link.HERE),
    (ACCOUNT, account("refused"), Finding.ACCOUNT_REFUSED, "merchant", Link.HERE),
    (ACCOUNT, {"held": Reason.CREDENTIALS_REFUSED}, Finding.ACCOUNT_REFUSED, "merchant", Link.HERE),
    (ACCOUNT, account("limited"), Finding.ACCOUNT_LIMITED, "nobody", None),
    (ACCOUNT, account("unreachable"), Finding.ACCOUNT_UNREACHABLE, "operator", Link.HERE),
    (ACCOUNT, account("unexpected"), Finding.ACCOUNT_UNEXPECTED, "operator", Link.HEALTH),
    (ACCOUNT, {"is_token_readable": False}, Finding.TOKEN_UNREADABLE, "merchant", Link.HERE),
    (ACCOUNT, may_not(Need.CONVERSIONS), Finding.RIGHT_REQUIRED, "merchant", Link.IMPACT),
    (ACCOUNT, {"held": Reason.NOT_ALLOWED}, Finding.RIGHT_REQUIRED, "merchant", Link.IMPACT),
    (ACCOUNT, may_not(Need.CONTRACTS), Finding.RIGHT_WANTED, "merchant", Link.IMPACT),
    (PROGRAM_STEP, {}, Finding.PROGRAM_ACTIVE, "nobody", None),
    (PROGRAM_STEP, {"account_sid": "", "campaign_id": ""}, Finding.PROGRAM_LATER, "nobody", None),
    (PROGRAM_STEP, {"told": None}, Finding.PROGRAM_LATER, "nobody", None),
    (PROGRAM_STEP, {"campaign_id": ""}, Finding.PROGRAM_MISSING, "merchant", Link.HERE),
    (PROGRAM_STEP, may_not(Need.PROGRAMS, programs=()), Finding.PROGRAM_UNREAD, "merchant", Link.IMPACT),
    (PROGRAM_STEP, {"campaign_id": "2"}, Finding.PROGRAM_UNKNOWN, "merchant", Link.HERE),
    (PROGRAM_STEP, program(state="PAUSED"), Finding.PROGRAM_NOT_ACTIVE, "merchant", Link.IMPACT),
    (PROGRAM_STEP, {}, Finding.PARAMETER_READ, "nobody", None),
    (
        PROGRAM_STEP,
        program(tracking_templates=("partner={clickid}",)),
        Finding.PARAMETER_NOT_LOOKED_FOR,
        "merchant",
        Link.HERE,
    ),
    (
        PROGRAM_STEP,
        program(tracking_templates=("sub[id]={clickid}",)),
        Finding.PARAMETER_UNUSABLE,
        "merchant",
        Link.IMPACT,
    ),
    (
        PROGRAM_STEP,
        program(tracking_templates=("utm_source=impact",)),
        Finding.TEMPLATE_WITHOUT_CLICK,
        "merchant",
        Link.IMPACT,
    ),
    (PROGRAM_STEP, program(tracking_templates=()), Finding.TEMPLATE_NOT_TOLD, "merchant", Link.IMPACT),
    (PROGRAM_STEP, program(deep_linking=False), Finding.DEEP_LINKS_OFF, "merchant", Link.IMPACT),
    (PROGRAM_STEP, {"hosts": ("www.shop.example",)}, Finding.DOMAIN_NOT_PERMITTED, "merchant", Link.IMPACT),
    (PROGRAM_STEP, {}, Finding.PROMO_CODES_ON, "nobody", None),
    (PROGRAM_STEP, program(promo_code_tracking=False), Finding.PROMO_CODES_OFF, "nobody", None),
    (EVENT, {}, Finding.EVENT_MET, "nobody", None),
    (EVENT, told(event_types=(EventType("9876"),)), Finding.EVENT_IN_CONTRACTS, "nobody", None),
    (EVENT, {"event_type_id": ""}, Finding.EVENT_MISSING, "merchant", Link.HERE),
    (EVENT, {"told": None}, Finding.EVENT_NOT_MET, "nobody", None),
    (EVENT, told(contracts=(), event_types=()), Finding.EVENT_NOT_MET, "nobody", None),
    (EVENT, {"event_type_id": "1"}, Finding.EVENT_IN_NO_CONTRACT, "merchant", Link.IMPACT),
    (EVENT, {"unbookable": 4}, Finding.EVENT_REFUSED, "merchant", Link.ATTENTION),
    (WINDOW, {}, Finding.WINDOW_KEPT, "nobody", None),
    (WINDOW, {"event_type_id": ""}, Finding.WINDOW_LATER, "nobody", None),
    (WINDOW, told(contracts=()), Finding.WINDOW_ASSUMED, "merchant", Link.RULES),
    (WINDOW, {"rules": Rules(referral_days=7)}, Finding.WINDOW_TOO_SHORT, "merchant", Link.HERE),
    (WINDOW, {"rules": Rules(referral_days=90)}, Finding.WINDOW_TOO_LONG, "merchant", Link.HERE),
    (
        WINDOW,
        {"rules": Rules(referral_days=90), **told(contracts_complete=False)},
        Finding.WINDOW_AT_LEAST,
        "nobody",
        None,
    ),
    (STOREFRONT, {}, Finding.EMBED_ON, "nobody", None),
    (STOREFRONT, GONE, Finding.NOT_INSTALLED, "nobody", None),
    (STOREFRONT, {"embed_on": None, "carried_at": NOW}, Finding.EMBED_SEEN, "nobody", None),
    # What Shopify says now counts for more than an order of the past.
    (STOREFRONT, {"embed_on": False, "carried_at": NOW}, Finding.EMBED_OFF, "merchant", Link.THEME_EDITOR),
    (
        STOREFRONT,
        {"embed_on": False, "is_embed_deployed": False},
        Finding.EMBED_NOT_DEPLOYED,
        "operator",
        Link.DEVELOPER,
    ),
    (STOREFRONT, {"embed_on": None}, Finding.EMBED_UNKNOWN, "merchant", Link.THEME_EDITOR),
    (STOREFRONT, {**SALEOR, "carried_at": NOW}, Finding.MODULE_SEEN, "nobody", None),
    (STOREFRONT, SALEOR, Finding.MODULE_NOT_SEEN, "developer", Link.TRIAL),
    (PIXEL, {}, Finding.PIXEL_CONNECTED, "nobody", None),
    (PIXEL, GONE, Finding.NOT_INSTALLED, "nobody", None),
    (PIXEL, SALEOR, Finding.PIXEL_NOT_NEEDED, "nobody", None),
    (PIXEL, {"pixel_id": "", "set_up_at": None, "connected_at": NOW}, Finding.PIXEL_SOON, "nobody", None),
    (PIXEL, {"pixel_id": "", "set_up_at": None}, Finding.PIXEL_LATE, "operator", Link.HEALTH),
    (PIXEL, {"storefront_fault": "It lacks a scope."}, Finding.PIXEL_REFUSED, "merchant", Link.OPEN_APP),
    (TEST, {}, Finding.BOOKED, "nobody", None),
    (TEST, {**UNTESTED, "reported": "1001"}, Finding.BOOKING_AWAITED, "impact.com", Link.ORDERS),
    (
        TEST,
        {**UNTESTED, "reported": "1001", "is_uncredited": True},
        Finding.NOT_CREDITED,
        "merchant",
        Link.TRIAL,
    ),
    (
        TEST,
        {**UNTESTED, "reported": "1001", **may_not(Need.ACTIONS_READ)},
        Finding.BOOKING_UNSEEN,
        "merchant",
        Link.IMPACT,
    ),
    (TEST, {**UNTESTED, "rules": Rules(mode="shadow")}, Finding.SHADOW_MODE, "merchant", Link.RULES),
    (TEST, {**UNTESTED, "campaign_id": ""}, Finding.TEST_LATER, "nobody", None),
    (TEST, {**UNTESTED, **GONE}, Finding.TEST_LATER, "nobody", None),
    (TEST, UNTESTED, Finding.TEST_MISSING, "merchant", Link.TRIAL),
]


def standing(step: StepName, **changes: Any) -> Standing:
    found = {one.step: one for one in standings(replace(WELL, **changes))}
    return found[step]


def in_words(said: Said) -> str:
    """The sentence with its values; fails where one is missing."""
    return said.meaning.sentence % dict(said.values) if said.values else said.meaning.sentence


@pytest.mark.parametrize(("step", "changes", "finding", "actor", "link"), CASES)
def test_what_is_found_says_who_acts_and_where(
    step: StepName, changes: dict[str, Any], finding: Finding, actor: str, link: Link | None
) -> None:
    found = {said.finding: said for said in standing(step, **changes).said}
    assert finding in found, found
    said = found[finding]
    assert "%(" not in in_words(said)
    assert (said.meaning.actor, said.meaning.link) == (actor, link)


def test_the_cases_name_every_finding_and_fail_every_step() -> None:
    assert {finding for _, _, finding, _, _ in CASES} == set(Finding) == set(FINDINGS)
    failing = {step for step, _, finding, _, _ in CASES if FINDINGS[finding].light is Light.FAILED}
    assert failing == set(StepName)
    assert set(STEPS) == set(StepName)


@pytest.mark.parametrize("finding", Finding)
def test_whatever_is_wrong_has_something_to_do_somebody_to_do_it_and_a_place(finding: Finding) -> None:
    meaning = FINDINGS[finding]
    assert meaning.actor in ACTORS
    if meaning.light is Light.FAILED:
        assert meaning.act
        assert meaning.actor != "nobody"
        assert meaning.link is not None


def test_a_store_with_which_all_is_well_is_done() -> None:
    found = standings(WELL)
    assert [one.step for one in found] == list(StepName)
    assert progress(found) == (9, 9)
    assert first_open(found) is None
    assert {one.light for one in found} == {Light.PASSED}


def test_a_new_store_begins_with_its_account() -> None:
    new = Facts("shopify", "one.myshopify.com", NOW, NOW, granted=frozenset({"read_orders"}))
    found = standings(new)
    # Nothing has arrived yet, and nobody can do anything about that but wait for an order.
    assert first_open(found) is StepName.ACCOUNT
    assert progress(found)[1] == 9
    assert {one.step for one in found if one.light in DONE} == {StepName.PLATFORM}


def test_what_impact_says_of_the_account_is_passed_on() -> None:
    for outcome in ("works", "unreachable", "unexpected"):
        assert in_words(standing(StepName.ACCOUNT, **account(outcome)).said[0]) == "What impact.com said."


def test_the_gravest_finding_gives_the_light() -> None:
    changes = {**program(state="PAUSED", promo_code_tracking=False), "hosts": ("elsewhere.example",)}
    found = standing(StepName.PROGRAM, **changes)
    assert found.light is Light.FAILED
    assert [said.finding for said in found.said] == [
        Finding.PROGRAM_NOT_ACTIVE,
        Finding.DOMAIN_NOT_PERMITTED,
        Finding.PARAMETER_READ,
        Finding.PROMO_CODES_OFF,
    ]


def test_one_of_several_click_parameters_suffices() -> None:
    found = standing(StepName.PROGRAM, **program(tracking_templates=("a={clickid}&irclickid={clickid}",)))
    assert found.light is Light.PASSED


def test_writing_includes_reading_as_shopify_tells_scopes() -> None:
    granted = frozenset({"write_orders", "write_products", "write_pixels"})
    assert standing(StepName.PLATFORM, granted=granted).light is Light.PASSED


def test_a_message_that_arrived_is_proof_enough_of_the_address() -> None:
    assert standing(StepName.WEBHOOKS, is_reachable=False).light is Light.PASSED


def test_a_delivery_that_just_came_is_not_unread() -> None:
    assert standing(StepName.WEBHOOKS, unread_since=NOW - timedelta(minutes=9)).light is Light.PASSED
