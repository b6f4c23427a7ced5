"""The one way out: what certainly did not arrive, what may have, and what is kept of answers."""

from __future__ import annotations

import base64
import gzip
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impact_app.http import ANSWER_LIMIT, KEPT_LIMIT, Http, NoAnswer, NotConnected, PrivateAddress, redacted

Conversation = Callable[[socket.socket], None]


class Listener:
    """A server that does with each connection what a test says."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.connections = 0
        self.received = b""
        self.stopping = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            self.received += _request(connection)
            self._conversation(connection)

    def close(self) -> None:
        self._socket.close()


def _request(connection: socket.socket) -> bytes:
    """One request with its body, by its Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (
            int(line.split(b":")[1])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length")
        ),
        0,
    )
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@contextmanager
def listening(conversation: Conversation) -> Iterator[Listener]:
    listener = Listener(conversation)
    try:
        yield listener
    finally:
        listener.close()


def _answers(*parts: bytes, pause: float = 0) -> Conversation:
    def talk(connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)

    return talk


def _ask(url: str, read: float = 5.0) -> object:
    return Http(connect=1.0, read=read).request("POST", url, headers={}, body=b"a=1")


def test_an_answer_comes_with_lower_case_header_names() -> None:
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-RateLimit-Remaining: 7\r\n\r\nok"
    with listening(_answers(reply)) as server:
        answer = Http().request("POST", server.url, headers={"Accept": "a/b"}, body=b"a=1", auth=("ä", "ö"))
    assert (answer.status, answer.text, answer.headers["x-ratelimit-remaining"]) == (200, "ok", "7")
    assert base64.b64encode("ä:ö".encode()) in server.received
    assert server.received.endswith(b"\r\n\r\na=1")


# certainly not arrived


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]"])
def test_a_private_address_is_not_called_where_strangers_choose_it(host: str) -> None:
    listener = Listener(
        lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    )
    url = listener.url.replace("127.0.0.1", host)
    try:
        for scheme in ("http", "https"):
            with pytest.raises(PrivateAddress, match="private address"):
                Http(public_only=True).request("POST", url.replace("http", scheme), headers={}, body=b"{}")
        assert (listener.connections, listener.received) == (0, b"")
        assert Http().request("POST", listener.url, headers={}, body=b"{}").status == 200
    finally:
        listener.close()


def test_a_closed_port_is_not_connected() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(NotConnected):
            _ask(url)


@pytest.mark.parametrize("url", ["http://does-not-exist.invalid/", "http://", "http://[::1/", "http://a b/"])
def test_a_name_nobody_has_is_not_connected(url: str) -> None:
    with pytest.raises(NotConnected):
        _ask(url)


def test_a_full_backlog_is_not_connected() -> None:
    """Nobody accepts and the queue is full, so no connection comes about in time."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        address = server.getsockname()
        crowd = [socket.socket() for _ in range(4)]
        for one in crowd:
            one.setblocking(False)
            one.connect_ex(address)
        time.sleep(0.05)
        with pytest.raises(NotConnected):
            _ask(f"http://127.0.0.1:{address[1]}", read=0.5)
        for one in crowd:
            one.close()


# may have arrived


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"


def _reset_within(connection: socket.socket) -> None:
    connection.sendall(CUT)
    _reset(connection)


MAY_HAVE_ARRIVED: dict[str, Conversation] = {
    "reset after the request": _reset,
    "closed after the request": lambda _connection: None,
    "no HTTP at all": _answers(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 \r\n\r\n"),
    "half a status line": _answers(b"HTTP/1.1 20"),
    "cut-off body": _answers(CUT),
    "reset within the body": _reset_within,
    "broken chunks": _answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nno\r\n"),
    "chunks cut off": _answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
    "broken gzip": _answers(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8bxx"
    ),
    "endless header": _answers(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"),
}


@pytest.mark.parametrize("name", MAY_HAVE_ARRIVED)
def test_whatever_breaks_after_the_request_is_no_answer(name: str) -> None:
    with listening(MAY_HAVE_ARRIVED[name]) as server:
        with pytest.raises(NoAnswer):
            _ask(server.url)
        assert server.connections == 1


def test_silence_is_no_answer_after_the_read_time() -> None:
    with listening(lambda _connection: time.sleep(3)) as server:
        began = time.monotonic()
        with pytest.raises(NoAnswer):
            _ask(server.url, read=0.3)
        assert 0.3 <= time.monotonic() - began < 1.5
        assert server.connections == 1


LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n"
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "drop"),
    [(LENGTH, b"x"), (CHUNKS, b"1\r\nx\r\n"), (UNTIL_CLOSE, b"x")],
    ids=["length", "chunks", "until close"],
)
def test_a_body_that_drips_is_no_answer_once_its_time_is_over(head: bytes, drop: bytes) -> None:
    """Each single read comes in time; all of them together do not."""
    with listening(_answers(head, *[drop] * 40, pause=0.1)) as server:
        began = time.monotonic()
        with pytest.raises(NoAnswer, match="did not end in time"):
            _ask(server.url, read=0.5)
        assert time.monotonic() - began < 2


def test_a_body_beyond_the_limit_is_no_answer_and_not_read_to_the_end() -> None:
    sent = []

    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        for _ in range(1000):
            connection.sendall(b"x" * 1_000_000)
            sent.append(1)

    with listening(flood) as server, pytest.raises(NoAnswer, match=f"larger than {ANSWER_LIMIT} bytes"):
        _ask(server.url)
    assert len(sent) < 50


def test_a_small_body_that_unpacks_beyond_the_limit_is_no_answer() -> None:
    packed = gzip.compress(b"x" * 50_000_000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    with listening(_answers(head.encode(), packed)) as server, pytest.raises(NoAnswer, match="larger"):
        _ask(server.url)


def test_a_packed_answer_is_unpacked() -> None:
    packed = gzip.compress(b'{"Status": "QUEUED"}')
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    with listening(_answers(head.encode(), packed)) as server:
        answer = Http().request("GET", server.url, headers={})
    assert answer.text == '{"Status": "QUEUED"}'


def test_a_chunked_answer_is_put_together() -> None:
    with listening(_answers(CHUNKS, b"3\r\nabc\r\n", b"2\r\nde\r\n", b"0\r\n\r\n", pause=0.05)) as server:
        assert Http().request("GET", server.url, headers={}).text == "abcde"


def test_a_redirect_is_an_answer_and_never_followed() -> None:
    with listening(lambda _connection: None) as other:
        reply = f"HTTP/1.1 302 Found\r\nLocation: {other.url}/x\r\nContent-Length: 0\r\n\r\n".encode()
        with listening(_answers(reply)) as server:
            assert Http().request("GET", server.url, headers={}, auth=("a", "b")).status == 302
        assert other.connections == 0


def test_an_environment_with_a_proxy_or_netrc_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with listening(_answers(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")) as server:
        assert Http().request("GET", server.url, headers={}).text == "ok"


def test_connections_are_kept_alive() -> None:
    def two(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        _request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with listening(two) as server:
        http = Http()
        assert [http.request("GET", server.url, headers={}).text for _ in range(2)] == ["ok", "ok"]
        assert server.connections == 1


# redaction

SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=40)


@settings(max_examples=300, deadline=None)
@given(st.lists(SECRETS, min_size=1, max_size=3), st.lists(st.text(max_size=30), max_size=6), st.randoms())
def test_a_known_secret_is_never_in_what_is_kept(
    secrets: list[str], words: list[str], chance: object
) -> None:
    mixed = [*words, *secrets]
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    kept = redacted("".join(mixed), tuple(secrets))
    for secret in secrets:
        assert secret not in kept.replace("[secret]", "").replace("[e-mail]", "")


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("to\x00p-secret-token", ("top-secret-token",)),
        ("abcdefgh-and-more", ("abcdefgh", "abcdefgh-and-more")),
        ("x" * KEPT_LIMIT + "top-secret", ("top-secret",)),
        ("x" * (KEPT_LIMIT - 3) + "top-secret", ("top-secret",)),
    ],
    ids=["parted by NUL", "one within another", "beyond the cut", "across the cut"],
)
def test_secrets_that_hide(text: str, known: tuple[str, ...]) -> None:
    kept = redacted(text, known)
    assert len(kept) <= KEPT_LIMIT
    assert "top-" not in kept
    assert "and-more" not in kept


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Basic SVJhYmM6dG9rZW4=",
        '{"authorization":"Bearer SVJhYmM6dG9rZW4="}',
        "access_token=SVJhYmM6dG9rZW4=&x=1",
        "{'refresh_token': 'SVJhYmM6dG9rZW4='}",
        "AuthToken = SVJhYmM6dG9rZW4=",
        "X-Shopify-Access-Token: SVJhYmM6dG9rZW4=",
        "password: SVJhYmM6dG9rZW4=",
        "<auth_token>SVJhYmM6dG9rZW4=</auth_token>",
    ],
)
def test_what_is_called_a_secret_is_taken_for_one(text: str) -> None:
    assert "SVJhYmM6" not in redacted(text, ())


def test_addresses_are_taken_out() -> None:
    assert redacted("Sent to ada.buyer+x@mail.example.com.", ()) == "Sent to [e-mail]"
