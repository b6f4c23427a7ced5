"""The door with a password: who gets in, for how long, and what a form needs."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from impact_app import create_app
from impact_app.config import read_config
from impact_app.ledger.stores import Store
from impact_app.web.access import same_origin_path
from impact_app.web.password import FREE_TRIES, Doorkeeper
from impact_app.wiring import Services
from tests.web.conftest import HTML, PASSWORD, FixedClock, page_of, sign_in


def test_without_the_password_there_is_only_the_form(client: FlaskClient, store: Store) -> None:
    page = page_of(client.get("/", headers=HTML))

    assert set(page.fields) == {"csrf_token", "next", "password"}
    assert store.domain not in page.text
    for path in ("", "orders", "orders/1", "settings"):
        answer = client.get(f"/stores/{store.id}/{path}", headers=HTML)
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/?next=/stores/1/")
        assert store.domain not in answer.get_data(as_text=True)


def test_a_program_without_the_password_gets_a_401(client: FlaskClient, store: Store) -> None:
    answer = client.get(f"/stores/{store.id}/orders")

    assert answer.status_code == 401
    assert answer.json == {
        "error": "You are not signed in. Open the first page and enter the admin password."
    }


def test_the_right_password_opens_the_one_store_at_once(client: FlaskClient, store: Store) -> None:
    answer = sign_in(client)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    front = client.get("/", headers=HTML)
    assert (front.status_code, front.headers["Location"]) == (303, f"/stores/{store.id}/")
    assert store.domain in page_of(client.get(front.headers["Location"], headers=HTML)).text


def test_with_several_stores_there_is_a_list(signed_in: FlaskClient, store: Store, other: Store) -> None:
    page = page_of(signed_in.get("/", headers=HTML))

    assert {f"/stores/{store.id}/", f"/stores/{other.id}/"} <= set(page.links)
    assert store.domain in page.text
    assert other.domain in page.text


def test_without_any_store_the_page_says_what_to_do(signed_in: FlaskClient) -> None:
    assert "No store is connected yet." in page_of(signed_in.get("/", headers=HTML)).text


@pytest.mark.parametrize("password", ["", "wrong", PASSWORD + " ", PASSWORD.upper(), "\x00", "ü" * 300])
def test_a_wrong_password_opens_nothing(client: FlaskClient, store: Store, password: str) -> None:
    answer = sign_in(client, password)

    assert answer.status_code == 403
    assert "This is not the admin password." in page_of(answer).text
    assert client.get(f"/stores/{store.id}/orders", headers=HTML).status_code == 303


def test_a_login_form_from_elsewhere_is_not_taken(client: FlaskClient, store: Store) -> None:
    client.get("/")
    answer = client.post("/login", data={"password": PASSWORD}, headers=HTML)

    assert answer.status_code == 400
    assert client.get(f"/stores/{store.id}/orders", headers=HTML).status_code == 303


def test_guessing_becomes_slow_and_the_right_password_waits_too(
    client: FlaskClient, store: Store, clock: FixedClock
) -> None:
    tries = [sign_in(client, f"guess {n}").status_code for n in range(FREE_TRIES)]
    assert tries == [403] * FREE_TRIES

    shut = sign_in(client)
    assert shut.status_code == 429
    assert shut.headers["Retry-After"] == "2"
    assert client.get(f"/stores/{store.id}/orders", headers=HTML).status_code == 303

    clock.pass_by(seconds=2)
    assert sign_in(client).status_code == 303


def test_the_wait_doubles_up_to_a_minute_and_ends_for_who_knows_the_password() -> None:
    door, clock = Doorkeeper(), FixedClock()
    waits = []
    for _ in range(FREE_TRIES + 8):
        door.failed("192.0.2.1", clock())
        waits.append(door.wait("192.0.2.1", clock()))

    seconds = [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert waits == [timedelta(seconds=one) for one in seconds]
    assert door.wait("192.0.2.2", clock()) == timedelta(0)
    door.passed("192.0.2.1")
    assert door.wait("192.0.2.1", clock()) == timedelta(0)


def test_signing_out_ends_the_session(signed_in: FlaskClient, store: Store) -> None:
    fields = page_of(signed_in.get(f"/stores/{store.id}/orders", headers=HTML)).fields
    assert signed_in.post("/logout", headers=HTML).status_code == 400
    assert signed_in.get(f"/stores/{store.id}/orders", headers=HTML).status_code == 200

    answer = signed_in.post("/logout", data={"csrf_token": fields["csrf_token"]}, headers=HTML)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert signed_in.get(f"/stores/{store.id}/orders", headers=HTML).status_code == 303


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(client: FlaskClient, store: Store) -> None:
    cookie = sign_in(client).headers["Set-Cookie"]

    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie


def test_behind_https_the_cookie_travels_on_https_only(environ: dict[str, str], clock: FixedClock) -> None:
    services = Services(read_config({**environ, "APP_URL": "https://impact.example"}), clock)
    client = create_app(services).test_client()
    token = page_of(client.get("/", base_url="https://impact.example", headers=HTML)).fields["csrf_token"]
    sent = {"csrf_token": token, "password": PASSWORD}
    answer = client.post("/login", base_url="https://impact.example", data=sent, headers=HTML)

    assert answer.status_code == 303
    assert "Secure" in answer.headers["Set-Cookie"]
    services.database.close()


def test_another_password_ends_the_sessions_of_the_old_one(
    environ: dict[str, str], clock: FixedClock, client: FlaskClient, store: Store
) -> None:
    cookie = sign_in(client).headers["Set-Cookie"].split(";")[0]
    services = Services(read_config({**environ, "ADMIN_PASSWORD": "another password"}), clock)
    renewed = create_app(services).test_client()

    answer = renewed.get(f"/stores/{store.id}/orders", headers={**HTML, "Cookie": cookie})

    assert answer.status_code == 303
    services.database.close()


def test_after_the_password_the_wanted_page_opens(client: FlaskClient, store: Store) -> None:
    wanted = f"/stores/{store.id}/orders?verdict=waiting"
    asked = client.get(wanted, headers=HTML).headers["Location"]
    carried = page_of(client.get(asked, headers=HTML)).fields["next"]

    assert carried == wanted
    assert sign_in(client, next=carried).headers["Location"] == wanted


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/a\\b",
        "/\t/evil.example",
        "/\n/evil",
        "javascript:alert(1)",
        "evil",
        "",
        " /x",
    ],
)
def test_after_the_password_nobody_is_sent_elsewhere(client: FlaskClient, elsewhere: str) -> None:
    assert same_origin_path(elsewhere) is None
    assert sign_in(client, next=elsewhere).headers["Location"] == "/"
