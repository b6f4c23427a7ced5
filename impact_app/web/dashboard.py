"""The door inside Saleor's dashboard, which frames the pages and tells by message who its user is.

    no ticket      -> a page with our script alone: it asks the dashboard for the user's token, and posts it
    user's token   -> verified against the installation's keys -> a ticket, and on to the page that was wanted
    ticket         -> the page; its links and forms carry tickets of their own

There is no cookie: browsers keep none for a page framed by another site.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import structlog
from flask import Blueprint, abort, g, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from impact_app.ledger.stores import Store
from impact_app.pipeline.saleor import PLATFORM, KeysUnavailable
from impact_app.stores.saleor.install import domain_of, is_api_url
from impact_app.stores.saleor.session import NotPermitted
from impact_app.stores.sessions import SessionRefused
from impact_app.web.access import (
    Visit,
    is_reading,
    kept_language,
    redirected,
    same_origin_path,
    services,
    tickets,
    tickets_for,
)
from impact_app.web.errors import sentence_of, wants_page
from impact_app.web.tickets import Holder, TicketRefused

log = structlog.get_logger()

saleor_session = Blueprint("saleor_session", __name__, url_prefix="/saleor")

#: A form with a token of a few kilobytes.
_FORM_LIMIT = 64 * 1024

_ELSEWHERE = "Open the app from Saleor's dashboard: only there it is told who you are."


def dashboard_visit() -> Visit:
    """Prove a visit from inside Saleor's dashboard; the store is the ticket's, never a parameter's."""
    use, given = ("link", request.args) if is_reading() else ("form", request.form)
    try:
        holder = tickets(PLATFORM).read(given.get("ticket", ""), use, services().clock())  # type: ignore[arg-type]
    except TicketRefused as refusal:
        raise _ask_again(refusal.shop or _named_domain()) from refusal
    store = _framed(holder.shop)
    # A copied address opened outside the dashboard's frame proves nothing.
    outside = use == "link" and request.headers.get("Sec-Fetch-Dest") == "document"
    if outside or store is None:
        raise _ask_again(holder.shop)
    kept = kept_language()
    links, forms = tickets_for(holder, PLATFORM)
    who = f"Saleor user {holder.user_id}"
    return Visit(store, "dashboard", "", {**links, **kept}, {**forms, **kept}, who, holder.may_configure)


def dashboard_origins(store: Store) -> tuple[str, ...]:
    """Where this Saleor's dashboard may stand: beside its API, or where the operator says."""
    api = urlsplit(str(store.installation.get("api_url", "")))
    return (f"{api.scheme}://{api.netloc}", *services().config.saleor.dashboards)


@saleor_session.get("/session-token")
def ask() -> str:
    """The page that asks the dashboard who its user is. Nobody is proved here, so it shows nothing else."""
    store = _framed(_named_domain())
    if store is None:
        abort(404, "This Saleor is not connected here. Install the app in its dashboard first.")
    return render_template(
        "saleor_session.html",
        origins=" ".join(dashboard_origins(store)),
        api_url=store.installation["api_url"],
        wanted=_wanted(request.args.get("reload")),
        locale=request.args.get("locale", ""),
    )


@saleor_session.post("/session-token")
def take() -> Response:
    """Verify the token that the dashboard handed to our script, and go on with a ticket in its place."""
    request.max_content_length = _FORM_LIMIT
    domain = _named_domain() or ""
    _framed(domain)
    now = services().clock()
    try:
        store, staff = services().saleor.session(domain, request.form.get("token", ""))
    except NotPermitted:
        abort(403, "Your Saleor account may not see orders. Ask for the permission to manage orders.")
    except SessionRefused as refusal:
        log.info("session.refused", reason=refusal.reason)
        abort(401, f"Saleor's word for you is not accepted: {refusal.reason}. Open the app again.")
    except KeysUnavailable:
        abort(503, "Saleor's keys cannot be had at the moment. Open the app again in a minute.")
    holder = Holder(store.domain, staff.user_id, int(now.timestamp()), staff.may_configure)
    links, _ = tickets_for(holder, PLATFORM)
    wanted = urlsplit(_wanted(request.form.get("reload")))
    kept = [pair for pair in parse_qsl(wanted.query) if pair[0] not in ("ticket", "locale")]
    values = [*kept, *{**links, **kept_language()}.items()]
    return redirect(f"{wanted.path}?{urlencode(values)}", 303)


@saleor_session.get("/order")
def order() -> Response:
    """Where the dashboard's page of an order leads: it names the order as `orderId`."""
    return _to_order("dashboard.order")


@saleor_session.get("/order-verdict")
def order_verdict() -> Response:
    """The same for the small frame beside the order."""
    return _to_order("dashboard.verdict")


def _to_order(page: str) -> Response:
    order_key = request.args.get("orderId", "")
    if not 0 < len(order_key) <= 255 or not order_key.isprintable():
        abort(400, "The address names no order. Open it from an order in Saleor's dashboard.")
    wanted = url_for(page, order_key=order_key)
    return redirect(_asking_address(_named_domain(), wanted), 303)


def _framed(domain: str | None) -> Store | None:
    """The connected store at `domain`, whose dashboard may then frame this answer."""
    store = services().stores.find(PLATFORM, domain) if domain else None
    if store is None or store.state != "connected" or "api_url" not in store.installation:
        return None
    g.frame_dashboards = dashboard_origins(store)
    g.first_page = f"/saleor/?{urlencode({'saleorApiUrl': store.installation['api_url']})}"
    return store


def _named_domain() -> str | None:
    """The Saleor that a request says it comes from; only a token or a ticket proves it."""
    api_url = request.values.get("saleorApiUrl", "").strip().lower()
    return domain_of(api_url) if is_api_url(api_url) else None


def _wanted(text: str | None) -> str:
    """A page behind this door; the first one where `text` leads elsewhere."""
    path = same_origin_path(text)
    is_page = path is not None and path.startswith("/saleor/") and "/session-token" not in path
    return path if path is not None and is_page else "/saleor/"


def _ask_again(domain: str | None) -> HTTPException:
    """What to answer without a valid ticket: a document goes to the page that asks the dashboard."""
    store = _framed(domain)
    if not is_reading():
        return sentence_of(
            401,
            "This page was open for too long, so nothing was changed. Open the app again and repeat it.",
        )
    if not wants_page() or store is None:
        return sentence_of(401, _ELSEWHERE)
    left_out = {"ticket", "saleorApiUrl"}
    given = {name: text for name, text in request.args.items() if name not in left_out}
    path = quote(request.path)
    wanted = f"{path}?{urlencode(given)}" if given else path
    return redirected(_asking_address(domain, wanted))


def _asking_address(domain: str | None, wanted: str) -> str:
    store = _framed(domain)
    if store is None:
        abort(401, _ELSEWHERE)
    values = {"saleorApiUrl": store.installation["api_url"], "reload": wanted}
    if locale := request.args.get("locale"):
        values["locale"] = locale
    return url_for("saleor_session.ask", **values)
