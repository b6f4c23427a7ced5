"""What the order body does not say about a product: its type and its category."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from impact_app.stores.shopify.documents import PRODUCT_FACTS

#: Runs a document with its variables and answers with `data`.
Ask = Callable[[str, Mapping[str, object]], Mapping[str, Any]]

#: A list variable may hold 250 ids; 100 keep the requested cost well under the limit of 1,000 points.
IDS_A_CALL = 100

_GID = "gid://shopify/Product/"


@dataclass(frozen=True)
class ProductFacts:
    """How the merchant sorts a product; each is empty where the merchant did not say."""

    product_type: str
    category: str


def look_up(ask: Ask, product_ids: Sequence[str]) -> Iterator[Mapping[str, ProductFacts]]:
    """Facts by product id (as in the order body, digits only), one mapping for each call made.

    A product that does not exist any more comes back with empty facts. Whatever `ask` raises passes.
    """
    for start in range(0, len(product_ids), IDS_A_CALL):
        asked = product_ids[start : start + IDS_A_CALL]
        data = ask(PRODUCT_FACTS, {"ids": [_GID + product_id for product_id in asked]})
        found = dict(_found(data))
        yield {product_id: found.get(product_id, ProductFacts("", "")) for product_id in asked}


def _found(data: Mapping[str, Any]) -> Iterator[tuple[str, ProductFacts]]:
    for node in data.get("nodes") or ():
        if node and "id" in node:
            category = (node.get("category") or {}).get("fullName") or ""
            yield node["id"].removeprefix(_GID), ProductFacts(node.get("productType") or "", category)
