"""The app embed's switch is read from a theme's settings, in all the ways themes write them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from impact_app.simulator.shopify.themes import Theme
from impact_app.stores.shopify.errors import RequestRefused
from impact_app.stores.shopify.theme import embed_switch, switched_on

OURS = "shopify://apps/our-app/blocks/click_capture/0197f3c1-5a7e-7d10-9a5e-2f0c1d4b6a88"
THEIRS = "shopify://apps/their-app/blocks/popup/11111111-5a7e-7d10-9a5e-2f0c1d4b6a88"


def settings(*blocks: Mapping[str, Any], **more: Any) -> str:
    named = {str(at): block for at, block in enumerate(blocks)}
    return json.dumps({"current": {"blocks": named}, **more})


@pytest.mark.parametrize(
    ("written", "is_on"),
    [
        (settings({"type": OURS, "disabled": False, "settings": {}}), True),
        (settings({"type": OURS}), True),
        (settings({"type": OURS, "disabled": True}), False),
        (settings({"type": THEIRS, "disabled": False}), None),
        (settings({"type": THEIRS}, {"type": OURS, "disabled": True}), False),
        (settings({"type": "click_capture"}, {}), None),
        ('{"current": {}}', None),
        ('{"current": {"blocks": []}}', None),
        # nobody has changed this theme yet
        ('{"current": "Default", "presets": {"Default": {"color": "red"}}}', None),
        ('{"current": "Gone", "presets": {}}', None),
        (json.dumps({"current": "A", "presets": {"A": {"blocks": {"1": {"type": OURS}}}}}), True),
        ("/* one */\n/* two\n */ " + settings({"type": OURS}), True),
        (settings({"type": OURS}).replace("/", "\\/"), True),
    ],
)
def test_the_switch_is_read(written: str, is_on: bool | None) -> None:
    assert switched_on(written) is is_on


@pytest.mark.parametrize("written", ["", "{", "[]", "null", "{}", '{"current": 3}', "[" * 100_000, "/* {"])
def test_what_is_no_settings_file_says_so(written: str) -> None:
    with pytest.raises(RequestRefused, match="cannot be read"):
        switched_on(written)


def test_the_pretend_themes_switch_is_read() -> None:
    theme = Theme()
    assert switched_on(theme.settings) is None
    theme.switch("click_capture", is_on=True)
    assert switched_on(theme.settings) is True
    theme.switch("click_capture", is_on=False)
    assert switched_on(theme.settings) is False


def answered(files: list[dict[str, Any]]) -> Any:
    return lambda _document, _variables: {"themes": {"nodes": [{"id": "T", "files": {"nodes": files}}]}}


def test_each_way_of_telling_a_file_is_understood() -> None:
    whole = {"body": {"content": settings({"type": OURS})}}
    coded = {"body": {"contentBase64": "eyJjdXJyZW50Ijp7fX0="}}
    assert embed_switch(answered([whole])).is_on is True
    assert embed_switch(answered([coded])).is_on is None
    for unread in ([], [{"body": {}}], [{"body": {"contentBase64": "x"}}]):
        with pytest.raises(RequestRefused):
            embed_switch(answered(unread))
    with pytest.raises(RequestRefused, match="no published theme"):
        embed_switch(lambda _document, _variables: {"themes": {"nodes": []}})
