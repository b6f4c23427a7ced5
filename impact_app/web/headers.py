"""Headers that go with every answer."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Flask, Response, g, request

#: App Bridge must come from Shopify's own host; it is loaded inside Shopify's admin only.
_APP_BRIDGE = "https://cdn.shopify.com"

_OWN = ("default-src 'none'", "style-src 'self'", "img-src 'self'", "base-uri 'none'", "form-action 'self'")
_ASKS_US = "connect-src 'self'"
_NOBODY = "'none'"


def register_headers(app: Flask) -> None:
    app.after_request(protect)


def protect(answer: Response) -> Response:
    """Set what is not set yet; a page may be framed by the shop that was proved, and by nobody else."""
    headers = answer.headers
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "no-referrer")
    dashboards, is_live = g.get("frame_dashboards", ()), g.get("is_live", False)
    shop, in_admin = g.get("frame_shop"), "frame_admin" in g
    rules = dashboard_policy(dashboards, is_live) if dashboards else policy(shop, in_admin, is_live)
    headers.setdefault("Content-Security-Policy", rules)
    if request.endpoint != "static":
        headers.setdefault("Cache-Control", "no-store")
    return answer


def policy(shop: str | None, in_admin: bool, is_live: bool = False) -> str:
    """No inline script, nothing from elsewhere; inside the admin, App Bridge and the admin's frame.

    `is_live`: the page has a script of ours that asks this app how things stand.
    Source: shopify.dev, "Set up iframe protection", seen 2026-11.
    """
    frames = [f"https://{shop}", "https://admin.shopify.com"] if shop else ["https://admin.shopify.com"]
    rules = [*_OWN, f"frame-ancestors {' '.join(frames) if shop or in_admin else _NOBODY}"]
    if shop or in_admin:
        asks = " ".join(["'self'", "https://*.shopify.com", *frames])
        rules += [f"script-src 'self' {_APP_BRIDGE}", f"connect-src {asks}"]
    elif is_live:
        rules += ["script-src 'self'", _ASKS_US]
    return "; ".join(rules)


def dashboard_policy(origins: Sequence[str], is_live: bool = False) -> str:
    """No inline script, nothing from elsewhere, framed by the dashboards of the one Saleor alone."""
    asks = [_ASKS_US] if is_live else []
    return "; ".join([*_OWN, "script-src 'self'", *asks, f"frame-ancestors {' '.join(origins)}"])
