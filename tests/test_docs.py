"""The pages say what the code does: names, links, generated parts, and the fields that leave the shop."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

import click
import pytest
from flask import Flask

from docs.generate import SECTIONS, current
from impact_app import create_app
from impact_app.config import read_config
from impact_app.domain.mapping import Conversion, Item
from impact_app.domain.money import Money
from impact_app.domain.plan import Modify, Reported, ReportedItem, Reverse, Submit
from impact_app.domain.reasons import EXPLANATIONS, Reason
from impact_app.domain.rules import RULES, Rules
from impact_app.transports.api.request import call
from impact_app.wiring import Services

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(page for folder in ("docs", "impact_app", "storefront") for page in (ROOT / folder).rglob("*.md")),
    ]
)
COMMANDS = ROOT / "docs" / "developers" / "commands.md"
SETTINGS = ROOT / "docs" / "merchants" / "settings.md"
REASONS = ROOT / "docs" / "merchants" / "reasons.md"
PRIVACY = ROOT / "docs" / "merchants" / "privacy.md"
MARK = re.compile(r"<!-- generated: ([a-z ]+) -->")
CODE = re.compile(r"```\w*\n(.*?)```|`([^`\n]+)`|^ {4}(\S.*)$", re.DOTALL | re.MULTILINE)


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


every_page = pytest.mark.parametrize("page", PAGES, ids=named)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    return create_app(Services(read_config({"INSTANCE_PATH": str(tmp_path_factory.mktemp("instance"))})))


def code(page: Path) -> Iterator[str]:
    """Every line of code on a page, whichever way it is marked."""
    for found in CODE.finditer(page.read_text(encoding="utf-8")):
        yield from next(part for part in found.groups() if part).splitlines()


def section(page: Path, title: str) -> str:
    """The text under a heading of the second level."""
    text = page.read_text(encoding="utf-8")
    return text.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


# Generated parts


@every_page
def test_generated_sections_are_current(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text == current(text), "Run `.venv/bin/python docs/generate.py`."


def test_each_generated_section_stands_on_one_page() -> None:
    marks = [name for page in PAGES for name in MARK.findall(page.read_text(encoding="utf-8"))]
    assert sorted(marks) == sorted(SECTIONS)


def test_a_rule_that_changes_makes_its_page_outdated(monkeypatch: pytest.MonkeyPatch) -> None:
    text = SETTINGS.read_text(encoding="utf-8")
    monkeypatch.setattr("docs.generate.RULES", (replace(RULES[0], help="Something else."), *RULES[1:]))
    assert "Something else." in current(text)


# Names


def test_every_rule_is_documented_with_its_values() -> None:
    text = SETTINGS.read_text(encoding="utf-8")
    assert {entry.name for entry in RULES} == {field.name for field in fields(Rules)}
    for entry in RULES:
        part = text.split(f"\n### {entry.title}\n", 1)[1].split("\n###", 1)[0]
        assert f"`{entry.name}`" in part
        assert [value for value, _ in entry.choices if f"- `{value}`: " not in part] == []


def test_every_reason_is_documented_with_its_explanation() -> None:
    rows = [line.split(" | ") for line in REASONS.read_text(encoding="utf-8").splitlines()]
    told = {row[0]: row for row in rows if row[0].startswith("| `")}
    assert set(EXPLANATIONS) == set(Reason)
    assert set(told) == {f"| `{reason}`" for reason in Reason}
    for reason, explanation in EXPLANATIONS.items():
        assert told[f"| `{reason}`"][1:3] == [explanation.happened, explanation.next]


def test_the_environment_is_documented_as_it_is_read() -> None:
    """Every name that `config.py` asks its reader for, and no other."""
    tree = ast.parse((ROOT / "impact_app" / "config.py").read_text(encoding="utf-8"))
    asked = {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "env"
        and isinstance(node.args[0], ast.Constant)
    }
    documented = re.findall(r"^\| `([A-Z_]+)` \|", section(COMMANDS, "Environment"), re.MULTILINE)
    assert len(asked) > 10
    assert sorted(documented) == sorted(asked)


def targets() -> set[str]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][\w-]*):(?!=)", text, re.MULTILINE))


def test_every_make_target_is_documented() -> None:
    documented = re.findall(r"^\| `make ([\w-]+)` \|", section(COMMANDS, "make"), re.MULTILINE)
    assert sorted(documented) == sorted(targets())


@every_page
def test_every_make_command_shown_exists(page: Path) -> None:
    shown = [re.match(r"(?:[A-Z_]+=\S+ +)*make +([a-z][\w-]*)", line) for line in code(page)]
    assert {found[1] for found in shown if found} - targets() == set()


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from leaves(below, (*path, name))
    else:
        yield " ".join(path), command


def options(command: click.Command) -> set[str]:
    return {name for option in command.params if isinstance(option, click.Option) for name in option.opts}


def test_every_flask_command_is_documented_with_its_options(app: Flask) -> None:
    rows = re.findall(r"^\| `flask ([^`]*)` \|", section(COMMANDS, "flask"), re.MULTILINE)
    documented = {
        re.split(r" [\[A-Z]", row, maxsplit=1)[0]: set(re.findall(r"--[\w-]+", row)) for row in rows
    }
    assert documented == {path: options(command) for path, command in leaves(app.cli)}


@every_page
def test_every_flask_command_shown_exists(page: Path, app: Flask) -> None:
    known = dict(leaves(app.cli))
    for line in code(page):
        for shown in re.findall(r"(?:^|[\s/])flask +([a-z].*)", line):
            path = next((name for name in known if re.match(rf"{name}(?![\w-])", shown)), None)
            assert path is not None, f"There is no `flask {shown}`."
            assert set(re.findall(r"(?<=\s)--[\w-]+", shown)) <= options(known[path]), shown


def test_every_address_is_documented(app: Flask) -> None:
    text = section(COMMANDS, "Addresses")
    for rule in app.url_map.iter_rules():
        plain = re.sub(r"<\w+:", "<", rule.rule)
        # The pages of a store are registered for each door; the table lists them once, for Shopify's.
        if rule.endpoint.startswith("dashboard."):
            plain = plain.replace("/saleor/", "/shopify/")
        assert plain.replace("/stores/<store_id>/", "/shopify/") in text, rule


# Links and paths


def slugs(page: Path) -> set[str]:
    """The anchors a page's headings get on GitHub."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_page
def test_every_relative_link_resolves(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        found = (page.parent / target).resolve() if target else page
        assert found.is_relative_to(ROOT), f"{link} leaves the repository."
        assert found.exists(), f"{link} leads nowhere."
        assert not anchor or anchor in slugs(found), f"{link}: no such heading."


@every_page
def test_no_page_names_a_path_of_somebodys_machine(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"(?<![\w.{}])/(?:home|root|Users|tmp|work|workspace)/\S*|[A-Z]:\\\S+", text) == []


def test_every_decision_is_listed_and_every_one_named_in_the_code_exists() -> None:
    folder = ROOT / "docs" / "adr"
    pages = {page.name for page in folder.glob("[0-9]*.md")}
    index = (folder / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", index)) == pages
    numbers = {name[:4] for name in pages}
    assert len(numbers) == len(pages)
    sources = [page.read_text(encoding="utf-8") for page in (ROOT / "impact_app").rglob("*.py")]
    cited = {number for text in sources for number in re.findall(r"docs/adr/(\d{4})", text)}
    assert cited - numbers == set()


# What leaves the shop


def fields_sent() -> dict[str, set[str]]:
    """For each kind of call the form fields it can have, an item's number written as #."""
    one = Money(Decimal("1.00"), "EUR")
    item = Item("A", "a", "c", "b", 1, one, one, one)
    everything = Conversion(
        campaign_id="1",
        event_type_id="2",
        order_id="3",
        event_date=datetime(2026, 11, 20, tzinfo=UTC),
        click_id="click",
        promo_code="CODE",
        all_codes=(1, "CODE,OTHER"),
        customer_id="4",
        customer_email="digest",
        customer_status="New",
        ip_address="198.51.100.7",
        user_agent="browser",
        currency="EUR",
        order_discount=one,
        items=(item, replace(item, sku="B")),
    )
    assert all(getattr(everything, field.name) for field in fields(Conversion))
    items = (ReportedItem("A", 1, one), ReportedItem("B", 1, one))
    held = Reported("1", "2", "3", "EUR", items)
    steps = {
        "POST …/Conversions": Submit(everything, held),
        "PUT …/Actions": Modify(items, held),
        "DELETE …/Actions": Reverse("REJECTED", held),
    }
    numbered = {"Sku", "Quantity", "Amount"}
    return {
        name: {
            f"{plain}#" if plain != field or field in numbered else field
            for action_id in (None, "7")
            for field, _ in call(step, "IR", action_id).form
            for plain in (field.rstrip("0123456789"),)
        }
        for name, step in steps.items()
    }


def test_the_privacy_page_lists_every_field_that_is_sent_and_no_other() -> None:
    listed: dict[str, set[str]] = {}
    kind = ""
    for line in section(PRIVACY, "What goes to impact.com").splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 5 and cells[1] != "call":
            kind = cells[1].strip("`") or kind
            listed.setdefault(kind, set()).update(re.findall(r"`([A-Z]\w+#?)`", cells[3]))
    assert {name: listed[name] for name in fields_sent()} == fields_sent()


def test_the_readme_lists_every_field_that_is_sent_and_no_other() -> None:
    text = section(ROOT / "README.md", "What leaves the shop")
    assert set(re.findall(r"`([A-Z][a-zA-Z]+#?)`", text)) == set().union(*fields_sent().values())


# Examples and the picture


def test_the_preview_example_is_what_the_command_prints(app: Flask, tmp_path: Path) -> None:
    blocks = re.findall(r"```json\n(.*?)```", section(COMMANDS, "flask preview"), re.DOTALL)
    order, submitted, changed = blocks
    body = json.loads(order)
    first, later = tmp_path / "order.json", tmp_path / "later.json"
    first.write_text(order, encoding="utf-8")
    body["line_items"][0]["current_quantity"] = 1
    body["updated_at"] = "2026-11-22T08:00:00+01:00"
    later.write_text(json.dumps(body), encoding="utf-8")

    def printed(*words: str) -> object:
        ran = app.test_cli_runner().invoke(args=["preview", "shopify", *words])
        assert ran.exit_code == 0, ran.output
        return json.loads(ran.output)

    assert printed(str(first)) == json.loads(submitted)
    assert printed(str(later), "--against", str(first)) == json.loads(changed)


def test_the_picture_needs_nothing_from_elsewhere_and_knows_dark() -> None:
    text = (ROOT / "docs" / "img" / "line.svg").read_text(encoding="utf-8")
    picture = ElementTree.fromstring(text)
    assert re.findall(r"https?://\S+?\"", text) == ['http://www.w3.org/2000/svg"']
    assert "prefers-color-scheme: dark" in text
    words = {element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")}
    assert words >= {"delivery", "inbox", "order", "plan", "outbox", "impact.com", "verdict"}
