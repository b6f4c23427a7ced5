"""Is this delivery from the Saleor it names? Knows bytes, keys and secrets, nothing of the web."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import RSAAlgorithm

#: One RSA key of a JWKS, as far as it is needed: `kid`, `n`, `e`.
Key = Mapping[str, str]

#: The only header members and values of a signature that Saleor makes (`typ` says nothing and is not asked).
ALGORITHM = "RS256"

#: The shortest modulus that RS256 allows (RFC 7518, 3.3), in bits.
_LEAST_BITS = 2048

_KEY_LIMIT = 20


class BadSignature(Exception):
    """The body was not signed by the Saleor it is said to come from."""


class UnknownKey(BadSignature):
    """The signature names a key that is not among those known; the keys may have been changed since."""


def read_keys(jwks: bytes) -> list[dict[str, str]]:
    """The keys of a `/.well-known/jwks.json` that a signature may be made with. Raises `ValueError`."""
    said = json.loads(jwks)
    listed = said.get("keys") if isinstance(said, dict) else None
    if not isinstance(listed, list):
        raise ValueError("There is no list of keys.")  # noqa: TRY004 - one fault for all that is no JWKS
    found = [_key(one) for one in listed[:_KEY_LIMIT] if isinstance(one, dict) and _is_signing_key(one)]
    if not found:
        raise ValueError("There is no RSA key for signatures.")
    return found


def _is_signing_key(one: Mapping[str, Any]) -> bool:
    is_rsa = (
        one.get("kty") == "RSA" and one.get("use", "sig") == "sig" and one.get("alg", ALGORITHM) == ALGORITHM
    )
    return is_rsa and all(isinstance(one.get(name), str) for name in ("kid", "n", "e"))


def _key(one: Mapping[str, Any]) -> dict[str, str]:
    key = {name: str(one[name]) for name in ("kid", "n", "e")}
    if public_key(key).key_size < _LEAST_BITS:
        raise ValueError(f"The key has fewer than {_LEAST_BITS} bits.")
    return key


def public_key(key: Key) -> RSAPublicKey:
    """A listed key, ready to check with. Raises `ValueError`."""
    return _made(key["n"], key["e"])


@lru_cache(maxsize=256)
def _made(modulus: str, exponent: str) -> RSAPublicKey:
    """Made once for a key: that takes longer than checking a signature with it."""
    try:
        made = RSAAlgorithm.from_jwk({"kty": "RSA", "n": modulus, "e": exponent})
    except (jwt.PyJWTError, ValueError) as error:
        raise ValueError(f"The key cannot be read: {error}") from None
    assert isinstance(made, RSAPublicKey)
    return made


def is_hmac(given: str | None) -> bool:
    """Whether a signature has the older form: 64 hexadecimal digits, where a JWS has two dots."""
    return given is not None and len(given) == 64 and "." not in given


def verify_hmac(body: bytes, given: str | None, secrets: Iterable[str]) -> None:
    """Raise `BadSignature` unless one of `secrets` signed these very bytes.

    The form of webhooks made by hand with a `secretKey`: hexadecimal HMAC-SHA256 of the body.
    """
    received = (given or "").encode("utf-8", "replace")
    for secret in secrets:
        if hmac.compare_digest(hmac.digest(secret.encode(), body, "sha256").hex().encode(), received):
            return
    raise BadSignature("The signature matches no webhook secret of this app.")


def verify_jws(body: bytes, given: str | None, keys: Sequence[Key]) -> None:
    """Raise `BadSignature` unless one of `keys` signed these very bytes; `UnknownKey` where it names another.

    `given` is `Saleor-Signature`: a detached JWS, `header..signature`, over the bytes themselves (RFC 7797).
    The header is written by whoever signs, so nothing in it is a choice: RS256, `crit` of b64 alone, b64
    false.
    Source: Saleor 3.22.67 and 3.23.28, see NOTES.md.
    """
    if not given:
        raise BadSignature("The delivery carries no signature.")
    kid = _checked_header(given)
    key = next((one for one in keys if one["kid"] == kid), None)
    if key is None:
        raise UnknownKey("The signature names a key that this Saleor does not list.")
    try:
        jwt.api_jws.decode_complete(given, public_key(key), algorithms=[ALGORITHM], detached_payload=body)
    except (jwt.PyJWTError, ValueError):
        raise BadSignature("The signature is not over this body.") from None


def _checked_header(given: str) -> str:
    """The key's id in a header that says what it must. Raises `BadSignature`."""
    parts = given.split(".")
    if len(parts) != 3 or parts[1]:
        raise BadSignature("The signature is no detached JWS.")
    try:
        padded = parts[0].encode("ascii") + b"=" * (-len(parts[0]) % 4)
        header = json.loads(base64.urlsafe_b64decode(padded))
    except (ValueError, RecursionError):
        raise BadSignature("The signature's header cannot be read.") from None
    if not isinstance(header, dict) or header.get("alg") != ALGORITHM:
        raise BadSignature("The signature is not made with RS256.")
    if header.get("crit") != ["b64"] or header.get("b64") is not False:
        raise BadSignature("The signature is not over the bytes of the body alone.")
    return str(header.get("kid", ""))
