"""Saleor's dashboard as far as an app in its frame meets it: the user's token, and the messages around it."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import jwt

from . import deliveries
from .keys import jwk, private_key

if TYPE_CHECKING:
    from .server import PretendSaleor

#: How long a user's token holds.
LIFE = timedelta(minutes=5)

USER_ID = "VXNlcjoyMQ=="

# The dashboard listens to the app's own origin alone, and answers with the token of its user for this app.
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Pretend Saleor</title></head>
<body><iframe name="app" width="1000" height="900" src="{src}"
  sandbox="allow-same-origin allow-forms allow-scripts allow-downloads allow-popups"></iframe>
<script>
const frame = document.querySelector('iframe'), origin = {origin}, said = {said};
const tell = (type, payload) => frame.contentWindow.postMessage({{ type, payload }}, origin);
const greet = () => {{ tell('handshake', said); tell('localeChanged', {{ locale: {locale} }}); }};
frame.addEventListener('load', greet);
addEventListener('message', (event) => {{
  if (event.origin !== origin || !event.data.payload || !event.data.payload.actionId) return;
  tell('response', {{ actionId: event.data.payload.actionId, ok: true }});
  if (event.data.type === 'notifyReady') greet();
}});
</script></body></html>"""


def user_token(
    shop: PretendSaleor,
    *,
    key: str | None = None,
    now: datetime | None = None,
    header: Mapping[str, Any] | None = None,
    **changed: Any,
) -> str:
    """The token of a member of staff for the installed app; `changed` alters claims, None takes one out."""
    name, issued = key or shop.keys.names[0], now or datetime.now(UTC)
    claims: dict[str, Any] = {
        "iat": int(issued.timestamp()),
        "owner": "saleor",
        "iss": shop.api_url,
        "exp": int((issued + LIFE).timestamp()),
        "token": "oN3b7munfD1w",
        "email": "staff@example.com",
        "type": "thirdparty",
        "user_id": USER_ID,
        "is_staff": True,
        "app": deliveries.APP_ID,
        "permissions": [one for one in shop.staff if one in shop.permissions],
        "user_permissions": list(shop.staff),
        **changed,
    }
    kept = {claim: value for claim, value in claims.items() if value is not None}
    headers = {"kid": jwk(name)["kid"], **(header or {})}
    return jwt.encode(kept, private_key(name), algorithm="RS256", headers=headers)


def dashboard_page(shop: PretendSaleor, url: str, query: Mapping[str, str]) -> str:
    """The page around an app's page at `url`; what `query` holds beside `open` is told the app as well."""
    told = {name: value for name, value in query.items() if name not in ("open", "locale")}
    given = {"id": deliveries.APP_ID, "domain": shop.domain, "saleorApiUrl": shop.api_url, "theme": "light"}
    parts = urlsplit(url)
    src = f"{url}{'&' if parts.query else '?'}{urlencode({**given, **told})}"
    said = {"token": user_token(shop), "version": 1, "saleorVersion": shop.version}
    return _PAGE.format(
        src=html.escape(src),
        origin=json.dumps(f"{parts.scheme}://{parts.netloc}"),
        said=json.dumps(said),
        locale=json.dumps(query.get("locale", "en")),
    )
