"""The settings page: the whole account at impact.com, and what is set up in the storefront."""

from __future__ import annotations

from flask import render_template, request

from impact_app.stores.shopify.storefront import EMBED
from impact_app.web.access import here, services
from impact_app.web.embed import embed_known
from impact_app.web.pages import Notice, pages
from impact_app.web.saving import save_account
from impact_app.web.settings import ACCOUNT_FIELDS, SettingsForm, stored


@pages.get("/settings")
def settings() -> str:
    return _settings(stored(here().store), None)


@pages.post("/settings")
def save_settings() -> tuple[str, int]:
    """Try the credentials and save everything, or nothing and say why."""
    saving = save_account(request.form, [one.name for one in ACCOUNT_FIELDS])
    form = stored(here().store) if saving.is_saved else saving.form
    return _settings(form, saving.notice), saving.status


def _settings(form: SettingsForm, notice: Notice | None) -> str:
    shopify = services().config.shopify if here().store.platform == "shopify" else None
    return render_template(
        "settings.html",
        visit=here(),
        form=form,
        account_fields=ACCOUNT_FIELDS,
        notice=notice,
        api_key=shopify.api_key if shopify else "",
        embed=EMBED,
        embed_known=embed_known(here().store),
    )
