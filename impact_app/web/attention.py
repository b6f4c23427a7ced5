"""What needs a person, by cause; one click repairs a whole group."""

from __future__ import annotations

from flask import render_template, request
from flask_babel import ngettext

from impact_app.domain.attention import causes
from impact_app.web.access import here, services
from impact_app.web.pages import Notice, pages


@pages.get("/attention")
def attention() -> str:
    """The causes that hold up orders."""
    return _attention(None)


@pages.post("/attention")
def replay_group() -> tuple[str, int]:
    """Have all orders of one cause judged again, and sent even where they were refused."""
    store_id, wanted = here().store.id, request.form.get("cause", "")
    cause = next((one for one in causes(services().orders.held(store_id)) if one.key == wanted), None)
    if cause is None:
        return _attention(Notice("warning", "Nothing of this cause is left.")), 409
    asked = services().replay_group(store_id, cause.reason, cause.detail, here().who)
    if not asked:
        return _attention(Notice("plain", "These orders are being judged again already.")), 200
    told = ngettext(
        "%(num)s order is judged again in the background. It leaves this page unless the cause persists.",
        "%(num)s orders are judged again in the background. They leave this page unless the cause persists.",
        asked,
    )
    return _attention(Notice("good", told)), 200


def _attention(notice: Notice | None) -> str:
    found = causes(services().orders.held(here().store.id))
    return render_template("attention.html", visit=here(), causes=found, notice=notice)
