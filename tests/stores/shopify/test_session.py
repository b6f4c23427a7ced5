"""Session tokens: the claims that must hold, each tried alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from impact_app.simulator.shopify.oauth import id_token
from impact_app.simulator.shopify.store import PretendStore
from impact_app.stores.sessions import SessionRefused
from impact_app.stores.shopify.session import Session, verify_id_token
from tests.stores.shopify.conftest import SECRET, FixedClock, shopify_config

PREVIOUS = "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"
NOW = FixedClock().now


def test_the_shop_and_user_come_from_the_token(pretend: PretendStore, clock: FixedClock) -> None:
    session = verify_id_token(id_token(pretend, user_id=42), shopify_config(), clock())

    assert session == Session(pretend.domain, "42", clock() + timedelta(seconds=60))


def test_while_secrets_rotate_the_previous_one_still_counts(pretend: PretendStore) -> None:
    token = id_token(pretend, secret=PREVIOUS)

    assert verify_id_token(token, shopify_config(previous=PREVIOUS), NOW).shop == pretend.domain
    with pytest.raises(SessionRefused, match="not signed"):
        verify_id_token(token, shopify_config(), NOW)


@pytest.mark.parametrize(
    ("seconds", "accepted"), [(69, True), (70, False), (3600, False), (-10, True), (-11, False)]
)
def test_a_token_lives_a_minute_with_ten_seconds_of_leeway(
    pretend: PretendStore, seconds: int, accepted: bool
) -> None:
    token = id_token(pretend)
    later = NOW + timedelta(seconds=seconds)
    if accepted:
        verify_id_token(token, shopify_config(), later)
    else:
        with pytest.raises(SessionRefused):
            verify_id_token(token, shopify_config(), later)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"aud": "another-app"}, "another app"),
        ({"aud": None}, "another app"),
        ({"aud": ["pretend-client-id"]}, "another app"),
        ({"exp": None}, "run out"),
        ({"exp": "tomorrow"}, "run out"),
        ({"exp": True}, "run out"),
        ({"exp": float("nan")}, "run out"),
        ({"exp": float("inf")}, "run out"),
        ({"exp": 2**70}, "run out"),
        ({"nbf": int(NOW.timestamp()) + 11}, "not valid yet"),
        ({"iat": int(NOW.timestamp()) + 11}, "not valid yet"),
        ({"nbf": "soon"}, "not valid yet"),
        ({"dest": None}, "no shop"),
        ({"dest": 7}, "no shop"),
        ({"dest": "https://evil.com"}, "no shop"),
        ({"dest": "https://[evil"}, "no shop"),
        ({"dest": "impact-demo.myshopify.com"}, "no shop"),
        ({"dest": "http://impact-demo.myshopify.com"}, "no shop"),
        ({"dest": "https://impact-demo.myshopify.com/"}, "no shop"),
        ({"dest": "https://impact-demo.myshopify.com@evil.com"}, "no shop"),
        ({"dest": "https://other.myshopify.com"}, "differ"),
        ({"iss": "https://other.myshopify.com/admin"}, "differ"),
        ({"iss": None}, "differ"),
        ({"iss": "https://evil.com/admin"}, "differ"),
    ],
)
def test_a_claim_that_does_not_hold_refuses_the_token(
    pretend: PretendStore, claims: dict[str, Any], reason: str
) -> None:
    token = id_token(pretend, **claims)

    with pytest.raises(SessionRefused, match=reason):
        verify_id_token(token, shopify_config(), NOW)


@pytest.mark.parametrize("algorithm", ["none", "HS512"])
def test_the_token_does_not_choose_how_it_is_checked(pretend: PretendStore, algorithm: str) -> None:
    claims = jwt.decode(id_token(pretend), options={"verify_signature": False})
    key = "" if algorithm == "none" else SECRET * 2
    shopify = shopify_config(previous=SECRET * 2)

    with pytest.raises(SessionRefused):
        verify_id_token(jwt.encode(claims, key, algorithm=algorithm), shopify, NOW)


@pytest.mark.parametrize(
    "token", [None, "", "x", "a.b.c", "\u00e4.\u00f6.\u00fc", "e30.e30.", "..", "\udcff"]
)
def test_what_is_no_token_is_refused_without_a_crash(token: str | None) -> None:
    with pytest.raises(SessionRefused):
        verify_id_token(token, shopify_config(), datetime(2026, 11, 20, tzinfo=UTC))


def test_the_payload_cannot_be_exchanged_for_another(pretend: PretendStore) -> None:
    other = PretendStore(domain="other.myshopify.com", client_secret=SECRET, now=pretend.now)
    head, _, signature = id_token(pretend).split(".")
    forged = ".".join([head, id_token(other).split(".")[1], signature])

    with pytest.raises(SessionRefused, match="not signed"):
        verify_id_token(forged, shopify_config(), NOW)
