"""The test order as a guided page: a link to follow, and each stop of the way as the order passes it."""

from __future__ import annotations

import secrets
from urllib.parse import SplitResult, urlencode, urlsplit

import structlog
from flask import abort, g, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from impact_app.domain.attribution import click_fault
from impact_app.domain.rules import read_rules
from impact_app.domain.trial import LIGHTS, Trial, click_in
from impact_app.ledger.stores import Store
from impact_app.pipeline.by_hand import Refused
from impact_app.web.access import here, services
from impact_app.web.help import TRIAL_LINK
from impact_app.web.pages import Notice, pages

log = structlog.get_logger()

_LINK_LIMIT = 2_000

#: Seconds between two looks of the page at the server: soon at first, then as somebody would who does
#: something else meanwhile.
_SOON, _LATER, _LATER_AFTER = 2, 15, 300


@pages.get("/trial")
def trial() -> str:
    """The newest test as it stands, or how to begin one."""
    return _trial(None)


@pages.post("/trial")
def act_on_trial() -> str | Response | tuple[str, int]:
    """Begin a test, or take its order back; not where another test was begun since the page was shown."""
    act, shown = request.form.get("act", ""), request.form.get("shown", "")
    acts = {"begin": _begin, "take_back": _take_back}
    if act not in acts:
        abort(404, "There is no such test.")
    return acts[act](int(shown) if shown.isascii() and shown.isdigit() and len(shown) < 19 else -1)


def _begin(after: int) -> Response | tuple[str, int]:
    store, link = here().store, request.form.get("link", "").strip()
    names = read_rules(store.rules).parameters
    fault, click = _fault(link, store), ""
    if not fault:
        click = click_in(link, names)
        fault = "The address carries something that is no click id." if click and click_fault(click) else ""
    if fault:
        return _trial(Notice("bad", "No test was begun: correct what is marked."), link, fault), 422
    is_own = not click
    if is_own:
        click = f"test-{secrets.token_urlsafe(12)}"
        link = _with(link, names[0], click)
    now, who = services().clock(), here().who
    if not services().trials.begin(store.id, after, click, link, who, now, is_own=is_own):
        return _trial(_SINCE), 200
    log.info("trial.begun", store=store.id)
    return redirect(url_for(".trial"), 303)


def _take_back(shown: int) -> Response | tuple[str, int]:
    store = here().store
    followed = services().following.newest(store)
    if followed is None or followed.order_key is None:
        abort(404, "There is no such test.")
    if followed.trial.id != shown:
        return _trial(_SINCE), 200
    if followed.can_be_taken_back:
        try:
            services().by_hand.take_back(store.id, followed.order_key, here().who, as_test=True)
        except Refused as refusal:
            return _trial(Notice("bad", str(refusal))), 200
        services().wake.soon("deliver")
        log.info("trial.taken_back", store=store.id)
    return redirect(url_for(".trial"), 303)


_SINCE = Notice("warning", "Another test was begun since. This is how that one stands; nothing was changed.")


def _fault(link: str, store: Store) -> str:
    """Why an address cannot be one of the shop's pages, "" if it can."""
    parts = _parts(link)
    if parts is None:
        return "Enter a whole address, such as https://your-shop.com/."
    if not services().origins.is_named(f"{parts.scheme}://{parts.netloc}", store):
        return (
            "This is no address of your shop. If impact.com made the link, open it first, and paste the "
            "address of the page that you land on."
        )
    return ""


def _parts(link: str) -> SplitResult | None:
    """The address taken apart; None where browsers and we might take it apart differently."""
    is_plain = link.isprintable() and not set(link) & {"\\", " "} and len(link) <= _LINK_LIMIT
    try:
        parts = urlsplit(link) if is_plain else None
    except ValueError:
        return None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        return None
    return parts


def _with(link: str, name: str, click: str) -> str:
    parts = urlsplit(link)
    query = "&".join(filter(None, (parts.query, urlencode({name: click}))))
    return parts._replace(query=query, path=parts.path or "/").geturl()


def _trial(notice: Notice | None, link: str = "", fault: str = "") -> str:
    store = here().store
    followed = services().following.newest(store)
    age = (services().clock() - followed.trial.started_at).total_seconds() if followed else 0
    g.is_live = followed is not None and followed.is_moving
    return render_template(
        "trial.html",
        visit=here(),
        notice=notice,
        followed=followed,
        lights=LIGHTS,
        every=_SOON if age < _LATER_AFTER else _LATER,
        link=link or _first_page(store, followed.trial if followed else None),
        fault=fault,
        link_field=TRIAL_LINK,
        again=gettext("Begin another test") if followed else gettext("Make the test link"),
    )


def _first_page(store: Store, before: Trial | None) -> str:
    """Where a test begins: where the last one did, or where partners' links lead, or the shop's first page.

    "" where the platform's address is not where people buy.
    """
    if before is not None:
        return urlsplit(before.link)._replace(query="", fragment="").geturl()
    told = services().setups.told(store.id)
    program = told.program(store.campaign_id) if told else None
    if program is not None and not _fault(program.landing_page, store):
        return program.landing_page
    own = store.domain if store.platform == "shopify" else ""
    domain = next(iter((*store.domains, *read_rules(store.rules).domains, own)))
    return f"https://{domain}/" if domain else ""
