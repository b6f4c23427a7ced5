"""What the pretend shop is: its settings and its shelf."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from ..shopify.specs import SHOP_DOMAIN, DiscountSpec


@dataclass(frozen=True, slots=True)
class Product:
    """One product with one variant; `price` in the shop's currency."""

    handle: str
    title: str
    kind: str
    price: Decimal
    sku: str
    variant_id: int
    product_id: int
    words: str

    @property
    def cents(self) -> int:
        """The price in minor units, as the Ajax API gives it."""
        return int(self.price * 100)


@dataclass(frozen=True, slots=True)
class PretendShop:
    """The shop's settings.

    `webhook_url` None means that orders are made but nobody is told. `root` is what Shopify puts into
    `Shopify.routes.root`: "/" or a market's prefix such as "/de/". `consent_required` says whether visitors
    come from a region where consent must be asked. `embed_settings` are the merchant's changes to the app
    embed's settings; names not given stay at the block's defaults. `app_metafields` are what the app has
    written under its namespace `impact`. `pixel_settings` are those of `webPixelCreate`; None means that the
    web pixel is not connected. `domains` are all hosts of the shop, with ports.
    """

    domain: str = SHOP_DOMAIN
    secret: str = "pretend-secret"  # noqa: S105 - signs pretend orders only
    webhook_url: str | None = None
    consent_required: bool = True
    root: str = "/"
    in_theme_editor: bool = False
    embed_settings: Mapping[str, object] = field(default_factory=dict)
    app_metafields: Mapping[str, object] = field(default_factory=dict)
    pixel_settings: Mapping[str, str] | None = None
    domains: tuple[str, ...] = ()


CURRENCY = "USD"
SHIPPING = Decimal("5.00")
EMAIL = "ada.buyer@example.com"

PRODUCTS = (
    Product(
        handle="stoneware-mug",
        title="Stoneware mug",
        kind="Mugs",
        price=Decimal("14.00"),
        sku="MUG-1",
        variant_id=51_000_000_000_001,
        product_id=9_800_000_000_001,
        words="Thrown by hand, glazed in oat. Holds a generous morning.",
    ),
    Product(
        handle="oak-board",
        title="Oak board",
        kind="Boards",
        price=Decimal("33.00"),
        sku="BOARD-1",
        variant_id=51_000_000_000_002,
        product_id=9_800_000_000_002,
        words="One piece of oak, oiled twice. For bread, or for looking at.",
    ),
    Product(
        handle="linen-towel",
        title="Linen towel",
        kind="Linen",
        price=Decimal("9.50"),
        sku="TOWEL-1",
        variant_id=51_000_000_000_003,
        product_id=9_800_000_000_003,
        words="Washed linen that dries a kitchen and then itself.",
    ),
    Product(
        handle="wool-throw",
        title="Wool throw",
        kind="Throws",
        price=Decimal("89.00"),
        sku="THROW-1",
        variant_id=51_000_000_000_004,
        product_id=9_800_000_000_004,
        words="Undyed lambswool, woven for the end of the day.",
    ),
)

BY_HANDLE = {product.handle: product for product in PRODUCTS}
BY_VARIANT = {product.variant_id: product for product in PRODUCTS}

PROMO_CODES = {
    "WELCOME10": DiscountSpec(name="WELCOME10", value=Decimal(10)),
    "FIVE": DiscountSpec(name="FIVE", value=Decimal(5), value_type="fixed_amount"),
}
