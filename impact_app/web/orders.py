"""The orders of a store as a list, and one order's page."""

from __future__ import annotations

import structlog
from flask import abort, render_template, request

from impact_app.domain.reasons import Reason, Verdict
from impact_app.web.access import LARGEST_ID, here, services
from impact_app.web.pages import Notice, pages

log = structlog.get_logger()

PAGE_SIZE = 50
_SEARCH_LIMIT = 100


@pages.get("/orders")
def orders() -> str:
    """The store's orders, newest first, by verdict or found by number, id or click."""
    store = here().store
    verdict = request.args.get("verdict", "")
    if verdict and verdict not in set(Verdict):
        abort(404, "There is no such verdict.")
    reason = request.args.get("reason", "")
    if reason and reason not in set(Reason):
        abort(404, "There is no such reason.")
    search = _plain(request.args.get("search", ""))
    found = services().orders.list(
        store.id,
        verdict=verdict or None,
        reason=reason or None,
        search=search or None,
        limit=PAGE_SIZE + 1,
        before_id=_before(request.args.get("before", "")),
    )
    counts = services().orders.counts(store.id)
    return render_template(
        "orders.html",
        visit=here(),
        rows=found[:PAGE_SIZE],
        has_more=len(found) > PAGE_SIZE,
        counts=counts,
        all_orders=sum(counts.values()),
        verdict=verdict,
        reason=reason,
        search=search,
        is_first="before" not in request.args,
    )


@pages.get("/orders/<order_key>")
def order(order_key: str) -> str:
    return _order(order_key, None)


@pages.post("/orders/<order_key>")
def replay(order_key: str) -> str:
    """Ask an order's question again, and show what came of it."""
    store = here().store
    came_of_it = (
        services().replay(store.id, order_key, here().who) if _plain(order_key) == order_key else None
    )
    if came_of_it is None:
        abort(404, "There is no such order in this store.")
    log.info("order.replayed", store=store.id)
    return _order(order_key, Notice("good", came_of_it))


def _order(order_key: str, notice: Notice | None) -> str:
    store = here().store
    file = services().orders.show(store.id, order_key) if _plain(order_key) == order_key else None
    if file is None:
        abort(404, "There is no such order in this store.")
    return render_template("order.html", visit=here(), file=file, notice=notice)


def _plain(text: str) -> str:
    """A search text as a database can take it."""
    return "".join(char for char in text.strip()[:_SEARCH_LIMIT] if char.isprintable())


def _before(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or int(text[:20]) > LARGEST_ID:
        abort(404, "There is no such page of the list.")
    return int(text)
