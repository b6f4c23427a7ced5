"""Tickets stand in for cookies inside a platform's frame: signed by us, bound to store and user, short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from typing import Literal

from itsdangerous import BadSignature, URLSafeSerializer

TicketUse = Literal["link", "form"]

#: A link's ticket stands in an address, so it lives shortly and opens nothing but reading. A form's ticket is
#: hidden in the page and proves both the visitor and that the form is ours.
LIFE: dict[TicketUse, timedelta] = {"link": timedelta(minutes=5), "form": timedelta(hours=1)}

#: A page's links carry on what its own ticket proved; after this long the platform is asked anew who it is.
PROOF_LIFE = timedelta(hours=1)

#: Seconds by which the clocks of two machines of ours may differ.
_CLOCKS_APART = 60


class TicketRefused(Exception):
    """The ticket opens nothing; `shop` is whose it was, where we did sign it."""

    def __init__(self, shop: str | None) -> None:
        super().__init__("the ticket has run out" if shop else "the ticket is not ours")
        self.shop = shop


@dataclass(frozen=True)
class Holder:
    """A member of a store's staff, as the platform proved them.

    shop            the store's domain
    proved_at       seconds since 1970
    may_configure   whether settings may be changed
    """

    shop: str
    user_id: str
    proved_at: int
    may_configure: bool = True


class Tickets:
    """Issues tickets with the first of `keys` and accepts those of all, as sessions do.

    A ticket of one platform opens nothing of another.
    """

    def __init__(self, keys: Sequence[str], platform: str) -> None:
        self._keys = list(reversed(keys))
        self._platform = platform

    def issue(self, holder: Holder, use: TicketUse, now: datetime) -> str:
        written = self._signer(use).dumps([*astuple(holder), int(now.timestamp())])
        return written if isinstance(written, str) else written.decode()

    def read(self, ticket: str, use: TicketUse, now: datetime) -> Holder:
        """Whose the ticket is. Raises `TicketRefused`."""
        try:
            *said, issued = self._signer(use).loads(ticket)
            holder = Holder(*said)
        except (BadSignature, TypeError, ValueError):
            raise TicketRefused(None) from None
        age, since_proof = now.timestamp() - issued, now.timestamp() - holder.proved_at
        is_fresh = -_CLOCKS_APART <= age <= LIFE[use].total_seconds()
        if not is_fresh or (use == "link" and since_proof > PROOF_LIFE.total_seconds()):
            raise TicketRefused(holder.shop)
        return holder

    def _signer(self, use: TicketUse) -> URLSafeSerializer:
        return URLSafeSerializer(self._keys, salt=f"{self._platform}-{use}-ticket")
