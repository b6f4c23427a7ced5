"""Which click led to an order: every carrier is looked at, one wins, and all of it is remembered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote_to_bytes, urlsplit

from impact_app.domain.orders import Order

#: impact.com's limit for a click id (Brand API v14, Conversions, `ClickId`).
CLICK_LIMIT = 64

#: The former official app's own mark on carts and lines (its storefront script, undated capture).
FORMER_MARKS = frozenset({"irclickid", "_irclickid"})


class Carrier(StrEnum):
    """What brought the click id to us, the most trusted first."""

    CART_ATTRIBUTE = "cart_attribute"
    LINE_PROPERTY = "line_property"
    LANDING_URL = "landing_url"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one carrier held under one name. `fault` is "" for a value that can be used."""

    carrier: Carrier
    name: str
    value: str
    fault: str


@dataclass(frozen=True, slots=True)
class Attribution:
    """The winning click, if any, and everything that was found on the way."""

    winner: Finding | None
    findings: tuple[Finding, ...]

    @property
    def click_id(self) -> str | None:
        return self.winner.value if self.winner else None

    @property
    def carrier(self) -> Carrier | None:
        return self.winner.carrier if self.winner else None


def attribute(order: Order, parameters: tuple[str, ...]) -> Attribution:
    """Find the click of an order. Carriers rank first, then parameter names in the merchant's order."""
    findings = tuple(_findings(order, parameters))
    usable = (finding for finding in findings if not finding.fault)
    return Attribution(next(usable, None), findings)


def _findings(order: Order, parameters: tuple[str, ...]) -> Iterator[Finding]:
    yield from _named(Carrier.CART_ATTRIBUTE, order.attributes, parameters)
    properties = [pair for line in order.lines for pair in line.properties]
    yield from _named(Carrier.LINE_PROPERTY, properties, parameters)
    yield from _named(Carrier.LANDING_URL, query_of(order.landing_url), parameters)


def _named(
    carrier: Carrier, pairs: Iterable[tuple[str, str]], parameters: tuple[str, ...]
) -> Iterator[Finding]:
    held = list(pairs)
    for parameter in parameters:
        # One or two underscores hide a name from the buyer or from the theme; the value is the same.
        names = (parameter,) if carrier is Carrier.LANDING_URL else spellings(parameter)
        for name, raw in held:
            if name in names:
                value = raw.strip()
                yield Finding(carrier, name, _shown(value), click_fault(value))


def spellings(parameter: str) -> tuple[str, ...]:
    """The names under which a cart or a line may carry a parameter."""
    return (parameter, f"_{parameter}", f"__{parameter}")


def click_fault(value: str) -> str:
    """Why `value` cannot be a click id, or "" if it can."""
    if not value:
        return "it is empty"
    if len(value) > CLICK_LIMIT:
        return f"it is longer than {CLICK_LIMIT} characters"
    if not value.isprintable() or any(character.isspace() for character in value):
        return "it contains blanks or control characters"
    if "\ufffd" in value:
        return "it contains characters that could not be read"
    return ""


def _shown(value: str) -> str:
    """A value as evidence keeps it: no longer than tells it apart, and fit for every database."""
    return value[: CLICK_LIMIT * 2].replace("\x00", "\ufffd")


def query_of(url: str) -> list[tuple[str, str]]:
    """The query of a URL, decoded exactly once. A plus sign stays one: a click id contains no blanks."""
    try:
        query = urlsplit(url).query
    except ValueError:
        return []
    pairs = (part.partition("=") for part in query.split("&"))
    return [(_decoded(name), _decoded(value)) for name, _, value in pairs if name]


def _decoded(text: str) -> str:
    return unquote_to_bytes(text).decode("utf-8", errors="replace")
