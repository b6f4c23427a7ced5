"""The orders of a store as a list, one order's page, and what is done with an order by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import cast

import structlog
from flask import Response, abort, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from impact_app.domain.reasons import EXPLANATIONS, Reason
from impact_app.ledger.acts import Act
from impact_app.ledger.orders import OrderFile, OrderSummary
from impact_app.pipeline.by_hand import Refused
from impact_app.web.access import LARGEST_ID, here, page_address, services
from impact_app.web.arithmetic import items
from impact_app.web.help import FILTER_FIELDS
from impact_app.web.orders_filter import FilterForm, asked, plain
from impact_app.web.pages import Notice, pages
from impact_app.web.spreadsheet import spreadsheet
from impact_app.web.timeline import timeline
from impact_app.web.words import VERDICTS, translated

log = structlog.get_logger()

PAGE_SIZE = 50

#: Rows fetched at a time for a file, which may be as long as the store has orders.
_FILE_PAGE = 500


@dataclass(frozen=True)
class Doing:
    """What can be done with an order by hand, as the page asks for it."""

    title: str
    question: str
    button: str
    done: str


#: By the act's slug.
DOINGS: dict[str, Doing] = {
    Act.REPLAY: Doing(
        "Replay",
        "The order is judged again, what was decided about it by hand is undone, and what impact.com refused "
        "or could not be reached for is sent again.",
        "Judge it again",
        "The order was judged again.",
    ),
    Act.RESEND: Doing(
        "Send again",
        "The conversion that impact.com accepted is sent once more, word for word. One that impact.com still "
        "has is not booked twice.",
        "Send it again",
        "The conversion is sent once more now.",
    ),
    Act.TAKE_BACK: Doing(
        "Take back",
        "What impact.com holds of this order is reversed: no partner is paid for it. Until the action locks, "
        "a replay brings it back.",
        "Take it back",
        "The order is taken back at impact.com now.",
    ),
    Act.IGNORE: Doing(
        "Ignore",
        "The order is not reported, whatever becomes of it. A replay undoes that.",
        "Do not report it",
        "The order is not reported.",
    ),
}


@pages.get("/orders")
def orders() -> tuple[str, int]:
    """The store's orders, newest first, as far as they are wanted."""
    form = asked(request.args)
    found = [] if form.faults else _page_of(form)
    counts = services().orders.counts(here().store.id)
    page = render_template(
        "orders.html",
        visit=here(),
        rows=sorted(found[:PAGE_SIZE], key=lambda one: (one.placed_at, one.id), reverse=True),
        after=_after(found[PAGE_SIZE - 1]) if len(found) > PAGE_SIZE else "",
        counts=counts,
        all_orders=sum(counts.values()),
        partners=services().orders.partners(here().store.id),
        form=form,
        fields={one.name: one for one in FILTER_FIELDS},
        given=form.texts,
        is_first="before" not in request.args,
    )
    return page, 400 if form.faults else 200


def _page_of(form: FilterForm) -> list[OrderSummary]:
    """The orders of one page, and one more if there is a next page."""
    before = _before(request.args.get("before", ""))
    return services().orders.list(here().store.id, form.wanted, limit=PAGE_SIZE + 1, before=before)


@pages.get("/orders.csv")
def orders_csv() -> Response:
    """The wanted orders as a file, all of them."""
    form, store_id = asked(request.args), here().store.id
    for fault in form.faults.values():
        abort(400, fault)
    listed = services().orders
    name = f"orders-{services().clock().date()}.csv"

    def rows() -> Iterator[tuple[str, ...]]:
        before = None
        while page := listed.list(store_id, form.wanted, limit=_FILE_PAGE, before=before):
            yield from map(_cells, page)
            before = (page[-1].placed_on, page[-1].id)

    return spreadsheet(name, _COLUMNS, rows())


@pages.get("/orders/<order_key>")
def order(order_key: str) -> str:
    """Everything about one order, and why it was or was not reported."""
    done = DOINGS.get(request.args.get("done", ""))
    return _order(order_key, Notice("good", done.done) if done else None)


@pages.get("/orders/<order_key>/verdict")
def verdict(order_key: str) -> str:
    """What became of one order, small enough for a frame beside the platform's own order."""
    return render_template("verdict.html", visit=here(), file=_file_of(order_key))


@pages.get("/orders/<order_key>/verdict.json")
def verdict_json(order_key: str) -> Response:
    """What became of one order, for the block on Shopify's page of it."""
    file = _file_of(order_key)
    meaning, booked = EXPLANATIONS[file.summary.reason], file.read_back
    page = url_for(".order", order_key=order_key, **dict.fromkeys(here().link_values))
    return jsonify(
        verdict=file.summary.verdict.value,
        title=translated(VERDICTS[file.summary.verdict]),
        reason=file.summary.reason.value,
        sentence=translated(meaning.happened),
        next=translated(meaning.next),
        partner=booked.partner_name if booked else None,
        path=page,
        url=page_address(here(), page),
    )


@pages.get("/orders/<order_key>/<act>")
def ask(order_key: str, act: str) -> str:
    """Say what an act would do, and ask whether to."""
    file = _file_of(order_key)
    if act not in DOINGS:
        abort(404, "There is no such order in this store.")
    return render_template(
        "ask.html",
        visit=here(),
        order=file.summary,
        act=act,
        doing=DOINGS[act],
        seen=services().acts.newest(here().store.id, order_key),
    )


@pages.post("/orders/<order_key>/<act>")
def do(order_key: str, act: str) -> tuple[str, int] | BaseResponse:
    """Carry out an act, and show what came of it."""
    if act not in DOINGS or plain(order_key) != order_key:
        abort(404, "There is no such order in this store.")
    store_id, by = here().store.id, here().who
    act_of = cast(Callable[..., bool], getattr(services().by_hand, act))
    try:
        if not act_of(store_id, order_key, by, seen=_seen()):
            abort(404, "There is no such order in this store.")
    except Refused as refusal:
        return _order(order_key, Notice("bad", str(refusal))), 409
    services().wake.soon("deliver")
    log.info("order.acted_on", store=store_id, act=act)
    return redirect(url_for(".order", order_key=order_key, done=act), 303)


def _seen() -> int | None:
    """The newest act that whoever asks has seen; None where the form does not say."""
    text = request.form.get("seen", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _file_of(order_key: str) -> OrderFile:
    file = services().orders.show(here().store.id, order_key) if plain(order_key) == order_key else None
    if file is None:
        abort(404, "There is no such order in this store.")
    return file


def _order(order_key: str, notice: Notice | None) -> str:
    file = _file_of(order_key)
    done = services().acts.of_order(here().store.id, order_key)
    return render_template(
        "order.html",
        visit=here(),
        file=file,
        notice=notice,
        doings={act: DOINGS[act] for act in _possible(file)},
        items=items(file.evidence),
        events=timeline(file, done),
    )


def _possible(file: OrderFile) -> Iterator[str]:
    """The acts that make sense for an order as it stands; what has changed meanwhile refuses them later."""
    standing = [one for one in file.conversions if not one.reported.is_reversed]
    yield Act.REPLAY
    if standing and standing[0].part == 1 and not standing[0].changes and not standing[0].read_back.action_id:
        yield Act.RESEND
    if standing:
        yield Act.TAKE_BACK
    if not file.conversions and file.summary.reason is not Reason.IGNORED:
        yield Act.IGNORE


def _after(row: OrderSummary) -> str:
    """Where the list goes on after a row."""
    return f"{row.placed_on:%Y%m%d}-{row.id}"


def _before(text: str) -> tuple[date, int] | None:
    if not text:
        return None
    day, _, row_id = text.partition("-")
    is_shaped = text.isascii() and day.isdigit() and len(day) == 8 and row_id.isdigit()
    try:
        if is_shaped and int(row_id[:20]) <= LARGEST_ID:
            return date.fromisoformat(day), int(row_id)
    except ValueError:
        pass
    abort(404, "There is no such page of the list.")


_COLUMNS = (
    "order",
    "platform_id",
    "placed_at",
    "verdict",
    "reason",
    "explanation",
    "carrier",
    "click_id",
    "promo_code",
    "partner",
    "net",
    "currency",
)


def _cells(one: OrderSummary) -> tuple[str, ...]:
    told = EXPLANATIONS[one.reason].happened
    return (
        one.number,
        one.order_key,
        one.placed_at.isoformat(),
        one.verdict.value,
        one.reason.value,
        f"{told} {one.detail}".strip(),
        one.carrier or "",
        one.click_id or "",
        one.promo_code or "",
        one.partner_name or "",
        "" if one.net is None else f"{one.net:f}",
        one.currency,
    )
