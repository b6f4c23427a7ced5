"""The commands with a Saleor: adding one, previewing its orders, taking in past ones, showing them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import Result

from impact_app import create_app
from impact_app.config import SaleorConfig
from impact_app.simulator.saleor.deliveries import encode, event
from impact_app.simulator.saleor.orders import LineSpec, OrderSpec, grant, order, refund
from impact_app.simulator.saleor.server import Fault, PretendSaleor
from tests.line import Bench
from tests.stores.saleor.bench import deliver, paid
from tests.stores.saleor.recorded import PAYLOADS, delivery

D = Decimal


def run(bench: Bench, *words: str) -> Result:
    result = create_app(bench.line).test_cli_runner().invoke(args=list(words))
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    assert "Traceback" not in result.output
    return result


def added(bench: Bench, shop: PretendSaleor, token: str) -> Result:
    account = ("--account-sid", bench.network.books.setup.sid, "--auth-token", "pretend-auth-token")
    target = ("--campaign-id", "1000", "--event-type-id", "9876")
    return run(bench, "stores", "add", "saleor", shop.domain, "--token", token, *account, *target)


def test_a_store_is_added_with_its_token_and_reports(bench: Bench, shop: PretendSaleor, app_url: str) -> None:
    shop.token = "an-app-token"
    assert added(bench, shop, "an-app-token").stdout.endswith("1\n")
    node = paid(bench)
    body = encode(event("order_fully_paid", node))
    assert deliver(bench, body, api_url=shop.api_url).status_code == 200
    assert bench.run() == 1
    listed = run(bench, "stores", "list")
    assert f"1\tsaleor\t{shop.domain}\tconnected\tconfigured" in listed.stdout
    shown = run(bench, "orders", "show", shop.domain, node["number"])
    assert f"({node['id']}) of {shop.domain}: reported, accepted" in shown.stdout
    assert "an-app-token" not in listed.output + shown.output


def test_a_token_that_is_refused_connects_nothing(bench: Bench, shop: PretendSaleor, app_url: str) -> None:
    shop.token = "an-app-token"
    result = added(bench, shop, "another-token")
    assert (result.exit_code, bench.line.stores.all()) == (1, [])
    assert "Saleor does not accept the token" in result.output


def test_a_saleor_that_cannot_be_reached_is_connected_and_its_keys_come_later(
    bench: Bench, shop: PretendSaleor, app_url: str
) -> None:
    shop.token = "an-app-token"
    shop.faults = [Fault("jwks", 503)]
    assert added(bench, shop, "an-app-token").exit_code == 0
    body = encode(event("order_fully_paid", paid(bench)))
    assert deliver(bench, body, api_url=shop.api_url).status_code == 200
    assert bench.run() == 1


@pytest.mark.parametrize("domain", ["not a domain", "https://shop.example.com", "shop.example.com/x"])
def test_what_is_no_domain_is_a_usage_error(bench: Bench, domain: str) -> None:
    result = run(bench, "stores", "add", "saleor", domain)
    assert (result.exit_code, "is no domain such as shop.example.com" in result.output) == (2, True)
    assert bench.line.stores.all() == []


def test_shopifys_own_way_is_not_saleors(bench: Bench) -> None:
    result = run(bench, "stores", "add", "saleor", "shop.example.com", "--client-credentials")
    assert (result.exit_code, bench.line.stores.all()) == (2, [])


def test_check_config_says_who_may_install(bench: Bench) -> None:
    assert "Saleor: nobody may install." in run(bench, "check-config").output
    saleor = SaleorConfig(("*.saleor.cloud",), ("http://127.0.0.1:8000",), None, None)
    bench.line.config = replace(bench.line.config, saleor=saleor)
    said = run(bench, "check-config").output
    assert "Saleor: *.saleor.cloud, http://127.0.0.1:8000 may install." in said


def test_a_preview_of_an_order_and_of_what_became_of_it(bench: Bench, tmp_path: Path) -> None:
    """Two at 50.00; one comes back: 50.00 left."""
    sold = order(OrderSpec(lines=(LineSpec(price=D(50), quantity=2, sku="SHIRT"),)))
    granted = grant(sold, {0: 1})
    back = refund(granted, granted["totalGrantedRefund"]["amount"])
    (tmp_path / "sold.json").write_bytes(encode(event("order_fully_paid", sold)))
    (tmp_path / "back.json").write_bytes(encode({"data": {"order": back}}))
    first = json.loads(run(bench, "preview", "saleor", str(tmp_path / "sold.json")).stdout)
    assert (first["decision"], first["reason"], first["carrier"]) == ("submit", "click", "cart_attribute")
    form = dict(first["call"]["form"])
    assert (form["ItemSku1"], form["ItemSubTotal1"], form["OrderId"]) == ("SHIRT", "100.00", sold["id"])
    against = ("--against", str(tmp_path / "sold.json"))
    later = json.loads(run(bench, "preview", "saleor", str(tmp_path / "back.json"), *against).stdout)
    assert later["decision"] == "modify"
    changed = dict(later["call"]["form"])
    assert (changed["Sku"], changed["Quantity"], changed["Amount"]) == ("SHIRT", "1", "50.00")


def test_a_recorded_delivery_is_previewed_as_it_lies_there(bench: Bench) -> None:
    name = "3.23.28/03-voucher-entire-order-percent/04-order_fully_paid.json"
    delivery(name)
    told = json.loads(run(bench, "preview", "saleor", str(PAYLOADS / name)).stdout)
    assert (told["decision"], dict(told["call"]["form"])["OrderPromoCode"]) == ("submit", "SAVE10")


def test_a_file_without_an_order_is_one_sentence(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "none.json").write_text('{"order": null}')
    result = run(bench, "preview", "saleor", str(tmp_path / "none.json"))
    assert (result.exit_code, "not as Saleor sends it" in result.output) == (1, True)


def test_past_orders_are_taken_in(bench: Bench, shop: PretendSaleor, app_url: str) -> None:
    shop.token = "an-app-token"
    added(bench, shop, "an-app-token")
    nodes = [shop.keep(paid(bench, created=bench.clock() - timedelta(days=at))) for at in (1, 2, 3, 40)]
    result = run(bench, "backfill", shop.domain, "--from", "2026-11-17", "--to", "2026-11-20")
    assert result.exit_code == 0
    assert bench.run() == 3
    assert [bench.booked(node) for node in nodes] == [[D(35)]] * 3 + [[]]
