"""The overview: today and the last thirty days in orders and money, each figure to be had as CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from flask import Response, abort, render_template, request
from flask_babel import gettext

from impact_app.domain.balance import Closing, Line, sheet
from impact_app.domain.money import of_minor
from impact_app.domain.overview import Overview, Total
from impact_app.domain.reasons import Verdict
from impact_app.ledger.overview import WAITS, Share
from impact_app.web.access import here, services
from impact_app.web.pages import pages
from impact_app.web.setup import setup
from impact_app.web.spreadsheet import spreadsheet
from impact_app.web.words import words

#: Days that the overview looks back on, today included.
SPAN = 30

Row = tuple[str | int, ...]

CLOSINGS = {
    Closing.CLOSES: "yes",
    Closing.OPEN: "no",
    Closing.RUNNING: "still running",
    Closing.UNCOUNTED: "not counted",
}


@dataclass(frozen=True)
class Bar:
    """One bar of a chart: its label, its number, and its length in hundredths of the longest.

    slug   what the label says in words, as the filter of orders takes it
    """

    slug: str
    label: str
    orders: int
    size: int
    money: dict[str, int]


@pages.get("/")
def home() -> str:
    """The overview, or first of all the set-up while it is not done."""
    return overview() if here().store.is_configured else setup()


@pages.get("/overview")
def overview() -> str:
    """What became of the store's orders."""
    store, (first, last) = here().store, _span()
    found = services().overviews.of(store.id, first, last)
    waits = services().overviews.waits(store.id)
    return render_template(
        "overview.html",
        visit=here(),
        overview=found,
        today=found.verdicts(last),
        month=found.verdicts(),
        columns=columns(found),
        sheet=_sheet(found),
        CLOSINGS=CLOSINGS,
        withheld=bars(
            (reason.value, words(reason), total) for reason, total in found.reasons(Verdict.WITHHELD)
        ),
        carriers=bars((carrier, words(carrier), total) for carrier, total in found.carriers()),
        partners=services().overviews.partners(store.id, first, last),
        codes=services().overviews.codes(store.id, first, last),
        waits=bars(("", name, Total(orders, {})) for name, orders in zip(wait_names(), waits, strict=True)),
    )


@pages.get("/overview.csv")
def overview_csv() -> Response:
    """One table of the overview as a file."""
    what = request.args.get("what", "")
    if what not in _TABLES:
        abort(404, "There is no such table.")
    header, rows = _TABLES[what]
    name = f"{what}-{services().clock().date()}.csv"
    return spreadsheet(name, header, list(rows(*_span())))


def _sheet(found: Overview) -> Sequence[Line]:
    there = services().reconciliations.counted(here().store.id, found.first, found.last)
    return sheet(found, there, services().clock().date())


def _span() -> tuple[date, date]:
    last = services().clock().date()
    return last - timedelta(days=SPAN - 1), last


def columns(found: Overview) -> list[tuple[date, list[tuple[Verdict, int, int]]]]:
    """Each day's orders by verdict, with lengths in hundredths of the busiest day."""
    days = found.days()
    most = max((sum(counts.values()) for _, counts in days), default=0)
    return [
        (day, [(verdict, orders, _size(orders, most)) for verdict, orders in counts.items()])
        for day, counts in days
    ]


def bars(totals: Iterable[tuple[str, str, Total]]) -> list[Bar]:
    """Bars in the given order, of slugs with their labels."""
    listed = list(totals)
    most = max((total.orders for _, _, total in listed), default=0)
    return [
        Bar(slug, label, total.orders, _size(total.orders, most), dict(total.money))
        for slug, label, total in listed
    ]


def _size(orders: int, most: int) -> int:
    """Hundredths of the longest; something is never drawn as nothing."""
    return max(1, round(100 * orders / most)) if orders else 0


def wait_names() -> list[str]:
    """The classes of waiting time in words."""
    return [
        gettext("Within a minute"),
        gettext("Within 5 minutes"),
        gettext("Within an hour"),
        gettext("Within a day"),
        gettext("Later"),
    ]


def _days(first: date, last: date) -> Iterator[Row]:
    for one in services().overviews.of(here().store.id, first, last).counts:
        money = f"{of_minor(one.net_minor, one.currency).amount:f}"
        carrier = one.carrier or ""
        yield (
            one.day.isoformat(),
            one.verdict.value,
            one.reason.value,
            carrier,
            one.orders,
            money,
            one.currency,
        )


def _balance(first: date, last: date) -> Iterator[Row]:
    """A row for each day and currency; a day without money has one without a currency."""
    for one in _sheet(services().overviews.of(here().store.id, first, last)):
        counts = (one.verdicts[verdict] for verdict in Verdict)
        difference = "" if one.difference is None else one.difference
        day = (one.day.isoformat(), one.paid, *counts, difference, one.closing.value)
        for currency, minor in one.money.items() or [("", 0)]:
            yield *day, f"{of_minor(minor, currency).amount:f}" if currency else "", currency


def _shares(found: Iterable[Share]) -> Iterator[Row]:
    for one in found:
        yield one.name, one.orders, f"{of_minor(one.net_minor, one.currency).amount:f}", one.currency


def _partners(first: date, last: date) -> Iterator[Row]:
    return _shares(services().overviews.partners(here().store.id, first, last, limit=10_000))


def _codes(first: date, last: date) -> Iterator[Row]:
    return _shares(services().overviews.codes(here().store.id, first, last, limit=10_000))


def _waits(_first: date, _last: date) -> Iterator[Row]:
    named = [*(f"<= {seconds} s" for seconds in WAITS), f"> {WAITS[-1]} s"]
    yield from zip(named, services().overviews.waits(here().store.id), strict=True)


_MONEY = ("orders", "net", "currency")
_CLOSING = ("difference", "closes", "paid_net", "currency")
_TABLES: dict[str, tuple[Row, Callable[[date, date], Iterator[Row]]]] = {
    "days": (("day", "verdict", "reason", "carrier", *_MONEY), _days),
    "balance": (("day", "paid", *(verdict.value for verdict in Verdict), *_CLOSING), _balance),
    "partners": (("partner", *_MONEY), _partners),
    "codes": (("promo_code", *_MONEY), _codes),
    "waits": (("accepted_after", "orders"), _waits),
}
