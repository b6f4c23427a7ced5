"""What the settings page says of the storefront: the embed's switch, and the web pixel with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from impact_app.domain.embed import Switch
from impact_app.ledger.stores import Store
from impact_app.stores.shopify.storefront import EMBED
from impact_app.wiring import Services
from tests.web.conftest import HTML, FixedClock, Page, page_of

ROOT = Path(__file__).resolve().parents[2]


def shown(client: FlaskClient, store: Store) -> Page:
    return page_of(client.get(f"/stores/{store.id}/settings", headers=HTML))


def test_the_link_leads_to_the_switch_of_our_embed(signed_in: FlaskClient, store: Store) -> None:
    links = [
        got["href"] for tag, got in shown(signed_in, store).tags if tag == "a" and "editor" in got["href"]
    ]
    assert links == [
        f"https://{store.domain}/admin/themes/current/editor"
        f"?context=apps&template=index&activateAppId=pretend-client-id/{EMBED}"
    ]
    assert (ROOT / "extensions" / "click-capture" / "blocks" / f"{EMBED}.liquid").is_file()


def test_without_app_bridge_the_embeds_state_is_not_known(signed_in: FlaskClient, store: Store) -> None:
    page = shown(signed_in, store)
    lines = {got["data-status"]: "hidden" in got for _, got in page.tags if "data-status" in got}
    assert lines == {"active": True, "available": True, "unavailable": True, "unknown": False}
    assert not [got for tag, got in page.tags if tag == "script"]


@pytest.mark.parametrize(("is_on", "says"), [(True, "active"), (False, "available")])
def test_what_the_theme_says_of_the_embed_is_shown_with_its_time(
    signed_in: FlaskClient, store: Store, services: Services, clock: FixedClock, is_on: bool, says: str
) -> None:
    services.stores.looked(store.id, Switch("gid://shopify/OnlineStoreTheme/1", is_on), clock())
    page = shown(signed_in, store)
    lines = {got["data-status"] for _, got in page.tags if "data-status" in got and "hidden" not in got}
    assert lines == {says}
    word = "On" if is_on else "Off"
    assert f"{word}, by the published theme's settings; read 20 Nov 2026, 12:00 UTC." in page.text
    fault = "The published theme's settings cannot be read."
    services.stores.not_looked(store.id, fault)
    assert fault in shown(signed_in, store).text


def test_a_connected_pixel_is_shown(
    signed_in: FlaskClient, store: Store, services: Services, clock: FixedClock
) -> None:
    assert "Not connected" in shown(signed_in, store).text
    assert "Not set up yet." in shown(signed_in, store).text
    now = clock()
    services.stores.captured(store, domains=[], pixel_id="p", fault=None, now=now, next_at=now)
    text = shown(signed_in, store).text
    assert "Not connected" not in text
    assert "An order without a click waits three minutes for it." in text
    assert "Last set up" in text


def test_what_stands_in_the_way_of_the_pixel_is_said(
    signed_in: FlaskClient, store: Store, services: Services, clock: FixedClock
) -> None:
    now = clock()
    fault = "The app may not connect a web pixel <yet>."
    services.stores.captured(store, domains=[], pixel_id=None, fault=fault, now=now, next_at=now)
    assert fault in shown(signed_in, store).text
