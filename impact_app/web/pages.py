"""What all pages of a store share: the doors they are behind, their addresses, and what they link to.

Each page stands in a file of its own and adds its routes to `pages`; `web/__init__.py` names them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort, g, request

from impact_app.ledger.stores import Store
from impact_app.web.access import Visit, embedded_visit, is_reading, password_visit
from impact_app.web.dashboard import dashboard_visit

#: Registered three times: `store` under /stores/<id>, `embedded` under /shopify, `dashboard` under /saleor.
pages = Blueprint("store", __name__)

#: The pages that every page links to, in order: the function's name and the title.
NAVIGATION = [
    ("overview", "Overview"),
    ("orders", "Orders"),
    ("attention", "Attention"),
    ("alerts", "Alerts"),
    ("rules", "Rules"),
    ("settings", "Settings"),
    ("setup", "Setup"),
]

#: What may be sent by whoever sees orders; anything else that changes something is configuration.
ACTS_ON_ORDERS = ("do", "replay_group")

_FORM_LIMIT = 64 * 1024


def navigation(store: Store) -> list[tuple[str, str]]:
    """The pages as this store needs them: the set-up comes first until the store can be reported for."""
    return NAVIGATION if store.is_configured else [NAVIGATION[-1], *NAVIGATION[:-1]]


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
    g.visit = _visit()
    name = (request.endpoint or "").rpartition(".")[2]
    if not is_reading() and not g.visit.may_configure and name not in ACTS_ON_ORDERS:
        abort(
            403,
            "Your account may see orders. Changing settings takes the permission to manage apps.",
        )


def _visit() -> Visit:
    if g.store_id is not None:
        return password_visit(g.store_id)
    return dashboard_visit() if request.blueprint == "dashboard" else embedded_visit()
