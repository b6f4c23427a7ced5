"""When an alert begins and ends: by the facts alone, in money, and not on and off."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impact_app.domain.alerts import (
    CAUSES,
    Calm,
    Cause,
    Hour,
    Raised,
    attention,
    capture,
    credentials,
    embed,
    near,
    of_reasons,
    pixel,
    silence,
    told,
)
from impact_app.domain.attention import Held
from impact_app.domain.embed import Embed, Switch, after_a_look
from impact_app.domain.messages import ACTORS, Digest, digest, over, raised, sentence, span
from impact_app.domain.overview import Capture, Count, Overview, Total
from impact_app.domain.reasons import Reason, Verdict

TODAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
NOTHING = Total(0, {})


def days(with_click: int, without: int) -> Overview:
    """Orders that visits made, of 50.00 EUR each."""
    counts = [
        Count(
            TODAY, Verdict.REPORTED, Reason.ACCEPTED, "EUR", "cart_attribute", with_click, 50_00 * with_click
        ),
        Count(TODAY, Verdict.WITHHELD, Reason.NO_CLICK_OR_CODE, "EUR", None, without, 50_00 * without),
        Count(TODAY, Verdict.WITHHELD, Reason.POINT_OF_SALE, "EUR", None, 5_000, 0),
    ]
    return Overview(TODAY, TODAY, tuple(counts))


def rhythm(
    an_hour: int, *, first: int = 8, last: int = 20, weeks: int = 5, until: datetime = NOW
) -> list[Hour]:
    """So many orders of 50.00 EUR in each hour of every day's opening time."""
    hours = [until - timedelta(hours=back) for back in range(weeks * 168, 0, -1)]
    return [Hour(at, an_hour, {"EUR": an_hour * 50_00}) for at in hours if first <= at.hour < last]


# In words


def test_every_cause_is_told_in_words() -> None:
    assert set(CAUSES) == set(Cause)
    assert {meaning.actor for meaning in CAUSES.values()} <= set(ACTORS)
    assert max(len(cause.value) for cause in Cause) <= 32


def test_money_is_told_by_currency_with_its_own_decimals() -> None:
    assert told(Total(41, {"EUR": 3_120_50, "JPY": 1_200})) == "41 orders, 3,120.50 EUR, 1,200 JPY"
    assert told(Total(1, {"EUR": 0})) == "1 order"


@pytest.mark.parametrize("cause", list(Cause))
def test_a_message_tells_the_money_what_to_do_and_when_it_ends(cause: Cause) -> None:
    begun = raised("shop.test", cause, ["41 orders, 3,120.50 EUR wait."], "https://app.test/alerts")
    ended = over("shop.test", cause, ["41 orders, 3,120.50 EUR wait."], "https://app.test/alerts")
    assert begun.subject == f"shop.test: {CAUSES[cause].title}"
    for words in ("41 orders, 3,120.50 EUR wait.", CAUSES[cause].act, CAUSES[cause].ends, "https://app.test"):
        assert words in begun.text
    assert ended.subject == f"shop.test: over: {CAUSES[cause].title}"
    assert "\n" not in begun.subject + ended.subject


def test_money_that_the_words_leave_out_is_added() -> None:
    assert sentence("3 orders, 1.00 EUR wait.", "3 orders, 1.00 EUR") == "3 orders, 1.00 EUR wait."
    assert sentence("Some differ.", "3 orders, 1.00 EUR") == "Some differ. (3 orders, 1.00 EUR)"
    assert sentence("Nothing came.", "") == "Nothing came."


# Refusals and attention


def test_a_refused_account_tells_what_waits_for_it() -> None:
    held = [
        Held(Reason.CREDENTIALS_REFUSED, "", "EUR", 40, 3_000_00, NOW),
        Held(Reason.CREDENTIALS_REFUSED, "", "USD", 1, 120_50, NOW),
        Held(Reason.INVALID_FIELD, "", "EUR", 7, 1_00, NOW),
    ]
    waiting = of_reasons(held, {Reason.CREDENTIALS_REFUSED})
    found = credentials("IR1", Reason.CREDENTIALS_REFUSED, waiting)
    assert isinstance(found, Raised)
    assert found.money == "41 orders, 3,000.00 EUR, 120.50 USD"
    assert credentials("IR1", None, waiting) == Calm(Cause.CREDENTIALS, "IR1")


def test_attention_is_one_alert_a_reason_and_names_a_detail_that_all_share() -> None:
    held = [
        Held(Reason.PROGRAM_INVALID, "Event type 123 is not active.", "EUR", 41, 3_120_50, NOW),
        Held(Reason.INVALID_FIELD, "ItemSku1", "EUR", 1, 10_00, NOW),
        Held(Reason.INVALID_FIELD, "ItemSku2", "EUR", 2, 20_00, NOW),
        Held(Reason.CREDENTIALS_REFUSED, "", "EUR", 9, 9_00, NOW),
    ]
    found = {one.subject: one for one in attention(held)}
    assert set(found) == {"program_invalid", "invalid_field"}
    assert found["program_invalid"].words.startswith("41 orders, 3,120.50 EUR wait: ")
    assert "(Event type 123 is not active.)" in found["program_invalid"].words
    # 1 + 2 orders, 10.00 + 20.00
    assert found["invalid_field"].money == "3 orders, 30.00 EUR"


def test_the_pixel_is_told_only_where_it_is_known() -> None:
    lately = Total(41, {"EUR": 3_120_50})
    assert pixel(None, lately) is None
    assert pixel(True, lately) == Calm(Cause.PIXEL)
    found = pixel(False, lately)
    assert isinstance(found, Raised)
    assert "41 orders, 3,120.50 EUR came with a click" in found.words


OFF = Embed(is_on=False, told_by="theme", told_at=NOW, changed_at=NOW)
NEVER = Overview(NOW.date(), NOW.date(), ())


def test_the_embed_is_told_only_where_it_is_known() -> None:
    none = Capture(0, 0)
    assert embed(Embed(), NOTHING, none, NEVER) is None
    assert embed(replace(OFF, is_on=True), NOTHING, none, NEVER) == Calm(Cause.EMBED)
    # A store that never had a click has nothing to compare with.
    found = embed(OFF, Total(3, {"EUR": 150_00}), Capture(3, 0), NEVER)
    assert isinstance(found, Raised)
    assert found.money == "3 orders, 150.00 EUR"
    assert "3 orders, 150.00 EUR came without a click since." in found.words


def test_an_embed_that_is_off_costs_the_clicks_that_usually_come() -> None:
    usual = days(40, 60)
    found = embed(OFF, Total(19, {"EUR": 950_00}), Capture(20, 1), usual)
    assert isinstance(found, Raised)
    # 40 % of 20 orders usually carry a click; 1 does, so 7 are missing, at 50.00 each
    assert found.money == "about 7 orders, 350.00 EUR"
    assert (
        "Usually 40.0% of the orders carry one: about 7 orders, 350.00 EUR are not credited." in found.words
    )
    assert "19 orders, 950.00 EUR came without a click since." in found.words
    at_once = embed(OFF, NOTHING, Capture(0, 0), usual)
    assert isinstance(at_once, Raised)
    assert at_once.money == ""
    assert "No order came since." in at_once.words


def test_settings_that_do_not_name_the_embed_mean_off_unless_the_admin_vouched_for_the_theme() -> None:
    silent = Switch("theme-1", None)
    assert after_a_look(Embed(), Switch("theme-1", True)) == (True, "theme")
    assert after_a_look(Embed(), silent) == (False, "theme")
    vouched = Embed(is_on=True, told_by="admin", told_at=NOW, changed_at=NOW)
    assert after_a_look(vouched, silent) == (True, "admin")
    assert after_a_look(replace(vouched, theme="theme-1"), silent) == (True, "admin")
    assert after_a_look(replace(vouched, theme="theme-1"), Switch("theme-2", None)) == (False, "theme")
    assert after_a_look(replace(vouched, told_by="theme"), silent) == (False, "theme")
    assert after_a_look(vouched, Switch("theme-1", False)) == (False, "theme")


def test_between_the_two_bars_of_a_limit_nothing_changes() -> None:
    one = Total(1, {"EUR": 50_00})
    assert isinstance(near(Cause.AGE_LIMIT, one, one), Raised)
    assert near(Cause.AGE_LIMIT, NOTHING, one) is None
    assert near(Cause.AGE_LIMIT, NOTHING, NOTHING) == Calm(Cause.AGE_LIMIT)


# Capture rate


def test_a_capture_rate_that_halves_is_told_in_money() -> None:
    found = capture(days(40, 360), days(200, 800))
    assert isinstance(found, Raised)
    # 20 % of 400 orders usually carry a click, which is 80; 40 do: 40 are missing, at 50.00 each
    assert found.money == "about 40 orders, 2,000.00 EUR"


@pytest.mark.parametrize(
    ("recent", "usual"),
    [
        ((0, 49), (200, 800)),  # too few orders lately
        ((0, 100), (50, 149)),  # too few before
        ((0, 100), (0, 1000)),  # none ever carried one
        ((2, 98), (40, 960)),  # 2 % against 4 %: by chance, among so few
        ((160, 840), (200, 800)),  # down by a fifth: not enough to matter
    ],
)
def test_few_orders_chance_and_small_changes_say_nothing(
    recent: tuple[int, int], usual: tuple[int, int]
) -> None:
    assert capture(days(*recent), days(*usual)) is None


def test_a_capture_rate_near_the_usual_one_is_calm() -> None:
    assert capture(days(18, 82), days(200, 800)) == Calm(Cause.CAPTURE)
    assert capture(days(90, 10), days(200, 800)) == Calm(Cause.CAPTURE)


@settings(deadline=None)
@given(
    now=st.tuples(st.integers(0, 400), st.integers(0, 400)),
    more=st.integers(0, 400),
    before=st.tuples(st.integers(0, 4000), st.integers(0, 4000)),
)
def test_more_clicks_never_raise_what_fewer_did_not(
    now: tuple[int, int], more: int, before: tuple[int, int]
) -> None:
    """Raised below calm, and never both: between two looks at much the same share nothing goes on and off."""
    usual, with_click = days(*before), min(now[0] + more, sum(now))
    fewer = capture(days(*now), usual)
    better = capture(days(with_click, sum(now) - with_click), usual)
    if isinstance(better, Raised):
        assert isinstance(fewer, Raised)
    if isinstance(fewer, Calm):
        assert isinstance(better, Calm)


# Silence


@pytest.mark.parametrize("an_hour", [1, 6, 60, 600])
def test_a_night_is_quiet_however_busy_the_day(an_hour: int) -> None:
    closing = NOW.replace(hour=20)
    history = rhythm(an_hour, until=closing)
    for hours in range(13):
        assert not isinstance(silence(history, closing, closing + timedelta(hours=hours), None), Raised)


def test_a_day_is_not_quiet() -> None:
    closing = NOW.replace(hour=20)
    found = silence(rhythm(6, until=closing), closing, closing + timedelta(hours=14.5), None)
    assert isinstance(found, Raised)
    # (0 + 6 + 6) / 3 in the first hour of the day, 6 in the second, half of 6 in the third; 50.00 each
    assert found.money == "about 13 orders, 650.00 EUR"


def test_a_young_store_and_one_with_few_orders_have_no_rhythm() -> None:
    later = NOW + timedelta(days=5)
    assert silence(rhythm(6, weeks=2), NOW, later, None) is None
    assert silence(rhythm(1, first=8, last=9, weeks=4), NOW, later, None) is None
    assert silence([], None, later, None) is None


def test_a_store_with_few_orders_is_held_against_its_longest_silence() -> None:
    history = rhythm(2, first=10, last=11, weeks=4)
    # one hour a day: its longest silence is a day, so two are too long
    assert silence(history, NOW, NOW + timedelta(hours=47), None) is None
    assert isinstance(silence(history, NOW, NOW + timedelta(hours=48), None), Raised)


def test_one_sale_does_not_make_the_usual_hours_look_silent() -> None:
    peak = NOW - timedelta(days=7)
    history = [
        Hour(one.at, one.orders * 20, one.money) if abs(one.at - peak) < timedelta(hours=12) else one
        for one in rhythm(2)
    ]
    assert not isinstance(silence(history, NOW, NOW + timedelta(hours=4), None), Raised)


def test_whatever_arrives_ends_a_silence() -> None:
    history = rhythm(6)
    later = NOW + timedelta(hours=5)
    assert isinstance(silence(history, NOW, later, None), Raised)
    assert isinstance(silence(history, NOW, later, NOW + timedelta(hours=2)), Raised)
    assert silence([], later, later, NOW + timedelta(hours=2)) == Calm(Cause.SILENCE)


@settings(deadline=None)
@given(
    an_hour=st.integers(1, 30),
    first=st.integers(0, 12),
    hours=st.integers(1, 11),
    looks=st.lists(st.integers(0, 4 * 24 * 60), max_size=8),
)
def test_a_silence_once_too_long_stays_so_until_something_arrives(
    an_hour: int, first: int, hours: int, looks: list[int]
) -> None:
    history = rhythm(an_hour, first=first, last=first + hours)
    known: datetime | None = None
    for minutes in sorted(looks):
        at = NOW + timedelta(minutes=minutes)
        found = silence(history, NOW, at, known)
        if known is not None:
            assert isinstance(found, Raised)
        if isinstance(found, Raised):
            known = known or at


# Digests


@pytest.mark.parametrize(
    ("kind", "until", "now", "found"),
    [
        (Digest.NONE, None, NOW, None),
        (Digest.DAILY, date(2026, 11, 18), NOW, (date(2026, 11, 19), date(2026, 11, 19))),
        (Digest.DAILY, date(2026, 11, 19), NOW, None),
        (Digest.DAILY, date(2026, 11, 18), NOW.replace(hour=5, minute=59), None),
        # after three days away, one digest of all three
        (Digest.DAILY, date(2026, 11, 16), NOW, (date(2026, 11, 17), date(2026, 11, 19))),
        (Digest.DAILY, date(2026, 1, 1), NOW, (date(2026, 11, 13), date(2026, 11, 19))),
        # 15 November is a Sunday
        (Digest.WEEKLY, date(2026, 11, 8), NOW, (date(2026, 11, 9), date(2026, 11, 15))),
        (Digest.WEEKLY, date(2026, 11, 15), NOW, None),
        (Digest.WEEKLY, date(2026, 11, 8), datetime(2026, 11, 16, 5, 59, tzinfo=UTC), None),
        (
            Digest.WEEKLY,
            date(2026, 11, 8),
            datetime(2026, 11, 16, 6, 0, tzinfo=UTC),
            (date(2026, 11, 9), date(2026, 11, 15)),
        ),
    ],
)
def test_a_digest_is_due_once_its_days_are_over(
    kind: Digest, until: date | None, now: datetime, found: tuple[date, date] | None
) -> None:
    assert span(kind, until, now) == found


def test_a_digest_without_anything_says_so() -> None:
    letter = digest("shop.test", Overview(TODAY, TODAY, ()), [], [], "https://app.test")
    assert letter.subject == "shop.test: 20 Nov 2026"
    assert "all: 0 orders" in letter.text
    assert letter.text.count("none") == 2
