"""Carts, and what Shopify's Ajax API does with them (shopify.dev, Ajax API, seen 2026)."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .shop import BY_VARIANT, CURRENCY, Product

MOST_OF_ONE = 99


class CartError(ValueError):
    """The shop cannot do this to a cart; the message is for the shopper."""


@dataclass(slots=True)
class CartLine:
    product: Product
    quantity: int
    properties: dict[str, str] = field(default_factory=dict)

    @property
    def cents(self) -> int:
        return self.product.cents * self.quantity

    @property
    def key(self) -> str:
        """The variant and what tells its lines apart."""
        told_apart = json.dumps(sorted(self.properties.items())).encode()
        return f"{self.product.variant_id}:{hashlib.sha256(told_apart).hexdigest()[:32]}"


@dataclass(slots=True)
class Cart:
    """One shopper's cart; amounts in minor units of the shop's currency.

    `key` is the secret part of the cart's id in the Storefront API.
    """

    token: str = field(default_factory=lambda: secrets.token_hex(16))
    key: str = field(default_factory=lambda: secrets.token_hex(16))
    lines: list[CartLine] = field(default_factory=list)
    attributes: dict[str, str] = field(default_factory=dict)
    note: str = ""

    @property
    def cents(self) -> int:
        return sum(line.cents for line in self.lines)

    @property
    def items(self) -> int:
        return sum(line.quantity for line in self.lines)

    def add(self, variant: object, quantity: object, properties: Mapping[str, object]) -> CartLine:
        """Put a variant in; the same variant with the same properties adds to its line.

        Raises CartError for a variant the shop does not have or a quantity that is none.
        """
        product = BY_VARIANT.get(_number(variant))
        if product is None:
            raise CartError("This product is no longer in the shop. Choose another one.")
        texts = {name: str(value) for name, value in properties.items() if value not in (None, "")}
        for line in self.lines:
            if line.product == product and line.properties == texts:
                line.quantity = _quantity(line.quantity + _quantity(quantity))
                return line
        line = CartLine(product, _quantity(quantity), texts)
        self.lines.append(line)
        return line

    def merge(self, attributes: Mapping[str, object]) -> None:
        """Take over the keys given and leave the others; an empty value removes its key."""
        for name, value in attributes.items():
            if value in (None, ""):
                self.attributes.pop(name, None)
            else:
                self.attributes[name] = str(value)

    def change(self, key: object, quantity: object, properties: object) -> None:
        """Another quantity and, where given, other properties for the line of this key.

        Raises CartError for a key that no line has.
        """
        line = next((line for line in self.lines if line.key == key), None)
        if line is None:
            raise CartError("This line is no longer in the cart.")
        self.lines.remove(line)
        texts = line.properties if properties is None else properties
        if not isinstance(texts, dict):
            raise CartError("Give the properties as names with values.")
        if _number(quantity) != 0:
            self.add(line.product.variant_id, quantity, texts)

    def set_quantities(self, quantities: list[object]) -> None:
        """New quantities in the order of the lines; nought removes a line."""
        for line, quantity in zip(list(self.lines), quantities, strict=False):
            if _number(quantity) == 0:
                self.lines.remove(line)
            else:
                line.quantity = _quantity(quantity)

    def shown(self) -> dict[str, Any]:
        """The cart as `cart.js` shows it: private attributes, those with two underscores, are left out."""
        public = {name: value for name, value in self.attributes.items() if not name.startswith("__")}
        return {
            "token": self.token,
            "note": self.note,
            "attributes": public,
            "original_total_price": self.cents,
            "total_price": self.cents,
            "total_discount": 0,
            "total_weight": 0,
            "item_count": self.items,
            "items": [line_shown(line) for line in self.lines],
            "requires_shipping": bool(self.lines),
            "currency": CURRENCY,
            "items_subtotal_price": self.cents,
            "cart_level_discount_applications": [],
        }


def line_shown(line: CartLine) -> dict[str, Any]:
    """A cart line as the Ajax API shows it, prices in minor units."""
    product = line.product
    return {
        "id": product.variant_id,
        "key": line.key,
        "variant_id": product.variant_id,
        "product_id": product.product_id,
        "title": product.title,
        "product_title": product.title,
        "product_type": product.kind,
        "handle": product.handle,
        "sku": product.sku,
        "quantity": line.quantity,
        "properties": line.properties,
        "price": product.cents,
        "final_price": product.cents,
        "line_price": line.cents,
        "final_line_price": line.cents,
        "url": f"/products/{product.handle}",
        "requires_shipping": True,
        "gift_card": False,
    }


def _number(value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        return -1


def _quantity(value: object) -> int:
    number = _number(value)
    if not 1 <= number <= MOST_OF_ONE:
        raise CartError(f"Give a quantity between 1 and {MOST_OF_ONE}.")
    return number
