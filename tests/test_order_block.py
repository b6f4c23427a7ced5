"""The block on Shopify's page of an order: its files, and what it shows for each answer of the app."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
BLOCK = ROOT / "extensions" / "order-verdict"

#: Runs the block with Preact and Shopify's globals as far as it uses them, and prints each tree it renders.
RUN = """
import { register } from 'node:module';
const stub = (text) => 'data:text/javascript,' + encodeURIComponent(text);
const PREACT = stub(`
  export const h = (name, props, ...inner) => ({ name, props, inner: inner.flat() });
  export const render = (tree) => console.log(JSON.stringify(tree));
`);
register(stub(`export const resolve = (name, context, next) =>
  name === 'preact' ? { url: ${JSON.stringify(PREACT)}, shortCircuit: true }
  : name.startsWith('@shopify/') ? { url: 'data:text/javascript,', shortCircuit: true }
  : next(name, context);`));
const words = JSON.parse(process.argv[1]), answer = JSON.parse(process.argv[2]);
globalThis.document = { body: null };
globalThis.shopify = {
  data: { selected: [{ id: answer.id }] },
  i18n: { translate: (key, values = {}) => words[key].replace(/{{(\\w+)}}/g, (_, name) => values[name]) },
};
globalThis.fetch = async (path, options) => {
  console.error(path, JSON.stringify(options));
  if (answer.down) throw new TypeError('down');
  return { ok: answer.status === 200, status: answer.status, json: async () => answer.body };
};
const { default: block } = await import(process.argv[3]);
await block();
"""

TOLD = {
    "verdict": "reported",
    "title": "Reported",
    "reason": "credited",
    "sentence": "impact.com has credited a partner with the order.",
    "next": "Nothing is left to do.",
    "partner": "Coupon Corner",
    "path": "/shopify/orders/450789469",
    "url": "https://admin.shopify.com/store/one/apps/key/shopify/orders/450789469",
}


def locale(name: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((BLOCK / "locales" / name).read_text(encoding="utf-8"))
    return found


def shown(language: str = "en.default.json", **answer: Any) -> tuple[list[Any], str]:
    """The trees that the block renders, and what it asked for."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not there; `make test` brings it.")
    given = {"id": "gid://shopify/Order/450789469", "status": 200, "body": TOLD, **answer}
    source = (BLOCK / "src" / "block.js").as_uri()
    words = json.dumps(locale(language))
    ran = subprocess.run(
        [node, "--input-type=module", "--no-warnings", "-e", RUN, "--", words, json.dumps(given), source],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()], ran.stderr


def words_of(tree: Any) -> list[str]:
    if isinstance(tree, str):
        return [tree]
    return [word for part in tree["inner"] for word in words_of(part)]


def test_the_block_tells_verdict_partner_and_leads_to_the_page() -> None:
    (first, last), asked = shown()

    assert words_of(first) == ["Asking the app what became of this order."]
    assert last["name"] == "s-admin-block"
    assert words_of(last) == [
        "Reported",
        "impact.com has credited a partner with the order.",
        "Nothing is left to do.",
        "Partner: Coupon Corner",
        "All about this order",
    ]
    [stack] = last["inner"]
    assert stack["inner"][0] == {"name": "s-badge", "props": {"tone": "success"}, "inner": ["Reported"]}
    assert stack["inner"][-1]["props"] == {"href": "app:shopify/orders/450789469"}
    assert asked.startswith("/shopify/orders/450789469/verdict.json?locale=en ")


def test_without_a_partner_none_is_named() -> None:
    (_, last), asked = shown("de.json", body={**TOLD, "partner": None, "verdict": "attention"})

    assert words_of(last)[-2:] == ["Nothing is left to do.", "Alles über diese Bestellung"]
    assert last["inner"][0]["inner"][0]["props"] == {"tone": "critical"}
    assert asked.startswith("/shopify/orders/450789469/verdict.json?locale=de ")


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({"status": 404}, "unknown"),
        ({"status": 401}, "failed"),
        ({"status": 503}, "failed"),
        ({"down": True}, "failed"),
        ({"body": None}, "failed"),
        ({"id": None}, "unknown"),
        ({"id": "gid://shopify/Order/../settings"}, "unknown"),
    ],
)
def test_what_cannot_be_told_is_a_sentence(answer: dict[str, Any], sentence: str) -> None:
    (_, last), _ = shown(**answer)

    assert words_of(last) == [locale("en.default.json")[sentence]]


def test_its_files_are_as_shopify_takes_them() -> None:
    files = sorted(str(path.relative_to(BLOCK)) for path in BLOCK.rglob("*") if path.is_file())
    assert files == [
        "locales/de.json",
        "locales/en.default.json",
        "package.json",
        "shopify.extension.toml",
        "src/block.js",
        "src/verdict.js",
    ]
    said = tomllib.loads((BLOCK / "shopify.extension.toml").read_text())
    [extension] = said["extensions"]
    assert extension["type"] == "ui_extension"
    [target] = extension["targeting"]
    assert target["target"] == "admin.order-details.block.render"
    assert (BLOCK / target["module"]).is_file()
    packages = json.loads((BLOCK / "package.json").read_text())["dependencies"]
    # The package is numbered by the API's version: 2026.7.4 is the fifth release for 2026-07.
    year, month = map(int, said["api_version"].split("-"))
    assert packages["@shopify/ui-extensions"].startswith(f"~{year}.{month}.")


def test_both_languages_have_every_word() -> None:
    english, german = locale("en.default.json"), locale("de.json")
    source = (BLOCK / "src" / "block.js").read_text() + (BLOCK / "src" / "verdict.js").read_text()
    used = set(re.findall(r"say\('(\w+)'|state: '(?!told)(\w+)'", source))
    assert english.keys() == german.keys() == {"name"} | {one or other for one, other in used}
