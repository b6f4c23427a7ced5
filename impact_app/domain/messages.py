"""Messages to people in words: an alert, its end, a digest, and a trial."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from html import escape

from impact_app.domain.alerts import CAUSES, Cause, told
from impact_app.domain.overview import Overview, Total
from impact_app.domain.reasons import Verdict


@dataclass(frozen=True, slots=True)
class Letter:
    """What a message says; `html` None: the text alone."""

    subject: str
    text: str
    html: str | None = None


class Digest(StrEnum):
    """How often a store's figures are sent."""

    NONE = "none"
    DAILY = "daily"
    WEEKLY = "weekly"


#: A digest is sent once this many hours of the next day have passed (UTC), so that late deliveries are in it.
DIGEST_HOUR = 6

#: A digest looks back so many days at most, however long nothing was sent.
_LONGEST = 7

ACTORS = {
    "nobody": "Nobody has to do anything.",
    "merchant": "It is for you to act.",
    "operator": "It is for whoever runs this app to act.",
    "developer": "It is for whoever builds the storefront to act.",
    "impact.com": "It is for impact.com to act.",
}

VERDICTS = {
    Verdict.REPORTED: "reported",
    Verdict.WAITING: "waiting",
    Verdict.WITHHELD: "not reported",
    Verdict.ATTENTION: "need attention",
}


def raised(shop: str, cause: Cause, said: Sequence[str], link: str) -> Letter:
    """An alert has begun; what is said of it, a sentence for each of its subjects."""
    meant = CAUSES[cause]
    act = f"{meant.act} {ACTORS[meant.actor]}"
    text = "\n".join([*said, "", meant.meaning, act, meant.ends, "", link, ""])
    return Letter(f"{shop}: {meant.title}", text)


def over(shop: str, cause: Cause, said: Sequence[str], link: str) -> Letter:
    """An alert is over; what was said of it, a sentence for each of its subjects."""
    text = "\n".join(["This is over:", *said, "", link, ""])
    return Letter(f"{shop}: over: {CAUSES[cause].title}", text)


def sentence(words: str, money: str) -> str:
    """What an alert says, with its money where the words do not tell it."""
    return words if not money or money in words else f"{words} ({money})"


def lasted(said: str, since: datetime, until: datetime) -> str:
    """The same of an alert that is over."""
    return f"{said} It began on {since:%d %b %Y, %H:%M} UTC and was over by {until:%d %b, %H:%M}."


def trial(shop: str, link: str) -> Letter:
    """A message that only shows that messages arrive."""
    return Letter(f"{shop}: test message", f"Alerts of {shop} arrive here.\n\n{link}\n")


# Digests


def span(digest: Digest, until: date | None, now: datetime) -> tuple[date, date] | None:
    """The first and last day that a digest is due for, None while none is.

    `until` is the last day that was told of. Weeks end on Sunday; all days are in UTC.
    """
    if digest is Digest.NONE:
        return None
    last = told_before(digest, now - timedelta(hours=DIGEST_HOUR))
    if until is not None and last <= until:
        return None
    longest = last - timedelta(days=_LONGEST - 1)
    if digest is Digest.WEEKLY or until is None:
        return (longest if digest is Digest.WEEKLY else last), last
    return max(longest, until + timedelta(days=1)), last


def told_before(digest: Digest, now: datetime) -> date:
    """The last whole day, or the Sunday of the last whole week, before a moment."""
    yesterday = now.date() - timedelta(days=1)
    return yesterday - timedelta(days=(yesterday.weekday() + 1) % 7) if digest is Digest.WEEKLY else yesterday


def digest(
    shop: str,
    found: Overview,
    partners: Iterable[tuple[str, Total]],
    alerts: Sequence[str],
    link: str,
) -> Letter:
    """The figures of some days: orders and money by verdict and by partner, and what alerts are open."""
    days = _days(found.first, found.last)
    sections = [
        ("Orders", [("all", told(found.all)), *_by_verdict(found)]),
        ("Partners", [(name, told(total)) for name, total in partners] or [("none", "")]),
        ("Open alerts", [(words, "") for words in alerts] or [("none", "")]),
    ]
    return Letter(f"{shop}: {days}", _text(days, sections, link), _html(f"{shop}, {days}", sections, link))


def _by_verdict(found: Overview) -> list[tuple[str, str]]:
    return [(VERDICTS[verdict], told(total)) for verdict, total in found.verdicts().items()]


_Sections = Sequence[tuple[str, Sequence[tuple[str, str]]]]


def _text(days: str, sections: _Sections, link: str) -> str:
    lines = [days]
    for title, rows in sections:
        lines += ["", title, *(f"  {name}: {told}" if told else f"  {name}" for name, told in rows)]
    return "\n".join([*lines, "", link, ""])


def _html(title: str, sections: _Sections, link: str) -> str:
    parts = [f"<h1>{escape(title)}</h1>"]
    for name, rows in sections:
        cells = "".join(
            f'<tr><td>{escape(of)}</td><td style="text-align:right">{escape(told)}</td></tr>'
            for of, told in rows
        )
        parts.append(f'<h2>{escape(name)}</h2><table cellpadding="4">{cells}</table>')
    parts.append(f'<p><a href="{escape(link)}">{escape(link)}</a></p>')
    return f'<!doctype html><html lang="en"><body>{"".join(parts)}</body></html>'


def _days(first: date, last: date) -> str:
    return f"{last:%d %b %Y}" if first == last else f"{first:%d %b} to {last:%d %b %Y}"
