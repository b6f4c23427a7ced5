"""What the storefront script costs a page: its time on a slowed processor while the page loads."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from impact_app.simulator.storefront import running_storefront
from tests.browsers import LAUNCH_ARGS

SCRIPT = "click-capture.js"
SLOW_DOWN = 4

#: The trace's names for compiling and running the code of a file.
_RUNS = {"EvaluateScript", "v8.compile", "FunctionCall"}


def script_cost() -> float:
    """`scripting` of ten visits to a shop and browser of their own; NaN where there is no Chromium."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        return float("nan")
    with sync_playwright() as playwright, running_storefront(consent_required=False) as shop:
        browser = playwright.chromium.launch(executable_path=chromium, args=LAUNCH_ARGS)
        try:
            return scripting(browser, shop.url, loads=10)
        finally:
            browser.close()


def scripting(browser: Browser, url: str, loads: int) -> float:
    """Milliseconds in the script on a first visit to `url`, at a quarter of the processor's speed.

    The least of several visits, since whatever else the machine does can only add. Each is a new visitor
    with a click in a shop that needs no consent, so that the script does all it can do: it reads, stores and
    writes the cart.
    """
    return min(_first_visit(browser, f"{url}/?im_ref=visit-{number}") for number in range(loads))


def _first_visit(browser: Browser, url: str) -> float:
    context = browser.new_context()
    try:
        page = context.new_page()
        context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOW_DOWN})
        return _traced(browser, page, url)
    finally:
        context.close()


def _traced(browser: Browser, page: Page, url: str) -> float:
    browser.start_tracing(page=page, categories=["devtools.timeline"])
    page.goto(url)
    page.wait_for_function("() => (sessionStorage.getItem('impact_click_told') || '').includes(' ')")
    events = json.loads(browser.stop_tracing())["traceEvents"]
    stretches = sorted(_of_the_script(events))
    assert stretches, "the trace does not show the script"
    return sum(_outermost(stretches)) / 1000


def _of_the_script(events: Iterable[dict[str, Any]]) -> Iterator[tuple[float, float]]:
    """Start and end of each stretch in the script, in microseconds of the thread's own time."""
    for event in events:
        if event["name"] in _RUNS and "tdur" in event and SCRIPT in json.dumps(event.get("args", {})):
            yield event["tts"], event["tts"] + event["tdur"]


def _outermost(stretches: Iterable[tuple[float, float]]) -> Iterator[float]:
    """Lengths without counting one stretch inside another twice."""
    until = float("-inf")
    for start, end in stretches:
        if end > until:
            yield end - max(start, until)
            until = end
