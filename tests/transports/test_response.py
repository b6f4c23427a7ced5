"""Every answer impact.com or a machine before it can give, and the one outcome each has."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impact_app.domain.reasons import Reason
from impact_app.domain.receipts import Outcome, Receipt
from impact_app.http import KEPT_LIMIT, Answer
from impact_app.transports.api.response import receipt

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TOKEN = "tok-5f0c2b7e9a"
BATCH = "/Advertisers/IRAbc/APISubmissions/A-7d1c8c3e-58a5-4f0e-9a52-0c7de2a6a3a1"
QUEUED = {"Status": "QUEUED", "QueuedUri": BATCH}
PAGE = "<html><head><title>Bad Gateway</title></head><body>nginx</body></html>"


def read(status: int, body: Any = "", **headers: str) -> Receipt:
    raw = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return receipt(Answer(status, named, raw), (TOKEN,), NOW)


A, J, N, U = Outcome.ACCEPTED, Outcome.REJECTED, Outcome.NOT_SENT, Outcome.UNCERTAIN

# impact.md section 1.6, a row each, and the answers that machines on the way give.
ROWS: list[tuple[int, Any, Outcome, Reason, bool]] = [
    (200, QUEUED, A, Reason.ACCEPTED, False),
    (201, QUEUED, A, Reason.ACCEPTED, False),
    (200, {"status": "queued", "queuedUri": BATCH}, A, Reason.ACCEPTED, False),
    (200, {"QueuedUri": BATCH}, A, Reason.ACCEPTED, False),
    (200, {"Status": "QUEUED"}, A, Reason.ACCEPTED, False),
    (200, {"Status": "ERROR", "Message": "No."}, J, Reason.INVALID_FIELD, False),
    (200, "", U, Reason.UNREADABLE_ANSWER, False),
    (200, PAGE, U, Reason.UNREADABLE_ANSWER, False),
    (200, '{"Status": "QUE', U, Reason.UNREADABLE_ANSWER, False),
    (200, "[]", U, Reason.UNREADABLE_ANSWER, False),
    (200, "null", U, Reason.UNREADABLE_ANSWER, False),
    (202, QUEUED, U, Reason.UNREADABLE_ANSWER, False),
    (204, "", U, Reason.UNREADABLE_ANSWER, False),
    (301, "", J, Reason.WRONG_ADDRESS, False),
    (302, PAGE, J, Reason.WRONG_ADDRESS, False),
    (400, {"Status": "ERROR", "Message": "Bad."}, J, Reason.INVALID_FIELD, False),
    (400, PAGE, J, Reason.REFUSED, False),
    (401, {"Status": "ERROR", "Message": "Who?"}, J, Reason.CREDENTIALS_REFUSED, True),
    (402, {"Status": "ERROR", "Message": "Failed."}, J, Reason.REQUEST_FAILED, False),
    (403, {"Status": "ERROR", "Message": "Scope."}, J, Reason.NOT_ALLOWED, True),
    (404, {"Status": "ERROR", "Message": "None."}, J, Reason.WRONG_ADDRESS, False),
    (405, {"Status": "ERROR", "Message": "Verb."}, J, Reason.WRONG_ADDRESS, False),
    (408, "", U, Reason.SERVER_ERROR, False),
    (413, PAGE, J, Reason.REFUSED, False),
    (422, "", J, Reason.REFUSED, False),
    (429, {"Status": "ERROR", "Message": "Slow down."}, N, Reason.RATE_LIMITED, True),
    (429, PAGE, N, Reason.RATE_LIMITED, True),
    (500, {"Status": "ERROR", "Message": "Ours."}, U, Reason.SERVER_ERROR, False),
    (500, QUEUED, U, Reason.SERVER_ERROR, False),
    (502, PAGE, U, Reason.SERVER_ERROR, False),
    (503, "", U, Reason.SERVER_ERROR, False),
    (504, "upstream timed out", U, Reason.SERVER_ERROR, False),
    (520, PAGE, U, Reason.SERVER_ERROR, False),
]


@pytest.mark.parametrize(("status", "body", "outcome", "reason", "holds"), ROWS)
def test_every_status_has_one_outcome(
    status: int, body: Any, outcome: Outcome, reason: Reason, holds: bool
) -> None:
    found = read(status, body)
    assert (found.outcome, found.reason, found.holds, found.status) == (outcome, reason, holds, status)


def test_the_handle_of_a_queued_call_is_kept() -> None:
    assert read(200, QUEUED).queued_uri == BATCH
    assert read(200, {"Status": "QUEUED"}).queued_uri is None


@pytest.mark.parametrize(
    "uri", ["@evil.example/x", "https://evil.example/x", "", 7, {"a": 1}, "/a b", "/a\x00", "/" + "a" * 255]
)
def test_a_handle_that_is_no_path_of_the_network_is_dropped(uri: Any) -> None:
    found = read(200, {"Status": "QUEUED", "QueuedUri": uri})
    assert (found.outcome, found.queued_uri) == (A, None)


# What is wrong, in either envelope


def test_both_error_envelopes_name_the_fields() -> None:
    general = {
        "Status": "ERROR",
        "Message": "Two fields are wrong.",
        "Errors": [
            {"Field": "EventDate", "Message": "It is missing."},
            {"Field": "OrderId", "Message": "It is long."},
        ],
    }
    assert read(400, general).detail == "EventDate: It is missing. OrderId: It is long. Two fields are wrong."
    conversions = {
        "Status": "ERROR",
        "errors": [{"field": "ClickId", "level": "ERROR", "message": "It has 65 characters."}],
    }
    assert read(400, conversions).detail == "ClickId: It has 65 characters."


def test_keys_are_read_in_any_case_and_odd_entries_do_no_harm() -> None:
    assert read(400, {"MESSAGE": "No.", "ERRORS": [{"FIELD": "A", "MESSAGE": "B"}]}).detail == "A: B No."
    assert read(400, {"errors": [{"message": "B"}, "plain", None, 3, {}]}).detail == "B plain None 3"
    assert read(400, {"errors": {"field": "A"}, "message": None}).detail == ""
    assert read(400, {"message": "half \ud83d a character"}).detail == "half ? a character"


def test_an_answer_in_xml_is_read_too() -> None:
    start = '<?xml version="1.0" encoding="UTF-8"?><ImpactRadiusResponse>'
    queued = f"{start}<Status>QUEUED</Status><QueuedUri>{BATCH}</QueuedUri></ImpactRadiusResponse>"
    assert (read(200, queued).outcome, read(200, queued).queued_uri) == (A, BATCH)
    refused = (
        f"{start}<Status>ERROR</Status><Errors><Field>OrderId</Field><Message>Up to 64 &amp; no more."
        "</Message></Errors><Message>One fault.</Message></ImpactRadiusResponse>"
    )
    found = read(400, refused)
    assert (found.reason, found.detail) == (Reason.INVALID_FIELD, "OrderId: Up to 64 & no more. One fault.")


def test_a_byte_order_mark_does_not_hide_an_answer() -> None:
    assert read(200, b"\xef\xbb\xbf" + json.dumps(QUEUED).encode()).outcome is A


# When to come back


@pytest.mark.parametrize(
    ("headers", "calls_left", "reset_after"),
    [
        ({"x_ratelimit_limit": "1000", "x_ratelimit_remaining": "17", "x_ratelimit_reset": "900"}, 17, 900),
        ({"x_ratelimit_remaining_hour": "0", "ratelimit_reset": "12"}, 0, 12),
        ({"x_ratelimit_remaining": "3", "x_ratelimit_reset": f"{NOW.timestamp() + 60:.0f}"}, 3, 60),
        ({"x_ratelimit_reset": "1487332519"}, None, 0),  # impact.com's own example: a moment long gone
        ({"x_ratelimit_reset": "99999"}, None, 3600),
        ({"x_ratelimit_reset": f"{NOW.timestamp() * 1000:.0f}"}, None, 3600),
        ({"x_ratelimit_remaining": "many", "x_ratelimit_reset": "-5"}, None, None),
        ({}, None, None),
    ],
)
def test_both_families_of_rate_headers_are_read(
    headers: dict[str, str], calls_left: int | None, reset_after: float | None
) -> None:
    found = read(200, QUEUED, **headers)
    assert (found.calls_left, found.reset_after) == (calls_left, reset_after)
    assert found.retry_after is None


HALF_A_MINUTE_ON = NOW + timedelta(seconds=30)


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("30", 30),
        ("2.5", 2.5),
        ("0", 0),
        ("999999", 3600),
        (format_datetime(HALF_A_MINUTE_ON, usegmt=True), 30),
        (HALF_A_MINUTE_ON.strftime("%A, %d-%b-%y %H:%M:%S GMT"), 30),
        (HALF_A_MINUTE_ON.strftime("%a %b %d %H:%M:%S %Y"), 30),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 0),
        (format_datetime(NOW + timedelta(days=1), usegmt=True), 3600),
        ("soon", None),
        ("Fri, 20 Nov 2026 12:00:30 +99999999999999999999", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_seconds_or_any_http_date_and_at_most_an_hour(
    status: int, retry_after: str, seconds: float | None
) -> None:
    assert read(status, "", retry_after=retry_after).retry_after == seconds


def test_retry_after_comes_before_the_reset_and_the_reset_counts_for_429_alone() -> None:
    assert read(429, "", retry_after="5", x_ratelimit_reset="900").retry_after == 5
    assert read(429, "", x_ratelimit_reset="900").retry_after == 900
    assert read(503, "", x_ratelimit_reset="900").retry_after is None


# What is kept


def test_secrets_and_addresses_are_not_kept() -> None:
    body = {
        "Status": "ERROR",
        "Message": f"Token {TOKEN} of ada@example.com: Authorization: Basic SVI6dG9r was refused.",
    }
    found = read(401, body)
    for kept in (found.answer, found.detail):
        assert TOKEN not in kept
        assert "ada@example.com" not in kept
        assert "SVI6dG9r" not in kept
        assert "was refused" in kept


def test_what_is_kept_is_capped_and_a_long_answer_is_read_at_once() -> None:
    began = time.monotonic()
    found = read(502, "a" * 4_000_000)
    assert len(found.answer) == KEPT_LIMIT
    found = read(400, {"Message": "b" * 1_000_000})
    assert (len(found.detail), len(found.answer)) == (500, KEPT_LIMIT)
    read(400, "<errors>" * 500_000)
    assert time.monotonic() - began < 5


def test_nul_is_not_kept() -> None:
    found = read(400, b'{"Message": "a\\u0000b"} \x00')
    assert "\x00" not in found.detail + found.answer


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
_BODIES = (
    st.binary()
    | st.text().map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.dictionaries(st.sampled_from(("Status", "QueuedUri", "errors", "Message")), _JSON).map(
        lambda body: json.dumps(body).encode()
    )
)
_HEADERS = st.dictionaries(
    st.sampled_from(("retry-after", "x-ratelimit-reset", "ratelimit-reset", "x-ratelimit-remaining")),
    st.text(max_size=40) | st.integers().map(str) | st.datetimes().map(lambda at: at.strftime("%c")),
)


@settings(max_examples=400, deadline=None, database=None)
@given(st.integers(100, 599), _BODIES, _HEADERS)
def test_reading_an_answer_never_raises(status: int, body: bytes, headers: dict[str, str]) -> None:
    found = receipt(Answer(status, headers, body), (TOKEN,), NOW)
    found.detail.encode()
    assert len(found.answer) <= KEPT_LIMIT
    assert found.retry_after is None or 0 <= found.retry_after <= 3600
    assert (found.outcome is A) <= (status in (200, 201))
