"""The one way in which a page saves the account at impact.com: tried, then saved whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import structlog
from flask import g
from flask_babel import gettext

from impact_app.domain.programs import AccountCheck
from impact_app.ledger.stores import Credentials, Store
from impact_app.ledger.vault import Unreadable
from impact_app.transports.api.account import check_account
from impact_app.web.access import here, services
from impact_app.web.pages import Notice
from impact_app.web.settings import CREDENTIALS, SettingsForm, submitted
from impact_app.web.words import translated

log = structlog.get_logger()

#: What stands at the boxes.
UNREADABLE = {"auth_token": "The stored token cannot be read any more. Enter it again."}
REFUSED = {
    "account_sid": "Compare this with the account SID at impact.com.",
    "auth_token": "Enter the auth token once more, as it stands at impact.com.",
}


@dataclass(frozen=True)
class Saving:
    """What came of it; `form` stands as it was sent where nothing was saved."""

    form: SettingsForm
    notice: Notice
    is_saved: bool

    @property
    def status(self) -> int:
        return 200 if self.is_saved else 422


def save_account(given: Mapping[str, str], names: Sequence[str]) -> Saving:
    """Save these boxes of the account, or nothing and say why; all others stay as they are stored.

    Credentials are tried at impact.com first.
    """
    store = here().store
    form = submitted(given, store, names)
    if form.faults:
        return _not_saved(form, "Nothing was saved: correct what is marked.")
    if not set(names) & CREDENTIALS:
        _save(store, form, names)
        return Saving(form, Notice("good", gettext("Saved.")), True)
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
    _save(store, form, names)
    log.info("settings.saved", store=store.id, check=check.outcome)
    return Saving(form, _saved(check), True)


def _credentials(form: SettingsForm, store: Store) -> Credentials:
    """What was typed, with the stored token where none was. Raises `Unreadable`."""
    token = form.texts["auth_token"]
    if not token:
        known = services().stores.credentials(store.id)
        token = known.auth_token if known else ""
    return Credentials(form.texts["account_sid"], token)


def _save(store: Store, form: SettingsForm, names: Sequence[str]) -> None:
    texts = {name: form.texts[name] or None for name in names}
    services().stores.save_settings(
        store.id,
        account_sid=texts.get("account_sid"),
        auth_token=texts.get("auth_token"),
        campaign_id=texts.get("campaign_id"),
        event_type_id=texts.get("event_type_id"),
        by=here().who,
        now=services().clock(),
    )
    services().settings_saved(store.id)
    seen_again()


def _saved(check: AccountCheck) -> Notice:
    works = check.outcome == "works"
    saved = gettext("Saved.") if works else gettext("Saved, with a warning.")
    next_step = gettext("Orders that wait are judged again now.")
    told = " ".join([saved, translated(check.sentence), next_step])
    return Notice("good" if works else "warning", told)


def _not_saved(form: SettingsForm, sentence: str) -> Saving:
    return Saving(form, Notice("bad", sentence), False)


def seen_again() -> None:
    """Have the rest of this request see the store as it is now."""
    visit = here()
    g.visit = replace(visit, store=services().stores.get(visit.store.id) or visit.store)
