"""The page of alerts: what is open, who is told, and that a secret address is never shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from impact_app.domain.alerts import CAUSES, Cause
from impact_app.domain.messages import Digest
from impact_app.ledger.alerts import over, raise_
from impact_app.ledger.stores import Store
from impact_app.ledger.tables import channels
from impact_app.wiring import Services
from tests.recipients import Hook, Mailbox, mail_server, text_of, webhook
from tests.web.conftest import HTML, Page, page_of

SLACK = "https://hooks.slack.com/services/T0/B0/very-secret-9876"


@pytest.fixture
def hook() -> Iterator[Hook]:
    with webhook() as running:
        yield running


@pytest.fixture
def mailbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, services: Services) -> Iterator[Mailbox]:
    with mail_server(tmp_path) as box:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        services.config = replace(services.config, mail=box.config)
        yield box


def save(client: FlaskClient, store: Store, **boxes: str) -> tuple[int, Page]:
    path = f"/stores/{store.id}/alerts"
    fields = page_of(client.get(path, headers=HTML)).fields
    fields.pop("remove_webhook", None)
    answer = client.post(path, data={**fields, **boxes}, headers=HTML)
    return answer.status_code, page_of(answer)


def stored(services: Services, store: Store) -> object:
    with services.database.read() as connection:
        return connection.execute(channels.select().where(channels.c.store_id == store.id)).one_or_none()


def test_open_alerts_stand_above_those_that_are_over(
    signed_in: FlaskClient, store: Store, services: Services
) -> None:
    path = f"/stores/{store.id}/alerts"
    assert "Everything is as it should be." in page_of(signed_in.get(path, headers=HTML)).text
    now = services.clock()
    with services.database.write() as connection:
        raise_(connection, store.id, Cause.SILENCE, "", "Nothing came <b>.", "", now)
        raise_(connection, store.id, Cause.DRIFT, "", "3 orders, 12.00 EUR differ.", "", now)
        over(connection, store.id, Cause.DRIFT, "", now)
    page = page_of(signed_in.get(path, headers=HTML))
    assert "Nothing came <b>." in page.text
    assert CAUSES[Cause.SILENCE].act in page.text
    assert page.text.index("Nothing came") < page.text.index("3 orders, 12.00 EUR differ.")
    assert "Everything is as it should be." not in page.text


def test_channels_are_saved_and_the_webhook_is_shown_masked(
    signed_in: FlaskClient, store: Store, services: Services
) -> None:
    given = {"addresses": "ann@shop.test\r\n ben@shop.test,ann@shop.test", "digest": "daily"}
    status, page = save(signed_in, store, webhook_url=SLACK, **given)
    assert status == 200
    assert page.fields["addresses"] == "ann@shop.test\nben@shop.test"
    assert (page.fields["digest"], page.fields["webhook_url"]) == ("daily", "")
    assert "https://hooks.slack.com/…9876" in page.text
    html = signed_in.get(f"/stores/{store.id}/alerts", headers=HTML).get_data(as_text=True)
    assert "very-secret" not in html
    assert "very-secret" not in str(stored(services, store))
    assert services.channels.webhook_url(store.id) == SLACK
    # The clock says Friday, 20 November: the first digest is that of this day.
    assert services.channels.of(store.id).digest_until == date(2026, 11, 19)

    save(signed_in, store, addresses="")
    assert services.channels.of(store.id).addresses == ()
    assert services.channels.webhook_url(store.id) == SLACK
    save(signed_in, store, remove_webhook="1", digest="none")
    assert services.channels.webhook_url(store.id) is None
    assert services.channels.of(store.id).digest is Digest.NONE


@pytest.mark.parametrize(
    ("box", "text"),
    [
        ("addresses", "ann"),
        ("addresses", "ann@shop.test\r\nBcc: someone@else.test <x>"),
        ("addresses", "\n".join(f"a{number}@shop.test" for number in range(11))),
        ("webhook_url", "http://hooks.slack.com/x"),
        ("webhook_url", "https://127.0.0.1/x"),
        ("webhook_url", "https://[::1]/x"),
        ("webhook_url", "https://10.0.0.8:8443/x"),
        ("webhook_url", "https://169.254.169.254/latest"),
        ("webhook_url", "https://localhost/x"),
        ("webhook_url", "https://user:word@hooks.slack.com/x"),
        ("webhook_url", "https://hooks.slack.com:port/x"),
        ("webhook_url", "file:///etc/passwd"),
        ("digest", "hourly"),
    ],
)
def test_what_cannot_be_sent_to_is_refused(
    signed_in: FlaskClient, store: Store, services: Services, box: str, text: str
) -> None:
    status, page = save(signed_in, store, **{"addresses": "ann@shop.test", box: text})
    assert status == 422
    assert [got["name"] for _, got in page.tags if got.get("aria-invalid")] == [box]
    assert "Nothing was saved" in page.text
    assert stored(services, store) is None


def test_a_test_message_says_what_came_of_it(
    signed_in: FlaskClient, store: Store, services: Services, mailbox: Mailbox, hook: Hook
) -> None:
    services.config = replace(services.config, webhook_origins=(hook.origin,))
    path = f"/stores/{store.id}/alerts"
    token = page_of(signed_in.get(path, headers=HTML)).fields["csrf_token"]
    nobody = signed_in.post(f"{path}/test", data={"csrf_token": token}, headers=HTML)
    assert nobody.status_code == 422

    save(signed_in, store, addresses="ann@shop.test", webhook_url=hook.url)
    hook.statuses = [404]
    page = page_of(signed_in.post(f"{path}/test", data={"csrf_token": token}, headers=HTML))
    assert "ann@shop.test : The test message was sent." in page.text
    assert "The webhook did not take the message: it answered 404." in page.text
    assert [text_of(mail).splitlines()[0] for mail in mailbox.mails] == [
        "Alerts of one.myshopify.com arrive here."
    ]
    signed_in.post(f"{path}/test", data={"csrf_token": token}, headers=HTML)
    assert hook.texts[0].startswith("*one.myshopify.com: test message*\nAlerts of")


def test_without_a_mail_server_the_page_says_so(signed_in: FlaskClient, store: Store) -> None:
    _, page = save(signed_in, store, addresses="ann@shop.test")
    assert "No mail server is set up here" in page.text
    answer = signed_in.post(
        f"/stores/{store.id}/alerts/test", data={"csrf_token": page.fields["csrf_token"]}, headers=HTML
    )
    assert "No mail server is set up: SMTP_URL and MAIL_FROM are to be set." in page_of(answer).text


def test_a_new_secret_key_takes_the_webhook_over(store: Store, services: Services) -> None:
    services.channels.save(store.id, [], SLACK, Digest.NONE, None)
    before = stored(services, store)
    services.channels.renew_secrets()
    assert stored(services, store) != before
    assert services.channels.webhook_url(store.id) == SLACK
