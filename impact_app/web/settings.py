"""The settings of one store as a form: what it shows, and what is read from it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from impact_app.domain.rules import RULES, RuleEntry, RuleError, default_text, read_rules
from impact_app.ledger.stores import Store

#: The rules in groups; those named first are always in sight. A rule that no group names goes to the last.
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("What is reported", ("mode", "send", "include", "category")),
    (
        "Orders that are left out",
        ("test_orders", "pos", "drafts", "renewals", "zero_value", "former_app_until"),
    ),
    ("Money and discounts", ("money", "discounts", "zero_items")),
    ("Items", ("category_fallback", "brand")),
    ("Clicks and promo codes", ("parameters", "codes_field")),
    ("Customer data", ("email", "ip_address", "user_agent")),
    ("Refunds and cancellations", ("code_refund", "code_cancel", "code_fraud")),
    ("Order numbers and other campaigns", ("order_id", "routes")),
)


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


@dataclass(frozen=True)
class RuleField:
    """One rule on the page: its entry, the text in its box, and what is wrong with that."""

    entry: RuleEntry
    text: str
    fault: str

    @property
    def is_changed(self) -> bool:
        return self.text != default_text(self.entry.name)


@dataclass(frozen=True)
class RuleGroup:
    """Rules that belong together. `is_open`: something in it is set otherwise than by default, or wrong."""

    title: str
    fields: tuple[RuleField, ...]

    @property
    def is_open(self) -> bool:
        return any(one.fault or one.is_changed for one in self.fields)

    @property
    def changed(self) -> int:
        return sum(one.is_changed for one in self.fields)


@dataclass
class SettingsForm:
    """What stands in the boxes. `faults` maps a box's name to a sentence; a rule's box is `rule.NAME`.

    The auth token's text is only ever what was just typed; the stored one never comes here.
    """

    texts: dict[str, str]
    faults: dict[str, str] = field(default_factory=dict)

    @property
    def rules(self) -> dict[str, str]:
        """The rules that differ from their defaults; an emptied box means the default."""
        given = {entry.name: self.texts[f"rule.{entry.name}"] for entry in RULES}
        return {name: text for name, text in given.items() if text and text != default_text(name)}

    @property
    def groups(self) -> Iterator[RuleGroup]:
        entries = {entry.name: entry for entry in RULES}
        named = [(title, [name for name in names if name in entries]) for title, names in GROUPS]
        grouped = {name for _, names in named for name in names}
        named[-1][1].extend(name for name in entries if name not in grouped)
        for title, names in named:
            yield RuleGroup(title, tuple(self._rule(entries[name]) for name in names))

    def _rule(self, entry: RuleEntry) -> RuleField:
        box = f"rule.{entry.name}"
        return RuleField(entry, self.texts[box], self.faults.get(box, ""))

    def titles(self) -> dict[str, str]:
        """How each box is called, for the list of faults at the top of the page."""
        named = {f"rule.{entry.name}": entry.title for entry in RULES}
        return {**{one.name: one.title for one in ACCOUNT_FIELDS}, **named}


def stored(store: Store) -> SettingsForm:
    """The form as the store has it now."""
    texts = {
        "account_sid": store.account_sid or "",
        "auth_token": "",
        "campaign_id": store.campaign_id or "",
        "event_type_id": store.event_type_id or "",
    }
    rules = {f"rule.{e.name}": store.rules.get(e.name) or default_text(e.name) for e in RULES}
    return SettingsForm({**texts, **rules})


def submitted(given: Mapping[str, str], store: Store) -> SettingsForm:
    """The form as it was sent, with every fault; a box that was not sent keeps what the store has."""
    form = stored(store)
    for name in form.texts:
        if name in given:
            form.texts[name] = given[name].replace("\r\n", "\n").strip()
    for one in ACCOUNT_FIELDS:
        if fault := _account_fault(one, form.texts[one.name], store):
            form.faults[one.name] = fault
    try:
        read_rules(form.rules)
    except RuleError as error:
        titles = {entry.name: entry.title for entry in RULES}
        for name, fault in error.faults.items():
            # The page calls the rule by its title.
            form.faults[f"rule.{name}"] = fault.replace(f"The rule {name} ", f"“{titles[name]}” ", 1)
    return form


def _account_fault(one: AccountField, text: str, store: Store) -> str:
    if one.name == "auth_token" and not text and store.has_auth_token:
        return ""
    return "" if re.fullmatch(one.shape, text) else one.wrong
