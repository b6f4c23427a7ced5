"""How values are told on pages: moments, money, and slugs in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal

from flask import Flask
from flask_babel import format_date, format_datetime, format_decimal, gettext

from impact_app.domain.messages import ACTORS
from impact_app.domain.money import exponent, of_minor
from impact_app.domain.reasons import EXPLANATIONS, Explanation, Reason, Verdict
from impact_app.domain.remap import Kind

VERDICTS: dict[str, str] = {
    Verdict.REPORTED: "Reported",
    Verdict.WAITING: "Waiting",
    Verdict.WITHHELD: "Not reported",
    Verdict.ATTENTION: "Needs attention",
}

WORDS = {
    "cart_attribute": "Cart attribute",
    "line_property": "Line item property",
    "beacon": "Web pixel or storefront",
    "landing_url": "Landing page",
    "stored_click": "The customer's earlier click",
    "in_flight": "Being sent",
    "gave_up": "Given up",
    "not_sent": "Not sent",
    "shadow": "Written down, not sent",
    "find": "Found when the store was asked; no delivery told of it",
    "read_back": "Read back",
    "take_back": "Take back",
    "submit": "Report",
    "modify": "Change",
    "reverse": "Take back",
    "restore": "Bring back",
    "sku": "SKU",
}


#: What a change of rules would do to orders of the past.
KINDS: dict[str, str] = {
    Kind.REPORT: "Would be reported",
    Kind.CHANGE: "Amount or items would change",
    Kind.TAKE_BACK: "Would be taken back",
    Kind.ATTENTION: "Would need attention",
    Kind.TOO_LATE: "Would change, but it is too late",
    Kind.KEPT: "Stays reported; new ones like it would not be",
}


def register_words(app: Flask) -> None:
    """Give the templates these words."""
    # `_` takes what a template's author wrote; what comes from elsewhere goes through `translated`, which
    # leaves escaping on.
    app.jinja_env.filters.update(
        translated=translated, moment=moment, money=money, figure=figure, words=words, why=why, actor=actor
    )
    app.jinja_env.filters.update(minor=minor, day=day)
    app.jinja_env.globals.update(
        VERDICTS=VERDICTS, KINDS=KINDS, REASONS=list(_order_reasons()), wanted_only=wanted_only
    )


def _order_reasons() -> Iterator[tuple[str, str]]:
    """The reasons that an order may have, in words."""
    for reason, explanation in EXPLANATIONS.items():
        if explanation.verdict is not None:
            yield reason.value, explanation.happened


def wanted_only(given: Mapping[str, str]) -> dict[str, str]:
    """What was given, without empty boxes."""
    return {name: text for name, text in given.items() if text}


def translated(text: str) -> str:
    """A text of one of our tables in the page's language; one that stands in none stays as it is."""
    return str(gettext(text)) if text else ""


def moment(value: datetime) -> str:
    """A moment as "20 Nov 2026, 12:00 UTC"."""
    return f"{format_datetime(value, 'd MMM yyyy, HH:mm')} UTC"


def money(value: Decimal | str | None, currency: str) -> str:
    """An amount with its currency, as "1,234.50 EUR"."""
    return gettext("unknown") if value is None or value == "" else f"{figure(value, currency)} {currency}"


def minor(value: int, currency: str) -> str:
    """An amount in its currency's smallest unit, as "1,234.50 EUR"."""
    return money(of_minor(value, currency).amount, currency)


def day(value: date) -> str:
    """A day as "20 Nov 2026"."""
    return str(format_date(value, "d MMM yyyy"))


def figure(value: Decimal | str, currency: str) -> str:
    """An amount with at least the currency's decimals, as "1,234.50"; it is padded, never rounded."""
    amount = Decimal(value)
    places = max(exponent(currency), -int(amount.as_tuple().exponent))
    return str(format_decimal(amount, f"#,##0.{'0' * places}" if places else "#,##0"))


def words(slug: object) -> str:
    """A slug as a reader would say it."""
    text = str(slug)
    told = WORDS.get(text) or text.replace("_", " ").replace("-", " ").capitalize()
    return translated(told)


def why(reason: str | None) -> Explanation | None:
    """What a reason means, or None for one that is not known here."""
    return EXPLANATIONS[Reason(reason)] if reason in set(Reason) else None


def actor(explanation: Explanation) -> str:
    return translated(ACTORS[explanation.actor])
