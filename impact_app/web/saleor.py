"""Saleor's doorway: what the app is, who installs it, and the events of those who have."""

from __future__ import annotations

import hashlib
import json
from typing import Any, cast

import structlog
from flask import Blueprint, Response, current_app, jsonify, request
from werkzeug.exceptions import RequestEntityTooLarge

from impact_app.ledger.inbox import Delivery
from impact_app.pipeline.receive import NotKept
from impact_app.pipeline.saleor import PLATFORM, KeysUnavailable
from impact_app.stores.saleor.documents import read_version
from impact_app.stores.saleor.errors import InstallRefused
from impact_app.stores.saleor.install import allowed_api_url, domain_of, is_api_url, proved
from impact_app.stores.saleor.manifest import manifest as manifest_of
from impact_app.stores.saleor.signature import BadSignature
from impact_app.web.bodies import BODY_LIMIT, header, raw_body, said
from impact_app.wiring import Services

log = structlog.get_logger()

saleor = Blueprint("saleor", __name__, url_prefix="/saleor")

#: A registration is a few hundred bytes.
_REGISTRATION_LIMIT = 16 * 1024


@saleor.get("/manifest")
def manifest() -> Response:
    """What the app is, asks for and listens to, in the words of the Saleor that asks."""
    version = read_version(request.headers.get("Saleor-Schema-Version"))
    return jsonify(manifest_of(_line().config.app_url, version))


@saleor.post("/register")
def register() -> tuple[Response, int]:
    """Take the token of a new installation, once the API it is said to be for has answered to it."""
    line = _line()
    try:
        token = _token()
        api_url = allowed_api_url(_named("Api-Url"), _named("Domain"), line.config.saleor)
        line.saleor.connect(proved(line.saleor_api, api_url, token))
    except InstallRefused as refusal:
        log.warning("install.refused", code=refusal.code, reason=str(refusal))
        fault = {"code": refusal.code, "message": str(refusal)}
        return jsonify(success=False, error=fault), refusal.status
    return jsonify(success=True), 200


@saleor.post("/webhooks")
def webhooks() -> Response:
    """Keep one Saleor event. 200 once it is on disk; 503 asks Saleor to send it again."""
    line = _line()
    try:
        body = raw_body()
    except RequestEntityTooLarge:
        return said(413, f"The body is larger than {BODY_LIMIT} bytes.")
    api_url, topic = (_named("Api-Url") or "").strip().lower(), header("Saleor-Event", 64)
    if not is_api_url(api_url) or topic is None:
        return said(400, "Saleor-Api-Url or Saleor-Event is missing or malformed.")
    try:
        line.saleor.verify(domain_of(api_url), body, _named("Signature"))
    except BadSignature as fault:
        log.warning("delivery.refused", fault=str(fault))
        line.refusals.note(PLATFORM, domain_of(api_url))
        return said(401, f"The signature does not hold: {fault}")
    except KeysUnavailable as fault:
        return said(503, f"{fault} Send it again.")
    delivery = Delivery(
        platform=PLATFORM,
        domain=domain_of(api_url),
        topic=topic.lower(),
        # Saleor gives a delivery no id; a repeated one has the same bytes.
        delivery_key=hashlib.sha256(body).hexdigest(),
        received_at=line.clock(),
        body=body,
    )
    try:
        line.receiver.keep(delivery)
    except NotKept as fault:
        return said(503, f"{fault} Send it again.")
    return said(200, "Kept.")


def _line() -> Services:
    return cast(Services, current_app.extensions["impact"])


def _named(name: str) -> str | None:
    """A header of Saleor's, under its name or under the one that ends with Saleor 4."""
    return request.headers.get(f"Saleor-{name}") or request.headers.get(f"X-Saleor-{name}")


def _token() -> str:
    request.max_content_length = _REGISTRATION_LIMIT
    try:
        given: Any = json.loads(request.get_data(cache=False))
    except (ValueError, RecursionError, RequestEntityTooLarge):
        given = None
    token = given.get("auth_token") if isinstance(given, dict) else None
    if (
        not isinstance(token, str)
        or not 0 < len(token) <= 4096
        or not token.isascii()
        or not token.isprintable()
    ):
        raise InstallRefused(400, "INVALID_BODY", "The body is no JSON object with an auth_token.")
    return token
