"""A store's account at impact.com as a form: what it shows, and what is read from it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from impact_app.ledger.stores import Store


@dataclass(frozen=True)
class AccountField:
    """One text of the merchant's impact.com account."""

    name: str
    title: str
    help: str
    shape: str
    wrong: str


ACCOUNT_FIELDS: tuple[AccountField, ...] = (
    AccountField(
        "account_sid",
        "Account SID",
        "At impact.com under Settings, API. It begins with IR.",
        r"[A-Za-z0-9]{5,64}",
        "Copy the account SID from impact.com: letters and digits only.",
    ),
    AccountField(
        "auth_token",
        "Auth token",
        "It stands beside the account SID and needs the Conversions scope (Actions too, for refunds).",
        r"[!-~]{1,255}",
        "Copy the auth token from impact.com: up to 255 letters, digits and signs without blanks.",
    ),
    AccountField(
        "campaign_id",
        "Campaign id",
        "The number under the program's name in impact.com's account menu.",
        r"[0-9]{1,10}",
        "Enter the program's number: 1 to 10 digits.",
    ),
    AccountField(
        "event_type_id",
        "Event type id",
        "At impact.com under Settings, Event Types: the number in brackets after the name.",
        r"[0-9]{1,10}",
        "Enter the event type's number: 1 to 10 digits.",
    ),
)

#: The boxes that are tried at impact.com when they are saved.
CREDENTIALS = frozenset({"account_sid", "auth_token"})


@dataclass
class SettingsForm:
    """What stands in the boxes. `faults` maps a box's name to a sentence.

    The auth token's text is only ever what was just typed; the stored one never comes here.
    """

    texts: dict[str, str]
    faults: dict[str, str] = field(default_factory=dict)

    def titles(self) -> dict[str, str]:
        """How each box is called, for the list of faults at the top of the page."""
        return {one.name: one.title for one in ACCOUNT_FIELDS}


def stored(store: Store) -> SettingsForm:
    """The form as the store has it now."""
    return SettingsForm(
        {
            "account_sid": store.account_sid or "",
            "auth_token": "",
            "campaign_id": store.campaign_id or "",
            "event_type_id": store.event_type_id or "",
        }
    )


def submitted(given: Mapping[str, str], store: Store, names: Collection[str]) -> SettingsForm:
    """The form with these boxes as they were sent, and their faults; all others as the store has them."""
    form = stored(store)
    for one in ACCOUNT_FIELDS:
        if one.name in names:
            form.texts[one.name] = given.get(one.name, form.texts[one.name]).strip()
            if fault := _account_fault(one, form.texts[one.name], store):
                form.faults[one.name] = fault
    return form


def _account_fault(one: AccountField, text: str, store: Store) -> str:
    if one.name == "auth_token" and not text and store.has_auth_token:
        return ""
    return "" if re.fullmatch(one.shape, text) else one.wrong
