"""What a delivery turns out to say, in words every platform shares."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from impact_app.domain.orders import Order


class Unreadable(Exception):
    """A body is not what its platform sends; the message names the place and what was expected."""


@dataclass(frozen=True, slots=True)
class OrderSeen:
    """A whole order as of its own last change."""

    order: Order


@dataclass(frozen=True, slots=True)
class OrderChanged:
    """An order changed, without the order itself."""

    order_key: str


@dataclass(frozen=True, slots=True)
class Uninstalled:
    """The store has removed the app; its tokens are dead. `at`: when, where the body says so."""

    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ScopesChanged:
    """The store grants other scopes than before."""

    scopes: str


@dataclass(frozen=True, slots=True)
class PrivacyAsked:
    """A customer or platform asks for data (`show`), for a customer's removal, or for the store's."""

    what: str
    order_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnknownTopic:
    """The platform has a topic that this app does not know."""


Event = OrderSeen | OrderChanged | Uninstalled | ScopesChanged | PrivacyAsked | UnknownTopic
