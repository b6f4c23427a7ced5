"""A real order on the pages: it arrives signed, waits for settings, is reported, and is replayed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from flask.testing import FlaskClient

from impact_app.ledger.stores import Store
from impact_app.simulator.network import RunningNetwork
from impact_app.simulator.shopify.deliveries import headers
from impact_app.simulator.shopify.orders import encode, order_body
from impact_app.simulator.shopify.specs import LineSpec, OrderSpec
from impact_app.wiring import Services
from tests.web.conftest import HTML, SECRET, SID, page_of

BOUGHT = OrderSpec(
    order_id=900,
    lines=(LineSpec(sku="MUG", title="Mug", price=Decimal("14.00"), quantity=2),),
    note_attributes=(("im_ref", "Click-1"),),
    order_number=1001,
    processed_at=datetime(2026, 11, 20, 11, 30, tzinfo=UTC),
)


def arrive(client: FlaskClient, services: Services, store: Store) -> None:
    body = encode(order_body(BOUGHT))
    signed = headers("orders/paid", store.domain, body, SECRET)
    assert client.post("/shopify/webhooks", data=body, headers=signed).status_code == 200
    assert services.processor.drain(services.clock() + timedelta(minutes=1)) == 1


def save(client: FlaskClient, store: Store, token: str) -> int:
    path = f"/stores/{store.id}/settings"
    account = {"account_sid": SID, "auth_token": token, "campaign_id": "1000", "event_type_id": "9876"}
    sent = {**page_of(client.get(path, headers=HTML)).fields, **account}
    return client.post(path, data=sent, headers=HTML).status_code


def text_of(client: FlaskClient, store: Store) -> str:
    return page_of(client.get(f"/stores/{store.id}/orders/900", headers=HTML)).text


def work(services: Services) -> None:
    """What the workers do once they are woken."""
    until = services.clock() + timedelta(minutes=1)
    services.reviewer.drain(until)
    services.deliverer.drain(until)


def test_an_order_waits_for_the_settings_and_is_reported_after_them(
    signed_in: FlaskClient, store: Store, services: Services, network: RunningNetwork
) -> None:
    arrive(signed_in, services, store)
    waiting = text_of(signed_in, store)
    assert "Waiting" in waiting
    assert "The store has no impact.com account, campaign or event type yet." in waiting
    # no discount, no tax
    assert "14.00 x 2 0.00 = 28.00 0.00 = 28.00" in waiting

    assert save(signed_in, store, "pretend-auth-token") == 200
    work(services)

    assert len(network.books.actions_of_order("900")) == 1
    reported = text_of(signed_in, store)
    assert "impact.com has accepted the conversion." in reported
    assert "Accepted , status 200" in reported
    assert "2 x MUG : 28.00 USD" in reported
    assert "Cart attribute Used im_ref = Click-1" in reported
    assert "pretend-auth-token" not in reported


def test_replay_sends_what_was_refused(
    signed_in: FlaskClient, store: Store, services: Services, network: RunningNetwork
) -> None:
    arrive(signed_in, services, store)
    save(signed_in, store, "pretend-auth-token")
    network.books.faults.script("400")
    work(services)
    path = f"/stores/{store.id}/orders/900"
    refused = page_of(signed_in.get(path, headers=HTML))
    assert "Needs attention" in refused.text
    assert "Rejected , invalid field, status 400" in refused.text
    assert network.books.actions_of_order("900") == []

    asking = page_of(signed_in.get(f"{path}/replay", headers=HTML))
    assert "is judged again" in asking.text
    assert signed_in.post(f"{path}/replay", headers=HTML).status_code == 400
    work(services)
    assert network.books.actions_of_order("900") == []

    replayed = signed_in.post(f"{path}/replay", data=asking.fields, headers=HTML)
    assert (replayed.status_code, replayed.headers["Location"]) == (303, f"{path}?done=replay")
    assert "Replay admin password" in text_of(signed_in, store)
    # A double click sends the form twice.
    twice = signed_in.post(f"{path}/replay", data=asking.fields, headers=HTML)
    assert twice.status_code == 409
    assert "Nothing was done: this was asked already" in page_of(twice).text
    assert text_of(signed_in, store).count("Replay admin password") == 1
    work(services)
    assert len(network.books.actions_of_order("900")) == 1
    assert "impact.com has accepted the conversion." in text_of(signed_in, store)
