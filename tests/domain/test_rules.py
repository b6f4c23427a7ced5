"""Reading the merchant's rules: every fault is named, and routes mean what they say."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest

from impact_app.domain.evidence import evidence
from impact_app.domain.orders import Order
from impact_app.domain.plan import Context, plan
from impact_app.domain.reasons import Reason
from impact_app.domain.rules import RULES, RuleError, Rules, default_text, read_rules
from tests.domain.shop import asked, form, line, order


def test_nothing_said_means_the_defaults_and_each_default_reads_back() -> None:
    assert read_rules({}) == Rules()
    assert read_rules({entry.name: default_text(entry.name) for entry in RULES}) == Rules()
    assert [entry.name for entry in RULES] == [one.name for one in fields(Rules)]


def test_values_are_read_with_blanks_around_them() -> None:
    found = read_rules(
        {
            "include": " tips , tax ",
            "former_app_until": "2026-11-20",
            "parameters": "im_ref, click im_ref",
            "codes_field": "50",
        }
    )
    assert found.include == {"tips", "tax"}
    assert found.former_app_until == datetime(2026, 11, 20, tzinfo=UTC)
    assert (found.parameters, found.codes_field) == (("im_ref", "click"), 50)


WRONG = {
    "send": "everything",
    "order_id": "uuid",
    "include": "tips,coupons",
    "codes_field": "51",
    "click_days": "0",
    "category_fallback": "",
    "parameters": "im ref?",
    "former_app_until": "yesterday",
    "routes": "country=DE",
    "no_such_rule": "1",
}


def test_every_fault_is_named_at_once_and_nothing_is_read() -> None:
    with pytest.raises(RuleError) as caught:
        read_rules({**WRONG, "pos": "send"})
    assert set(caught.value.faults) == set(WRONG)
    for name, sentence in caught.value.faults.items():
        assert name in sentence
        assert sentence.endswith(".")
        assert sentence in str(caught.value)


@pytest.mark.parametrize(
    "routes",
    [
        "-> 1:2",
        "country=DE -> 1",
        "country=DE -> 1:x",
        "country -> 1:2",
        "country= -> 1:2",
        "country=, -> 1:2",
        "city=Berlin -> 1:2",
        'sku="A -> 1:2',
        "country=DE -> 12345678901:2",
        "country=DE -> 1:2 junk",
    ],
)
def test_a_route_that_cannot_be_meant_is_a_fault(routes: str) -> None:
    with pytest.raises(RuleError) as caught:
        read_rules({"routes": routes})
    assert set(caught.value.faults) == {"routes"}


def known() -> Order:
    """Delivered to Germany, a new customer, in USD, on the web, one SKU with a blank in its type."""
    about = order(line("10.00", 1, "AB-1"), line("5.00", 1, "CARD", gift_card=True), country_code="DE")
    goods = replace(about.lines[0], product_type="Garden hoses")
    return replace(about, lines=(goods, about.lines[1]), customer=replace(about.customer, is_new=True))


@pytest.mark.parametrize(
    ("route", "matches"),
    [
        ("country=DE -> 1:2", True),
        ("country=de -> 1:2", True),
        ("country=AT,DE -> 1:2", True),
        ("country=AT -> 1:2", False),
        ("channel=web -> 1:2", True),
        ("channel=pos -> 1:2", False),
        ("currency=USD -> 1:2", True),
        ("currency=EUR -> 1:2", False),
        ("customer=new -> 1:2", True),
        ("customer=existing -> 1:2", False),
        ("sku=AB-1 -> 1:2", True),
        ("sku=AB-* -> 1:2", True),
        ("sku=AB -> 1:2", False),
        ("sku=CARD -> 1:2", False),
        ('product_type="Garden hoses" -> 1:2', True),
        ('product_type="Shoes, Garden hoses" -> 1:2', True),
        ("product_type='Garden *' -> 1:2", True),
        ('product_type="Garden" -> 1:2', False),
        ("country=DE customer=new sku=AB-1 -> 1:2", True),
        ("country=DE customer=existing -> 1:2", False),
    ],
)
def test_a_route_matches_when_every_condition_holds(route: str, matches: bool) -> None:
    found = asked(known(), routes=route)
    sent = form(found)
    expected = ("1", "2") if matches else ("1000", "9876")
    assert (sent["CampaignId"], sent["EventTypeId"]) == expected
    assert (found.route is not None) is matches


def test_the_first_route_that_matches_wins_and_the_verdict_names_it() -> None:
    routes = 'country=AT -> 1:1\nsku="AB-1"  product_type="Garden hoses" -> 2:2; country=DE -> 3:3'
    found = asked(known(), routes=routes)
    assert (form(found)["CampaignId"], form(found)["EventTypeId"]) == ("2", "2")
    told = evidence(known(), found)
    assert told["route"] == 'sku=AB-1 product_type="Garden hoses" -> 2:2'
    assert (told["campaign_id"], told["event_type_id"]) == ("2", "2")
    assert evidence(known(), asked(known()))["route"] is None


def test_a_routes_name_reads_back_as_the_route() -> None:
    for text in ('product_type="Garden hoses",Tools -> 1:2', "country=DE,AT customer=new -> 1:2"):
        (route,) = read_rules({"routes": text}).routes
        assert read_rules({"routes": route.name}).routes == (route,)


def test_a_route_will_do_where_no_campaign_is_set() -> None:
    about = known()
    context = Context(None, (), about.placed_at)
    assert plan(about, Rules(), None, context).reason is Reason.NOT_CONFIGURED
    routed = plan(about, read_rules({"routes": "country=DE -> 1:2"}), None, context)
    assert form(routed)["CampaignId"] == "1"
