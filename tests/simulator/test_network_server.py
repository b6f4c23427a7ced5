"""The server itself: kept-alive connections, odd requests, many threads, and ending at once."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from impact_app.simulator.network import Setup, fault, running_network

from .brand import Brand, brand, conversion


@pytest.fixture
def caller():
    with brand(Setup(rate_limit=None)) as caller:
        yield caller


def address(caller: Brand) -> tuple[str, int]:
    host, port = caller.network.url.removeprefix("http://").split(":")
    return host, int(port)


def test_one_connection_serves_many_calls(caller: Brand):
    connection = http.client.HTTPConnection(*address(caller), timeout=10)
    connection.connect()
    own_port = connection.sock.getsockname()[1]
    for path in ("/_simulator/books.json", "/nothing", "/Advertisers/x/Conversions") * 3:
        connection.request("POST" if "Adv" in path else "GET", path, body=b"a=1" if "Adv" in path else None)
        connection.getresponse().read()
        assert connection.sock.getsockname()[1] == own_port
    connection.close()


def test_a_body_that_is_not_read_does_not_spoil_the_next_call(caller: Brand):
    connection = http.client.HTTPConnection(*address(caller), timeout=10)
    connection.request("GET", "/_simulator/books.json", body=b"x" * 100_000)
    assert connection.getresponse().read()
    connection.request("GET", "/_simulator/books.json")
    assert connection.getresponse().status == 200
    connection.close()


def speak(caller: Brand, request: bytes) -> bytes:
    with socket.create_connection(address(caller), timeout=5) as sent:
        sent.sendall(request)
        sent.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: sent.recv(65536), b""))


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nContent-Length: abc\r\n\r\n", b"413"),
        (b"BREW /Advertisers/a/Conversions HTTP/1.1\r\nHost: x\r\n\r\n", b"401"),
        (b"GET /%ff%fe HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
        (b"HEAD /_simulator/ HTTP/1.1\r\nHost: x\r\n\r\n", b"200"),
    ],
)
def test_odd_requests_have_an_answer(caller: Brand, request_bytes: bytes, status: bytes):
    assert speak(caller, request_bytes).split(b"\r\n")[0].split(b" ")[1] == status
    assert caller.submit().status_code == 200


def test_a_body_cut_off_on_its_way_books_nothing(caller: Brand):
    path = f"/Advertisers/{caller.network.books.setup.sid}/Conversions"
    head = f"POST {path} HTTP/1.1\r\nContent-Length: 500\r\n\r\n"
    assert speak(caller, head.encode() + b"CampaignId=1000") == b""
    assert caller.books()["submissions"] == []


def test_many_threads_book_every_order_once(caller: Brand):
    def deliver(number: int) -> int:
        return caller.submit(OrderId=number % 100).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(deliver, range(400))) == {200}
    books = caller.books()
    assert len(books["actions"]) == 100
    reasons = [one["error_reason"] for one in books["submissions"]]
    assert (reasons.count(""), reasons.count("CONV_DUPLICATE")) == (100, 300)
    assert books["calls"]["total"] == 400


def test_the_call_log_is_bounded_and_the_counts_are_not():
    with brand(Setup(rate_limit=None, calls_kept=10)) as caller:
        for number in range(25):
            caller.submit(OrderId=number)
        assert len(caller.network.books.calls()) == 10
        assert caller.books()["calls"]["total"] == 25


def test_it_ends_at_once_while_a_fault_keeps_a_client_waiting():
    with running_network(Setup(rate_limit=None)) as network:
        setup = network.books.setup
        network.faults.script(fault("timeout_before", seconds=60))
        url = f"{network.url}/Advertisers/{setup.sid}/Conversions"
        failures: list[Exception] = []

        def wait() -> None:
            try:
                requests.post(url, data=conversion(), auth=(setup.sid, setup.token), timeout=30)
            except requests.ConnectionError as error:
                failures.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
        while not network.faults.met:
            time.sleep(0.01)
        began = time.monotonic()
    waiting.join(5)
    assert time.monotonic() - began < 2
    assert len(failures) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_ends_at_once_on_a_signal(number: int):
    code = "from impact_app.simulator.network import serve; serve('127.0.0.1', 0)"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(6)]
        url = said[0].rpartition(" ")[2].strip()
        with requests.Session() as session:  # its kept-alive connection stays open
            assert session.get(f"{url}/_simulator/", timeout=60).status_code == 200
            process.send_signal(number)
            _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0
    assert err == ""
    assert said[2].startswith("Account SID:")


def test_serve_says_when_the_port_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code = f"from impact_app.simulator.network import serve; serve('127.0.0.1', {port})"
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.strip() == (
        f"The simulator cannot listen on 127.0.0.1:{port}: Address already in use. Choose a free port."
    )


def test_the_network_knows_nothing_of_the_rest_of_the_app():
    code = (
        "import sys, impact_app; before = set(sys.modules); import impact_app.simulator.network;"
        "print([name for name in set(sys.modules) - before if name.startswith('impact_app.')"
        " and not name.startswith('impact_app.simulator')])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
