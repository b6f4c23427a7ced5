"""What Shopify is told of the app must be what the code does."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from impact_app.config import SHOPIFY_API_VERSION
from impact_app.stores.shopify.install import SCOPES

TOPICS = {
    "orders/paid",
    "orders/updated",
    "orders/edited",
    "orders/cancelled",
    "refunds/create",
    "app/uninstalled",
    "app/scopes_update",
}
COMPLIANCE = {"customers/data_request", "customers/redact", "shop/redact"}


@pytest.fixture
def toml() -> dict[str, Any]:
    path = Path(__file__).parents[3] / "shopify.app.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def test_version_and_scopes_are_those_of_the_code(toml: dict[str, Any]) -> None:
    assert toml["webhooks"]["api_version"] == SHOPIFY_API_VERSION
    assert tuple(toml["access_scopes"]["scopes"].split(",")) == SCOPES
    # Orders and products to report; the last two switch the web pixel on. Nothing writes to the shop.
    assert SCOPES == ("read_orders", "read_products", "read_themes", "write_pixels", "read_customer_events")


def test_every_topic_is_subscribed_once_and_comes_to_the_one_address(toml: dict[str, Any]) -> None:
    subscriptions = toml["webhooks"]["subscriptions"]
    topics = [topic for each in subscriptions for topic in each.get("topics", [])]
    compliance = [topic for each in subscriptions for topic in each.get("compliance_topics", [])]

    assert sorted(topics) == sorted(TOPICS)
    assert sorted(compliance) == sorted(COMPLIANCE)
    assert {each["uri"] for each in subscriptions} == {"/shopify/webhooks"}
    # Only named fields would arrive with include_fields; mapping and replays need the whole body.
    assert not any("include_fields" in each or "filter" in each for each in subscriptions)


def test_the_app_is_embedded_and_its_addresses_fit_together(toml: dict[str, Any]) -> None:
    base = toml["application_url"].removesuffix("/shopify/")

    assert toml["embedded"] is True
    assert toml["auth"]["redirect_urls"] == [f"{base}/shopify/callback"]
    assert toml["client_id"] == "replace-with-your-client-id"
