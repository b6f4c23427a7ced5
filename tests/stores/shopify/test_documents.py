"""Every GraphQL document fits Shopify's own schema, in both versions that may answer."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLSchema,
    NoDeprecatedCustomRule,
    OperationType,
    build_client_schema,
    get_operation_ast,
    parse,
    specified_rules,
    validate,
)

from impact_app.config import SHOPIFY_API_VERSION
from impact_app.stores.shopify import documents

SCHEMAS = Path(__file__).parents[4] / "shared" / "reference" / "shopify-schema"
DOCUMENTS = {name: text for name, text in vars(documents).items() if name.isupper()}


@cache
def schema_file(version: str) -> dict[str, Any]:
    path = SCHEMAS / f"admin_{version}.json.gz"
    if not path.exists():
        pytest.skip(f"Shopify's schema of {version} is not beside the project, so nothing can be compared.")
    content: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
    return content


@cache
def schema(version: str) -> GraphQLSchema:
    # Shopify deprecates fields that an interface still has; graphql-core objects to that, we need not.
    return build_client_schema(schema_file(version)["data"], assume_valid=True)


def test_there_are_documents_to_check() -> None:
    assert "PRODUCT_FACTS" in DOCUMENTS


@pytest.mark.parametrize("version", ["2026-07", SHOPIFY_API_VERSION])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_document_is_valid(version: str, name: str) -> None:
    assert validate(schema(version), parse(DOCUMENTS[name])) == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_document_is_one_named_query(name: str) -> None:
    operation = get_operation_ast(parse(DOCUMENTS[name]))

    assert operation is not None
    # The client repeats, which few mutations survive: an export may be begun twice, and the same set again.
    repeatable = {"BULK_RUN", "SET_METAFIELDS", "CREATE_PIXEL", "UPDATE_PIXEL"}
    wanted = OperationType.MUTATION if name in repeatable else OperationType.QUERY
    assert operation.operation is wanted
    assert operation.name is not None


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_deprecated_field_is_asked_for(name: str) -> None:
    assert validate(schema(SHOPIFY_API_VERSION), parse(DOCUMENTS[name]), [NoDeprecatedCustomRule]) == []


@pytest.mark.parametrize("version", ["2026-07", SHOPIFY_API_VERSION])
@pytest.mark.parametrize("contact", [True, False])
@pytest.mark.parametrize("customer", [True, False])
def test_each_query_of_an_export_is_valid(version: str, customer: bool, contact: bool) -> None:
    text = documents.bulk_orders("processed_at:>='2026-11-01'", customer=customer, contact=contact)
    rules = [*specified_rules, NoDeprecatedCustomRule]

    assert validate(schema(version), parse(text), rules) == []
    assert ("clientIp" in text, "customer {" in text) == (contact, customer)
    assert not any(word in text for word in ("$", "@", "fragment"))


def test_a_wrong_document_would_be_found() -> None:
    wrong = documents.PRODUCT_FACTS.replace("productType", "productKind")

    assert len(validate(schema(SHOPIFY_API_VERSION), parse(wrong))) == 1
