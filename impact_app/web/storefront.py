"""Where storefronts tell of a click: read, bound, keep, answer 204. No cookies, and nothing is told back."""

from __future__ import annotations

import structlog
from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from impact_app.pipeline.beacons import Beacon, NotTaken, Outcome, read_beacon, sender, told
from impact_app.pipeline.receive import NotKept
from impact_app.web.access import services
from impact_app.web.bodies import raw_body

log = structlog.get_logger()

storefront = Blueprint("storefront", __name__)

#: A beacon of every field at its longest is half of this.
BODY_LIMIT = 4096

_TYPES = {"text/plain", "application/json"}


@storefront.post("/storefront/clicks", provide_automatic_options=False)
def clicks() -> Response:
    """Keep one click. 204 as well for a store that is not connected here: who asks learns nothing by it."""
    gate = services().gate
    try:
        beacon = read_beacon(_body())
    except RequestEntityTooLarge:
        return _said(413, "too_large", f"A beacon has at most {BODY_LIMIT} bytes.")
    except NotTaken as fault:
        return _said(400, "unreadable", str(fault))
    address = sender(request.remote_addr or "", request.headers.get("X-Forwarded-For", ""))
    return _kept(beacon) if gate.admits_from(address) else _too_many()


def _kept(beacon: Beacon) -> Response:
    line, origin = services(), request.headers.get("Origin", "")
    store = line.stores.connected_at(beacon.shop)
    if store is None:
        line.gate.note("unknown_store")
        return Response(status=204)
    if not line.origins.is_of(origin, store):
        return _said(403, "foreign_origin", "This page is on none of the shop's domains.")
    if not line.gate.admits_for(store):
        return _too_many()
    try:
        line.beacons.keep(told(beacon, store, line.clock()))
    except NotKept as fault:
        answer = _said(503, "failed", f"{fault} Send it again.")
        answer.headers["Retry-After"] = "5"
    else:
        line.gate.note("accepted")
        answer = Response(status=204)
    return _opened(answer, origin) if line.origins.is_named(origin, store) else answer


@storefront.route("/storefront/clicks", methods=["OPTIONS"], provide_automatic_options=False)
def preflight() -> Response:
    """Say whether a page of this origin may send JSON; a beacon as plain text is not asked for first."""
    answer, origin = Response(status=204), request.headers.get("Origin", "")
    if not services().origins.is_anybodys(origin):
        answer.headers["Vary"] = "Origin"
        return answer
    answer.headers["Access-Control-Allow-Methods"] = "POST"
    answer.headers["Access-Control-Allow-Headers"] = "Content-Type"
    answer.headers["Access-Control-Max-Age"] = "86400"
    return _opened(answer, origin)


def _too_many() -> Response:
    answer = _said(429, "too_many", "Too many beacons. Try again in a minute.")
    answer.headers["Retry-After"] = "60"
    return answer


def _body() -> bytes:
    """The raw body. Raises `NotTaken`, `RequestEntityTooLarge`."""
    if request.mimetype not in _TYPES:
        raise NotTaken(f"The content type is one of {', '.join(sorted(_TYPES))}.")
    return raw_body(BODY_LIMIT)


def _opened(answer: Response, origin: str) -> Response:
    """Let a page of this origin read the answer; never with credentials."""
    answer.headers["Access-Control-Allow-Origin"] = origin
    answer.headers["Vary"] = "Origin"
    return answer


def _said(status: int, outcome: Outcome, sentence: str) -> Response:
    services().gate.note(outcome)
    return Response(f"{sentence}\n", status=status, mimetype="text/plain")
