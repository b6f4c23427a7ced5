"""Which click wins: carriers, names, and values that cannot be clicks."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from impact_app.domain.attribution import Carrier, attribute
from impact_app.domain.evidence import evidence
from impact_app.domain.orders import Order
from impact_app.domain.privacy import redacted, trimmed
from impact_app.domain.rules import Rules
from tests.domain.shop import asked, form, line, order

NAMES = Rules().parameters


def carried(
    attributes: tuple[tuple[str, str | None], ...] = (),
    properties: tuple[tuple[str, str | None], ...] = (),
    landing: str | None = None,
) -> Order:
    return order(
        line("10.00", 1, "A"),
        line("5.00", 1, "B", properties=properties),
        note_attributes=attributes,
        landing_site=landing,
    )


# Carriers


def test_the_cart_attribute_comes_before_the_line_property_and_that_before_the_landing_url() -> None:
    cart, item, landing = (("im_ref", "cart"),), (("_im_ref", "line"),), "/?im_ref=landing"
    for about, click, carrier in (
        (carried(cart, item, landing), "cart", Carrier.CART_ATTRIBUTE),
        (carried((), item, landing), "line", Carrier.LINE_PROPERTY),
        (carried((), (), landing), "landing", Carrier.LANDING_URL),
        (carried(), None, None),
    ):
        found = attribute(about, NAMES)
        assert (found.click_id, found.carrier) == (click, carrier)


def test_every_carrier_is_remembered_and_one_is_marked_as_used() -> None:
    about = carried((("im_ref", " "),), (("_im_ref", "line"),), "/?im_ref=landing")
    told = evidence(about, asked(about))["carriers"]
    assert told == [
        {
            "carrier": "cart_attribute",
            "name": "im_ref",
            "value": "",
            "used": False,
            "fault": "it is empty",
        },
        {"carrier": "line_property", "name": "_im_ref", "value": "line", "used": True, "fault": ""},
        {"carrier": "landing_url", "name": "im_ref", "value": "landing", "used": False, "fault": ""},
    ]


@pytest.mark.parametrize("name", ["im_ref", "_im_ref", "__im_ref", "irclickid", "_irclickid", "__irclickid"])
def test_a_cart_and_a_line_may_hide_the_name_with_underscores(name: str) -> None:
    assert attribute(carried(((name, "x"),)), NAMES).click_id == "x"
    assert attribute(carried((), ((name, "x"),)), NAMES).click_id == "x"


@pytest.mark.parametrize("name", ["IM_REF", "im-ref", "im_ref2", "___im_ref", " im_ref", "gclid", ""])
def test_names_match_exactly(name: str) -> None:
    assert attribute(carried(((name, "x"),), ((name, "x"),)), NAMES).click_id is None


@pytest.mark.parametrize("query", ["_im_ref=x", "IM_REF=x", "utm_source=im_ref", "im_ref", "", "im_ref="])
def test_a_landing_url_without_the_parameter_carries_nothing(query: str) -> None:
    assert attribute(carried(landing=f"/products/a?{query}#im_ref=x"), NAMES).click_id is None


def test_names_rank_in_the_merchants_order_within_a_carrier() -> None:
    both = carried((("irclickid", "old"), ("im_ref", "new")))
    assert attribute(both, ("im_ref", "irclickid")).click_id == "new"
    assert attribute(both, ("irclickid", "im_ref")).click_id == "old"
    own = carried((("click", "own"),), (("_im_ref", "line"),))
    assert attribute(own, ("im_ref", "click")).carrier is Carrier.CART_ATTRIBUTE
    assert form(asked(own, parameters="click"))["ClickId"] == "own"


def test_of_two_values_under_one_name_the_first_usable_counts() -> None:
    assert attribute(carried((("im_ref", None), ("im_ref", "b"), ("im_ref", "c"))), NAMES).click_id == "b"
    assert attribute(carried(landing="/?im_ref=&im_ref=b&im_ref=c"), NAMES).click_id == "b"


def test_an_unusable_value_leaves_the_word_to_the_next_carrier() -> None:
    found = attribute(carried((("im_ref", "x" * 65),), (), "/?im_ref=landed"), NAMES)
    assert (found.click_id, found.carrier) == ("landed", Carrier.LANDING_URL)
    assert found.findings[0].fault == "it is longer than 64 characters"


# Values


@pytest.mark.parametrize(
    ("value", "click"),
    [
        ("x" * 64, "x" * 64),
        ("x" * 65, None),
        ("  padded\t", "padded"),
        ("two words", None),
        ("a\u00a0b", None),
        ("a\nb", None),
        ("a\x00b", None),
        ("a\x1fb", None),
        ("a\u202eb", None),
        ("", None),
        (" ", None),
        (None, None),
        ("AbC-_.~", "AbC-_.~"),
        ("a+b", "a+b"),
        ("a%2Bb", "a%2Bb"),
        ("100%", "100%"),
        ("é", "é"),
    ],
)
def test_a_value_is_taken_as_it_is_or_not_at_all(value: str | None, click: str | None) -> None:
    assert attribute(carried((("im_ref", value),)), NAMES).click_id == click
    assert attribute(carried((), (("_im_ref", value),)), NAMES).click_id == click


@pytest.mark.parametrize(
    ("query", "click"),
    [
        ("im_ref=a+b", "a+b"),
        ("im_ref=a%2Bb", "a+b"),
        ("im_ref=a%252Bb", "a%2Bb"),
        ("im_ref=a%20b", None),
        ("im_ref=a%00b", None),
        ("im_ref=%ff", None),
        ("im_ref=100%", "100%"),
        ("im%5Fref=x", "x"),
        ("utm=1&im_ref=x=y&z", "x=y"),
        (f"im_ref={'x' * 64}", "x" * 64),
        (f"im_ref={'x' * 65}", None),
    ],
)
def test_a_landing_url_is_decoded_exactly_once(query: str, click: str | None) -> None:
    assert attribute(carried(landing=f"/a?{query}"), NAMES).click_id == click
    assert attribute(carried(landing=f"https://shop.example/a?{query}#part"), NAMES).click_id == click


@pytest.mark.parametrize("url", ["https://[::1", "//[", "?", "im_ref=x", "\x00", "/wallets/checkouts.json"])
def test_a_landing_url_that_cannot_be_read_carries_nothing(url: str) -> None:
    assert attribute(carried(landing=url), NAMES).click_id is None


def test_evidence_of_an_unusable_value_can_be_stored() -> None:
    """NUL stops a database, and a long value would fill it."""
    about = carried(landing=f"/?im_ref=a%00b&im_ref={'x' * 5000}")
    told = json.dumps(evidence(about, asked(about, send="all")))
    assert "\\u0000" not in told
    assert len(told) < 2000


# What is kept of an order


def test_what_carries_no_click_is_not_kept_and_the_former_apps_mark_is() -> None:
    about = carried(
        (("im_ref", "a"), ("gift note", "For Ada"), ("_irclickid", "b")), (("_im_ref", "c"), ("name", "Ada"))
    )
    kept = trimmed(about, Rules())
    assert kept.attributes == (("im_ref", "a"), ("_irclickid", "b"))
    assert kept.lines[1].properties == (("_im_ref", "c"),)
    assert (kept.ip_address, kept.user_agent) == ("", "")
    own = trimmed(about, Rules(parameters=("click",), ip_address="yes", user_agent="yes"))
    assert own.attributes == (("_irclickid", "b"),)
    assert (own.ip_address, own.user_agent) == (about.ip_address, about.user_agent) != ("", "")


def test_redaction_leaves_items_and_sums() -> None:
    about = replace(carried((("im_ref", "a"),), landing="/?x=1"), ip_address="203.0.113.7")
    kept = redacted(about)
    assert (kept.customer.id, kept.customer.email_sha1, kept.ip_address, kept.landing_url) == ("", "", "", "")
    assert (kept.lines, kept.subtotal) == (about.lines, about.subtotal)
    assert form(asked(kept)) == form(asked(replace(about, customer=kept.customer)))
