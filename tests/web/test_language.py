"""German is whole: every text has its words, with the same values in them, and pages are told in them."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from impact_app.web.catalogue import FOLDER, mo_bytes
from impact_app.web.language import LANGUAGES

#: What German says in the same letters.
THE_SAME = {"Partner", "SKU", "Status %(code)s", "Storefront", "Version %(version)s", "Webhook"}


def kept(language: str) -> Catalog:
    return read_po(
        io.BytesIO((FOLDER / language / "LC_MESSAGES" / "messages.po").read_bytes()), locale=language
    )


def pairs(catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Each text with its words, plural forms one by one."""
    for message in catalog:
        if message.id:
            texts = [message.id] if isinstance(message.id, str) else message.id
            words = [message.string] if isinstance(message.string, str) else message.string
            yield from zip(texts, words, strict=True)


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_what_is_read_at_run_time_is_what_people_edit(language: str) -> None:
    built = FOLDER / language / "LC_MESSAGES" / "messages.mo"
    assert built.read_bytes() == mo_bytes(kept(language)), "run python -m impact_app.web.catalogue"


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_translations_hold_the_same_values(language: str) -> None:
    values = re.compile(r"%\(\w+\)s|%%|%")
    assert [
        (text, words)
        for text, words in pairs(kept(language))
        if words and sorted(values.findall(text)) != sorted(values.findall(words))
    ] == []


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_no_translation_is_the_english_text(language: str) -> None:
    said = re.compile(r"%\(\w+\)s")
    same = {text for text, words in pairs(kept(language)) if text == words}
    assert {text for text in same if re.search("[a-zA-Z]", said.sub("", text))} == THE_SAME
