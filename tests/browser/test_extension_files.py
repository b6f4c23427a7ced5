"""The theme app extension keeps Shopify's rules and our own limits (no browser needed)."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from impact_app.simulator.storefront.embed import (
    BUILT,
    EXTENSION,
    block_schema,
    liquid_json,
    render_embed,
)

ROOT = Path(__file__).parents[2]
PIXEL = BUILT / "click-pixel.js"
EMBED = ROOT / "storefront" / "embed.js"
SCRIPT = EXTENSION / "assets" / "click-capture.js"
BLOCK = EXTENSION / "blocks" / "click_capture.liquid"


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return block_schema(BLOCK.read_text())


def test_the_script_stays_small() -> None:
    assert len(gzip.compress(SCRIPT.read_bytes(), mtime=0)) <= 2048


@pytest.mark.parametrize(
    "forbidden",
    ["eval", "Function(", "innerHTML", "outerHTML", "document.write", "insertAdjacent", "XMLHttpRequest"],
)
@pytest.mark.parametrize("script", [SCRIPT, PIXEL], ids=["embed", "pixel"])
def test_the_script_does_without(script: Path, forbidden: str) -> None:
    assert forbidden not in script.read_text()


def test_the_embed_calls_the_shop_alone() -> None:
    assert "//" not in SCRIPT.read_text()
    assert re.findall(r"fetch\((.*?),", EMBED.read_text()) == ["shopify.routes.root + path"]
    assert SCRIPT.read_text().count("fetch(") == 1


@pytest.fixture(scope="module")
def node() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a script of ours by Node in the repository's root."""
    found = shutil.which("node")
    if found is None or not (ROOT / "node_modules").is_dir():
        pytest.skip("Node or its packages are not there; `make test` brings both.")
    return lambda *words: subprocess.run(
        [found, *words], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


Node = Callable[..., subprocess.CompletedProcess[str]]


def test_the_committed_builds_are_what_their_sources_give(node: Node) -> None:
    ran = node("storefront/build.mjs", "--check")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    sizes = re.findall(r": (\d+) of 2048 bytes gzipped", ran.stdout)
    assert int(sizes[0]) == pytest.approx(len(gzip.compress(SCRIPT.read_bytes(), mtime=0)), abs=20)


def test_shopifys_own_check_finds_no_offence(node: Node, tmp_path: Path) -> None:
    ran = node("tests/browser/theme-check.mjs", str(EXTENSION))
    assert (ran.returncode, ran.stdout) == (0, "0 offences\n"), ran.stdout + ran.stderr

    # The same check does find one where there is one.
    broken = tmp_path / "broken"
    shutil.copytree(EXTENSION, broken)
    liquid = broken / "blocks" / "click_capture.liquid"
    liquid.write_text("{% include 'gone' %}\n" + liquid.read_text())
    ran = node("tests/browser/theme-check.mjs", str(broken))
    assert ran.returncode == 1
    assert "AppBlockValidTags" in ran.stdout


def test_only_folders_and_files_shopify_takes() -> None:
    files = sorted(str(path.relative_to(EXTENSION)) for path in EXTENSION.rglob("*") if path.is_file())
    assert files == [
        "assets/click-capture.js",
        "blocks/click_capture.liquid",
        "locales/de.json",
        "locales/de.schema.json",
        "locales/en.default.json",
        "locales/en.default.schema.json",
        "shopify.extension.toml",
    ]
    assert tomllib.loads((EXTENSION / "shopify.extension.toml").read_text())["type"] == "theme"


def test_the_block_is_an_app_embed(schema: dict[str, Any]) -> None:
    assert schema["target"] == "body"
    defaults = {entry["id"]: entry.get("default") for entry in schema["settings"] if "id" in entry}
    assert defaults == {
        "parameter_names": None,
        "days_kept": None,
        "other_domains": None,
        "cart_attribute": "im_ref",
        "line_property": None,
        "cashback": False,
    }


def test_what_is_left_empty_is_as_the_app_says_and_else_as_the_page_says() -> None:
    chains = re.findall(r"block\.settings\.(\w+) \| (.*?) \| json", BLOCK.read_text())
    assert chains == [
        (
            "parameter_names",
            "default: app.metafields.impact.parameter_names.value | default: 'im_ref,irclickid'",
        ),
        ("days_kept", "default: app.metafields.impact.days_kept.value | default: 30"),
        ("other_domains", "default: app.metafields.impact.other_domains.value | default: ''"),
        ("cart_attribute", "default: 'im_ref'"),
        ("line_property", "default: ''"),
        ("cashback", "default: false"),
    ]


@pytest.mark.parametrize("language", ["en.default", "de"])
def test_every_word_the_merchant_reads_is_in_the_locale(schema: dict[str, Any], language: str) -> None:
    locale = json.loads((EXTENSION / "locales" / f"{language}.schema.json").read_text())
    asked = re.findall(r'"t:([\w.]+)"', json.dumps(schema))
    assert len(asked) == 1 + 1 + 6 * 2  # the name, one paragraph, label and info of six settings
    for key in asked:
        words: Any = locale
        for part in key.split("."):
            words = words[part]
        assert isinstance(words, str)
    assert len(locale["name"]) <= 25


def test_the_liquid_prints_nothing_unescaped() -> None:
    liquid = BLOCK.read_text()
    assert set(re.findall(r"\{%-?\s*(\w+)", liquid)) == {"comment", "endcomment", "schema", "endschema"}
    for output in re.findall(r"\{\{(.*?)\}\}", liquid):
        assert output.strip().endswith(("| json", "| asset_url"))
    assert re.search(r"<script src=[^>]* defer></script>", liquid)


def test_settings_reach_the_page_as_json() -> None:
    embed = render_embed("/assets/", {"cart_attribute": "</script>&"})
    assert '"attribute": "\\u003c/script\\u003e\\u0026"' in embed.html
    assert embed.html.count("</script>") == 2
    assert json.loads(liquid_json("</script>&")) == "</script>&"


def test_what_the_app_says_fills_what_the_merchant_left_empty() -> None:
    def settings(changes: dict[str, object]) -> dict[str, object]:
        html = render_embed("/assets/", changes, {"parameter_names": "partner", "days_kept": 45}).html
        found: dict[str, object] = json.loads(html.partition(">")[2].partition("</script>")[0])
        return found

    assert settings({}) == {
        "names": "partner",
        "days": 45,
        "domains": "",
        "attribute": "im_ref",
        "line": "",
        "rewards": False,
    }
    assert settings({"parameter_names": "own", "days_kept": 7, "cashback": True}) == {
        **settings({}),
        "names": "own",
        "days": 7,
        "rewards": True,
    }


def test_a_setting_the_embed_does_not_have_is_named() -> None:
    with pytest.raises(ValueError, match="no setting named days_keep"):
        render_embed("/assets/", {"days_keep": 3})


def test_the_extension_lies_where_the_pretend_shop_looks() -> None:
    assert ROOT / "extensions" / "click-capture" == EXTENSION
