"""A storefront is set up by itself: the script's settings and the web pixel, as the rules have them."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from impact_app.config import Config
from impact_app.domain.embed import Embed
from impact_app.ledger.stores import Store
from impact_app.ledger.tables import stores
from impact_app.pipeline.capture import NO_THEMES, Capture
from impact_app.simulator.shopify.admin import RunningAdmin, running_admin
from impact_app.simulator.shopify.store import PretendStore
from impact_app.simulator.shopify.themes import Theme
from impact_app.stores.shopify.install import SCOPES
from impact_app.stores.shopify.storefront import EMBED, NAMESPACE, pixel_settings
from tests.line import SECRET, SHOP, Bench, Clock, both_databases

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Shop:
    """The line, and a store whose Admin API answers it."""

    bench: Bench
    pretend: PretendStore

    def connect(self, **rules: str) -> Store:
        code = self.pretend.tokens.code(self.pretend.scopes)
        store = self.bench.line.tokens.connect_with_code(SHOP, code)
        self.bench.configure(store, **rules)
        return store

    @property
    def capture(self) -> Capture:
        made = self.bench.line.capture
        assert made is not None
        return made

    def set_up(self) -> int:
        return self.capture.drain(self.bench.turn)

    @property
    def store(self) -> Store:
        found = self.bench.line.stores.find("shopify", SHOP)
        assert found is not None
        return found

    @property
    def settings(self) -> dict[str, str]:
        return {key: value for (_, key), (_, value) in self.pretend.metafields.items()}

    @property
    def pixel(self) -> Any:
        return json.loads(self.pretend.pixel_settings or "null")


@pytest.fixture
def admin(clock: Clock) -> Iterator[RunningAdmin]:
    store = PretendStore(
        domain=SHOP,
        client_id="client-id",
        client_secret=SECRET,
        scopes=SCOPES,
        now=clock,
        primary_host="www.example.com",
    )
    with running_admin(store) as running:
        yield running


@pytest.fixture
def config(config: Config, admin: RunningAdmin) -> Config:
    assert config.shopify is not None
    return replace(config, shopify=replace(config.shopify, admin_url=admin.admin_url))


@pytest.fixture
def shop(bench: Bench, admin: RunningAdmin) -> Shop:
    return Shop(bench, admin.store)


@both_databases
def test_a_connected_store_gets_settings_and_pixel(shop: Shop) -> None:
    shop.connect(parameters="im_ref,ref", referral_days="14", domains="shop.example.fr")
    assert shop.set_up() == 1
    assert shop.settings == {
        "parameter_names": "im_ref,ref",
        "days_kept": "14",
        "other_domains": "www.example.com,shop.example.fr",
    }
    app = shop.bench.line.config.app_url
    assert shop.pixel == {"app_url": app, "parameter_names": "im_ref,ref", "days_kept": "14"}
    store = shop.store
    assert (store.pixel_id, store.capture_fault) == ("gid://shopify/WebPixel/1", None)
    assert (list(store.domains), store.capture_checked_at) == (["www.example.com"], shop.bench.clock())
    assert shop.set_up() == 0


@both_databases
def test_saved_rules_reach_the_storefront(shop: Shop) -> None:
    store = shop.connect()
    shop.set_up()
    shop.bench.configure(store, referral_days="60")
    assert shop.set_up() == 1
    assert shop.settings["days_kept"] == shop.pixel["days_kept"] == "60"


@both_databases
def test_without_the_scopes_the_script_is_set_up_and_the_page_can_say_why_there_is_no_pixel(
    shop: Shop,
) -> None:
    shop.pretend.scopes = ("read_orders", "read_products")
    shop.connect()
    shop.set_up()
    assert shop.settings["days_kept"] == "30"
    assert shop.pixel is None
    assert shop.store.pixel_id is None
    assert "write_pixels" in (shop.store.capture_fault or "")


def test_what_the_app_may_do_is_learned_where_nobody_told(shop: Shop) -> None:
    shop.connect()
    told = shop.store.scopes
    assert told
    shop.set_up()
    assert shop.store.scopes == told
    with shop.bench.line.database.write() as connection:
        connection.execute(stores.update().values(scopes="", capture_due_at=shop.bench.clock()))
    assert shop.set_up() == 1
    assert set(shop.store.scopes.split(",")) == set(SCOPES)


def test_a_pixel_that_is_there_already_is_taken_over(shop: Shop) -> None:
    shop.pretend.pixel_settings = "{}"
    shop.connect()
    shop.set_up()
    assert shop.store.pixel_id == "gid://shopify/WebPixel/1"
    assert shop.pixel["days_kept"] == "30"


def test_a_pixel_that_somebody_removed_is_connected_again_the_next_day(shop: Shop) -> None:
    shop.connect()
    shop.set_up()
    shop.pretend.pixel_settings = None
    shop.bench.clock.advance(hours=23)
    assert shop.set_up() == 0
    shop.bench.clock.advance(hours=1)
    assert shop.set_up() == 1
    assert shop.pixel["days_kept"] == "30"


def test_an_app_without_the_extension_says_so(shop: Shop) -> None:
    shop.pretend.has_pixel_extension = False
    shop.connect()
    shop.set_up()
    assert shop.store.pixel_id is None
    assert shop.store.capture_fault == "Shopify did not connect the web pixel: No extension found"
    assert shop.settings["days_kept"] == "30"


@both_databases
def test_a_store_that_cannot_be_asked_is_tried_again_at_growing_gaps(shop: Shop) -> None:
    shop.connect()
    shop.pretend.uninstall()
    for minutes in (1, 2, 4):
        assert shop.set_up() == 1
        assert shop.store.capture_fault
        assert shop.store.capture_due_at == shop.bench.clock() + timedelta(minutes=minutes)
        shop.bench.clock.advance(minutes=minutes)
    assert shop.settings == {}


@both_databases
def test_rules_that_are_saved_while_a_storefront_is_set_up_leave_it_due(shop: Shop) -> None:
    store = shop.connect()
    before = shop.store
    shop.bench.configure(store, referral_days="60")
    now = shop.bench.clock()
    shop.bench.line.stores.captured(
        before, domains=[], pixel_id=None, fault=None, now=now, next_at=now + timedelta(days=1)
    )
    assert shop.capture.has_due()


def test_a_process_that_dies_leaves_the_storefront_due(shop: Shop) -> None:
    shop.connect()
    taken = shop.bench.line.stores.take_capture(
        "shopify", shop.bench.clock(), shop.bench.clock() + timedelta(minutes=2)
    )
    assert taken is not None
    assert shop.set_up() == 0
    shop.bench.clock.advance(minutes=2)
    assert shop.set_up() == 1


def test_a_store_without_a_token_is_left_alone(shop: Shop) -> None:
    shop.bench.connect()
    assert not shop.capture.has_due()
    assert shop.set_up() == 0
    assert shop.pretend.calls == []


def test_a_removed_app_has_no_pixel(shop: Shop) -> None:
    shop.connect()
    shop.set_up()
    shop.bench.deliver_body("app/uninstalled", {"id": 1})
    shop.bench.run()
    (row,) = shop.bench.rows(stores)
    assert (row.pixel_id, row.capture_due_at) == (None, None)


@both_databases
def test_the_embeds_switch_is_read_each_hour_and_kept_with_its_time(shop: Shop) -> None:
    store, start = shop.connect(), shop.bench.clock()
    assert shop.store.embed == Embed()
    assert shop.capture.look(shop.bench.turn) == 1
    off = Embed(
        is_on=False,
        told_by="theme",
        told_at=start,
        changed_at=start,
        theme="gid://shopify/OnlineStoreTheme/1",
    )
    assert shop.store.embed == off
    assert shop.capture.look(shop.bench.turn) == 0
    shop.bench.clock.advance(hours=1)
    shop.capture.look(shop.bench.turn)
    assert shop.store.embed == replace(off, told_at=shop.bench.clock())
    shop.pretend.theme.switch(EMBED, is_on=True)
    shop.bench.clock.advance(hours=1)
    shop.capture.look(shop.bench.turn)
    on = replace(off, is_on=True, told_at=shop.bench.clock(), changed_at=shop.bench.clock())
    assert shop.store.embed == on
    # A theme that is published begins without it.
    shop.pretend.theme = Theme(2, "Horizon")
    shop.bench.clock.advance(hours=1)
    shop.capture.look(shop.bench.turn)
    assert (shop.store.embed.is_on, shop.store.embed.changed_at) == (False, shop.bench.clock())
    shop.bench.deliver_body("app/uninstalled", {"id": store.id})
    shop.bench.run()
    assert shop.store.embed == Embed()


@both_databases
def test_without_the_scope_the_admins_word_is_kept_and_the_page_can_say_why(shop: Shop) -> None:
    shop.pretend.scopes = ("read_orders", "read_products")
    store, start = shop.connect(), shop.bench.clock()
    shop.capture.look(shop.bench.turn)
    assert shop.store.embed == Embed(fault=NO_THEMES)
    shop.bench.line.stores.note_embed(store.id, is_on=True, is_deployed=True, now=start)
    assert shop.capture.look(shop.bench.turn) == 1
    on = Embed(is_on=True, told_by="admin", told_at=start, changed_at=start, fault=NO_THEMES)
    assert shop.store.embed == on


@both_databases
def test_a_theme_that_cannot_be_read_leaves_what_was_known(shop: Shop) -> None:
    shop.connect()
    shop.pretend.theme.switch(EMBED, is_on=True)
    shop.capture.look(shop.bench.turn)
    shop.pretend.theme.content = "{"
    shop.bench.clock.advance(hours=1)
    shop.capture.look(shop.bench.turn)
    assert shop.store.embed.is_on
    assert shop.store.embed.fault == "The published theme's settings cannot be read."
    shop.pretend.theme.content = None
    shop.bench.clock.advance(hours=1)
    shop.capture.look(shop.bench.turn)
    assert shop.store.embed.fault is None


@both_databases
def test_the_admins_word_on_a_theme_that_never_names_the_embed_holds_until_another_is_published(
    shop: Shop,
) -> None:
    store = shop.connect()
    shop.bench.line.stores.note_embed(store.id, is_on=True, is_deployed=True, now=shop.bench.clock())
    for _ in range(2):
        shop.capture.look(shop.bench.turn)
        shop.bench.clock.advance(hours=1)
        assert (shop.store.embed.is_on, shop.store.embed.told_by) == (True, "admin")
    shop.pretend.theme = Theme(2, "Horizon")
    shop.capture.look(shop.bench.turn)
    assert (shop.store.embed.is_on, shop.store.embed.told_by) == (False, "theme")


@both_databases
def test_two_clocks_at_once_look_once(shop: Shop) -> None:
    shop.connect()
    with ThreadPoolExecutor(4) as threads:
        looks = [threads.submit(shop.capture.look, shop.bench.turn) for _ in range(4)]
        assert sum(one.result() for one in looks) == 1


def test_the_pixel_gets_the_settings_that_its_toml_declares_and_the_script_those_it_reads() -> None:
    toml = tomllib.loads((ROOT / "extensions" / "click-pixel" / "shopify.extension.toml").read_text("utf-8"))
    assert set(pixel_settings("https://app.example.com", ["im_ref"], 30)) == set(toml["settings"]["fields"])
    block = (ROOT / "extensions" / "click-capture" / "blocks" / "click_capture.liquid").read_text("utf-8")
    read = re.findall(r"app\.metafields\.(\w+)\.(\w+)\.value", block)
    keys = {"parameter_names", "days_kept", "other_domains"}
    assert set(read) == {(NAMESPACE, key) for key in keys}
