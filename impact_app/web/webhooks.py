"""Where platforms deliver: check the signature on the raw bytes, keep the delivery, answer. Nothing else."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import structlog
from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import RequestEntityTooLarge

from impact_app.ledger.inbox import Delivery
from impact_app.pipeline.receive import NotKept
from impact_app.stores.shopify.shop import shop_domain
from impact_app.stores.shopify.signature import BadSignature, verify
from impact_app.web.bodies import BODY_LIMIT, header, raw_body, said
from impact_app.wiring import Services

log = structlog.get_logger()

webhooks = Blueprint("webhooks", __name__)


@webhooks.post("/shopify/webhooks")
def shopify() -> Response:
    """Keep one Shopify delivery. 200 once it is on disk; 503 asks Shopify to send it again."""
    line: Services = current_app.extensions["impact"]
    if line.config.shopify is None:
        return said(404, "Shopify is switched off here: SHOPIFY_API_KEY and SHOPIFY_API_SECRET are not set.")
    try:
        body = raw_body()
    except RequestEntityTooLarge:
        return said(413, f"The body is larger than {BODY_LIMIT} bytes.")
    try:
        verify(body, request.headers.get("X-Shopify-Hmac-Sha256"), line.config.shopify.secrets)
    except BadSignature as fault:
        log.warning("delivery.refused", fault=str(fault))
        if named := shop_domain(request.headers.get("X-Shopify-Shop-Domain")):
            line.refusals.note("shopify", named)
        return said(401, f"The signature does not hold: {fault}.")
    shop, topic = shop_domain(request.headers.get("X-Shopify-Shop-Domain")), _header("Topic", 64)
    if shop is None or topic is None:
        return said(400, "X-Shopify-Shop-Domain or X-Shopify-Topic is missing or malformed.")
    delivery = Delivery(
        platform="shopify",
        domain=shop,
        topic=topic,
        delivery_key=_header("Webhook-Id", 128) or hashlib.sha256(body).hexdigest(),
        event_id=_header("Event-Id", 128),
        api_version=_header("API-Version", 16),
        triggered_at=_moment(_header("Triggered-At", 64)),
        received_at=line.clock(),
        body=body,
    )
    try:
        line.receiver.keep(delivery)
    except NotKept as fault:
        return said(503, f"{fault} Send it again.")
    return said(200, "Kept.")


def _header(name: str, most: int) -> str | None:
    return header(f"X-Shopify-{name}", most)


def _moment(text: str | None) -> datetime | None:
    """A moment in UTC; None where there is none, or none that the calendar holds."""
    try:
        moment = datetime.fromisoformat(text or "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
