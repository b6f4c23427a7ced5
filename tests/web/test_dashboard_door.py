"""The door inside Saleor's dashboard: the user's token, the tickets after it, frames and changes."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from impact_app import create_app
from impact_app.config import ConfigError, read_config
from impact_app.ledger.stores import Store
from impact_app.simulator.saleor.dashboard import LIFE, USER_ID, user_token
from impact_app.simulator.saleor.keys import jwk, private_key
from impact_app.simulator.saleor.server import Fault, PretendSaleor
from impact_app.stores.saleor.session import verify_user_token
from impact_app.stores.saleor.signature import read_keys
from impact_app.stores.sessions import SessionRefused
from impact_app.wiring import Services
from tests.web.conftest import (
    HTML,
    SID,
    FixedClock,
    add_order,
    connect_saleor,
    enter_dashboard,
    page_of,
    saleor_order,
)
from tests.web.test_embedded_door import ancestors

RECORDED = Path(__file__).parents[3] / "shared" / "reference" / "saleor-payloads" / "3.23.28"


@pytest.fixture
def shop(services: Services, saleor: PretendSaleor) -> Store:
    return connect_saleor(services, saleor)


@pytest.fixture
def enter(
    client: FlaskClient, saleor: PretendSaleor, clock: FixedClock, shop: Store
) -> Callable[..., TestResponse]:
    """Opens a page as the dashboard does, and gives the answer of the page itself."""
    return lambda path="/saleor/", **claims: enter_dashboard(client, saleor, clock, path, **claims)


def hand_over(client: FlaskClient, shop: PretendSaleor, token: str, **more: str) -> TestResponse:
    sent = {"token": token, "saleorApiUrl": shop.api_url, "reload": "/saleor/orders", **more}
    return client.post("/saleor/session-token", data=sent, headers=HTML)


def test_the_dashboard_opens_a_page_by_way_of_the_users_token(
    client: FlaskClient, saleor: PretendSaleor, shop: Store, clock: FixedClock
) -> None:
    query = {"id": "QXBwOjE=", "saleorApiUrl": saleor.api_url, "theme": "dark", "verdict": "waiting"}
    first = client.get("/saleor/orders", query_string=query, headers=HTML)
    assert first.status_code == 303
    asking = client.get(first.headers["Location"], headers=HTML)
    page = page_of(asking)
    assert asking.status_code == 200
    assert [got["src"] for tag, got in page.tags if tag == "script"] == ["/static/saleor-dashboard.js"]
    assert "script-src 'self';" in asking.headers["Content-Security-Policy"]
    assert "needs script" in page.text
    [form] = [got for tag, got in page.tags if tag == "form"]
    assert form["data-origins"] == saleor.url

    sent = {**page.fields, "token": user_token(saleor, now=clock()), "locale": "de"}
    taken = client.post(str(form["action"]), data=sent, headers=HTML)
    assert taken.status_code == 303
    place = urlsplit(taken.headers["Location"])
    assert place.path == "/saleor/orders"
    assert parse_qs(place.query)["verdict"] == ["waiting"]
    opened = client.get(taken.headers["Location"], headers={**HTML, "Sec-Fetch-Dest": "iframe"})
    assert opened.status_code == 200
    assert saleor.domain in page_of(opened).text
    assert [tag for tag, _ in page_of(opened).tags if tag == "script"] == []
    assert '<html lang="de">' in opened.get_data(as_text=True)
    assert all("Set-Cookie" not in one.headers for one in (first, asking, taken, opened))


def altered(token: str, **claims: Any) -> str:
    """The token with other claims under the same signature."""
    head, body, tail = token.split(".")
    said = json.loads(base64.urlsafe_b64decode(body + "=="))
    return f"{head}.{base64.urlsafe_b64encode(json.dumps({**said, **claims}).encode()).decode()}.{tail}"


def refused_tokens(shop: PretendSaleor, clock: FixedClock) -> dict[str, str]:
    now = clock()
    good = user_token(shop, now=now)
    claims = jwt.decode(good, options={"verify_signature": False})
    kid = {"kid": jwk("current")["kid"]}
    return {
        "": "",
        "nonsense": "nonsense",
        "no signature": good.rpartition(".")[0] + ".",
        "altered": altered(good, user_id="VXNlcjox"),
        "alg none": jwt.encode(claims, None, algorithm="none", headers=kid),  # type: ignore[arg-type]
        "alg HS256 with the public key": jwt.encode(
            claims, jwk("current")["n"], algorithm="HS256", headers=kid
        ),
        "alg RS512": jwt.encode(claims, private_key("current"), algorithm="RS512", headers=kid),
        "another key under this id": user_token(shop, now=now, key="thief", header=kid),
        "expired": user_token(shop, now=now - LIFE - timedelta(seconds=11)),
        "not yet valid": user_token(shop, now=now + timedelta(minutes=1)),
        "no end": user_token(shop, now=now, exp=None),
        "end not a number": user_token(shop, now=now, exp=float("nan")),
        "another Saleor": user_token(shop, now=now, iss="https://two.example.com/graphql/"),
        "another app": user_token(shop, now=now, app="QXBwOjI="),
        "the dashboard's own": user_token(shop, now=now, type="access", app=None),
        "no member of staff": user_token(shop, now=now, is_staff=False),
    }


REFUSED = sorted(refused_tokens(PretendSaleor(), FixedClock()))


@pytest.mark.parametrize("kind", REFUSED)
def test_no_other_token_opens_anything(
    client: FlaskClient, saleor: PretendSaleor, shop: Store, clock: FixedClock, kind: str
) -> None:
    answer = hand_over(client, saleor, refused_tokens(saleor, clock)[kind])

    assert answer.status_code == 401
    assert "ticket" not in answer.get_data(as_text=True)
    assert "Saleor's word for you is not accepted" in page_of(answer).text
    assert "Location" not in answer.headers


def test_staff_without_the_permission_for_orders_sees_nothing(
    client: FlaskClient, saleor: PretendSaleor, shop: Store, clock: FixedClock
) -> None:
    saleor.staff = ("MANAGE_APPS", "MANAGE_PRODUCTS")
    answer = hand_over(client, saleor, user_token(saleor, now=clock()))

    assert answer.status_code == 403
    assert "Ask for the permission to manage orders" in page_of(answer).text


def test_staff_without_the_permission_for_apps_changes_no_settings(
    enter: Callable[..., TestResponse],
    client: FlaskClient,
    saleor: PretendSaleor,
    services: Services,
    shop: Store,
) -> None:
    saleor.staff = ("MANAGE_ORDERS",)
    key = saleor_order(client, services, saleor)
    page = page_of(enter("/saleor/settings"))
    assert "takes the permission to manage apps" in page.text
    before = services.stores.get(shop.id)
    for path in ("/saleor/settings", "/saleor/rules", "/saleor/rules/1"):
        answer = client.post(path, data={**page.fields, "campaign_id": "7"}, headers=HTML)
        assert answer.status_code == 403, path
        assert "permission to manage apps" in page_of(answer).text
    assert services.stores.get(shop.id) == before

    asked = page_of(enter(f"/saleor/orders/{key}/ignore"))
    assert client.post(f"/saleor/orders/{key}/ignore", data=asked.fields, headers=HTML).status_code == 303
    [act] = services.acts.of_order(shop.id, key)
    assert act.by == f"Saleor user {USER_ID}"


def test_staff_with_it_changes_settings_and_is_named(
    enter: Callable[..., TestResponse], client: FlaskClient, services: Services, shop: Store
) -> None:
    page = page_of(enter("/saleor/settings"))
    assert "takes the permission to manage apps" not in page.text
    account = {
        "account_sid": SID,
        "auth_token": "pretend-auth-token",
        "campaign_id": "1",
        "event_type_id": "2",
    }
    saved = client.post("/saleor/settings", data={**page.fields, **account}, headers=HTML)

    assert saved.status_code == 200
    assert services.stores.get(shop.id).campaign_id == "1"  # type: ignore[union-attr]


def test_only_the_dashboards_of_this_saleor_may_frame(
    environ: dict[str, str], clock: FixedClock, saleor: PretendSaleor
) -> None:
    elsewhere = {**environ, "SALEOR_DASHBOARD_ORIGINS": "https://dashboard.example.com/"}
    services = Services(read_config(elsewhere), clock)
    connect_saleor(services, saleor)
    client = create_app(services).test_client()
    framed = f"{saleor.url} https://dashboard.example.com"

    for path in ("/saleor/", "/saleor/orders", "/saleor/settings", "/saleor/orders/none"):
        answer = enter_dashboard(client, saleor, clock, path)
        assert ancestors(answer) == framed
        assert "X-Frame-Options" not in answer.headers
    asking = client.get("/saleor/session-token", query_string={"saleorApiUrl": saleor.api_url}, headers=HTML)
    assert ancestors(asking) == framed
    assert f'data-origins="{framed}"' in asking.get_data(as_text=True)
    unknown = {"saleorApiUrl": "https://evil.example.com/graphql/", "orderId": "1"}
    for path in ("/saleor/", "/saleor/session-token", "/saleor/order"):
        stranger = client.get(path, query_string=unknown, headers=HTML)
        assert stranger.status_code in (400, 401, 404)
        assert ancestors(stranger) == "'none'"
    services.database.close()


@pytest.mark.parametrize(
    "origin", ["dashboard.example.com", "https://a.example.com/dashboard/", "https://x y"]
)
def test_a_dashboard_is_named_by_its_origin(environ: dict[str, str], origin: str) -> None:
    with pytest.raises(ConfigError, match="SALEOR_DASHBOARD_ORIGINS takes origins"):
        read_config({**environ, "SALEOR_DASHBOARD_ORIGINS": origin})


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example/saleor/",
        "/shopify/orders",
        "/stores/1/orders",
        "/saleor/session-token",
    ],
)
def test_the_token_leads_to_pages_behind_this_door_only(
    client: FlaskClient, saleor: PretendSaleor, shop: Store, clock: FixedClock, wanted: str
) -> None:
    answer = hand_over(client, saleor, user_token(saleor, now=clock()), reload=wanted)

    assert answer.headers["Location"].startswith("/saleor/?ticket=")


def test_links_hold_five_minutes_forms_an_hour_and_the_proof_behind_them_an_hour(
    enter: Callable[..., TestResponse], client: FlaskClient, shop: Store, clock: FixedClock
) -> None:
    def settings_link(answer: TestResponse) -> str:
        return next(one for one in page_of(answer).links if one.startswith("/saleor/settings?"))

    link = settings_link(enter())
    clock.pass_by(minutes=5)
    assert client.get(link, headers=HTML).status_code == 200
    clock.pass_by(seconds=1)
    late = client.get(link, headers=HTML)
    assert late.status_code == 303
    asked = parse_qs(urlsplit(late.headers["Location"]).query)
    assert asked["reload"] == ["/saleor/settings"]
    assert client.get(late.headers["Location"], headers=HTML).status_code == 200

    answer = enter()
    for _ in range(12):
        clock.pass_by(minutes=5)
        answer = client.get(settings_link(answer), headers=HTML)
        assert answer.status_code == 200
    clock.pass_by(seconds=1)
    assert client.get(settings_link(answer), headers=HTML).status_code == 303


def test_a_ticket_opens_nothing_outside_the_frame_and_nothing_of_another_door(
    enter: Callable[..., TestResponse], client: FlaskClient, services: Services, shop: Store
) -> None:
    link = next(one for one in page_of(enter()).links if one.startswith("/saleor/orders?"))
    assert client.get(link, headers={**HTML, "Sec-Fetch-Dest": "document"}).status_code == 303
    assert client.get(link.replace("/saleor/", "/shopify/"), headers=HTML).status_code == 303
    assert client.get(link.replace("/saleor/", f"/stores/{shop.id}/"), headers=HTML).status_code == 303
    with services.database.write() as connection:
        now = services.clock()
        services.stores.uninstall_in(connection, shop.id, since=now, now=now)
    assert client.get(link, headers=HTML).status_code == 401


def test_a_key_that_was_changed_is_fetched_and_one_that_cannot_be_is_said(
    client: FlaskClient, saleor: PretendSaleor, shop: Store, clock: FixedClock
) -> None:
    saleor.keys.rotate("next")
    saleor.faults.append(Fault("jwks", 503))
    assert hand_over(client, saleor, user_token(saleor, now=clock())).status_code == 503
    clock.pass_by(seconds=11)
    assert hand_over(client, saleor, user_token(saleor, now=clock())).status_code == 303
    clock.pass_by(seconds=11)
    assert hand_over(client, saleor, user_token(saleor, now=clock(), key="thief")).status_code == 401


def test_the_dashboards_order_leads_to_its_page(
    client: FlaskClient, saleor: PretendSaleor, shop: Store, services: Services, clock: FixedClock
) -> None:
    order_key = "T3JkZXI6NWQ5Y2Y4ZDQtNzM2Mi00YjYwLWI0ZmEtYjY3MzFhYjU3Mjk3"
    add_order(services, shop, order_key, number="41")
    query = {"orderId": order_key, "saleorApiUrl": saleor.api_url}
    asking = client.get("/saleor/order", query_string=query, headers=HTML)
    page = page_of(client.get(asking.headers["Location"], headers=HTML))
    taken = hand_over(client, saleor, user_token(saleor, now=clock()), reload=page.fields["reload"])

    opened = page_of(client.get(taken.headers["Location"], headers=HTML))
    assert "Order 41" in opened.text


def test_without_script_or_a_browser_there_is_a_sentence(client: FlaskClient, shop: Store) -> None:
    for path in ("/saleor/", "/saleor/orders"):
        answer = client.get(path, headers=HTML)
        assert answer.status_code == 401
        assert "Open the app from Saleor's dashboard" in page_of(answer).text
        assert client.get(path).json == {
            "error": "Open the app from Saleor's dashboard: only there it is told who you are."
        }


def test_real_tokens_of_the_dashboard_are_read() -> None:
    if not RECORDED.exists():
        pytest.skip("Saleor's recorded tokens are not beside the project, so nothing can be compared.")
    samples = json.loads((RECORDED / "jwt-samples.json").read_text())
    keys = read_keys((RECORDED / "jwks.json").read_bytes())

    def opened(name: str) -> tuple[str, bool]:
        token = samples[name]["token"]
        claims = jwt.decode(token, options={"verify_signature": False})
        clock = FixedClock()
        clock.now = clock.now.fromtimestamp(claims["iat"], clock.now.tzinfo)
        found = verify_user_token(
            token, keys, api_url="http://127.0.0.1:8000/graphql/", app_id="QXBwOjI=", now=clock()
        )
        return found.user_id, found.may_configure

    assert opened("app_access_token_for_superuser") == ("VXNlcjoyMQ==", True)
    assert opened("app_access_token_for_limited_staff") == ("VXNlcjozNQ==", False)
    with pytest.raises(SessionRefused, match="not for this installation"):
        opened("staff_login_token")
