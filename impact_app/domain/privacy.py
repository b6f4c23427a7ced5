"""What may be kept of an order: as little as reporting needs, and less when a customer asks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from impact_app.domain.attribution import FORMER_MARKS, query_of, spellings
from impact_app.domain.orders import Customer, Order
from impact_app.domain.rules import Rules

_NOBODY = Customer(id="", email_sha1="", email_sha256="", is_new=None)


def trimmed(order: Order, rules: Rules) -> Order:
    """The order without attributes that carry no click, and without visitor data the rules do not send."""
    names = FORMER_MARKS | {name for parameter in rules.parameters for name in spellings(parameter)}
    return replace(
        order,
        attributes=_named(order.attributes, names),
        lines=tuple(replace(line, properties=_named(line.properties, names)) for line in order.lines),
        ip_address=order.ip_address if rules.ip_address == "yes" else "",
        user_agent=order.user_agent if rules.user_agent == "yes" else "",
        visits=tuple(page for page in order.visits if any(name in names for name, _ in query_of(page))),
    )


def redacted(order: Order) -> Order:
    """The order with nothing personal left; items and sums stay, so that the books still balance."""
    return replace(
        order,
        customer=_NOBODY,
        ip_address="",
        user_agent="",
        landing_url="",
        visits=(),
        checkout_token="",
        cart_token="",
    )


def _named(pairs: Iterable[tuple[str, str]], names: frozenset[str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in pairs if name in names)
