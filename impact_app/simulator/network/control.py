"""What the people who run the network see and set, below `/_simulator/`."""

import json
from typing import Any

from flask import Blueprint, Response, abort, current_app, render_template, request

from . import ledger
from .books import Books
from .faults import UnknownFault, told_by_json
from .setup import UnusableSetup, setup_from_json

control = Blueprint("simulator", __name__, template_folder="templates")

_SHOWN = 100
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def _books() -> Books:
    books: Books = current_app.extensions["books"]
    return books


def _json(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body), status, content_type="application/json")


def _sent_json() -> Any:
    # Asking for the content type keeps pages of other sites from posting here through a visitor's browser.
    if request.mimetype != "application/json":
        abort(_json({"error": "Send JSON with the content type application/json."}, 415))
    try:
        return json.loads(request.get_data() or b"{}")
    except ValueError as error:
        abort(_json({"error": f"The body is not JSON: {error}."}, 400))


@control.get("/")
def show_books() -> Response:
    number = max(1, request.args.get("page", 1, type=int))
    page = render_template("books.html", **ledger.page(_books(), number, _SHOWN))
    return Response(page, headers=_PAGE_HEADERS)


@control.get("/books.json")
def books_as_json() -> Response:
    return _json(ledger.everything(_books()))


@control.get("/actions/<path:order_id>.json")
def action_as_json(order_id: str) -> Response:
    """Show the newest action of an order; 404 while there is none."""
    books = _books()
    with books.held():
        found = books.actions_of_order(order_id)
        if not found:
            return _json({"error": f"No action is booked for order {order_id}."}, 404)
        return _json(ledger.action(found[-1], books))


@control.post("/faults")
def set_faults() -> Response:
    books = _books()
    try:
        told_by_json(books.faults, _sent_json())
    except UnknownFault as error:
        return _json({"error": str(error)}, 400)
    return _json({"waiting": books.faults.waiting})


@control.post("/settings")
def change_settings() -> Response:
    books = _books()
    try:
        books.change_setup(setup_from_json(_sent_json(), books.setup))
    except UnusableSetup as error:
        return _json({"error": str(error)}, 400)
    return _json({"changed": True})


@control.post("/reset")
def reset() -> Response:
    _sent_json()
    _books().reset()
    return _json({"reset": True})


@control.post("/lock")
def lock() -> Response:
    """Lock the actions of `order_id`, or all if none is named."""
    document = _sent_json()
    order_id = document.get("order_id") if isinstance(document, dict) else None
    return _json({"locked": _books().lock(order_id)})


@control.post("/process")
def process() -> Response:
    _sent_json()
    return _json({"processed": _books().process()})
