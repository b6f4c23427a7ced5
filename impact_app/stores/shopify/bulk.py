"""Many orders at once: Shopify exports them into a file, which is read line by line.

The file holds a line for each order and each of its lines, discounts and shipping lines, children anywhere
behind their order. It is laid out by order in a database of its own, on disk, which has no name and ends with
the process; so memory stays small and nothing is left behind. Only a whole file is used.
Source: shopify.dev/docs/api/usage/bulk-operations/queries, seen 2026-11; types of API 2026-10.
"""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import msgspec

from impact_app.http import Http, NoAnswer, NotConnected, Unserved, redacted
from impact_app.stores.shopify.documents import BULK_OPERATION, BULK_OPERATIONS, BULK_RUN, bulk_orders
from impact_app.stores.shopify.errors import ShopifyError
from impact_app.stores.shopify.orders import Reader, look_at_one, placed_between, webhook_body, whole_order

Node = Mapping[str, Any]

#: An export that came to its end this long ago at most is used again.
FRESH = timedelta(hours=1)

#: Seconds between two looks at an export: at first, and at most.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 15.0

_ENDED = {
    "FAILED": "Shopify could not finish exporting the orders ({code}).",
    "CANCELED": "The export of the orders was cancelled in Shopify.",
    "CANCELING": "The export of the orders was cancelled in Shopify.",
    "EXPIRED": "Shopify's export of the orders is too old to be had.",
}
_AGAIN = "Nothing is lost: the same command begins anew."


class BulkFailed(ShopifyError):
    """An export of orders came to nothing; asking again is safe."""


@dataclass(frozen=True)
class Exports:
    """Exports orders of one store.

    ask      runs a document with its variables and answers with `data`
    http     fetches the file; it never sees an access token
    base     the store's own address, which the file may come from, as any public host by https
    pause    waits so many seconds
    """

    ask: Callable[[str, Mapping[str, object]], Mapping[str, Any]]
    http: Http
    base: str
    pause: Callable[[float], None]
    clock: Callable[[], datetime]

    def placed_orders(
        self, since: datetime, until: datetime, told: Callable[[int], None], *, sees_customers: bool = False
    ) -> Iterator[bytes]:
        """The webhook bodies of all orders placed from `since` up to, not including, `until`.

        `told` hears how many orders Shopify has exported. An order with refunds is read by itself, as it
        stands by then. An export of these orders that is under way already is used. Raises `BulkFailed`, and
        whatever `ask` raises.
        """
        reader = Reader(self.ask, sees_customers)
        look_at_one(reader, since, until)
        query = bulk_orders(placed_between(since, until), **reader.sees)
        operation = self._ended(self._begun(query, until), told)
        if operation["url"] is None:
            return
        with closing(sqlite3.connect("")) as kept:
            _lay_out(kept, self._file(operation["url"]), operation)
            yield from _bodies(kept, reader)

    def _begun(self, query: str, until: datetime) -> Node:
        found = self._under_way(query, until)
        if found is not None:
            return found
        answer = self.ask(BULK_RUN, {"query": query})["bulkOperationRunQuery"]
        errors = answer["userErrors"]
        if not errors:
            begun: Node = answer["bulkOperation"]
            return begun
        if not {error["code"] for error in errors} <= {"LIMIT_REACHED", "OPERATION_IN_PROGRESS"}:
            words = redacted("; ".join(error["message"] for error in errors), (), limit=300)
            raise BulkFailed(f"Shopify refused to export the orders: {words}")
        # An answer may have been lost, so that it was begun after all.
        found = self._under_way(query, until)
        if found is None:
            raise BulkFailed(
                "Shopify is busy with other bulk operations of this app. "
                "Repeat the command when they are done."
            )
        return found

    def _under_way(self, query: str, until: datetime) -> Node | None:
        """An export of just these orders that is running, or that ended a moment ago and can lack none."""
        wanted = query.split()
        for one in self.ask(BULK_OPERATIONS, {})["bulkOperations"]["nodes"]:
            if one["query"].split() != wanted:
                continue
            begun = datetime.fromisoformat(one["createdAt"])
            is_whole = until <= begun and begun >= self.clock() - FRESH
            if one["status"] in {"CREATED", "RUNNING"} or (one["status"] == "COMPLETED" and is_whole):
                found: Node = one
                return found
        return None

    def _ended(self, operation: Node, told: Callable[[int], None]) -> Node:
        pause = _FIRST_PAUSE
        while operation["status"] in {"CREATED", "RUNNING"}:
            told(int(operation["rootObjectCount"]))
            self.pause(pause)
            pause = min(_LONGEST_PAUSE, pause * 1.5)
            operation = self.ask(BULK_OPERATION, {"id": operation["id"]})["bulkOperation"]
            if operation is None:
                raise BulkFailed(f"Shopify does not know the export of the orders any more. {_AGAIN}")
        if operation["status"] != "COMPLETED":
            words = _ENDED.get(operation["status"], "Shopify's export of the orders ended as {status}.")
            told_why = words.format(code=operation["errorCode"], status=operation["status"])
            raise BulkFailed(f"{told_why} {_AGAIN}")
        return operation

    def _file(self, url: str) -> Iterator[bytes]:
        if not self._may_be_fetched(url):
            raise BulkFailed("Shopify named an address for the exported file that is no public one.")
        try:
            yield from self.http.lines(url)
        except Unserved as fault:
            raise BulkFailed(f"The exported file is not to be had any more ({fault}). {_AGAIN}") from fault
        except (NotConnected, NoAnswer) as fault:
            raise BulkFailed(f"The exported file broke off ({fault}). {_AGAIN}") from fault

    def _may_be_fetched(self, url: str) -> bool:
        parts, own = urlsplit(url), urlsplit(self.base)
        if (parts.scheme, parts.netloc) == (own.scheme, own.netloc):
            return True
        return parts.scheme == "https" and parts.hostname is not None and _is_public(parts.hostname)


def _is_public(host: str) -> bool:
    """Whether a host is out in the world, under each of its addresses."""
    try:
        found = socket.getaddrinfo(host, 443, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(ip_address(str(at[4][0]).partition("%")[0]).is_global for at in found)


def _lay_out(kept: sqlite3.Connection, lines: Iterator[bytes], operation: Node) -> None:
    """Keep every line by its order; the file must be as long as Shopify says."""
    try:
        kept.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            "CREATE TABLE parents (id TEXT, line BLOB); CREATE TABLE children (parent TEXT, line BLOB);"
        )
        kept.execute("BEGIN")
        size = 0
        for line in lines:
            size += len(line) + 1
            parent, own = _ids(line)
            table, key = ("parents", own) if parent is None else ("children", parent)
            kept.execute(f"INSERT INTO {table} VALUES (?, ?)", (key, line))  # noqa: S608 - one of two words
        kept.execute("CREATE INDEX by_parent ON children (parent)")
        kept.execute("COMMIT")
        (roots,) = kept.execute("SELECT count(*) FROM parents").fetchone()
    except sqlite3.Error as fault:
        raise BulkFailed(f"The exported file could not be kept on disk: {fault}. {_AGAIN}") from fault
    if roots < int(operation["rootObjectCount"]) or size < int(operation["fileSize"] or 0):
        raise BulkFailed(f"The exported file is shorter than Shopify says. {_AGAIN}")


class _Ids(msgspec.Struct):
    id: str = ""
    parent: str | None = msgspec.field(default=None, name="__parentId")


_ids_of = msgspec.json.Decoder(_Ids)


def _ids(line: bytes) -> tuple[str | None, str]:
    try:
        found = _ids_of.decode(line)
    except msgspec.MsgspecError as fault:
        raise BulkFailed(f"The exported file has a line that is no JSON. {_AGAIN}") from fault
    return found.parent, found.id


def _bodies(kept: sqlite3.Connection, reader: Reader) -> Iterator[bytes]:
    for own, line in kept.execute("SELECT id, line FROM parents ORDER BY rowid"):
        order = msgspec.json.decode(line)
        if order["refunds"]:
            whole = whole_order(reader, order["legacyResourceId"])
            if whole is not None:
                yield webhook_body(whole)
            continue
        found = kept.execute("SELECT line FROM children WHERE parent = ? ORDER BY rowid", (own,))
        yield webhook_body(_joined(order, [msgspec.json.decode(child) for (child,) in found]))


def _joined(order: Node, children: list[Node]) -> Node:
    parts: dict[str, list[Node]] = {"lineItems": [], "shippingLines": [], "discountApplications": []}
    for child in children:
        kind = child["__typename"]
        name = {"LineItem": "lineItems", "ShippingLine": "shippingLines"}.get(kind, "discountApplications")
        parts[name].append(child)
    return {**order, **{name: {"nodes": nodes} for name, nodes in parts.items()}}
