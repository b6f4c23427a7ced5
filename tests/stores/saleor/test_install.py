"""An installation counts once its token is proved at an allowed address; nothing else leaves a trace."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
import requests
from werkzeug.test import TestResponse

from impact_app.config import ConfigError, SaleorConfig, read_config
from impact_app.domain.events import Uninstalled
from impact_app.simulator.saleor.deliveries import app_deleted, encode, headers
from impact_app.simulator.saleor.server import Fault, PretendSaleor
from impact_app.stores.saleor.documents import read_version
from impact_app.stores.saleor.errors import InstallRefused
from impact_app.stores.saleor.install import allowed_api_url, api_url_of
from impact_app.stores.saleor.manifest import manifest
from tests.line import Bench
from tests.stores.saleor.bench import deliver, paid


def registered(bench: Bench, shop: PretendSaleor, body: Any = None, **changed: str | None) -> TestResponse:
    """The request that brings a token, with headers altered (None takes out)."""
    sent: dict[str, str | None] = {"Saleor-Domain": shop.domain, "Saleor-Api-Url": shop.api_url}
    sent |= {name.replace("_", "-"): value for name, value in changed.items()}
    kept = {name: value for name, value in sent.items() if value is not None}
    given = {"auth_token": shop.token or "a-token"} if body is None else body
    return bench.client.post("/saleor/register", json=given, headers=kept)


def refused(bench: Bench, answer: TestResponse, status: int, code: str) -> None:
    """A refusal in the form that Saleor shows to staff; and nothing happened."""
    assert (answer.status_code, answer.get_json()["success"]) == (status, False)
    assert answer.get_json()["error"]["code"] == code
    assert answer.get_json()["error"]["message"].endswith((".", "that is meant."))
    assert bench.line.stores.all() == []


# manifest


def test_the_manifest_asks_for_least_and_names_only_our_addresses(bench: Bench) -> None:
    answer = bench.client.get("/saleor/manifest")
    told = answer.get_json()
    assert answer.status_code == 200
    assert told["permissions"] == ["MANAGE_ORDERS"]
    assert told["requiredSaleorVersion"] == ">=3.20 <4"
    assert told["tokenTargetUrl"] == "http://localhost:5000/saleor/register"
    (hook,) = told["webhooks"]
    assert hook["targetUrl"] == "http://localhost:5000/saleor/webhooks"
    assert {"ORDER_FULLY_PAID", "ORDER_REFUNDED", "ORDER_CANCELLED", "APP_DELETED"} <= set(
        hook["asyncEvents"]
    )


@pytest.mark.parametrize(
    ("asked", "has_units"), [("3.20", False), ("3.21", False), ("3.22", True), ("3.23", True)]
)
def test_the_manifest_speaks_the_version_of_who_asks(bench: Bench, asked: str, has_units: bool) -> None:
    told = bench.client.get("/saleor/manifest", headers={"Saleor-Schema-Version": asked}).get_json()
    assert ("fractionalAmount" in told["webhooks"][0]["query"]) is has_units
    assert told == manifest("http://localhost:5000", read_version(asked))


# registration


def test_an_installation_from_manifest_to_a_booked_order(
    bench: Bench, shop: PretendSaleor, app_url: str
) -> None:
    answer = shop.install(f"{app_url}/saleor/manifest")
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    (store,) = bench.line.stores.all()
    assert (store.platform, store.domain, store.scopes) == ("saleor", shop.domain, "MANAGE_ORDERS")
    tokens = bench.line.stores.tokens(store.id)
    assert tokens is not None
    assert tokens.access == shop.token
    bench.configure(store)
    body = paid(bench)
    for name in ("order_created", "order_fully_paid", "order_updated", "order_confirmed"):
        assert shop.deliver(name, body).status_code == 200
    assert bench.run() == 1
    assert bench.verdict(body) == ("reported", "accepted")
    assert bench.booked(body) == [body["subtotal"]["net"]["amount"]]


def test_installing_again_takes_the_new_token_and_keeps_the_rest(
    bench: Bench, shop: PretendSaleor, app_url: str
) -> None:
    shop.install(f"{app_url}/saleor/manifest")
    (store,) = bench.line.stores.all()
    bench.configure(store, send="all")
    first = shop.token
    assert shop.install(f"{app_url}/saleor/manifest").status_code == 200
    (again,) = bench.line.stores.all()
    tokens = bench.line.stores.tokens(again.id)
    assert tokens is not None
    assert (again.id, tokens.access) == (store.id, shop.token)
    assert shop.token != first
    assert (again.rules, again.is_configured) == ({"send": "all"}, True)


def test_a_removed_app_loses_its_token_and_comes_back(
    bench: Bench, shop: PretendSaleor, app_url: str
) -> None:
    shop.install(f"{app_url}/saleor/manifest")
    (store,) = bench.line.stores.all()
    bench.configure(store)
    bench.clock.advance(minutes=5)
    notice = encode(app_deleted(bench.clock()))
    shop.delete_app()
    signed = headers("app_deleted", shop.api_url, notice)
    assert (
        requests.post(f"{app_url}/saleor/webhooks", data=notice, headers=signed, timeout=10).status_code
        == 200
    )
    bench.run()
    gone = bench.line.stores.get(store.id)
    assert gone is not None
    assert (gone.state, bench.line.stores.tokens(store.id)) == ("uninstalled", None)
    assert gone.is_configured
    bench.clock.advance(minutes=5)
    assert shop.install(f"{app_url}/saleor/manifest").status_code == 200
    back = bench.line.stores.get(store.id)
    assert back is not None
    assert back.state == "connected"
    # the same notice, later and under another name, is about the installation before
    signed = headers("order_updated", shop.api_url, notice)
    assert (
        requests.post(f"{app_url}/saleor/webhooks", data=notice, headers=signed, timeout=10).status_code
        == 200
    )
    bench.run()
    assert [store.state for store in bench.line.stores.all()] == ["connected"]
    assert isinstance(Uninstalled().at, type(None))


@pytest.mark.parametrize(
    "body",
    [{}, [], {"auth_token": ""}, {"auth_token": 5}, {"auth_token": "x" * 5000}, {"auth_token": "a\nb"}],
)
def test_a_body_without_a_token_is_refused(
    bench: Bench, shop: PretendSaleor, app_url: str, body: Any
) -> None:
    refused(bench, registered(bench, shop, body), 400, "INVALID_BODY")
    assert shop.calls == []


def test_a_body_that_is_far_too_long_is_refused(bench: Bench, shop: PretendSaleor, app_url: str) -> None:
    refused(bench, registered(bench, shop, {"auth_token": "x" * 100_000}), 400, "INVALID_BODY")


@pytest.mark.parametrize(
    "api_url",
    [
        None,
        "",
        "shop.example.com",
        "ftp://shop.example.com/graphql/",
        "https://shop.example.com/graphql",
        "https://shop.example.com/graphql/?x=1",
        "https://shop.example.com/graphql/#x",
        "https://user:pass@shop.example.com/graphql/",
        "https://shop.example.com/other/graphql/",
        "https://shop.example.com:0/graphql/",
        "https://shop.example.com:99999/graphql/",
        "https://[::1]/graphql/",
        "https://shöp.example.com/graphql/",
        "https:///graphql/",
    ],
)
def test_an_address_of_another_form_is_refused(
    bench: Bench, shop: PretendSaleor, app_url: str, api_url: str | None
) -> None:
    sent = api_url if api_url is None else api_url.encode("utf-8").decode("latin-1")
    refused(bench, registered(bench, shop, Saleor_Api_Url=sent), 400, "INVALID_API_URL")


@pytest.mark.parametrize("domain", [None, "", "another.example.com"])
def test_both_headers_must_name_one_host(
    bench: Bench, shop: PretendSaleor, app_url: str, domain: str | None
) -> None:
    refused(bench, registered(bench, shop, Saleor_Domain=domain), 400, "DOMAIN_MISMATCH")
    assert shop.calls == []


def test_a_host_that_is_not_allowed_is_never_called(bench: Bench, shop: PretendSaleor, app_url: str) -> None:
    bench.line.config = replace(bench.line.config, saleor=SaleorConfig(("shop.example.com",), (), None, None))
    refused(bench, registered(bench, shop), 403, "HOST_NOT_ALLOWED")
    assert shop.calls == []


def test_a_token_that_the_api_refuses_is_refused(bench: Bench, shop: PretendSaleor, app_url: str) -> None:
    shop.token = "another-token"
    refused(bench, registered(bench, shop, {"auth_token": "a-strangers-token"}), 401, "TOKEN_REFUSED")
    assert len(shop.calls) == 1


def test_an_app_without_its_permission_is_refused(bench: Bench, shop: PretendSaleor, app_url: str) -> None:
    shop.token, shop.permissions = "a-token", ("MANAGE_PRODUCTS",)
    refused(bench, registered(bench, shop), 403, "PERMISSION_MISSING")


def test_an_api_that_does_not_answer_is_said_so(bench: Bench, shop: PretendSaleor, app_url: str) -> None:
    shop.token = "a-token"
    shop.faults = [Fault("jwks", 500)]
    refused(bench, registered(bench, shop), 502, "API_UNREACHABLE")
    shop.faults = [Fault("graphql", 302)]
    refused(bench, registered(bench, shop), 502, "API_UNREACHABLE")


# which hosts

CLOUD = SaleorConfig(("*.saleor.cloud", "shop.example.com"), ("http://127.0.0.1:8000",), None, None)
PUBLIC = {"93.184.216.34"}


def allowed(url: str, saleor: SaleorConfig = CLOUD, at: Iterable[str] = PUBLIC) -> str:
    return allowed_api_url(url, url.split("/")[2], saleor, resolve=lambda _host: at)


def test_hosts_are_allowed_by_name_by_what_they_end_with_and_by_origin() -> None:
    for host in ("shop.example.com", "mine.saleor.cloud", "a.b.saleor.cloud"):
        assert allowed(f"https://{host}/graphql/") == f"https://{host}/graphql/"
    assert allowed("http://127.0.0.1:8000/graphql/") == "http://127.0.0.1:8000/graphql/"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://saleor.cloud/graphql/", "HOST_NOT_ALLOWED"),
        ("https://evilsaleor.cloud/graphql/", "HOST_NOT_ALLOWED"),
        ("https://saleor.cloud.evil.com/graphql/", "HOST_NOT_ALLOWED"),
        ("https://shop.example.com:8443/graphql/", "HOST_NOT_ALLOWED"),
        ("http://127.0.0.1:8001/graphql/", "HOST_NOT_ALLOWED"),
        ("https://127.0.0.1:8000/graphql/", "HOST_NOT_ALLOWED"),
        ("http://shop.example.com/graphql/", "HTTPS_REQUIRED"),
    ],
)
def test_a_host_that_only_looks_alike_is_not_allowed(url: str, code: str) -> None:
    with pytest.raises(InstallRefused) as refusal:
        allowed(url)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.5",
        "192.168.1.2",
        "169.254.169.254",
        "100.64.0.1",
        "::1",
        "fd00::1",
        "fe80::1%eth0",
        "0.0.0.0",
    ],
)
def test_an_allowed_name_at_a_private_address_is_not_called(address: str) -> None:
    with pytest.raises(InstallRefused) as refusal:
        allowed("https://shop.example.com/graphql/", at=[*PUBLIC, address])
    assert refusal.value.code == "PRIVATE_ADDRESS"


def test_nobody_may_install_unless_named() -> None:
    with pytest.raises(InstallRefused) as refusal:
        allowed("https://shop.example.com/graphql/", SaleorConfig((), (), None, None))
    assert refusal.value.code == "HOST_NOT_ALLOWED"


@pytest.mark.parametrize(
    "entry", ["*", "*.", "http://", "https://a.com/graphql/", "a b*c", "ftp://x", "https://u@a.com"]
)
def test_a_list_of_hosts_that_cannot_be_is_a_fault_of_the_environment(tmp_path: Any, entry: str) -> None:
    with pytest.raises(ConfigError, match="SALEOR_ALLOWED_HOSTS"):
        read_config({"INSTANCE_PATH": str(tmp_path), "SALEOR_ALLOWED_HOSTS": f"shop.example.com, {entry}"})


def test_the_list_is_read_as_written_with_any_case(tmp_path: Any) -> None:
    named = "Shop.Example.com *.saleor.cloud,http://127.0.0.1:8000/"
    found = read_config({"INSTANCE_PATH": str(tmp_path), "SALEOR_ALLOWED_HOSTS": named}).saleor
    assert (found.hosts, found.origins) == (
        ("shop.example.com", "*.saleor.cloud"),
        ("http://127.0.0.1:8000",),
    )


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("Shop.example.com", "https://shop.example.com/graphql/"),
        ("127.0.0.1:8000", "http://127.0.0.1:8000/graphql/"),
        ("http://10.0.0.5:8000/graphql/", "http://10.0.0.5:8000/graphql/"),
        ("shop.example.com/graphql", None),
        ("https://shop.example.com", None),
        ("a shop", None),
        ("", None),
    ],
)
def test_an_operator_names_a_domain_or_an_address(given: str, url: str | None) -> None:
    assert api_url_of(given, CLOUD) == url


def test_deliveries_of_a_saleor_that_is_not_installed_are_refused(bench: Bench) -> None:
    assert deliver(bench, b"{}").status_code == 401
    assert bench.counts()["deliveries"] == 0
