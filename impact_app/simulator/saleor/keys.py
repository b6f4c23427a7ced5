"""The keys a Saleor signs with, in the form it publishes them, and the signatures it makes with them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa


@cache
def private_key(name: str) -> rsa.RSAPrivateKey:
    """A key that belongs to `name` for as long as the process lives; making one takes a moment."""
    assert name
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class SigningKeys:
    """The keys by name; the first one signs, all are published."""

    names: list[str] = field(default_factory=lambda: ["current"])

    def rotate(self, name: str, *, keep: bool = False) -> None:
        """Sign with another key from now on; `keep` publishes the older ones too."""
        self.names = [name, *(self.names if keep else ())]

    def jwks(self) -> dict[str, Any]:
        return {"keys": [jwk(name) for name in self.names]}

    def sign(self, body: bytes) -> str:
        return signature(body, self.names[0])


def jwk(name: str) -> dict[str, Any]:
    """The public half of a key, with its RFC 7638 thumbprint as `kid`."""
    numbers = private_key(name).public_key().public_numbers()
    shown = {"e": _number(numbers.e), "kty": "RSA", "n": _number(numbers.n)}
    canonical = json.dumps(shown, sort_keys=True, separators=(",", ":")).encode()
    kid = b64(hashlib.sha256(canonical).digest())
    return {**shown, "key_ops": ["verify"], "use": "sig", "kid": kid, "alg": "RS256"}


def signature(body: bytes, name: str, **changed: Any) -> str:
    """A detached JWS over the bytes of `body` (RFC 7797); `changed` alters the header, None takes out."""
    header = {"alg": "RS256", "b64": False, "crit": ["b64"], "kid": jwk(name)["kid"], "typ": "JWT", **changed}
    kept = {member: value for member, value in header.items() if value is not None}
    protected = b64(json.dumps(kept, separators=(",", ":")).encode())
    signed = private_key(name).sign(protected.encode() + b"." + body, padding.PKCS1v15(), hashes.SHA256())
    return f"{protected}..{b64(signed)}"


def hmac_signature(body: bytes, secret: str) -> str:
    """The older form, of webhooks that have a `secretKey`."""
    return hmac.digest(secret.encode(), body, "sha256").hex()


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))
