"""The network as a running server: threads, kept-alive connections, and faults of the connection itself.

Werkzeug's own server closes each connection after one answer, so a client's reuse of connections would
never be tried; this one keeps them open, and hands the socket to the faults.
"""

import contextlib
import io
import os
import signal
import socket
import socketserver
import struct
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote_to_bytes

from flask import Flask
from rich.console import Console

from .books import Books, machine_clock
from .faults import Faults
from .setup import Setup
from .web import WIRE, Wire, create_network

_BODY_LIMIT = 16 * 1024 * 1024


class NetworkServer(ThreadingHTTPServer):
    """A thread for each connection; `stop` ends it at once, waiting faults and open connections included."""

    daemon_threads = True
    request_queue_size = 512
    allow_reuse_address = True

    def __init__(self, app: Flask, host: str, port: int) -> None:
        self.app = app
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__((host, port), _Connection)

    def server_bind(self) -> None:
        # The base class looks the host's name up, which can take seconds where no name server answers.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that goes away, or a connection closed by `stop`, is nothing to report.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        self.stopping.set()
        self.shutdown()
        self.close_connections()

    def close_connections(self) -> None:
        self.stopping.set()
        self.server_close()
        with self._open_lock:
            still_open = list(self._open)
        for connection in still_open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Connection(BaseHTTPRequestHandler):
    """One connection: reads requests one after the other, asks the application, writes the answer."""

    server: NetworkServer
    protocol_version = "HTTP/1.1"
    # Small answers go out at once instead of waiting for the other side's acknowledgement.
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        body = self._body()
        if body is None:
            return
        environ = self._environ(body)
        status, headers, content = _ask(self.server.app, environ)
        wire: Wire = environ.get(WIRE, Wire("send"))
        if wire.seconds:
            self.server.stopping.wait(wire.seconds)
        if wire.ending == "reset":
            self._reset()
        elif wire.ending == "close":
            self.close_connection = True
        else:
            self._send(status, headers, content, cut=wire.ending == "cut_off")

    def __getattr__(self, name: str) -> Any:
        # The base class looks for do_GET, do_POST and so on; which verbs exist is the application's matter.
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _body(self) -> bytes | None:
        """Read the whole body, so that the next request begins where this one ends; none if answered here."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers:
            self._turn_away("411 Length Required", "Send the body with a Content-Length.")
            return None
        if not length.isdecimal() or int(length) > _BODY_LIMIT:
            self._turn_away("413 Content Too Large", "The body is too large, or its length is no number.")
            return None
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True
            return None
        return body

    def _turn_away(self, status: str, message: str) -> None:
        self.close_connection = True
        self._send(status, [("Content-Type", "text/plain")], message.encode())

    def _environ(self, body: bytes) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": str(self.server.server_address[0]),
            "SERVER_PORT": str(self.server.server_address[1]),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in self.headers.items():
            environ["HTTP_" + name.upper().replace("-", "_")] = value
        return environ

    def _send(
        self, status: str, headers: Iterable[tuple[str, str]], content: bytes, cut: bool = False
    ) -> None:
        self.close_connection = self.close_connection or cut
        lines = [f"HTTP/1.1 {status}", f"Date: {self.date_time_string()}"]
        lines += [f"{name}: {value}" for name, value in headers if name.lower() != "content-length"]
        lines += [f"Content-Length: {len(content)}"]
        lines += ["Connection: close"] if self.close_connection else []
        if self.command == "HEAD":
            content = b""
        sent = content[: len(content) // 2] if cut else content
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1") + sent)

    def _reset(self) -> None:
        """Drop the connection so that the client meets a reset instead of an orderly end."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # Closing the descriptor itself: the stream objects would keep the socket open until later.
        os.close(self.connection.detach())

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent: the books are the log."""


def _ask(
    app: Callable[..., Iterable[bytes]], environ: dict[str, Any]
) -> tuple[str, list[tuple[str, str]], bytes]:
    answer: list[Any] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], _exc_info: Any = None
    ) -> Callable[..., Any]:
        answer[:] = [status, headers]
        return answer.append

    content = app(environ, start_response)
    try:
        body = b"".join(content)
    finally:
        close = getattr(content, "close", None)
        if close is not None:
            close()
    return answer[0], answer[1], body


@dataclass(frozen=True)
class RunningNetwork:
    """A network that answers at `url`, with the hands on its books and its faults."""

    url: str
    books: Books

    @property
    def faults(self) -> Faults:
        return self.books.faults


@contextlib.contextmanager
def running_network(
    setup: Setup | None = None, port: int = 0, clock: Callable[[], datetime] = machine_clock
) -> Iterator[RunningNetwork]:
    """Run a network on loopback in a thread; port 0 takes a free one. Ends at once, with all connections."""
    books = Books(setup or Setup(), clock)
    server = NetworkServer(create_network(books), "127.0.0.1", port)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="pretend-network", daemon=True
    )
    thread.start()
    try:
        yield RunningNetwork(f"http://127.0.0.1:{server.server_address[1]}", books)
    finally:
        server.stop()
        thread.join()


def serve(host: str, port: int, setup: Setup | None = None) -> None:
    """Run a network until Ctrl-C or SIGTERM, either of which ends it at once.

    Leaves with a sentence instead of a traceback if the port cannot be had.
    """
    books = Books(setup or Setup())
    try:
        server = NetworkServer(create_network(books), host, port)
    except OSError as error:
        raise SystemExit(
            f"The simulator cannot listen on {host}:{port}: {error.strerror}. Choose a free port."
        ) from None
    previous = signal.signal(signal.SIGTERM, _leave)
    try:
        _announce(f"http://{host}:{server.server_address[1]}", books.setup)
        server.serve_forever(poll_interval=0.1)
    except (KeyboardInterrupt, SystemExit):
        pass
    finally:
        signal.signal(signal.SIGTERM, previous)
        server.close_connections()


def _leave(_number: int, _frame: Any) -> None:
    raise SystemExit


def _announce(url: str, setup: Setup) -> None:
    account, campaign, event_type = setup.accounts[0], setup.campaigns[0], setup.event_types[0]
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"The pretend impact.com answers at {url}", markup=False)
    console.print(f"Its books:    {url}/_simulator/", markup=False)
    console.print(f"Account SID:  {account.sid}", markup=False)
    console.print(f"Auth token:   {account.tokens[0].value}", markup=False)
    console.print(f"Campaign id:  {campaign.id}    event type id: {event_type.id}", markup=False)
    console.print("Ctrl-C ends it.", markup=False)
