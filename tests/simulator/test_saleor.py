"""The pretend Saleor holds what a real one holds: the same fields, the same arithmetic, the same refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests
from graphql import parse, validate

from impact_app.simulator.saleor.deliveries import encode, event
from impact_app.simulator.saleor.orders import DiscountSpec, LineSpec, OrderSpec, order
from impact_app.simulator.saleor.server import PretendSaleor, checkout_metadata, running_saleor, schema
from impact_app.stores.saleor import documents
from tests.stores.saleor.recorded import delivery

D = Decimal
RECORDED = "3.23.28/{}-order_fully_paid.json"
TEN_PERCENT = (DiscountSpec(percent=D(10)),)

#: Selected by this app beyond what was recorded, or held to work other fields out.
BEYOND = {"kind", "currency"}

SAME: dict[str, OrderSpec] = {
    "02-plain-transaction/04": OrderSpec(),
    "03-voucher-entire-order-percent/04": OrderSpec(
        lines=tuple(
            LineSpec(price=D(price), quantity=units)
            for price, units in (("1.99", 3), ("35", 2), ("40", 1), ("2", 1))
        ),
        discounts=TEN_PERCENT,
    ),
    "06-voucher-specific-product-fixed/03": OrderSpec(
        lines=(LineSpec(price=D(35), quantity=2), LineSpec(price=D(75))),
        discounts=(DiscountSpec("SPECIFIC_PRODUCT", "HOODIE7", amount=D(7), lines=(0,)),),
    ),
    "10-channel-pln-tax-included/04": OrderSpec(
        lines=(LineSpec(price=D(120), quantity=2), LineSpec(price=D(230))),
        discounts=TEN_PERCENT,
        with_tax=True,
        tax_rate=D("0.23"),
        currency="PLN",
        shipping=D("43.87"),
    ),
    "23-gift-card-pays-part/03": OrderSpec(
        lines=(LineSpec(price=D(35), quantity=2), LineSpec(price=D(75))),
        discounts=TEN_PERCENT,
        gift_card=D(30),
    ),
}


@pytest.fixture
def saleor() -> Iterator[PretendSaleor]:
    with running_saleor() as running:
        running.token = "app-token"
        yield running


def fields(node: Any, path: str = "") -> set[str]:
    """Every field in a node, by its path."""
    if isinstance(node, list):
        return {found for one in node for found in fields(one, path)}
    if not isinstance(node, dict):
        return set()
    inner = {found for name, value in node.items() for found in fields(value, f"{path}.{name}")}
    return inner | {f"{path}.{name}" for name in node}


@pytest.mark.parametrize("name", SAME)
def test_an_order_comes_to_the_same_as_the_recorded_one(name: str) -> None:
    recorded, made = delivery(RECORDED.format(name)).order, order(SAME[name])
    for total in ("total", "subtotal", "shippingPrice"):
        for side in ("gross", "net", "tax"):
            assert made[total][side]["amount"] == recorded[total][side]["amount"], (total, side)
    for line, theirs in zip(made["lines"], recorded["lines"], strict=True):
        for price in ("undiscountedUnitPrice", "undiscountedTotalPrice", "totalPrice"):
            assert line[price]["gross"]["amount"] == theirs[price]["gross"]["amount"], price
            assert line[price]["net"]["amount"] == theirs[price]["net"]["amount"], price
        assert line["voucherCode"] == theirs["voucherCode"]
    for status in ("chargeStatus", "authorizeStatus", "isPaid", "voucherCode"):
        assert made[status] == recorded[status]


def test_an_order_has_no_field_that_a_real_one_lacks() -> None:
    recorded = delivery(RECORDED.format("03-voucher-entire-order-percent/04"))
    theirs = fields(recorded.order)
    ours = fields(order(SAME["03-voucher-entire-order-percent/04"]))
    assert {path for path in ours - theirs if path.rpartition(".")[2] not in BEYOND} == set()
    around = json.loads(recorded.raw).keys()
    assert set(event("order_fully_paid", {})) <= set(around)


@pytest.mark.parametrize("name", ["subscription", "order_by_id", "orders_changed", "orders_placed"])
def test_it_takes_the_documents_of_every_version(name: str) -> None:
    for version in (documents.OLDEST, documents.NEWEST):
        assert validate(schema(), parse(getattr(documents, name)(version))) == []


def asked(saleor: PretendSaleor, document: str, token: str | None = None) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = requests.post(saleor.api_url, json={"query": document}, headers=headers, timeout=10)
    told: dict[str, Any] = answer.json()
    return told


def test_anybody_may_write_a_checkouts_public_metadata_and_nobody_its_private(saleor: PretendSaleor) -> None:
    write = (
        'mutation { %s(id: "Q2hlY2tvdXQ6MQ==", input: [{key: "im_ref", value: "c"}]) { errors { code } } }'
    )
    assert asked(saleor, write % "updateMetadata")["data"]["updateMetadata"]["errors"] == []
    assert checkout_metadata(saleor, "Q2hlY2tvdXQ6MQ==") == (("im_ref", "c"),)
    for token in (None, "app-token"):
        denied = asked(saleor, write % "updatePrivateMetadata", token)
        assert denied["errors"][0]["extensions"]["exception"]["code"] == "PermissionDenied"
    empty = (write % "updateMetadata").replace('"im_ref"', '" "')
    assert asked(saleor, empty)["data"]["updateMetadata"]["errors"] == [{"code": "REQUIRED"}]
    assert checkout_metadata(saleor, "Q2hlY2tvdXQ6MQ==") == (("im_ref", "c"),)


def test_an_orders_metadata_is_only_for_the_app(saleor: PretendSaleor) -> None:
    node = saleor.keep(order(OrderSpec(metadata=())))
    write = 'mutation { updateMetadata(id: "%s", input: [{key: "k", value: "v"}]) { errors { code } } }'
    assert "errors" in asked(saleor, write % node["id"])
    assert saleor.orders[node["id"]]["metadata"] == []
    assert asked(saleor, write % node["id"], "app-token")["data"]["updateMetadata"]["errors"] == []
    assert saleor.orders[node["id"]]["metadata"] == [{"key": "k", "value": "v"}]


@pytest.mark.parametrize("question", ["{ app { id } }", '{ order(id: "x") { id } }'])
def test_a_dead_token_is_told_so_with_http_200(saleor: PretendSaleor, question: str) -> None:
    for token in (None, "another"):
        assert (
            asked(saleor, question, token)["errors"][0]["extensions"]["exception"]["code"]
            == "PermissionDenied"
        )
    assert "errors" not in asked(saleor, question, "app-token")
    saleor.delete_app()
    assert "errors" in asked(saleor, question, "app-token")


def test_a_field_it_does_not_know_is_a_bad_request(saleor: PretendSaleor) -> None:
    answer = requests.post(saleor.api_url, json={"query": "{ moon }"}, timeout=10)
    assert (answer.status_code, "errors" in answer.json()) == (400, True)


def test_amounts_leave_as_numbers_and_units() -> None:
    node = order(OrderSpec(lines=(LineSpec(price=D("0.1")), LineSpec(price=D("0.2")))))
    assert json.loads(encode(node))["subtotal"]["net"]["amount"] == 0.3


def test_an_odd_cent_never_takes_a_line_below_nothing() -> None:
    """3 x 0.33 less 0.50: each bears 0.17, in all a cent too much, which a free gift cannot give back."""
    lines = (*[LineSpec(price=D("0.33"))] * 3, LineSpec(price=D(5), is_gift=True))
    made = order(OrderSpec(lines=lines, discounts=(DiscountSpec(amount=D("0.50")),)))
    nets = [line["totalPrice"]["net"]["amount"] for line in made["lines"]]
    assert nets == [D("0.16"), D("0.16"), D("0.17"), D(0)]
    assert sum(nets) == 3 * D("0.33") - D("0.50")
