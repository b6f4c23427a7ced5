"""What can go wrong between us and Shopify, by who must act.

    ShopifyError
    ├── PlatformUnreachable   nobody: the same call works later
    ├── GrantRefused          token endpoint: see `code`
    ├── TokenRefused          a fresh token is needed (401)
    ├── ShopUnavailable       merchant: the shop is frozen, locked or gone
    ├── AccessDenied          merchant: a scope or data approval is missing
    └── RequestRefused        us: the request itself is wrong

The message of each is fit to be stored and shown: no token, no secret, no address.
"""

from __future__ import annotations


class ShopifyError(Exception):
    """Shopify did not do what was asked."""


class PlatformUnreachable(ShopifyError):
    """Shopify was out of reach, busy or unreadable; nothing is wrong with the request."""


class GrantRefused(ShopifyError):
    """The token endpoint said no; `code` is its OAuth error, or `http_<status>` where it named none.

    Seen: `invalid_subject_token` (stale ID token: ask App Bridge for a new one), `invalid_client` (wrong
    secret, or the app is not installed any more), `invalid_grant` (refresh token used up or run out),
    `invalid_request` (code unknown or used before).
    Source: shopify.dev/docs/apps/build/authentication-authorization, seen 2026-11.
    """

    def __init__(self, code: str, description: str) -> None:
        super().__init__(f"Shopify gave no access token ({code}): {description}")
        self.code = code


class TokenRefused(ShopifyError):
    """The access token is not valid (any more)."""


class ShopUnavailable(ShopifyError):
    """The whole shop does not answer this app; repeating the call does not help."""

    def __init__(self, status: int) -> None:
        super().__init__(f"The shop does not answer this app (HTTP {status}): {_UNAVAILABLE.get(status, '')}")
        self.status = status


_UNAVAILABLE = {
    402: "it is frozen until its Shopify bill is paid.",
    403: "access is forbidden; check in Shopify that the app is installed and allowed.",
    404: "there is no such shop, or it was closed.",
    423: "it is locked by Shopify.",
}


class AccessDenied(ShopifyError):
    """A field needs a scope or a protected-data approval that the app was not given."""


class RequestRefused(ShopifyError):
    """Shopify refuses the request as such: a fault of this app, to be reported."""
