"""Secrets at rest: encrypted with the current key, readable with every key still listed."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class Unreadable(Exception):
    """A stored secret was encrypted with a key that is listed no more."""


class Vault:
    """Encrypts with the first of `keys` and decrypts with any of them."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(_fernet_key(key)) for key in keys])

    def lock(self, secret: str) -> str:
        """The secret as text fit for a column."""
        return self._fernet.encrypt(secret.encode()).decode()

    def unlock(self, locked: str) -> str:
        """The secret again. Raises `Unreadable` when none of the keys made it."""
        try:
            return self._fernet.decrypt(locked.encode()).decode()
        except InvalidToken:
            raise Unreadable(
                "A stored secret was made with another SECRET_KEY: list the old one in SECRET_KEY_FALLBACKS."
            ) from None

    def renew(self, locked: str) -> str:
        """The same secret under the current key. Raises `Unreadable`."""
        try:
            return self._fernet.rotate(locked.encode()).decode()
        except InvalidToken:
            raise Unreadable("A stored secret was made with a SECRET_KEY that is listed no more.") from None


def _fernet_key(key: str) -> bytes:
    """A merchant's SECRET_KEY may be any text; Fernet wants 32 bytes."""
    return base64.urlsafe_b64encode(hashlib.sha256(b"impact_app vault\x00" + key.encode()).digest())
