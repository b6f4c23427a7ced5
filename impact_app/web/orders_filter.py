"""The boxes above the list of orders: what stands in them, what they mean, and what is wrong with them."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation

from babel.numbers import NumberFormatError, parse_decimal
from flask_babel import get_locale

from impact_app.domain.reasons import Reason, Verdict
from impact_app.ledger.orders import Filter

_NAMES = ("verdict", "reason", "detail", "partner", "first", "last", "least", "most", "search")

#: As long as anything is that can be looked for.
_LONGEST = 255

#: What to do about a box that cannot be read, or that contradicts its other half.
FAULTS = {
    "verdict": "There is no such verdict. Choose one from the list.",
    "reason": "There is no such reason. Choose one from the list.",
    "first": "Enter a day such as 2026-11-20.",
    "last": "Enter a day such as 2026-11-20.",
    "least": "Enter an amount such as 1234.50, without a currency.",
    "most": "Enter an amount such as 1234.50, without a currency.",
}
REVERSED = {
    "last": "This day is before the first one.",
    "most": "This amount is below the first one.",
}


@dataclass
class FilterForm:
    """The boxes as they were sent. `faults` maps a box's name to a sentence; `wanted` is of the others."""

    texts: dict[str, str]
    wanted: Filter = field(default_factory=Filter)
    faults: dict[str, str] = field(default_factory=dict)

    @property
    def kept(self) -> dict[str, str]:
        """The boxes that are not empty."""
        return {name: text for name, text in self.texts.items() if text}


def asked(given: Mapping[str, str]) -> FilterForm:
    """The filter that was asked for, with every fault."""
    form = FilterForm({name: plain(given.get(name, "")) for name in _NAMES})
    texts = form.texts
    # A cause's detail is compared as it is kept, however long.
    texts["detail"] = given.get("detail", "").replace("\0", "")
    first, last = _day(form, "first"), _day(form, "last")
    least, most = _amount(form, "least"), _amount(form, "most")
    if first and last and last < first:
        form.faults["last"] = REVERSED["last"]
    if least is not None and most is not None and most < least:
        form.faults["most"] = REVERSED["most"]
    form.wanted = Filter(
        verdict=_choice(form, "verdict", frozenset(Verdict)),
        reason=_choice(form, "reason", frozenset(Reason)),
        detail=texts["detail"] or None,
        partner=texts["partner"] or None,
        first=first,
        last=last,
        least=least,
        most=most,
        search=texts["search"] or None,
    )
    return form


def plain(text: str) -> str:
    """A text as a database can take it. What joins letters or turns them around is part of some names."""
    kept = (char for char in text.strip()[:_LONGEST] if unicodedata.category(char) not in ("Cc", "Cs"))
    return "".join(kept)


def _choice(form: FilterForm, name: str, known: frozenset[str]) -> str | None:
    text = form.texts[name]
    if text and text not in known:
        form.faults[name] = FAULTS[name]
        return None
    return text or None


def _day(form: FilterForm, name: str) -> date | None:
    text = form.texts[name]
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        form.faults[name] = FAULTS[name]
        return None


def _amount(form: FilterForm, name: str) -> Decimal | None:
    text = form.texts[name]
    try:
        amount = _figure(text) if text else None
    except InvalidOperation:
        amount = Decimal("NaN")
    if amount is not None and not (amount.is_finite() and abs(amount) < 10**12):
        form.faults[name] = FAULTS[name]
        return None
    return amount


def _figure(text: str) -> Decimal:
    """A figure as the page's language writes it ("1.234,50" in German), else as machines do ("1234.50").

    Raises `InvalidOperation`.
    """
    try:
        return parse_decimal(text, locale=get_locale(), strict=True)
    except NumberFormatError:
        return Decimal(text)
