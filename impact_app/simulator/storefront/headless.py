"""The same shop as a headless storefront: pages of its own, and the part of the Storefront API they use.

The three operations answer as the Storefront API 2026-10 does; in particular `cartAttributesUpdate` replaces
the list, and a cart is known by its whole id only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import (
    Blueprint,
    Response,
    current_app,
    jsonify,
    redirect,
    render_template,
    request,
    send_from_directory,
)
from werkzeug.wrappers import Response as WerkzeugResponse

from .carts import Cart
from .sales import Sales
from .shop import PRODUCTS

MODULE = Path(__file__).resolve().parents[3] / "storefront"

headless = Blueprint("headless", __name__)


@headless.get("/headless")
def page() -> str:
    return render_template("headless.html", product=PRODUCTS[0])


@headless.get("/module/<name>")
def module(name: str) -> Response:
    """The module for headless storefronts, as it stands in the repository."""
    return send_from_directory(MODULE, name)


@headless.get("/headless/checkout/<token>")
def begin(token: str) -> WerkzeugResponse | tuple[str, int]:
    """A cart's `checkoutUrl`."""
    cart = _sales().carts.get(token)
    if cart is None or not cart.lines:
        return render_template("lost.html", title="Nothing here", words="There is no such cart."), 404
    return redirect(f"/checkouts/{_sales().open_checkout(cart).token}")


@headless.post("/api/2026-10/graphql.json")
def graphql() -> Response:
    asked: dict[str, Any] = request.get_json()
    document, variables = str(asked["query"]), asked.get("variables") or {}
    if "cartCreate(" in document:
        return jsonify({"data": {"cartCreate": {"cart": _made(variables["input"]), "userErrors": []}}})
    cart = _by_id(variables["id"])
    if "cartAttributesUpdate(" in document:
        return jsonify({"data": {"cartAttributesUpdate": _updated(cart, variables["attributes"])}})
    return jsonify({"data": {"cart": _shown(cart) if cart else None}})


def _made(given: dict[str, Any]) -> dict[str, Any]:
    cart = Cart()
    for line in given.get("lines", []):
        cart.add(line["merchandiseId"].rpartition("/")[2], line.get("quantity", 1), {})
    cart.attributes = {pair["key"]: pair["value"] for pair in given.get("attributes", [])}
    _sales().carts[cart.token] = cart
    return _shown(cart)


def _updated(cart: Cart | None, attributes: list[dict[str, str]]) -> dict[str, Any]:
    if cart is None:
        fault = {"code": "INVALID", "field": ["cartId"], "message": "The specified cart does not exist."}
        return {"cart": None, "userErrors": [fault]}
    cart.attributes = {pair["key"]: pair["value"] for pair in attributes}
    return {"cart": _shown(cart), "userErrors": []}


def _by_id(cart_id: str) -> Cart | None:
    """The cart of a whole id; one without its secret part is nobody's."""
    token, _, key = cart_id.removeprefix("gid://shopify/Cart/").partition("?key=")
    cart = _sales().carts.get(token)
    return cart if cart and cart.key == key else None


def _shown(cart: Cart) -> dict[str, Any]:
    return {
        "id": f"gid://shopify/Cart/{cart.token}?key={cart.key}",
        "checkoutUrl": f"{request.host_url}headless/checkout/{cart.token}",
        "attributes": [{"key": key, "value": value} for key, value in cart.attributes.items()],
    }


def _sales() -> Sales:
    sales: Sales = current_app.config["SALES"]
    return sales
