"""The signature on a delivery: right, wrong, missing, rotated, and made to confuse."""

from __future__ import annotations

import base64
import hmac

import pytest

from impact_app.stores.shopify.signature import BadSignature, verify

# printf '{"id":1}' | openssl dgst -sha256 -hmac secret-of-now -binary | base64
BODY = b'{"id":1}'
SIGNED = "1SoZJ/cyGKZnZxDJy0fKtnnV4EedJEbC7BfggAjnH6s="


def signed(body: bytes, secret: str) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()


def test_a_signature_made_elsewhere_is_accepted() -> None:
    verify(BODY, SIGNED, ["secret-of-now"])


@pytest.mark.parametrize("signer", ["secret-of-now", "secret-before"])
def test_the_current_and_the_previous_secret_are_equal(signer: str) -> None:
    body = b"\xff\x00 not even text"
    verify(body, signed(body, signer), ["secret-of-now", "secret-before"])


def test_a_secret_that_is_listed_no_more_is_refused() -> None:
    with pytest.raises(BadSignature, match="neither"):
        verify(BODY, signed(BODY, "secret-before"), ["secret-of-now"])


@pytest.mark.parametrize("body", [b'{"id":2}', b'{"id":1}\n', b'{ "id":1}', b""])
def test_each_byte_counts(body: bytes) -> None:
    with pytest.raises(BadSignature):
        verify(body, SIGNED, ["secret-of-now"])


@pytest.mark.parametrize("given", [None, ""])
def test_no_signature_is_refused(given: str | None) -> None:
    with pytest.raises(BadSignature, match="no signature"):
        verify(BODY, given, ["secret-of-now"])


@pytest.mark.parametrize(
    "given",
    [
        "x",
        SIGNED[:-1],
        SIGNED + "=",
        f" {SIGNED}",
        SIGNED.lower(),
        hmac.digest(b"secret-of-now", BODY, "sha256").hex(),
        "ünïcödé",
        "\udcff",
        "\x00",
        "A" * 100_000,
    ],
    ids=["short", "cut", "long", "blank", "case", "hex", "not-ascii", "surrogate", "nul", "huge"],
)
def test_anything_else_is_refused_without_a_crash(given: str) -> None:
    with pytest.raises(BadSignature):
        verify(BODY, given, ["secret-of-now", "secret-before"])


def test_without_secrets_nothing_is_accepted() -> None:
    with pytest.raises(BadSignature):
        verify(BODY, SIGNED, [])
