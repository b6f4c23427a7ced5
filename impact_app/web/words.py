"""How values are told on pages: moments, money, and slugs in words."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from flask import Flask

from impact_app.domain.money import exponent
from impact_app.domain.reasons import EXPLANATIONS, Explanation, Reason, Verdict

VERDICTS: dict[str, str] = {
    Verdict.REPORTED: "Reported",
    Verdict.WAITING: "Waiting",
    Verdict.WITHHELD: "Not reported",
    Verdict.ATTENTION: "Needs attention",
}

_ACTORS = {
    "nobody": "Nobody has to do anything.",
    "merchant": "It is for you to act.",
    "operator": "It is for whoever runs this app to act.",
    "impact.com": "It is for impact.com to act.",
}

_WORDS = {
    "cart_attribute": "Cart attribute",
    "line_property": "Line item property",
    "landing_url": "Landing page",
    "in_flight": "Being sent",
    "gave_up": "Given up",
    "not_sent": "Not sent",
    "submit": "Report",
    "modify": "Change",
    "reverse": "Take back",
    "sku": "SKU",
}


def register_words(app: Flask) -> None:
    """Give the templates these words."""
    app.jinja_env.filters.update(moment=moment, money=money, figure=figure, words=words, why=why, actor=actor)
    app.jinja_env.globals["VERDICTS"] = VERDICTS


def moment(value: datetime) -> str:
    """A moment as "20 Nov 2026, 12:00 UTC"."""
    return f"{value.day} {value:%b %Y, %H:%M} UTC"


def money(value: Decimal | str | None, currency: str) -> str:
    """An amount with its currency, as "1,234.50 EUR"."""
    return "unknown" if value is None or value == "" else f"{figure(value, currency)} {currency}"


def figure(value: Decimal | str, currency: str) -> str:
    """An amount with at least the currency's decimals, as "1,234.50"; it is padded, never rounded."""
    amount = Decimal(value)
    places = max(exponent(currency), -int(amount.as_tuple().exponent))
    return f"{amount:,.{places}f}"


def words(slug: object) -> str:
    """A slug as a reader would say it."""
    text = str(slug)
    return _WORDS.get(text) or text.replace("_", " ").replace("-", " ").capitalize()


def why(reason: str | None) -> Explanation | None:
    """What a reason means, or None for one that is not known here."""
    return EXPLANATIONS[Reason(reason)] if reason in set(Reason) else None


def actor(explanation: Explanation) -> str:
    return _ACTORS[explanation.actor]
