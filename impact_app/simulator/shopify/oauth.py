"""`/admin/oauth`: the grants of Shopify's token endpoint, and the consent page that always says yes."""

from __future__ import annotations

import base64
import hmac
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from .store import PretendStore
from .tokens import BadJwt, Grant, decode_jwt, encode_jwt

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - a name, not a secret
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105
OFFLINE_TOKEN = "urn:shopify:params:oauth:token-type:offline-access-token"  # noqa: S105
ONLINE_TOKEN = "urn:shopify:params:oauth:token-type:online-access-token"  # noqa: S105

USER_ID = 116_651_000_001
ID_TOKEN_LIFE = timedelta(seconds=60)
LEEWAY = timedelta(seconds=10)

Answer = tuple[int, dict[str, Any]]
Parameters = Mapping[str, Any]


def id_token(
    store: PretendStore,
    *,
    secret: str | None = None,
    age: timedelta = timedelta(0),
    user_id: int = USER_ID,
    **claims: str | int | None,
) -> str:
    """A session token as App Bridge hands out, good for a minute from its issue, `age` ago.

    Keyword claims (`aud`, `iss`, `dest`, `exp` …) replace the right ones, None leaves one out; `secret` is
    the key it is signed with, the current one by default.
    """
    issued = store.now() - age
    given: dict[str, str | int | None] = {
        "iss": f"https://{store.domain}/admin",
        "dest": f"https://{store.domain}",
        "aud": store.client_id,
        "sub": str(user_id),
        "exp": int((issued + ID_TOKEN_LIFE).timestamp()),
        "nbf": int(issued.timestamp()),
        "iat": int(issued.timestamp()),
        "jti": str(uuid.uuid4()),
        "sid": uuid.uuid4().hex,
        **claims,
    }
    kept = {name: value for name, value in given.items() if value is not None}
    return encode_jwt(kept, secret or store.client_secret)


def signed_query(store: PretendStore, **parameters: str) -> str:
    """A query string with `hmac`: parameters sorted and joined with `&`, HMAC-SHA256 in hex."""
    ordered = "&".join(f"{name}={parameters[name]}" for name in sorted(parameters))
    digest = hmac.digest(store.client_secret.encode(), ordered.encode(), "sha256").hex()
    return urlencode({**parameters, "hmac": digest})


def launch_query(store: PretendStore, token: str | None = None) -> str:
    """The query with which Shopify's admin loads the embedded app's page in its iframe."""
    return signed_query(
        store,
        embedded="1",
        host=host(store),
        id_token=token or id_token(store),
        locale="en",
        session=uuid.uuid4().hex,
        shop=store.domain,
        timestamp=str(int(store.now().timestamp())),
    )


def host(store: PretendStore) -> str:
    name = store.domain.removesuffix(".myshopify.com")
    return base64.b64encode(f"admin.shopify.com/store/{name}".encode()).decode().rstrip("=")


def authorize(store: PretendStore, parameters: Parameters) -> tuple[int, str]:
    """What happens when the merchant presses "Install": 302 and the app's callback, or 400 and words."""
    target = str(parameters.get("redirect_uri", ""))
    if parameters.get("client_id") != store.client_id:
        return 400, "Oauth error invalid_request: The client_id is unknown."
    if not urlsplit(target).hostname or (store.redirect_urls and target not in store.redirect_urls):
        return 400, "Oauth error invalid_request: The redirect_uri is not whitelisted"
    store.installed = True
    query = signed_query(
        store,
        code=store.tokens.code(_scopes(store, str(parameters.get("scope", "")))),
        host=host(store),
        shop=store.domain,
        state=str(parameters.get("state", "")),
        timestamp=str(int(store.now().timestamp())),
    )
    return 302, f"{target}?{query}"


def access_token(store: PretendStore, parameters: Parameters) -> Answer:
    """Answer `POST /admin/oauth/access_token`: HTTP status and JSON, errors in Shopify's words."""
    known = (
        parameters.get("client_id") == store.client_id and parameters.get("client_secret") in store.secrets
    )
    if not (known and store.installed):
        return _refused(
            401, "invalid_client", "The client credentials are invalid or the app is not installed."
        )
    match parameters.get("grant_type"):
        case grant if grant == TOKEN_EXCHANGE:
            return _exchange(store, parameters)
        case "refresh_token":
            return _refresh(store, parameters)
        case "client_credentials":
            return _client_credentials(store)
        case None | "authorization_code":
            return _code(store, parameters)
    return _refused(400, "unsupported_grant_type", "The grant_type is not supported.")


def _exchange(store: PretendStore, parameters: Parameters) -> Answer:
    subject = str(parameters.get("subject_token", ""))
    wanted = parameters.get("requested_token_type")
    match parameters.get("subject_token_type"):
        case kind if kind == ID_TOKEN:
            try:
                claims = check_id_token(store, subject)
            except BadJwt as fault:
                return _refused(400, "invalid_subject_token", f"The subject token is invalid: {fault}.")
            if wanted == ONLINE_TOKEN:
                return 200, _online(store, int(claims["sub"]))
            if wanted == OFFLINE_TOKEN:
                return 200, _offline(store, parameters, store.scopes)
        case kind if (
            kind == OFFLINE_TOKEN and wanted == OFFLINE_TOKEN and _truthy(parameters.get("expiring"))
        ):
            grant = store.tokens.migrate(subject, store.scopes, _secret(parameters), store.now())
            if grant is None:
                return _refused(
                    400, "invalid_subject_token", "The subject token is not a living offline token."
                )
            return 200, _shown(grant, store.now())
    return _refused(400, "invalid_request", "The token types do not fit together.")


def check_id_token(store: PretendStore, token: str) -> dict[str, Any]:
    """The claims of a session token that this store issued for this app and is not stale; else BadJwt."""
    claims = decode_jwt(token, store.secrets)
    now = store.now()
    if not str(claims.get("sub", "")).isdigit():
        raise BadJwt("made for no user")
    if claims.get("aud") != store.client_id:
        raise BadJwt("made for another app")
    if (
        claims.get("dest") != f"https://{store.domain}"
        or claims.get("iss") != f"https://{store.domain}/admin"
    ):
        raise BadJwt("made by another shop")
    try:
        ends, starts = (datetime.fromtimestamp(float(claims[name]), now.tzinfo) for name in ("exp", "nbf"))
    except (KeyError, TypeError, ValueError) as fault:
        raise BadJwt("without a lifetime") from fault
    if not starts - LEEWAY <= now < ends + LEEWAY:
        raise BadJwt("expired or not yet good")
    return claims


def _refresh(store: PretendStore, parameters: Parameters) -> Answer:
    token = str(parameters.get("refresh_token", ""))
    grant = store.tokens.refresh(token, _secret(parameters), store.now())
    if grant is None:
        return _refused(400, "invalid_grant", "This request requires an active refresh_token")
    return 200, _shown(grant, store.now())


def _client_credentials(store: PretendStore) -> Answer:
    if not store.same_organisation:
        return _refused(400, "shop_not_permitted", "Client credentials cannot be performed on this shop.")
    grant = store.tokens.daily(store.scopes, store.now())
    return 200, _shown(grant, store.now())


def _code(store: PretendStore, parameters: Parameters) -> Answer:
    scopes = store.tokens.codes.pop(str(parameters.get("code", "")), None)
    if scopes is None:
        return _refused(400, "invalid_request", "The authorization code was not found or was already used")
    return 200, _offline(store, parameters, scopes)


def _offline(store: PretendStore, parameters: Parameters, scopes: tuple[str, ...]) -> dict[str, Any]:
    now = store.now()
    if _truthy(parameters.get("expiring")):
        return _shown(store.tokens.expiring(scopes, _secret(parameters), now), now)
    return _shown(store.tokens.permanent(scopes, _secret(parameters)), now)


def _online(store: PretendStore, user: int) -> dict[str, Any]:
    grant = store.tokens.daily(store.scopes, store.now(), user)
    return {
        **_shown(grant, store.now()),
        "associated_user_scope": ",".join(grant.scopes),
        "associated_user": {
            "id": user,
            "first_name": "Grace",
            "last_name": "Merchant",
            "email": "grace@example.com",
            "email_verified": True,
            "account_owner": True,
            "locale": "en",
            "collaborator": False,
        },
    }


def _shown(grant: Grant, now: datetime) -> dict[str, Any]:
    answer: dict[str, Any] = {"access_token": grant.access_token, "scope": ",".join(grant.scopes)}
    if grant.expires_at is not None:
        answer["expires_in"] = int((grant.expires_at - now).total_seconds())
    if grant.refresh_token is not None and grant.refresh_expires_at is not None:
        answer["refresh_token"] = grant.refresh_token
        answer["refresh_token_expires_in"] = int((grant.refresh_expires_at - now).total_seconds())
    return answer


def _scopes(store: PretendStore, wanted: str) -> tuple[str, ...]:
    return tuple(scope.strip() for scope in wanted.split(",") if scope.strip()) or store.scopes


def _secret(parameters: Parameters) -> str:
    return str(parameters["client_secret"])


def _truthy(value: object) -> bool:
    return value in (1, "1", True, "true")


def _refused(status: int, error: str, description: str) -> Answer:
    return status, {"error": error, "error_description": description}
