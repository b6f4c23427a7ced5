"""The pretend storefront's pages and its Ajax cart, under the paths Shopify uses."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    current_app,
    g,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    send_from_directory,
    url_for,
)
from markupsafe import Markup
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as WerkzeugResponse

from ..shopify.themes import EMBED
from .carts import Cart, CartError, CartLine, line_shown
from .embed import ASSETS, BUILT, render_embed
from .headless import headless
from .sales import Checkout, Sales, Visitor
from .shop import BY_HANDLE, EMAIL, PRODUCTS, PROMO_CODES, SHIPPING, PretendShop

CART_SECONDS = 14 * 24 * 3600
ASSET_BASE = "/cdn/extensions/click-capture/assets/"
LANDING_PAGES = {"theme.home", "theme.product", "theme.permalink"}
#: A cart permalink: variants with quantities (Shopify's help, cart permalinks).
PERMALINK = re.compile(r"\d+:\d+(,\d+:\d+)*")
Answer = WerkzeugResponse | str | tuple[str | WerkzeugResponse, int]

theme = Blueprint("theme", __name__)
checkout = Blueprint("checkout", __name__)


def create_storefront(shop: PretendShop, sales: Sales | None = None) -> Flask:
    """The shop as a Flask app; `sales` is its memory, given when the caller wants to look into it.

    Raises ValueError for embed settings the extension does not have.
    """
    app = Flask(__name__, static_url_path="/pretend")
    memory = sales or Sales()
    app.config.update(SHOP=shop, SALES=memory, LANDINGS={}, MAX_CONTENT_LENGTH=1_000_000)
    app.register_blueprint(theme, url_prefix=shop.root.rstrip("/") or None)
    app.register_blueprint(checkout)
    app.register_blueprint(headless)
    app.register_error_handler(CartError, _refused)
    app.register_error_handler(HTTPException, _lost)
    app.add_template_filter(_money, "money")
    embed = render_embed(ASSET_BASE, shop.embed_settings, shop.app_metafields)
    shown = {"shop": shop, "embed": Markup(embed.html)}  # noqa: S704 - our own block

    @app.context_processor
    def show() -> dict[str, Any]:
        target = embed.target if memory.theme.blocks.get(EMBED) else None
        return {**shown, "embed_target": target, "elsewhere": _elsewhere(shop)}

    return app


# --- the theme -------------------------------------------------------------------------------------------


@theme.before_request
def remember_landing() -> None:
    """Note the first page of a visit, which Shopify may put on the order as its landing site."""
    g.visit = request.cookies.get("_visit") or secrets.token_hex(8)
    if request.method == "GET" and request.endpoint in LANDING_PAGES:
        page = request.full_path.rstrip("?")
        current_app.config["LANDINGS"].setdefault(g.visit, (page, request.referrer))


@theme.after_request
def remember_visit(response: Response) -> Response:
    response.set_cookie("_visit", g.visit, httponly=True, samesite="Lax")
    return response


@theme.get("/")
def home() -> Answer:
    return render_template("home.html", products=PRODUCTS, cart=_cart())


@theme.get("/products/<handle>")
def product(handle: str) -> Answer:
    return render_template("product.html", product=BY_HANDLE.get(handle) or abort(404), cart=_cart())


@theme.get("/cart")
def cart_page() -> Answer:
    return render_template("cart.html", cart=_cart())


@theme.post("/cart")
def change_cart() -> Answer:
    """The cart page's form: `updates[]`, and `checkout` when that button was pressed."""
    cart = _cart()
    cart.set_quantities(list(request.form.getlist("updates[]")))
    return redirect(url_for("checkout.begin" if "checkout" in request.form else "theme.cart_page"), 303)


@theme.post("/cart/add")
def add() -> Answer:
    cart = _cart()
    cart.add(request.form.get("id"), request.form.get("quantity", 1), _properties())
    return _keep(cart, redirect(url_for("theme.cart_page"), 303))


@theme.post("/buy-now")
def buy_now() -> Answer:
    """A dynamic checkout button: straight to a checkout of one line, past the cart and its attributes."""
    alone = Cart()
    alone.add(request.form.get("id"), request.form.get("quantity", 1), _properties())
    opened = _sales().open_checkout(alone, buy_now=True)
    return redirect(url_for("checkout.page", token=opened.token), 303)


@theme.post("/wallets/express")
def express() -> Answer:
    """An accelerated checkout button below the cart: the cart as it was saved, whatever the form says."""
    cart = _cart()
    if not cart.lines:
        return redirect(url_for("theme.cart_page"), 303)
    opened = _sales().open_checkout(cart, by_wallet=True)
    return redirect(url_for("checkout.page", token=opened.token), 303)


@theme.get("/cart/<permalink>")
def permalink(permalink: str) -> Answer:
    """Straight to a checkout of a cart of its own, with the attributes that the address gives it."""
    if not PERMALINK.fullmatch(permalink):
        abort(404)
    cart = Cart()
    for part in permalink.split(","):
        variant, _, quantity = part.partition(":")
        cart.add(variant, quantity, {})
    cart.merge(_named("attributes", request.args))
    _sales().carts[cart.token] = cart
    return redirect(url_for("checkout.page", token=_sales().open_checkout(cart).token))


@theme.get("/cart.js")
def cart_json() -> Answer:
    return jsonify(_cart().shown())


@theme.post("/cart/add.js")
def add_json() -> Answer:
    """One item (`id`, `quantity`, `properties`) or several under `items`."""
    cart, asked = _cart(), _asked()
    wanted = asked.get("items", [asked])
    if not isinstance(wanted, list) or not all(isinstance(item, dict) for item in wanted):
        raise CartError("Give the items as a list.")
    shown = [line_shown(_add(cart, item)) for item in wanted]
    return _keep(cart, jsonify({"items": shown} if "items" in asked else shown[0]))


@theme.post("/cart/change.js")
def change_json() -> Answer:
    """One line, by the `key` that the cart shows as its `id`: a new quantity, and new properties in full."""
    cart, asked = _cart(), _asked()
    with _sales().lock:
        cart.change(asked.get("id"), asked.get("quantity"), asked.get("properties"))
    return _keep(cart, jsonify(cart.shown()))


@theme.post("/cart/update.js")
def update_json() -> Answer:
    """Merge `attributes` into the cart, set the `note`; an empty cart is made where there was none."""
    cart, asked = _cart(), _asked()
    attributes = asked.get("attributes", {})
    if not isinstance(attributes, dict):
        raise CartError("Give the attributes as names with values.")
    fault = _sales().faults.pop(0) if _sales().faults else None
    if fault == "too_many":
        return jsonify({"status": 429, "message": "Too many requests"}), 429
    if fault == "bot_check":
        return "<!doctype html><title>Are you human?</title>"
    with _sales().lock:
        older = dict(cart.attributes)
        cart.merge(attributes)
        cart.note = str(asked.get("note", cart.note))
        shown = cart.shown()
        cart.attributes = older if fault == "lost" else cart.attributes
    return _keep(cart, jsonify(shown))


# --- partner link, checkout, assets -----------------------------------------------------------------------


@checkout.get("/go")
def partner_link() -> Answer:
    """A partner's link, as impact.com's tracking domain answers it: on to the shop with a click id.

    `click` is made up when absent; `param` is its name (default im_ref); `product` a handle to land on.
    """
    click = request.args.get("click") or secrets.token_urlsafe(24)
    query = urlencode({request.args.get("param", "im_ref"): click, "irgwc": "1"})
    handle = request.args.get("product")
    landing = url_for("theme.product", handle=handle) if handle in BY_HANDLE else url_for("theme.home")
    return redirect(f"{landing}?{query}")


@checkout.route("/admin/themes/current/editor", methods=["GET", "POST"])
def theme_editor() -> Answer:
    """Where the merchant switches app embeds on and off; nothing counts before it is saved."""
    theme, saved = _sales().theme, request.method == "POST"
    if saved:
        theme.switch(EMBED, is_on="embed" in request.form)
    return render_template("theme_editor.html", is_on=theme.blocks.get(EMBED), saved=saved)


@checkout.get("/checkout")
def begin() -> Answer:
    cart = _cart()
    if not cart.lines:
        return redirect(url_for("theme.cart_page"))
    return redirect(url_for("checkout.page", token=_sales().open_checkout(cart).token))


@checkout.get("/checkouts/<token>")
def page(token: str) -> Answer:
    return _checkout_page(_checkout(token))


@checkout.post("/checkouts/<token>")
def pay(token: str) -> Answer:
    opened = _checkout(token)
    code = request.form.get("code", "").strip().upper()
    if code and code not in PROMO_CODES:
        problem = f"The shop does not know the code {code[:40]}. Try WELCOME10, or leave it empty."
        return _checkout_page(opened, problem), 422
    _sales().pay(_shop(), opened, _visitor(), PROMO_CODES.get(code))
    response = redirect(url_for("checkout.thank_you", token=token), 303)
    if opened.cart_token and request.cookies.get("cart") == opened.cart_token:
        response.delete_cookie("cart")
    return response


@checkout.get("/checkouts/<token>/thank-you")
def thank_you(token: str) -> Answer:
    sale = _sales().made.get(token)
    if sale is None:
        return redirect(url_for("checkout.page", token=token))
    return render_template(
        "thank_you.html", order=sale.body, told=sale.told, event=_event("checkout_completed", token)
    )


@checkout.get(ASSET_BASE + "<path:name>")
def extension_asset(name: str) -> Answer:
    return send_from_directory(ASSETS, name)


@checkout.get("/wpm/click-pixel.js")
def pixel() -> Answer:
    return send_from_directory(BUILT, "click-pixel.js")


# --- what the pages share ---------------------------------------------------------------------------------


def _shop() -> PretendShop:
    shop: PretendShop = current_app.config["SHOP"]
    return shop


def _elsewhere(shop: PretendShop) -> str | None:
    """The same shop under its other domain."""
    other = next((domain for domain in shop.domains if domain != request.host), None)
    return f"http://{other}{shop.root}" if other else None


def _sales() -> Sales:
    sales: Sales = current_app.config["SALES"]
    return sales


def _cart() -> Cart:
    return _sales().cart(request.cookies.get("cart"))


def _checkout(token: str) -> Checkout:
    return _sales().checkouts.get(token) or abort(404)


def _checkout_page(opened: Checkout, problem: str | None = None) -> str:
    return render_template(
        "checkout.html",
        checkout=opened,
        problem=problem,
        shipping=int(SHIPPING * 100),
        email=request.form.get("email", EMAIL),
        code=request.form.get("code", ""),
        event=_event("checkout_started", opened.token),
    )


def _event(name: str, token: str) -> dict[str, Any]:
    """A customer event as a web pixel gets it (Web Pixels API, `checkout_started`, `checkout_completed`)."""
    opened, sale = _checkout(token), _sales().made.get(token)
    told = {
        "token": token,
        "attributes": [{"key": name, "value": value} for name, value in opened.attributes],
        "order": {"id": str(sale.body["id"]) if sale else None, "customer": None},
    }
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"id": secrets.token_hex(8), "name": name, "timestamp": now, "data": {"checkout": told}}


def _keep(cart: Cart, response: WerkzeugResponse) -> WerkzeugResponse:
    _sales().carts[cart.token] = cart
    # Scripts may read Shopify's cart cookie.
    response.set_cookie("cart", cart.token, max_age=CART_SECONDS, samesite="Lax")
    return response


def _asked() -> dict[str, Any]:
    """The JSON object or form of an Ajax call; raises CartError when it is neither."""
    if not request.is_json:
        return {**request.form.to_dict(), "properties": _properties()}
    try:
        asked = json.loads(request.get_data())
    except ValueError:
        asked = None
    if not isinstance(asked, dict):
        raise CartError("Send a JSON object.")
    return asked


def _add(cart: Cart, item: Mapping[str, Any]) -> CartLine:
    properties = item.get("properties") or {}
    if not isinstance(properties, dict):
        raise CartError("Give the properties as names with values.")
    return cart.add(item.get("id"), item.get("quantity", 1), properties)


def _properties() -> Mapping[str, str]:
    return _named("properties", request.form)


def _named(group: str, given: Mapping[str, str]) -> dict[str, str]:
    """The members of a group such as `properties[_im_ref]`, by the name in brackets."""
    return {
        name.removeprefix(f"{group}[").removesuffix("]"): value
        for name, value in given.items()
        if name.startswith(f"{group}[")
    }


def _visitor() -> Visitor:
    landing: tuple[str | None, str | None] = (None, None)
    decided = request.cookies.get("_consent")
    # Shopify records a visit's landing page only as far as the visitor agreed.
    if "m1" in decided if decided else not _shop().consent_required:
        landing = current_app.config["LANDINGS"].get(request.cookies.get("_visit"), landing)
    return Visitor(
        email=request.form.get("email", "").strip()[:200] or EMAIL,
        landing_site=landing[0],
        referring_site=landing[1],
        browser_ip=request.remote_addr,
        user_agent=request.headers.get("User-Agent"),
    )


def _refused(error: CartError) -> Answer:
    if request.path.endswith(".js"):
        return jsonify({"status": 422, "message": "Cart Error", "description": str(error)}), 422
    return render_template("lost.html", title="That did not work", words=str(error)), 422


def _lost(error: HTTPException) -> Answer:
    title, words = "That did not work", "The shop could not do that. Go back and try again."
    if error.code == 404:
        title = "Nothing here"
        words = "There is nothing here. The shop forgets carts and checkouts when it is started anew."
    return make_response(render_template("lost.html", title=title, words=words), error.code)


def _money(cents: int) -> str:
    return f"${Decimal(cents).scaleb(-2):,.2f}"
