"""The admin's pages in a real browser: signing in, saving, reading, and the page inside Shopify's frame."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page, Route, expect
from werkzeug.serving import WSGIRequestHandler, make_server

from impact_app import create_app
from impact_app.config import read_config
from impact_app.domain.alerts import Cause
from impact_app.domain.messages import Digest
from impact_app.ledger.alerts import raise_
from impact_app.ledger.stores import Store, Tokens
from impact_app.simulator.network import running_network
from impact_app.simulator.shopify.oauth import id_token, launch_query
from impact_app.simulator.shopify.store import PretendStore
from impact_app.wiring import Services
from tests.web.conftest import PASSWORD, SECRET, SID, FixedClock, add_attempt, add_order, add_step
from tests.web.test_orders_pages import EVIDENCE

WIDTHS = (1280, 390)
SCHEMES = ("light", "dark")

#: The admin around the app, and App Bridge as far as the app relies on it: it reads `shopify-reload` and
#: opens that path with a fresh session token.
ADMIN = (
    '<!doctype html><title>Shopify</title><iframe name="app" src="{src}" width="1000" height="900"></iframe>'
)
APP_BRIDGE = """
const wanted = new URLSearchParams(location.search).get("shopify-reload");
if (wanted) location.replace(wanted + (wanted.includes("?") ? "&" : "?") + "id_token={token}");
"""

CONTRAST = """() => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = node => {
    for (; node; node = node.parentElement) {
      const color = parse(getComputedStyle(node).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || !node.checkVisibility()) continue;
    const a = light(parse(getComputedStyle(node).color)), b = light(ground(node));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push(node.tagName + " " + node.className + " " + ratio.toFixed(2));
  }
  return poor;
}"""

#: axe-core, as `npm ci` brings it; `make test` runs that first.
AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
VIOLATIONS = """async () => (await axe.run()).violations
  .map(one => one.id + ": " + one.nodes.map(node => node.html.slice(0, 120)).join(" | "))"""

#: An item as shops have them: as long as a title may be, and an SKU from right to left.
STRANGE = {"title": "y" * 255, "sku": "\u0642\u0645\u064a\u0635-\u0661", "given_back": "1.00"}

#: Names from right to left would turn round the amounts beside them.
TURNING = """() => [...document.querySelectorAll("code")]
  .filter(one => getComputedStyle(one).unicodeBidi !== "isolate").map(one => one.outerHTML)"""

NAMELESS = """() => [...document.querySelectorAll("input:not([type=hidden]), select, textarea")]
  .filter(box => !box.labels.length).map(box => box.name)"""


class _Quiet(WSGIRequestHandler):
    def log(self, *_: Any) -> None: ...


@dataclass(frozen=True)
class Admin:
    """The app on loopback, with one store and a clock that the test moves."""

    url: str
    services: Services
    store: Store
    pretend: PretendStore
    clock: FixedClock


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[Admin]:
    clock = FixedClock()
    with running_network(clock=clock) as network:
        environ = {
            "INSTANCE_PATH": str(tmp_path),
            "ADMIN_PASSWORD": PASSWORD,
            "IMPACT_API_URL": network.url,
            "REDIS_URL": f"unix://{tmp_path}/nobody.sock",
            "SHOPIFY_API_KEY": "pretend-client-id",
            "SHOPIFY_API_SECRET": SECRET,
        }
        services = Services(read_config(environ), clock)
        pretend = PretendStore(client_secret=SECRET, now=clock)
        store = services.stores.connect("shopify", pretend.domain, Tokens("pasted", "t"), now=clock())
        server = make_server("127.0.0.1", 0, create_app(services), threaded=True, request_handler=_Quiet)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield Admin(f"http://127.0.0.1:{server.port}", services, store, pretend, clock)
        server.shutdown()
        thread.join()
        services.database.close()


@pytest.fixture
def open_context(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    opened: list[BrowserContext] = []

    def make(**options: Any) -> BrowserContext:
        opened.append(browser.new_context(**options))
        opened[-1].set_default_timeout(60_000)
        return opened[-1]

    yield make
    for context in opened:
        context.close()


def sign_in(page: Page, admin: Admin) -> None:
    page.goto(admin.url + "/")
    page.locator("#password").fill(PASSWORD)
    page.get_by_role("button").click()


def fill_account(page: Page | FrameLocator, token: str = "pretend-auth-token") -> None:
    page.get_by_label("Account SID").fill(SID)
    page.get_by_label("Auth token").fill(token)
    page.get_by_label("Campaign id").fill("1000")
    page.get_by_label("Event type id").fill("9876")


def save(page: Page | FrameLocator) -> None:
    page.get_by_role("button", name="Save and try the credentials").click()


def test_a_merchant_without_script_sets_up_and_reads_an_order(
    admin: Admin, open_context: Callable[..., BrowserContext]
) -> None:
    page = open_context(java_script_enabled=False).new_page()
    sign_in(page, admin)
    expect(page.get_by_role("heading", name="Setup", exact=True)).to_be_visible()
    page.get_by_role("link", name="Settings", exact=True).click()

    fill_account(page, "wrong-token")
    save(page)
    expect(page.get_by_role("alert")).to_contain_text("Nothing was saved. impact.com refuses")
    expect(page.get_by_label("Auth token")).to_have_value("")
    assert admin.services.stores.get(admin.store.id) == admin.store

    fill_account(page)
    save(page)
    expect(page.get_by_role("status")).to_contain_text("Saved. impact.com accepts these credentials.")
    page.get_by_role("link", name="Rules", exact=True).click()
    page.get_by_text("Clicks and promo codes").click()
    page.get_by_label("Text field for all promo codes").fill("20")
    page.get_by_role("button", name="Show what would change").click()
    expect(page.get_by_role("heading", name="What these rules would change")).to_be_visible()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Saved.")
    expect(page.get_by_label("Text field for all promo codes")).to_have_value("20")
    kept = admin.services.stores.get(admin.store.id)
    assert kept is not None
    assert kept.is_configured
    assert kept.rules == {"codes_field": "20"}

    add_order(admin.services, admin.store, "900", number="1001", evidence=EVIDENCE)
    add_order(admin.services, admin.store, "901", number="1002", verdict="reported", reason="accepted")
    page.get_by_role("link", name="Orders", exact=True).click()
    expect(page.get_by_role("row")).to_have_count(3)
    page.get_by_label("Verdict").select_option("withheld")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("row")).to_have_count(2)
    page.get_by_role("link", name="1001").click()
    expect(page.get_by_role("heading", name="Order 1001")).to_be_visible()
    verdict = page.get_by_role("region", name="Verdict")
    expect(verdict.get_by_text("The order carries neither a click nor a promo code.")).to_be_visible()

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Admin password")).to_be_visible()
    page.goto(f"{admin.url}/stores/{admin.store.id}/orders")
    expect(page.get_by_label("Admin password")).to_be_visible()


@pytest.mark.parametrize(
    ("width", "scheme", "language"),
    # German words are long: the narrow page is where they would not fit.
    [*((width, scheme, "en") for width in WIDTHS for scheme in SCHEMES), (390, "light", "de")],
)
def test_every_page_fits_is_named_and_can_be_read(
    admin: Admin, open_context: Callable[..., BrowserContext], width: int, scheme: str, language: str
) -> None:
    order_id = add_order(
        admin.services,
        admin.store,
        "900",
        number="1001",
        verdict="attention",
        reason="invalid_field",
        evidence={**EVIDENCE, "items": [*EVIDENCE["items"], {**EVIDENCE["items"][0], **STRANGE}]},
        carrier="cart_attribute",
        click_id="x" * 64,
        net_minor=123456789012,
    )
    step_id = add_step(admin.services, admin.store, order_id, state="rejected")
    add_attempt(admin.services, step_id, answer="x" * 500, detail="y" * 300)
    admin.services.channels.save(admin.store.id, ["ann@shop.test"], "https://a.test/x", Digest.DAILY, None)
    link = f"https://{admin.store.domain}/?im_ref={'x' * 64}"
    trials, now = admin.services.trials, admin.clock()
    assert trials.begin(admin.store.id, 0, "x" * 64, link, "Ann", now, is_own=False)
    with admin.services.database.write() as connection:
        raise_(connection, admin.store.id, Cause.DRIFT, "", "z" * 300, "3 orders", admin.clock())
    admin.services.watcher.announce()
    for n in range(3):
        domain = f"{'long-' * 10}{n}.myshopify.com"
        admin.services.stores.connect("shopify", domain, None, now=admin.clock())

    context = open_context(viewport={"width": width, "height": 900}, color_scheme=scheme, locale=language)
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    strangers: list[str] = []
    page.on(
        "request", lambda sent: strangers.append(sent.url) if not sent.url.startswith(admin.url) else None
    )
    page.goto(admin.url + "/")
    check(page, language)
    sign_in(page, admin)
    store = f"/stores/{admin.store.id}"
    for path in ("/", *(f"{store}/{name}" for name in pages_to_look_at(admin))):
        page.goto(admin.url + path)
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        check(page, language)
        keep_picture(page, path, width, scheme if language == "en" else f"{scheme}-{language}")
    page.goto(f"{admin.url}{store}/rules")
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    page.locator('[id="rule.codes_field"]').fill("0")
    page.locator("form.stack .actions button").first.click()
    expect(page.get_by_role("alert")).to_be_visible()
    check(page, language)
    # The browser reports the 422 of the last form itself.
    assert [fault for fault in faults if "422" not in fault] == []
    assert strangers == []


def check(page: Page, language: str = "en") -> None:
    """The page does not overflow, has one main heading, each box its label, each text enough contrast."""
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(TURNING) == []
    assert page.evaluate(CONTRAST) == []
    assert page.evaluate("document.documentElement.lang") == language
    if AXE.exists():
        page.evaluate(AXE.read_text())
        assert page.evaluate(VIOLATIONS) == [], page.url


def pages_to_look_at(admin: Admin) -> list[str]:
    """Every page of a store that a link opens, from the routes themselves; and a search for nothing."""
    app = create_app(admin.services)
    adapter = app.url_map.bind("localhost")
    values = {"store_id": admin.store.id, "order_key": "900", "act": "take_back"}
    found = []
    for rule in app.url_map.iter_rules():
        is_page = rule.endpoint.startswith("store.") and "GET" in (rule.methods or ())
        if (
            is_page
            and not rule.rule.endswith((".csv", ".json", "/verdict"))
            and rule.arguments <= set(values)
        ):
            chosen = {name: values[name] for name in rule.arguments}
            found.append(adapter.build(rule.endpoint, chosen).removeprefix(f"/stores/{admin.store.id}/"))
    assert len(found) >= 8
    return [*sorted(found), "orders?search=none"]


def keep_picture(page: Page, path: str, width: int, scheme: str) -> None:
    """Leave a picture for people to look at, where `make test` is told a folder for them."""
    folder = os.environ.get("PICTURES")
    if folder:
        name = path.strip("/").replace("/", "-").replace("?", "-") or "stores"
        page.screenshot(path=Path(folder) / f"{name}-{width}-{scheme}.png", full_page=True)


@dataclass(frozen=True)
class Framed:
    """The app in a frame of another page, and what the browser had to say about it."""

    page: Page
    app: FrameLocator
    said: list[str]


@pytest.fixture
def framed(admin: Admin, open_context: Callable[..., BrowserContext]) -> Callable[[str], Framed]:
    """Opens the app in a frame at the given address, as the Shopify admin does."""

    def go(around: str) -> Framed:
        context = open_context()
        # Chromium asks before a page of the web opens one of this machine.
        context.grant_permissions(["local-network-access"])
        page = context.new_page()
        src = f"{admin.url}/shopify/?{launch_query(admin.pretend)}".replace("&", "&amp;")

        def bridge(route: Route) -> None:
            script = OF_THE_ADMIN + APP_BRIDGE.replace("{token}", id_token(admin.pretend))
            route.fulfill(content_type="text/javascript", body=script)

        context.route(
            f"https://{around}/**",
            lambda route: route.fulfill(content_type="text/html", body=ADMIN.replace("{src}", src)),
        )
        context.route("https://cdn.shopify.com/**", bridge)
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(f"https://{around}/apps/impact")
        return Framed(page, page.frame_locator("iframe"), said)

    return go


def test_inside_shopify_the_page_works_without_cookies_and_renews_its_proof(
    admin: Admin, framed: Callable[[str], Framed]
) -> None:
    opened = framed("admin.shopify.com")
    app = opened.app
    expect(app.get_by_role("heading", name="Setup", exact=True)).to_be_visible()
    app.get_by_role("link", name="Settings", exact=True).click()

    fill_account(app)
    save(app)
    expect(app.get_by_role("status")).to_contain_text("Saved. impact.com accepts these credentials.")
    assert admin.services.stores.get(admin.store.id).is_configured  # type: ignore[union-attr]

    add_order(admin.services, admin.store, "900", number="1001")
    app.get_by_role("link", name="Orders", exact=True).click()
    app.get_by_role("link", name="1001").click()
    expect(app.get_by_role("heading", name="Order 1001")).to_be_visible()

    admin.clock.pass_by(hours=3)
    app.get_by_role("link", name="Orders", exact=True).click()
    expect(app.get_by_role("heading", name="Orders", exact=True)).to_be_visible()
    frame = opened.page.frame("app")
    assert frame is not None
    assert re.search(r"/shopify/orders\?.*id_token=", frame.url)
    assert opened.page.context.cookies() == []
    assert opened.said == []


#: As App Bridge takes them: a menu outside the frame, and a save bar of forms that ask for one.
#: Source: shopify.dev, App Bridge web components "App nav" and "Save bar", seen 2026-11.
OF_THE_ADMIN = """
window.pretendAdmin = {
  menu: () => [...document.querySelectorAll("s-app-nav > s-link")]
    .map(link => ({title: link.textContent, href: link.getAttribute("href"), rel: link.getAttribute("rel")})),
  changed: null,
  save: () => window.pretendAdmin.changed.requestSubmit(),
  discard: () => { window.pretendAdmin.changed.reset(); window.pretendAdmin.changed = null; },
};
document.addEventListener("input", ({target}) => {
  if (target.form && target.form.matches("[data-save-bar]")) window.pretendAdmin.changed = target.form;
});
"""


def spoken(opened: Framed) -> list[str]:
    """What the browser complained of. Chromium would like a box for a user name beside the token."""
    return [text for text in opened.said if not text.startswith("[DOM]")]


def test_the_admins_menu_leads_to_every_page_whenever_it_is_clicked(
    admin: Admin, framed: Callable[[str], Framed]
) -> None:
    opened = framed("admin.shopify.com")
    expect(opened.app.get_by_role("heading", name="Setup", exact=True)).to_be_visible()
    frame = opened.page.frame("app")
    assert frame is not None
    menu = frame.evaluate("pretendAdmin.menu()")
    assert [(one["title"], one["rel"]) for one in menu][:2] == [("Setup", "home"), ("Overview", None)]
    assert len(menu) == 7
    assert not [one for one in menu if "ticket=" in one["href"]]
    # No ticket lives so long, and the menu is as old as the first page.
    admin.clock.pass_by(hours=3)
    for one in menu:
        frame.goto(admin.url + one["href"])
        expect(opened.app.get_by_role("heading", level=1)).to_have_text(one["title"])
        assert "id_token=" in frame.url
    assert opened.page.context.cookies() == []
    assert spoken(opened) == []


def test_the_admins_save_bar_saves_and_discards(admin: Admin, framed: Callable[[str], Framed]) -> None:
    opened = framed("admin.shopify.com")
    app = opened.app
    app.get_by_role("link", name="Rules", exact=True).click()
    app.get_by_text("Clicks and promo codes").click()
    field = app.get_by_label("Text field for all promo codes")
    before = field.input_value()
    field.fill("20")
    frame = opened.page.frame("app")
    assert frame is not None
    frame.evaluate("pretendAdmin.discard()")
    expect(field).to_have_value(before)
    field.fill("20")
    frame.evaluate("pretendAdmin.save()")
    expect(app.get_by_role("status")).to_contain_text("Saved.")
    kept = admin.services.stores.get(admin.store.id)
    assert kept is not None
    assert kept.rules == {"codes_field": "20"}
    app.get_by_role("link", name="Settings", exact=True).click()
    fill_account(app)
    frame.evaluate("pretendAdmin.save()")
    expect(app.get_by_role("status")).to_contain_text("Saved. impact.com accepts these credentials.")
    app.get_by_role("link", name="Alerts", exact=True).click()
    app.get_by_label("E-mail addresses").fill("ann@shop.test")
    frame.evaluate("pretendAdmin.save()")
    expect(app.get_by_role("status")).to_contain_text("Saved.")
    assert spoken(opened) == []


def test_without_the_cdn_the_pages_work_in_the_frame(admin: Admin, framed: Callable[[str], Framed]) -> None:
    opened = framed("admin.shopify.com")
    opened.page.context.unroute("https://cdn.shopify.com/**")
    opened.page.context.route("https://cdn.shopify.com/**", lambda route: route.abort())
    app = opened.app
    app.get_by_role("link", name="Settings", exact=True).click()
    frame = opened.page.frame("app")
    assert frame is not None
    fill_account(app)
    assert frame.evaluate("typeof pretendAdmin") == "undefined"
    save(app)
    expect(app.get_by_role("status")).to_contain_text("Saved. impact.com accepts these credentials.")
    app.get_by_role("link", name="Overview", exact=True).click()
    expect(app.get_by_role("heading", name="Overview", exact=True)).to_be_visible()


def test_nobody_else_may_frame_the_page(framed: Callable[[str], Framed]) -> None:
    opened = framed("evil.example")

    expect(opened.app.get_by_role("heading")).to_have_count(0)
    assert [text for text in opened.said if "frame-ancestors" in text]
