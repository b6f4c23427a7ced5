"""The set-up page against the pretend impact.com: steps are really checked, and save their own boxes only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from impact_app import create_app
from impact_app.config import read_config
from impact_app.domain.programs import Contract, Term
from impact_app.domain.setup import StepName
from impact_app.ledger.stores import Store, Tokens
from impact_app.ledger.tables import conversions, stores
from impact_app.ledger.vault import Vault
from impact_app.simulator.network import Campaign, RunningNetwork
from impact_app.simulator.network import Contract as PretendContract
from impact_app.simulator.saleor.server import PretendSaleor
from impact_app.wiring import Services
from tests.web.conftest import (
    HTML,
    SID,
    FixedClock,
    Page,
    add_delivery,
    add_order,
    connect_saleor,
    enter_dashboard,
    page_of,
    sign_in,
)

TOKEN = "pretend-auth-token"


def opened(client: FlaskClient, store: Store) -> Page:
    return page_of(client.get(f"/stores/{store.id}/setup", headers=HTML))


def post(client: FlaskClient, store: Store, path: str = "setup", **sent: str) -> tuple[int, Page]:
    token = opened(client, store).fields["csrf_token"]
    answer = client.post(f"/stores/{store.id}/{path}", data={"csrf_token": token, **sent}, headers=HTML)
    return answer.status_code, page_of(answer)


def enter_account(client: FlaskClient, store: Store, token: str = TOKEN) -> tuple[int, Page]:
    return post(client, store, step="account", account_sid=SID, auth_token=token)


def step(page: Page, name: StepName) -> str:
    """What is to be read of one step, its heading first."""
    number = list(StepName).index(name) + 1
    found = re.search(rf"(?<!\d){number}\. .*?(?=(?<!\d){number + 1}\. |$)", page.text)
    assert found, page.text
    return found[0]


def done(page: Page) -> str:
    found = re.search(r"\d of \d done", page.text)
    assert found, page.text
    return found[0]


def kept(services: Services, store: Store) -> Store:
    found = services.stores.get(store.id)
    assert found is not None
    return found


def test_an_account_a_program_and_an_event_type_make_a_store_ready(
    signed_in: FlaskClient, store: Store, services: Services
) -> None:
    first = page_of(signed_in.get(f"/stores/{store.id}/", headers=HTML))
    assert "Setup" in first.text
    assert "No account is entered yet." in step(first, StepName.ACCOUNT)
    assert "campaign_id" not in first.fields

    status, page = enter_account(signed_in, store)
    assert status == 200
    assert "Saved. impact.com accepts these credentials." in page.text
    assert "impact.com accepts these credentials." in step(page, StepName.ACCOUNT)
    # The only program is offered, and not chosen for the merchant.
    assert page.fields["campaign_id"] == "1000"
    assert kept(services, store).campaign_id is None
    assert "No program is chosen yet." in step(page, StepName.PROGRAM)

    _, page = post(signed_in, store, step="program", campaign_id="1000")
    assert "Orders go to Pretend Program (1000), which is active." in step(page, StepName.PROGRAM)
    assert "the click as im_ref, and the app looks for that." in step(page, StepName.PROGRAM)

    _, page = post(signed_in, store, step="event_type", event_type_id="9876")
    now = kept(services, store)
    assert now.is_configured
    assert (now.account_sid, now.campaign_id, now.event_type_id) == (SID, "1000", "9876")
    assert services.stores.credentials(store.id).auth_token == TOKEN  # type: ignore[union-attr]


def test_of_contracts_that_were_not_all_read_no_shorter_window_is_taken_over(
    signed_in: FlaskClient, store: Store, services: Services
) -> None:
    enter_account(signed_in, store)
    services.stores.save_settings(
        store.id, account_sid=SID, auth_token=None, campaign_id="1000", event_type_id="9876"
    )
    told = services.inquirer.ask(kept(services, store))
    short = Contract("S-1", (Term("9876", "Online Sale", 20),))
    for complete, said in ((False, "You have more contracts than were read."), (True, "Take over")):
        services.setups.save(
            kept(services, store), replace(told, contracts=(short,), contracts_complete=complete)
        )
        shown = step(opened(signed_in, store), StepName.WINDOW)
        assert said in shown
        assert ("Take over" in shown) is complete


def ready(client: FlaskClient, store: Store, token: str = TOKEN) -> Page:
    """Take the three steps that have boxes; the page after them."""
    enter_account(client, store, token)
    post(client, store, step="program", campaign_id="1000")
    return post(client, store, step="event_type", event_type_id="9876")[1]


def pretend_program(network: RunningNetwork, **values: object) -> None:
    setup = network.books.setup
    campaign = replace(Campaign(), **values)  # type: ignore[arg-type]
    network.books.change_setup(replace(setup, campaigns=(campaign,)))


def asked(network: RunningNetwork) -> int:
    return len(network.books.calls())


# What impact.com is asked, and when


def test_what_was_told_is_shown_until_it_is_old_and_then_asked_for_again(
    signed_in: FlaskClient, store: Store, network: RunningNetwork, clock: FixedClock
) -> None:
    ready(signed_in, store)
    before = asked(network)
    clock.pass_by(minutes=9)
    assert "impact.com was asked on 20 Nov 2026, 12:00 UTC." in opened(signed_in, store).text
    assert asked(network) == before

    pretend_program(network, state="PAUSED")
    clock.pass_by(minutes=1)
    page = opened(signed_in, store)
    assert asked(network) > before
    assert "is not active at impact.com (PAUSED)" in step(page, StepName.PROGRAM)


def test_after_a_fault_impact_is_asked_again_a_minute_later(
    signed_in: FlaskClient, store: Store, network: RunningNetwork, clock: FixedClock
) -> None:
    ready(signed_in, store)
    clock.pass_by(minutes=10)
    network.faults.script("503_before")
    assert "impact.com could not answer just now" in step(opened(signed_in, store), StepName.ACCOUNT)
    before = asked(network)
    assert "impact.com could not answer just now" in step(opened(signed_in, store), StepName.ACCOUNT)
    assert asked(network) == before
    clock.pass_by(minutes=1)
    assert "accepts these credentials" in step(opened(signed_in, store), StepName.ACCOUNT)


def test_check_again_asks_at_once_and_has_the_storefront_looked_at(
    signed_in: FlaskClient, store: Store, services: Services, network: RunningNetwork, clock: FixedClock
) -> None:
    ready(signed_in, store)
    later = clock() + timedelta(days=1)
    services.stores.captured(store, domains=[], pixel_id="p", fault=None, now=clock(), next_at=later)
    services.stores.capture_failed(kept(services, store), "Failed.", now=clock(), next_at=later)
    before = asked(network)

    status, page = post(signed_in, store, step="check")

    assert status == 200
    assert "Checked just now." in page.text
    assert asked(network) > before
    assert services.stores.next_capture("shopify") < clock()  # type: ignore[operator]
    assert services.stores.has_look_due("shopify", clock(), timedelta(hours=1))


def test_nothing_is_asked_for_a_store_without_an_account(
    signed_in: FlaskClient, store: Store, network: RunningNetwork
) -> None:
    opened(signed_in, store)
    post(signed_in, store, step="check")
    assert asked(network) == 0


# Saving


def test_a_step_saves_its_own_boxes_and_nothing_else_is_lost(
    signed_in: FlaskClient, store: Store, services: Services
) -> None:
    ready(signed_in, store)
    services.stores.save_rules(store.id, {"codes_field": "7"}, by="test", now=services.clock())
    sent = {"account_sid": "IRother", "auth_token": "x", "event_type_id": "1", "rule.codes_field": "9"}

    status, _ = post(signed_in, store, step="program", campaign_id="2000", **sent)

    now = kept(services, store)
    assert status == 200
    assert (now.account_sid, now.campaign_id, now.event_type_id) == (SID, "2000", "9876")
    assert now.rules == {"codes_field": "7"}
    assert services.stores.credentials(store.id).auth_token == TOKEN  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "box", "typed"),
    [
        ("account", "account_sid", "IR 1"),
        ("program", "campaign_id", "12a"),
        ("event_type", "event_type_id", ""),
    ],
)
def test_a_wrong_box_is_marked_its_step_stays_open_and_nothing_is_saved(
    signed_in: FlaskClient, store: Store, services: Services, name: str, box: str, typed: str
) -> None:
    ready(signed_in, store)
    before = kept(services, store)

    status, page = post(signed_in, store, step=name, **{box: typed})

    assert status == 422
    assert kept(services, store) == before
    marked = {got["name"] for _, got in page.tags if got.get("aria-invalid")}
    assert marked == {box}
    open_steps = [got["id"] for tag, got in page.tags if tag == "details" and "open" in got]
    assert open_steps == [name]


def test_there_is_no_other_step(signed_in: FlaskClient, store: Store, services: Services) -> None:
    for name in ("", "pixel", "everything"):
        assert post(signed_in, store, step=name, campaign_id="1")[0] == 404
    assert kept(services, store) == store


# What is wrong, as it is met


def test_a_wrong_token_is_not_saved_and_is_told_of(
    signed_in: FlaskClient, store: Store, services: Services, network: RunningNetwork
) -> None:
    status, page = enter_account(signed_in, store, "no-such-token")
    assert status == 422
    assert "Nothing was saved. impact.com refuses this account SID and auth token." in page.text
    assert kept(services, store) == store

    ready(signed_in, store)
    account = network.books.setup.accounts[0]
    network.books.change_setup(
        replace(network.books.setup, accounts=(replace(account, tokens=account.tokens[1:]),))
    )
    _, page = post(signed_in, store, step="check")
    assert "impact.com refuses this account SID and auth token." in step(page, StepName.ACCOUNT)
    assert "It is for you to act." in step(page, StepName.ACCOUNT)


def test_a_narrow_token_is_told_right_by_right_and_the_program_is_typed(
    signed_in: FlaskClient, store: Store
) -> None:
    _, page = enter_account(signed_in, store, "pretend-conversions-token")
    account = step(page, StepName.ACCOUNT)
    assert "The token lacks the scope Actions: update and delete." in account
    assert "The token lacks the scope Programs: read." in account
    assert "The token lacks the scope Conversions: create" not in account
    box = next(got for tag, got in page.tags if got.get("name") == "campaign_id")
    assert box["inputmode"] == "numeric"

    page = ready(signed_in, store, "pretend-conversions-token")
    assert "The token may not read programs" in step(page, StepName.PROGRAM)
    assert "Nothing is known of event type 9876" in step(page, StepName.EVENT_TYPE)
    assert "The contracts tell no window, or the token may not read them." in step(page, StepName.WINDOW)


def test_a_token_that_only_reads_fails_the_step(signed_in: FlaskClient, store: Store) -> None:
    page = ready(signed_in, store, "pretend-read-only-token")
    account = step(page, StepName.ACCOUNT)
    assert "Not right The token lacks the scope Conversions: create." in account
    assert "https://app.impact.com/" in page.links


def test_impact_that_cannot_be_reached_is_no_wrong_token(
    app_without_network: tuple[FlaskClient, Store, Services],
) -> None:
    client, store, _services = app_without_network
    status, page = enter_account(client, store)
    assert status == 200
    account = step(page, StepName.ACCOUNT)
    assert "impact.com could not be reached" in account
    assert "It is for whoever runs this app to act." in account
    assert "refuses" not in account


def test_a_token_that_no_key_opens_is_asked_for_again(
    signed_in: FlaskClient, store: Store, services: Services, clock: FixedClock
) -> None:
    ready(signed_in, store)
    foreign = Vault(["a key that was lost"]).lock(TOKEN)
    with services.database.write() as connection:
        connection.execute(stores.update().values(auth_token=foreign))
    clock.pass_by(hours=1)

    page = opened(signed_in, store)

    assert "The stored auth token cannot be read any more" in step(page, StepName.ACCOUNT)
    assert post(signed_in, store, step="check")[0] == 200


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"state": "PAUSED"}, "is not active at impact.com (PAUSED), so no partner is credited."),
        ({"id": 2000}, "The account has no program 1000."),
        (
            {"tracking_template": "utm_source=impact"},
            "The program's tracking template holds no {clickid}, so partners' links bring no click: "
            "utm_source=impact",
        ),
        ({"promo_code_tracking": False}, "Promo codes are not tracked in this program"),
    ],
)
def test_what_is_wrong_with_the_program_is_said(
    signed_in: FlaskClient, store: Store, network: RunningNetwork, values: dict[str, object], said: str
) -> None:
    pretend_program(network, **values)
    assert said in step(ready(signed_in, store), StepName.PROGRAM)


def test_a_domain_that_partners_cannot_link_to_is_named(
    signed_in: FlaskClient, store: Store, services: Services, clock: FixedClock
) -> None:
    now = clock()
    domains = ["shop.example", "www.shop.example"]
    services.stores.captured(store, domains=domains, pixel_id="p", fault=None, now=now, next_at=now)
    page = ready(signed_in, store)
    said = "Partners cannot link to pages of www.shop.example: the program does not permit it"
    assert said in step(page, StepName.PROGRAM)


def test_one_click_has_the_app_look_for_the_programs_own_parameter(
    signed_in: FlaskClient, store: Store, services: Services, network: RunningNetwork
) -> None:
    pretend_program(network, tracking_template="partner={clickid}")
    page = ready(signed_in, store)
    assert "bring the click as partner, and the app looks for im_ref, irclickid only." in page.text

    _, page = post(signed_in, store, step="parameters")

    assert kept(services, store).rules == {"parameters": "partner, im_ref, irclickid"}
    assert "bring the click as partner, and the app looks for that." in step(page, StepName.PROGRAM)
    version = kept(services, store).rules_version
    _, page = post(signed_in, store, step="parameters")
    assert "Nothing was changed" in page.text
    assert kept(services, store).rules_version == version


def test_one_click_takes_over_the_contracts_window(
    signed_in: FlaskClient, store: Store, services: Services, network: RunningNetwork
) -> None:
    contracts = (PretendContract("S-1", window=45),)
    network.books.change_setup(replace(network.books.setup, contracts=contracts))
    page = ready(signed_in, store)
    assert "count a click for 45 days, and the storefront keeps it for 30 only." in page.text

    _, page = post(signed_in, store, step="window")

    assert kept(services, store).rules == {"referral_days": "45"}
    assert "count a click for 45 days, and the storefront keeps it as long." in step(page, StepName.WINDOW)


def test_without_what_it_follows_no_rule_is_changed(
    signed_in: FlaskClient, store: Store, services: Services
) -> None:
    for name in ("parameters", "window"):
        assert "Nothing was changed" in post(signed_in, store, step=name)[1].text
    assert kept(services, store) == store


def test_an_event_type_that_no_contract_names_is_refused_by_the_page_before_it_is_by_impact(
    signed_in: FlaskClient, store: Store
) -> None:
    ready(signed_in, store)
    _, page = post(signed_in, store, step="event_type", event_type_id="4711")
    assert "None of the program's contracts pays for event type 4711" in step(page, StepName.EVENT_TYPE)
    assert "Online Sale (9876)" in step(page, StepName.EVENT_TYPE)


# The store's side


def test_a_lacking_scope_an_ended_token_and_an_uninstalled_store_are_told_of(
    signed_in: FlaskClient, services: Services, clock: FixedClock
) -> None:
    narrow = Tokens("offline", "t", scopes="read_orders,read_products")
    store = services.stores.connect("shopify", "one.myshopify.com", narrow, now=clock())
    told = step(opened(signed_in, store), StepName.PLATFORM)
    assert "The app lacks the permission read_themes, write_pixels, read_customer_events." in told

    services.stores.needs_reauthorization(store.id, "Shopify refuses the token.")
    told = step(opened(signed_in, store), StepName.PLATFORM)
    assert "The app's access to one.myshopify.com has ended: Shopify refuses the token." in told

    with services.database.write() as connection:
        later = clock() + timedelta(minutes=1)
        assert services.stores.uninstall_in(connection, store.id, since=later, now=later)
    page = opened(signed_in, store)
    assert "The app is not installed in one.myshopify.com any more" in step(page, StepName.PLATFORM)
    assert any(link.startswith("/shopify/install?shop=one") for link in page.links)
    for name in (StepName.WEBHOOKS, StepName.STOREFRONT, StepName.PIXEL):
        assert "once the app is installed again" in step(page, name)


def test_messages_that_arrive_or_lie_unread_are_told_of(
    signed_in: FlaskClient, store: Store, services: Services, clock: FixedClock
) -> None:
    assert "Nothing has arrived yet." in step(opened(signed_in, store), StepName.WEBHOOKS)
    add_delivery(services, store, state="settled", topic="a")
    assert "The last message came on 20 Nov 2026" in step(opened(signed_in, store), StepName.WEBHOOKS)
    add_delivery(services, store, state="pending", reason=None, topic="b")
    clock.pass_by(minutes=11)
    told = step(opened(signed_in, store), StepName.WEBHOOKS)
    assert "Messages arrive, but nobody has looked into them since" in told


def test_an_order_that_was_found_and_not_delivered_is_told_of(
    signed_in: FlaskClient, store: Store, services: Services
) -> None:
    add_order(services, store, "1")
    told = step(opened(signed_in, store), StepName.WEBHOOKS)
    assert "Orders that the app found by asking your shop: 1. None of them was delivered." in told


def test_an_address_that_the_platform_cannot_reach_is_told_of(
    environ: dict[str, str], clock: FixedClock, redis_url: str
) -> None:
    real = {**environ, "SHOPIFY_ADMIN_URL": "https://{shop}", "REDIS_URL": redis_url}
    made = Services(read_config(real), clock)
    store = made.stores.connect("shopify", "one.myshopify.com", None, now=clock())
    client = create_app(made).test_client()
    sign_in(client)
    told = step(opened(client, store), StepName.WEBHOOKS)
    assert "The app's address is http://localhost:5000." in told
    assert "It is for whoever runs this app to act." in told
    made.database.close()


@pytest.fixture
def with_redis(environ: dict[str, str], clock: FixedClock, redis_url: str) -> Iterator[Services]:
    made = Services(read_config({**environ, "REDIS_URL": redis_url}), clock)
    yield made
    made.database.close()


def test_refused_signatures_are_told_of_until_a_message_is_taken(
    with_redis: Services, clock: FixedClock
) -> None:
    store = with_redis.stores.connect("shopify", "one.myshopify.com", None, now=clock())
    client = create_app(with_redis).test_client()
    sign_in(client)
    headers = {"X-Shopify-Hmac-Sha256": "AAAA", "X-Shopify-Shop-Domain": store.domain}
    assert client.post("/shopify/webhooks", data=b"{}", headers=headers).status_code == 401

    told = step(opened(client, store), StepName.WEBHOOKS)
    assert "Messages arrive whose signature does not hold, the last on 20 Nov 2026" in told

    clock.pass_by(minutes=1)
    add_delivery(with_redis, store)
    assert "its signature held." in step(opened(client, store), StepName.WEBHOOKS)


def test_the_embed_is_as_app_bridge_says(signed_in: FlaskClient, store: Store, services: Services) -> None:
    assert "a new theme begins with it off" in step(opened(signed_in, store), StepName.STOREFRONT)
    for word, said in (
        ("available", "The app embed is off in your published theme"),
        ("unavailable", "Your published theme does not offer the app embed"),
        ("active", "The app embed is on in your published theme."),
    ):
        assert post(signed_in, store, "setup/embed", embed=word)[0] == 204
        assert said in step(opened(signed_in, store), StepName.STOREFRONT)
    assert kept(services, store).embed.is_on is True
    assert post(signed_in, store, "setup/embed", embed="broken")[0] == 404
    assert kept(services, store).embed.is_on is True


def test_a_pixel_that_is_not_connected_says_why(
    signed_in: FlaskClient, store: Store, services: Services, clock: FixedClock
) -> None:
    assert "is being connected" in step(opened(signed_in, store), StepName.PIXEL)
    now = clock()
    fault = "The app may not connect a web pixel."
    services.stores.captured(store, domains=[], pixel_id=None, fault=fault, now=now, next_at=now)
    assert f"The web pixel is not connected: {fault}" in step(opened(signed_in, store), StepName.PIXEL)
    services.stores.captured(store, domains=[], pixel_id="p", fault=None, now=now, next_at=now)
    assert "The web pixel is connected." in step(opened(signed_in, store), StepName.PIXEL)


# The test order


def test_the_test_order_is_followed_to_its_action(
    signed_in: FlaskClient, store: Store, services: Services, clock: FixedClock
) -> None:
    page = ready(signed_in, store)
    assert "No order was followed to impact.com yet." in step(page, StepName.TEST_ORDER)
    assert f"/stores/{store.id}/trial" in page.links

    services.stores.save_rules(store.id, {"mode": "shadow"}, by="test", now=clock())
    assert "Shadow mode is on" in step(opened(signed_in, store), StepName.TEST_ORDER)
    services.stores.save_rules(store.id, {}, by="test", now=clock())

    reported = {"verdict": "reported", "click_id": "c", "carrier": "cart_attribute"}
    row = add_order(services, store, "1", number="1001", reason="accepted", **reported)
    accepted = {
        "order_row_id": row,
        "account_sid": SID,
        "event_type_id": "9876",
        "network_order_id": "1",
        "reported": {},
        "accepted_at": clock(),
        "changed_at": clock(),
    }
    with services.database.write() as connection:
        connection.execute(conversions.insert().values(**accepted))
    assert "Order 1001 was reported with its click." in step(opened(signed_in, store), StepName.TEST_ORDER)

    with services.database.write() as connection:
        connection.execute(conversions.update().values(action_id="1000.1.1"))
    page = opened(signed_in, store)
    assert "Order 1001 was followed from its click to the action" in step(page, StepName.TEST_ORDER)
    assert "The script works: an order's cart carried a click" in step(page, StepName.STOREFRONT)


# The other doors


def test_inside_saleors_dashboard_the_same_page_knows_the_platform(
    client: FlaskClient, services: Services, saleor: PretendSaleor, clock: FixedClock
) -> None:
    store = connect_saleor(services, saleor)
    page = page_of(enter_dashboard(client, saleor, clock, "/saleor/setup"))
    assert "Only Shopify has web pixels" in step(page, StepName.PIXEL)
    told = step(page, StepName.STOREFRONT)
    assert "No order has carried a click yet." in told
    assert "It is for whoever builds the storefront to act." in told

    sent = {"ticket": page.fields["ticket"], "step": "account", "account_sid": SID, "auth_token": TOKEN}
    page = page_of(client.post("/saleor/setup", data=sent, headers=HTML))
    assert "impact.com accepts these credentials." in step(page, StepName.ACCOUNT)
    assert kept(services, store).account_sid == SID
