"""The one way out: pooled HTTP sessions with time-outs, a cap on answers, and redaction for what is kept."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.util import Retry

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 20.0
ANSWER_LIMIT = 4 * 1024 * 1024
KEPT_LIMIT = 2_000


class NotConnected(Exception):
    """No connection came about, so the request cannot have arrived."""


class PrivateAddress(NotConnected):
    """The host is at an address that is not a public one, so nothing was sent to it."""


class NoAnswer(Exception):
    """The request may have arrived: the answer did not come, broke off, or was larger than the limit."""


class Unserved(Exception):
    """A file was not given: the server answered with another status than 200."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


@dataclass(frozen=True)
class Answer:
    """What a server said; header names in lower case, the body at most `ANSWER_LIMIT` bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", errors="replace")


class Http:
    """Kept-alive connections, shared by the threads of one process.

    `public_only`: for addresses that somebody else chose. A host at a private address is not called; it is
    looked at for each connection, so that a name cannot point elsewhere once it has been looked up.
    """

    def __init__(
        self,
        *,
        pool: int = 64,
        connect: float = CONNECT_TIMEOUT,
        read: float = READ_TIMEOUT,
        public_only: bool = False,
    ) -> None:
        self._timeout = (connect, read)
        adapter = _PublicAdapter if public_only else HTTPAdapter
        self._adapter = adapter(pool_connections=pool, pool_maxsize=pool, max_retries=Retry(0, read=False))
        self._local = threading.local()

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        auth: tuple[str, str] | None = None,
    ) -> Answer:
        """Send one request, never following a redirect. Raises `NotConnected` or `NoAnswer`."""
        try:
            with self._session().request(
                method,
                url,
                data=body,
                headers=dict(headers),
                auth=None if auth is None else HTTPBasicAuth(auth[0].encode(), auth[1].encode()),
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
            ) as response:
                body_read = _capped(response, time.monotonic() + self._timeout[1])
                return Answer(response.status_code, _lower(response.headers), body_read)
        except (requests.ConnectTimeout, requests.exceptions.InvalidURL) as error:
            raise NotConnected(_words(error)) from error
        except requests.ConnectionError as error:
            raise _fault(error) from error
        except (requests.RequestException, HTTPError) as error:
            raise NoAnswer(_words(error)) from error

    def lines(self, url: str) -> Iterator[bytes]:
        """A file, line by line, never whole in memory, never following a redirect.

        Raises `Unserved` for an answer other than 200, and `NotConnected` or `NoAnswer`, also midway: where
        the file ends before its announced length, or has a line longer than `ANSWER_LIMIT`.
        """
        try:
            with self._session().get(
                url, timeout=self._timeout, allow_redirects=False, stream=True
            ) as response:
                if response.status_code != 200:
                    raise Unserved(response.status_code)
                yield from _lines(response)
        except requests.ConnectTimeout as error:
            raise NotConnected(_words(error)) from error
        except requests.ConnectionError as error:
            raise _fault(error) from error
        except (requests.RequestException, HTTPError) as error:
            raise NoAnswer(_words(error)) from error

    def _session(self) -> requests.Session:
        """One session a thread (sessions are not thread-safe), all on the same connection pool."""
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.trust_env = False
            session.mount("http://", self._adapter)
            session.mount("https://", self._adapter)
            self._local.session = session
        return session


def _refuse_private(connection: HTTPConnection, addresses: Iterator[Any]) -> None:
    for address in addresses:
        if not ip_address(str(address[0]).partition("%")[0]).is_global:
            raise _Private(connection, "the host is at a private address")


def _looked_up(host: str) -> Iterator[Any]:
    try:
        return (found[4] for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError):
        # Who connects finds out the same, and says it.
        return iter(())


class _Private(NewConnectionError):
    pass


class _Public(HTTPConnection):
    """A connection that is made to public addresses only."""

    def _new_conn(self) -> socket.socket:
        _refuse_private(self, _looked_up(self.host))
        connected = super()._new_conn()
        try:
            _refuse_private(self, iter([connected.getpeername()]))
        except _Private:
            connected.close()
            raise
        return connected


class _PublicTls(_Public, HTTPSConnection):
    pass


class _PublicPool(HTTPConnectionPool):
    ConnectionCls = _Public


class _PublicTlsPool(HTTPSConnectionPool):
    ConnectionCls = _PublicTls


class _PublicAdapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _PublicPool, "https": _PublicTlsPool}


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _capped(response: requests.Response, deadline: float) -> bytes:
    """The whole body, unpacked. A time-out bounds one read, so a body that drips needs a bound of its own."""
    chunks: list[bytes] = []
    size = 0
    # One read at a time: `iter_content` waits until it has a whole chunk, however slowly that comes.
    while chunk := response.raw.read1(65536, decode_content=True):
        chunks.append(chunk)
        size += len(chunk)
        if time.monotonic() > deadline:
            raise NoAnswer("the answer did not end in time")
        if size > ANSWER_LIMIT:
            raise NoAnswer(f"the answer is larger than {ANSWER_LIMIT} bytes")
    return b"".join(chunks)


def _lines(response: requests.Response) -> Iterator[bytes]:
    rest = b""
    while chunk := response.raw.read1(65536, decode_content=True):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
        if len(rest) > ANSWER_LIMIT:
            raise NoAnswer(f"a line is longer than {ANSWER_LIMIT} bytes")
    if response.raw.length_remaining:
        raise NoAnswer("the file ended before its announced length")
    if rest:
        yield rest


def _fault(error: requests.ConnectionError) -> Exception:
    """Tell 'never connected' from 'connected, then lost': only the first is certain not to have arrived."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(reason, _Private):
        return PrivateAddress("the host is at a private address")
    name = type(reason).__name__
    if name in {"NewConnectionError", "NameResolutionError", "ConnectTimeoutError"}:
        return NotConnected(_words(error))
    return NoAnswer(_words(error))


def _words(error: BaseException) -> str:
    return redacted(f"{type(error).__name__}: {error}", ())[:300]


_SECRET_WORDS = re.compile(
    r"""(?ix) (?P<name> authorization | auth[_-]?token | access[_-]?token | refresh[_-]?token
        | client[_-]?secret | x-shopify-access-token | password | api[_-]?key )
        (?P<gap> ["']?\s*[:=>]\s*["']? (?:bearer\s+|basic\s+)? ) (?P<value> [^\s"'&,;}<]+ )"""
)
_EMAIL = re.compile(r"[\w.+%-]+@[\w-]+\.[\w.-]+")


def redacted(text: str, known: tuple[str, ...], limit: int = KEPT_LIMIT) -> str:
    """`text` without secrets and addresses, cut to `limit` characters, fit to be stored and shown."""
    # Searching takes long on a long text, and what stands further back is cut off below anyway.
    text = text[: limit + 6_000].replace("\x00", "")
    # The longest first: what is left of it would still tell, once a shorter one was taken out of its middle.
    for secret in sorted(filter(None, known), key=len, reverse=True):
        text = text.replace(secret, "[secret]")
    text = _SECRET_WORDS.sub(lambda found: f"{found['name']}{found['gap']}[secret]", text)
    text = _EMAIL.sub("[e-mail]", text)
    return text if len(text) <= limit else text[: limit - 1] + "…"
