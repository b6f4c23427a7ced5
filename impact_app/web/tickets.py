"""Tickets stand in for cookies inside Shopify's frame: signed by us, bound to shop and user, short-lived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from itsdangerous import BadSignature, URLSafeSerializer

TicketUse = Literal["link", "form"]

#: A link's ticket stands in an address, so it lives shortly and opens nothing but reading. A form's ticket is
#: hidden in the page and proves both the visitor and that the form is ours.
LIFE: dict[TicketUse, timedelta] = {"link": timedelta(minutes=5), "form": timedelta(hours=1)}

#: Seconds by which the clocks of two machines of ours may differ.
_CLOCKS_APART = 60


class TicketRefused(Exception):
    """The ticket opens nothing; `shop` is whose it was, where we did sign it."""

    def __init__(self, shop: str | None) -> None:
        super().__init__("the ticket has run out" if shop else "the ticket is not ours")
        self.shop = shop


@dataclass(frozen=True)
class Holder:
    """A member of a shop's staff."""

    shop: str
    user_id: str


class Tickets:
    """Issues tickets with the first of `keys` and accepts those of all, as sessions do."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = list(reversed(keys))

    def issue(self, holder: Holder, use: TicketUse, now: datetime) -> str:
        written = self._signer(use).dumps([holder.shop, holder.user_id, int(now.timestamp())])
        return written if isinstance(written, str) else written.decode()

    def read(self, ticket: str, use: TicketUse, now: datetime) -> Holder:
        """Whose the ticket is. Raises `TicketRefused`."""
        try:
            shop, user_id, issued = self._signer(use).loads(ticket)
        except BadSignature:
            raise TicketRefused(None) from None
        age = now.timestamp() - issued
        if not -_CLOCKS_APART <= age <= LIFE[use].total_seconds():
            raise TicketRefused(shop)
        return Holder(shop, user_id)

    def _signer(self, use: TicketUse) -> URLSafeSerializer:
        return URLSafeSerializer(self._keys, salt=f"shopify-{use}-ticket")
