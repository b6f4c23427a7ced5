"""Promo codes, order ids, dates and customers as impact.com gets them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from impact_app.domain.mapping import PartnerCode
from tests.domain.shop import PLACED, CustomerSpec, asked, body, form, line, off, order, percent, read

LI, RE = "LI", "RE"


def coded(*codes: str) -> tuple[object, ...]:
    return tuple(off("1.00", name=code) for code in codes)


# Codes


def test_one_code_is_reported_and_needs_no_text_field() -> None:
    sent = form(asked(order(line("10.00"), discounts=coded("WELCOME10"))))
    assert sent["OrderPromoCode"] == "WELCOME10"
    assert "Text1" not in sent


def test_of_several_codes_the_first_is_reported_and_all_go_into_a_text_field() -> None:
    about = order(line("10.00"), discounts=coded("AAA", "BBB", "aaa", "CCC"))
    assert about.codes == ("AAA", "BBB", "CCC")
    sent = form(asked(about))
    assert (sent["OrderPromoCode"], sent["Text1"]) == ("AAA", "AAA,BBB,CCC")
    moved = form(asked(about, codes_field="7"))
    assert (moved["Text7"], "Text1" in moved) == ("AAA,BBB,CCC", False)


@pytest.mark.parametrize(
    ("assigned", "reported"),
    [
        ([PartnerCode("bbb", LI)], "BBB"),
        ([PartnerCode("CCC", LI), PartnerCode("BBB", LI)], "BBB"),
        ([PartnerCode("B+", RE)], "BBB"),
        ([PartnerCode("b+", RE)], "AAA"),  # a regular expression minds the case
        ([PartnerCode("B", RE)], "AAA"),  # and means the whole code
        ([PartnerCode("(", RE)], "AAA"),  # one that cannot be read matches nothing
        ([PartnerCode("B+", LI)], "AAA"),
        ([], "AAA"),
    ],
)
def test_the_code_assigned_to_a_partner_wins(assigned: list[PartnerCode], reported: str) -> None:
    about = order(line("10.00"), discounts=coded("AAA", "BBB", "CCC"))
    assert form(asked(about, codes=assigned))["OrderPromoCode"] == reported


def test_the_text_field_holds_whole_codes_within_64_characters() -> None:
    """31 + 1 + 31 = 63 fit; with 32 + 1 + 32 = 65 only the first does, and a short one after it."""
    fit = order(line("10.00"), discounts=coded("A" * 31, "B" * 31))
    assert form(asked(fit))["Text1"] == "A" * 31 + "," + "B" * 31
    tight = order(line("10.00"), discounts=coded("A" * 32, "B" * 32, "C"))
    assert form(asked(tight))["Text1"] == "A" * 32 + ",C"
    long = order(line("10.00"), discounts=coded("A" * 70, "B" * 70))
    assert "Text1" not in form(asked(long))


def test_a_manual_discount_of_a_draft_is_no_code() -> None:
    """It stands in discount_codes under its title, blanks and all."""
    raw = body(
        line("100.00"),
        source_name="shopify_draft_order",
        discounts=[off("5.00", kind="manual", name=" Wholesale deal ")],
    )
    assert [entry["code"] for entry in raw["discount_codes"]] == [" Wholesale deal "]
    assert read(raw).codes == ()
    assert "OrderPromoCode" not in form(asked(read(raw)))


def test_a_code_beside_a_manual_discount_of_the_same_name_is_a_code() -> None:
    """A buyer typed SAVE; staff called their own discount so as well."""
    raw = body(
        line("100.00"),
        source_name="shopify_draft_order",
        discounts=[off("5.00", kind="manual", name="SAVE"), off("1.00", name="save")],
    )
    assert read(raw).codes == ("save",)


def test_automatic_and_script_discounts_have_no_code() -> None:
    discounts = [percent("10", kind="automatic", name="Sale"), percent("5", kind="script", name="VIP")]
    assert order(line("100.00"), discounts=discounts).codes == ()


def test_a_code_without_its_application_still_counts() -> None:
    raw = body(line("100.00"))
    raw["discount_codes"] = [{"code": " OLD ", "amount": "0.00", "type": "percentage"}, {"code": None}]
    assert read(raw).codes == ("OLD",)


# Identity


def test_the_order_id_is_the_platforms_own_unless_a_rule_says_otherwise() -> None:
    about = order(line("1.00"), order_id=2**62 + 1, order_number=1007)
    assert form(asked(about))["OrderId"] == str(2**62 + 1)
    assert form(asked(about, order_id="number"))["OrderId"] == "1007"
    assert form(asked(about, order_id="name"))["OrderId"] == "#1007"


def test_the_event_date_is_when_the_order_was_placed_with_its_offset() -> None:
    created = PLACED + timedelta(days=3)
    about = order(line("1.00"), processed_at=PLACED, created_at=created, updated_at=created)
    sent = form(asked(about, age=timedelta(days=5)))
    assert sent["EventDate"] == "2026-11-20T15:04:05+01:00"
    utc = order(line("1.00"), processed_at=datetime.fromisoformat("2026-11-20T14:04:05Z"))
    assert form(asked(utc))["EventDate"] == "2026-11-20T14:04:05+00:00"


def test_without_processed_at_the_creation_counts() -> None:
    raw = body(line("1.00"))
    raw["processed_at"], raw["created_at"] = None, "2026-11-19T10:00:00-05:00"
    assert form(asked(read(raw)))["EventDate"] == "2026-11-19T10:00:00-05:00"


ADA = CustomerSpec(id=115310627314723954, email="ada@example.com")


@pytest.mark.parametrize("email", ["ada@example.com", " Ada@Example.COM\t"])
def test_the_customer_is_an_id_and_a_digest(email: str) -> None:
    about = order(line("1.00"), customer=ADA, email=email)
    sent = form(asked(about))
    assert sent["CustomerId"] == "115310627314723954"
    assert sent["CustomerEmail"] == hashlib.sha1(b"ada@example.com").hexdigest()
    assert (
        form(asked(about, email="sha256"))["CustomerEmail"] == hashlib.sha256(b"ada@example.com").hexdigest()
    )
    assert "CustomerEmail" not in form(asked(about, email="no"))
    assert "example.com" not in str(sent).lower()


def test_redacted_personal_fields_are_left_out() -> None:
    raw = body(line("1.00"), customer=ADA, email="ada@example.com", browser_ip="203.0.113.7")
    for name in ("email", "contact_email", "browser_ip", "client_details", "shipping_address", "customer"):
        del raw[name]
    sent = form(asked(read(raw), ip_address="yes", user_agent="yes"))
    missing = {"CustomerId", "CustomerEmail", "IpAddress", "UserAgent", "CustomerStatus"}
    assert missing.isdisjoint(sent)


def test_the_address_and_the_browser_go_only_by_rule() -> None:
    about = order(line("1.00"), browser_ip="203.0.113.7", user_agent="Mozilla/5.0 " + "x" * 300)
    assert {"IpAddress", "UserAgent"}.isdisjoint(form(asked(about)))
    sent = form(asked(about, ip_address="yes", user_agent="yes"))
    assert (sent["IpAddress"], len(sent["UserAgent"])) == ("203.0.113.7", 255)


@pytest.mark.parametrize(("is_new", "status"), [(True, "New"), (False, "Existing"), (None, None)])
def test_new_or_existing_is_told_when_known(is_new: bool | None, status: str | None) -> None:
    about = order(line("1.00"), customer=ADA)
    about = replace(about, customer=replace(about.customer, is_new=is_new))
    assert form(asked(about)).get("CustomerStatus") == status


def test_decimals_survive_as_text() -> None:
    """0.1 + 0.2 in floats is 0.30000000000000004."""
    about = order(line("0.1", 1, "A"), line("0.2", 1, "B"))
    assert asked(about).conversion.net.amount == Decimal("0.3")
