"""Reports a store's paid orders to impact.com, once each and with the right money."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from impact_app.wiring import Services


def create_app(line: Services | None = None) -> Flask:
    """The web application; `line` is given by tests, and read from the environment otherwise.

    Raises `ConfigError` when the environment cannot be used.
    """
    # Imported here, so that who needs only the domain does not load the web.
    from flask import Flask  # noqa: PLC0415

    from impact_app import cli, web, wiring  # noqa: PLC0415

    made = line or wiring.services()
    root = Path(__file__).resolve().parent
    app = Flask("impact_app", root_path=str(root), template_folder=str(root.parent / "templates"))
    app.config.update(
        SECRET_KEY=made.config.secret_keys[0],
        SECRET_KEY_FALLBACKS=list(made.config.secret_keys[1:]),
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=made.config.app_url.startswith("https://"),
        MAX_CONTENT_LENGTH=1024 * 1024,
    )
    app.extensions["impact"] = made
    web.register(app)
    cli.register(app)
    return app
