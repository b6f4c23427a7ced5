"""Setting a shop's storefront up: the settings of the app embed, and the web pixel.

The embed reads metafields that the app owns; the pixel has its settings from `webPixelCreate`.
Source: Admin GraphQL reference 2026-10 (metafieldsSet, webPixelCreate, webPixelUpdate), seen 2026-11.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from impact_app.stores.shopify.documents import (
    CREATE_PIXEL,
    FIND_PIXEL,
    SET_METAFIELDS,
    STOREFRONT,
    UPDATE_PIXEL,
)
from impact_app.stores.shopify.errors import RequestRefused
from impact_app.stores.shopify.products import Ask

#: Under this the app embed looks for its settings (extensions/click-capture/blocks/click_capture.liquid).
NAMESPACE = "impact"

#: The app embed's file in the theme extension, by which Shopify names it.
EMBED = "click_capture"

#: What a web pixel needs to be switched on.
PIXEL_SCOPES = frozenset({"write_pixels", "read_customer_events"})

_GONE = {"NOT_FOUND"}


@dataclass(frozen=True, slots=True)
class Storefront:
    """The app in a shop: who owns its metafields, what it may do, and the shop's main domain."""

    installation: str
    scopes: frozenset[str]
    host: str


def storefront(ask: Ask) -> Storefront:
    """How the app stands in the shop now. Whatever `ask` raises passes."""
    told = ask(STOREFRONT, {})
    installation = told["currentAppInstallation"]
    scopes = frozenset(scope["handle"] for scope in installation["accessScopes"])
    return Storefront(installation["id"], scopes, told["shop"]["primaryDomain"]["host"].lower())


def set_up_embed(ask: Ask, owner: str, names: Sequence[str], days: int, domains: Sequence[str]) -> None:
    """Write the settings of the app embed. Raises `RequestRefused`, and whatever `ask` raises."""
    text, number = "single_line_text_field", "number_integer"
    fields = {
        "parameter_names": (text, ",".join(names)),
        "days_kept": (number, str(days)),
        "other_domains": (text, ",".join(domains)),
    }
    metafields = [
        {"ownerId": owner, "namespace": NAMESPACE, "key": key, "type": kind, "value": value}
        for key, (kind, value) in fields.items()
    ]
    errors = ask(SET_METAFIELDS, {"metafields": metafields})["metafieldsSet"]["userErrors"]
    if errors:
        raise RequestRefused(f"Shopify did not take the script's settings: {_words(errors)}")


def pixel_settings(app_url: str, names: Sequence[str], days: int) -> dict[str, str]:
    """The settings of the web pixel, as its TOML declares them."""
    return {"app_url": app_url, "parameter_names": ",".join(names), "days_kept": str(days)}


def connect_pixel(ask: Ask, known: str | None, settings: Mapping[str, str]) -> str:
    """Switch the web pixel on, or bring its settings up to date; its id.

    `known` is the pixel connected before. Raises `RequestRefused`, and whatever `ask` raises.
    """
    pixel = {"settings": json.dumps(settings, sort_keys=True)}
    if known is not None:
        found, errors = _said(ask(UPDATE_PIXEL, {"id": known, "pixel": pixel})["webPixelUpdate"])
        if found is not None:
            return found
        if not _codes(errors) <= _GONE:
            raise RequestRefused(f"Shopify did not take the web pixel's settings: {_words(errors)}")
    found, errors = _said(ask(CREATE_PIXEL, {"pixel": pixel})["webPixelCreate"])
    if found is not None:
        return found
    if _codes(errors) != {"TAKEN"}:
        raise RequestRefused(f"Shopify did not connect the web pixel: {_words(errors)}")
    there = str(ask(FIND_PIXEL, {})["webPixel"]["id"])
    found, errors = _said(ask(UPDATE_PIXEL, {"id": there, "pixel": pixel})["webPixelUpdate"])
    if found is None:
        raise RequestRefused(f"Shopify did not take the web pixel's settings: {_words(errors)}")
    return found


def _said(payload: Mapping[str, Any]) -> tuple[str | None, Sequence[Mapping[str, Any]]]:
    errors, pixel = payload["userErrors"], payload["webPixel"]
    return (None if errors or pixel is None else str(pixel["id"])), errors


def _codes(errors: Sequence[Mapping[str, Any]]) -> set[str]:
    return {str(error["code"]) for error in errors}


def _words(errors: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(str(error["message"]) for error in errors)[:300]
