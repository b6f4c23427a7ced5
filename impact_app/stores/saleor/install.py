"""Who may install the app: the address is checked before anybody calls it, and the token by calling it.

The request that brings a token is not signed, so nothing in it is believed until the API that it names has
answered to the token. That makes us call an address a stranger may have chosen: hence the list of hosts.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from impact_app.config import SaleorConfig
from impact_app.stores.saleor.api import SaleorApi
from impact_app.stores.saleor.documents import INSTALLATION
from impact_app.stores.saleor.errors import AppGone, InstallRefused, RequestRefused, SaleorUnreachable

#: All the app asks for: it is enough for order events, order queries and their metadata.
PERMISSIONS = ("MANAGE_ORDERS",)

#: The code of a refusal that says nothing against the token.
UNREACHABLE = "API_UNREACHABLE"

Resolve = Callable[[str], Iterable[str]]

_API_URL = re.compile(r"https?://[a-z0-9.\-]{1,253}(:[0-9]{1,5})?/graphql/", re.ASCII)


@dataclass(frozen=True)
class Installed:
    """A Saleor that has proved to be what it says: its token works there, and these are its keys."""

    api_url: str
    token: str = field(repr=False)
    app_id: str
    version: str
    permissions: tuple[str, ...]
    keys: list[dict[str, str]]

    @property
    def domain(self) -> str:
        return domain_of(self.api_url)

    @property
    def facts(self) -> dict[str, Any]:
        """What is kept of the installation beside the token; nothing of it is secret."""
        return {"api_url": self.api_url, "app_id": self.app_id, "version": self.version, "keys": self.keys}


def domain_of(api_url: str) -> str:
    """Host and port: how a store is named."""
    return urlsplit(api_url).netloc


def api_url_of(text: str, saleor: SaleorConfig) -> str | None:
    """The API's address for what a person may give: a domain, with its port, or the address itself.

    A domain that an origin of the configuration names is called the way that says; others by https.
    """
    given = text.strip().lower()
    if "://" not in given:
        origin = next((one for one in saleor.origins if urlsplit(one).netloc == given), f"https://{given}")
        given = f"{origin}/graphql/"
    return given if is_api_url(given) else None


def is_api_url(text: str) -> bool:
    """Whether `text` has the one form a Saleor's API has: scheme, host, port, /graphql/."""
    if not _API_URL.fullmatch(text):
        return False
    try:
        return urlsplit(text).port != 0
    except ValueError:
        return False


def allowed_api_url(
    api_url: str | None, domain: str | None, saleor: SaleorConfig, *, resolve: Resolve | None = None
) -> str:
    """The address in the headers of an installation, if it may be called at all. Raises `InstallRefused`."""
    given = (api_url or "").strip().lower()
    if not is_api_url(given):
        raise InstallRefused(400, "INVALID_API_URL", "Saleor-Api-Url is no address that ends with /graphql/.")
    if (domain or "").strip().lower() != domain_of(given):
        raise InstallRefused(400, "DOMAIN_MISMATCH", "Saleor-Domain and Saleor-Api-Url name different hosts.")
    parts = urlsplit(given)
    if f"{parts.scheme}://{parts.netloc}" in saleor.origins:
        return given
    if not any(_matches(parts.netloc, host) for host in saleor.hosts):
        raise InstallRefused(
            403,
            "HOST_NOT_ALLOWED",
            f"{parts.netloc} may not install this app: add it to SALEOR_ALLOWED_HOSTS.",
        )
    if parts.scheme != "https":
        raise InstallRefused(403, "HTTPS_REQUIRED", f"{parts.netloc} must be reached by https.")
    _refuse_private(parts.hostname or "", resolve or resolved)
    return given


def _matches(netloc: str, host: str) -> bool:
    return netloc.endswith(host[1:]) if host.startswith("*.") else netloc == host


def _refuse_private(host: str, resolve: Resolve) -> None:
    try:
        addresses = list(resolve(host))
    except OSError:
        raise InstallRefused(502, "HOST_UNKNOWN", f"{host} has no address.") from None
    if not addresses or not all(ip_address(one.partition("%")[0]).is_global for one in addresses):
        raise InstallRefused(
            403,
            "PRIVATE_ADDRESS",
            f"{host} is at a private address: name its whole origin, such as http://{host}:8000, in "
            "SALEOR_ALLOWED_HOSTS if that is meant.",
        )


def resolved(host: str) -> set[str]:
    """Every address of a host. Raises `OSError`."""
    return {str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}


def proved(api: SaleorApi, api_url: str, token: str) -> Installed:
    """Ask the API who the token belongs to. Raises `InstallRefused`."""
    try:
        said = api.run(api_url, token, INSTALLATION, {}, budget=8.0)
        keys = api.keys(api_url)
    except AppGone:
        raise InstallRefused(
            401,
            "TOKEN_REFUSED",
            "Saleor does not accept the token it sent. Install the app with activation: "
            "activateAfterInstallation must be true.",
        ) from None
    except (SaleorUnreachable, RequestRefused) as error:
        raise InstallRefused(502, UNREACHABLE, f"Saleor's API did not confirm the token: {error}") from None
    return _installed(api_url, token, said, keys)


def _installed(api_url: str, token: str, said: Mapping[str, Any], keys: list[dict[str, str]]) -> Installed:
    app, shop = said.get("app") or {}, said.get("shop") or {}
    if not app.get("id"):
        raise InstallRefused(401, "TOKEN_REFUSED", "Saleor knows no app by the token it sent.")
    granted = tuple(str(one.get("code")) for one in app.get("permissions") or ())
    missing = [permission for permission in PERMISSIONS if permission not in granted]
    if missing:
        raise InstallRefused(
            403, "PERMISSION_MISSING", f"The app needs {', '.join(missing)}: grant it and retry."
        )
    return Installed(api_url, token, str(app["id"]), str(shop.get("version") or ""), granted, keys)
