"""One headless Chromium for the whole run, a new context for each test, storefronts on free ports."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright, sync_playwright

from impact_app.simulator.storefront import RunningStorefront, running_storefront

from .visiting import Receiver, Visitor, receiving

LAUNCH_ARGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

OpenStorefront = Callable[..., RunningStorefront]


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Where Chromium is: what the variable CHROMIUM names, else the first one on the PATH."""
    named = os.environ.get("CHROMIUM")
    found = [shutil.which(name) for name in (named, "chromium", "chromium-browser", "google-chrome") if name]
    path = next((path for path in found if path), None)
    if path is None:
        pytest.fail(
            "The browser tests need Chromium: install the package `chromium` (apt-get install chromium) "
            "or put the path of a Chromium or Chrome into the variable CHROMIUM.",
            pytrace=False,
        )
    return path


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright, chromium_path: str) -> Iterator[Browser]:
    launched = playwright.chromium.launch(executable_path=chromium_path, args=LAUNCH_ARGS)
    yield launched
    launched.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context()
    opened.set_default_timeout(10_000)
    yield opened
    opened.close()


@pytest.fixture
def open_storefront() -> Iterator[OpenStorefront]:
    """Starts storefronts; the arguments are those of `running_storefront`."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(running_storefront(**settings))


@pytest.fixture
def storefront(open_storefront: OpenStorefront) -> RunningStorefront:
    return open_storefront()


@pytest.fixture
def visit(context: BrowserContext) -> Iterator[Callable[[RunningStorefront], Visitor]]:
    """A visitor of a storefront, who at the end must have met no script error and no other host."""
    visitors: list[Visitor] = []

    def begin(shop: RunningStorefront) -> Visitor:
        visitors.append(Visitor(context.new_page(), shop))
        return visitors[-1]

    yield begin
    for visitor in visitors:
        assert visitor.errors == []
        assert visitor.other_hosts() == set()


@pytest.fixture
def visitor(visit: Callable[[RunningStorefront], Visitor], storefront: RunningStorefront) -> Visitor:
    return visit(storefront)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server
