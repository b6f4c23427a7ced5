"""A store's rules as a form: what it shows, and what is read from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from impact_app.domain.rules import RULES, RuleEntry, RuleError, default_text, read_rules
from impact_app.web.words import translated

#: The rules in groups; those named first are always in sight. A rule that no group names goes to the last.
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("What is reported", ("mode", "send", "include", "category")),
    (
        "Orders that are left out",
        ("test_orders", "pos", "drafts", "renewals", "zero_value", "former_app_until"),
    ),
    ("Money and discounts", ("money", "discounts", "zero_items")),
    ("Items", ("category_fallback", "brand")),
    ("Clicks and promo codes", ("parameters", "referral_days", "domains", "customer_click", "codes_field")),
    ("Customer data", ("email", "ip_address", "user_agent")),
    (
        "Refunds and cancellations",
        ("amount_refunds", "added_items", "code_refund", "code_cancel", "code_fraud", "code_test"),
    ),
    ("Order numbers and other campaigns", ("order_id", "routes")),
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
class RulesForm:
    """What stands in the boxes, by rule. `faults` maps a box's name, `rule.NAME`, to a sentence.

    version   of the rules that the form was filled with; None: the newest
    """

    texts: dict[str, str]
    faults: dict[str, str] = field(default_factory=dict)
    version: int | None = None

    @property
    def rules(self) -> dict[str, str]:
        """The rules that differ from their defaults; an emptied box means the default."""
        return {name: text for name, text in self.texts.items() if text and text != default_text(name)}

    @property
    def groups(self) -> Iterator[RuleGroup]:
        entries = {entry.name: entry for entry in RULES}
        named = [(title, [name for name in names if name in entries]) for title, names in GROUPS]
        grouped = {name for _, names in named for name in names}
        named[-1][1].extend(name for name in entries if name not in grouped)
        for title, names in named:
            yield RuleGroup(title, tuple(self._rule(entries[name]) for name in names))

    def _rule(self, entry: RuleEntry) -> RuleField:
        return RuleField(entry, self.texts[entry.name], self.faults.get(f"rule.{entry.name}", ""))

    def titles(self) -> dict[str, str]:
        """How each box is called, for the list of faults at the top of the page."""
        return {f"rule.{entry.name}": entry.title for entry in RULES}


def stored(rules: Mapping[str, str]) -> RulesForm:
    """The form with these rules, and the defaults of all others."""
    return RulesForm({entry.name: rules.get(entry.name) or default_text(entry.name) for entry in RULES})


def submitted(given: Mapping[str, str], rules: Mapping[str, str]) -> RulesForm:
    """The form as it was sent, with every fault; a box that was not sent keeps what the store has."""
    form = stored(rules)
    form.version = seen_version(given)
    for name in form.texts:
        sent = given.get(f"rule.{name}")
        if sent is not None:
            form.texts[name] = sent.replace("\r\n", "\n").strip()
    try:
        read_rules(form.rules)
    except RuleError as error:
        titles = {entry.name: entry.title for entry in RULES}
        for name, fault in error.faults.items():
            # The page calls the rule by its title.
            form.faults[f"rule.{name}"] = fault.replace(f"The rule {name} ", f"“{titles[name]}” ", 1)
    return form


def seen_version(given: Mapping[str, str]) -> int:
    """The version of the rules that a form was filled with; 0, which no store has, where it does not say."""
    text = given.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def label(name: str, text: str) -> str:
    """A rule's value as the page calls it."""
    choices = next(entry.choices for entry in RULES if entry.name == name)
    return translated(dict(choices).get(text, text))


def in_words(rules: Mapping[str, str]) -> list[tuple[str, str]]:
    """Saved rules by their titles, with their values as the page calls them."""
    titles = {entry.name: entry.title for entry in RULES}
    return [
        (translated(titles[name]), label(name, text)) if name in titles else (name, text)
        for name, text in rules.items()
    ]
