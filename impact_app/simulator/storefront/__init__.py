"""A pretend storefront: a small shop that loads the theme app extension as Shopify would, and takes orders.

Its checkout posts the signed orders/paid webhook to the app, so that the way from partner link to booked
conversion can be walked in a browser with no account anywhere.
"""

from .pages import create_storefront
from .sales import Sale, Sales
from .serving import RunningStorefront, running_storefront, serve
from .shop import PretendShop

__all__ = [
    "PretendShop",
    "RunningStorefront",
    "Sale",
    "Sales",
    "create_storefront",
    "running_storefront",
    "serve",
]
