"""Who signed a delivery: real signatures hold, and no trick with the header makes another one hold."""

from __future__ import annotations

import json
from typing import Any

import pytest

from impact_app.simulator.saleor.keys import b64, hmac_signature, jwk, signature
from impact_app.stores.saleor.signature import (
    BadSignature,
    UnknownKey,
    is_hmac,
    read_keys,
    verify_hmac,
    verify_jws,
)
from tests.stores.saleor.recorded import ORDER_FILES, delivery, jwks

BODY = b'{"__typename": "OrderFullyPaid", "order": {"id": "T3JkZXI6MQ=="}}'


def keys_of(*names: str) -> list[dict[str, str]]:
    return read_keys(json.dumps({"keys": [jwk(name) for name in names]}).encode())


@pytest.mark.parametrize("name", ORDER_FILES)
def test_every_recorded_signature_holds_and_only_over_its_own_bytes(name: str) -> None:
    found = delivery(name)
    keys = read_keys(json.dumps(jwks(name.partition("/")[0])).encode())
    verify_jws(found.raw, found.headers["Saleor-Signature"], keys)
    with pytest.raises(BadSignature):
        verify_jws(found.raw + b" ", found.headers["Saleor-Signature"], keys)


def test_a_signature_holds_by_each_published_key() -> None:
    for name in ("current", "previous"):
        verify_jws(BODY, signature(BODY, name), keys_of("current", "previous"))


def test_another_key_is_told_from_a_bad_signature() -> None:
    with pytest.raises(UnknownKey):
        verify_jws(BODY, signature(BODY, "wrong"), keys_of("current"))
    borrowed = signature(BODY, "wrong", kid=jwk("current")["kid"])
    with pytest.raises(BadSignature) as refused:
        verify_jws(BODY, borrowed, keys_of("current"))
    assert not isinstance(refused.value, UnknownKey)


@pytest.mark.parametrize("at", [0, 20, len(BODY) - 1])
def test_an_altered_body_is_refused(at: int) -> None:
    altered = BODY[:at] + bytes([BODY[at] ^ 1]) + BODY[at + 1 :]
    with pytest.raises(BadSignature):
        verify_jws(altered, signature(BODY, "current"), keys_of("current"))


HEADERS: dict[str, dict[str, Any]] = {
    "alg none": {"alg": "none"},
    "alg HS256": {"alg": "HS256"},
    "alg PS256": {"alg": "PS256"},
    "alg in lower case": {"alg": "rs256"},
    "no alg": {"alg": None},
    "no crit": {"crit": None},
    "an empty crit": {"crit": []},
    "another crit": {"crit": ["b64", "exp"], "exp": 1},
    "no b64": {"b64": None},
    "b64 true": {"b64": True},
    "b64 as a number": {"b64": 0},
    "neither crit nor b64": {"crit": None, "b64": None},
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_says_otherwise_is_refused_though_rightly_signed(name: str) -> None:
    with pytest.raises(BadSignature):
        verify_jws(BODY, signature(BODY, "current", **HEADERS[name]), keys_of("current"))


def test_no_signature_at_all_behind_alg_none() -> None:
    header = b64(
        json.dumps({"alg": "none", "b64": False, "crit": ["b64"], "kid": jwk("current")["kid"]}).encode()
    )
    with pytest.raises(BadSignature):
        verify_jws(BODY, f"{header}..", keys_of("current"))


def test_the_public_key_is_no_secret_to_sign_with() -> None:
    """HS256 with the public key as its secret, in every form it is published."""
    header = {"alg": "HS256", "b64": False, "crit": ["b64"], "kid": jwk("current")["kid"]}
    protected = b64(json.dumps(header).encode())
    for secret in (jwk("current")["n"], json.dumps(jwk("current"))):
        tag = b64(bytes.fromhex(hmac_signature(protected.encode() + b"." + BODY, secret)))
        with pytest.raises(BadSignature):
            verify_jws(BODY, f"{protected}..{tag}", keys_of("current"))


@pytest.mark.parametrize(
    "given", [None, "", "..", "a..b", "a.b", "a.b.c.d", "e30..e30", "\u20ac..x", "W10..x", "Li4.e30.x"]
)
def test_what_is_no_detached_jws_is_refused(given: str | None) -> None:
    with pytest.raises(BadSignature):
        verify_jws(BODY, given, keys_of("current"))


def test_a_payload_inside_the_jws_is_refused() -> None:
    header, _, tag = signature(BODY, "current").split(".")
    with pytest.raises(BadSignature):
        verify_jws(BODY, f"{header}.{b64(BODY)}.{tag}", keys_of("current"))


def test_the_older_form_holds_by_either_secret() -> None:
    for secret in ("new", "old"):
        given = hmac_signature(BODY, secret)
        assert is_hmac(given)
        verify_hmac(BODY, given, ("new", "old"))
    assert not is_hmac(signature(BODY, "current"))


@pytest.mark.parametrize("secrets", [(), ("other",)])
def test_the_older_form_is_refused_without_the_right_secret(secrets: tuple[str, ...]) -> None:
    with pytest.raises(BadSignature):
        verify_hmac(BODY, hmac_signature(BODY, "new"), secrets)
    with pytest.raises(BadSignature):
        verify_hmac(BODY, None, secrets)


@pytest.mark.parametrize(
    "published",
    [
        b"",
        b"[]",
        b"{}",
        b'{"keys": []}',
        b'{"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "1"}]}',
        b'{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "short"}]}',
        b'{"keys": [{"kty": "RSA", "use": "enc", "n": "AQAB", "e": "AQAB", "kid": "1"}]}',
    ],
)
def test_what_is_no_jwks_is_refused(published: bytes) -> None:
    with pytest.raises(ValueError, match=r"key|Expecting"):
        read_keys(published)
