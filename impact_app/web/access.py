"""Who may see which store: every page of a store asks here first, and gets the one store that was proved.

    Shopify's admin     id_token (verified on each request)  -> shop -> store     no cookie
                        a link's or a form's ticket          -> shop -> store     signed by us, short-lived
    Saleor's dashboard  a user's token, then such tickets    -> shop -> store     see `dashboard.py`
    a browser           password -> session cookie           -> store id of the address

Every query after that takes the id of the proved store.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Literal, cast
from urllib.parse import quote, urlencode

import structlog
from flask import abort, current_app, g, redirect, request, session, url_for
from werkzeug.exceptions import HTTPException

from impact_app.config import Config, ShopifyConfig
from impact_app.ledger.stores import Store
from impact_app.stores.sessions import SessionRefused
from impact_app.stores.shopify.errors import GrantRefused, PlatformUnreachable
from impact_app.stores.shopify.session import verify_id_token
from impact_app.stores.shopify.shop import shop_domain
from impact_app.web.csrf import check_form, form_token
from impact_app.web.errors import AskAgain, sentence_of, wants_page
from impact_app.web.language import language
from impact_app.web.tickets import Holder, TicketRefused, Tickets, TicketUse
from impact_app.wiring import Services

log = structlog.get_logger()

Door = Literal["embedded", "dashboard", "password"]

#: The largest integer a database column holds; a larger number in an address names nothing.
LARGEST_ID = 2**63 - 1

_JUST_NOW_SECONDS = 30

_HOST = re.compile(r"[A-Za-z0-9_=+/-]{1,300}")


@dataclass(frozen=True)
class Visit:
    """A proved visitor of one store. `link_values` go into every link, `form_values` into every form.

    api_key         which app of Shopify's App Bridge speaks for; "" outside Shopify's admin
    who             how this visitor stands in the record of what was done by hand
    may_configure   whether settings may be changed
    """

    store: Store
    door: Door
    api_key: str
    link_values: dict[str, str]
    form_values: dict[str, str]
    who: str
    may_configure: bool = True


def services() -> Services:
    return cast(Services, current_app.extensions["impact"])


def here() -> Visit:
    """The visit of this request, proved before any page of a store runs."""
    return cast(Visit, g.visit)


def password_visit(store_id: int) -> Visit:
    """Prove a visit by the session cookie, and by the form's CSRF token where something is changed."""
    if not is_signed_in():
        raise _sign_in()
    if not is_reading():
        check_form()
    store = services().stores.get(store_id) if store_id <= LARGEST_ID else None
    if store is None:
        abort(404, "There is no such store here.")
    return Visit(store, "password", "", {}, {"csrf_token": form_token()}, "admin password")


def embedded_visit() -> Visit:
    """Prove a visit from inside Shopify's admin; the shop is the proof's, never a parameter's."""
    shopify = shopify_config()
    bearer = request.headers.get("Authorization", "")
    if bearer.lower().startswith("bearer "):
        return _by_id_token(bearer[7:].strip(), shopify)
    if not is_reading():
        return _by_ticket(request.form.get("ticket", ""), "form")
    if id_token := request.args.get("id_token"):
        return _by_id_token(id_token, shopify)
    return _by_ticket(request.args.get("ticket", ""), "link")


def page_address(visit: Visit, path: str) -> str:
    """Where a person opens a page of this visit from elsewhere: Shopify's admin, or the app itself.

    Shopify's admin puts the page's whole path behind the app's name.
    """
    if visit.door != "embedded":
        return f"{services().config.app_url}{path}"
    name = visit.store.domain.removesuffix(".myshopify.com")
    return f"https://admin.shopify.com/store/{name}/apps/{visit.api_key}{path}"


def shopify_config() -> ShopifyConfig:
    shopify = services().config.shopify
    if shopify is None:
        abort(404, "Shopify is switched off here: set SHOPIFY_API_KEY and SHOPIFY_API_SECRET.")
    return shopify


def _by_id_token(token: str, shopify: ShopifyConfig) -> Visit:
    try:
        proved = verify_id_token(token, shopify, services().clock())
    except SessionRefused as refusal:
        log.info("session.refused", reason=refusal.reason)
        raise _ask_again(None) from refusal
    g.frame_shop = proved.shop
    holder = Holder(proved.shop, proved.user_id, int(services().clock().timestamp()))
    return _embedded(_connected(proved.shop, token), holder)


def _connected(shop: str, id_token: str) -> Store:
    try:
        return services().tokens.connected_store(shop, id_token)
    except GrantRefused as refusal:
        if refusal.code == "invalid_subject_token":
            raise _ask_again(shop) from refusal
        log.warning("session.not_connected", reason=str(refusal))
        abort(
            503,
            "Shopify does not give this app access to the shop. Check SHOPIFY_API_KEY and "
            "SHOPIFY_API_SECRET, and that the app is installed; then open it again.",
        )
    except PlatformUnreachable:
        abort(503, "Shopify cannot be reached at the moment. Open the app again in a minute.")


def _by_ticket(ticket: str, use: TicketUse) -> Visit:
    try:
        holder = tickets("shopify").read(ticket, use, services().clock())
    except TicketRefused as refusal:
        g.frame_shop = refusal.shop
        raise _ask_again(refusal.shop) from refusal
    g.frame_shop = holder.shop
    store = services().stores.find("shopify", holder.shop)
    # A copied address opened outside the admin's frame proves nothing: App Bridge is asked again there.
    outside = use == "link" and request.headers.get("Sec-Fetch-Dest") == "document"
    if outside or store is None or store.state != "connected":
        raise _ask_again(holder.shop)
    return _embedded(store, holder)


def _embedded(store: Store, holder: Holder) -> Visit:
    links, forms = tickets_for(holder, "shopify")
    # App Bridge finds the frame around it by `host`, which must therefore stay in the address.
    host = request.values.get("host", "")
    kept = {"host": host} if _HOST.fullmatch(host) else {}
    kept |= kept_language()
    who = f"Shopify user {holder.user_id}"
    return Visit(store, "embedded", shopify_config().api_key, {**links, **kept}, {**forms, **kept}, who)


def _ask_again(shop: str | None) -> HTTPException:
    """What to answer without a valid proof: a document goes to App Bridge for one, a script is told to."""
    if not wants_page() or "Authorization" in request.headers:
        return AskAgain()
    if not is_reading():
        return sentence_of(
            401,
            "This page was open for too long, so nothing was changed. Open the app again and repeat it.",
        )
    if _was_just_asked():
        g.frame_admin = True
        return sentence_of(
            401,
            "Shopify's session tokens are not accepted. Check SHOPIFY_API_KEY and SHOPIFY_API_SECRET, and "
            "that the clock of this app's machine is right; then open the app again.",
        )
    return redirected(_bounce_address(shop))


def _was_just_asked() -> bool:
    """Whether App Bridge brought this very token a moment ago: asking once more would go on for ever."""
    asked = request.args.get("asked", "")
    now = int(services().clock().timestamp())
    recent = {str(now - ago) for ago in range(_JUST_NOW_SECONDS)}
    return "id_token" in request.args and asked in recent


def _bounce_address(shop: str | None) -> str:
    left_out = {"id_token", "ticket", "asked"}
    given = {name: text for name, text in request.args.items() if name not in left_out}
    given["asked"] = str(int(services().clock().timestamp()))
    wanted = f"{quote(request.path)}?{urlencode(given)}"
    host = request.args.get("host", "")
    values = {"shop": shop or shop_domain(request.args.get("shop")) or "", "host": host}
    kept = {name: text for name, text in values.items() if text}
    return f"{url_for('shopify_session.session_token')}?{urlencode({**kept, 'shopify-reload': wanted})}"


def redirected(address: str) -> HTTPException:
    return HTTPException(response=redirect(address, 303))


def tickets(platform: str) -> Tickets:
    return Tickets(services().config.secret_keys, platform)


def tickets_for(holder: Holder, platform: str) -> tuple[dict[str, str], dict[str, str]]:
    """What the links of a page carry, and what its forms do."""
    made, now = tickets(platform), services().clock()
    return {"ticket": made.issue(holder, "link", now)}, {"ticket": made.issue(holder, "form", now)}


def kept_language() -> dict[str, str]:
    """The language that the platform named, to go on with from page to page."""
    g.locale = request.values.get("locale", "")
    return {"locale": language()} if g.locale else {}


def is_signed_in() -> bool:
    """Whether this browser gave the password that holds now; another password ends older sessions."""
    given = session.get("proof")
    return isinstance(given, str) and hmac.compare_digest(given, _proof(services().config))


def sign_in(password: str) -> bool:
    """Begin a new session if `password` is right, in the same time whether it is or not."""
    config = services().config
    right = hmac.compare_digest(_digest(password), _digest(config.admin_password))
    if not right or not config.admin_password:
        return False
    session.clear()
    session["proof"] = _proof(config)
    session.permanent = True
    return True


def same_origin_path(text: str | None) -> str | None:
    """`text` if a browser reads it as a path on this very host, whatever it does to slashes; else None."""
    if not text or len(text) > 4000 or not text.startswith("/") or text.startswith(("//", "/\\")):
        return None
    return text if text.isprintable() and "\\" not in text else None


def _sign_in() -> HTTPException:
    if not is_reading() or not wants_page():
        return sentence_of(401, "You are not signed in. Open the first page and enter the admin password.")
    return redirected(url_for("password.front", next=request.full_path.rstrip("?")))


def is_reading() -> bool:
    return request.method in ("GET", "HEAD")


def _proof(config: Config) -> str:
    return hmac.digest(config.secret_keys[0].encode(), _digest(config.admin_password), "sha256").hex()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
