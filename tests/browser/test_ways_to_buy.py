"""Every way to buy, up to the order: which carrier brings the click, and that none does without consent.

The order that the pretend shop posts is read by the app's own reader and attribution. What the web pixel
tells stands beside it, as the app joins it by the checkout's token.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from impact_app.domain.attribution import attribute
from impact_app.simulator.shopify.orders import encode
from impact_app.simulator.storefront import RunningStorefront
from impact_app.stores.shopify.reading import read_order

from .conftest import OpenStorefront
from .test_click_capture import ASSET, REFUSED, USABLE
from .visiting import Receiver, Visitor

Visit = Callable[[RunningStorefront], Visitor]
MUG = "/products/stoneware-mug"
NOTHING = (None, None, None)
IN_CART = ("cart_attribute", "im_ref", "Qx~7:Ab-9")
IN_LINE = ("line_property", "_im_ref", "Qx~7:Ab-9")
LANDED = ("landing_url", "im_ref", "Qx~7:Ab-9")
CLICK = "?im_ref=Qx~7%3AAb-9"


def winner(order: dict[str, Any]) -> tuple[str | None, str | None, str | None]:
    """The carrier, its name for the click, and the click that the app reads from this order."""
    found = attribute(read_order(encode(order)), ("im_ref", "irclickid")).winner
    return (found.carrier.value, found.name, found.value) if found else NOTHING


def pixel_told(receiver: Receiver, order: dict[str, Any]) -> str:
    """The click that the pixel told for this order once it was complete; waits for it.

    The word that the checkout was opened may have been overtaken by the buyer.
    """
    told = receiver.beacon("checkout_completed")
    assert (told["checkout_token"], told["order_id"]) == (order["checkout_token"], str(order["id"]))
    return str(told["click"])


@pytest.fixture
def shop(open_storefront: OpenStorefront, receiver: Receiver) -> RunningStorefront:
    """A shop that asks for consent, with the pixel connected."""
    return open_storefront(app_url=receiver.app_url)


@pytest.fixture
def free(open_storefront: OpenStorefront, receiver: Receiver) -> RunningStorefront:
    """A shop whose visitors need not be asked."""
    return open_storefront(app_url=receiver.app_url, consent_required=False)


def press(visitor: Visitor, name: str) -> None:
    visitor.page.get_by_role("button", name=name, exact=True).click()


def buy_by_form(visitor: Visitor) -> dict[str, Any]:
    """Buy with this browser's cookies and without drawing the pages in between."""
    shop, ask = visitor.storefront, visitor.context.request
    ask.post(shop.url + "/cart/add", form={"id": "51000000000001"})
    ask.post(ask.get(shop.url + "/checkout").url, form={"email": "ada.buyer@example.com"})
    return list(shop.sales.made.values())[-1].body


# Ways through the shop


def test_cart_page(visit: Visit, shop: RunningStorefront, receiver: Receiver) -> None:
    visitor = visit(shop)
    visitor.land(CLICK)
    visitor.accept()
    order = visitor.buy()
    assert winner(order) == IN_CART
    assert pixel_told(receiver, order) == "Qx~7:Ab-9"


def test_drawer(visit: Visit, shop: RunningStorefront) -> None:
    visitor = visit(shop)
    visitor.land(CLICK, page=MUG)
    visitor.accept()
    press(visitor, "Quick add")
    visitor.page.get_by_role("link", name="Check out from here").click()
    assert winner(visitor.pay()) == IN_CART


def test_accelerated_checkout(visit: Visit, shop: RunningStorefront) -> None:
    visitor = visit(shop)
    visitor.land(CLICK, page=MUG)
    visitor.accept()
    press(visitor, "Add to cart")
    press(visitor, "Express checkout")
    order = visitor.pay()
    assert winner(order) == IN_CART
    assert order["landing_site"] == "/wallets/checkouts.json"


def test_buy_now_where_the_visit_began_with_the_click(visit: Visit, shop: RunningStorefront) -> None:
    visitor = visit(shop)
    visitor.land(CLICK, page=MUG)
    visitor.accept()
    press(visitor, "Buy it now")
    order = visitor.pay()
    assert order["note_attributes"] == []
    assert winner(order) == LANDED


def test_buy_now_on_a_later_visit_is_known_by_the_pixel_alone(
    visit: Visit, free: RunningStorefront, receiver: Receiver
) -> None:
    first = visit(free)
    first.land(CLICK)
    first.until_told("Qx~7:Ab-9")
    first.page.close()
    first.context.clear_cookies(name="_visit")
    later = visit(free)
    later.land(page=MUG)
    press(later, "Buy it now")
    order = later.pay()
    assert winner(order) == NOTHING
    assert pixel_told(receiver, order) == "Qx~7:Ab-9"


def test_buy_now_with_a_line_property(visit: Visit, open_storefront: OpenStorefront) -> None:
    visitor = visit(open_storefront(embed_settings={"line_property": "_im_ref"}))
    visitor.land(CLICK, page=MUG)
    assert visitor.page.locator('[name="properties[_im_ref]"]').count() == 0
    visitor.accept()
    press(visitor, "Buy it now")
    order = visitor.pay()
    assert winner(order) == IN_LINE
    assert order["line_items"][0]["properties"] == [{"name": "_im_ref", "value": "Qx~7:Ab-9"}]


def test_a_product_form_that_came_later_is_marked_too(visit: Visit, open_storefront: OpenStorefront) -> None:
    visitor = visit(open_storefront(embed_settings={"line_property": "_im_ref"}))
    visitor.land(CLICK, page=MUG)
    visitor.accept()
    visitor.page.evaluate(
        "() => { const form = document.querySelector('form.buy'); const again = form.cloneNode(true);"
        " again.querySelector('[name^=properties]').remove(); form.replaceWith(again); }"
    )
    press(visitor, "Buy it now")
    assert winner(visitor.pay()) == IN_LINE


def test_a_permalink_clicked_in_the_shop(visit: Visit, shop: RunningStorefront) -> None:
    visitor = visit(shop)
    visitor.land(CLICK)
    visitor.accept()
    visitor.page.get_by_role("link", name="One mug, straight to checkout").click()
    assert winner(visitor.pay()) == IN_CART


def test_a_permalink_as_the_partners_link(visit: Visit, free: RunningStorefront) -> None:
    visitor = visit(free)
    visitor.page.goto(free.url + "/cart/51000000000001:2" + CLICK)
    order = visitor.pay()
    assert order["landing_site"] == "/cart/51000000000001:2" + CLICK
    assert winner(order) == LANDED


def test_a_second_visit_within_the_window(visit: Visit, free: RunningStorefront) -> None:
    first = visit(free)
    first.page.clock.set_fixed_time(datetime.now(UTC) - timedelta(days=29))
    first.land(CLICK)
    first.until_told("Qx~7:Ab-9")
    first.page.close()
    first.context.clear_cookies(name=re.compile("_visit|cart"))
    later = visit(free)
    later.page.clock.set_fixed_time(datetime.now(UTC))
    later.land()
    later.until_told("Qx~7:Ab-9")
    assert winner(later.buy()) == IN_CART


def test_a_second_visit_after_the_window(visit: Visit, free: RunningStorefront, receiver: Receiver) -> None:
    first = visit(free)
    first.page.clock.set_fixed_time(datetime.now(UTC) - timedelta(days=31))
    first.land(CLICK)
    first.until_told("Qx~7:Ab-9")
    first.page.close()
    first.context.clear_cookies(name="_visit")
    later = visit(free)
    later.page.clock.set_fixed_time(datetime.now(UTC))
    later.land()
    later.until_removed()
    assert winner(later.buy()) == NOTHING
    assert receiver.told == []


def test_a_second_click_replaces_the_first(visit: Visit, shop: RunningStorefront) -> None:
    visitor = visit(shop)
    visitor.land("?im_ref=first")
    visitor.accept()
    visitor.land(CLICK)
    visitor.until_told("Qx~7:Ab-9")
    assert winner(visitor.buy()) == IN_CART


def test_a_cart_replaced_after_the_purchase(visit: Visit, free: RunningStorefront) -> None:
    visitor = visit(free)
    visitor.land(CLICK)
    visitor.until_told("Qx~7:Ab-9")
    first = visitor.buy()
    told = visitor.kept().session
    visitor.land()
    visitor.page.wait_for_function("(told) => sessionStorage.getItem('impact_click_told') !== told", arg=told)
    second = visitor.buy()
    assert first["cart_token"] != second["cart_token"]
    assert (winner(first), winner(second)) == (IN_CART, IN_CART)


def test_two_tabs_at_once(visit: Visit, free: RunningStorefront) -> None:
    older, newer = visit(free), visit(free)
    # The browser's own clock is one for all its tabs.
    older.page.add_init_script("const now = Date.now; Date.now = () => now() - 60000;")
    older.page.goto(free.url + "/?im_ref=older", wait_until="commit")
    newer.page.goto(free.url + "/" + CLICK)
    newer.until_told("Qx~7:Ab-9")
    older.until_told()
    older.land()
    older.until_told("Qx~7:Ab-9")
    assert winner(older.buy()) == IN_CART


def test_the_back_button(visit: Visit, free: RunningStorefront) -> None:
    visitor = visit(free)
    visitor.land(CLICK, page=MUG)
    visitor.until_told("Qx~7:Ab-9")
    press(visitor, "Add to cart")
    press(visitor, "Check out")
    first = visitor.pay()
    told = visitor.kept().session
    visitor.page.go_back()
    visitor.page.go_back()
    visitor.page.go_back()
    assert visitor.page.url == free.url + MUG + CLICK
    visitor.page.wait_for_function("(told) => sessionStorage.getItem('impact_click_told') !== told", arg=told)
    press(visitor, "Add to cart")
    press(visitor, "Check out")
    second = visitor.pay()
    assert first["id"] != second["id"]
    assert winner(second) == IN_CART


def test_a_page_from_the_back_buttons_cache_asks_again(visitor: Visitor) -> None:
    visitor.land(CLICK)
    visitor.accept()
    visitor.storefront.sales.carts.clear()
    visitor.context.clear_cookies(name="cart")
    visitor.page.evaluate("() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    visitor.page.wait_for_function("() => document.cookie.includes('cart=')")
    assert visitor.kept().cart == {"im_ref": "Qx~7:Ab-9"}


# What goes wrong on the way


def test_the_script_blocked(visit: Visit, shop: RunningStorefront) -> None:
    visitor = visit(shop)
    visitor.page.route("**" + ASSET, lambda route: route.abort())
    visitor.land(CLICK)
    press(visitor, "Accept")
    order = visitor.buy()
    assert order["note_attributes"] == []
    assert winner(order) == LANDED


def test_storage_blocked(visit: Visit, free: RunningStorefront) -> None:
    visitor = visit(free)
    visitor.page.add_init_script(
        "for (const area of ['localStorage', 'sessionStorage'])"
        " Object.defineProperty(window, area, { get() { throw new DOMException('no', 'SecurityError'); } })"
    )
    with visitor.page.expect_response("**/cart/update.js"):
        visitor.land(CLICK)
    assert winner(visitor.buy()) == IN_CART


def test_cookies_cleared(visit: Visit, free: RunningStorefront) -> None:
    visitor = visit(free)
    visitor.land(CLICK)
    visitor.until_told("Qx~7:Ab-9")
    told = visitor.kept().session
    visitor.context.clear_cookies()
    visitor.land()
    visitor.page.wait_for_function("(told) => sessionStorage.getItem('impact_click_told') !== told", arg=told)
    assert winner(visitor.buy()) == IN_CART


def test_an_attribute_lost_in_a_race(visit: Visit, free: RunningStorefront, receiver: Receiver) -> None:
    free.sales.faults.append("lost")
    visitor = visit(free)
    visitor.land(CLICK)
    visitor.until_told("Qx~7:Ab-9")
    order = visitor.buy()
    assert order["note_attributes"] == []
    assert winner(order) == LANDED
    assert pixel_told(receiver, order) == "Qx~7:Ab-9"


@pytest.mark.parametrize("fault", ["too_many", "bot_check"])
def test_a_cart_that_refuses_once(visit: Visit, free: RunningStorefront, fault: str) -> None:
    free.sales.faults.append(fault)
    visitor = visit(free)
    visitor.land(CLICK)
    visitor.until_told("Qx~7:Ab-9")
    assert visitor.written() == [{"im_ref": "Qx~7:Ab-9"}] * 2
    assert winner(visitor.buy()) == IN_CART


@pytest.mark.parametrize("values", [USABLE, REFUSED], ids=["usable", "refused"])
def test_hostile_values(visit: Visit, free: RunningStorefront, values: dict[str, Any]) -> None:
    visitor = visit(free)
    for name, held in values.items():
        query, value = held if isinstance(held, tuple) else (held, None)
        visitor.land("?" + query, page=MUG)
        if value is not None:
            visitor.until_told(value)
        expected = NOTHING if value is None else ("cart_attribute", "im_ref", value)
        assert winner(buy_by_form(visitor)) == expected, name
        visitor.context.clear_cookies()
        visitor.page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")


# Consent


def test_consent_given_early(visit: Visit, shop: RunningStorefront) -> None:
    visitor = visit(shop)
    visitor.land()
    press(visitor, "Accept")
    visitor.land(CLICK)
    visitor.until_told("Qx~7:Ab-9")
    assert winner(visitor.buy()) == IN_CART


def test_consent_given_late(visit: Visit, shop: RunningStorefront) -> None:
    visitor = visit(shop)
    visitor.land(CLICK, page=MUG)
    press(visitor, "Quick add")
    visitor.page.locator("dialog[open]").wait_for()
    visitor.page.keyboard.press("Escape")
    assert visitor.kept().cookie is None
    visitor.accept()
    assert winner(visitor.buy("oak-board")) == IN_CART


def test_consent_never_given(visit: Visit, shop: RunningStorefront, receiver: Receiver) -> None:
    visitor = visit(shop)
    visitor.land(CLICK)
    assert visitor.kept().nowhere
    order = visitor.buy()
    assert winner(order) == NOTHING
    assert receiver.told == []


def test_consent_refused(visit: Visit, shop: RunningStorefront, receiver: Receiver) -> None:
    visitor = visit(shop)
    visitor.land(CLICK)
    visitor.decline()
    order = visitor.buy()
    assert visitor.kept().cookie is None
    assert winner(order) == NOTHING
    assert receiver.told == []


def test_consent_withdrawn(visit: Visit, open_storefront: OpenStorefront, receiver: Receiver) -> None:
    settings = {"line_property": "_im_ref"}
    visitor = visit(open_storefront(app_url=receiver.app_url, embed_settings=settings))
    visitor.land(CLICK, page=MUG)
    visitor.accept()
    press(visitor, "Add to cart")
    visitor.land(page=MUG)
    visitor.withdraw()
    visitor.until_removed()
    assert visitor.page.locator('[name="properties[_im_ref]"]').count() == 0
    assert visitor.kept().nowhere
    visitor.page.goto(visitor.storefront.url + "/cart")
    press(visitor, "Check out")
    order = visitor.pay()
    assert order["line_items"][0]["properties"] == []
    assert winner(order) == NOTHING
    assert receiver.told == []


# Cashback traffic


@pytest.mark.parametrize(
    ("chosen", "declines", "expected"),
    [(True, False, IN_CART), (True, True, NOTHING), (False, False, NOTHING)],
)
def test_cashback(
    visit: Visit,
    open_storefront: OpenStorefront,
    chosen: bool,
    declines: bool,
    expected: tuple[str | None, ...],
) -> None:
    visitor = visit(open_storefront(embed_settings={"cashback": chosen}))
    visitor.land(CLICK + "&im_rewards=1")
    if chosen:
        visitor.until_told("Qx~7:Ab-9")
    if declines:
        visitor.decline()
        visitor.until_removed()
    assert winner(visitor.buy()) == expected


def test_a_refusal_stands_against_a_later_cashback_link(
    visit: Visit, open_storefront: OpenStorefront
) -> None:
    visitor = visit(open_storefront(embed_settings={"cashback": True}))
    visitor.land()
    visitor.decline()
    visitor.land(CLICK + "&im_rewards=1")
    assert visitor.kept().nowhere
    assert winner(visitor.buy()) == NOTHING


# What the former official app left


def test_its_cookie_counts_where_there_is_no_click(visit: Visit, shop: RunningStorefront) -> None:
    visitor = visit(shop)
    visitor.context.add_cookies([{"name": "irclickid", "value": "Qx~7%3AAb-9", "url": shop.url}])
    visitor.land()
    assert visitor.kept().nowhere
    visitor.accept()
    assert winner(visitor.buy()) == IN_CART


def test_its_cookie_gives_way_to_a_click(visit: Visit, free: RunningStorefront) -> None:
    visitor = visit(free)
    visitor.context.add_cookies([{"name": "irclickid", "value": "old", "url": free.url}])
    visitor.land(CLICK)
    visitor.until_told("Qx~7:Ab-9")
    assert winner(visitor.buy()) == IN_CART


LEAVE = """() => fetch('/cart/update.js', { method: 'POST', headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ attributes: { irclickid: 'left' } }) })"""


def test_its_attribute_is_read_and_withdrawn(visit: Visit, shop: RunningStorefront) -> None:
    visitor = visit(shop)
    visitor.land()
    visitor.page.evaluate(LEAVE)
    press(visitor, "Accept")
    assert winner(visitor.buy()) == ("cart_attribute", "irclickid", "left")

    visitor.land(CLICK)
    visitor.until_told("Qx~7:Ab-9")
    visitor.page.evaluate(LEAVE)
    visitor.withdraw()
    visitor.until_removed()
    assert winner(visitor.buy()) == NOTHING


# Other domains of the shop


def abroad(visitor: Visitor) -> Page:
    """Follow the link to the other domain, as a shopper does."""
    visitor.page.get_by_role("link", name="Our shop abroad").click()
    visitor.page.wait_for_url(visitor.storefront.other_url + "/**")
    return visitor.page


def test_another_domain(visit: Visit, shop: RunningStorefront) -> None:
    visitor = visit(shop)
    ten_days_ago = datetime.now(UTC) - timedelta(days=10)
    visitor.page.clock.set_fixed_time(ten_days_ago)
    visitor.land(CLICK)
    visitor.accept()
    visitor.page.clock.set_fixed_time(datetime.now(UTC))
    abroad(visitor)
    kept = "() => localStorage.getItem('impact_click')"
    assert visitor.page.evaluate(kept) is None, "consent is asked on each domain"
    visitor.accept()
    assert visitor.page.evaluate(kept) == f"{int(ten_days_ago.timestamp() * 1000)}.Qx~7:Ab-9"
    visitor.page.goto(shop.other_url + MUG)
    press(visitor, "Add to cart")
    press(visitor, "Check out")
    assert winner(visitor.pay()) == IN_CART


def test_another_domain_without_consent(visit: Visit, shop: RunningStorefront) -> None:
    visitor = visit(shop)
    visitor.land(CLICK)
    visitor.decline()
    page = abroad(visitor)
    assert page.url == shop.other_url + "/"


LINKS = """(abroad) => document.querySelector('main').insertAdjacentHTML('beforeend', `
  <a id="rest" href="${abroad}/?a=%20b&c#d">rest</a>
  <a id="has" href="${abroad}/?im_ref=theirs">has</a>
  <a id="own" href="/?a=1">own</a>
  <a id="mail" href="mailto:ada@example.com">mail</a>
  <form id="get" action="${abroad}/"><button>get</button></form>
  <form id="post" method="post" action="${abroad}/cart"><button>post</button></form>
  <form id="named" method="post" action="${abroad}/cart">
    <input name="action"><button>named</button></form>`)"""
#: Where a click on each would lead, and what is left of it afterwards.
FOLLOWED = """async () => {
  const led = {};
  addEventListener('click', (event) => {
    const spot = event.target.closest('a');
    if (spot) led[spot.id] = spot.href;
    event.preventDefault();
  });
  addEventListener('submit', (event) => {
    event.preventDefault();
    const form = event.target;
    const fields = [...new FormData(form)].map((pair) => pair.join('=')).join('&');
    led[form.id] = form.getAttribute('action') + '|' + fields;
  });
  const before = [...document.querySelectorAll('main a')].map((link) => link.getAttribute('href'));
  for (const link of document.querySelectorAll('main a[id]')) link.click();
  for (const id of ['get', 'post', 'named']) document.getElementById(id).requestSubmit();
  await new Promise((resolve) => setTimeout(resolve));
  const after = [...document.querySelectorAll('main a')].map((link) => link.getAttribute('href'));
  return { led, restored: JSON.stringify(before) === JSON.stringify(after),
    post: document.getElementById('post').getAttribute('action') };
}"""


def test_links_and_forms_to_other_domains_break_nothing(visit: Visit, shop: RunningStorefront) -> None:
    visitor = visit(shop)
    visitor.page.clock.set_fixed_time(datetime(2026, 11, 20, tzinfo=UTC))
    visitor.land(CLICK)
    visitor.accept()
    other = shop.other_url
    visitor.page.evaluate(LINKS, other)
    found = visitor.page.evaluate(FOLLOWED)
    copy = f"{int(datetime(2026, 11, 20, tzinfo=UTC).timestamp() * 1000)}.Qx~7"
    ours = f"im_ref=Qx~7%3AAb-9&impact_click={copy}%3AAb-9"
    assert found["led"] == {
        "rest": f"{other}/?a=%20b&c&{ours}#d",
        "has": f"{other}/?im_ref=theirs",
        "own": f"{shop.url}/?a=1",
        "mail": "mailto:ada@example.com",
        "get": f"{other}/|im_ref=Qx~7:Ab-9&impact_click={copy}:Ab-9",
        "post": f"{other}/cart?{ours}|",
        "named": f"{other}/cart|action=",
    }
    assert found["restored"] is True
    assert found["post"] == f"{other}/cart"


def test_a_link_opened_in_a_new_tab(visit: Visit, shop: RunningStorefront, context: BrowserContext) -> None:
    visitor = visit(shop)
    visitor.land(CLICK)
    visitor.accept()
    with context.expect_page() as opened:
        visitor.page.get_by_role("link", name="Our shop abroad").click(button="middle")
    opened.value.wait_for_url(shop.other_url + "/?im_ref=Qx~7%3AAb-9&impact_click=*")
    opened.value.close()


def test_what_is_no_domain_of_the_shop_gets_nothing(visit: Visit, open_storefront: OpenStorefront) -> None:
    visitor = visit(open_storefront(embed_settings={"other_domains": "elsewhere.example"}))
    visitor.land(CLICK)
    visitor.accept()
    page = abroad(visitor)
    assert page.url == visitor.storefront.other_url + "/"


# Headless


def test_headless_cart(visit: Visit, shop: RunningStorefront, receiver: Receiver) -> None:
    visitor = visit(shop)
    visitor.page.goto(shop.url + "/headless" + CLICK)
    visitor.page.locator("html[data-ready]").wait_for()
    assert visitor.kept().nowhere
    press(visitor, "Accept")
    visitor.page.locator("html[data-settled='Qx~7:Ab-9']").wait_for()
    press(visitor, "Buy")
    order = visitor.pay()
    assert winner(order) == IN_CART
    assert pixel_told(receiver, order) == "Qx~7:Ab-9"


def test_headless_cart_after_a_refusal(visit: Visit, shop: RunningStorefront, receiver: Receiver) -> None:
    visitor = visit(shop)
    visitor.page.goto(shop.url + "/headless" + CLICK)
    press(visitor, "Accept")
    visitor.page.locator("html[data-settled='Qx~7:Ab-9']").wait_for()
    press(visitor, "Decline")
    visitor.page.locator("html[data-settled='nothing']").wait_for()
    press(visitor, "Buy")
    assert winner(visitor.pay()) == NOTHING
    assert visitor.kept().nowhere
    assert receiver.told == []


# The pixel


def test_what_the_pixel_tells(visit: Visit, shop: RunningStorefront, receiver: Receiver) -> None:
    visitor = visit(shop)
    visitor.land(CLICK, page=MUG)
    visitor.accept()
    press(visitor, "Add to cart")
    press(visitor, "Check out")
    started = receiver.beacon("checkout_started")
    order = visitor.pay()
    completed = receiver.beacon("checkout_completed")
    for told in (started, completed):
        at = datetime.fromisoformat(told.pop("at"))
        assert abs(datetime.now(UTC) - at) < timedelta(minutes=1)
    common = {
        "shop": shop.shop.domain,
        "checkout_token": order["checkout_token"],
        "click": "Qx~7:Ab-9",
        "consent": "granted",
    }
    assert started == {**common, "event": "checkout_started", "order_id": None}
    assert completed == {**common, "event": "checkout_completed", "order_id": str(order["id"])}
    for headers, _ in receiver.told:
        assert headers["content-type"] == "text/plain;charset=UTF-8"
        assert headers["origin"] == shop.url
        assert "cookie" not in headers


def test_the_pixel_waits_for_consent_at_the_checkout(
    visit: Visit, shop: RunningStorefront, receiver: Receiver
) -> None:
    visitor = visit(shop)
    visitor.land(page=MUG)
    press(visitor, "Add to cart")
    press(visitor, "Check out")
    visitor.context.add_cookies(
        [
            {
                "name": "impact_click",
                "value": f"{int(datetime.now(UTC).timestamp() * 1000)}.late",
                "url": shop.url,
            }
        ]
    )
    visitor.page.reload()
    assert receiver.told == []
    visitor.page.evaluate("() => Shopify.customerPrivacy.setTrackingConsent({ marketing: true })")
    told = receiver.beacon("checkout_started")
    assert (told["click"], told["consent"]) == ("late", "granted")
