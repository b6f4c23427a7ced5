"""What only exists inside Shopify's admin: the page on which App Bridge fetches a fresh session token."""

from __future__ import annotations

from flask import Blueprint, abort, g, render_template, request

from impact_app.stores.shopify.shop import shop_domain
from impact_app.web.access import same_origin_path, shopify_config

embedded = Blueprint("shopify_session", __name__, url_prefix="/shopify")


@embedded.get("/session-token")
def session_token() -> str:
    """The page with App Bridge alone, which then opens `shopify-reload` with a fresh session token.

    Nobody is proved here yet, so it shows and does nothing; it may therefore be framed by the shop that the
    address names. App Bridge reads the path from the address, so the path is checked here.
    """
    shopify = shopify_config()
    wanted = same_origin_path(request.args.get("shopify-reload"))
    if wanted is None or not wanted.startswith("/shopify/"):
        abort(400, "The address of the page to open is missing or leads elsewhere. Open the app again.")
    g.frame_admin = True
    g.frame_shop = shop_domain(request.args.get("shop"))
    return render_template("session_token.html", api_key=shopify.api_key)
