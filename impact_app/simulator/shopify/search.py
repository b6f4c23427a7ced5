"""Shopify's search syntax over orders and products: `updated_at:>='2026-11-20T00:00:00Z' test:false`.

Terms are joined by AND (a blank), OR binds weaker, `-` or NOT turns a term round (Shopify's page on search
syntax, 2026). An unknown field is ignored with a warning, as Shopify does.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

Reader = Callable[[Any], Any]
Test = Callable[[Any], bool]

_TERM = re.compile(
    r"""(?P<not>-|NOT\s+)?(?P<field>\w+):(?P<op>>=|<=|>|<)?(?P<value>'[^']*'|"[^"]*"|[^\s()]+)"""
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "": operator.eq,
}


def moment(text: str) -> datetime:
    """A time of a filter or a body; one without a zone is UTC."""
    read = datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _status(order: Mapping[str, Any]) -> str:
    if order["cancelled_at"]:
        return "cancelled"
    return "closed" if order["closed_at"] else "open"


ORDER_FIELDS: Mapping[str, Reader] = {
    "updated_at": lambda order: moment(order["updated_at"]),
    "processed_at": lambda order: moment(order["processed_at"]),
    "created_at": lambda order: moment(order["created_at"]),
    "financial_status": lambda order: order["financial_status"],
    "status": _status,
    "test": lambda order: str(order["test"]).lower(),
    "source_name": lambda order: order["source_name"],
    "cart_token": lambda order: order["cart_token"],
    "checkout_token": lambda order: order["checkout_token"],
    "customer_id": lambda order: (order["customer"] or {}).get("id"),
    "id": lambda order: order["id"],
    "name": lambda order: order["name"].lstrip("#"),
    "tag": lambda order: order["tags"].split(", "),
    "sku": lambda order: [line["sku"] for line in order["line_items"]],
    "discount_code": lambda order: [code["code"] for code in order["discount_codes"][:1]],
}

PRODUCT_FIELDS: Mapping[str, Reader] = {
    "id": lambda product: product.id,
    "title": lambda product: product.title,
    "vendor": lambda product: product.vendor,
    "product_type": lambda product: product.product_type,
    "tag": lambda product: list(product.tags),
}


def compiled(query: str | None, fields: Mapping[str, Reader]) -> tuple[Test, list[str]]:
    """A test for one record, and the fields that were not known; ValueError when the query cannot be read."""
    unknown: list[str] = []
    choices = [_all_of(part, fields, unknown) for part in re.split(r"\s+OR\s+", query or "") if part.strip()]
    if not choices:
        return bool, unknown  # every record is true
    return (lambda record: any(choice(record) for choice in choices)), unknown


def _all_of(text: str, fields: Mapping[str, Reader], unknown: list[str]) -> Test:
    rest = _TERM.sub(" ", text).replace("AND", " ").strip(" ()")
    if rest:
        raise ValueError(f"the pretend store cannot search for {rest!r}; write field:value terms")
    tests = []
    for term in _TERM.finditer(text):
        if term["field"] in fields:
            tests.append(_test(term, fields[term["field"]]))
        else:
            unknown.append(term["field"])
    return lambda record: all(test(record) for test in tests)


def _test(term: re.Match[str], read: Reader) -> Test:
    wanted, compare = term["value"].strip("'\""), _COMPARE[term["op"] or ""]

    def holds(record: Any) -> bool:
        value = read(record)
        if isinstance(value, list):
            return any(str(item).lower() == wanted.lower() for item in value)
        if isinstance(value, datetime):
            return compare(value, moment(wanted))
        if isinstance(value, int):
            return compare(value, int(wanted.rpartition("/")[2]))
        return value is not None and compare(str(value).lower(), wanted.lower())

    return (lambda record: not holds(record)) if term["not"] else holds
