"""The page that shows the books, in a real browser at desk and phone width."""

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from impact_app.simulator.network import Setup

from .brand import Brand, brand

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


@pytest.fixture(scope="module")
def caller():
    with brand(Setup(rate_limit=None)) as caller:
        for number in range(105):
            caller.submit(OrderId=f"older-{number}")
        caller.submit(("ClickId",), OrderId="nobody")
        caller.submit(ItemSubTotal1="28,00")
        caller.network.faults.script("503_after")
        caller.submit(OrderId=HOSTILE[:64], ItemName1=HOSTILE, ItemCategory1="x" * 200)
        caller.submit()
        caller.change(Sku="AB-1", Quantity=1, Amount="12.35")
        yield caller


def opened(browser: Browser, caller: Brand, width: int, path: str = "") -> Page:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(f"{caller.network.url}/_simulator/{path}")
    # The two newest actions and what was sent for them; opening all hundred takes seconds.
    page.evaluate("[...document.querySelectorAll('details')].slice(0, 4).forEach(one => one.open = true)")
    return page


@pytest.mark.parametrize("width", [1280, 390])
def test_the_books_are_shown_and_fit_the_width(browser: Browser, caller: Brand, width: int):
    page = opened(browser, caller, width)
    action = page.locator("details", has=page.get_by_text("Order 450789469", exact=True)).first
    # The arithmetic of the first line: 28.00 - 0.00 - 3.31 = 24.69, now 12.35, and 5 % of that.
    cells = action.locator("tbody tr").first.locator("td.number").all_inner_texts()
    assert cells == ["1 of 2", "28.00", "0.00", "3.31", "24.69", "12.35", "0.62"]
    assert "amount -12.34, payout -0.61" in action.inner_text()
    assert page.get_by_text("NO_VALID_REFERRERS_FOUND").is_visible()
    assert page.get_by_text("503_after").last.is_visible()
    assert page.get_by_text("ItemSubTotal1: '28,00' is not an amount.").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # What was sent is text, never markup.
    assert page.get_by_text(HOSTILE[:30]).first.is_visible()
    assert page.title() == "Books of the pretend impact.com"
    assert page.locator("img, script").count() == 0
    page.close()


def test_a_hundred_are_shown_and_older_ones_are_a_page_away(browser: Browser, caller: Brand):
    page = opened(browser, caller, 1280)
    actions = page.locator("details:not(.plain)")
    expect(actions).to_have_count(100)
    page.get_by_role("link", name="Older").click()
    expect(actions).to_have_count(7)  # 105 + 2 - 100
    assert page.get_by_text("Order older-0", exact=True).is_visible()
    page.get_by_role("link", name="Newer").click()
    expect(actions).to_have_count(100)
    page.close()


def test_the_page_of_empty_books_says_what_to_do(browser: Browser):
    with brand() as caller:
        page = opened(browser, caller, 390)
        assert page.get_by_text(f"/Advertisers/{caller.network.books.setup.sid}/Conversions").is_visible()
        page.close()


@pytest.mark.parametrize("query", ["?page=0", "?page=-5", "?page=x", "?page=99"])
def test_odd_page_numbers_have_an_answer(caller: Brand, query: str):
    assert requests.get(f"{caller.network.url}/_simulator/{query}", timeout=10).status_code == 200


def test_the_page_may_run_nothing_and_be_framed_by_nobody(caller: Brand):
    policy = requests.get(f"{caller.network.url}/_simulator/", timeout=10).headers["Content-Security-Policy"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
