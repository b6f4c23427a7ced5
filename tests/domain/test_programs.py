"""What follows from programs, contracts and actions, without asking anybody."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact_app.domain.programs import (
    NEEDS,
    AccountCheck,
    Allowance,
    Contract,
    EventType,
    Need,
    Program,
    Right,
    Term,
    Told,
    click_parameters,
    completed_parameters,
    event_types,
    referral_window,
    told_from,
    told_value,
    uncovered,
    window_days,
)
from impact_app.domain.rules import read_rules


def _linking(*templates: str) -> Program:
    return Program("1", "Shop", tracking_templates=templates)


@pytest.mark.parametrize(
    ("templates", "names"),
    [
        (("im_ref={clickid}",), ("im_ref",)),
        (("?irclickid={clickid}&utm_source=impact",), ("irclickid",)),
        (("utm_source=a&im_ref={clickid}", "irclickid={clickid}"), ("im_ref", "irclickid")),
        (("im_ref={clickid}", "im_ref={clickid}"), ("im_ref",)),
        (("https://shop.example/?a=1&click%5Fid={clickid}#top",), ("click_id",)),
        (("im_ref={clickId}",), ()),
        (("im_ref={CLICKID}",), ()),
        (("im_ref=clickid",), ()),
        (("sub={irpid}_{clickid}",), ()),
        (("={clickid}",), ()),
        (("utm_source=impact",), ()),
        (("",), ()),
        ((), ()),
    ],
)
def test_the_click_arrives_under_the_names_that_hold_the_macro_alone(
    templates: tuple[str, ...], names: tuple[str, ...]
) -> None:
    assert click_parameters(_linking(*templates)) == names


_NAMES = st.lists(st.from_regex(r"[A-Za-z0-9_.\-]{1,20}", fullmatch=True), unique=True, max_size=5)


@given(_NAMES, _NAMES, st.sampled_from("&?"))
def test_every_name_is_found_among_others_in_its_order(
    clicks: list[str], others: list[str], separator: str
) -> None:
    parts = [f"{name}={{clickid}}" for name in clicks] + [f"{name}={{irpid}}" for name in others]
    assert click_parameters(_linking(separator.join(parts))) == tuple(clicks)


@given(st.text(max_size=200))
def test_any_template_at_all_is_read(template: str) -> None:
    assert all(click_parameters(_linking(template)))


@given(_NAMES.filter(bool), _NAMES.filter(bool))
def test_the_completed_rule_lacks_nothing_and_loses_nothing(clicks: list[str], known: list[str]) -> None:
    program = _linking("&".join(f"{name}={{clickid}}" for name in clicks))
    rules = read_rules({"parameters": completed_parameters(program, known)})
    assert set(rules.parameters) == {*clicks, *known}


def test_a_missing_parameter_comes_first_because_partners_links_carry_it() -> None:
    program = _linking("clickid={clickid}")
    assert completed_parameters(program, ("im_ref", "irclickid")) == "clickid, im_ref, irclickid"
    assert completed_parameters(program, ("im_ref", "clickid")) == "im_ref, clickid"


def test_a_name_that_no_rule_takes_is_left_out() -> None:
    program = _linking("sub[id]={clickid}&a%2Cb={clickid}&c={clickid}")
    assert click_parameters(program) == ("sub[id]", "a,b", "c")
    assert completed_parameters(program, ("im_ref",)) == "c, im_ref"


def _permitting(*domains: str, on: bool | None = True) -> Program:
    return Program("1", "Shop", deep_linking=on, deep_link_domains=domains)


@pytest.mark.parametrize(
    ("permitted", "shop", "left"),
    [
        (("shop.example",), "shop.example", ()),
        (("shop.example",), "www.shop.example", ("www.shop.example",)),
        (("*.shop.example",), "www.shop.example", ()),
        (("*.shop.example",), "a.b.shop.example", ()),
        (("*.shop.example",), "shop.example", ("shop.example",)),
        (("*.shop.example",), "myshop.example", ("myshop.example",)),
        (("*.shop.example", "shop.example"), "shop.example", ()),
        (("Shop.Example",), "https://shop.EXAMPLE/path?x=1", ()),
        (("https://shop.example/",), "shop.example:8080", ()),
        (("shop.example.",), "shop.example", ()),
        (("shop.example.evil.example",), "shop.example", ("shop.example",)),
        ((), "shop.example", ("shop.example",)),
    ],
)
def test_a_domain_is_covered_by_itself_or_by_a_star_above_it(
    permitted: tuple[str, ...], shop: str, left: tuple[str, ...]
) -> None:
    assert uncovered([shop], _permitting(*permitted)) == left


def test_without_deep_linking_nothing_is_covered_and_nothing_told_is_no_complaint() -> None:
    assert uncovered(["a.example", "b.example"], _permitting("a.example", on=False)) == (
        "a.example",
        "b.example",
    )
    assert uncovered(["a.example"], _permitting(on=None)) == ()
    assert uncovered(["a.example", "b.example"], _permitting("a.example", on=None)) == ("b.example",)
    assert uncovered(["", "a.example", "A.example"], _permitting("b.example")) == ("a.example",)


_HOSTS = st.from_regex(r"[a-z0-9]{1,8}(\.[a-z0-9]{1,8}){1,3}", fullmatch=True)


@given(st.lists(_HOSTS, unique=True, max_size=5), _HOSTS)
def test_listing_a_domain_and_its_star_covers_it_and_all_below(shop: list[str], below: str) -> None:
    permitted = [entry for host in shop for entry in (host, f"*.{host}")]
    hosts = [*shop, *(f"{below}.{host}" for host in shop)]
    assert uncovered(hosts, _permitting(*permitted)) == ()


@given(st.lists(st.text(max_size=30)), st.lists(st.text(max_size=30)))
def test_any_domains_at_all_can_be_compared(shop: list[str], permitted: list[str]) -> None:
    assert all(uncovered(shop, _permitting(*permitted)))


def _contract(number: int, *terms: tuple[str, int | None]) -> Contract:
    return Contract(f"S-{number}", tuple(Term(kind, f"Name {kind}", window) for kind, window in terms))


def test_the_longest_window_of_the_event_type_counts() -> None:
    agreed = [_contract(1, ("9", 30), ("8", 90)), _contract(2, ("9", 45)), _contract(3, ("9", None))]
    assert referral_window(agreed, "9") == 45
    assert referral_window(agreed, "8") == 90
    assert referral_window(agreed, "7") is None
    assert referral_window([_contract(1, ("9", None))], "9") is None
    assert referral_window([], "9") is None
    # what the rule takes at most
    assert referral_window([_contract(1, ("9", 1_000))], "9") == 365


@pytest.mark.parametrize(
    ("length", "unit", "days"),
    [
        (30, "DAY", 30),
        (30, "days", 30),
        (30, "", 30),
        (48, "HOUR", 2),
        (49, "HOURS", 3),
        (1, "HOUR", 1),
        (90, "MINUTE", 1),
        (2, "WEEK", 14),
        (1, "MONTH", 31),
        (1, "YEAR", 365),
        (0, "DAY", None),
        (-3, "DAY", None),
        (3, "SOLS", None),
        (float("inf"), "DAY", None),
        (float("nan"), "DAY", None),
    ],
)
def test_a_window_is_in_whole_days_and_never_shorter_than_agreed(
    length: float, unit: str, days: int | None
) -> None:
    assert window_days(length, unit) == days


def test_event_types_are_learned_from_contracts_and_actions_the_most_used_first() -> None:
    agreed = [_contract(1, ("9", 30), ("8", 30)), _contract(2, ("9", 30))]
    assert event_types(agreed, [("7", "Lead"), ("9", "Sale"), ("9", "Sale")]) == (
        EventType("9", "Name 9", seen=2, source="both"),
        EventType("7", "Lead", seen=1, source="actions"),
        EventType("8", "Name 8", seen=0, source="contracts"),
    )
    assert event_types([], []) == ()


NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TOLD = Told(
    account_sid="IR1",
    campaign_id="1000",
    told_at=NOW,
    account=AccountCheck("works", "Fine.", "EUR", "UTC"),
    rights=(Right(Need.CONVERSIONS, Allowance.MAY), Right(Need.CONTRACTS, Allowance.NOT_KNOWN, "Why.")),
    programs=(
        Program(
            "1000",
            "Shop",
            "ACTIVE",
            "Performance",
            "go.example",
            "https://shop.example/",
            ("a={clickid}", "b=1"),
            True,
            ("shop.example", "*.shop.example"),
            True,
            None,
        ),
    ),
    contracts=(_contract(1, ("9", 45), ("8", None)),),
    contracts_complete=False,
    event_types=(EventType("9", "Sale", 3, "both"),),
)


def test_what_was_told_comes_back_unchanged_from_json() -> None:
    assert told_from(json.loads(json.dumps(told_value(TOLD))), NOW) == TOLD


def test_what_was_told_answers_by_id() -> None:
    assert TOLD.program("1000") == TOLD.programs[0]
    assert TOLD.program("1") is None
    assert TOLD.program(None) is None
    assert (TOLD.window("9"), TOLD.window("8"), TOLD.window(None)) == (45, None, None)
    assert TOLD.event_type("9") == EventType("9", "Sale", 3, "both")
    assert TOLD.event_type(None) is None
    assert TOLD.right(Need.CONVERSIONS).allowance is Allowance.MAY
    assert TOLD.right(Need.PROGRAMS) == Right(Need.PROGRAMS, Allowance.NOT_KNOWN)


def test_every_need_is_explained() -> None:
    assert set(NEEDS) == set(Need)
    assert {need for need in Need if NEEDS[need].required} == {Need.CONVERSIONS, Need.ACTIONS_CHANGE}
