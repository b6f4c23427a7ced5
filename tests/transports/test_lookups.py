"""Reading back from the pretend impact.com: records, lists in pages, and every way not to be told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from impact_app.domain.verification import ERROR_REASONS, Finding, Submission, judge_submission
from impact_app.http import Answer, Http
from impact_app.simulator.network import Click, EventType, Partner, PromoCode, Setup
from impact_app.simulator.network.faults import fault
from impact_app.simulator.network.validation import read_conversion
from impact_app.transports.api import lookups
from impact_app.transports.api.client import ImpactApi
from impact_app.transports.api.lookups import PAGE_SIZE, NotAnswered, actions, submission
from impact_app.transports.api.request import Call
from tests.simulator.brand import NOON, Brand, brand, conversion

EARLY = NOON - timedelta(days=1)
TOKEN = "pretend-auth-token"


@dataclass
class Counting:
    """The real client, and what it was asked."""

    api: ImpactApi
    calls: list[Call]

    def ask(self, call: Call, account_sid: str, auth_token: str) -> Answer:
        self.calls.append(call)
        return self.api.ask(call, account_sid, auth_token)


@contextmanager
def asked(setup: Setup | None = None, token: str = TOKEN) -> Iterator[tuple[Brand, Counting]]:
    with brand(replace(setup or Setup(), rate_limit=None)) as caller:
        yield caller, Counting(ImpactApi(Http(read=2), caller.network.url), [])


def looked_up(caller: Brand, api: Counting, uri: str, token: str = TOKEN) -> Submission:
    return submission(api, caller.network.books.setup.sid, token, uri, now=NOON)


def listed(
    caller: Brand, api: Counting, start: datetime = EARLY, end: datetime = NOON, token: str = TOKEN
) -> list[Any]:
    return actions(api, caller.network.books.setup.sid, token, "1000", start, end, now=NOON)


# Submissions


def test_a_submission_tells_its_progress_and_its_end() -> None:
    with asked(Setup(queue_seconds=60, processing_seconds=1200)) as (caller, api):
        uri = caller.submit().json()["QueuedUri"]
        seen = []
        for minutes in (0, 2, 25):
            caller.clock.now = NOON + timedelta(minutes=minutes)
            seen.append(looked_up(caller, api, uri))
        assert [record.status for record in seen] == ["Queued", "In Progress", "Complete"]
        assert [judge_submission(record) is None for record in seen] == [True, True, False]
        assert seen[2] == Submission("Complete", "450789469", "", "", "20001")
        assert len(api.calls) == 3


@pytest.mark.parametrize("code", sorted(ERROR_REASONS))
def test_every_code_arrives_as_impact_com_writes_it(code: str) -> None:
    with asked() as (caller, api):
        uri = caller.submit().json()["QueuedUri"]
        (queued,) = caller.network.books.submissions()
        queued.error_type, queued.error_reason = "Validation", code
        judged = judge_submission(looked_up(caller, api, uri))
        assert judged is not None
        assert judged.finding is ERROR_REASONS[code][0]


UNCREDITED: list[tuple[str, Setup, dict[str, object], Finding]] = [
    ("ACTION_REF_NOT_FOUND", Setup(strict_clicks=True), {}, Finding.NOT_CREDITED),
    (
        "OUTSIDE_ASSOCIATION_WINDOW",
        Setup(clicks=(Click("SKhRQaSXwxyOUQ3", date=NOON - timedelta(days=40)),)),
        {},
        Finding.NOT_CREDITED,
    ),
    ("PARTNER_NOT_ACTIVE", Setup(partners=(Partner(active=False),)), {}, Finding.CONTRACT),
    (
        "RESTRICTED_PROMOCODE",
        Setup(promo_codes=(PromoCode(501, "WELCOME10", partner_id=20002, credit_policy="WINNER"),)),
        {},
        Finding.PROMO,
    ),
    ("CAMPAIGN_NOT_FOUND", Setup(), {"CampaignId": 77}, Finding.CONFIGURATION),
    ("ACTIONTRACKER_NOT_FOUND", Setup(), {"EventTypeId": 77}, Finding.CONFIGURATION),
    ("ACTIONTRACKER_NOT_ACTIVE", Setup(event_types=(EventType(active=False),)), {}, Finding.CONFIGURATION),
    ("MALFORMED", Setup(), {"CustomerStatus": "VIP"}, Finding.DATA),
]


@pytest.mark.parametrize(
    ("code", "setup", "changes", "finding"), UNCREDITED, ids=[one[0] for one in UNCREDITED]
)
def test_what_is_not_credited_says_why(
    code: str, setup: Setup, changes: dict[str, object], finding: Finding
) -> None:
    """The network's own judgement, not one put into its books."""
    with asked(setup) as (caller, api):
        record = looked_up(caller, api, caller.submit(**changes).json()["QueuedUri"])
        assert record.error_reason == code
        judged = judge_submission(record)
        assert judged is not None
        assert judged.finding is finding
        assert listed(caller, api) == []


def test_a_repeated_conversion_is_a_duplicate() -> None:
    with asked() as (caller, api):
        caller.submit()
        judged = judge_submission(looked_up(caller, api, caller.submit().json()["QueuedUri"]))
        assert judged is not None
        assert judged.finding is Finding.DUPLICATE
        assert len(listed(caller, api)) == 1


def test_credentials_go_only_where_submissions_are() -> None:
    """Of the address that impact.com gives only the batch id is used."""
    with asked() as (caller, api):
        sid = caller.network.books.setup.sid
        for uri in (
            "https://elsewhere.example/x/A-1?y=2",
            "/Agencies/IRx/Advertisers/IRy/APISubmissions/A-1/",
        ):
            with pytest.raises(NotAnswered) as told:
                looked_up(caller, api, uri)
            assert told.value.status == 404
        assert [call.path for call in api.calls] == [f"/Advertisers/{sid}/APISubmissions/A-1"] * 2


# Actions


def test_an_action_is_read_with_every_field() -> None:
    with asked() as (caller, api):
        caller.submit()
        (action,) = listed(caller, api)
        assert (action.order_id, action.event_type_id) == ("450789469", "9876")
        assert (action.partner_id, action.partner_name) == ("20001", "Pretend Partner")
        assert (action.state, action.is_reversed) == ("PENDING", False)
        assert (action.amount, action.currency) == (Decimal("112.0"), "EUR")  # 28.00 + 99.00 - 15.00
        assert action.payout == Decimal("5.60")  # 5 % of 112.00
        assert action.event_date == datetime(2026, 11, 20, 11, 0, tzinfo=UTC)
        assert action.locking_date == datetime(2026, 12, 27, 23, 0, tzinfo=UTC)  # month's end and 27 days
        assert action.id == caller.network.books.actions()[0].id
        assert action.items is None


def test_dates_have_a_time_and_an_offset() -> None:
    with asked() as (caller, api):
        assert listed(caller, api) == []
        (call,) = api.calls
        assert dict(call.form) == {
            "CampaignId": "1000",
            "ActionDateStart": "2026-11-19T12:00:00Z",
            "ActionDateEnd": "2026-11-20T12:00:00Z",
            "PageSize": "2000",
        }


def test_pages_are_followed_to_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookups, "PAGE_SIZE", 3)
    with asked(Setup(page_size_minimum=3)) as (caller, api):
        for number in range(7):
            caller.submit(OrderId=number)
        found = listed(caller, api)
        assert sorted(action.order_id for action in found) == [str(number) for number in range(7)]
        assert [dict(call.form).get("Page") for call in api.calls] == [None, "2", "3"]  # 3 + 3 + 1


def test_a_full_page_of_real_records_fits_into_an_answer() -> None:
    with asked() as (caller, api):
        books = caller.network.books
        for number in range(PAGE_SIZE + 1):
            form = conversion(OrderId=number, CustomerId="c" * 64, OrderPromoCode="p" * 255, Note="n" * 255)
            books.submit_conversion(books.setup.sid, read_conversion([*form.items()], NOON), "")
        assert len(listed(caller, api)) == 2001
        assert len(api.calls) == 2


def test_a_window_with_more_than_ten_pages_is_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    """24 actions, an hour apart: more than 10 pages of 2, so two windows of 12 in 6 pages each."""
    monkeypatch.setattr(lookups, "PAGE_SIZE", 2)
    with asked(Setup(page_size_minimum=2)) as (caller, api):
        for number in range(24):
            caller.submit(OrderId=number, EventDate=(EARLY + timedelta(hours=number)).isoformat())
        found = listed(caller, api, EARLY, EARLY + timedelta(hours=23))
        assert sorted(int(action.order_id) for action in found) == list(range(24))
        assert len(api.calls) == 1 + 6 + 6


def test_a_long_time_is_asked_for_in_windows_of_45_days() -> None:
    with asked() as (caller, api):
        caller.submit(OrderId="old", EventDate=(NOON - timedelta(days=80)).isoformat())
        caller.submit(OrderId="new", EventDate=NOON.isoformat())
        found = listed(caller, api, NOON - timedelta(days=100), NOON)
        assert {action.order_id for action in found} == {"old", "new"}
        spans = [
            (datetime.fromisoformat(form["ActionDateStart"]), datetime.fromisoformat(form["ActionDateEnd"]))
            for form in (dict(call.form) for call in api.calls)
        ]
        assert len(spans) == 3  # 45 + 45 + 10 days
        assert all(end - start < timedelta(days=45) for start, end in spans)
        assert spans[0][1] + timedelta(seconds=1) == spans[1][0]
        assert (spans[0][0], spans[2][1]) == (NOON - timedelta(days=100), NOON)


# Not told


@pytest.mark.parametrize(
    "look", [lambda c, a, t: looked_up(c, a, "/x/A-1", t), lambda c, a, t: listed(c, a, token=t)]
)
@pytest.mark.parametrize(
    ("token", "status", "words"),
    [
        ("another-token", 401, "impact.com did not answer: the account SID or the auth token is wrong."),
        (
            "pretend-conversions-token",
            403,
            "impact.com did not answer: the token may not read this; it needs the scopes Actions (read) and "
            "Submissions (read).",
        ),
    ],
)
def test_refused_credentials_are_told_apart(
    look: Callable[[Brand, Counting, str], object], token: str, status: int, words: str
) -> None:
    with asked() as (caller, api), pytest.raises(NotAnswered) as told:
        look(caller, api, token)
    assert (told.value.status, str(told.value)) == (status, words)
    assert token not in str(told.value)
    assert len(api.calls) == 1


@pytest.mark.parametrize("name", ["429_brand", "429_brand_epoch", "429_partner", "429_partner_epoch"])
def test_a_full_hour_says_how_long_to_wait(name: str) -> None:
    with asked() as (caller, api):
        caller.network.faults.script(fault(name, seconds=1800))
        with pytest.raises(NotAnswered) as told:
            listed(caller, api)
        assert (told.value.status, told.value.retry_after) == (429, 1800)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("500_before", 500),
        ("503_after", 503),
        ("html_ok_after", 200),
        ("html_error_after", 502),
        ("empty_ok_after", 200),
        ("cut_off", None),
        ("reset_before", None),
    ],
)
def test_no_answer_is_a_sentence(name: str, status: int | None) -> None:
    with asked() as (caller, api):
        caller.submit()
        caller.network.faults.script(fault(name))
        with pytest.raises(NotAnswered) as told:
            listed(caller, api)
        assert told.value.status == status
        assert str(told.value).startswith("impact.com")
        assert str(told.value).endswith(".")
        assert len(listed(caller, api)) == 1


def test_a_network_that_is_not_there_is_a_sentence() -> None:
    api = ImpactApi(Http(connect=1), "http://127.0.0.1:1")
    with pytest.raises(NotAnswered, match="could not be asked"):
        submission(api, "IRx", TOKEN, "/x/A-1", now=NOON)


# Answers no one expects


@contextmanager
def answering(document: object) -> Iterator[ImpactApi]:
    """A server that gives one answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield ImpactApi(Http(read=2), f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"Message": "hello"},
        {"Actions": ["x"]},
        {"Actions": [{"Oid": "1"}]},
        {"Actions": [{"Id": "1", "Amount": "12,50"}]},
        {"Actions": [{"Id": "1", "Payout": "NaN"}]},
    ],
)
def test_a_list_that_cannot_be_read_is_not_taken_for_an_empty_one(document: object) -> None:
    with answering(document) as api, pytest.raises(NotAnswered):
        actions(api, "IRx", TOKEN, "1000", EARLY, NOON, now=NOON)


def test_amounts_come_as_text_or_numbers_and_dates_may_lack() -> None:
    record = {
        "Id": "1.2.3",
        "Oid": 5,
        "Amount": "1200.5",
        "Payout": 0.07,
        "LockingDate": "",
        "EventDate": "2026-11-20T12:00:00+01:00",
        "CreationDate": "soon",
        "MediaPartnerName": "A\x00B",
    }
    with answering({"Actions": [record], "@nextpageuri": ""}) as api:
        (action,) = actions(api, "IRx", TOKEN, "1000", EARLY, NOON, now=NOON)
    assert (action.amount, action.payout) == (Decimal("1200.5"), Decimal("0.07"))
    assert (action.order_id, action.partner_name, action.state) == ("5", "AB", "")
    assert (action.locking_date, action.created_at) == (None, None)
    assert action.event_date == datetime(2026, 11, 20, 11, tzinfo=UTC)


def test_a_list_that_names_itself_as_its_next_page_ends() -> None:
    document = {"Actions": [{"Id": "1"}], "@nextpageuri": "/Advertisers/IRx/Actions?Page=2"}
    with answering(document) as api:
        found = actions(api, "IRx", TOKEN, "1000", EARLY, NOON, now=NOON)
    assert len(found) == 2
