"""Renders the app embed block of the theme app extension, as far as its Liquid goes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EXTENSION = Path(__file__).resolve().parents[3] / "extensions" / "click-capture"
ASSETS = EXTENSION / "assets"
BUILT = Path(__file__).parent / "built"

_COMMENT = re.compile(r"\{%-?\s*comment\s*-?%\}.*?\{%-?\s*endcomment\s*-?%\}", re.DOTALL)
_SCHEMA = re.compile(r"\{%\s*schema\s*%\}(.*?)\{%\s*endschema\s*%\}", re.DOTALL)
_OUTPUT = re.compile(r"\{\{\s*(.*?)\s*\}\}")
_SETTING = re.compile(
    r"block\.settings\.(\w+)(?: \| default: app\.metafields\.impact\.(\w+)\.value)?"
    r" \| default: (\d+|'[^']*'|false) \| json"
)
_ASSET = re.compile(r"'([\w.-]+)' \| asset_url")


@dataclass(frozen=True, slots=True)
class Embed:
    """An app embed block ready for a page; `target` is "head" or "body"."""

    target: str
    html: str


def render_embed(
    asset_base: str, changes: Mapping[str, object], metafields: Mapping[str, object] | None = None
) -> Embed:
    """The block's HTML with its default settings, the merchant's `changes` and the app's own `metafields`.

    Raises ValueError for a setting the block does not have and for Liquid this renderer does not know.
    """
    liquid = (EXTENSION / "blocks" / "click_capture.liquid").read_text(encoding="utf-8")
    schema = block_schema(liquid)
    settings = {entry["id"]: entry.get("default") for entry in schema["settings"] if "id" in entry}
    if unknown := changes.keys() - settings.keys():
        raise ValueError(f"The app embed has no setting named {', '.join(sorted(unknown))}.")
    settings.update(changes)

    def output(found: re.Match[str]) -> str:
        if setting := _SETTING.fullmatch(found[1]):
            # Liquid's `default` stands in for nil, false and an empty text.
            held = settings[setting[1]] or (metafields or {}).get(setting[2])
            return liquid_json(held or _literal(setting[3]))
        if asset := _ASSET.fullmatch(found[1]):
            return asset_base + asset[1]
        raise ValueError(f"The pretend storefront cannot render {{{{ {found[1]} }}}}.")

    html = _OUTPUT.sub(output, _SCHEMA.sub("", _COMMENT.sub("", liquid))).strip()
    if "{%" in html:
        raise ValueError("The pretend storefront renders no Liquid tags but comment and schema.")
    return Embed(schema["target"], html)


def block_schema(liquid: str) -> dict[str, Any]:
    """The block's `{% schema %}`; raises ValueError when it is missing or no JSON."""
    found = _SCHEMA.search(liquid)
    if found is None:
        raise ValueError("The app embed block has no {% schema %}.")
    schema: dict[str, Any] = json.loads(found[1])
    return schema


def _literal(liquid: str) -> str | int | bool:
    if liquid == "false":
        return False
    return int(liquid) if liquid.isdigit() else liquid.strip("'")


def liquid_json(value: object) -> str:
    """What Liquid's `json` filter gives: JSON that cannot end the script element it stands in."""
    text = json.dumps(value, ensure_ascii=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
