"""Serves the pretend storefront: for a test, in a thread; for a person, until Ctrl-C."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from ..shopify.themes import Theme
from .pages import create_storefront
from .sales import Sales
from .shop import PretendShop


@dataclass(frozen=True, slots=True)
class RunningStorefront:
    """A storefront that answers at `url` (no slash at the end); `sales` fills up as orders are paid.

    `other_url` is the same shop under another domain, with cookies and carts of its own.
    """

    url: str
    other_url: str
    shop: PretendShop
    sales: Sales


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


@contextmanager
def running_storefront(
    *,
    webhook_url: str | None = None,
    secret: str = PretendShop().secret,
    shop_domain: str = PretendShop().domain,
    consent_required: bool = True,
    root: str = "/",
    in_theme_editor: bool = False,
    theme: Theme | None = None,
    embed_settings: Mapping[str, object] | None = None,
    app_metafields: Mapping[str, object] | None = None,
    app_url: str | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> Iterator[RunningStorefront]:
    """Run the storefront in a thread while the block lasts; port 0 takes a free one.

    Paid orders are posted to `webhook_url`, signed with `secret`, as from `shop_domain`. With an `app_url`
    the web pixel is connected and tells that app; without one there is none. `theme` is the
    published one, by default with the app embed on. The rest is as `PretendShop` says. Raises OSError when
    the port is taken.
    """
    shop = PretendShop(
        domain=shop_domain,
        secret=secret,
        webhook_url=webhook_url,
        consent_required=consent_required,
        root=root,
        in_theme_editor=in_theme_editor,
        embed_settings=embed_settings or {},
        app_metafields=app_metafields or {},
        pixel_settings={"app_url": app_url} if app_url else None,
    )
    sales = Sales() if theme is None else Sales(theme=theme)
    server, shop = _server(host, port, shop, sales)
    # Asked every 20 ms whether to end, so that a test does not wait for its storefront to close.
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="storefront", daemon=True)
    thread.start()
    try:
        here, abroad = (f"http://{domain}" for domain in shop.domains)
        yield RunningStorefront(here, abroad, shop, sales)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def serve(host: str, port: int, shop: PretendShop) -> None:
    """Serve the storefront until the process is told to stop. Raises OSError when the port is taken."""
    _server(host, port, shop, Sales())[0].serve_forever()


def _server(host: str, port: int, shop: PretendShop, sales: Sales) -> tuple[BaseWSGIServer, PretendShop]:
    """The server, and the shop with its two domains: browsers keep the names of one machine apart."""
    # Bound here, because werkzeug would end the process over a taken port instead of raising.
    with socket.create_server((host, port)) as listening:
        taken = listening.getsockname()[1]
        other = "127.0.0.1" if host == "localhost" else "localhost"
        shop = _with_domains(shop, (f"{host}:{taken}", f"{other}:{taken}"))
        app = create_storefront(shop, sales)
        server = make_server(host, taken, app, threaded=True, request_handler=_Quiet, fd=listening.fileno())
        return server, shop


def _with_domains(shop: PretendShop, domains: tuple[str, str]) -> PretendShop:
    """The app knows the shop's domains from Shopify, and tells the embed by its metafield."""
    return replace(
        shop, domains=domains, app_metafields={"other_domains": ", ".join(domains), **shop.app_metafields}
    )
