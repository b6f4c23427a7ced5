"""The catalogue of all texts on pages: collected from templates, code and tables, one file a language.

    python -m impact_app.web.catalogue      brings the files up to date, and says what is not translated

A text that is new stands in each file without a translation until somebody writes it there; English is shown
meanwhile.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from impact_app.domain.alerts import CAUSES
from impact_app.domain.messages import ACTORS
from impact_app.domain.programs import NEEDS
from impact_app.domain.reasons import EXPLANATIONS
from impact_app.domain.rules import RULES
from impact_app.domain.setup import FINDINGS, STEPS
from impact_app.domain.trial import LIGHTS as TRIAL_LIGHTS
from impact_app.domain.trial import NOTES, STOPS, WHATS
from impact_app.domain.verification import ERROR_REASONS
from impact_app.pipeline.by_hand import ACTED_ON
from impact_app.web.alerts_form import CHANNEL_FIELDS, DIGESTS
from impact_app.web.errors import SENTENCES, TITLES
from impact_app.web.help import FIELDS
from impact_app.web.language import LANGUAGES
from impact_app.web.orders import DOINGS
from impact_app.web.orders_filter import FAULTS, REVERSED
from impact_app.web.overview import CLOSINGS
from impact_app.web.pages import NAVIGATION
from impact_app.web.rules import NOT_RESTORED, OVERTAKEN
from impact_app.web.rules_form import GROUPS
from impact_app.web.saving import REFUSED, UNREADABLE
from impact_app.web.sentences import PATTERNS
from impact_app.web.settings import ACCOUNT_FIELDS
from impact_app.web.setup import LIGHTS, LINKS
from impact_app.web.words import KINDS, SLUGS, VERDICTS, WORDS, in_english

_APP = Path(__file__).resolve().parents[1]
FOLDER = _APP / "translations"

_METHODS = [("**.py", "python"), ("**.html", "jinja2.ext.babel_extract")]
_KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    # These are given a text that is translated where it is shown.
    "abort": (2,),
    "sentence_of": (2,),
    "Notice": (2,),
    "_not_saved": (2,),
    "_saved": None,
    "_Stop": (2,),
    "_again": None,
}


def texts() -> Catalog:
    """Every text that a page may show, in the order in which it is met."""
    catalog = Catalog(project="impact_app", fuzzy=False)
    for folder in (_APP / "web", _APP.parent / "templates"):
        for name, _, message, _, _ in extract_from_dir(folder, _METHODS, keywords=_KEYWORDS):
            catalog.add(message, locations=[(f"{folder.name}/{name}", 1)])
    for place, text in _of_tables():
        catalog.add(text, locations=[(place, 1)])
    return catalog


def _of_tables() -> Iterator[tuple[str, str]]:
    for explanation in EXPLANATIONS.values():
        told = (explanation.happened, explanation.next, explanation.otherwise)
        yield from (("reasons", text) for text in told if text)
    for entry in RULES:
        yield from (
            ("rules", text) for text in (entry.title, entry.help, *(label for _, label in entry.choices))
        )
    for one in ACCOUNT_FIELDS:
        yield from (("settings", text) for text in (one.title, one.help, one.wrong))
    for meaning in CAUSES.values():
        yield from (("alerts", text) for text in (meaning.title, meaning.meaning, meaning.act, meaning.ends))
    for fields in FIELDS.values():
        yield from (("help", text) for one in fields for text in (one.title, one.help))
    for box in CHANNEL_FIELDS:
        yield from (("alerts", text) for text in (box.title, box.help, box.wrong))
    yield from (("settings", text) for text in (*REFUSED.values(), *UNREADABLE.values()))
    yield from (("settings", title) for title, _ in GROUPS)
    yield from (("pages", title) for _, title in NAVIGATION)
    for text in (*SENTENCES.values(), *TITLES.values()):
        yield "errors", text
    for step in STEPS.values():
        yield from (("setup", text) for text in (step.title, step.purpose))
    for found in FINDINGS.values():
        yield from (("setup", text) for text in (found.sentence, found.act) if _has_words(text))
    for need in NEEDS.values():
        yield from (("setup", text) for text in (need.scope, need.use))
    for doing in DOINGS.values():
        yield from (("orders", text) for text in (doing.title, doing.question, doing.button, doing.done))
    yield from (("orders", text) for text in (*FAULTS.values(), *REVERSED.values()))
    stops = (text for stop in STOPS.values() for text in stop)
    of_trials = (*stops, *TRIAL_LIGHTS.values(), *NOTES.values(), *WHATS.values())
    yield from (("trial", text) for text in of_trials)
    yield from (("rules", text) for text in (OVERTAKEN, NOT_RESTORED))
    yield "orders", ACTED_ON
    for table in (CLOSINGS, VERDICTS, ACTORS, WORDS, KINDS, DIGESTS, LIGHTS, LINKS):
        yield from (("words", text) for text in table.values())
    yield from (("words", in_english(slug)) for slug in SLUGS)
    yield from (("sentences", pattern) for pattern in PATTERNS)
    yield from (("sentences", meaning) for _, meaning in ERROR_REASONS.values())


def _has_words(text: str) -> bool:
    """Whether there is anything to translate; the sentence of some findings is a value alone."""
    return bool(re.sub(r"%\(\w+\)s", "", text).strip())


def updated(language: str, found: Catalog) -> Catalog:
    """The catalogue of a language with what is found now; what is found no more is dropped."""
    file = _file(language)
    known = Catalog(locale=language)
    if file.exists():
        known = read_po(io.BytesIO(file.read_bytes()), locale=language)
    known.update(found, no_fuzzy_matching=True)
    known.obsolete.clear()
    return known


def untranslated(catalog: Catalog) -> list[str]:
    """The texts for which a language has no words."""
    return [_first(message.id) for message in catalog if message.id and not _is_whole(message.string)]


def _is_whole(translation: str | Iterable[str] | None) -> bool:
    return all([translation] if isinstance(translation, str) else list(translation or [""]))


def _first(text: str | Iterable[str]) -> str:
    return text if isinstance(text, str) else next(iter(text))


def write(language: str, catalog: Catalog) -> None:
    """Write the file that people edit, and the one that is read at run time."""
    file = _file(language)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(po_bytes(catalog))
    file.with_suffix(".mo").write_bytes(mo_bytes(catalog))


def po_bytes(catalog: Catalog) -> bytes:
    """The file that people edit, without moments and line numbers, which only make changes look larger."""
    out = io.BytesIO()
    write_po(out, catalog, width=110, omit_header=False, no_location=True)
    return b"\n".join(line for line in out.getvalue().split(b"\n") if b"-Date: " not in line)


def mo_bytes(catalog: Catalog) -> bytes:
    """The file that is read at run time: the same bytes for the same words, whenever it is made."""
    catalog.creation_date = catalog.revision_date = datetime.fromtimestamp(0, UTC)
    out = io.BytesIO()
    write_mo(out, catalog)
    return out.getvalue()


def _file(language: str) -> Path:
    return FOLDER / language / "LC_MESSAGES" / "messages.po"


def main() -> None:
    found = texts()
    for language in LANGUAGES[1:]:
        catalog = updated(language, found)
        write(language, catalog)
        missing = untranslated(catalog)
        sys.stdout.write(f"{language}: {len(catalog) - len(missing)} of {len(catalog)} texts translated\n")
        sys.stdout.writelines(f"  {text}\n" for text in missing)


if __name__ == "__main__":
    main()
