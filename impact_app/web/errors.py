"""Faults as a reader meets them: one sentence on a page, or in JSON for whoever is not a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import structlog
from flask import Flask, Response, g, jsonify, render_template, request
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, ServiceUnavailable, Unauthorized, default_exceptions
from werkzeug.wrappers import Response as BaseResponse

from impact_app.web.words import translated

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

log = structlog.get_logger()

SENTENCES = {
    400: "The request could not be understood. Go back, open the page again and repeat it.",
    401: "You are not signed in.",
    403: "This is not allowed.",
    404: "There is nothing at this address.",
    405: "This address does not take that kind of request.",
    413: "More was sent than this address takes.",
    429: "Too many tries. Wait a little and try again.",
    500: "The app met a fault of its own. It is in the log; nothing of your data was shown. Try again.",
    503: "A part this app needs cannot be reached at the moment. Try again in a minute.",
}

TITLES = {
    400: "Not understood",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Not possible",
    413: "Too large",
    429: "Too many tries",
    500: "A fault in the app",
    503: "Not available just now",
}


class AskAgain(Unauthorized):
    """Tells App Bridge to fetch a fresh session token and to repeat the request."""

    description = "The session token is missing or has run out."

    def get_headers(
        self, environ: WSGIEnvironment | None = None, scope: dict[str, Any] | None = None
    ) -> list[tuple[str, str]]:
        again = ("X-Shopify-Retry-Invalid-Session-Request", "1")
        return [*super().get_headers(environ, scope), again]


def register_errors(app: Flask) -> None:
    """Give every fault of `app` its page."""
    app.register_error_handler(HTTPException, show)
    for fault in (OperationalError, InterfaceError, PoolTimeout):
        app.register_error_handler(fault, database_gone)


def show(error: HTTPException) -> BaseResponse:
    """The page of one fault; an answer that somebody made on purpose stays as it is."""
    answer = error.get_response(request.environ)
    if error.response is not None:
        return answer
    code = error.code or 500
    sentence = _sentence(error, code)
    page = _page(code, sentence) if wants_page() else jsonify(error=sentence)
    answer.set_data(page.get_data())
    answer.content_type = page.content_type
    return answer


def database_gone(error: Exception) -> BaseResponse:
    """Nothing can be told without the database; whoever asked may come again."""
    log.error("request.database_failed", path=request.path, fault=type(error).__name__)
    return show(
        ServiceUnavailable("The database cannot be reached at the moment. Try again.", retry_after=30)
    )


def sentence_of(status: int, sentence: str) -> HTTPException:
    """A fault with a sentence of its own."""
    return default_exceptions[status](sentence)


def wants_page() -> bool:
    """Whether who asks reads pages; a program that names no preference gets JSON."""
    best = request.accept_mimetypes.best_match(["application/json", "text/html"])
    return best == "text/html"


def _sentence(error: HTTPException, code: int) -> str:
    is_own = isinstance(error, AskAgain) or error.description != type(error).description
    own = error.description if is_own else None
    return own or SENTENCES.get(code, "The request could not be carried out.")


def _page(code: int, sentence: str) -> Response:
    title = TITLES.get(code, "Not possible")
    page = render_template(
        "error.html",
        title=translated(title),
        sentence=translated(sentence),
        code=code,
        first_page=_first_page(),
    )
    return Response(page)


def _first_page() -> str:
    """Where to go from here, behind the same door; "" inside a platform's frame while no store is known."""
    if request.path.startswith("/saleor/"):
        return str(g.get("first_page", ""))
    if not request.path.startswith("/shopify/"):
        return "/"
    shop = g.get("frame_shop")
    return f"/shopify/?{urlencode({'shop': shop})}" if shop else ""
