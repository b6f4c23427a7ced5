"""Headers that go with every answer."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Flask, Response, g, request

#: App Bridge must come from Shopify's own host; it is loaded inside Shopify's admin only.
_APP_BRIDGE = "https://cdn.shopify.com"

_OWN = ("default-src 'none'", "style-src 'self'", "img-src 'self'", "base-uri 'none'", "form-action 'self'")
_NOBODY = "'none'"


def register_headers(app: Flask) -> None:
    app.after_request(protect)


def protect(answer: Response) -> Response:
    """Set what is not set yet; a page may be framed by the shop that was proved, and by nobody else."""
    headers = answer.headers
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "no-referrer")
    dashboards = g.get("frame_dashboards", ())
    rules = dashboard_policy(dashboards) if dashboards else policy(g.get("frame_shop"), "frame_admin" in g)
    headers.setdefault("Content-Security-Policy", rules)
    if request.endpoint != "static":
        headers.setdefault("Cache-Control", "no-store")
    return answer


def policy(shop: str | None, in_admin: bool) -> str:
    """No inline script, nothing from elsewhere; inside the admin, App Bridge and the admin's frame.

    Source: shopify.dev, "Set up iframe protection", seen 2026-11.
    """
    frames = [f"https://{shop}", "https://admin.shopify.com"] if shop else ["https://admin.shopify.com"]
    rules = [*_OWN, f"frame-ancestors {' '.join(frames) if shop or in_admin else _NOBODY}"]
    if shop or in_admin:
        asks = " ".join(["'self'", "https://*.shopify.com", *frames])
        rules += [f"script-src 'self' {_APP_BRIDGE}", f"connect-src {asks}"]
    return "; ".join(rules)


def dashboard_policy(origins: Sequence[str]) -> str:
    """No inline script, nothing from elsewhere, framed by the dashboards of the one Saleor alone."""
    return "; ".join([*_OWN, "script-src 'self'", f"frame-ancestors {' '.join(origins)}"])
