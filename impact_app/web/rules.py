"""The rules of a store in words: what a change would mean is shown first, and each save is kept."""

from __future__ import annotations

import structlog
from flask import abort, render_template, request
from flask_babel import gettext

from impact_app.domain.remap import Change, totals
from impact_app.domain.rules import read_rules
from impact_app.ledger.stores import Superseded
from impact_app.pipeline.remap import Selection
from impact_app.web.access import here, services
from impact_app.web.pages import Notice, pages
from impact_app.web.rules_form import RulesForm, in_words, label, seen_version, stored, submitted
from impact_app.web.saving import seen_again

log = structlog.get_logger()

#: How many of the newest orders are looked at to say what a change would mean.
LOOKED_AT = 50

OVERTAKEN = (
    "Nothing was saved: somebody saved other rules while this page was open. Where theirs differ from yours, "
    "they stand at the box. Save again to put yours in their place."
)

NOT_RESTORED = "Nothing was restored: somebody saved other rules while this page was open. These are theirs."

#: Versions shown; older ones are kept all the same.
_VERSIONS = 20


@pages.get("/rules")
def rules() -> str:
    """The rules in force, and the versions before them."""
    return _rules(stored(here().store.rules), None)


@pages.post("/rules")
def save_rules() -> tuple[str, int]:
    """Save the rules as a new version, or only show what they would change."""
    store = here().store
    form = submitted(request.form, store.rules)
    if form.faults:
        return _rules(form, Notice("bad", "Nothing was saved: correct what is marked.")), 422
    if "preview" in request.form:
        return _rules(form, None, _foreseen(form)), 200
    try:
        services().stores.save_rules(
            store.id, form.rules, by=here().who, now=services().clock(), instead_of=form.version
        )
    except Superseded:
        return _overtaken(form), 409
    return _saved("Saved. Orders that wait are judged again now."), 200


def _overtaken(form: RulesForm) -> str:
    """Nothing was saved, because somebody else saved first; what was typed stays, and may be saved now."""
    seen_again()
    store = here().store
    theirs = stored(store.rules)
    form.version = store.rules_version
    for name, text in theirs.texts.items():
        if text != form.texts[name]:
            form.faults[f"rule.{name}"] = gettext("Saved meanwhile: %(text)s", text=label(name, text))
    return _rules(form, Notice("bad", OVERTAKEN))


@pages.post("/rules/<int:version>")
def restore_rules(version: int) -> tuple[str, int]:
    """Make an earlier version the newest again."""
    store = here().store
    try:
        services().stores.restore_rules(
            store.id, version, here().who, now=services().clock(), instead_of=seen_version(request.form)
        )
    except LookupError:
        abort(404, "There is no such version of the rules.")
    except Superseded:
        seen_again()
        return _rules(stored(here().store.rules), Notice("bad", NOT_RESTORED)), 409
    return _saved("Restored. Orders that wait are judged again now."), 200


def _saved(sentence: str) -> str:
    store = here().store
    services().settings_saved(store.id)
    log.info("rules.saved", store=store.id)
    seen_again()
    return _rules(stored(here().store.rules), Notice("good", sentence))


def _foreseen(form: RulesForm) -> list[Change]:
    """What these rules would make of the newest orders; nothing is written."""
    remapper = services().remapper
    everything = remapper.selection()
    newest = Selection(everything.since, everything.until, newest=LOOKED_AT)
    return list(remapper.foresee(here().store, read_rules(form.rules), newest))


def _rules(form: RulesForm, notice: Notice | None, changes: list[Change] | None = None) -> str:
    versions = services().stores.rule_versions(here().store.id)
    return render_template(
        "rules.html",
        visit=here(),
        form=form,
        notice=notice,
        changes=changes,
        totals=totals(changes or ()),
        looked_at=LOOKED_AT,
        versions=versions[:_VERSIONS],
        version=form.version or here().store.rules_version,
        in_words=in_words,
    )
