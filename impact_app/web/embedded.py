"""What only exists inside Shopify's admin: fetching a fresh session token, and letting our block ask."""

from __future__ import annotations

from flask import Blueprint, Response, abort, g, render_template, request

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


#: Where Shopify runs an extension of the admin; its calls come from there and bring a session token.
EXTENSIONS = "https://extensions.shopifycdn.com"


@embedded.route("/orders/<order_key>/verdict.json", methods=["OPTIONS"], provide_automatic_options=False)
def preflight(order_key: str) -> Response:  # noqa: ARG001 - the answer is the same for every order
    """Say that our block on Shopify's order page may ask, with a session token. Nobody is proved here."""
    answer = Response(status=204)
    answer.headers["Access-Control-Allow-Methods"] = "GET"
    answer.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
    answer.headers["Access-Control-Max-Age"] = "86400"
    return answer


@embedded.after_app_request
def let_the_block_read(answer: Response) -> Response:
    """Refusals too, so that the block can tell them."""
    if request.endpoint in ("embedded.verdict_json", "shopify_session.preflight"):
        answer.headers["Access-Control-Allow-Origin"] = EXTENSIONS
        answer.headers["Vary"] = "Origin"
    return answer
