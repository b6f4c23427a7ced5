"""From a partner's link to a paid order, in the browser, through the signed webhook."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable

from impact_app.simulator.storefront import RunningStorefront

from .conftest import OpenStorefront
from .visiting import Receiver, Visitor

Visit = Callable[[RunningStorefront], Visitor]


def test_from_partner_link_to_signed_webhook(
    open_storefront: OpenStorefront, visit: Visit, receiver: Receiver
) -> None:
    shop = open_storefront(
        webhook_url=receiver.url, secret="shared-secret", shop_domain="slow-goods.myshopify.com"
    )
    visitor = visit(shop)
    visitor.page.goto(shop.url + "/go?click=Qx~7:Ab-9&product=oak-board")
    assert visitor.page.url == shop.url + "/products/oak-board?im_ref=Qx~7%3AAb-9&irgwc=1"
    visitor.accept()
    visitor.page.get_by_label("Quantity").fill("3")
    visitor.page.get_by_role("button", name="Add to cart").click()
    visitor.page.get_by_role("button", name="Check out").click()
    visitor.page.get_by_label("Promo code").fill("welcome10")
    visitor.pay()

    [(headers, body)] = receiver.received
    signature = base64.b64encode(hmac.new(b"shared-secret", body, hashlib.sha256).digest()).decode()
    assert headers["x-shopify-hmac-sha256"] == signature
    assert headers["x-shopify-topic"] == "orders/paid"
    assert headers["x-shopify-shop-domain"] == "slow-goods.myshopify.com"
    order = json.loads(body)
    assert order["note_attributes"] == [{"name": "im_ref", "value": "Qx~7:Ab-9"}]
    assert order["landing_site"] == "/products/oak-board?im_ref=Qx~7%3AAb-9&irgwc=1"
    assert [(line["sku"], line["quantity"], line["price"]) for line in order["line_items"]] == [
        ("BOARD-1", 3, "33.00")
    ]
    # Three at 33.00 are 99.00, 10 % of it off is 9.90; shipping 5.00.
    assert (order["subtotal_price"], order["total_discounts"]) == ("89.10", "9.90")
    assert order["total_price"] == "94.10"
    assert [code["code"] for code in order["discount_codes"]] == ["WELCOME10"]
    assert "it answered 200" in visitor.page.locator("#told").inner_text()


def test_buy_now_goes_past_the_cart(visitor: Visitor) -> None:
    visitor.land("?im_ref=abc", page="/products/stoneware-mug")
    visitor.accept()
    visitor.page.get_by_role("button", name="Buy it now").click()
    order = visitor.pay()
    assert order["note_attributes"] == []
    assert order["cart_token"] is None
    assert order["landing_site"] == "/products/stoneware-mug?im_ref=abc"


def test_an_app_that_is_away_does_not_stop_the_sale(open_storefront: OpenStorefront, visit: Visit) -> None:
    visitor = visit(open_storefront(webhook_url="http://127.0.0.1:9/shopify/webhooks"))
    visitor.land()
    visitor.decline()
    order = visitor.buy()
    assert order["total_price"] == "19.00"  # 14.00 and 5.00 for shipping
    assert "The app did not answer" in visitor.page.locator("#told").inner_text()


def test_an_unknown_promo_code_is_explained(visitor: Visitor) -> None:
    visitor.land(page="/products/stoneware-mug")
    visitor.decline()
    visitor.page.get_by_role("button", name="Add to cart").click()
    visitor.page.get_by_role("button", name="Check out").click()
    visitor.page.get_by_label("Promo code").fill("<b>NO</b>")
    visitor.page.get_by_role("button", name="Pay").click()
    assert "does not know the code <B>NO</B>" in visitor.page.get_by_role("alert").inner_text()
    assert visitor.storefront.sales.made == {}


def test_paying_twice_makes_one_order(
    open_storefront: OpenStorefront, visit: Visit, receiver: Receiver
) -> None:
    visitor = visit(open_storefront(webhook_url=receiver.url))
    visitor.land()
    visitor.decline()
    order = visitor.buy()
    visitor.page.go_back()
    assert visitor.pay() == order
    assert len(receiver.received) == 1
