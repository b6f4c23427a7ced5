"""Is this delivery from Shopify? Knows bytes and secrets, nothing of the web."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable


class BadSignature(Exception):
    """The body was not signed with a secret of this app."""


def verify(body: bytes, given: str | None, secrets: Iterable[str]) -> None:
    """Raise `BadSignature` unless one of the current or previous secrets signed these very bytes.

    `given` is the header `X-Shopify-Hmac-Sha256`: base64 of HMAC-SHA256 with the client secret.
    After a rotation Shopify may sign with the old secret for up to an hour.
    Source: shopify.dev/docs/apps/build/webhooks/verify-deliveries, seen 2026-11.
    """
    if not given:
        raise BadSignature("The delivery carries no signature.")
    # Compared as bytes: compare_digest refuses text that is not ASCII, and a stranger chooses this text.
    received = given.encode("utf-8", "replace")
    for secret in secrets:
        expected = base64.b64encode(hmac.digest(secret.encode(), body, "sha256"))
        if hmac.compare_digest(expected, received):
            return
    raise BadSignature("The signature matches neither the current nor the previous client secret.")
