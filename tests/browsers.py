"""One headless Chromium for a whole run of tests, whichever folder they stand in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

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
