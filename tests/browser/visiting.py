"""A visitor of the pretend storefront in a real browser, and a server that receives what the shop posts."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from playwright.sync_api import BrowserContext, Page, Request

from impact_app.simulator.storefront import RunningStorefront

CONSENT_READY = """() => new Promise((done) => Shopify.loadFeatures(
    [{ name: 'consent-tracking-api', version: '0.1' }], done)).then(() => fetch('/cart.js'))"""


@dataclass
class Kept:
    """Everything a click may leave behind; None or {} where there is nothing."""

    cookie: str | None
    local: str | None
    session: str | None
    cart: dict[str, str]

    @property
    def nowhere(self) -> bool:
        return (self.cookie, self.local, self.session, self.cart) == (None, None, None, {})


class Visitor:
    """One tab. `errors` and `requests` fill up by themselves."""

    def __init__(self, page: Page, storefront: RunningStorefront) -> None:
        self.page = page
        self.storefront = storefront
        self.errors: list[str] = []
        self.requests: list[Request] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._note)

    def _note(self, request: Request) -> None:
        self.requests.append(request)

    @property
    def context(self) -> BrowserContext:
        return self.page.context

    def land(self, query: str = "", page: str = "/") -> None:
        """Open a page by its path and query, and wait until every script has asked for consent."""
        self.page.goto(self.storefront.url + page + query)
        self.page.evaluate(CONSENT_READY)

    def accept(self) -> None:
        """Press Accept, and wait until the script knows that the cart has the click."""
        self.page.get_by_role("button", name="Accept").click()
        self.until_told()

    def until_told(self, value: str = "") -> None:
        """Wait until the script has noted that it told the cart a click (this one, when given)."""
        told = "(value) => (sessionStorage.getItem('impact_click_told') || '').endsWith(' ' + value)"
        anything = "() => (sessionStorage.getItem('impact_click_told') || '').includes(' ')"
        self.page.wait_for_function(told if value else anything, arg=value)

    def until_removed(self) -> None:
        """Wait until the script has noted that the cart carries nothing of ours any more."""
        self.page.wait_for_function("() => sessionStorage.getItem('impact_click_told') === null")

    def decline(self) -> None:
        self.page.get_by_role("button", name="Decline").click()
        self.page.evaluate("() => fetch('/cart.js')")

    def withdraw(self) -> None:
        """Reopen the banner from the footer and decline."""
        self.page.get_by_role("button", name="Cookie preferences").click()
        self.decline()

    def new_tab(self) -> Visitor:
        return Visitor(self.context.new_page(), self.storefront)

    def kept(self) -> Kept:
        cookies = {cookie["name"]: cookie["value"] for cookie in self.context.cookies()}
        cart = self.storefront.sales.carts.get(cookies.get("cart", ""))
        return Kept(
            cookie=unquote(cookies["impact_click"]) if "impact_click" in cookies else None,
            local=self.page.evaluate("() => localStorage.getItem('impact_click')"),
            session=self.page.evaluate("() => sessionStorage.getItem('impact_click_told')"),
            cart=dict(cart.attributes) if cart else {},
        )

    def written(self) -> list[dict[str, str]]:
        """The attributes of every cart/update.js call so far, in order."""
        calls = [request for request in self.requests if request.url.endswith("/cart/update.js")]
        return [json.loads(request.post_data or "")["attributes"] for request in calls]

    def other_hosts(self) -> set[str]:
        """Hosts that are neither the shop's nor the app's, which the pixel alone may call."""
        settings = self.storefront.shop.pixel_settings or {}
        ours = {*self.storefront.shop.domains, urlsplit(settings.get("app_url", "")).netloc, ""}
        return {urlsplit(request.url).netloc for request in self.requests} - ours

    def buy(self, handle: str = "stoneware-mug") -> dict[str, Any]:
        """Put one product into the cart, check out and pay; the order's body."""
        self.land(page=f"/products/{handle}")
        self.page.get_by_role("button", name="Add to cart").click()
        self.page.get_by_role("button", name="Check out").click()
        return self.pay()

    def pay(self) -> dict[str, Any]:
        """Pay on the checkout page that is open; the order's body."""
        self.page.get_by_role("button", name="Pay").click()
        self.page.get_by_role("heading", name="Thank you").wait_for()
        return list(self.storefront.sales.made.values())[-1].body


@dataclass
class Receiver:
    """A server that answers 200 and keeps what it was sent, headers in lower case: webhooks and beacons."""

    url: str
    app_url: str
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    told: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def beacon(self, event: str) -> dict[str, Any]:
        """The first beacon of this event, once it has come; fails after a minute without."""
        ends = time.monotonic() + 60
        while True:
            told: list[dict[str, Any]] = [json.loads(body) for _, body in self.told]
            found = next((beacon for beacon in told if beacon["event"] == event), None)
            if found is not None:
                return found
            assert time.monotonic() < ends, f"no beacon of {event} came, but {told}"
            time.sleep(0.01)


@contextmanager
def receiving() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            kept = receiver.told if self.path == "/storefront/clicks" else receiver.received
            kept.append((headers, body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        app = f"http://127.0.0.1:{server.server_port}"
        receiver = Receiver(f"{app}/shopify/webhooks", app)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield receiver
        finally:
            server.shutdown()
