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
