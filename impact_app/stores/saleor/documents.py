"""Every GraphQL document this app hands to a Saleor, made for the version that will read it.

A field that a Saleor does not know makes a whole installation fail, so each version gets what it has:

    3.20   amounts as JSON numbers; a line's own discounts are not told
    3.21   and a line's own discounts
    3.22   and amounts in the smallest unit, in events; orders listed by `where`

A test holds every document against Saleor's own schema of every version. The names and aliases are those that
`payloads.py` reads.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Version(NamedTuple):
    """A Saleor's release line."""

    major: int
    minor: int


#: The release lines the manifest claims; one after the newest known gets the documents of the newest.
OLDEST, NEWEST = Version(3, 20), Version(3, 23)

_LINE_DISCOUNTS, _MINOR_UNITS, _WHERE = Version(3, 21), Version(3, 22), Version(3, 22)

#: The events the manifest asks for, as GraphQL's enum and types name them.
EVENTS = {
    "ORDER_CREATED": "OrderCreated",
    "ORDER_CONFIRMED": "OrderConfirmed",
    "ORDER_FULLY_PAID": "OrderFullyPaid",
    "ORDER_UPDATED": "OrderUpdated",
    "ORDER_CANCELLED": "OrderCancelled",
    "ORDER_REFUNDED": "OrderRefunded",
    "ORDER_FULLY_REFUNDED": "OrderFullyRefunded",
    "ORDER_METADATA_UPDATED": "OrderMetadataUpdated",
}

#: Who installs, asked with a token that is to be proved.
INSTALLATION = "query Installation { app { id name permissions { code } } shop { name version } }"


def read_version(text: str | None) -> Version:
    """The release line in a version such as "3.22" or "3.23.28", within those known.

    The oldest where it cannot be read, since its fields are known to every later one.
    """
    found = re.match(r"(\d{1,3})\.(\d{1,4})", text or "", re.ASCII)
    if found is None:
        return OLDEST
    return min(max(Version(int(found[1]), int(found[2])), OLDEST), NEWEST)


def subscription(version: Version) -> str:
    """What the webhook of the manifest sends: for an order's event the whole order."""
    orders = "\n    ".join(f"... on {name} {{ order {{ ...ConvertedOrder }} }}" for name in EVENTS.values())
    return f"""subscription ImpactConversions {{
  event {{
    __typename
    issuedAt
    version
    recipient {{ id }}
    {orders}
    ... on AppDeleted {{ app {{ id }} }}
  }}
}}
{_order(version, in_units=True)}"""


def order_by_id(version: Version) -> str:
    return f"query OrderById($id: ID!) {{ order(id: $id) {{ ...ConvertedOrder }} }}\n{_order(version)}"


def orders_changed(version: Version) -> str:
    """A page of orders by their last change; `$range` has `gte` and `lte`."""
    return _listing("OrdersChanged", "updatedAt", "DateTimeRangeInput", "LAST_MODIFIED_AT", version)


def orders_placed(version: Version) -> str:
    """A page of orders by when they were placed; before Saleor 3.22 `$range` is of whole days."""
    if version >= _WHERE:
        return _listing("OrdersPlaced", "createdAt", "DateTimeRangeInput", "CREATED_AT", version)
    return _listing("OrdersPlaced", "created", "DateRangeInput", "CREATED_AT", version)


def takes_days(version: Version) -> bool:
    """Whether `orders_placed` takes dates instead of moments."""
    return version < _WHERE


def failed_deliveries() -> str:
    """Deliveries of this app's own webhooks that Saleor has given up or still tries, the newest first."""
    return """query FailedDeliveries {
  app {
    webhooks {
      eventDeliveries(first: 100, sortBy: { field: CREATED_AT, direction: DESC }) {
        edges { node { id status payload } }
      }
    }
  }
}"""


def _listing(name: str, field: str, kind: str, sort: str, version: Version) -> str:
    chooser = "where" if version >= _WHERE else "filter"
    return f"""query {name}($first: Int!, $after: String, $range: {kind}!) {{
  orders(
    first: $first, after: $after, {chooser}: {{ {field}: $range }}
    sortBy: {{ field: {sort}, direction: ASC }}
  ) {{
    totalCount
    pageInfo {{ hasNextPage endCursor }}
    edges {{ node {{ ...ConvertedOrder }} }}
  }}
}}
{_order(version)}"""


def _order(version: Version, *, in_units: bool = False) -> str:
    """The order's fields. An amount beyond 32 bits cannot be told in units, and takes its order away with it;
    what is asked for later is therefore asked for in digits alone, which are as exact.
    """
    units = " fractionalAmount fractionDigits" if in_units and version >= _MINOR_UNITS else ""
    total = "total { ...Sum }" if version >= _LINE_DISCOUNTS else "amount { ...Sum }"
    discounts = f"discounts {{ id type name {total} }}" if version >= _LINE_DISCOUNTS else ""
    return f"""fragment Sum on Money {{ amount{units} }}
fragment Taxed on TaxedMoney {{ gross {{ ...Sum }} net {{ ...Sum }} }}
fragment ConvertedOrder on Order {{
  id number checkoutId origin created updatedAt status chargeStatus authorizeStatus isPaid
  userEmail user {{ id }}
  channel {{ slug currencyCode taxConfiguration {{ pricesEnteredWithTax }} }}
  metadata {{ key value }} privateMetadata {{ key value }}
  billingAddress {{ country {{ code }} }}
  shippingAddress {{ country {{ code }} }}
  total {{ ...Taxed }} subtotal {{ ...Taxed }} shippingPrice {{ ...Taxed }}
  totalCharged {{ ...Sum }} totalRefunded {{ ...Sum }}
  discounts {{ id type name reason {total} }}
  voucherCode voucher {{ code type applyOncePerOrder }}
  grantedRefunds {{
    status amount {{ ...Sum }} shippingCostsIncluded lines {{ quantity orderLine {{ id }} }}
  }}
  fulfillments {{
    status totalRefundedAmount {{ ...Sum }} shippingRefundedAmount {{ ...Sum }}
    lines {{ quantity orderLine {{ id }} }}
  }}
  lines {{
    id productName productSku productVariantId quantity isGift voucherCode saleId
    undiscountedUnitPrice {{ ...Taxed }} totalPrice {{ ...Taxed }}
    {discounts}
    metadata {{ key value }}
    variant {{
      sku externalReference
      product {{ id category {{ name parent {{ name }} }} productType {{ name kind }} }}
    }}
  }}
}}
"""
