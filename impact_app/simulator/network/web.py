"""The whole network as one Flask application: the door every call passes, then the API or the control pages.

The door notes the call, plays its fault, checks credentials and the rate limit, in this order.
"""

import binascii
from base64 import b64decode
from dataclasses import dataclass
from typing import Any

from flask import Flask, Request, Response, current_app, g, request
from werkzeug.exceptions import HTTPException

from . import limits, replies
from .api import api
from .books import Books, Call
from .control import control
from .faults import Fault
from .setup import Setup, Token

# Where the server looks for what to do with the connection instead of, or before, sending the answer.
WIRE = "network.wire"
_VERSIONS = ("11", "12", "13", "14")
_CATEGORY = {
    "Conversions": "Conversions",
    "Actions": "Actions",
    "ActionUpdates": "Actions",
    "APISubmissions": "Submissions",
    "Campaigns": "Programs",
    "Contracts": "Contracts",
    "PromoCodes": "Promo Codes",
    "CompanyInformation": "Account",
}
_HTML = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1><hr>gateway</body></html>"
_MESSAGES = {
    400: "The request could not be read.",
    401: "The credentials are not valid.",
    402: "The parameters are valid, but the request failed.",
    403: "This token may not do that.",
    429: "Too many requests.",
}


@dataclass(frozen=True, slots=True)
class Wire:
    """What happens to the connection: wait `seconds`, then send, cut the answer off, close, or reset."""

    ending: str
    seconds: float = 0


def create_network(books: Books) -> Flask:
    """Build the application over these books; faults of the connection need the server in `server`."""
    app = Flask(__name__, static_folder=None)
    app.extensions["books"] = books
    app.config["MAX_CONTENT_LENGTH"] = 16 * 1024 * 1024
    app.register_blueprint(api, url_prefix="/Advertisers/<sid>")
    app.register_blueprint(
        api, url_prefix="/Agencies/<agency>/Advertisers/<sid>", name="network_api_of_agency"
    )
    app.register_blueprint(control, url_prefix="/_simulator")
    app.url_value_preprocessor(_drop_agency)
    app.before_request(_door)
    app.after_request(_leave)
    app.register_error_handler(HTTPException, _say_error)
    app.wsgi_app = _JsonSuffix(app.wsgi_app)  # type: ignore[method-assign]
    return app


class _JsonSuffix:
    """Takes `.json` off API paths before they are routed, and remembers that JSON was asked for."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        # A SKU may end in .json itself.
        if path.endswith(".json") and _is_api(path) and "/Items/" not in path:
            environ["PATH_INFO"] = path.removesuffix(".json")
            environ["network.json_suffix"] = True
        return self._app(environ, start_response)


def _is_api(path: str) -> bool:
    return path.startswith(("/Advertisers/", "/Agencies/"))


def _drop_agency(_endpoint: str | None, arguments: dict[str, Any] | None) -> None:
    if arguments:
        arguments.pop("agency", None)


def _books() -> Books:
    books: Books = current_app.extensions["books"]
    return books


# In


def _door() -> Response | None:
    """Let a call in, or answer it here."""
    if not _is_api(request.path):
        return None
    books = _books()
    g.agency_sid, g.account_sid, g.resource = _addressed(request.path)
    g.fault = books.faults.draw(request.method, request.path)
    if g.fault is not None and not g.fault.after_booking:
        return _answer_with(g.fault, books)
    return _check_credentials(books) or _check_version() or _check_limit(books)


def _addressed(path: str) -> tuple[str, str, str]:
    """Tell agency, account and resource of an API path, each empty if it is not there."""
    segments = path.strip("/").split("/")
    agency = segments[1] if segments[0] == "Agencies" else ""
    _, sid, resource, _, part, *_ = [*(segments[2:] if agency else segments), *[""] * 5]
    # Contracts lie below their program and are a scope of their own.
    return agency, sid, part if (resource, part) == ("Campaigns", "Contracts") else resource


def _check_credentials(books: Books) -> Response | None:
    token = _token(books.setup, g.agency_sid, g.account_sid, _given(request))
    if token is None:
        refusal = replies.error(request, 401, "The account SID or the auth token is wrong or missing.")
        refusal.headers["WWW-Authenticate"] = 'Basic realm="impact.com"'
        return refusal
    account = books.setup.account(g.account_sid)
    category = _CATEGORY.get(g.resource)
    if account is None or account.disabled or token.disabled:
        return replies.error(request, 403, "The account or its token is disabled.")
    if category is not None and not token.allows(category, request.method):
        return replies.error(request, 403, f"The token has no access to {category} with {request.method}.")
    return None


def _given(sent: Request) -> tuple[str, str]:
    scheme, _, encoded = sent.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password


def _token(setup: Setup, agency_sid: str, sid: str, given: tuple[str, str]) -> Token | None:
    user, password = given
    if agency_sid:
        for agency in setup.agencies:
            if (agency.sid, agency.sid, agency.token) == (agency_sid, user, password):
                managed = not agency.accounts or sid in agency.accounts
                return Token(password, disabled=not managed)
        return None
    account = setup.account(sid)
    if account is None or user != sid:
        return None
    return next((token for token in account.tokens if token.value == password), None)


def _check_version() -> Response | None:
    version = _version(request)
    if version not in ("", *_VERSIONS):
        return replies.error(request, 400, f"There is no version {version}. Known: {', '.join(_VERSIONS)}.")
    return None


def _version(sent: Request) -> str:
    return sent.args.get("IrVersion", "") or sent.headers.get("IR-Version", "")


def _check_limit(books: Books) -> Response | None:
    standing = books.take_from_limit(g.account_sid)
    if standing is None:
        return None
    g.rate_headers = limits.headers(standing, books.setup, books.clock())
    return replies.error(request, 429, _MESSAGES[429]) if standing.exceeded else None


# Out


def _answer_with(fault: Fault, books: Books) -> Response:
    """Make the answer of a fault and tell the server what to do with the connection."""
    if fault.manner in ("timeout", "reset"):
        request.environ[WIRE] = Wire("close" if fault.manner == "timeout" else "reset", fault.seconds)
        return Response(_HTML.format("No answer"), 504, content_type="text/html")
    if fault.body == "html":
        title = "Please wait" if fault.status == 200 else f"{fault.status} Bad Gateway"
        return Response(_HTML.format(title), fault.status, content_type="text/html")
    if fault.body == "empty":
        return Response("", fault.status)
    answer = replies.error(request, fault.status, _MESSAGES.get(fault.status, "The network has a fault."))
    if fault.rate_family:
        answer.headers.update(
            limits.rate_headers(
                fault.rate_family, fault.rate_reset, 1000, 0, int(fault.seconds), books.clock(), exceeded=True
            )
        )
    return answer


def _leave(answer: Response) -> Response:
    if not _is_api(request.path):
        return answer
    books = _books()
    answer.headers.update(g.get("rate_headers", {}))
    fault: Fault | None = g.get("fault")
    if fault is not None and fault.after_booking:
        answer = _spoil(answer, fault, books)
    unanswered = fault is not None and fault.manner in ("timeout", "reset", "cut_off")
    books.note_call(
        Call(
            at=books.clock(),
            method=request.method,
            path=request.path,
            account_sid=g.account_sid,
            status=None if unanswered else answer.status_code,
            fault=fault.name if fault else "",
            version=_version(request),
            batch_id=request.environ.get("network.batch_id", ""),
            refusal="" if fault else request.environ.get("network.refusal", ""),
        )
    )
    return answer


def _spoil(answer: Response, fault: Fault, books: Books) -> Response:
    if fault.manner in ("slow", "cut_off"):
        request.environ[WIRE] = Wire("send" if fault.manner == "slow" else "cut_off", fault.seconds)
        return answer
    return _answer_with(fault, books)


def _say_error(error: HTTPException) -> Response:
    status = error.code or 500
    if not _is_api(request.path):
        return Response(f"{status} {error.name}\n", status, content_type="text/plain;charset=utf-8")
    message = {
        404: f"There is no resource at {request.path}.",
        405: f"{request.method} is not possible here.",
        413: "The body is too large.",
    }.get(status, error.name)
    return replies.error(request, status, message)
