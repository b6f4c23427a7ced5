"""The app embed's switch as the published theme's settings have it.

Source: Admin GraphQL reference 2026-10 (themes, OnlineStoreTheme.files); shopify.dev, "Theme app extension
configuration", on detecting app embed blocks; seen 2026-11. It needs the access scope `read_themes`.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any

from impact_app.domain.embed import Switch
from impact_app.stores.shopify.documents import THEME_SETTINGS
from impact_app.stores.shopify.errors import RequestRefused
from impact_app.stores.shopify.products import Ask
from impact_app.stores.shopify.storefront import EMBED

#: Shopify writes a warning for people in front of the JSON.
_COMMENTS = re.compile(r"\A(?:\s*/\*.*?\*/)+", re.DOTALL)


def embed_switch(ask: Ask) -> Switch:
    """The switch in the published theme. Raises `RequestRefused`, and whatever `ask` raises."""
    themes = ask(THEME_SETTINGS, {})["themes"]["nodes"]
    if not themes:
        raise RequestRefused("The shop has no published theme.")
    theme = themes[0]
    files = theme["files"]["nodes"]
    if not files:
        raise RequestRefused("Shopify did not tell the published theme's settings.")
    return Switch(str(theme["id"]), switched_on(_content(files[0]["body"])))


def switched_on(settings: str) -> bool | None:
    """Whether `config/settings_data.json` has the app embed on; None where it does not name it.

    Raises `RequestRefused` for what is no such file.
    """
    try:
        read = json.loads(_COMMENTS.sub("", settings, count=1))
    except (ValueError, RecursionError):
        read = None
    current = read.get("current") if isinstance(read, dict) else None
    if isinstance(current, str):
        # A theme that nobody has changed names one of its presets.
        current = _object(_object(read).get("presets")).get(current, {})
    if not isinstance(current, dict):
        raise RequestRefused("The published theme's settings cannot be read.")
    ours = [block for block in _object(current.get("blocks")).values() if _is_ours(block)]
    return any(block.get("disabled") is not True for block in ours) if ours else None


def _is_ours(block: object) -> bool:
    """An app's block is named shopify://apps/<app>/blocks/<file>/<extension>."""
    kind = str(_object(block).get("type", ""))
    return kind.startswith("shopify://apps/") and kind.split("/")[4:6] == ["blocks", EMBED]


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _content(body: Mapping[str, Any]) -> str:
    if "contentBase64" in body:
        try:
            return base64.b64decode(body["contentBase64"]).decode("utf-8", "replace")
        except binascii.Error:
            return ""
    return str(body.get("content", ""))
