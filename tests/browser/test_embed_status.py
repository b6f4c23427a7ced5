"""Pages inside Shopify's admin ask App Bridge whether the app embed is on, and the app keeps the answer."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, FrameLocator, Route, expect

from impact_app.simulator.shopify.oauth import id_token, launch_query
from tests.browser.test_admin_pages import ADMIN, APP_BRIDGE, Admin, admin, open_context

__all__ = ["admin", "open_context"]

EXTENSIONS = "window.shopify = {app: {extensions: async () => { %s }}};"


def _listed(status: str) -> str:
    block = {"handle": "click_capture", "name": "x", "target": "body", "status": status, "activations": []}
    theme = {"handle": "click-capture", "type": "theme_app_extension", "activations": [block]}
    pixel = {"handle": "click-pixel", "type": "ui_extension", "activations": [{"target": "x"}]}
    return f"return {json.dumps([pixel, theme])}"


def framed(admin: Admin, context: BrowserContext, page_name: str, answer: str) -> FrameLocator:
    """A page of the app in Shopify's admin, whose App Bridge gives this answer."""
    # Chromium asks before a page of the web opens one of this machine.
    context.grant_permissions(["local-network-access"])
    src = f"{admin.url}/shopify/{page_name}?{launch_query(admin.pretend)}".replace("&", "&amp;")

    def bridge(route: Route) -> None:
        token = id_token(admin.pretend)
        body = EXTENSIONS % answer + APP_BRIDGE.replace("{token}", token)
        route.fulfill(content_type="text/javascript", body=body)

    page = context.new_page()
    context.route(
        "https://admin.shopify.com/**",
        lambda route: route.fulfill(content_type="text/html", body=ADMIN.replace("{src}", src)),
    )
    context.route("https://cdn.shopify.com/**", bridge)
    page.goto("https://admin.shopify.com/apps/impact")
    return page.frame_locator("iframe")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (_listed("active"), "The script runs in your published theme."),
        (_listed("available"), "Switch the script on in your theme, and save."),
        (_listed("unavailable"), "Your published theme does not offer the script."),
        ("return []", "Your published theme does not offer the script."),
        ("throw new Error('no')", "Nobody has told yet whether the script is on."),
    ],
)
def test_the_page_says_what_app_bridge_tells(
    admin: Admin,
    open_context: Callable[..., BrowserContext],
    answer: str,
    says: str,
) -> None:
    place = framed(admin, open_context(), "settings", answer).locator("#embed-status")
    expect(place.locator("p:visible")).to_have_count(1)
    expect(place.locator("p:visible")).to_contain_text(says)


@pytest.mark.parametrize(
    ("status", "says", "is_on"),
    [
        ("active", "The app embed is on in your published theme.", True),
        ("available", "The app embed is off in your published theme", False),
    ],
)
def test_the_setup_keeps_what_app_bridge_tells(
    admin: Admin, open_context: Callable[..., BrowserContext], status: str, says: str, is_on: bool
) -> None:
    frame = framed(admin, open_context(), "setup", _listed(status))
    expect(frame.locator("#storefront")).to_contain_text(says)
    kept = admin.services.stores.get(admin.store.id)
    assert kept is not None
    assert kept.embed.is_on is is_on
