"""Which click led to an order: every carrier is looked at, one wins, and all of it is remembered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
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
    BEACON = "beacon"
    LANDING_URL = "landing_url"
    STORED_CLICK = "stored_click"


@dataclass(frozen=True, slots=True)
class Beside:
    """A click that reached the app beside the order.

    name      what it was joined to the order by
    consent   what the storefront said of the visitor's consent: granted or unknown, "" where it said nothing
    told      how it came, in a sentence
    fault     why it may not be used, "" if it may
    """

    carrier: Carrier
    name: str
    value: str
    consent: str = ""
    told: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one carrier held under one name. `fault` is "" for a value that can be used.

    `consent` and `told` as in `Beside`.
    """

    carrier: Carrier
    name: str
    value: str
    fault: str
    consent: str = ""
    told: str = ""


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


def attribute(order: Order, parameters: tuple[str, ...], beside: Sequence[Beside] = ()) -> Attribution:
    """Find the click of an order. Carriers rank first, then parameter names in the merchant's order.

    `beside` are clicks that reached the app beside the order, of each carrier the best first.
    """
    findings = tuple(_findings(order, parameters, beside))
    usable = (finding for finding in findings if not finding.fault)
    return Attribution(next(usable, None), findings)


def _findings(order: Order, parameters: tuple[str, ...], beside: Sequence[Beside]) -> Iterator[Finding]:
    yield from _named(Carrier.CART_ATTRIBUTE, order.attributes, parameters)
    properties = [pair for line in order.lines for pair in line.properties]
    yield from _named(Carrier.LINE_PROPERTY, properties, parameters)
    yield from _brought(Carrier.BEACON, beside)
    yield from _named(Carrier.LANDING_URL, query_of(order.landing_url), parameters)
    for page in order.visits:
        for found in _named(Carrier.LANDING_URL, query_of(page), parameters):
            yield replace(found, told="The platform's record of the visits before the order has it.")
    yield from _brought(Carrier.STORED_CLICK, beside)


def _brought(carrier: Carrier, beside: Sequence[Beside]) -> Iterator[Finding]:
    for one in beside:
        if one.carrier is carrier:
            value, fault = one.value, one.fault or click_fault(one.value)
            yield Finding(carrier, one.name, _shown(value), fault, one.consent, one.told)


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
