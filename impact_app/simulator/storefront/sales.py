"""From cart to paid order: the shop's memory, and the orders/paid webhook."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field, replace
from typing import Any

import requests

from ..shopify.deliveries import post
from ..shopify.orders import encode, order_body
from ..shopify.specs import CustomerSpec, DiscountSpec, LineSpec, OrderSpec
from ..shopify.themes import EMBED, Theme
from .carts import Cart, CartLine
from .shop import CURRENCY, SHIPPING, PretendShop

WALLET_LANDING = "/wallets/checkouts.json"


@dataclass(frozen=True, slots=True)
class Checkout:
    """What a checkout took over from the cart when it was opened; later changes to the cart pass it by.

    `cart_token` None is a "Buy it now", which takes one line and no cart attributes (Help Center, 2024).
    `by_wallet` is an accelerated checkout, whose orders name the wallet's own address as the landing site.
    """

    token: str
    lines: tuple[CartLine, ...]
    attributes: tuple[tuple[str, str], ...]
    cart_token: str | None
    by_wallet: bool = False

    @property
    def cents(self) -> int:
        return sum(line.cents for line in self.lines)


@dataclass(frozen=True, slots=True)
class Sale:
    """A paid order: Shopify's body of it, and what became of telling the app (in words)."""

    body: dict[str, Any]
    told: str


@dataclass(frozen=True, slots=True)
class Visitor:
    """What the checkout knows of the shopper; `landing_site` is None unless the visitor agreed to it."""

    email: str
    landing_site: str | None
    referring_site: str | None
    browser_ip: str | None
    user_agent: str | None


@dataclass(slots=True)
class Sales:
    """The shop's memory: open carts, checkouts, and sales by checkout token. It ends with the process.

    `faults` are met by the next calls of `cart/update.js`, one each: "too_many" is answered 429, "bot_check"
    with a page of HTML, and "lost" as if done, while another script's older copy of the cart is kept.
    `theme` is the published one, whose editor switches the app embed.
    """

    carts: dict[str, Cart] = field(default_factory=dict)
    checkouts: dict[str, Checkout] = field(default_factory=dict)
    made: dict[str, Sale] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    theme: Theme = field(default_factory=lambda: Theme(blocks={EMBED: True}))
    lock: threading.Lock = field(default_factory=threading.Lock)
    till: threading.Lock = field(default_factory=threading.Lock)

    def cart(self, token: str | None) -> Cart:
        """The cart of this token, or a new one that is not kept yet."""
        return self.carts.get(token or "") or Cart()

    def open_checkout(self, cart: Cart, *, buy_now: bool = False, by_wallet: bool = False) -> Checkout:
        checkout = Checkout(
            token=secrets.token_hex(16),
            lines=tuple(replace(line) for line in cart.lines),
            attributes=() if buy_now else tuple(cart.attributes.items()),
            cart_token=None if buy_now else cart.token,
            by_wallet=by_wallet,
        )
        self.checkouts[checkout.token] = checkout
        return checkout

    def pay(
        self, shop: PretendShop, checkout: Checkout, visitor: Visitor, discount: DiscountSpec | None
    ) -> Sale:
        """Make the order, once for each checkout, end the cart and tell the app."""
        with self.till:
            if checkout.token not in self.made:
                body = _body(shop, checkout, visitor, discount)
                self.made[checkout.token] = Sale(body, _tell(shop, body))
                self.carts.pop(checkout.cart_token or "", None)
            return self.made[checkout.token]


def _body(
    shop: PretendShop, checkout: Checkout, visitor: Visitor, discount: DiscountSpec | None
) -> dict[str, Any]:
    spec = OrderSpec(
        lines=tuple(_line(line) for line in checkout.lines),
        discounts=(discount,) if discount else (),
        currency=CURRENCY,
        shipping=SHIPPING,
        note_attributes=checkout.attributes,
        customer=CustomerSpec(email=visitor.email),
        email=visitor.email,
        buy_now=checkout.cart_token is None,
        landing_site=WALLET_LANDING if checkout.by_wallet else visitor.landing_site,
        referring_site=visitor.referring_site,
        browser_ip=visitor.browser_ip,
        user_agent=visitor.user_agent,
        shop_domain=shop.domain,
    )
    tokens = {"cart_token": checkout.cart_token, "checkout_token": checkout.token}
    return {**order_body(spec), **tokens}


def _line(line: CartLine) -> LineSpec:
    product = line.product
    return LineSpec(
        sku=product.sku,
        title=product.title,
        price=product.price,
        quantity=line.quantity,
        product_id=product.product_id,
        variant_id=product.variant_id,
        properties=tuple(line.properties.items()),
    )


def _tell(shop: PretendShop, body: dict[str, Any]) -> str:
    if shop.webhook_url is None:
        return "Nobody was told: the pretend shop was started without a webhook address."
    try:
        answer = post(shop.webhook_url, "orders/paid", shop.domain, encode(body), shop.secret)
    except requests.RequestException as error:
        return (
            f"The app did not answer ({type(error).__name__}). Shopify would try again for four hours; "
            "the pretend shop does not. Start the app and buy again."
        )
    if answer.ok:
        return f"The app took the order: it answered {answer.status_code}."
    return f"The app refused the order: it answered {answer.status_code}. Its log says why."
