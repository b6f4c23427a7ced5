"""The code-grant install, for where Shopify's own install and the embedded page are not used."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, Response, current_app, redirect, request
from flask_babel import gettext
from itsdangerous import BadSignature, URLSafeSerializer
from markupsafe import Markup
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from impact_app.config import Config, ShopifyConfig
from impact_app.stores.shopify.errors import GrantRefused, PlatformUnreachable
from impact_app.stores.shopify.install import CallbackRefused, authorize_url, is_signed, read_callback
from impact_app.stores.shopify.shop import shop_domain
from impact_app.web.language import language
from impact_app.web.words import translated

shopify_install = Blueprint("shopify_install", __name__, url_prefix="/shopify")

COOKIE = "shopify_install"
COOKIE_PATH = "/shopify/callback"

#: A merchant has this long to read Shopify's consent page.
INSTALL_WINDOW = timedelta(minutes=10)

_PAGE = Markup(
    '<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>'
    '<meta name="viewport" content="width=device-width, initial-scale=1"></head>'
    "<body><h1>{title}</h1><p>{sentence}</p></body></html>"
)


@dataclass(frozen=True)
class Begun:
    """What this browser set out to do: install into `shop`, from inside Shopify's admin or not."""

    state: str
    shop: str
    at: datetime
    from_admin: bool


class _Stop(HTTPException):
    """Ends the request with a page that says one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        title = gettext("The app was not installed")
        page = _PAGE.format(language=language(), title=title, sentence=translated(sentence))
        super().__init__(response=Response(page, status))


@shopify_install.get("/install")
def install() -> BaseResponse:
    """Send the merchant to Shopify's consent page, and remember in this browser that it was asked."""
    shopify = _shopify()
    given = request.args.getlist("shop")
    shop = shop_domain(given[0]) if len(given) == 1 else None
    if shop is None:
        raise _Stop(400, "Give the shop once, as in /shopify/install?shop=your-store.myshopify.com.")
    from_admin = "hmac" in request.args
    if from_admin and not is_signed(_pairs(), shopify.secrets):
        raise _Stop(403, "This link was not signed by Shopify for this app: open the app from Shopify again.")
    begun = Begun(secrets.token_urlsafe(32), shop, _services().clock(), from_admin)
    target = authorize_url(shopify, shop, redirect_uri=_callback_url(), state=begun.state)
    answer = redirect(target, 302)
    answer.set_cookie(
        COOKIE,
        _written(begun),
        max_age=INSTALL_WINDOW,
        path=COOKIE_PATH,
        secure=True,
        httponly=True,
        samesite="Lax",
    )
    return answer


@shopify_install.get("/callback")
def callback() -> BaseResponse:
    """Check that Shopify answers what this browser asked, connect the shop, and go to the app's page."""
    shopify = _shopify()
    begun = _begun()
    now = _services().clock()
    try:
        consent = read_callback(_pairs(), shopify, state=begun.state if begun else None, now=now)
    except CallbackRefused as error:
        raise _Stop(400 if error.malformed else 403, _again(error.reason)) from error
    if begun is None or begun.shop != consent.shop:
        raise _Stop(403, _again("This browser began the installation for another shop."))
    _connect(consent.shop, consent.code)
    if not begun.from_admin:
        return redirect("/", 302)
    name = consent.shop.removesuffix(".myshopify.com")
    return redirect(f"https://admin.shopify.com/store/{name}/apps/{shopify.api_key}", 302)


@shopify_install.after_request
def protect(answer: Response) -> Response:
    """These pages are never framed, kept or told to others; the state cookie serves one callback."""
    answer.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Referrer-Policy"] = "no-referrer"
    if request.endpoint == "shopify_install.callback":
        answer.delete_cookie(COOKIE, path=COOKIE_PATH, secure=True, httponly=True, samesite="Lax")
    return answer


def _connect(shop: str, code: str) -> None:
    try:
        _services().tokens.connect_with_code(shop, code)
    except GrantRefused as error:
        if error.code == "invalid_client":
            raise _Stop(
                502, "Shopify does not accept this app: check SHOPIFY_API_KEY and SHOPIFY_API_SECRET."
            ) from error
        raise _Stop(400, _again("Shopify does not accept this installation (any more).")) from error
    except PlatformUnreachable as error:
        raise _Stop(503, _again("Shopify cannot be reached at the moment.")) from error


def _again(reason: str) -> str:
    return f"{reason} Nothing was changed. Open the app from Shopify again to install it."


def _services() -> Any:
    return current_app.extensions["impact"]


def _shopify() -> ShopifyConfig:
    config: Config = _services().config
    if config.shopify is None:
        raise _Stop(404, "Shopify is switched off here: set SHOPIFY_API_KEY and SHOPIFY_API_SECRET.")
    return config.shopify


def _callback_url() -> str:
    config: Config = _services().config
    return f"{config.app_url}/shopify/callback"


def _pairs() -> list[tuple[str, str]]:
    return list(request.args.items(multi=True))


def _signer() -> URLSafeSerializer:
    config: Config = _services().config
    # itsdangerous signs with the last key and accepts all of them.
    return URLSafeSerializer(list(reversed(config.secret_keys)), salt="shopify-install")


def _written(begun: Begun) -> str:
    written = _signer().dumps([begun.state, begun.shop, begun.at.isoformat(), begun.from_admin])
    return written if isinstance(written, str) else written.decode()


def _begun() -> Begun | None:
    """What this browser began less than ten minutes ago."""
    try:
        state, shop, at, from_admin = _signer().loads(request.cookies.get(COOKIE, ""))
    except BadSignature:
        return None
    begun = Begun(state, shop, datetime.fromisoformat(at), from_admin)
    return begun if _services().clock() - begun.at <= INSTALL_WINDOW else None
