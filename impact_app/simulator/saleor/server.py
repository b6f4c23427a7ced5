"""A pretend Saleor over HTTP: `/graphql/` and `/.well-known/jwks.json`, and the shop behind them.

It installs an app as Saleor does: reads the manifest, hands the token over, and shapes each delivery by the
subscription that the manifest named.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import requests
from flask import Flask, Response, jsonify, request
from graphql import GraphQLSchema, build_schema, execute_sync, parse, validate
from werkzeug.serving import WSGIRequestHandler, make_server

from . import deliveries
from .dashboard import dashboard_page
from .keys import SigningKeys
from .orders import Body, digits

#: What Saleor says, with HTTP 200, to a token that is dead or may not ask.
_DENIED = {
    "errors": [
        {
            "message": "To access this path, you need one of the following permissions: AUTHENTICATED_APP",
            "extensions": {"exception": {"code": "PermissionDenied"}},
        }
    ],
    "data": None,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """An answer in place of the real one, for the next request to `where`."""

    where: str = "graphql"
    status: int = 503
    body: bytes = b""


@dataclass
class PretendSaleor:
    """One Saleor: orders by id, checkouts' metadata by id, failed deliveries, what it was asked.

    `staff` is what the user of its dashboard may do.
    """

    version: str = deliveries.VERSION
    url: str = ""
    token: str | None = None
    permissions: tuple[str, ...] = ("MANAGE_ORDERS",)
    keys: SigningKeys = field(default_factory=SigningKeys)
    orders: dict[str, Body] = field(default_factory=dict)
    checkouts: dict[str, dict[str, str]] = field(default_factory=dict)
    failed: list[Body] = field(default_factory=list)
    manifest: Body = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    staff: tuple[str, ...] = ("MANAGE_ORDERS", "MANAGE_APPS")
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    @property
    def api_url(self) -> str:
        return f"{self.url}/graphql/"

    @property
    def domain(self) -> str:
        return self.url.partition("://")[2]

    def keep(self, order: Body) -> Body:
        with self.lock:
            self.orders[order["id"]] = order
        return order

    def install(self, manifest_url: str) -> requests.Response:
        """Read the manifest and hand a new token over, as an installation with activation does.

        Raises ValueError for a subscription that this schema does not know, as Saleor fails the installation.
        """
        asked = {"Saleor-Schema-Version": self.version.rpartition(".")[0]}
        self.manifest = requests.get(manifest_url, headers=asked, timeout=20, allow_redirects=False).json()
        for hook in self.manifest["webhooks"]:
            faults = validate(schema(), parse(hook["query"]))
            if faults:
                raise ValueError(f"The subscription is not valid: {faults[0].message}")
        self.permissions = tuple(self.manifest["permissions"])
        return self.register(self.manifest["tokenTargetUrl"])

    def register(self, url: str, **changed: str) -> requests.Response:
        """Hand a new token over; `changed` alters headers, given with underscores."""
        self.token = secrets.token_hex(15)
        headers = {
            "Saleor-Domain": self.domain,
            "Saleor-Api-Url": self.api_url,
            "Saleor-Schema-Version": self.version.rpartition(".")[0],
            **{name.replace("_", "-"): value for name, value in changed.items()},
        }
        body = {"auth_token": self.token}
        return requests.post(url, json=body, headers=headers, timeout=20, allow_redirects=False)

    def rendered(self, name: str, order: Body) -> bytes:
        """The body of an event as the installed app's subscription shapes it."""
        (hook,) = self.manifest["webhooks"]
        root = {"event": deliveries.event(name, order)}
        done = execute_sync(schema(), parse(hook["query"]), root_value=root, field_resolver=_resolve)
        assert not done.errors, done.errors
        assert done.data is not None
        return deliveries.encode(done.data["event"])

    def deliver(self, name: str, order: Body) -> requests.Response:
        """Send one event about an order to the installed app."""
        (hook,) = self.manifest["webhooks"]
        body = self.rendered(name, order)
        headers = deliveries.headers(name, self.api_url, body, self.keys.names[0])
        return requests.post(hook["targetUrl"], data=body, headers=headers, timeout=20, allow_redirects=False)

    def lose(self, name: str, order: Body) -> None:
        """Keep an event as Saleor keeps one that it has given up."""
        payload = deliveries.encode(deliveries.event(name, order)).decode()
        stamp = datetime.now(UTC).isoformat()
        kept = {
            "id": f"RXZlbnREZWxpdmVyeTo{len(self.failed)}",
            "status": "FAILED",
            "eventType": name.upper(),
            "createdAt": stamp,
            "payload": payload,
        }
        self.failed.append(kept)

    def delete_app(self) -> None:
        """Staff remove the app: its token is dead at once."""
        self.token = None

    def next_fault(self, where: str) -> Fault | None:
        with self.lock:
            found = next((fault for fault in self.faults if fault.where == where), None)
            if found is not None:
                self.faults.remove(found)
            return found


@cache
def schema() -> GraphQLSchema:
    return build_schema(Path(__file__).with_name("saleor.graphql").read_text(encoding="utf-8"))


@contextmanager
def running_saleor(shop: PretendSaleor | None = None) -> Iterator[PretendSaleor]:
    """The shop on a free loopback port, in a thread, until the block ends."""
    here = shop or PretendSaleor()
    server = make_server("127.0.0.1", 0, create(here), threaded=True, request_handler=_Quiet)
    here.url = f"http://127.0.0.1:{server.port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield here
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing: the shop's `calls` are the record."""


def create(shop: PretendSaleor) -> Flask:
    """The WSGI app that answers for this shop."""
    app = Flask(__name__)

    @app.get("/.well-known/jwks.json")
    def jwks() -> Response:
        shop.calls.append(("jwks", ""))
        fault = shop.next_fault("jwks")
        return Response(fault.body, fault.status) if fault else jsonify(shop.keys.jwks())

    @app.get("/dashboard/")
    def dashboard() -> str:
        """The dashboard's page of an app, or of what an extension of the app opens for an order."""
        return dashboard_page(shop, request.args.get("open") or shop.manifest["appUrl"], request.args)

    @app.post("/graphql/")
    def graphql() -> Response:
        asked = request.get_json(force=True)
        shop.calls.append(("graphql", str(asked.get("query", ""))))
        fault = shop.next_fault("graphql")
        if fault:
            return Response(fault.body, fault.status)
        return _answered(shop, asked, request.headers.get("Authorization", ""))

    return app


def _answered(shop: PretendSaleor, asked: Mapping[str, Any], authorization: str) -> Response:
    document = parse(asked["query"])
    faults = validate(schema(), document)
    if faults:
        answer = jsonify({"errors": [{"message": fault.message} for fault in faults]})
        answer.status_code = 400
        return answer
    is_app = shop.token is not None and authorization == f"Bearer {shop.token}"
    with shop.lock:
        done = execute_sync(
            schema(),
            document,
            root_value=_Root(shop, is_app),
            variable_values=asked.get("variables"),
            field_resolver=_resolve,
        )
    if any(isinstance(error.original_error, PermissionError) for error in done.errors or ()):
        return jsonify(_DENIED)
    assert not done.errors, done.errors
    return Response(deliveries.encode({"data": done.data}), content_type="application/json")


def _resolve(source: Any, info: Any, **arguments: Any) -> Any:
    """A field of a node; an amount's smallest unit is worked out, since nodes hold decimals."""
    name = info.field_name
    if isinstance(source, _Root):
        return getattr(source, name)(**arguments)
    if info.parent_type.name == "Money" and name in {"fractionalAmount", "fractionDigits"}:
        places = digits(source["currency"])
        return places if name == "fractionDigits" else int(source["amount"].scaleb(places))
    if info.parent_type.name == "Money" and name == "amount":
        return float(source["amount"]) if isinstance(source["amount"], Decimal) else source["amount"]
    value = source.get(name) if isinstance(source, Mapping) else getattr(source, name, None)
    return value(**arguments) if callable(value) else value


@dataclass(frozen=True)
class _Root:
    """The API's questions; the names are GraphQL's."""

    saleor: PretendSaleor
    is_app: bool

    def _only_apps(self) -> None:
        if not self.is_app:
            raise PermissionError

    def order(self, id: str | None = None) -> Body | None:
        self._only_apps()
        return self.saleor.orders.get(id or "")

    def app(self) -> Body:
        self._only_apps()
        kept = {"edges": [{"node": one} for one in self.saleor.failed]}
        return {
            "id": deliveries.APP_ID,
            "name": "impact.com conversions",
            "permissions": [{"code": code, "name": code} for code in self.saleor.permissions],
            "webhooks": [{"id": "V2ViaG9vazox", "eventDeliveries": lambda **_: kept}],
        }

    def shop(self) -> Body:
        return {"name": "Pretend Saleor", "version": self.saleor.version}

    def orders(
        self,
        first: int = 100,
        after: str | None = None,
        filter: Body | None = None,
        where: Body | None = None,
        sortBy: Body | None = None,  # noqa: N803, ARG002 - as in the schema; always by the field asked for
    ) -> Body:
        self._only_apps()
        ((name, asked),) = (where or filter or {}).items()
        held = "updatedAt" if name == "updatedAt" else "created"
        found = sorted(
            (one for one in self.saleor.orders.values() if _within(one[held], asked)),
            key=lambda one: (one[held], one["id"]),
        )
        begin = int(after) if after else 0
        page = found[begin : begin + min(first, 100)]
        end = begin + len(page)
        info = {"hasNextPage": end < len(found), "endCursor": str(end) if page else None}
        edges = [{"node": one, "cursor": str(begin + at + 1)} for at, one in enumerate(page)]
        return {"totalCount": len(found), "pageInfo": info, "edges": edges}

    def updateMetadata(self, id: str, input: list[Mapping[str, str]]) -> Body:  # noqa: N802 - as in the schema
        """Anybody who knows a checkout's id may write its public metadata; an order's only an app."""
        if id in self.saleor.orders:
            self._only_apps()
        if any(not pair["key"].strip() for pair in input):
            fault = {"field": "input", "message": "Metadata key cannot be empty.", "code": "REQUIRED"}
            return {"errors": [fault], "item": None}
        held = self.saleor.checkouts.setdefault(id, {})
        held.update({pair["key"]: pair["value"] for pair in input})
        return self._shown(id, held)

    def deleteMetadata(self, id: str, keys: list[str]) -> Body:  # noqa: N802 - as in the schema
        """Who may write metadata may take it out."""
        if id in self.saleor.orders:
            self._only_apps()
        held = self.saleor.checkouts.setdefault(id, {})
        for key in keys:
            held.pop(key, None)
        return self._shown(id, held)

    def _shown(self, id: str, held: Mapping[str, str]) -> Body:
        shown = [{"key": key, "value": value} for key, value in held.items()]
        if id in self.saleor.orders:
            self.saleor.orders[id]["metadata"] = shown
        return {"errors": [], "item": {"metadata": shown}}

    def updatePrivateMetadata(self, **_arguments: object) -> Body:  # noqa: N802 - as in the schema
        """A checkout's private metadata is closed to an app that may only manage orders."""
        raise PermissionError


def _within(stamp: str, asked: Mapping[str, str]) -> bool:
    moment = datetime.fromisoformat(stamp)
    since, until = asked.get("gte"), asked.get("lte")
    begins = datetime.fromisoformat(since) if since else None
    ends = datetime.fromisoformat(until) if until else None
    if ends is not None and len(until or "") == 10:
        ends = ends + timedelta(days=1) - timedelta(microseconds=1)
    return (begins is None or moment >= _aware(begins)) and (ends is None or moment <= _aware(ends))


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def checkout_metadata(shop: PretendSaleor, checkout_id: str) -> tuple[tuple[str, str], ...]:
    """What the storefront wrote; completing a checkout copies it to the order."""
    return tuple(shop.checkouts.get(checkout_id, {}).items())


__all__ = ["Fault", "PretendSaleor", "checkout_metadata", "create", "running_saleor", "schema"]
