"""Themes of the pretend shop, as far as the app embed's switch goes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

SETTINGS = "config/settings_data.json"
EMBED = "click_capture"
EXTENSION = "0197f3c1-5a7e-7d10-9a5e-2f0c1d4b6a88"

_WARNING = """/*
 * ------------------------------------------------------------
 * IMPORTANT: The contents of this file are auto-generated.
 * ------------------------------------------------------------
 */
"""


@dataclass
class Theme:
    """One theme. `blocks` are the app embeds that were switched on at least once: by block, whether it is on.

    `content` replaces the settings file where the theme has an unusual one.
    """

    id: int = 1
    name: str = "Dawn"
    blocks: dict[str, bool] = field(default_factory=dict)
    content: str | None = None

    def switch(self, block: str, *, is_on: bool) -> None:
        """Throw an embed's switch, and save; one that was never on is not named when it is off."""
        if is_on or block in self.blocks:
            self.blocks[block] = is_on

    @property
    def settings(self) -> str:
        """The theme's settings file."""
        if self.content is not None:
            return self.content
        blocks: dict[str, Any] = {
            f"{17_000 + at}": {
                "type": f"shopify://apps/impact/blocks/{block}/{EXTENSION}",
                "disabled": not is_on,
                "settings": {},
            }
            for at, (block, is_on) in enumerate(self.blocks.items())
        }
        current: dict[str, Any] = {"color_schemes": {}, "page_width": 1200}
        if blocks:
            current["blocks"] = blocks
        # Shopify escapes the slashes.
        told = json.dumps({"current": current, "presets": {"Default": {}}}, indent=2).replace("/", "\\/")
        return _WARNING + told
