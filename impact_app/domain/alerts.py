"""What a person is told of without having to look: the causes, and when each begins and ends.

Facts come in, a `Standing` for each cause and subject goes out: it is `Raised`, it is `Calm`, or it is left
as it is, where the facts do not suffice or lie between the two bars. That gap, and the time for which a cause
must be calm before it counts as over, keep an alert from going on and off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import sqrt

from impact_app.domain.attention import Held
from impact_app.domain.balance import Balance
from impact_app.domain.embed import Embed
from impact_app.domain.money import of_minor
from impact_app.domain.overview import Capture, Overview, Total
from impact_app.domain.reasons import EXPLANATIONS, Reason


class Cause(StrEnum):
    """What an alert is about."""

    CREDENTIALS = "credentials_refused"
    CAPTURE = "capture_fell"
    EMBED = "embed_off"
    PIXEL = "pixel_off"
    BALANCE = "balance_open"
    DRIFT = "drift"
    AGE_LIMIT = "age_limit"
    LOCKING = "locking_near"
    SILENCE = "silence"
    ATTENTION = "attention"


@dataclass(frozen=True, slots=True)
class Meaning:
    """A cause in words.

    meaning  what it does to the money
    act      what is to be done
    actor    who does it, as in `reasons.Explanation`
    ends     when it counts as over
    calm     for how long it must have looked well until then
    """

    title: str
    meaning: str
    act: str
    actor: str
    ends: str
    calm: timedelta = timedelta(0)


CAUSES: dict[Cause, Meaning] = {
    Cause.CREDENTIALS: Meaning(
        "impact.com refuses the account",
        "Nothing of this account is reported meanwhile, so no partner is credited with these orders.",
        "Enter working credentials in the settings; everything that waits is sent then.",
        "merchant",
        "It is over once the account has been taken again for an hour.",
        timedelta(hours=1),
    ),
    Cause.CAPTURE: Meaning(
        "Fewer orders carry a click than usual",
        "Orders that a partner brought, and that carry no click, are not credited to the partner.",
        "Look whether the app embed is on and the theme, the cart or the consent banner changed lately.",
        "merchant",
        "It is over once the share of orders with a click is near its usual value again.",
    ),
    Cause.EMBED: Meaning(
        "The app embed is switched off",
        "No click is kept in the storefront, so orders that a partner brings are not credited.",
        "Switch the embed on in the theme editor, under App embeds, and save.",
        "merchant",
        "It is over once the embed is on.",
    ),
    Cause.PIXEL: Meaning(
        "The web pixel is not connected",
        "Clicks of express checkouts are lost, where the cart cannot carry them.",
        "Open the settings and connect the pixel.",
        "merchant",
        "It is over once the pixel is connected.",
    ),
    Cause.BALANCE: Meaning(
        "The daily balance does not close",
        "What the store sold is not all accounted for as reported, withheld or waiting.",
        "Look at the orders that the balance names, and replay them.",
        "operator",
        "It is over once the balance closes.",
    ),
    Cause.DRIFT: Meaning(
        "impact.com holds other amounts than were reported",
        "Partners are paid on other amounts than the orders are worth.",
        "Look at the orders named; what can still be changed is repaired by itself.",
        "merchant",
        "It is over once the amounts agree.",
    ),
    Cause.AGE_LIMIT: Meaning(
        "Orders are about to become too old to be reported",
        "impact.com takes no order older than 88 days; after that nobody can be credited with it.",
        "Open Attention, and repair what holds them up.",
        "merchant",
        "It is over once no such order is within ten days of the limit: sent, or past it.",
    ),
    Cause.LOCKING: Meaning(
        "Orders are about to be locked with a change that was not sent",
        "Once an action is locked its amount is paid out, whatever was refunded.",
        "Open Attention, and repair what holds the change up.",
        "merchant",
        "It is over once no such order is within five days of its locking date: sent, or locked.",
    ),
    Cause.SILENCE: Meaning(
        "The store has sent nothing for unusually long",
        "Orders that were placed meanwhile are not known here, and are reported late.",
        "Look in the store's admin for new orders. If there are any, open the app there once, so that the "
        "webhooks are set up again.",
        "operator",
        "It is over as soon as something arrives.",
    ),
    Cause.ATTENTION: Meaning(
        "Orders need attention",
        "They are not reported, or not as they are now, until somebody acts.",
        "Open Attention; each cause has its repair there.",
        "merchant",
        "It is over once none has needed attention for this reason for an hour.",
        timedelta(hours=1),
    ),
}


@dataclass(frozen=True, slots=True)
class Raised:
    """The cause holds. `money`: the orders and amounts that it is about, or "" where none can be told."""

    cause: Cause
    subject: str
    words: str
    money: str


@dataclass(frozen=True, slots=True)
class Calm:
    """The cause does not hold (any more)."""

    cause: Cause
    subject: str = ""


#: None: the facts do not suffice, or lie between the bars; whatever was said last goes on.
Standing = Raised | Calm | None


def told(total: Total) -> str:
    """Orders and what they are worth, as "41 orders, 3,120.50 EUR"."""
    return ", ".join((counted(total.orders), *amounts(total.money)))


def counted(orders: int) -> str:
    """A number of orders, as "1 order" or "2,041 orders"."""
    return f"{orders:,} order" if orders == 1 else f"{orders:,} orders"


def amounts(money: Mapping[str, int]) -> list[str]:
    """Amounts from smallest units, as "3,120.50 EUR"; nothing is left out but zeros."""
    return [f"{of_minor(units, currency).amount:,f} {currency}" for currency, units in money.items() if units]


# Credentials


def credentials(account_sid: str, held: Reason | None, waiting: Total) -> Standing:
    """Whether impact.com refuses an account: `held` says why, None that it does not."""
    if held is None:
        return Calm(Cause.CREDENTIALS, account_sid)
    why = EXPLANATIONS[held].happened
    return Raised(Cause.CREDENTIALS, account_sid, f"{told(waiting)} wait. {why}", told(waiting))


# Capture rate


#: The days that are held against the usual ones, today included.
RECENT_DAYS = 3
#: The days before those.
USUAL_DAYS = 28
_FEWEST_RECENT, _FEWEST_USUAL = 50, 200
_FELL_BY, _BACK_WITHIN = 0.30, 0.15
_SURPRISE = 4.0


def capture(recent: Overview, usual: Overview) -> Standing:
    """Whether the share of orders with a click has fallen.

    The orders of the last three days that a visit could have brought, at least 50, are held against those of
    the 28 days before, at least 200, by a one-sided test of two proportions with the pooled variance. It is
    raised where z is at least 4 (once in 30,000 looks by chance, since we look each hour) and the share is
    down by 30 % or more of itself: enough to matter, not only to be seen. It is calm once the share is within
    15 % of the usual one. The usual share is that of the time before the alert, so that an alert that lasts
    does not make the low share the usual one. What is missing is estimated: the clicks that the usual share
    would have brought, at the mean value of an order with a click.
    """
    now, before = recent.capture, usual.capture
    if now.rate is None or before.rate is None:
        return None
    if now.visits < _FEWEST_RECENT or before.visits < _FEWEST_USUAL or not before.with_click:
        return None
    lost = 1 - now.rate / before.rate
    if lost <= _BACK_WITHIN:
        return Calm(Cause.CAPTURE)
    pooled = (now.with_click + before.with_click) / (now.visits + before.visits)
    spread = sqrt(pooled * (1 - pooled) * (1 / now.visits + 1 / before.visits))
    if lost < _FELL_BY or (before.rate - now.rate) < _SURPRISE * spread:
        return None
    missing = Total(*_missing(round((before.rate - now.rate) * now.visits), usual))
    words = (
        f"Of the last {RECENT_DAYS} days' orders {now.rate:.1%} carry a click; usually {before.rate:.1%} do. "
        f"About {told(missing)} would have carried one and do not."
    )
    return Raised(Cause.CAPTURE, "", words, f"about {told(missing)}")


def _missing(clicks: int, usual: Overview) -> tuple[int, dict[str, int]]:
    """So many orders at the usual mean value, in each currency's usual part of them."""
    with_click = [one for one in usual.counts if one.carrier]
    orders = sum(one.orders for one in with_click)
    money: dict[str, int] = {}
    for one in with_click:
        money[one.currency] = money.get(one.currency, 0) + one.net_minor
    return clicks, {currency: units * clicks // orders for currency, units in sorted(money.items())}


# The storefront's two switches


def pixel(is_on: bool | None, lately: Total) -> Standing:
    """Whether the web pixel is connected, None where that is not known.

    `lately`: the orders of seven days that carry a click.
    """
    if is_on is None:
        return None
    if is_on:
        return Calm(Cause.PIXEL)
    words = f"In the last 7 days {told(lately)} came with a click; some of these would not be credited now."
    return Raised(Cause.PIXEL, "", words, told(lately))


def embed(known: Embed, since: Total, capture: Capture, usual: Overview) -> Standing:
    """Whether the app embed is on, and what it costs while it is off.

    since    the orders that came without a click since it went off, of those that a visit could have brought
    capture  all of those, and how many carry a click
    usual    the 28 days before
    What is missing is estimated as for a fallen capture rate.
    """
    if known.is_on is None or known.changed_at is None:
        return None
    if known.is_on:
        return Calm(Cause.EMBED)
    came = f"{told(since)} came without a click since." if since.orders else "No order came since."
    words = f"Known to be off since {known.changed_at:%d %b %Y, %H:%M} UTC. {came}"
    rate = usual.capture.rate
    if not rate:
        return Raised(Cause.EMBED, "", words, told(since) if since.orders else "")
    clicks = max(0, round(rate * capture.visits) - capture.with_click)
    missing = Total(*_missing(clicks, usual))
    words += f" Usually {rate:.1%} of the orders carry one"
    words += f": about {told(missing)} are not credited." if clicks else "; those will not be credited."
    return Raised(Cause.EMBED, "", words, f"about {told(missing)}" if clicks else "")


# The balance


def balance(one: Balance, known: Total) -> Standing:
    """Whether a day balances. What is missing is taken at the mean value of the orders that are `known`."""
    day = one.day.isoformat()
    if not one.remainder:
        return Calm(Cause.BALANCE, day)
    missing = abs(one.remainder)
    mean = {currency: units * missing // known.orders for currency, units in known.money.items()}
    words = f"On {day}: {counted(one.there)} at the store, {counted(one.here)} with a verdict here."
    return Raised(Cause.BALANCE, day, words, f"about {told(Total(missing, mean))}")


# Limits


def near(cause: Cause, raised_for: Total, not_calm_for: Total) -> Standing:
    """Whether orders are too close to a limit.

    Two bars: `raised_for` are those within the nearer one; it is calm once none is within the farther one.
    """
    if raised_for.orders:
        left = {Cause.AGE_LIMIT: "the 88 days end", Cause.LOCKING: "impact.com locks them"}[cause]
        days = LIMITS[cause][0].days
        return Raised(cause, "", f"{told(raised_for)}: {left} within {days} days.", told(raised_for))
    return None if not_calm_for.orders else Calm(cause)


#: How near an order may come: it is raised within the first, and calm once nothing is within the second.
LIMITS: dict[Cause, tuple[timedelta, timedelta]] = {
    Cause.AGE_LIMIT: (timedelta(days=7), timedelta(days=10)),
    Cause.LOCKING: (timedelta(days=3), timedelta(days=5)),
}


# Attention


#: What is told of under a cause of its own.
_TOLD_ELSEWHERE = {Reason.CREDENTIALS_REFUSED, Reason.NOT_ALLOWED}


def attention(held: Iterable[Held]) -> list[Raised]:
    """One for each reason for which orders wait for a person, however their details differ."""
    groups: dict[Reason, list[Held]] = {}
    for one in held:
        if one.reason not in _TOLD_ELSEWHERE:
            groups.setdefault(one.reason, []).append(one)
    return [_group(reason, group) for reason, group in sorted(groups.items())]


def of_reasons(held: Iterable[Held], reasons: set[Reason]) -> Total:
    """The orders that are held for one of these reasons."""
    return _together([one for one in held if one.reason in reasons])


def _group(reason: Reason, group: Sequence[Held]) -> Raised:
    waiting, explained = _together(group), EXPLANATIONS[reason]
    details = list(dict.fromkeys(one.detail for one in group if one.detail))
    named = f" ({details[0]})" if len(details) == 1 else ""
    wait = "waits" if waiting.orders == 1 else "wait"
    words = f"{told(waiting)} {wait}: {explained.happened}{named} {explained.next}"
    return Raised(Cause.ATTENTION, reason.value, words, told(waiting))


def _together(group: Sequence[Held]) -> Total:
    money: dict[str, int] = {}
    for one in group:
        money[one.currency] = money.get(one.currency, 0) + one.net_minor
    return Total(sum(one.orders for one in group), dict(sorted(money.items())))


# Silence


@dataclass(frozen=True, slots=True)
class Hour:
    """Orders placed within the hour that begins at `at` (UTC, full hour), with what they are worth."""

    at: datetime
    orders: int
    money: Mapping[str, int]


#: The weeks that a store's rhythm is learned from, and what a store must have to have one.
RHYTHM_WEEKS = 4
_RHYTHM_ORDERS = 50
_WEEK = timedelta(weeks=1)
_HOUR = timedelta(hours=1)
#: How far back the history goes: the weeks, and the neighbour of their first hour.
RHYTHM = RHYTHM_WEEKS * _WEEK + 2 * _HOUR
#: So many orders that usually come within a silence make it too long.
_EXPECTED = 12.0
#: A store with few orders: so many times its longest silence, and at least so long.
_LONGEST_TIMES, _LONGEST_LEAST = 2, timedelta(days=1)


def silence(
    history: Sequence[Hour], last: datetime | None, now: datetime, raised_at: datetime | None
) -> Standing:
    """Whether nothing has arrived for too long, given the store's rhythm.

    `history` are the hours with orders of the four weeks up to `last`, the moment at which something last
    arrived; None where nothing ever did. For each hour of the week the usual number of orders is the mean
    of that hour in the four weeks, the busiest left out so that one sale does not count as usual; or that of
    the hour and its two neighbours, whichever is less, so that a shop that closes sharply is not missed. The
    silence is too long once twelve orders would usually have come within it: were they independent, that
    happens by chance once in 160,000 times between two orders (e^-12), and a quiet night adds nothing. A
    store whose few orders take longer to add up to that has its silence held against the longest of those
    weeks: too long is twice that, and at least a day. A store whose orders go back less than three weeks,
    or with fewer than 50 of them, has no rhythm and is not alarmed. Whatever arrives after the alert was
    raised ends it; the next needs another silence.
    """
    if last is None:
        return None
    if raised_at is not None and last > raised_at:
        return Calm(Cause.SILENCE)
    orders = sum(one.orders for one in history)
    if orders < _RHYTHM_ORDERS or history[0].at > last - (RHYTHM_WEEKS - 1) * _WEEK:
        return None
    expected = _expected(history, last, now)
    is_long = expected >= _EXPECTED or now - last >= max(_LONGEST_TIMES * _longest(history), _LONGEST_LEAST)
    if not is_long:
        return None
    mean = {currency: units // orders for currency, units in _sums(history).items()}
    missed = max(1, round(expected))
    usual = Total(missed, {currency: units * missed for currency, units in mean.items()})
    words = (
        f"Nothing has arrived since {last:%d %b %Y, %H:%M} UTC. Usually about {told(usual)} would have come."
    )
    return Raised(Cause.SILENCE, "", words, f"about {told(usual)}")


def _expected(history: Sequence[Hour], last: datetime, now: datetime) -> float:
    """How many orders would usually have come between the two moments."""
    counts = {one.at: one.orders for one in history}
    expected, at = 0.0, _full(last)
    while at < now and expected < 1000:
        part = min(now, at + _HOUR) - max(last, at)
        expected += _usual(counts, at, last) * (part / _HOUR)
        at += _HOUR
    return expected


def _usual(counts: Mapping[datetime, int], hour: datetime, last: datetime) -> float:
    """The usual number of orders in an hour like this one: the weeks before, without the busiest."""
    while hour > last - _HOUR:
        hour -= _WEEK
    back = [hour - weeks * _WEEK for weeks in range(RHYTHM_WEEKS)]
    alone = [counts.get(at, 0) for at in back]
    around = [sum(counts.get(at + side * _HOUR, 0) for side in (-1, 0, 1)) / 3 for at in back]
    return min(_without_busiest(alone), _without_busiest(around))


def _without_busiest(weeks: Sequence[float]) -> float:
    return (sum(weeks) - max(weeks)) / (len(weeks) - 1)


def _longest(history: Sequence[Hour]) -> timedelta:
    """The longest time between two hours with orders."""
    later = history[1:]
    return max((after.at - one.at for one, after in zip(history, later, strict=False)), default=_WEEK)


def _sums(history: Iterable[Hour]) -> dict[str, int]:
    money: dict[str, int] = {}
    for one in history:
        for currency, units in one.money.items():
            money[currency] = money.get(currency, 0) + units
    return dict(sorted(money.items()))


def _full(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
