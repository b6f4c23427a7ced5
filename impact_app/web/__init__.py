"""The web: thin doorways to the line. `register` gives them to an app."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask

from impact_app.web import alerts, attention, embed, orders, overview, rules, settings_page, setup, trial  # noqa: F401 - they add their routes to `pages`
from impact_app.web.dashboard import saleor_session
from impact_app.web.embedded import embedded
from impact_app.web.errors import register_errors
from impact_app.web.headers import register_headers
from impact_app.web.health import health
from impact_app.web.language import register_language
from impact_app.web.pages import navigation, pages
from impact_app.web.password import password
from impact_app.web.saleor import saleor
from impact_app.web.shopify_install import shopify_install
from impact_app.web.storefront import storefront
from impact_app.web.webhooks import webhooks
from impact_app.web.words import register_words

#: A browser stays signed in this long after its last request.
SIGNED_IN = timedelta(hours=12)


def register(app: Flask) -> None:
    """Give the app its routes, its error pages and the headers of every answer."""
    app.config["PERMANENT_SESSION_LIFETIME"] = SIGNED_IN
    app.config["WTF_CSRF_TIME_LIMIT"] = int(SIGNED_IN.total_seconds())
    register_errors(app)
    register_headers(app)
    register_language(app)
    register_words(app)
    app.jinja_env.globals["navigation"] = navigation
    doors = (embedded, saleor_session, password)
    for blueprint in (webhooks, saleor, storefront, shopify_install, *doors, health):
        app.register_blueprint(blueprint)
    app.register_blueprint(pages, url_prefix="/stores/<int:store_id>")
    app.register_blueprint(pages, url_prefix="/shopify", name="embedded")
    app.register_blueprint(pages, url_prefix="/saleor", name="dashboard")
