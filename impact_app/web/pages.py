"""What all pages of a store share: the doors they are behind, their addresses, and what they link to.

Each page stands in a file of its own and adds its routes to `pages`; `web/__init__.py` names them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, g, request

from impact_app.web.access import embedded_visit, password_visit

#: Registered twice: as `store` under /stores/<id> and as `embedded` under /shopify.
pages = Blueprint("store", __name__)

#: The pages that every page links to, in order: the function's name and the title.
NAVIGATION = [
    ("overview", "Overview"),
    ("orders", "Orders"),
    ("attention", "Attention"),
    ("rules", "Rules"),
    ("settings", "Settings"),
]

_FORM_LIMIT = 64 * 1024


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
