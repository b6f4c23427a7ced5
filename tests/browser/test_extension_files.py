"""The theme app extension keeps Shopify's rules and our own limits (no browser needed)."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from impact_app.simulator.storefront.embed import EXTENSION, block_schema, liquid_json, render_embed

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
def test_the_script_does_without(forbidden: str) -> None:
    assert forbidden not in SCRIPT.read_text()


def test_the_script_calls_the_shop_alone() -> None:
    assert "//" not in re.sub(r"(^|\s)// .*", "", SCRIPT.read_text())
    assert re.findall(r"fetch\((.*?),", SCRIPT.read_text()) == ["shopify.routes.root + path"]


def test_the_script_is_javascript() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not installed; the browser tests run the script all the same.")
    subprocess.run([node, "--check", SCRIPT], check=True, timeout=30)


def test_only_folders_and_files_shopify_takes() -> None:
    files = sorted(str(path.relative_to(EXTENSION)) for path in EXTENSION.rglob("*") if path.is_file())
    assert files == [
        "assets/click-capture.js",
        "blocks/click_capture.liquid",
        "locales/en.default.json",
        "locales/en.default.schema.json",
        "shopify.extension.toml",
    ]
    assert tomllib.loads((EXTENSION / "shopify.extension.toml").read_text())["type"] == "theme"


def test_the_block_is_an_app_embed(schema: dict[str, Any]) -> None:
    assert schema["target"] == "body"
    defaults = {entry["id"]: entry["default"] for entry in schema["settings"] if "id" in entry}
    assert defaults == {"parameter_names": "im_ref,irclickid", "days_kept": 30, "cart_attribute": "im_ref"}


def test_an_emptied_setting_falls_back_to_the_default_shown(schema: dict[str, Any]) -> None:
    fallbacks = re.findall(r"block\.settings\.(\w+) \| default: '?([\w,]+)'? \| json", BLOCK.read_text())
    assert fallbacks == [
        (entry["id"], str(entry["default"])) for entry in schema["settings"] if "id" in entry
    ]


def test_every_word_the_merchant_reads_is_in_the_locale(schema: dict[str, Any]) -> None:
    locale = json.loads((EXTENSION / "locales" / "en.default.schema.json").read_text())
    asked = re.findall(r'"t:([\w.]+)"', json.dumps(schema))
    assert len(asked) == 1 + 1 + 3 * 2  # the name, one paragraph, label and info of three settings
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


def test_a_setting_the_embed_does_not_have_is_named() -> None:
    with pytest.raises(ValueError, match="no setting named days_keep"):
        render_embed("/assets/", {"days_keep": 3})


def test_the_extension_lies_where_the_pretend_shop_looks() -> None:
    assert Path(__file__).parents[2] / "extensions" / "click-capture" == EXTENSION
