"""Trying credentials against a pretend impact.com over real HTTP."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from impact_app.domain.programs import AccountCheck
from impact_app.http import Http
from impact_app.ledger.stores import Credentials
from impact_app.simulator.network import RunningNetwork, running_network
from impact_app.transports.api.account import check_account

SID = "IRPretendNetworkAccount00000000001"


@pytest.fixture
def network() -> Iterator[RunningNetwork]:
    with running_network() as running:
        yield running


@contextmanager
def answering(status: int, body: bytes) -> Iterator[tuple[str, list[tuple[str, dict[str, str]]]]]:
    """A server that gives every request the same answer and remembers path and headers."""
    seen: list[tuple[str, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.path, dict(self.headers)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", seen
        finally:
            server.shutdown()
            thread.join()


def tried(url: str, token: str = "pretend-auth-token", sid: str = SID) -> AccountCheck:
    return check_account(Http(connect=1.0, read=1.0), url, Credentials(sid, token))


def test_right_credentials_tell_currency_and_time_zone(network: RunningNetwork) -> None:
    check = tried(network.url)

    assert check.outcome == "works"
    assert (check.currency, check.time_zone) == ("USD", "(GMT) Coordinated Universal Time")
    assert check.sentence == (
        "impact.com accepts these credentials. The account has currency USD and time zone "
        "(GMT) Coordinated Universal Time."
    )


@pytest.mark.parametrize(("sid", "token"), [(SID, "wrong"), ("IRnobody", "pretend-auth-token")])
def test_a_wrong_sid_or_token_is_refused(network: RunningNetwork, sid: str, token: str) -> None:
    check = tried(network.url, token, sid)

    assert check.outcome == "refused"
    assert (check.currency, check.time_zone) == ("", "")


def test_a_token_without_the_account_scope_is_no_wrong_password(network: RunningNetwork) -> None:
    check = tried(network.url, "pretend-conversions-token")

    assert check.outcome == "limited"
    assert "refuse" not in check.sentence
    assert "Conversions scope" in check.sentence


def test_nobody_listening_is_no_wrong_password() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        check = tried(f"http://127.0.0.1:{unused.getsockname()[1]}")

    assert check.outcome == "unreachable"


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_busy_network_is_no_wrong_password(status: int) -> None:
    with answering(status, b"<html>busy</html>") as (url, seen):
        check = tried(url)

    assert check.outcome == "unreachable"
    assert f"status {status}" in check.sentence
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"<html>a proxy</html>"), (200, b"[]"), (200, b"{}"), (302, b""), (404, b"{}")]
)
def test_an_answer_of_somebody_else_is_unexpected(status: int, body: bytes) -> None:
    with answering(status, body) as (url, _):
        check = tried(url)

    assert check.outcome == "unexpected"
    assert "Check IMPACT_API_URL" in check.sentence


def test_the_call_is_the_documented_one() -> None:
    with answering(200, b'{"Currency": "EUR"}') as (url, seen):
        check = tried(url, "tok", "IR1")

    ((path, headers),) = seen
    assert path == "/Advertisers/IR1/CompanyInformation"
    assert headers["Accept"] == "application/json"
    assert headers["IR-Version"] == "14"
    assert headers["Authorization"] == "Basic " + base64.b64encode(b"IR1:tok").decode()
    assert check.sentence == "impact.com accepts these credentials. The account has currency EUR."


def test_a_sid_cannot_lead_the_call_elsewhere() -> None:
    with answering(401, b"") as (url, seen):
        tried(url, "tok", "../../Agencies/1?x=#")

    assert seen[0][0] == "/Advertisers/..%2F..%2FAgencies%2F1%3Fx%3D%23/CompanyInformation"


def test_neither_sentence_nor_repr_tells_the_token() -> None:
    with answering(401, b'{"Message": "bad token tok-secret"}') as (url, _):
        check = tried(url, "tok-secret")

    assert "tok-secret" not in repr(check)
