"""The pages of one store: its orders, one order's file, its settings. Behind either door, never without."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import structlog
from flask import Blueprint, abort, g, render_template, request
from flask_babel import gettext

from impact_app.domain.reasons import Verdict
from impact_app.ledger.stores import Credentials, Store
from impact_app.ledger.vault import Unreadable
from impact_app.transports.api.account import AccountCheck, check_account
from impact_app.web.access import LARGEST_ID, Visit, embedded_visit, here, password_visit, services
from impact_app.web.settings import ACCOUNT_FIELDS, SettingsForm, stored, submitted

log = structlog.get_logger()

#: The pages that every page links to, in order: the function's name and the title.
NAVIGATION = [("orders", "Orders"), ("settings", "Settings")]

#: Registered twice: as `store` under /stores/<id> and as `embedded` under /shopify.
pages = Blueprint("store", __name__)

PAGE_SIZE = 50
_FORM_LIMIT = 64 * 1024
_SEARCH_LIMIT = 100

_UNREADABLE = {"auth_token": "The stored token cannot be read any more. Enter it again."}
_REFUSED = {
    "account_sid": "Compare this with the account SID at impact.com.",
    "auth_token": "Enter the auth token once more, as it stands at impact.com.",
}


@dataclass(frozen=True)
class Notice:
    """What came of an action; `kind` is good, warning or bad."""

    kind: str
    sentence: str


@pages.url_value_preprocessor
def _take_store(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    g.store_id = values.pop("store_id", None) if values else None


@pages.url_defaults
def _keep_store(_endpoint: str, values: dict[str, Any]) -> None:
    """Links among these pages stay with the store and behind the door they are on."""
    visit = g.get("visit")
    if visit is None:
        return
    if visit.door == "password":
        values.setdefault("store_id", visit.store.id)
    for name, text in visit.link_values.items():
        values.setdefault(name, text)


@pages.before_request
def _prove() -> None:
    request.max_content_length = _FORM_LIMIT
    g.visit = embedded_visit() if g.store_id is None else password_visit(g.store_id)


@pages.get("/")
def home() -> str:
    """The orders, or first of all the settings while there are none."""
    return orders() if here().store.is_configured else settings()


@pages.get("/orders")
def orders() -> str:
    """The store's orders, newest first, by verdict or found by number, id or click."""
    store = here().store
    verdict = request.args.get("verdict", "")
    if verdict and verdict not in set(Verdict):
        abort(404, "There is no such verdict.")
    search = _plain(request.args.get("search", ""))
    found = services().orders.list(
        store.id,
        verdict=verdict or None,
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
    came_of_it = services().replay(store.id, order_key) if _plain(order_key) == order_key else None
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


@pages.get("/settings")
def settings() -> str:
    return _settings(stored(here().store), None)


@pages.post("/settings")
def save_settings() -> tuple[str, int]:
    """Try the credentials and save everything, or nothing and say why."""
    store = here().store
    form = submitted(request.form, store)
    if form.faults:
        return _not_saved(form, "Nothing was saved: correct what is marked.")
    try:
        credentials = _credentials(form, store)
    except Unreadable:
        form.faults.update(_UNREADABLE)
        return _not_saved(form, "Nothing was saved: the auth token is needed.")
    check = check_account(services().http, services().config.impact_api_url, credentials)
    if check.outcome == "refused":
        form.faults.update(_REFUSED)
        return _not_saved(form, f"{gettext('Nothing was saved.')} {check.sentence}")
    _save(store, form, check)
    g.visit = _seen_again()
    return _settings(stored(here().store), _saved(check)), 200


def _credentials(form: SettingsForm, store: Store) -> Credentials:
    """What was typed, with the stored token where none was. Raises `Unreadable`."""
    token = form.texts["auth_token"]
    if not token:
        known = services().stores.credentials(store.id)
        token = known.auth_token if known else ""
    return Credentials(form.texts["account_sid"], token)


def _save(store: Store, form: SettingsForm, check: AccountCheck) -> None:
    services().stores.save_settings(
        store.id,
        account_sid=form.texts["account_sid"],
        auth_token=form.texts["auth_token"] or None,
        campaign_id=form.texts["campaign_id"],
        event_type_id=form.texts["event_type_id"],
        rules=form.rules,
        by="settings page",
        now=services().clock(),
    )
    services().settings_saved(store.id)
    log.info("settings.saved", store=store.id, check=check.outcome)


def _saved(check: AccountCheck) -> Notice:
    next_step = gettext("Orders that wait are judged again now.")
    if check.outcome == "works":
        return Notice("good", f"{gettext('Saved.')} {check.sentence} {next_step}")
    return Notice("warning", f"{gettext('Saved, with a warning.')} {check.sentence} {next_step}")


def _not_saved(form: SettingsForm, sentence: str) -> tuple[str, int]:
    return _settings(form, Notice("bad", sentence)), 422


def _settings(form: SettingsForm, notice: Notice | None) -> str:
    return render_template(
        "settings.html", visit=here(), form=form, account_fields=ACCOUNT_FIELDS, notice=notice
    )


def _seen_again() -> Visit:
    """The same visit with the store as it is now."""
    visit = here()
    return replace(visit, store=services().stores.get(visit.store.id) or visit.store)


def _plain(text: str) -> str:
    """A search text as a database can take it."""
    return "".join(char for char in text.strip()[:_SEARCH_LIMIT] if char.isprintable())


def _before(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or int(text[:20]) > LARGEST_ID:
        abort(404, "There is no such page of the list.")
    return int(text)
