"""How values are told on pages: moments, money, and slugs in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

from flask import Flask
from flask_babel import format_date, format_datetime, format_decimal, get_locale, gettext, ngettext

from impact_app.domain.attribution import Carrier
from impact_app.domain.messages import ACTORS
from impact_app.domain.money import exponent, of_minor
from impact_app.domain.reasons import EXPLANATIONS, Explanation, Reason, Verdict
from impact_app.domain.receipts import Outcome
from impact_app.domain.remap import Kind
from impact_app.ledger.acts import Act
from impact_app.web.sentences import kind, recognised

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
    "delivery": "Message from the store",
    "plan": "Planned",
    "call": "Call to impact.com",
    "answer": "Its answer",
    "judged": "Judged",
    "act": "By hand",
    "resend": "Send again",
    "find": "Found when the store was asked; no delivery told of it",
    "read_back": "Read back",
    "take_back": "Take back",
    "submit": "Report",
    "modify": "Change",
    "reverse": "Take back",
    "restore": "Bring back",
    "sku": "SKU",
}

#: The slugs that pages tell in words, as far as they are ours; a platform's own are told as they stand.
SLUGS: tuple[str, ...] = (
    *(slug for kind in (Reason, Carrier, Outcome, Act) for slug in kind),
    *("submit", "modify", "reverse", "restore"),
    *("pending", "in_flight", "accepted", "rejected", "gave_up", "replaced", "parked"),
    *("delivery", "plan", "call", "answer", "read_back", "judged", "act"),
    *("approved", "reversed", "locked", "granted", "denied", "unknown"),
    "consent",
)


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
    app.jinja_env.filters.update(minor=minor, day=day, decimal=decimal, words_within=words_within)
    app.jinja_env.filters.update(percent=percent)
    app.jinja_env.globals.update(VERDICTS=VERDICTS, KINDS=KINDS, REASONS=list(_order_reasons()))
    app.jinja_env.globals["CARRIERS"] = [carrier.value for carrier in Carrier]


def _order_reasons() -> Iterator[tuple[str, str]]:
    """The reasons that an order may have, in words."""
    for reason, explanation in EXPLANATIONS.items():
        if explanation.verdict is not None:
            yield reason.value, explanation.happened


def translated(text: str) -> str:
    """A text of our tables, or a sentence that the line wrote, in the page's language; others stay."""
    if not text or str(get_locale()) == "en":
        return text
    told = str(gettext(text))
    return told if told != text else _sentences(text)


def _sentences(text: str) -> str:
    """Sentences with values, one after the other; from the first that nobody knows on they stay."""
    if told := _sentence(text):
        return told
    for end in (found.end() for found in _FULL_STOP.finditer(text)):
        head = text[: end - 1]
        known = str(gettext(head))
        if known == head:
            known = _sentence(head)
        if known:
            return f"{known} {translated(text[end:])}"
    return text


_FULL_STOP = re.compile(r"[.:?!] ")


def _sentence(text: str) -> str:
    """A sentence with values; "" for one that is not known."""
    found = recognised(text)
    if found is None:
        return ""
    pattern, values = found
    return str(gettext(pattern)) % {name: _told_value(kind(name), value) for name, value in values.items()}


def _told_value(kind: str, text: str) -> str:
    teller = _TELLERS.get(kind)
    return teller(text) if teller else text


def _told_amount(text: str) -> str:
    amount, currency = text.rsplit(" ", 1)
    return money(amount.replace(",", ""), currency)


def _told_total(text: str) -> str:
    """Orders with what they are worth: "41 orders, 3,120.50 EUR"."""
    orders, *amounts = text.split(", ")
    counted = int(orders.split(" ")[0].replace(",", ""))
    told = ngettext("%(num)s order", "%(num)s orders", counted)
    return ", ".join([told, *(_told_amount(amount) for amount in amounts)])


def _told_units(text: str) -> str:
    """What an action holds of an item: "2 for 20.00", or "none"."""
    if text == "none":
        return str(gettext("nothing"))
    quantity, _, amount = text.partition(" for ")
    return str(gettext("%(quantity)s for %(amount)s", quantity=quantity, amount=_told_number(amount)))


def _told_number(text: str) -> str:
    plain = text.replace(",", "")
    places = len(plain.partition(".")[2])
    return str(format_decimal(Decimal(plain), f"#,##0.{'0' * places}" if places else "#,##0"))


def _told_moment(text: str) -> str:
    written = "%Y-%m-%d %H:%M:%S" if text.count(":") == 2 else "%Y-%m-%d %H:%M"
    spelled = "%d %b %Y, %H:%M"
    value = datetime.strptime(text, spelled if "," in text else written).replace(tzinfo=UTC)
    return str(format_datetime(value, gettext("d MMM yyyy, HH:mm")))


_TELLERS: dict[str, Callable[[str], str]] = {
    "told": translated,
    "amount": _told_amount,
    "total": _told_total,
    "units": _told_units,
    "number": _told_number,
    "rate": lambda text: str(gettext("%(number)s %%", number=_told_number(text.rstrip("%")))),
    "day": lambda text: day(date.fromisoformat(text)),
    "moment": _told_moment,
}


def moment(value: datetime) -> str:
    """A moment as "20 Nov 2026, 12:00 UTC"."""
    return f"{format_datetime(value, gettext('d MMM yyyy, HH:mm'))} UTC"


def money(value: Decimal | str | None, currency: str) -> str:
    """An amount with its currency, as "1,234.50 EUR"."""
    return gettext("unknown") if value is None or value == "" else f"{figure(value, currency)} {currency}"


def minor(value: int, currency: str) -> str:
    """An amount in its currency's smallest unit, as "1,234.50 EUR"."""
    return money(of_minor(value, currency).amount, currency)


def day(value: date) -> str:
    """A day as "20 Nov 2026"."""
    return str(format_date(value, gettext("d MMM yyyy")))


def percent(value: float) -> str:
    """A share from 0 to 1 as "66.7 %"."""
    return f"{decimal(value * 100)}\N{NO-BREAK SPACE}%"


def figure(value: Decimal | str, currency: str) -> str:
    """An amount with at least the currency's decimals, as "1,234.50"; it is padded, never rounded."""
    amount = Decimal(value)
    places = max(exponent(currency), -int(amount.as_tuple().exponent))
    return str(format_decimal(amount, f"#,##0.{'0' * places}" if places else "#,##0"))


def words(slug: object) -> str:
    """A slug as a reader would say it."""
    return translated(in_english(str(slug)))


def in_english(slug: str) -> str:
    return WORDS.get(slug) or slug.replace("_", " ").replace("-", " ").capitalize()


def words_within(slug: object) -> str:
    """The same within a sentence, where English begins words small."""
    told = words(slug)
    return told.lower() if str(get_locale()) == "en" else told


def decimal(value: float) -> str:
    """A figure with one decimal, as "4.5"."""
    return str(format_decimal(value, "#,##0.0"))


def why(reason: str | None) -> Explanation | None:
    """What a reason means, or None for one that is not known here."""
    return EXPLANATIONS[Reason(reason)] if reason in set(Reason) else None


def actor(explanation: Explanation) -> str:
    return translated(ACTORS[explanation.actor])
