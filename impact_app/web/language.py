"""Which language a page speaks: the platform's word for its user first, then the browser's."""

from __future__ import annotations

from flask import Flask, g, request
from flask_babel import Babel, get_locale

#: The languages there is a whole catalogue for; English is the texts themselves.
LANGUAGES: tuple[str, ...] = ("en", "de")


def register_language(app: Flask) -> None:
    """Have texts translated on the way to the page, and give templates the page's language."""
    Babel(app, locale_selector=language, default_translation_directories="translations")
    app.jinja_env.globals["language"] = lambda: str(get_locale() or LANGUAGES[0])


def language() -> str:
    """The language of this request.

    Shopify's admin says in `locale` what its user reads ("de", "de-DE"); our links and forms keep it.
    """
    said = (request.args.get("locale") or g.get("locale", ""))[:2].lower()
    return said if said in LANGUAGES else request.accept_languages.best_match(LANGUAGES) or LANGUAGES[0]
