"""Programs, contracts, event types, rights: from the pretend impact.com, and from whatever else answers."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from impact_app.domain.programs import Allowance, Contract, Need, Program, Right, Term
from impact_app.http import Http
from impact_app.simulator.network import (
    Account,
    Campaign,
    EventType,
    RunningNetwork,
    Setup,
    Token,
    fault,
    running_network,
)
from impact_app.simulator.network import Contract as Agreed
from impact_app.transports.api.client import ImpactApi
from impact_app.transports.api.lookups import NotAnswered
from impact_app.transports.api.programs import contracts, programs, used_event_types
from impact_app.transports.api.rights import tried
from tests.simulator.brand import NOON, conversion
from tests.test_http import Listener, listening

SID, TOKEN = Setup().sid, Setup().token


def _api(url: str) -> ImpactApi:
    return ImpactApi(Http(connect=1, read=2), url)


def _programs(url: str) -> list[Program]:
    return programs(_api(url), SID, TOKEN, now=NOON)


def _contracts(url: str) -> tuple[list[Contract], bool]:
    return contracts(_api(url), SID, TOKEN, "1000", now=NOON)


def _used(url: str) -> list[tuple[str, str]]:
    return used_event_types(_api(url), SID, TOKEN, "1000", now=NOON)


@contextmanager
def network(**choices: Any) -> Iterator[RunningNetwork]:
    with running_network(Setup(rate_limit=None, **choices), clock=lambda: NOON) as running:
        yield running


def answering(*answers: tuple[int, Any]) -> AbstractContextManager[Listener]:
    """A server that gives one answer after the other: status and body."""
    waiting = list(answers)

    def talk(connection: socket.socket) -> None:
        status, body = waiting.pop(0)
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        head = f"HTTP/1.1 {status} Told\r\nConnection: close\r\nContent-Length: {len(raw)}\r\n\r\n"
        with suppress(OSError):  # who has read enough hangs up
            connection.sendall(head.encode() + raw)

    return listening(talk)


# Programs


def test_a_program_comes_with_all_that_decides_about_its_links() -> None:
    campaign = Campaign(
        7,
        "Shop",
        "SETUP",
        "Creator",
        promo_code_tracking=False,
        landing_page="https://shop.example/in",
        deep_link_domains="shop.example, *.shop.example",
        tracking_template="clickid={clickid}",
        program_template="utm_source=impact",
        deep_linking=True,
        view_through=True,
        tracking_domain="go.shop.example",
    )
    with network(campaigns=(campaign, Campaign())) as running:
        assert _programs(running.url)[0] == Program(
            id="7",
            name="Shop",
            state="SETUP",
            type="Creator",
            tracking_domain="go.shop.example",
            landing_page="https://shop.example/in",
            tracking_templates=("clickid={clickid}", "utm_source=impact"),
            deep_linking=True,
            deep_link_domains=("shop.example", "*.shop.example"),
            promo_code_tracking=False,
            view_through=True,
        )


def test_programs_on_several_pages_are_all_read() -> None:
    many = tuple(Campaign(id=1000 + number, name=f"Program {number}") for number in range(201))
    with network(campaigns=many) as running:
        assert [one.id for one in _programs(running.url)] == [str(one.id) for one in many]
        assert len(running.books.calls()) == 3


@pytest.mark.parametrize(
    ("record", "program"),
    [
        ({"Id": "7"}, Program("7", "")),
        ({"Id": 7, "Name": None, "GatewayTrackingSettings": None}, Program("7", "")),
        ({"Id": 7, "GatewayTrackingSettings": "none"}, Program("7", "")),
        (
            {"Id": 7, "GatewayTrackingSettings": {"DeepLinking": "false"}},
            Program("7", "", deep_linking=False),
        ),
        ({"Id": 7, "GatewayTrackingSettings": {"DeepLinking": "perhaps"}}, Program("7", "")),
        (
            {"Id": 7, "GatewayTrackingSettings": {"DeepLinkDomains": ["a.example", None, "b.example"]}},
            Program("7", "", deep_link_domains=("a.example", "b.example")),
        ),
        ({"Id": 7, "GatewayTrackingSettings": {"DeepLinkDomains": ", ,"}}, Program("7", "")),
        (
            {"Id": 7, "Name": "\ud800\x00x", "PromoCodeTracking": 1},
            Program("7", "?x", promo_code_tracking=True),
        ),
    ],
)
def test_what_a_program_lacks_or_spells_otherwise_is_no_fault(
    record: dict[str, Any], program: Program
) -> None:
    with answering((200, {"Campaigns": [record, {"Name": "without an id"}, "text", 7]})) as server:
        assert _programs(server.url) == [program]


# Contracts


def test_contracts_in_force_come_with_event_types_and_windows() -> None:
    agreed = (
        Agreed("S-1", 20001, window=45),
        Agreed("S-2", 20002, event_type_ids=(12,), window=49, window_unit="HOUR"),
        Agreed("S-3", 20002, tells_window=False),
        Agreed("S-4", 20001, end=NOON - timedelta(days=1)),
        Agreed("S-5", 20001, start=NOON + timedelta(days=1)),
    )
    kinds = (EventType(), EventType(12, "Lead"))
    with network(contracts=agreed, event_types=kinds) as running:
        assert _contracts(running.url) == (
            [
                Contract("S-1", (Term("9876", "Online Sale", 45), Term("12", "Lead", 45))),
                Contract("S-2", (Term("12", "Lead", 3),)),
                Contract("S-3", (Term("9876", "Online Sale", None), Term("12", "Lead", None))),
            ],
            True,
        )


def test_of_very_many_contracts_300_are_read_and_that_there_are_more_is_said() -> None:
    with network(contracts=tuple(Agreed(f"S-{number}") for number in range(301))) as running:
        found, complete = _contracts(running.url)
        assert (len(found), complete, len(running.books.calls())) == (300, False, 3)


def _paid(**payout: Any) -> dict[str, Any]:
    terms = {"EventPayouts": [{"EventTypeId": 9, **payout}]}
    return {"Id": "S-1", "Status": "ACTIVE", "TemplateTerms": terms}


@pytest.mark.parametrize(
    ("record", "window"),
    [
        (_paid(), None),
        (_paid(ValidReferrals=[{"Type": "CLICKS", "Window": "30", "WindowUnit": "DAY"}]), 30),
        (_paid(ValidReferrals=[{"Window": 2, "WindowUnit": "WEEK"}]), 14),
        (
            _paid(
                ValidReferrals=[
                    {"Type": "IMPRESSIONS", "Window": "90", "WindowUnit": "DAY"},
                    {"Type": "CLICKS", "Window": "7", "WindowUnit": "DAY"},
                ]
            ),
            7,
        ),
        (_paid(ValidReferrals={"Type": "CLICKS", "Window": 5}), 5),
        (_paid(ReferralWindow=60), 60),
        (_paid(ReferralPeriod="48", ReferralPeriodUnit="HOUR"), 2),
        (_paid(ReferralPeriod="thirty"), None),
        (_paid(ReferralPeriod="30", ReferralPeriodUnit=["DAY"]), None),
        (_paid(ValidReferrals="30"), None),
        (_paid(ValidReferrals=[[], None, 7]), None),
        (_paid(ValidReferrals=[{"Window": "1e999"}]), None),
        (_paid(ValidReferrals=[{"Window": -1}]), None),
    ],
)
def test_a_window_is_read_by_name_and_never_made_up(record: dict[str, Any], window: int | None) -> None:
    with answering((200, {"Contracts": [record]})) as server:
        assert _contracts(server.url) == ([Contract("S-1", (Term("9", "", window),))], True)


def test_a_contract_without_terms_has_none() -> None:
    odd: list[Any] = [
        {"Id": "S-1"},
        {"Id": "S-2", "TemplateTerms": []},
        {"Id": "S-3", "TemplateTerms": {"EventPayouts": "none"}},
        {"Id": "S-4", "Status": "EXPIRED"},
        {"Id": "S-5", "EndDate": "2026-11-20T11:59:59Z"},
        {"Id": "S-6", "EndDate": "soon"},
        None,
    ]
    with answering((200, {"Contracts": odd})) as server:
        found, _ = _contracts(server.url)
    assert [(one.id, one.terms) for one in found] == [("S-1", ()), ("S-2", ()), ("S-3", ()), ("S-6", ())]


# Event types in use


def _book(running: RunningNetwork, number: int, **changes: object) -> None:
    call = conversion(OrderId=f"order-{number}", EventDate=NOON.isoformat(), **changes)
    answer = Http().request(
        "POST",
        f"{running.url}/Advertisers/{SID}/Conversions",
        headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
        body="&".join(f"{name}={value}" for name, value in call.items()).replace("+", "%2B").encode(),
        auth=(SID, TOKEN),
    )
    assert answer.status == 200, answer.text


def test_event_types_are_learned_from_the_newest_actions() -> None:
    with network(event_types=(EventType(), EventType(12, "Lead", code="LEAD"))) as running:
        assert _used(running.url) == []
        for number, kind in enumerate(("9876", "12", "9876")):
            _book(running, number, EventTypeId=kind)
        assert sorted(_used(running.url)) == [
            ("12", "Lead"),
            ("9876", "Online Sale"),
            ("9876", "Online Sale"),
        ]


def test_a_program_with_too_many_actions_is_asked_for_the_last_day() -> None:
    refusal = {"Status": "ERROR", "Message": "The result exceeds ten pages."}
    listing = {"Actions": [{"ActionTrackerId": 9, "ActionTrackerName": "Sale"}, {"Id": "1"}, "text"]}
    with answering((400, refusal), (200, listing)) as server:
        assert _used(server.url) == [("9", "Sale")]
        asked = [line for line in server.received.decode().splitlines() if line.startswith("GET")]
    starts = [line.partition("ActionDateStart=")[2][:10] for line in asked]
    assert starts == ["2026-10-06", "2026-11-19"]


# Whatever answers instead

_LISTS = pytest.mark.parametrize("ask", [_programs, _contracts, _used])


@_LISTS
@pytest.mark.parametrize(
    "body",
    [b"<html>", b"", b"[" * 100_000, b"null", [], {}, {"Programs": []}, b'{"Campaigns": [1'],
    ids=["html", "empty", "deep", "null", "list", "nothing", "other", "half"],
)
def test_an_answer_of_another_shape_is_a_sentence(ask: Callable[[str], Any], body: Any) -> None:
    with answering((200, body)) as server, pytest.raises(NotAnswered, match=r"impact\.com's answer"):
        ask(server.url)


@_LISTS
def test_an_empty_list_is_no_fault(ask: Callable[[str], Any]) -> None:
    for empty in (None, []):
        with answering((200, {"Campaigns": empty, "Contracts": empty, "Actions": empty})) as server:
            assert ask(server.url) in ([], ([], True))


@_LISTS
@pytest.mark.parametrize(
    "kind", ["500_before", "cut_off", "timeout_before", "reset_after", "html_error_before"]
)
def test_a_fault_on_the_way_is_a_sentence(ask: Callable[[str], Any], kind: str) -> None:
    with network() as running:
        running.faults.script(fault(kind, seconds=3))
        with pytest.raises(NotAnswered):
            ask(running.url)


@_LISTS
def test_an_answer_that_is_too_large_is_a_sentence(ask: Callable[[str], Any]) -> None:
    with (
        answering((200, b"[" + b" " * (5 * 1024 * 1024))) as server,
        pytest.raises(NotAnswered, match="larger"),
    ):
        ask(server.url)


@_LISTS
def test_a_next_page_elsewhere_is_asked_for_at_the_same_place(ask: Callable[[str], Any]) -> None:
    away = "https://elsewhere.example/steal?Page=2"
    page = {"Campaigns": [], "Contracts": [], "Actions": [], "@nextpageuri": away}
    with answering((200, page), (200, {**page, "@nextpageuri": ""})) as server:
        ask(server.url)
        assert b"elsewhere" not in server.received
        assert b"steal" not in server.received


# What a token may do

_TRIED = (Need.CONVERSIONS, Need.ACTIONS_CHANGE, Need.ACTIONS_READ, Need.SUBMISSIONS, Need.PROMO_CODES)
_SCOPES = {
    Need.CONVERSIONS: "Conversions",
    Need.ACTIONS_CHANGE: "Actions",
    Need.ACTIONS_READ: "Actions",
    Need.SUBMISSIONS: "Submissions",
    Need.PROMO_CODES: "Promo Codes",
}


def _allowed(scopes: Sequence[str], *, read_only: bool = False) -> set[Need]:
    """The needs that a token with these scopes is found to have, and nothing was booked."""
    token = Token("narrow", tuple(scopes), read_only=read_only)
    with network(accounts=(replace(Account(), tokens=(token,)),)) as running:
        rights = [tried(_api(running.url), SID, "narrow", need, "1000") for need in _TRIED]
        assert running.books.submissions(SID) == []
        assert running.books.actions() == []
    assert all(right.allowance is not Allowance.NOT_KNOWN for right in rights)
    return {right.need for right in rights if right.allowance is Allowance.MAY}


@pytest.mark.parametrize("scope", sorted(set(_SCOPES.values())))
def test_each_scope_alone_is_found_and_no_other(scope: str) -> None:
    assert _allowed([scope]) == {need for need in _TRIED if _SCOPES[need] == scope}


def test_a_token_that_only_reads_may_neither_post_nor_change() -> None:
    assert _allowed([], read_only=True) == {Need.ACTIONS_READ, Need.SUBMISSIONS, Need.PROMO_CODES}
    assert _allowed([]) == set(_TRIED)


@pytest.mark.parametrize("need", _TRIED)
@pytest.mark.parametrize(
    ("status", "body"),
    [(400, b"<html>"), (200, b"<html>"), (401, {}), (402, {}), (429, {}), (500, {}), (302, {}), (405, {})],
)
def test_what_proves_nothing_leaves_it_not_known(need: Need, status: int, body: Any) -> None:
    with answering((status, body)) as server:
        right = tried(_api(server.url), SID, TOKEN, need)
    assert (right.allowance, str(status) in right.sentence) == (Allowance.NOT_KNOWN, True)


def test_nobody_there_leaves_it_not_known() -> None:
    right = tried(_api("http://127.0.0.1:1"), SID, TOKEN, Need.CONVERSIONS)
    assert right.allowance is Allowance.NOT_KNOWN
    assert right.sentence.startswith("impact.com could not be asked: ")


def test_posting_and_changing_are_tried_with_an_empty_form() -> None:
    for need, first in ((Need.CONVERSIONS, "POST"), (Need.ACTIONS_CHANGE, "PUT")):
        with answering((400, {"Status": "ERROR"})) as server:
            assert tried(_api(server.url), SID, TOKEN, need, "1000") == Right(need, Allowance.MAY)
            head, _, body = server.received.decode().partition("\r\n\r\n")
        assert (head.split()[0], "?" in head.split()[1], body) == (first, False, "")
