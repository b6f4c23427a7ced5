"""Every GraphQL document sent to Shopify; a test validates each against both schema files.

`api.py` repeats what got no answer, so what stands here must survive that: queries, a mutation that only
begins an export, and those that set something to what it is to be.
"""

from __future__ import annotations

#: Product facts by id. Requested cost is a few points a product; ask for at most 100 at once.
PRODUCT_FACTS = """
query ProductFacts($ids: [ID!]!) {
  nodes(ids: $ids) {
    ... on Product {
      id
      productType
      category {
        fullName
      }
    }
  }
}
"""

_both_sides = """
  shopMoney {
    amount
    currencyCode
  }
  presentmentMoney {
    amount
    currencyCode
  }
"""

_both = f"""
fragment Both on MoneyBag {{{_both_sides}}}
"""

_line_selection = """
  id
  title
  sku
  vendor
  quantity
  currentQuantity
  isGiftCard
  product {
    legacyResourceId
  }
  variant {
    legacyResourceId
  }
  customAttributes {
    key
    value
  }
  originalUnitPriceSet {
    ...Both
  }
  discountAllocations {
    ...AllocationFields
  }
  taxLines {
    priceSet {
      ...Both
    }
  }
"""

_allocation_selection = """
  allocatedAmountSet {
    ...Both
  }
  discountApplication {
    index
  }
"""

_line_fields = f"""
fragment LineFields on LineItem {{{_line_selection}}}
fragment AllocationFields on DiscountAllocation {{{_allocation_selection}}}
"""

_refund_line_fields = """
fragment RefundLineFields on RefundLineItem {
  quantity
  lineItem {
    id
  }
  subtotalSet {
    ...Both
  }
  totalTaxSet {
    ...Both
  }
}
"""

# Not asked for: `discountedTotalSet`, `discountedUnitPriceSet`, `totalDiscountSet`, each of which leaves some
# discounts out; the allocations are complete. `$customer` needs the scope `read_customers`, `$contact` the
# approval for protected customer data; a field that may not be read would refuse the whole answer.
_order_selection = """
  legacyResourceId
  name
  number
  test
  createdAt
  processedAt
  updatedAt
  cancelledAt
  cancelReason
  displayFinancialStatus
  sourceName
  currencyCode
  presentmentCurrencyCode
  taxesIncluded
  discountCodes
  checkoutToken
  cartToken
  customAttributes {
    key
    value
  }
  customerJourneySummary {
    ready
    firstVisit {
      landingPage
    }
    lastVisit {
      landingPage
    }
  }
  subtotalPriceSet {
    ...Both
  }
  currentSubtotalPriceSet {
    ...Both
  }
  totalTipReceivedSet {
    ...Both
  }
  currentShippingPriceSet {
    ...Both
  }
  currentTotalDutiesSet {
    ...Both
  }
  currentTotalAdditionalFeesSet {
    ...Both
  }
"""

_contact_selection = """
  email @include(if: $contact)
  clientIp @include(if: $contact)
  shippingAddress @include(if: $contact) {
    countryCodeV2
  }
  billingAddress @include(if: $contact) {
    countryCodeV2
  }
"""

_customer_selection = """
  customer @include(if: $customer) {
    legacyResourceId
  }
"""

_application_selection = """
      __typename
      index
      targetType
      targetSelection
      allocationMethod
      value {
        __typename
      }
      ... on DiscountCodeApplication {
        code
      }
      ... on AutomaticDiscountApplication {
        title
      }
      ... on ManualDiscountApplication {
        title
      }
      ... on ScriptDiscountApplication {
        title
      }
"""

_shipping_selection = """
      originalPriceSet {
        ...Both
      }
      discountAllocations {
        ...AllocationFields
      }
      taxLines {
        priceSet {
          ...Both
        }
      }
"""

_order_fields = f"""
fragment OrderFields on Order {{{_order_selection}{_contact_selection}{_customer_selection}
  discountApplications(first: 250) {{
    nodes {{{_application_selection}}}
  }}
  shippingLines(first: 50) {{
    nodes {{{_shipping_selection}}}
  }}
  lineItems(first: $lines) {{
    nodes {{
      ...LineFields
    }}
    pageInfo {{
      hasNextPage
      endCursor
    }}
  }}
  refunds {{
    id
    orderAdjustments(first: 3) {{
      nodes {{
        amountSet {{
          ...Both
        }}
      }}
    }}
    refundShippingLines(first: 2) {{
      nodes {{
        subtotalAmountSet {{
          ...Both
        }}
        taxAmountSet {{
          ...Both
        }}
      }}
    }}
    refundLineItems(first: $lines) {{
      nodes {{
        ...RefundLineFields
      }}
      pageInfo {{
        hasNextPage
        endCursor
      }}
    }}
  }}
}}
"""

#: One order with the first of its lines. Requested cost: about 90 points with 50 lines.
ORDER_BY_ID = (
    """
query OrderById($id: ID!, $lines: Int!, $customer: Boolean!, $contact: Boolean!) {
  order(id: $id) {
    ...OrderFields
  }
}
"""
    + _order_fields
    + _line_fields
    + _refund_line_fields
    + _both
)

#: Orders by the time of their last change, the first to change first. Requested cost: about 860 points for 25
#: orders with 50 lines each, where one document may cost 1,000.
ORDERS_CHANGED = (
    """
query OrdersChanged(
  $query: String!, $first: Int!, $after: String, $lines: Int!, $customer: Boolean!, $contact: Boolean!
) {
  orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {
    nodes {
      ...OrderFields
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
"""
    + _order_fields
    + _line_fields
    + _refund_line_fields
    + _both
)

#: Orders by the time they were placed, the oldest first. Costs as much as `ORDERS_CHANGED`.
ORDERS_PLACED = (
    """
query OrdersPlaced(
  $query: String!, $first: Int!, $after: String, $lines: Int!, $customer: Boolean!, $contact: Boolean!
) {
  orders(first: $first, after: $after, query: $query, sortKey: PROCESSED_AT) {
    nodes {
      ...OrderFields
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
"""
    + _order_fields
    + _line_fields
    + _refund_line_fields
    + _both
)

#: How many orders a search finds; without a limit the count is exact.
ORDERS_COUNT = """
query OrdersCount($query: String!) {
  ordersCount(query: $query, limit: null) {
    count
  }
}
"""

#: The access scopes the app has in this store.
GRANTED_SCOPES = """
query GrantedScopes {
  currentAppInstallation {
    accessScopes {
      handle
    }
  }
}
"""

#: Further lines of a long order; `updatedAt` tells whether they belong to the lines read before.
ORDER_LINES = (
    """
query OrderLines($id: ID!, $first: Int!, $after: String) {
  order(id: $id) {
    updatedAt
    lineItems(first: $first, after: $after) {
      nodes {
        ...LineFields
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
}
"""
    + _line_fields
    + _both
)

#: Further lines of a long refund, which never change once it was made.
REFUND_LINES = (
    """
query RefundLines($id: ID!, $first: Int!, $after: String) {
  node(id: $id) {
    ... on Refund {
      refundLineItems(first: $first, after: $after) {
        nodes {
          ...RefundLineFields
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
}
"""
    + _refund_line_fields
    + _both
)

_operation_fields = """
fragment OperationFields on BulkOperation {
  id
  status
  errorCode
  createdAt
  rootObjectCount
  fileSize
  url
  query
}
"""

#: Begins to export orders: `query` is what `bulk_orders` gives. Repeated after a lost answer, it begins a
#: second export or is told that one is under way; neither changes anything in the store.
BULK_RUN = (
    """
mutation BulkRun($query: String!) {
  bulkOperationRunQuery(query: $query, groupObjects: false) {
    bulkOperation {
      ...OperationFields
    }
    userErrors {
      code
      message
    }
  }
}
"""
    + _operation_fields
)

#: How far a bulk operation is.
BULK_OPERATION = (
    """
query BulkOperation($id: ID!) {
  bulkOperation(id: $id) {
    ...OperationFields
  }
}
"""
    + _operation_fields
)

#: The app's latest bulk operations in this store, the newest first.
BULK_OPERATIONS = (
    """
query BulkOperations {
  bulkOperations(first: 10, query: "operation_type:query") {
    nodes {
      ...OperationFields
    }
  }
}
"""
    + _operation_fields
)

#: The visits before orders as Shopify has them, by order id. Requested cost: about 15 points an order.
ORDER_VISITS = """
query OrderVisits($ids: [ID!]!) {
  nodes(ids: $ids) {
    ... on Order {
      legacyResourceId
      customerJourneySummary {
        ready
        firstVisit {
          landingPage
          occurredAt
        }
        lastVisit {
          landingPage
          occurredAt
        }
        moments(first: 10, reverse: true) {
          nodes {
            ... on CustomerVisit {
              landingPage
              occurredAt
            }
          }
        }
      }
    }
  }
}
"""

#: Whose metafields a storefront's script is set up with, what the app may do, and the shop's main domain.
STOREFRONT = """
query Storefront {
  currentAppInstallation {
    id
    accessScopes {
      handle
    }
  }
  shop {
    primaryDomain {
      host
    }
  }
}
"""

#: The settings of the published theme, where the app embed's switch stands. Needs the scope `read_themes`.
THEME_SETTINGS = """
query ThemeSettings {
  themes(first: 1, roles: [MAIN]) {
    nodes {
      id
      files(first: 1, filenames: ["config/settings_data.json"]) {
        nodes {
          body {
            ... on OnlineStoreThemeFileBodyText {
              content
            }
            ... on OnlineStoreThemeFileBodyBase64 {
              contentBase64
            }
          }
        }
      }
    }
  }
}
"""

#: Settings of the storefront script. Repeated, it sets the same again.
SET_METAFIELDS = """
mutation SetMetafields($metafields: [MetafieldsSetInput!]!) {
  metafieldsSet(metafields: $metafields) {
    userErrors {
      message
    }
  }
}
"""

_pixel_answer = """
    webPixel {
      id
    }
    userErrors {
      code
      message
    }
"""

#: Switches the web pixel on. Repeated after a lost answer, it is told that the pixel is there already.
CREATE_PIXEL = f"""
mutation CreatePixel($pixel: WebPixelInput!) {{
  webPixelCreate(webPixel: $pixel) {{{_pixel_answer}  }}
}}
"""

#: The web pixel's settings. Repeated, it sets the same again.
UPDATE_PIXEL = f"""
mutation UpdatePixel($id: ID!, $pixel: WebPixelInput!) {{
  webPixelUpdate(id: $id, webPixel: $pixel) {{{_pixel_answer}  }}
}}
"""

#: The app's web pixel in this store. Without one, Shopify answers with an error.
FIND_PIXEL = """
query FindPixel {
  webPixel {
    id
  }
}
"""


def bulk_orders(search: str, *, customer: bool, contact: bool) -> str:
    """The query of a bulk operation for the orders a search finds, with as much of the buyer as may be seen.

    A bulk operation takes no variables, wants `edges` and `node`, and refuses a connection within a list: so
    the refunds stand without their lines, and a refunded order has to be read by itself. No fragments.
    Source: shopify.dev/docs/api/usage/bulk-operations/queries, seen 2026-11.
    """
    buyer = (_contact_selection if contact else "") + (_customer_selection if customer else "")
    return _written_out(
        f"""
query BulkOrders {{
  orders(query: "{search}") {{
    edges {{
      node {{
        __typename
        id{_order_selection}{buyer}
        refunds {{
          id
        }}
        discountApplications {{
          edges {{
            node {{{_application_selection}}}
          }}
        }}
        shippingLines {{
          edges {{
            node {{
              __typename{_shipping_selection}}}
          }}
        }}
        lineItems {{
          edges {{
            node {{
              __typename{_line_selection}}}
          }}
        }}
      }}
    }}
  }}
}}
"""
    )


def _written_out(text: str) -> str:
    """Without fragments and without conditions."""
    text = text.replace("...AllocationFields", _allocation_selection).replace("...Both", _both_sides)
    return text.replace(" @include(if: $contact)", "").replace(" @include(if: $customer)", "")
