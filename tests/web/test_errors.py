"""Faults: a sentence for readers, JSON for programs, the same headers on every answer."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.exceptions import default_exceptions

from impact_app.ledger.stores import Store
from tests.web.conftest import HTML, page_of

OUTSIDE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)


@pytest.fixture
def failing(app: Flask) -> FlaskClient:
    """The app with an address for each fault."""

    @app.get("/fail/<int:code>")
    def fail(code: int) -> str:
        if code == 0:
            raise RuntimeError("the secret is 12345")
        raise default_exceptions[code]()

    return app.test_client()


@pytest.mark.parametrize("code", [400, 401, 403, 404, 405, 413, 500, 503])
def test_a_reader_gets_a_page_and_a_program_gets_json(failing: FlaskClient, code: int) -> None:
    page = failing.get(f"/fail/{code}", headers=HTML)
    answer = failing.get(f"/fail/{code}", headers={"Accept": "application/json"})

    assert (page.status_code, answer.status_code) == (code, code)
    assert page.content_type == "text/html; charset=utf-8"
    assert f"Status {code}" in page_of(page).text
    assert answer.json is not None
    assert list(answer.json) == ["error"]
    assert answer.json["error"] in page_of(page).text
    assert answer.json["error"].endswith(".")


def test_a_fault_of_our_own_tells_nothing_of_it(failing: FlaskClient) -> None:
    for headers in (HTML, {}):
        answer = failing.get("/fail/0", headers=headers)
        told = answer.get_data(as_text=True)

        assert answer.status_code == 500
        assert "The app met a fault of its own." in told
        assert "12345" not in told
        assert "Traceback" not in told
        assert "RuntimeError" not in told


def test_who_names_no_preference_gets_json(client: FlaskClient) -> None:
    assert client.get("/nothing", headers={"Accept": "*/*"}).json == {
        "error": "There is nothing at this address."
    }


def test_a_wrong_method_names_the_right_ones(client: FlaskClient) -> None:
    answer = client.get("/login", headers=HTML)

    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/readyz", "/metrics", "/nothing", "/stores/1/orders", "/static/admin.css"]
)
def test_every_answer_carries_the_headers(signed_in: FlaskClient, store: Store, path: str) -> None:
    headers = signed_in.get(path, headers=HTML).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Content-Security-Policy"] == OUTSIDE_POLICY
    assert "X-Frame-Options" not in headers
    if not path.startswith("/static"):
        assert headers["Cache-Control"] == "no-store"


def test_pages_outside_the_admin_carry_no_script(signed_in: FlaskClient, store: Store) -> None:
    for path in ("/", f"/stores/{store.id}/orders", f"/stores/{store.id}/settings", "/nothing"):
        html = signed_in.get(path, headers=HTML, follow_redirects=True).get_data(as_text=True)
        assert "<script" not in html
        assert "style=" not in html
        # A link leads away when it is followed; nothing else does.
        loaded = re.sub(r"<a [^>]*>", "", html)
        assert "http://" not in loaded
        assert "https://" not in loaded
