"""The set-up in a real browser: step by step without script, each state readable at every width."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.test_admin_pages import (
    SCHEMES,
    WIDTHS,
    Admin,
    admin,
    check,
    keep_picture,
    open_context,
    sign_in,
)
from tests.web.conftest import SID

__all__ = ["admin", "open_context"]


def save_account(page: Page, token: str) -> None:
    page.get_by_label("Account SID").fill(SID)
    page.get_by_label("Auth token").fill(token)
    page.get_by_role("button", name="Save and try the credentials").click()


def test_a_merchant_without_script_takes_the_steps_one_after_the_other(
    admin: Admin, open_context: Callable[..., BrowserContext]
) -> None:
    page = open_context(java_script_enabled=False).new_page()
    sign_in(page, admin)
    expect(page.get_by_role("heading", name="Setup", exact=True)).to_be_visible()
    # The address of the test's app is no public one; that is for whoever runs it.
    page.locator("#account summary").click()

    save_account(page, "wrong-token")
    expect(page.get_by_role("alert")).to_contain_text("Nothing was saved. impact.com refuses")
    expect(page.get_by_label("Auth token")).to_have_value("")
    assert admin.services.stores.get(admin.store.id) == admin.store

    save_account(page, "pretend-auth-token")
    expect(page.get_by_role("status")).to_contain_text("Saved. impact.com accepts these credentials.")
    page.locator("#program summary").click()
    # The only program is chosen already, and so is the only event type.
    expect(page.get_by_label("Campaign id")).to_have_value("1000")
    page.locator("#program").get_by_role("button", name="Save").click()
    page.locator("#event_type summary").click()
    expect(page.get_by_label("Event type id")).to_have_value("9876")
    page.locator("#event_type").get_by_role("button", name="Save").click()

    expect(page.locator("#window")).to_contain_text("count a click for 30 days")
    kept = admin.services.stores.get(admin.store.id)
    assert kept is not None
    assert kept.is_configured


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_set_up_under_way_fits_and_can_be_read(
    admin: Admin, open_context: Callable[..., BrowserContext], width: int, scheme: str
) -> None:
    services = admin.services
    services.stores.save_settings(
        admin.store.id,
        account_sid=SID,
        auth_token="pretend-read-only-token",
        campaign_id="1000",
        event_type_id="9876",
        now=admin.clock(),
    )
    services.stores.captured(
        admin.store,
        domains=[f"{'long-' * 8}shop.example"],
        pixel_id=None,
        fault="The app may not connect a web pixel.",
        now=admin.clock(),
        next_at=admin.clock(),
    )
    page = open_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
    sign_in(page, admin)
    page.goto(f"{admin.url}/stores/{admin.store.id}/setup")
    check(page)
    keep_picture(page, "setup-under-way", width, scheme)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    check(page)
    keep_picture(page, "setup-under-way-open", width, scheme)
