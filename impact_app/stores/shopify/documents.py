"""Every GraphQL document sent to Shopify; a test validates each against both schema files.

Only queries stand here: `api.py` repeats what got no answer, which a mutation might not survive.
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

_both = """
fragment Both on MoneyBag {
  shopMoney {
    amount
    currencyCode
  }
  presentmentMoney {
    amount
    currencyCode
  }
}
"""

_line_fields = """
fragment LineFields on LineItem {
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
}
fragment AllocationFields on DiscountAllocation {
  allocatedAmountSet {
    ...Both
  }
  discountApplication {
    index
  }
}
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
_order_fields = """
fragment OrderFields on Order {
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
  customAttributes {
    key
    value
  }
  email @include(if: $contact)
  clientIp @include(if: $contact)
  shippingAddress @include(if: $contact) {
    countryCodeV2
  }
  billingAddress @include(if: $contact) {
    countryCodeV2
  }
  customer @include(if: $customer) {
    legacyResourceId
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
  discountApplications(first: 250) {
    nodes {
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
    }
  }
  shippingLines(first: 50) {
    nodes {
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
    }
  }
  lineItems(first: $lines) {
    nodes {
      ...LineFields
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
  refunds {
    id
    orderAdjustments(first: 3) {
      nodes {
        amountSet {
          ...Both
        }
      }
    }
    refundShippingLines(first: 2) {
      nodes {
        subtotalAmountSet {
          ...Both
        }
        taxAmountSet {
          ...Both
        }
      }
    }
    refundLineItems(first: $lines) {
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
