"""The one reader of a shop's domain; whatever comes from outside passes through here."""

from __future__ import annotations

import re

from shopify.utils.shop_url import sanitize_shop_domain

# The name is one DNS label, so at most 63 characters.
_SHOP = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9-]{0,62}\.myshopify\.com", re.ASCII)


def checked_shop(text: str) -> str:
    """`text` as a shop's domain. Raises ValueError."""
    shop = shop_domain(text)
    if shop is None:
        raise ValueError(f"{text!r} is no domain such as example.myshopify.com.")
    return shop


def shop_domain(text: str | None) -> str | None:
    """`text` in lower case if it is a permanent shop domain and nothing else, otherwise None.

    Source: shopify.dev/docs/apps/build/authentication-authorization, seen 2026-11.
    """
    # ShopifyAPI's reader cuts white space, paths and schemes off and lowers the Kelvin sign to a "k", so
    # it only gets to see what is a shop domain already. It also refuses names that end in a hyphen.
    if text is None or not _SHOP.fullmatch(text):
        return None
    shop: str | None = sanitize_shop_domain(text)
    return shop
