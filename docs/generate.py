"""Writes the parts of the pages that repeat what the code says: rules, reasons, and the preview example.

Run `.venv/bin/python docs/generate.py` after a rule or a reason has changed; a test fails until that is done.
Between `<!-- generated: NAME -->` and `<!-- end -->` of a page nothing is written by hand.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run as a script, Python looks beside this file only

from impact_app.domain.events import OrderSeen  # noqa: E402
from impact_app.domain.mapping import Target  # noqa: E402
from impact_app.domain.orders import Order  # noqa: E402
from impact_app.domain.reasons import EXPLANATIONS, Explanation, Reason, Verdict  # noqa: E402
from impact_app.domain.rules import RULES, RuleEntry, Rules, default_text  # noqa: E402
from impact_app.pipeline.preview import preview  # noqa: E402
from impact_app.stores.shopify.reading import read  # noqa: E402
from impact_app.web.alerts_form import CHANNEL_FIELDS  # noqa: E402
from impact_app.web.help import FIELDS  # noqa: E402
from impact_app.web.settings import ACCOUNT_FIELDS  # noqa: E402

EXAMPLE = ROOT / "docs" / "developers" / "example-order.json"

_ACTORS = {"nobody": "nobody", "merchant": "you", "operator": "who runs the app", "impact.com": "impact.com"}

_VERDICTS = {
    Verdict.REPORTED: "Reported",
    Verdict.WITHHELD: "Not reported (withheld)",
    Verdict.WAITING: "Waiting",
    Verdict.ATTENTION: "Needs attention",
    None: "Of a delivery, not of an order",
}


def rules() -> str:
    """Every rule: title, name, help, the values it takes, and its default."""
    return "\n\n".join(_rule(entry) for entry in RULES)


def _rule(entry: RuleEntry) -> str:
    default = default_text(entry.name)
    head = f"### {entry.title}\n\n`{entry.name}`: {entry.help}"
    if not entry.choices:
        return f"{head} Default: {f'`{default}`' if default else 'empty'}."
    values = (
        f"- `{value}`: {label}{' (default)' if value == default else ''}" for value, label in entry.choices
    )
    return "\n".join((head, "", *values))


def reasons() -> str:
    """Every reason under its verdict: what happened, what happens next, who must act."""
    return "\n\n".join(_of_verdict(verdict) for verdict in _VERDICTS)


def _of_verdict(verdict: Verdict | None) -> str:
    found = ((reason, told) for reason, told in EXPLANATIONS.items() if told.verdict is verdict)
    lines = (_reason(reason, told) for reason, told in found)
    head = "| reason | what happened | what happens next | who must act |\n|---|---|---|---|"
    return "\n".join((f"## {_VERDICTS[verdict]}", "", head, *lines))


def _reason(reason: Reason, told: Explanation) -> str:
    return f"| `{reason.value}` | {told.happened} | {told.next} | {_ACTORS[told.actor]} |"


def fields() -> str:
    """Every box that is no rule: its page, its label and its paragraph."""
    told: dict[str, list[tuple[str, str]]] = {
        "Setup and settings": [(one.title, one.help) for one in ACCOUNT_FIELDS],
        "Alerts": [(one.title, one.help) for one in CHANNEL_FIELDS],
    }
    for page, boxes in FIELDS.items():
        told.setdefault(page, []).extend((one.title, one.help) for one in boxes)
    return "\n\n".join(_boxes(page, lines) for page, lines in told.items())


def _boxes(page: str, lines: list[tuple[str, str]]) -> str:
    rows = (f"| {title} | {text} |" for title, text in lines)
    return "\n".join((f"## {page}", "", "| box | what it is for |", "|---|---|", *rows))


def example_order() -> str:
    """The example's body, as the order webhook carries it."""
    return _fenced("json", EXAMPLE.read_text(encoding="utf-8").strip())


def example_preview() -> str:
    """What `flask preview` prints for the example, each field of the form on one line."""
    order = _read(EXAMPLE.read_bytes())
    return _previewed(order, None)


def example_change() -> str:
    """What it prints once one of the two hoses has gone back, against the order as it was reported."""
    body = json.loads(EXAMPLE.read_bytes())
    body["updated_at"] = "2026-11-21T09:30:00+01:00"
    body["line_items"][0]["current_quantity"] = 1
    return _previewed(_read(json.dumps(body).encode()), _read(EXAMPLE.read_bytes()))


def _read(body: bytes) -> Order:
    event = read("orders/paid", body)
    assert isinstance(event, OrderSeen)
    return event.order


def _previewed(order: Order, against: Order | None) -> str:
    answer = preview(
        order,
        Rules(),
        against=against,
        target=Target("0", "0"),
        account_sid="{AccountSID}",
        partner_codes=(),
        now=None,
    )
    text = json.dumps(answer, indent=2, ensure_ascii=False)
    return _fenced("json", re.sub(r'\[\s+("[^"]*"),\s+("[^"]*")\s+\]', r"[\1, \2]", text))


def _fenced(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```"


SECTIONS: dict[str, Callable[[], str]] = {
    "rules": rules,
    "reasons": reasons,
    "fields": fields,
    "example order": example_order,
    "example preview": example_preview,
    "example change": example_change,
}

_MARKED = re.compile(r"(<!-- generated: (?P<name>[a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def current(text: str) -> str:
    """A page with each of its marked sections as the code says it now."""
    return _MARKED.sub(
        lambda found: f"{found[1]}\n{SECTIONS[found['name']]().strip()}\n\n{found[3]}",
        text,
    )


def pages() -> Iterable[Path]:
    """The pages that have a marked section."""
    every = sorted((ROOT / "docs").rglob("*.md"))
    return [page for page in every if _MARKED.search(page.read_text(encoding="utf-8"))]


def main() -> None:
    """Bring every page up to date and name those that changed."""
    for page in pages():
        before = page.read_text(encoding="utf-8")
        after = current(before)
        if after != before:
            page.write_text(after, encoding="utf-8")
            sys.stdout.write(f"{page.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
