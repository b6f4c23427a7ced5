"""What can go wrong between us and a Saleor, by who must act.

    SaleorError
    ├── SaleorUnreachable   nobody: the same call works later
    ├── AppGone             merchant: the app was removed or deactivated, or its token replaced
    ├── RequestRefused      us: the request itself is wrong
    └── InstallRefused      whoever installs: see `code`

The message of each is fit to be stored and shown: no token, no secret.
"""

from __future__ import annotations


class SaleorError(Exception):
    """Saleor did not do what was asked."""


class SaleorUnreachable(SaleorError):
    """Saleor was out of reach, busy or unreadable; nothing is wrong with the request."""


class AppGone(SaleorError):
    """The API denies this app: its token is dead or not active yet, or a permission is missing."""


class RequestRefused(SaleorError):
    """Saleor refuses the request as such: a fault of this app, to be reported."""


class InstallRefused(SaleorError):
    """An installation that nothing may come of; `status` and `code` are what Saleor is answered."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
