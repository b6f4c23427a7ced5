"""A pretend Shopify Admin API over HTTP: `/admin/oauth` and `/admin/api/{version}/graphql.json`.

Everything also stands under `/<shop>`, so that `SHOPIFY_ADMIN_URL` may be `http://127.0.0.1:PORT/{shop}`.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, jsonify, redirect, request
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    OperationDefinitionNode,
    build_schema,
    execute_sync,
    get_operation_ast,
    parse,
    validate,
)
from markupsafe import Markup
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from . import bulk, cost, oauth
from .deliveries import API_VERSION
from .faults import Fault, Where
from .faults import status as failing
from .graph import Graph, Page, changed_pixel, connection, found_pixel, pixel, require, set_metafields
from .store import Call, PretendStore
from .tokens import Grant

__all__ = ["RunningAdmin", "create_admin", "running_admin", "serve"]

VERSIONS = ("2026-01", "2026-04", "2026-07", API_VERSION)
ARRAY_LIMIT = 250
_NON_EXPIRING = (
    "[API] Non-expiring access tokens are no longer accepted for the Admin API. "
    "Start using expiring offline tokens."
)

#: The admin's page of apps, from where the merchant begins an installation.
_APPS = Markup(
    '<!doctype html><html lang="en"><title>{shop}: Apps</title><h1>Apps</h1><p>{shop}</p>'
    '<p>impact.com reporting: <a href="{app}/shopify/install?shop={shop}">Install</a></p>'
)

SCHEMA = build_schema(Path(__file__).with_name("admin.graphql").read_text(encoding="utf-8"))


def create_admin(store: PretendStore, *more: PretendStore) -> Flask:
    """A WSGI app that answers for these stores.

    Without a shop in the path it answers for the one in the Host header, else for the first.
    """
    app = Flask(__name__)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's own provider has it
    stores = {each.domain: each for each in (store, *more)}

    def chosen(shop: str | None) -> PretendStore | None:
        return stores.get(shop) if shop else stores.get(request.host.partition(":")[0], store)

    @app.get("/admin", defaults={"shop": None})
    @app.get("/<shop>/admin")
    def apps(shop: str | None) -> Any:
        here = chosen(shop)
        return _plain(failing(404)) if here is None else _APPS.format(shop=here.domain, app=here.app_url)

    @app.get("/admin/oauth/authorize", defaults={"shop": None})
    @app.get("/<shop>/admin/oauth/authorize")
    def authorize(shop: str | None) -> Any:
        here = chosen(shop)
        if here is None:
            return _plain(failing(404))
        status, words = oauth.authorize(here, request.args)
        return redirect(words, status) if status == 302 else (words, status)

    @app.post("/admin/oauth/access_token", defaults={"shop": None})
    @app.post("/<shop>/admin/oauth/access_token")
    def access_token(shop: str | None) -> Response:
        return _answer(chosen(shop), "token", _access_token)

    @app.post("/admin/api/<version>/graphql.json", defaults={"shop": None})
    @app.post("/<shop>/admin/api/<version>/graphql.json")
    def graphql(version: str, shop: str | None) -> Response:
        return _answer(chosen(shop), "graphql", lambda here: _graphql(here, version))

    @app.get("/_bulk/<shop>/<int:number>.jsonl")
    def bulk_file(shop: str, number: int) -> Response:
        here = chosen(shop)
        found = here.bulk.numbered(number) if here else None
        if here is None or found is None:
            return _plain(failing(404))
        status, content, length = bulk.served(found)
        here.calls.append(Call("file", request.path, dict(request.headers), status))
        answer = Response(content, status, content_type="application/jsonl")
        answer.headers["Content-Length"] = str(length)
        return answer

    return app


@dataclass(frozen=True, slots=True)
class RunningAdmin:
    """Where the pretend Admin API listens; `admin_url` is the value for SHOPIFY_ADMIN_URL."""

    url: str
    store: PretendStore

    @property
    def admin_url(self) -> str:
        return self.url + "/{shop}"


@contextmanager
def running_admin(store: PretendStore | None = None, *more: PretendStore) -> Iterator[RunningAdmin]:
    """The Admin API on a free loopback port, in a thread, until the block ends."""
    first = store or PretendStore()
    server = _server("127.0.0.1", 0, first, *more)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield RunningAdmin(f"http://127.0.0.1:{server.port}", first)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def serve(host: str, port: int, store: PretendStore, *more: PretendStore) -> None:
    """Answer for these stores until interrupted."""
    _server(host, port, store, *more).serve_forever()


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing: the store's `calls` are the record."""


def _server(host: str, port: int, store: PretendStore, *more: PretendStore) -> BaseWSGIServer:
    return make_server(host, port, create_admin(store, *more), threaded=True, request_handler=_Quiet)


def _answer(store: PretendStore | None, where: Where, work: Callable[[PretendStore], Response]) -> Response:
    if store is None:
        return _plain(failing(404))
    fault = store.next_fault(where) or Fault()
    time.sleep(fault.seconds)
    if fault.status is not None:
        answer = _plain(fault)
    elif fault.error_code is not None:
        answer = _coded(store, fault.error_code)
    else:
        with store.lock:
            answer = work(store)
    store.calls.append(Call(where, *_asked(where), answer.status_code))
    if fault.cut:
        _hang_up()
    return answer


def _asked(where: Where) -> tuple[str, Mapping[str, Any]]:
    if where == "token":
        return str(_parameters().get("grant_type") or "authorization_code"), {}
    asked = _json_object()
    variables = asked.get("variables")
    return str(asked.get("query", "")), variables if isinstance(variables, dict) else {}


def _hang_up() -> None:
    connection: socket.socket = request.environ["werkzeug.socket"]
    connection.shutdown(socket.SHUT_RDWR)


def _plain(fault: Fault) -> Response:
    return Response(fault.body, fault.status, fault.headers, content_type=_content_type(fault))


def _content_type(fault: Fault) -> str:
    return fault.headers.get("Content-Type", "application/json; charset=utf-8")


def _json(status: int, body: Mapping[str, Any]) -> Response:
    answer = jsonify(body)
    answer.status_code = status
    return answer


def _json_object() -> dict[str, Any]:
    given = request.get_json(force=True, silent=True)
    return given if isinstance(given, dict) else {}


def _parameters() -> Mapping[str, Any]:
    return request.form.to_dict() or _json_object()


def _access_token(store: PretendStore) -> Response:
    status, body = oauth.access_token(store, _parameters())
    return _json(status, body)


def _graphql(store: PretendStore, version: str) -> Response:
    grant = store.tokens.holder(request.headers.get("X-Shopify-Access-Token"), store.now())
    if grant is None:
        return _plain(failing(401))
    served = _served_version(version)
    if served is None:
        return _plain(failing(404))
    if store.expiring_only and grant.expires_at is None:
        return _json(403, {"errors": _NON_EXPIRING})
    asked = _json_object()
    query, variables = asked.get("query"), asked.get("variables") or {}
    if not isinstance(query, str) or not isinstance(variables, dict):
        return _json(400, {"errors": {"query": "Required parameter missing or invalid"}})
    answer = _json(200, _run(store, grant, query, variables, asked.get("operationName")))
    answer.headers["X-Shopify-API-Version"] = served
    return answer


def _served_version(version: str) -> str | None:
    """A version past its end falls forward to the oldest that is supported; a future one is not there."""
    if version in VERSIONS or version == "unstable":
        return version
    dated = len(version) == 7 and version[:4].isdigit() and version[4] == "-" and version[5:].isdigit()
    return VERSIONS[0] if dated and version < VERSIONS[0] else None


@lru_cache(maxsize=256)
def _read(query: str) -> tuple[DocumentNode | None, list[GraphQLError]]:
    try:
        document = parse(query)
    except GraphQLError as fault:
        return None, [fault]
    return document, validate(SCHEMA, document)


def _run(
    store: PretendStore, grant: Grant, query: str, variables: dict[str, Any], name: str | None
) -> dict[str, Any]:
    document, errors = _read(query)
    operation = get_operation_ast(document, name) if document else None
    if errors or document is None or operation is None:
        faults = errors or [GraphQLError("No operation to run: name one of the document's operations.")]
        return {"errors": [fault.formatted for fault in faults]}
    if any(isinstance(value, list) and len(value) > ARRAY_LIMIT for value in variables.values()):
        return _error("MAX_INPUT_SIZE_EXCEEDED", f"The input array size is greater than {ARRAY_LIMIT}.")
    price = cost.requested(SCHEMA, document, operation, variables)
    if price > cost.MAX_COST:
        return _too_costly(price)
    if price > store.points():
        return _throttled(store, price)
    warnings: list[dict[str, Any]] = []
    result = _execute(store, grant, document, operation, variables, warnings)
    spent = min(price, cost.actual(result.data))
    store.spend(spent)
    return _shown(result, _cost(store, price, spent), warnings)


def _execute(
    store: PretendStore,
    grant: Grant,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: dict[str, Any],
    warnings: list[dict[str, Any]],
) -> ExecutionResult:
    result = execute_sync(
        SCHEMA,
        document,
        root_value=_roots(Graph(store, grant.scopes), warnings),
        variable_values=variables,
        operation_name=operation.name.value if operation.name else None,
    )
    assert isinstance(result, ExecutionResult)
    return result


def _roots(graph: Graph, warnings: list[dict[str, Any]]) -> dict[str, Any]:
    def searched(path: str, query: str | None, found: tuple[dict[str, Any], list[str]]) -> dict[str, Any]:
        if found[1]:
            words = [
                {"field": field, "message": "Invalid search field for this query."} for field in found[1]
            ]
            warnings.append({"path": [path], "query": query, "warnings": words})
        return found[0]

    def orders(info: Any, sortKey: str, query: str | None = None, **page: Any) -> dict[str, Any]:  # noqa: N803
        return searched("orders", query, graph.orders(query, sortKey, Page.of(info, page)))

    def orders_count(_info: Any, limit: int | None = None, query: str | None = None) -> dict[str, Any]:
        return searched("ordersCount", query, graph.orders_count(query, limit))

    def products(_info: Any, sortKey: str, query: str | None = None, **page: Any) -> dict[str, Any]:  # noqa: N803
        return searched("products", query, graph.products(query, sortKey, Page(**page)))

    def of_kind(kind: str) -> Callable[..., Any]:
        def resolve(_info: Any, id: str) -> Any:
            found = graph.node(id)
            return found if found and found["__typename"] == kind else None

        return resolve

    def create_pixel(_info: Any, webPixel: dict[str, Any]) -> Any:  # noqa: N803
        require(graph.scopes, "write_pixels", "webPixelCreate")
        return pixel(graph.store, webPixel["settings"])

    def update_pixel(_info: Any, id: str, webPixel: dict[str, Any]) -> Any:  # noqa: N803
        require(graph.scopes, "write_pixels", "webPixelUpdate")
        return changed_pixel(graph.store, id, webPixel["settings"])

    def find_pixel(_info: Any, id: str | None = None) -> Any:  # noqa: ARG001
        require(graph.scopes, "read_pixels", "webPixel")
        return found_pixel(graph.store)

    def themes(
        _info: Any, roles: list[str] | None = None, names: list[str] | None = None, **page: Any
    ) -> dict[str, Any]:
        return graph.themes(roles, names, Page(**page))

    roots = {
        "themes": themes,
        "shop": lambda _info: graph.shop(),
        "currentAppInstallation": lambda _info: graph.installation(),
        "node": lambda _info, id: graph.node(id),
        "nodes": lambda _info, ids: [graph.node(each) for each in ids],
        "order": of_kind("Order"),
        "product": of_kind("Product"),
        "orders": orders,
        "ordersCount": orders_count,
        "products": products,
        "webPixelCreate": create_pixel,
        "webPixelUpdate": update_pixel,
        "webPixel": find_pixel,
        "metafieldsSet": lambda _info, metafields: set_metafields(graph.store, metafields),
    }
    return {**roots, **_bulk_roots(graph.store, roots)}


def _bulk_roots(store: PretendStore, roots: dict[str, Any]) -> dict[str, Any]:
    def looked_at(operation: bulk.Operation) -> dict[str, Any]:
        operation.look()
        return shown(operation)

    def shown(operation: bulk.Operation) -> dict[str, Any]:
        address = f"{request.host_url}_bulk/{store.domain}/{operation.number}.jsonl"
        return bulk.shown(operation, address)

    def one(_info: Any, id: str) -> dict[str, Any] | None:
        found = store.bulk.numbered(int(id.rpartition("/")[2]))
        return looked_at(found) if found else None

    def latest(_info: Any, query: str | None = None, **page: Any) -> dict[str, Any]:  # noqa: ARG001
        # Every operation here is a query, which is all that may be asked for.
        return connection(store.bulk.operations[::-1], looked_at, Page(**page))

    def run(_info: Any, query: str, groupObjects: bool) -> dict[str, Any]:  # noqa: N803
        begun, errors = bulk.run_query(
            store.bulk, SCHEMA, roots, query, grouped=groupObjects, now=store.now()
        )
        return {"bulkOperation": begun and shown(begun), "userErrors": errors}

    return {"bulkOperation": one, "bulkOperations": latest, "bulkOperationRunQuery": run}


def _shown(result: ExecutionResult, spent: dict[str, Any], warnings: list[dict[str, Any]]) -> dict[str, Any]:
    body: dict[str, Any] = {"data": result.data}
    if result.errors:
        body["errors"] = [fault.formatted for fault in result.errors]
    body["extensions"] = {"cost": spent}
    if warnings:
        body["extensions"]["search"] = warnings
    return body


def _cost(store: PretendStore, price: int, spent: int | None) -> dict[str, Any]:
    return {
        "requestedQueryCost": price,
        "actualQueryCost": spent,
        "throttleStatus": {
            "maximumAvailable": store.bucket_size,
            "currentlyAvailable": int(store.points()),
            "restoreRate": store.restore_rate,
        },
    }


def _error(code: str, message: str, **more: Any) -> dict[str, Any]:
    return {"errors": [{"message": message, "extensions": {"code": code, **more}}]}


def _throttled(store: PretendStore, price: int) -> dict[str, Any]:
    page = "https://shopify.dev/api/usage/rate-limits"
    return {
        **_error("THROTTLED", "Throttled", documentation=page),
        "extensions": {"cost": _cost(store, price, None)},
    }


def _too_costly(price: int) -> dict[str, Any]:
    words = f"Query cost is {price}, which exceeds the single query max cost limit ({cost.MAX_COST})."
    return _error("MAX_COST_EXCEEDED", words, cost=price, maxCost=cost.MAX_COST)


def _coded(store: PretendStore, code: str) -> Response:
    """The answer for a GraphQL error that a fault asked for."""
    if code == "THROTTLED":
        store.spend(store.points())
        return _json(200, _throttled(store, 10))
    if code == "MAX_COST_EXCEEDED":
        return _json(200, _too_costly(cost.MAX_COST + 1))
    return _json(200, {"data": None, **_error(code, "Access denied")})
