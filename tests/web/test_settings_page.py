"""The settings of one store: what is shown, what is kept, and what impact.com says when they are saved."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from impact_app.ledger.stores import Store
from impact_app.ledger.tables import accounts, steps, stores
from impact_app.ledger.vault import Vault
from impact_app.simulator.network import RunningNetwork
from impact_app.wiring import Services
from tests.web.conftest import HTML, SID, Page, add_order, add_step, page_of

TOKEN = "pretend-auth-token"


def form_of(client: FlaskClient, store: Store) -> dict[str, str]:
    return page_of(client.get(f"/stores/{store.id}/settings", headers=HTML)).fields


def save(client: FlaskClient, store: Store, **boxes: str) -> tuple[int, Page]:
    account = {"account_sid": SID, "auth_token": TOKEN, "campaign_id": "1000", "event_type_id": "9876"}
    sent = {**form_of(client, store), **account, **boxes}
    answer = client.post(f"/stores/{store.id}/settings", data=sent, headers=HTML)
    return answer.status_code, page_of(answer)


def asked(network: RunningNetwork) -> int:
    return len(network.books.calls())


def test_a_form_saved_is_kept_and_the_token_is_never_shown(
    signed_in: FlaskClient, store: Store, services: Services
) -> None:
    status, page = save(signed_in, store)

    assert status == 200
    assert "Saved. impact.com accepts these credentials." in page.text
    assert "currency USD" in page.text
    kept = services.stores.get(store.id)
    assert kept is not None
    assert (kept.account_sid, kept.campaign_id, kept.event_type_id) == (SID, "1000", "9876")
    assert kept.rules_version == store.rules_version + 1
    credentials = services.stores.credentials(store.id)
    assert credentials is not None
    assert credentials.auth_token == TOKEN
    for path in ("settings", "orders", ""):
        shown = signed_in.get(f"/stores/{store.id}/{path}", headers=HTML).get_data(as_text=True)
        assert TOKEN not in shown
    assert form_of(signed_in, store)["auth_token"] == ""


def test_an_empty_token_box_keeps_the_stored_token(
    signed_in: FlaskClient, store: Store, services: Services
) -> None:
    save(signed_in, store)
    status, _ = save(signed_in, store, auth_token="", campaign_id="2000")

    kept = services.stores.credentials(store.id)
    assert status == 200
    assert kept is not None
    assert kept.auth_token == TOKEN
    assert services.stores.get(store.id).campaign_id == "2000"  # type: ignore[union-attr]


def test_credentials_that_impact_refuses_are_not_saved(
    signed_in: FlaskClient, store: Store, services: Services
) -> None:
    status, page = save(signed_in, store, auth_token="no-such-token")

    assert status == 422
    assert "Nothing was saved. impact.com refuses this account SID and auth token." in page.text
    assert services.stores.get(store.id) == store
    assert page.fields["auth_token"] == ""
    assert page.fields["account_sid"] == SID


@pytest.mark.parametrize("token", ["pretend-conversions-token", "pretend-disabled-token"])
def test_a_token_with_too_few_scopes_is_saved_with_a_warning(
    signed_in: FlaskClient, store: Store, services: Services, token: str
) -> None:
    status, page = save(signed_in, store, auth_token=token)

    assert status == 200
    assert "Saved, with a warning. impact.com knows these credentials" in page.text
    assert "refuses" not in page.text
    assert services.stores.get(store.id).is_configured  # type: ignore[union-attr]


def test_an_unreachable_network_is_no_wrong_password(
    app_without_network: tuple[FlaskClient, Store, Services],
) -> None:
    client, store, services = app_without_network
    status, page = save(client, store)

    assert status == 200
    assert "Saved, with a warning. impact.com could not be reached" in page.text
    assert services.stores.get(store.id).is_configured  # type: ignore[union-attr]


def test_every_fault_stands_beside_its_box_and_nothing_is_asked(
    signed_in: FlaskClient, store: Store, services: Services, network: RunningNetwork
) -> None:
    status, page = save(
        signed_in,
        store,
        account_sid="IR/../1",
        campaign_id="12a",
    )

    assert status == 422
    assert services.stores.get(store.id) == store
    assert asked(network) == 0
    marked = {got["name"] for _, got in page.tags if got.get("aria-invalid")}
    assert marked == {"account_sid", "campaign_id"}
    ids = {got.get("id") for _, got in page.tags}
    assert {f"{name}-fault" for name in marked} <= ids
    assert page.fields["campaign_id"] == "12a"


def test_what_was_typed_is_shown_as_text_and_nothing_else(signed_in: FlaskClient, store: Store) -> None:
    attack = '"><script>alert(1)</script>'
    answer = signed_in.post(
        f"/stores/{store.id}/settings",
        data={
            **form_of(signed_in, store),
            "account_sid": attack,
        },
        headers=HTML,
    )

    page = page_of(answer)
    assert answer.status_code == 422
    assert [tag for tag, _ in page.tags].count("script") == 0
    assert page.fields["account_sid"] == attack


def test_saving_lifts_the_hold_on_the_account_even_with_the_same_token(
    signed_in: FlaskClient, store: Store, services: Services
) -> None:
    save(signed_in, store)
    with services.database.write() as connection:
        held = {"sid": SID, "held_reason": "not_allowed", "held_at": services.clock()}
        connection.execute(accounts.insert().values(**held))

    save(signed_in, store, auth_token="")

    with services.database.read() as connection:
        assert connection.execute(accounts.select()).one().held_reason is None


def test_saving_makes_what_waits_due_at_once(
    signed_in: FlaskClient, store: Store, services: Services
) -> None:
    later = services.clock() + timedelta(hours=1)
    order_id = add_order(services, store, "1", verdict="waiting", reason="server_error")
    add_step(services, store, order_id, not_before=later)

    save(signed_in, store)

    with services.database.read() as connection:
        assert connection.execute(steps.select()).one().not_before == services.clock()


def test_a_stored_token_that_no_key_opens_is_asked_for_again(
    signed_in: FlaskClient, store: Store, services: Services, network: RunningNetwork
) -> None:
    save(signed_in, store)
    asked_before = asked(network)
    foreign = Vault(["a key that was lost"]).lock(TOKEN)
    with services.database.write() as connection:
        connection.execute(stores.update().values(auth_token=foreign))

    status, page = save(signed_in, store, auth_token="", campaign_id="2000")

    assert status == 422
    assert "The stored token cannot be read any more. Enter it again." in page.text
    assert services.stores.get(store.id).campaign_id == "1000"  # type: ignore[union-attr]
    assert asked(network) == asked_before
    assert save(signed_in, store)[0] == 200


def test_without_a_csrf_token_nothing_is_saved(
    signed_in: FlaskClient, store: Store, services: Services, network: RunningNetwork
) -> None:
    for token in ("", "made-up"):
        sent = {**form_of(signed_in, store), "account_sid": SID, "auth_token": TOKEN}
        sent = {**sent, "campaign_id": "1", "event_type_id": "1", "csrf_token": token}
        answer = signed_in.post(f"/stores/{store.id}/settings", data=sent, headers=HTML)

        assert answer.status_code == 400
        assert "came from elsewhere" in page_of(answer).text
    assert services.stores.get(store.id) == store
    assert asked(network) == 0


def test_a_form_of_a_megabyte_is_refused(signed_in: FlaskClient, store: Store, services: Services) -> None:
    sent = {**form_of(signed_in, store), "rule.routes": "x" * 70_000}
    answer = signed_in.post(f"/stores/{store.id}/settings", data=sent, headers=HTML)

    assert answer.status_code == 413
    assert "More was sent" in page_of(answer).text
    assert services.stores.get(store.id) == store
