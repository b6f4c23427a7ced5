"""The settings page inside Shopify's admin asks App Bridge whether the app embed is on."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Route, expect

from impact_app.simulator.shopify.oauth import id_token, launch_query
from tests.browser.test_admin_pages import ADMIN, APP_BRIDGE, Admin, admin, open_context

__all__ = ["admin", "open_context"]

EXTENSIONS = "window.shopify = {app: {extensions: async () => { %s }}};"


def _listed(status: str) -> str:
    block = {"handle": "click_capture", "name": "x", "target": "body", "status": status, "activations": []}
    theme = {"handle": "click-capture", "type": "theme_app_extension", "activations": [block]}
    pixel = {"handle": "click-pixel", "type": "ui_extension", "activations": [{"target": "x"}]}
    return f"return {json.dumps([pixel, theme])}"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (_listed("active"), "The script runs in your published theme."),
        (_listed("available"), "Switch the script on in your theme, and save."),
        (_listed("unavailable"), "Your published theme does not offer the script."),
        ("return []", "Your published theme does not offer the script."),
        ("throw new Error('no')", "Only Shopify's admin tells whether the script is on."),
    ],
)
def test_the_page_says_what_app_bridge_tells(
    admin: Admin,
    open_context: Callable[..., BrowserContext],
    answer: str,
    says: str,
) -> None:
    context = open_context()
    # Chromium asks before a page of the web opens one of this machine.
    context.grant_permissions(["local-network-access"])
    src = f"{admin.url}/shopify/settings?{launch_query(admin.pretend)}".replace("&", "&amp;")

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
    place = page.frame_locator("iframe").locator("#embed-status")
    expect(place.locator("p:visible")).to_have_count(1)
    expect(place.locator("p:visible")).to_contain_text(says)
