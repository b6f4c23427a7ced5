"""The settings page: credentials are tried when they are saved, and everything is saved or nothing."""

from __future__ import annotations

from dataclasses import replace

import structlog
from flask import g, render_template, request
from flask_babel import gettext

from impact_app.domain.programs import AccountCheck
from impact_app.ledger.stores import Credentials, Store
from impact_app.ledger.vault import Unreadable
from impact_app.stores.shopify.storefront import EMBED
from impact_app.transports.api.account import check_account
from impact_app.web.access import here, services
from impact_app.web.pages import Notice, pages
from impact_app.web.settings import ACCOUNT_FIELDS, SettingsForm, stored, submitted
from impact_app.web.words import translated

log = structlog.get_logger()

#: What stands at the boxes.
UNREADABLE = {"auth_token": "The stored token cannot be read any more. Enter it again."}
REFUSED = {
    "account_sid": "Compare this with the account SID at impact.com.",
    "auth_token": "Enter the auth token once more, as it stands at impact.com.",
}


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
        form.faults.update(UNREADABLE)
        return _not_saved(form, "Nothing was saved: the auth token is needed.")
    check = check_account(services().http, services().config.impact_api_url, credentials)
    if check.outcome == "refused":
        form.faults.update(REFUSED)
        told = " ".join([gettext("Nothing was saved."), translated(check.sentence)])
        return _not_saved(form, told)
    _save(store, form, check)
    seen_again()
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
        by=here().who,
        now=services().clock(),
    )
    services().settings_saved(store.id)
    log.info("settings.saved", store=store.id, check=check.outcome)


def _saved(check: AccountCheck) -> Notice:
    works = check.outcome == "works"
    saved = gettext("Saved.") if works else gettext("Saved, with a warning.")
    next_step = gettext("Orders that wait are judged again now.")
    told = " ".join([saved, translated(check.sentence), next_step])
    return Notice("good" if works else "warning", told)


def _not_saved(form: SettingsForm, sentence: str) -> tuple[str, int]:
    return _settings(form, Notice("bad", sentence)), 422


def _settings(form: SettingsForm, notice: Notice | None) -> str:
    shopify = services().config.shopify if here().store.platform == "shopify" else None
    return render_template(
        "settings.html",
        visit=here(),
        form=form,
        account_fields=ACCOUNT_FIELDS,
        notice=notice,
        api_key=shopify.api_key if shopify else "",
        embed=EMBED,
    )


def seen_again() -> None:
    """Have the rest of this request see the store as it is now."""
    visit = here()
    g.visit = replace(visit, store=services().stores.get(visit.store.id) or visit.store)
