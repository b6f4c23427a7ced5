"""Every GraphQL document fits Saleor's own schema, in every release line that the manifest claims."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_schema, parse, validate

from impact_app.stores.saleor import documents
from impact_app.stores.saleor.documents import EVENTS, NEWEST, OLDEST, Version, read_version

SCHEMAS = Path(__file__).parents[4] / "shared" / "reference" / "saleor-schema"
RELEASES = {
    Version(3, 20): "3.20.119",
    Version(3, 21): "3.21.69",
    Version(3, 22): "3.22.67",
    Version(3, 23): "3.23.28",
}
MAKERS = {
    "subscription": documents.subscription,
    "order_by_id": documents.order_by_id,
    "orders_changed": documents.orders_changed,
    "orders_placed": documents.orders_placed,
    "failed_deliveries": lambda _version: documents.failed_deliveries(),
    "INSTALLATION": lambda _version: documents.INSTALLATION,
}


@cache
def schema(version: Version) -> GraphQLSchema:
    path = SCHEMAS / f"schema-{RELEASES[version]}.graphql"
    if not path.exists():
        pytest.skip(f"Saleor's schema of {RELEASES[version]} is not beside the project.")
    return build_schema(path.read_text(encoding="utf-8"), assume_valid=True)


def test_every_claimed_release_line_is_checked() -> None:
    assert (min(RELEASES), max(RELEASES)) == (OLDEST, NEWEST)
    made = {
        name
        for name, value in vars(documents).items()
        if callable(value) and value.__module__ == documents.__name__
    }
    helpers = {"read_version", "takes_days", "Version"}
    assert {name for name in made if not name.startswith("_")} - helpers == set(MAKERS) - {"INSTALLATION"}


@pytest.mark.parametrize("version", RELEASES)
@pytest.mark.parametrize("name", MAKERS)
def test_each_document_is_valid(version: Version, name: str) -> None:
    assert validate(schema(version), parse(MAKERS[name](version))) == []


@pytest.mark.parametrize("version", RELEASES)
def test_each_document_serves_later_versions_too(version: Version) -> None:
    """An installed webhook keeps its query when the Saleor around it is updated."""
    for later in (each for each in RELEASES if each > version):
        assert validate(schema(later), parse(documents.subscription(version))) == []


@pytest.mark.parametrize("version", RELEASES)
def test_the_events_are_ones_that_a_webhook_can_ask_for(version: Version) -> None:
    kinds = schema(version).type_map["WebhookEventTypeAsyncEnum"]
    assert set(EVENTS) <= set(kinds.values)  # type: ignore[attr-defined]
    assert "APP_DELETED" in kinds.values  # type: ignore[attr-defined]


def test_a_field_of_a_later_version_would_be_found() -> None:
    newest = documents.subscription(NEWEST)
    assert "fractionalAmount" in newest
    assert any("fractionalAmount" in fault.message for fault in validate(schema(OLDEST), parse(newest)))


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("3.22", Version(3, 22)),
        ("3.23.28", Version(3, 23)),
        ("3.24.0-a.1", NEWEST),
        ("4.0", NEWEST),
        ("3.1", OLDEST),
        ("", OLDEST),
        (None, OLDEST),
        ("٣.٢٢", OLDEST),
    ],
)
def test_a_version_is_read_within_those_known(text: str | None, version: Version) -> None:
    assert read_version(text) == version
