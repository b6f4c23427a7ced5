"""Which promo codes belong to a partner, page by page, from whatever answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from impact_app.http import Http
from impact_app.simulator.network import PromoCode, Setup, running_network
from impact_app.transports.api.client import ImpactApi
from impact_app.transports.api.promo_codes import NotListed, partner_codes
from tests.test_http import Listener, listening

OWNED = (
    PromoCode(1, "PARTNER10", partner_id=20002),
    PromoCode(2, "VIP-[0-9]+", partner_id=20001, type="RE"),
    PromoCode(3, "ELSEWHERE", partner_id=20001, campaign_id=2000),
)


def _listed(url: str, token: str = "pretend-auth-token") -> list[dict[str, str]]:
    return partner_codes(ImpactApi(Http(connect=1, read=2), url), Setup().sid, token, "1000")


def test_the_codes_of_the_campaign_come_with_type_and_partner() -> None:
    with running_network(Setup(promo_codes=OWNED)) as network:
        found = _listed(network.url)
        assert len(network.books.calls()) == 1
    assert sorted(found, key=lambda code: code["partner"]) == [
        {"code": "VIP-[0-9]+", "type": "RE", "partner": "20001"},
        {"code": "PARTNER10", "type": "LI", "partner": "20002"},
    ]


def test_wrong_credentials_are_not_an_empty_list() -> None:
    with running_network(Setup(promo_codes=OWNED)) as network, pytest.raises(NotListed, match="401"):
        _listed(network.url, token="wrong")


def test_nobody_there_is_not_an_empty_list() -> None:
    with pytest.raises(NotListed):
        _listed("http://127.0.0.1:1")


def _saying(*bodies: Any) -> Any:
    waiting = list(bodies)

    def talk(connection: Any) -> None:
        text = waiting.pop(0)
        raw = text if isinstance(text, bytes) else json.dumps(text).encode()
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(raw) + raw
        )

    return listening(talk)


def _code(name: str) -> dict[str, Any]:
    return {"Code": name, "Type": "LI", "AssignedPartnerId": 7}


def test_every_page_is_asked_for_and_none_beyond_the_last() -> None:
    pages = [{"@numpages": "3", "PromoCodes": [_code(f"P{page}")]} for page in range(1, 4)]
    with _saying(*pages) as server:
        assert [code["code"] for code in _listed(server.url)] == ["P1", "P2", "P3"]
        assert _pages(server) == ["1", "2", "3"]


def _pages(server: Listener) -> list[str]:
    text = server.received.decode()
    return [part.split("&")[0] for part in text.split("Page=")[1:]]


def test_codes_nobody_owns_and_entries_without_a_code_are_left_out() -> None:
    entries = [
        {"Code": "FREE"},
        {"AssignedPartnerId": 7},
        {"Code": "", "AssignedPartnerId": 7},
        _code("MINE"),
    ]
    with _saying({"PromoCodes": entries}) as server:
        assert _listed(server.url) == [{"code": "MINE", "type": "LI", "partner": "7"}]


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"",
        [],
        {"PromoCodes": "none"},
        {"PromoCodes": ["text"]},
        {"PromoCodes": {"Code": "A"}},
        {"@numpages": "many", "PromoCodes": [_code("A")]},
        b"[" * 100_000,
    ],
    ids=["html", "empty", "list", "text", "entries", "object", "pages", "deep"],
)
def test_an_answer_of_another_shape_is_not_listed(body: Any) -> None:
    with _saying(body) as server, pytest.raises(NotListed):
        _listed(server.url)


def test_no_codes_at_all_is_an_empty_list() -> None:
    empty: list[dict[str, Any]] = [{}, {"PromoCodes": None}, {"PromoCodes": []}]
    for body in empty:
        with _saying(body) as server:
            assert _listed(server.url) == []
