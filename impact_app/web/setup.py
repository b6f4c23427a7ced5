"""The set-up page: every step with its check, and what is missing saved step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import abort, render_template, request, url_for
from flask_babel import gettext

from impact_app.domain.programs import NEEDS, Told
from impact_app.domain.setup import STEPS, Facts, Light, Link, Said, StepName, first_open, progress
from impact_app.ledger.stores import Store, Superseded
from impact_app.stores.shopify.storefront import EMBED
from impact_app.web.access import here, services
from impact_app.web.dashboard import dashboard_origins
from impact_app.web.embed import embed_known
from impact_app.web.pages import Notice, pages
from impact_app.web.saving import save_account, seen_again
from impact_app.web.settings import ACCOUNT_FIELDS, SettingsForm, stored
from impact_app.web.words import moment, translated

#: What impact.com told is asked for again when the page is opened after this; sooner if it did not answer.
FRESH, FRESH_FAULT = timedelta(minutes=10), timedelta(minutes=1)

#: The boxes that each step saves; nothing else is touched.
BOXES: Mapping[StepName, tuple[str, ...]] = {
    StepName.ACCOUNT: ("account_sid", "auth_token"),
    StepName.PROGRAM: ("campaign_id",),
    StepName.EVENT_TYPE: ("event_type_id",),
}

#: How a step's light is called.
LIGHTS: Mapping[str, str] = {
    Light.PASSED: "Done",
    Light.WARNING: "Done, with a hint",
    Light.WAITING: "Open",
    Light.FAILED: "Not right",
    Light.NOT_NEEDED: "Not needed",
}

#: How a place to act is called.
LINKS: Mapping[str, str] = {
    Link.INSTALL: "Install the app again",
    Link.OPEN_APP: "Open the app in your shop's admin",
    Link.STORE_ORDERS: "Your shop's orders",
    Link.DEVELOPER: "The app's settings at the platform",
    Link.HEALTH: "What the app says of its parts",
    Link.IMPACT: "Open impact.com",
    Link.THEME_EDITOR: "Switch the embed on in the theme editor",
    Link.ATTENTION: "Open Attention",
    Link.RULES: "Open the rules",
    Link.ORDERS: "Open the orders",
    Link.TRIAL: "Make a test order",
}


@dataclass(frozen=True)
class Place:
    """Where to act. `is_outside`: it is no page of this app, so it opens beside this one."""

    title: str
    address: str
    is_outside: bool = False


@pages.get("/setup")
def setup() -> str:
    """The steps; impact.com is asked only if what it told is old, or is about other settings."""
    store = here().store
    told = services().setups.told(store.id)
    return _setup(_asked(store) if _is_stale(store, told) else told)


@pages.post("/setup")
def save_setup() -> tuple[str, int]:
    """Save what one step asks for, or do what a button of the page says."""
    step = request.form.get("step", "")
    if step in _BUTTONS:
        notice = _BUTTONS[step]()
        return _setup(_told(), notice=notice), 200
    if step not in set(BOXES):
        abort(404, "There is no such step.")
    name = StepName(step)
    saving = save_account(request.form, BOXES[name])
    if not saving.is_saved:
        return _setup(_told(), saving.form, saving.notice, name), saving.status
    told = _told() if name is StepName.EVENT_TYPE else _asked(here().store)
    return _setup(told, notice=saving.notice), saving.status


def _is_stale(store: Store, told: Told | None) -> bool:
    if store.state != "connected" or not (store.account_sid and store.has_auth_token):
        return False
    if told is None or (store.campaign_id or told.campaign_id) != told.campaign_id:
        return True
    fresh = FRESH_FAULT if told.account.outcome == "unreachable" else FRESH
    return services().clock() - told.told_at >= fresh


def _told() -> Told | None:
    """What impact.com told last."""
    return services().setups.told(here().store.id)


def _asked(store: Store) -> Told | None:
    """What impact.com tells now; None where there is no account to ask with."""
    try:
        return services().inquirer.ask(store)
    except LookupError:
        # Missing credentials, or a token that no key opens: both are told of by their step.
        return None


def _take_parameters() -> Notice:
    """Look for the name under which the program's links bring the click, too."""
    otherwise = Notice("warning", "Nothing was changed: the program's links bring no other name.")
    return _take("parameters", otherwise)


def _take_window() -> Notice:
    """Keep clicks for as long as the contracts count them."""
    otherwise = Notice("warning", "Nothing was changed: the contracts tell no other window.")
    return _take("referral_days", otherwise)


def _take(rule: str, otherwise: Notice) -> Notice:
    """Have a rule follow what impact.com told."""
    store = here().store
    facts, _ = services().surveyor.survey(store, _told())
    if rule not in facts.suggested:
        return otherwise
    changed = {**store.rules, rule: facts.suggested[rule]}
    try:
        services().stores.save_rules(
            store.id, changed, by=here().who, now=services().clock(), instead_of=store.rules_version
        )
    except Superseded:
        return Notice("warning", "Nothing was changed: somebody saved other rules just now. Press it again.")
    services().settings_saved(store.id)
    seen_again()
    return Notice("good", "Saved. The rule has a new version.")


def _check() -> Notice:
    """Ask impact.com now, and have the storefront looked at."""
    store = here().store
    _asked(store)
    if store.platform == "shopify":
        services().check_storefront(store.id)
    seen_again()
    return Notice("good", "Checked just now.")


#: What one click does, by the name that its form sends as the step.
_BUTTONS: Mapping[str, Callable[[], Notice]] = {
    "check": _check,
    "parameters": _take_parameters,
    "window": _take_window,
}


def _setup(
    told: Told | None,
    form: SettingsForm | None = None,
    notice: Notice | None = None,
    opened: StepName | None = None,
) -> str:
    store = here().store
    facts, found = services().surveyor.survey(store, told)
    return render_template(
        "setup.html",
        visit=here(),
        form=form or stored(store),
        fields={one.name: one for one in ACCOUNT_FIELDS},
        notice=notice,
        facts=facts,
        standings=found,
        steps=STEPS,
        needs=NEEDS,
        progress=progress(found),
        opened=opened or first_open(found),
        lights=LIGHTS,
        sentence=_sentence,
        place=lambda link: _place(link, store),
        offer=_offer(facts),
        embed=EMBED,
        embed_known=embed_known(store),
    )


def _sentence(said: Said) -> str:
    """The sentence with its values, in the page's language."""
    told = {name: _in_words(value) for name, value in said.values.items()}
    return gettext(said.meaning.sentence, **told) if told else translated(said.meaning.sentence)


def _in_words(value: Any) -> str:
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, tuple):
        return ", ".join(value)
    return translated(str(value))


@dataclass(frozen=True)
class Offer:
    """What is preset in the boxes that are still empty: the only program, the only event type."""

    campaign_id: str
    event_type_id: str


def _offer(facts: Facts) -> Offer:
    told = facts.told
    active = [one.id for one in told.programs if one.is_active] if told else []
    met = [one.id for one in told.event_types] if told else []
    return Offer(active[0] if len(active) == 1 else "", met[0] if len(met) == 1 else "")


def _place(link: Link, store: Store) -> Place:
    if link in _PAGES:
        return Place(LINKS[link], url_for(f".{_PAGES[link]}"))
    if link is Link.HEALTH:
        return Place(LINKS[link], url_for("health.readyz"), is_outside=True)
    if link is Link.IMPACT:
        return Place(LINKS[link], "https://app.impact.com/", is_outside=True)
    at_platform = _at_shopify if store.platform == "shopify" else _at_saleor
    return Place(LINKS[link], at_platform(link, store), is_outside=True)


_PAGES = {
    Link.ATTENTION: "attention",
    Link.RULES: "rules",
    Link.ORDERS: "orders",
    Link.TRIAL: "trial",
}


def _at_shopify(link: Link, store: Store) -> str:
    """Source: shopify.dev, "Deep linking" and "Configure theme app extensions", seen 2026-11."""
    shopify = services().config.shopify
    key = shopify.api_key if shopify else ""
    admin = f"https://admin.shopify.com/store/{store.domain.removesuffix('.myshopify.com')}"
    editor = f"https://{store.domain}/admin/themes/current/editor"
    addresses = {
        Link.INSTALL: url_for("shopify_install.install", shop=store.domain),
        Link.OPEN_APP: f"{admin}/apps/{key}",
        Link.STORE_ORDERS: f"{admin}/orders",
        Link.THEME_EDITOR: f"{editor}?context=apps&template=index&activateAppId={key}/{EMBED}",
    }
    return addresses.get(link, "https://dev.shopify.com/dashboard/")


def _at_saleor(_link: Link, store: Store) -> str:
    """The dashboard: where the operator says, else beside the API, as Saleor Cloud has it."""
    beside, *named = dashboard_origins(store)
    return f"{named[0]}/" if named else f"{beside}/dashboard/"
