"""The code-grant install: its pure checks, then the whole way through real HTTP."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from impact_app.simulator.shopify import faults
from impact_app.stores.shopify.install import (
    Callback,
    CallbackRefused,
    authorize_url,
    is_signed,
    read_callback,
)
from impact_app.web.language import register_language
from impact_app.web.shopify_install import shopify_install
from tests.stores.shopify.conftest import SECRET, FixedClock, Shop, shopify_config

SHOP = "impact-demo.myshopify.com"
PREVIOUS = "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"
NOW = FixedClock().now

Pairs = list[tuple[str, str]]


def sign(pairs: Pairs, secret: str = SECRET) -> Pairs:
    """Shopify's rule, written out: sorted by name, joined with &, HMAC-SHA256 in hex."""
    message = "&".join(f"{name}={value}" for name, value in sorted(pairs))
    return [*pairs, ("hmac", hmac.digest(secret.encode(), message.encode(), "sha256").hex())]


def answer(**changes: str | None) -> Pairs:
    pairs = {
        "code": "a-code",
        "host": base64.b64encode(b"admin.shopify.com/store/impact-demo").decode().rstrip("="),
        "shop": SHOP,
        "state": "the-state",
        "timestamp": str(int(NOW.timestamp())),
        **changes,
    }
    return [(name, value) for name, value in pairs.items() if value is not None]


# --- pure


def test_the_merchant_is_sent_to_the_consent_page_of_the_shop() -> None:
    url = urlsplit(authorize_url(shopify_config(), SHOP, redirect_uri="https://app.example/cb", state="s+/="))

    assert (url.scheme, url.netloc, url.path) == ("https", SHOP, "/admin/oauth/authorize")
    assert parse_qs(url.query) == {
        "client_id": ["pretend-client-id"],
        "scope": ["read_orders,read_products,read_themes,write_pixels,read_customer_events"],
        "redirect_uri": ["https://app.example/cb"],
        "state": ["s+/="],
    }


def test_a_true_callback_gives_shop_and_code() -> None:
    found = read_callback(sign(answer()), shopify_config(), state="the-state", now=NOW)

    assert found == Callback(SHOP, "a-code")
    assert "a-code" not in repr(found)


def test_the_previous_secret_may_have_signed_it() -> None:
    pairs = sign(answer(), PREVIOUS)

    read_callback(pairs, shopify_config(previous=PREVIOUS), state="the-state", now=NOW)
    with pytest.raises(CallbackRefused, match="not signed"):
        read_callback(pairs, shopify_config(), state="the-state", now=NOW)


@pytest.mark.parametrize("name", ["shop", "code", "state", "timestamp", "hmac"])
@pytest.mark.parametrize("how", ["missing", "empty", "twice", "twice-the-same"])
def test_each_parameter_is_there_exactly_once(name: str, how: str) -> None:
    pairs = sign(answer())
    value = dict(pairs)[name]
    others = [pair for pair in pairs if pair[0] != name]
    given = {
        "missing": others,
        "empty": [*others, (name, "")],
        "twice": [*pairs, (name, "other")],
        "twice-the-same": [*pairs, (name, value)],
    }[how]

    with pytest.raises(CallbackRefused, match=name) as refused:
        read_callback(given, shopify_config(), state="the-state", now=NOW)
    assert refused.value.malformed


def test_another_parameter_given_twice_is_not_signed() -> None:
    pairs = [("host", "other"), *sign(answer())]

    with pytest.raises(CallbackRefused, match="not signed"):
        read_callback(pairs, shopify_config(), state="the-state", now=NOW)


@pytest.mark.parametrize(
    "shop", ["evil.com", "evil.com/impact-demo.myshopify.com", f"{SHOP}\n", f"{SHOP}.evil.com"]
)
def test_a_signed_shop_must_still_be_a_shop(shop: str) -> None:
    with pytest.raises(CallbackRefused, match="not a myshopify"):
        read_callback(sign(answer(shop=shop)), shopify_config(), state="the-state", now=NOW)


@pytest.mark.parametrize("changed", ["code", "shop", "state", "timestamp", "host"])
def test_every_parameter_is_covered_by_the_signature(changed: str) -> None:
    pairs = [(name, SHOP if name == changed == "code" else value) for name, value in sign(answer())]
    if changed != "code":
        other = {"shop": "other.myshopify.com", "timestamp": str(int(NOW.timestamp()) + 1)}
        pairs = [(name, other.get(name, "x") if name == changed else value) for name, value in pairs]

    with pytest.raises(CallbackRefused, match="not signed"):
        read_callback(pairs, shopify_config(), state="the-state", now=NOW)


@pytest.mark.parametrize(
    ("seconds", "accepted"), [(-91, False), (-90, True), (0, True), (90, True), (91, False), (-86_399, False)]
)
def test_the_callback_is_of_now(seconds: int, accepted: bool) -> None:
    pairs = sign(answer(timestamp=str(int(NOW.timestamp()) + seconds)))
    if accepted:
        read_callback(pairs, shopify_config(), state="the-state", now=NOW)
    else:
        with pytest.raises(CallbackRefused, match="too old"):
            read_callback(pairs, shopify_config(), state="the-state", now=NOW)


@pytest.mark.parametrize("timestamp", ["soon", "-1", "1e9", "9" * 400, "\u0661", "12.5"])
def test_a_time_that_is_none_is_refused(timestamp: str) -> None:
    with pytest.raises(CallbackRefused, match="too old"):
        read_callback(sign(answer(timestamp=timestamp)), shopify_config(), state="the-state", now=NOW)


@pytest.mark.parametrize("state", [None, "", "another", "the-statE", "the-stat\u00e9"])
def test_only_the_browser_that_began_may_end_it(state: str | None) -> None:
    with pytest.raises(CallbackRefused, match="This browser"):
        read_callback(sign(answer()), shopify_config(), state=state, now=NOW)


@pytest.mark.parametrize("given", ["", "x", "\u00e9", "\udcff", "0" * 64])
def test_a_false_query_signature_is_refused_without_a_crash(given: str) -> None:
    assert not is_signed([*answer(), ("hmac", given)], [SECRET, PREVIOUS])


def test_the_old_signature_parameter_is_left_out() -> None:
    assert is_signed([*sign(answer()), ("signature", "of old")], [SECRET])


# --- through HTTP


@pytest.fixture
def services(shop: Shop) -> SimpleNamespace:
    return SimpleNamespace(
        config=SimpleNamespace(
            shopify=shop.shopify, app_url="https://app.example", secret_keys=("new key", "old key")
        ),
        database=shop.database,
        stores=shop.stores,
        http=shop.http,
        tokens=shop.keeper,
        clock=shop.clock,
    )


@pytest.fixture
def browser(services: SimpleNamespace) -> FlaskClient:
    app = Flask("install")
    app.extensions["impact"] = services
    register_language(app)
    app.register_blueprint(shopify_install)
    return app.test_client()


def begin(browser: FlaskClient, query: str = f"shop={SHOP}") -> str:
    """Press "Install" at the pretend shop; the path and query of the callback it sends the browser to."""
    asked = browser.get(f"/shopify/install?{query}")
    assert asked.status_code == 302
    consent = requests.get(asked.location, allow_redirects=False, timeout=5)
    assert consent.status_code == 302
    target = urlsplit(consent.headers["Location"])
    assert f"{target.scheme}://{target.netloc}{target.path}" == "https://app.example/shopify/callback"
    return f"{target.path}?{target.query}"


def refused(answer: TestResponse, status: int, words: str, shop: Shop) -> None:
    """The page says it in a sentence, and nothing has happened."""
    assert answer.status_code == status
    assert answer.content_type == "text/html; charset=utf-8"
    assert words in answer.text
    assert "Traceback" not in answer.text
    assert shop.stores.all() == []


def test_a_merchant_installs_from_the_admin_and_lands_in_the_embedded_app(
    browser: FlaskClient, shop: Shop
) -> None:
    pairs = sign([("shop", SHOP), ("timestamp", str(int(NOW.timestamp())))])
    done = browser.get(begin(browser, urlencode(pairs)))

    assert done.status_code == 302
    assert done.location == "https://admin.shopify.com/store/impact-demo/apps/pretend-client-id"
    (store,) = shop.stores.all()
    assert (store.domain, store.state, store.token_kind) == (SHOP, "connected", "offline")
    assert shop.asked("token") == ["authorization_code"]
    tokens = shop.stores.tokens(store.id)
    assert tokens is not None
    assert tokens.refresh is not None  # the expiring form


def test_opened_outside_the_admin_it_ends_at_the_password_page(browser: FlaskClient, shop: Shop) -> None:
    done = browser.get(begin(browser))

    assert (done.status_code, done.location) == (302, "/")
    assert len(shop.stores.all()) == 1


def test_the_state_sits_in_a_cookie_that_only_the_callback_gets(browser: FlaskClient) -> None:
    cookie = browser.get(f"/shopify/install?shop={SHOP}").headers["Set-Cookie"]

    for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/shopify/callback", "Max-Age=600"):
        assert part in cookie.split("; ")
    assert "Domain" not in cookie


def test_each_installation_has_a_state_of_its_own(browser: FlaskClient) -> None:
    def state() -> str:
        return parse_qs(urlsplit(browser.get(f"/shopify/install?shop={SHOP}").location).query)["state"][0]

    states = {state() for _ in range(20)}
    assert len(states) == 20
    assert min(map(len, states)) >= 43  # 32 random bytes


@pytest.mark.parametrize(
    "query",
    [
        "",
        "shop=",
        "shop=evil.com",
        f"shop={SHOP}&shop={SHOP}",
        f"shop=https://{SHOP}",
        "shop=%ff",
        f"shop={SHOP}%0a",
    ],
)
def test_install_wants_one_true_shop(browser: FlaskClient, shop: Shop, query: str) -> None:
    answered = browser.get(f"/shopify/install?{query}")

    refused(answered, 400, "Give the shop once", shop)
    assert "Set-Cookie" not in answered.headers


def test_a_link_with_a_false_signature_begins_nothing(browser: FlaskClient, shop: Shop) -> None:
    answered = browser.get(f"/shopify/install?shop={SHOP}&timestamp=1&hmac=00")

    refused(answered, 403, "not signed by Shopify", shop)
    assert "Set-Cookie" not in answered.headers


def test_a_callback_serves_once(browser: FlaskClient, shop: Shop) -> None:
    callback = begin(browser)
    assert browser.get(callback).status_code == 302

    again = browser.get(callback)
    assert again.status_code == 403
    assert "This browser did not begin" in again.text
    assert shop.asked("token") == ["authorization_code"]


def test_another_browser_cannot_end_what_this_one_began(
    browser: FlaskClient, services: SimpleNamespace, shop: Shop
) -> None:
    callback = begin(browser)
    stranger = browser.application.test_client()

    refused(stranger.get(callback), 403, "This browser did not begin", shop)
    assert shop.asked("token") == []


def test_a_forged_cookie_is_no_beginning(browser: FlaskClient, shop: Shop) -> None:
    callback = begin(browser)
    stranger = browser.application.test_client()
    stranger.set_cookie("shopify_install", "WyJ4IiwieSJd.forged", path="/shopify/callback")

    refused(stranger.get(callback), 403, "This browser did not begin", shop)


def test_a_cookie_from_before_the_key_was_changed_still_serves(
    browser: FlaskClient, services: SimpleNamespace, shop: Shop
) -> None:
    callback = begin(browser)
    services.config.secret_keys = ("newest key", "new key")

    assert browser.get(callback).status_code == 302
    assert len(shop.stores.all()) == 1


def test_ten_minutes_are_long_enough_and_all_there_is(browser: FlaskClient, shop: Shop) -> None:
    callback = begin(browser)
    state = dict(parse_qsl(urlsplit(callback).query))["state"]
    shop.clock.pass_by(minutes=10, seconds=1)
    fresh = sign(answer(state=state, timestamp=str(int(shop.clock().timestamp()))))

    refused(browser.get(f"/shopify/callback?{urlencode(fresh)}"), 403, "too long ago", shop)
    assert shop.asked("token") == []


def test_the_shop_must_be_the_one_that_was_begun_with(browser: FlaskClient, shop: Shop) -> None:
    state = dict(parse_qsl(urlsplit(begin(browser)).query))["state"]
    other = sign(answer(state=state, shop="other.myshopify.com"))

    refused(browser.get(f"/shopify/callback?{urlencode(other)}"), 403, "another shop", shop)
    assert shop.asked("token") == []


def test_a_bare_callback_says_what_is_missing(browser: FlaskClient, shop: Shop) -> None:
    refused(browser.get("/shopify/callback"), 400, "must be given exactly once", shop)


@pytest.mark.parametrize(
    ("prepare", "status", "words"),
    [
        (lambda pretend: pretend.tokens.codes.clear(), 400, "does not accept this installation"),
        (lambda pretend: pretend.uninstall(), 502, "SHOPIFY_API_SECRET"),
        (lambda pretend: pretend.faults.append(faults.status(503)), 503, "cannot be reached"),
        (lambda pretend: pretend.faults.append(faults.reset()), 503, "cannot be reached"),
    ],
)
def test_when_shopify_gives_no_token_a_page_says_who_must_act(
    browser: FlaskClient, shop: Shop, prepare: Callable[[object], object], status: int, words: str
) -> None:
    callback = begin(browser)
    prepare(shop.pretend)

    refused(browser.get(callback), status, words, shop)


@pytest.mark.parametrize("path", ["/shopify/install?shop=" + SHOP, "/shopify/callback"])
def test_with_shopify_switched_off_there_is_nothing_here(
    browser: FlaskClient, services: SimpleNamespace, shop: Shop, path: str
) -> None:
    services.config.shopify = None

    refused(browser.get(path), 404, "switched off", shop)


@pytest.mark.parametrize("path", ["/shopify/install", "/shopify/install?shop=" + SHOP, "/shopify/callback"])
def test_these_pages_are_neither_framed_nor_kept(browser: FlaskClient, path: str) -> None:
    headers = browser.get(path).headers

    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_the_admin_address_of_the_tests_is_only_a_setting(shop: Shop) -> None:
    real = replace(shop.shopify, admin_url="https://{shop}")

    assert authorize_url(real, SHOP, redirect_uri="x", state="s").startswith(f"https://{SHOP}/admin/oauth/")
