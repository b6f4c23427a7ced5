"""What needs a person, by cause; one click repairs a whole group."""

from __future__ import annotations

from flask import abort, render_template, request
from flask_babel import ngettext

from impact_app.domain.attention import causes
from impact_app.domain.reasons import Reason
from impact_app.web.access import here, services
from impact_app.web.pages import Notice, pages


@pages.get("/attention")
def attention() -> str:
    """The causes that hold up orders."""
    return _attention(None)


@pages.post("/attention")
def replay_group() -> str:
    """Have all orders of one cause judged again, and sent even where they were refused."""
    reason = request.form.get("reason", "")
    if reason not in set(Reason):
        abort(404, "There is no such cause.")
    detail = None if "any_detail" in request.form else request.form.get("detail", "")
    asked = services().replay_group(here().store.id, Reason(reason), detail, here().who)
    if not asked:
        return _attention(Notice("warning", "Nothing of this cause is left."))
    told = ngettext("%(num)s order is judged again now.", "%(num)s orders are judged again now.", asked)
    return _attention(Notice("good", told))


def _attention(notice: Notice | None) -> str:
    found = causes(services().orders.held(here().store.id))
    return render_template("attention.html", visit=here(), causes=found, notice=notice)
