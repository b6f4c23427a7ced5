"""The pretend store's bulk operations refuse what Shopify refuses and write files as Shopify does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from impact_app.simulator.shopify.admin import RunningAdmin, running_admin
from impact_app.simulator.shopify.orders import LineSpec, OrderSpec, order_body

RUN = """mutation ($query: String!, $grouped: Boolean!) {
  bulkOperationRunQuery(query: $query, groupObjects: $grouped) {
    bulkOperation { id status } userErrors { code message }
  }
}"""
LOOK = "query ($id: ID!) { bulkOperation(id: $id) { status errorCode rootObjectCount objectCount url } }"
ORDERS = "{ orders { edges { node { id lineItems { edges { node { sku } } } } } } }"


@pytest.fixture
def admin() -> Iterator[RunningAdmin]:
    with running_admin() as running:
        yield running


def ask(
    admin: RunningAdmin, document: str, scopes: tuple[str, ...] = ("read_orders",), **variables: Any
) -> Any:
    token = admin.store.tokens.permanent(scopes, "secret").access_token
    answer = requests.post(
        f"{admin.url}/admin/api/2026-10/graphql.json",
        json={"query": document, "variables": variables},
        headers={"X-Shopify-Access-Token": token},
        timeout=5,
    ).json()
    assert "errors" not in answer, answer
    return answer["data"]


def run(admin: RunningAdmin, query: str, *, grouped: bool = False, **more: Any) -> Any:
    return ask(admin, RUN, query=query, grouped=grouped, **more)["bulkOperationRunQuery"]


def finished(admin: RunningAdmin, identifier: str) -> Any:
    ask(admin, LOOK, id=identifier)
    return ask(admin, LOOK, id=identifier)["bulkOperation"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("{ shop { name } }", "at least one connection"),
        ("{ orders { nodes { id } } }", "'edges' > 'node'"),
        (
            "{ orders { edges { node { refunds { refundLineItems { edges { node { quantity } } } } } } } }",
            "connection field within a list field",
        ),
        ("{ orders { edges { node { lineItems { edges { node { sku } } } } } } }", "select the 'id' field"),
        ("query ($q: String) { orders(query: $q) { edges { node { id } } } }", "cannot have variables"),
        ("{ orders { edges { node { nothing } } } }", "Cannot query field 'nothing'"),
        ("{ orders {", "Syntax Error"),
        (
            "{ orders { edges { node { id "
            + "".join(f"a{at}: lineItems {{ edges {{ node {{ id }} }} }} " for at in range(5))
            + "} } } }",
            "more than 5 connections",
        ),
    ],
)
def test_a_query_that_shopify_refuses_is_refused(admin: RunningAdmin, query: str, words: str) -> None:
    answer = run(admin, query)
    assert answer["bulkOperation"] is None
    assert (answer["userErrors"][0]["code"], words in answer["userErrors"][0]["message"]) == ("INVALID", True)
    assert admin.store.bulk.operations == []


@pytest.mark.parametrize("grouped", [True, False])
def test_the_file_has_a_line_for_each_object(admin: RunningAdmin, grouped: bool) -> None:
    bodies = [
        admin.store.add_order(order_body(OrderSpec(lines=(LineSpec(sku="A"), LineSpec(sku="B")))))
        for _ in range(2)
    ]
    begun = run(admin, ORDERS, grouped=grouped)["bulkOperation"]
    assert begun["status"] == "CREATED"
    assert ask(admin, LOOK, id=begun["id"])["bulkOperation"]["status"] == "RUNNING"
    done = ask(admin, LOOK, id=begun["id"])["bulkOperation"]
    assert (done["status"], done["rootObjectCount"], done["objectCount"]) == ("COMPLETED", "2", "6")

    lines = [json.loads(line) for line in requests.get(done["url"], timeout=5).text.splitlines()]

    one, other = ({"id": body["admin_graphql_api_id"]} for body in bodies)
    below = [[{"sku": sku, "__parentId": order["id"]} for sku in "AB"] for order in (one, other)]
    apart = [one, other, *below[0], *below[1]]
    assert lines == ([one, *below[0], other, *below[1]] if grouped else apart)


def test_without_the_scope_the_operation_fails(admin: RunningAdmin) -> None:
    begun = run(admin, ORDERS, scopes=("read_products",))["bulkOperation"]
    done = finished(admin, begun["id"])
    assert (done["status"], done["errorCode"], done["url"]) == ("FAILED", "ACCESS_DENIED", None)


def test_an_operation_of_nothing_has_no_file(admin: RunningAdmin) -> None:
    done = finished(admin, run(admin, ORDERS)["bulkOperation"]["id"])
    assert (done["status"], done["objectCount"], done["url"]) == ("COMPLETED", "0", None)


def test_no_more_than_the_limit_run_at_once(admin: RunningAdmin) -> None:
    admin.store.bulk.limit = 1
    begun = run(admin, ORDERS)["bulkOperation"]
    assert run(admin, ORDERS)["userErrors"][0]["code"] == "LIMIT_REACHED"
    finished(admin, begun["id"])
    assert run(admin, ORDERS)["userErrors"] == []


def test_there_is_no_file_of_an_unknown_operation(admin: RunningAdmin) -> None:
    assert requests.get(f"{admin.url}/_bulk/{admin.store.domain}/9.jsonl", timeout=5).status_code == 404
