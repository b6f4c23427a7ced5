"""One call to impact.com: what goes over the wire, and the receipt of whatever happens."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qsl

import pytest

from impact_app.domain.receipts import Outcome
from impact_app.http import Http
from impact_app.simulator.network import RunningNetwork, Setup, fault, running_network
from impact_app.transports.api.client import API_VERSION, ImpactApi
from impact_app.transports.api.request import Call
from tests.test_http import listening

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ORDER = (
    ("CampaignId", "1000"),
    ("EventTypeId", "9876"),
    ("EventDate", "2026-11-20T11:55:00+00:00"),
    ("OrderId", "Größe & 50%"),
    ("ClickId", "a+b/c=="),
    ("CurrencyCode", "USD"),
    ("ItemSku1", "A B"),
    ("ItemCategory1", "Möbel"),
    ("ItemQuantity1", "1"),
    ("ItemSubTotal1", "10.00"),
)


@pytest.fixture
def network() -> Iterator[RunningNetwork]:
    with running_network(Setup(rate_limit=None), clock=lambda: NOW) as running:
        yield running


def _api(network: RunningNetwork, read: float = 5.0) -> ImpactApi:
    return ImpactApi(Http(connect=1, read=read), network.url)


def _call(network: RunningNetwork) -> Call:
    return Call("POST", f"/Advertisers/{network.books.setup.sid}/Conversions", ORDER)


def test_a_conversion_arrives_field_for_field(network: RunningNetwork) -> None:
    setup = network.books.setup
    receipt = _api(network).send(_call(network), setup.sid, setup.token, NOW)
    assert (receipt.outcome, receipt.status) == (Outcome.ACCEPTED, 200)
    (submission,) = network.books.submissions()
    assert receipt.queued_uri is not None
    assert receipt.queued_uri.endswith(submission.batch_id)
    assert tuple(parse_qsl(network.books.payload(submission.batch_id))) == ORDER


def test_what_goes_over_the_wire() -> None:
    """Form-encoded once, Basic auth, JSON asked for, the version pinned."""
    reply = b'{"Status":"QUEUED","QueuedUri":"/x"}'
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(reply)}\r\n\r\n".encode()
    with listening(lambda connection: connection.sendall(head + reply)) as server:
        form = (("OrderId", "Größe & 50%"), ("ClickId", "a+b/c=="))
        api = ImpactApi(Http(), server.url)
        receipt = api.send(Call("POST", "/Advertisers/IR1/Conversions", form), "IR1", "s3cret", NOW)
    assert receipt.outcome == Outcome.ACCEPTED
    head_sent, _, body = server.received.partition(b"\r\n\r\n")
    lines = head_sent.decode().split("\r\n")
    assert lines[0] == "POST /Advertisers/IR1/Conversions HTTP/1.1"
    assert {
        "Accept: application/json",
        f"IR-Version: {API_VERSION}",
        "Content-Type: application/x-www-form-urlencoded",
        f"Authorization: Basic {b64encode(b'IR1:s3cret').decode()}",
    } <= set(lines)
    assert body == b"OrderId=Gr%C3%B6%C3%9Fe+%26+50%25&ClickId=a%2Bb%2Fc%3D%3D"


def test_a_get_carries_its_form_in_the_address() -> None:
    with listening(
        lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    ) as server:
        ImpactApi(Http(), server.url).ask(Call("GET", "/a/b", (("Q", "ä&b"),)), "IR1", "t")
    assert server.received.startswith(b"GET /a/b?Q=%C3%A4%26b HTTP/1.1\r\n")
    assert b"Content-Type" not in server.received


@pytest.mark.parametrize(
    ("name", "outcome", "reason"),
    [
        ("500_before", "uncertain", "server_error"),
        ("504_after", "uncertain", "server_error"),
        ("html_error_after", "uncertain", "server_error"),
        ("html_ok_after", "uncertain", "unreadable_answer"),
        ("empty_ok_before", "uncertain", "unreadable_answer"),
        ("cut_off", "uncertain", "no_answer"),
        ("reset_before", "uncertain", "no_answer"),
        ("reset_after", "uncertain", "no_answer"),
        ("429_none", "not_sent", "rate_limited"),
        ("400", "rejected", "invalid_field"),
        ("401", "rejected", "credentials_refused"),
        ("402", "rejected", "request_failed"),
        ("403", "rejected", "not_allowed"),
    ],
)
def test_every_fault_is_a_receipt(network: RunningNetwork, name: str, outcome: str, reason: str) -> None:
    setup = network.books.setup
    network.faults.script(name)
    receipt = _api(network).send(_call(network), setup.sid, setup.token, NOW)
    assert (receipt.outcome, receipt.reason) == (outcome, reason)
    assert receipt.holds is (name in {"401", "403", "429_none"})
    assert setup.token not in receipt.answer + receipt.detail


def test_a_time_out_is_uncertain(network: RunningNetwork) -> None:
    setup = network.books.setup
    network.faults.script(fault("timeout_after", seconds=1))
    receipt = _api(network, read=0.2).send(_call(network), setup.sid, setup.token, NOW)
    assert (receipt.outcome, receipt.reason, receipt.status) == ("uncertain", "no_answer", None)
    assert len(network.books.actions()) == 1


def test_nobody_there_is_certainly_not_sent(network: RunningNetwork) -> None:
    setup = network.books.setup
    api = ImpactApi(Http(connect=1), "http://127.0.0.1:1")
    receipt = api.send(_call(network), setup.sid, setup.token, NOW)
    assert (receipt.outcome, receipt.reason) == ("not_sent", "not_connected")
    assert setup.token not in receipt.detail
