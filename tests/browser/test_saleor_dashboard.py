"""The app in a Saleor's dashboard, in a real browser: handshake, pages, and who is listened to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page, expect

from impact_app.simulator.saleor.dashboard import USER_ID, user_token
from impact_app.simulator.saleor.orders import OrderSpec, order
from tests.saleor_app import Running, installed_app


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with installed_app(tmp_path) as found:
        found.configure()
        yield found


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(locale="en")
    opened.set_default_timeout(60_000)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page on which nothing may go wrong unnoticed."""
    found = context.new_page()
    faults: list[str] = []
    found.on("pageerror", lambda error: faults.append(str(error)))
    # An answer other than 200 is told as an error too, though a refused form is none.
    resource = "Failed to load resource"
    found.on(
        "console",
        lambda said: faults.append(said.text) if said.type == "error" and resource not in said.text else None,
    )
    yield found
    assert faults == []


def frame_of(page: Page) -> FrameLocator:
    return page.frame_locator("iframe[name=app]")


def test_the_pages_open_and_work_inside_the_dashboard(page: Page, running: Running) -> None:
    page.goto(f"{running.shop.url}/dashboard/")
    frame = frame_of(page)
    expect(frame.locator(".store")).to_have_text(running.shop.domain)
    frame.get_by_role("link", name="Settings", exact=True).click()
    expect(frame.get_by_role("heading", level=1)).to_have_text("Settings")
    frame.get_by_label("Account SID").fill("?")
    frame.get_by_role("button", name="Save and try the credentials").click()
    expect(frame.get_by_text("Copy the account SID from impact.com")).to_be_visible()
    assert page.context.cookies(running.url) == []


def test_the_pages_speak_the_language_of_the_dashboards_user(page: Page, running: Running) -> None:
    page.goto(f"{running.shop.url}/dashboard/?locale=de")
    frame = frame_of(page)
    frame.get_by_role("link", name="Einstellungen").click()
    expect(frame.get_by_role("heading", level=1)).to_have_text("Einstellungen")
    frame.get_by_label("Account-SID").fill("?")
    frame.get_by_role("button", name="Speichern und Zugangsdaten prüfen").click()
    expect(frame.get_by_text("Kopieren Sie die Account-SID von impact.com")).to_be_visible()


def test_an_order_opens_from_the_dashboards_page_of_it(page: Page, running: Running) -> None:
    made = running.shop.keep(order(OrderSpec(created=datetime.now(UTC), number="41")))
    assert running.shop.deliver("order_fully_paid", made).status_code == 200
    until = running.services.clock() + timedelta(minutes=1)
    assert running.services.processor.drain(until) == 1

    for extension in running.shop.manifest["extensions"]:
        page.goto(f"{running.shop.url}/dashboard/?open={extension['url']}&orderId={made['id']}")
        frame = frame_of(page)
        if extension["target"] == "WIDGET":
            expect(frame.locator(".badge")).to_have_text("Waiting")
            frame.get_by_role("link", name="All about this order").click()
        expect(frame.get_by_role("heading", level=1)).to_have_text("Order 41")
    frame.get_by_role("link", name="Ignore").click()
    frame.get_by_role("button", name="Do not report it").click()
    expect(frame.get_by_role("heading", level=1)).to_have_text("Order 41")
    [act] = running.services.acts.of_order(running.store.id, str(made["id"]))
    assert act.by == f"Saleor user {USER_ID}"


def test_nobody_but_the_dashboard_is_listened_to(page: Page, running: Running) -> None:
    address = f"{running.url}/saleor/session-token?saleorApiUrl={running.shop.api_url}"
    page.goto(address)
    said = {"type": "handshake", "payload": {"token": user_token(running.shop)}}
    # At the top of a window the page is its own parent, yet of another origin than the dashboard.
    page.evaluate("said => window.postMessage(said, '*')", said)
    page.evaluate("() => new Promise((done) => { onmessage = done; postMessage('after', '*'); })")
    assert page.url == address
    expect(page.get_by_text("Asking Saleor who you are.")).to_be_visible()
