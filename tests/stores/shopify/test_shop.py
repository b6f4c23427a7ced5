"""The one reader of shop domains."""

from __future__ import annotations

import pytest

from impact_app.stores.shopify.shop import shop_domain


@pytest.mark.parametrize(
    ("text", "shop"),
    [
        ("impact-demo.myshopify.com", "impact-demo.myshopify.com"),
        ("Impact-DEMO.myshopify.com", "impact-demo.myshopify.com"),
        ("4ever.myshopify.com", "4ever.myshopify.com"),
        ("a--b.myshopify.com", "a--b.myshopify.com"),
        (f"{'a' * 63}.myshopify.com", f"{'a' * 63}.myshopify.com"),
    ],
)
def test_a_shop_domain_is_read_in_lower_case(text: str, shop: str) -> None:
    assert shop_domain(text) == shop


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "impact-demo",
        ".myshopify.com",
        "-demo.myshopify.com",
        "demo.myshopify.com\n",
        " demo.myshopify.com",
        "https://demo.myshopify.com",
        "demo.myshopify.com/admin",
        "demo.myshopify.com:443",
        "demo.myshopify.com.",
        "demo.myshopify.com.evil.com",
        "demo.myshopify.com@evil.com",
        "evil.com/demo.myshopify.com",
        "evil.com#.myshopify.com",
        "evil.com?.myshopify.com",
        "user@demo.myshopify.com",
        "a.b.myshopify.com",
        "demo_x.myshopify.com",
        "demomyshopify.com",
        "demo.myshopifyxcom",
        "demo.example.com",
        "dem\u00f6.myshopify.com",
        "\u212aelvin.myshopify.com",
        "demo\x00.myshopify.com",
        f"{'a' * 64}.myshopify.com",
        "x" * 100_000,
    ],
)
def test_everything_else_is_no_shop(text: str | None) -> None:
    assert shop_domain(text) is None
