"""A new browser context for each test, storefronts on free ports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from impact_app.simulator.storefront import RunningStorefront, running_storefront

from .visiting import Receiver, Visitor, receiving

OpenStorefront = Callable[..., RunningStorefront]

# What is waited for comes at once where it can; a loaded machine may take its time.
expect.set_options(timeout=60_000)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context()
    opened.set_default_timeout(60_000)
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
