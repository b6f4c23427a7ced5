"""In place of the network between the programs: calls go straight into the pretend programs' own code.

This is the one seam that is replaced. Above it are the app's own `Http` and requests, below it the pretend
impact.com and the pretend Shopify as their servers would run them, with the faults of connections that
those servers would play.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse
from urllib3.exceptions import MaxRetryError, NewConnectionError

from impact_app.simulator.network.web import WIRE, Wire

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Killed(BaseException):
    """The process was killed here. Nothing of the app catches it, as nothing could."""


@dataclass
class Switch:
    """Kills the process at a statement, a commit or a call; what is dead stays so until `revive`."""

    left: int | None = None
    is_dead: bool = False

    def arm(self, steps: int) -> None:
        self.left = steps

    def revive(self) -> None:
        self.left, self.is_dead = None, False

    def tick(self) -> None:
        if self.left is not None:
            self.left -= 1
            self.is_dead = self.is_dead or self.left < 0
        if self.is_dead:
            raise Killed


@dataclass
class Made:
    """A call that may change something; `was_heard` says whether the app can know what became of it."""

    method: str
    path: str
    body: bytes
    status: int | None = None
    batch_id: str = ""
    was_heard: bool = False

    @property
    def account_sid(self) -> str:
        return self.path.split("/")[2]

    @property
    def same(self) -> tuple[str, str, bytes]:
        return self.method, self.path, self.body


@dataclass
class Wires:
    """Hosts and the programs behind them, and every changing call that was made."""

    programs: dict[str, Application]
    switch: Switch
    made: list[Made] = field(default_factory=list)
    refuse: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def adapter(self, **_options: Any) -> BaseAdapter:
        return _Adapter(self)

    def refuses(self) -> bool:
        with self._lock:
            self.refuse, refused = max(0, self.refuse - 1), self.refuse > 0
        return refused

    def note(self, made: Made) -> None:
        with self._lock:
            self.made.append(made)


class _Adapter(BaseAdapter):
    def __init__(self, wires: Wires) -> None:
        super().__init__()
        self.wires = wires

    def close(self) -> None:
        pass

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        self.wires.switch.tick()
        assert request.url is not None
        assert request.method is not None
        url = urlsplit(request.url)
        if url.hostname == "impact.test" and self.wires.refuses():
            raise requests.ConnectionError(MaxRetryError(None, url.path, NewConnectionError(None, "refused")))  # type: ignore[arg-type]
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        made = Made(request.method, url.path, body)
        if request.method != "GET":
            self.wires.note(made)
        environ = _environ(request, url.path, url.query, body)
        status, headers, content = _asked(self.wires.programs[url.hostname or ""], environ)
        wire: Wire = environ.get(WIRE, Wire("send"))
        made.status, made.batch_id = status, environ.get("network.batch_id", "")
        if wire.ending == "close":
            raise requests.ReadTimeout("no answer in time")
        if wire.ending != "send":
            raise requests.ConnectionError("the connection was lost")
        self.wires.switch.tick()
        made.was_heard = status < 500 and "json" in headers.get("Content-Type", "")
        return _response(request, status, headers, content)


def _environ(request: requests.PreparedRequest, path: str, query: str, body: bytes) -> dict[str, Any]:
    sent = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in request.headers.items()}
    return {
        **sent,
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def _asked(program: Application, environ: dict[str, Any]) -> tuple[int, Mapping[str, str], bytes]:
    said: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], _error: Any = None) -> None:
        said[:] = [int(status.split(maxsplit=1)[0]), dict(headers)]

    content = b"".join(program(environ, start_response))
    return said[0], said[1], content


def _response(
    request: requests.PreparedRequest, status: int, headers: Mapping[str, str], content: bytes
) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response.headers.update(headers)
    response.request = request
    response.url = request.url or ""
    response.raw = HTTPResponse(io.BytesIO(content), headers=headers, status=status, preload_content=False)
    return response
