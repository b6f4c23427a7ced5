"""From `make run` to a verified test order, with the pages alone: few clicks, few fields, each counted."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from impact_app.demo import free_port
from impact_app.simulator.network import Campaign, RunningNetwork, Setup, running_network
from impact_app.simulator.shopify.admin import RunningAdmin, running_admin
from impact_app.simulator.shopify.store import PretendStore
from impact_app.simulator.storefront import RunningStorefront, running_storefront
from tests.processes.started import Started, start, until

#: All processes of one machine run here, as in tests/processes/test_run.py.
pytestmark = pytest.mark.xdist_group("run")

PASSWORD = "correct horse battery staple"
MOST_CLICKS, MOST_FIELDS = 25, 8

#: impact.com is asked at growing gaps while somebody waits, and two jobs run in between.
PATIENCE = 120_000


@dataclass(frozen=True)
class World:
    """The app as a merchant runs it, with the shop, its admin and impact.com pretended."""

    app: str
    network: RunningNetwork
    admin: RunningAdmin
    shop: RunningStorefront
    started: Started


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    port = free_port()
    app = f"http://localhost:{port}"
    store = PretendStore(scopes=(), installed=False, app_url=app)
    with ExitStack() as stack:
        shop = stack.enter_context(
            running_storefront(
                webhook_url=f"{app}/shopify/webhooks",
                secret=store.client_secret,
                shop_domain=store.domain,
                app_url=app,
                theme=store.theme,
            )
        )
        program = Campaign(
            landing_page=f"{shop.url}/", deep_link_domains=f"{store.domain},127.0.0.1,localhost"
        )
        network = stack.enter_context(running_network(Setup(campaigns=(program,))))
        admin = stack.enter_context(running_admin(store))
        started = start(
            tmp_path,
            "up",
            INSTANCE_PATH=str(tmp_path / "instance"),
            PORT=str(port),
            APP_URL=app,
            ADMIN_PASSWORD=PASSWORD,
            SHOPIFY_API_KEY=store.client_id,
            SHOPIFY_API_SECRET=store.client_secret,
            SHOPIFY_ADMIN_URL=admin.admin_url,
            IMPACT_API_URL=network.url,
        )
        try:
            until(lambda: is_ready(app), lambda: started.said)
            yield World(app, network, admin, shop, started)
        finally:
            started.process.send_signal(signal.SIGTERM)
            started.process.wait(40)


def is_ready(app: str) -> bool:
    try:
        answer = requests.get(f"{app}/readyz", timeout=2)
    except requests.RequestException:
        return False
    return answer.ok and answer.json()["status"] == "ready"


@dataclass
class Hand:
    """Clicks and fills, and counts both: a merchant has nothing else."""

    clicked: list[str] = field(default_factory=list)
    filled: list[str] = field(default_factory=list)

    def click(self, target: Locator) -> None:
        self.clicked.append(_name(target))
        target.click()

    def fill(self, box: Locator, text: str) -> None:
        self.filled.append(_name(box))
        box.fill(text)

    def opens(self, context: BrowserContext, target: Locator) -> Page:
        """Click what opens another tab; the tab."""
        with context.expect_page() as opened:
            self.click(target)
        opened.value.wait_for_load_state()
        return opened.value


def _name(target: Locator) -> str:
    expect(target).to_have_count(1)
    said = target.evaluate("one => one.labels?.[0]?.innerText || one.innerText || one.name")
    return " ".join(str(said).split())[:60]


def at_home(world: World) -> Callable[[Route], None]:
    """The shop's own address leads to the pretend shop, as the name server would have it."""

    def lead(route: Route) -> None:
        asked = urlsplit(route.request.url)
        route.fulfill(response=route.fetch(url=f"{world.shop.url}{asked.path}?{asked.query}"))

    return lead


def step(page: Page, name: str) -> Locator:
    """A step of the set-up, by the name that its part of the page has."""
    return page.locator(f"details#{name}")


def opened(hand: Hand, page: Page, name: str) -> Locator:
    """The step, opened by a click where the page has not opened it by itself."""
    found = step(page, name)
    if found.get_attribute("open") is None:
        hand.click(found.locator("summary").first)
    return found


def all_done(page: Page) -> bool:
    page.reload()
    return page.get_by_text("9 of 9 done").is_visible()


def light(page: Page, stop: str) -> Locator:
    return page.locator(f'[data-part="{stop}"] .badge')


def test_from_an_installation_to_a_test_order_that_is_booked_and_taken_back(
    world: World, context: BrowserContext
) -> None:
    store, setup = world.admin.store, world.network.books.setup
    context.grant_permissions(["local-network-access"])
    context.route(f"https://{store.domain}/**", at_home(world))
    page, hand = context.new_page(), Hand()
    faults: list[str] = []
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)

    # The store is connected from its own admin, the app opened with its password.
    page.goto(f"{world.admin.url}/{store.domain}/admin")
    hand.click(page.get_by_role("link", name="Install"))
    hand.fill(page.get_by_label("Admin password"), PASSWORD)
    hand.click(page.get_by_role("button", name="Sign in"))
    expect(page.get_by_role("heading", name="Setup", level=1)).to_be_visible()

    account = opened(hand, page, "account")
    hand.fill(account.get_by_label("Account SID"), setup.sid)
    hand.fill(account.get_by_label("Auth token"), setup.token)
    hand.click(account.get_by_role("button", name="Save and try the credentials"))
    expect(step(page, "account").locator(".badge").first).to_have_text("Done")

    program = opened(hand, page, "program")
    hand.click(program.get_by_role("button", name="Save"))
    expect(step(page, "program").locator(".badge").first).to_contain_text("Done")

    kind = opened(hand, page, "event_type")
    hand.fill(kind.get_by_label("Event type id"), str(setup.event_types[0].id))
    hand.click(kind.get_by_role("button", name="Save"))
    expect(step(page, "event_type").locator(".badge").first).to_contain_text("Done")

    # The embed is off in a new theme; the page leads to where it is switched on.
    storefront = opened(hand, page, "storefront")
    editor = hand.opens(context, storefront.get_by_role("link", name="Switch the embed on"))
    hand.click(editor.get_by_label("impact.com click capture"))
    hand.click(editor.get_by_role("button", name="Save"))
    expect(editor.get_by_role("status")).to_have_text("Saved.")

    page.bring_to_front()
    hand.click(page.get_by_role("button", name="Check again"))
    expect(page.get_by_role("status")).to_have_text("Checked just now.")

    # The test order: a link, a purchase, and every stop seen to pass.
    last = opened(hand, page, "test_order")
    trial = page
    hand.click(last.get_by_role("link", name="Make a test order"))
    hand.click(trial.get_by_role("button", name="Make the test link"))
    visitor = hand.opens(context, trial.get_by_role("link", name="im_ref="))
    hand.click(visitor.get_by_role("button", name="Accept"))
    hand.click(visitor.get_by_role("link", name="Oak board"))
    hand.fill(visitor.get_by_label("Quantity"), "3")
    hand.click(visitor.get_by_role("button", name="Add to cart"))
    hand.click(visitor.get_by_role("button", name="Check out"))
    hand.fill(visitor.get_by_label("Promo code"), "welcome10")
    hand.click(visitor.get_by_role("button", name="Pay"))
    expect(visitor.get_by_role("heading", name="Thank you")).to_be_visible()

    trial.bring_to_front()
    for stop in ("click", "cart", "order", "delivery", "plan", "submission", "action"):
        expect(light(trial, stop)).to_have_text("Passed", timeout=PATIENCE)
    (action,), (sale,) = world.network.books.actions(), world.shop.sales.made.values()
    # Three boards at 33.00 less 10 %; shipping of 5.00 does not count.
    worth = 3 * Decimal("33.00") - Decimal("9.90")
    assert (action.amount, action.order_id) == (worth, str(sale.body["id"]))
    expect(trial.locator('[data-part="action"]')).to_contain_text(f"{worth}")
    expect(trial.locator(".fault")).to_have_count(0)

    hand.click(trial.get_by_role("button", name="Take the test back"))
    expect(light(trial, "back")).to_have_text("Passed", timeout=PATIENCE)
    (action,) = world.network.books.actions()
    assert (action.reversed, action.amount) == (True, Decimal(0))
    assert [one.disposition for one in action.updates][-1] == "TEST_ACTION"
    reversals = [call for call in world.network.books.calls() if call.method == "DELETE"]
    assert len(reversals) == 1

    hand.click(trial.get_by_role("link", name="Setup").first)
    expect(step(page, "test_order").locator(".badge").first).to_have_text("Done")
    # The worker connects the web pixel and looks at the theme, which takes a minute or two.
    until(lambda: all_done(page), lambda: page.locator(".steps").inner_text(), 2 * PATIENCE / 1000)
    assert faults == []
    told = {"clicks": hand.clicked, "fields": hand.filled}
    sys.stdout.writelines(f"{len(done)} {name}: {', '.join(done)}\n" for name, done in told.items())
    assert len(hand.clicked) <= MOST_CLICKS
    assert len(hand.filled) <= MOST_FIELDS
