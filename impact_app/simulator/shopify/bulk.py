"""Bulk operations: a query run in the background, its result a file with a line for each object.

What Shopify demands of such a query is demanded here too: `edges` and `node`, at most five connections two
deep, none of them within a list, an `id` beside each nested one (Shopify's guide to bulk operations).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    execute_sync,
    get_named_type,
    get_nullable_type,
    get_operation_ast,
    is_list_type,
    parse,
    validate,
)

Node = dict[str, Any]

#: What may go wrong with the next operation. `cut_off`: the file ends early; `gone`: its address has run out;
#: `lost`: the file lacks its last lines although the connection ends well.
Mishap = Literal["failed", "canceled", "expired", "cut_off", "gone", "lost"]

#: The context that a query of an operation runs in: connections give everything they have.
WHOLE = object()

_MOST_CONNECTIONS, _DEEPEST = 5, 2


@dataclass
class Operation:
    """One operation; each look at it brings it nearer its end."""

    number: int
    query: str
    created_at: datetime
    looks_left: int
    mishap: Mishap | None
    lines: list[bytes] = field(default_factory=list)
    roots: int = 0
    error_code: str | None = None
    status: str = "CREATED"

    @property
    def id(self) -> str:
        return f"gid://shopify/BulkOperation/{self.number}"

    @property
    def content(self) -> bytes:
        return b"".join(self.lines)

    def look(self) -> None:
        if self.status not in ("CREATED", "RUNNING"):
            return
        self.looks_left -= 1
        self.status = "RUNNING" if self.looks_left > 0 else self._end()

    def _end(self) -> str:
        if self.error_code is not None or self.mishap == "failed":
            self.error_code = self.error_code or "INTERNAL_SERVER_ERROR"
            return "FAILED"
        return {"canceled": "CANCELED", "expired": "EXPIRED"}.get(self.mishap or "", "COMPLETED")


@dataclass
class Book:
    """A store's operations. One ends when it was looked at `looks` times; `others` run beside ours."""

    operations: list[Operation] = field(default_factory=list)
    mishaps: list[Mishap] = field(default_factory=list)
    looks: int = 2
    others: int = 0
    limit: int = 5

    def numbered(self, number: int) -> Operation | None:
        return next((one for one in self.operations if one.number == number), None)

    def running(self) -> int:
        return self.others + sum(one.status in ("CREATED", "RUNNING") for one in self.operations)


def run_query(
    book: Book, schema: GraphQLSchema, roots: Mapping[str, Any], query: str, *, grouped: bool, now: datetime
) -> tuple[Operation | None, list[Node]]:
    """Begin an operation; None and the errors where Shopify would not begin it."""
    if book.running() >= book.limit:
        words = "Bulk operations limit reached. Please try again later."
        return None, [{"code": "LIMIT_REACHED", "field": None, "message": words}]
    faults = _faults(schema, query)
    if faults:
        return None, [{"code": "INVALID", "field": ["query"], "message": words} for words in faults]
    mishap = book.mishaps.pop(0) if book.mishaps else None
    begun = Operation(len(book.operations) + 1, query, now, book.looks, mishap)
    result = execute_sync(schema, parse(query), root_value=roots, context_value=WHOLE)
    errors = getattr(result, "errors", None)
    if errors:
        begun.error_code = (errors[0].extensions or {}).get("code", "INTERNAL_SERVER_ERROR")
    else:
        _fill(begun, getattr(result, "data", None) or {}, grouped)
    book.operations.append(begun)
    return begun, []


def shown(operation: Operation, address: str) -> Node:
    """The operation as the API shows it; `address` is where its file can be had."""
    done = operation.status == "COMPLETED"
    return {
        "completedAt": operation.created_at.isoformat() if done else None,
        "createdAt": operation.created_at.isoformat(),
        "errorCode": operation.error_code if operation.status == "FAILED" else None,
        "fileSize": str(len(operation.content)) if done else None,
        "id": operation.id,
        "objectCount": str(len(operation.lines)) if done else "0",
        "partialDataUrl": None,
        "query": operation.query,
        "rootObjectCount": str(operation.roots) if done else str(operation.roots // 2),
        "status": operation.status,
        "type": "QUERY",
        "url": address if done and operation.lines else None,
    }


def served(operation: Operation) -> tuple[int, bytes, int]:
    """Status, content and announced length of an operation's file."""
    content = operation.content
    if operation.mishap == "gone":
        return 403, b"<Error><Code>ExpiredToken</Code></Error>", 40
    if operation.mishap == "cut_off":
        return 200, content[: len(content) // 2], len(content)
    if operation.mishap == "lost":
        kept = b"".join(operation.lines[:-2])
        return 200, kept, len(kept)
    return 200, content, len(content)


def _fill(begun: Operation, data: Mapping[str, Any], grouped: bool) -> None:
    """Ungrouped, children stand anywhere behind their parent: here behind everything else."""
    ((_, top),) = data.items()
    parents: list[Node] = []
    children: list[Node] = []
    for edge in top["edges"]:
        parent, below = _split(edge["node"])
        begun.roots += 1
        parents.append(parent)
        (parents if grouped else children).extend(below)
    begun.lines = [
        json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        for line in (*parents, *children)
    ]


def _split(node: Node) -> tuple[Node, list[Node]]:
    own, below = {}, []
    for name, value in node.items():
        if isinstance(value, dict) and "edges" in value:
            for edge in value["edges"]:
                child, deeper = _split(edge["node"])
                below += [{**child, "__parentId": node["id"]}, *deeper]
        else:
            own[name] = value
    return own, below


def _faults(schema: GraphQLSchema, query: str) -> list[str]:
    try:
        document = parse(query)
    except GraphQLError as fault:
        return [fault.message]
    faults = [fault.message for fault in validate(schema, document)]
    operation = get_operation_ast(document, None)
    if faults or operation is None:
        return faults or ["Must be one operation."]
    return list(_refusals(schema, operation))


def _refusals(schema: GraphQLSchema, operation: OperationDefinitionNode) -> Iterator[str]:
    if operation.variable_definitions:
        yield "Bulk queries cannot have variables."
    root = schema.get_root_type(operation.operation)
    found = list(_connections(operation.selection_set, root, 0, in_list=False))
    if not found:
        yield "Bulk queries must contain at least one connection."
    if len(found) > _MOST_CONNECTIONS:
        yield f"Bulk queries cannot contain more than {_MOST_CONNECTIONS} connections."
    for node, depth, in_list, has_id in found:
        if depth > _DEEPEST:
            yield f"Bulk queries cannot contain connections with a nesting depth greater than {_DEEPEST}."
        if in_list:
            yield "Queries that contain a connection field within a list field are not currently supported."
        if depth > 1 and not has_id:
            yield "The parent 'node' field for a nested connection must select the 'id' field."
        if [part.name.value for part in _fields(node.selection_set)] != ["edges"]:
            yield "All connection fields in a bulk query must select their contents using 'edges' > 'node'."


def _connections(
    selection: SelectionSetNode | None, parent: Any, depth: int, *, in_list: bool
) -> Iterator[tuple[FieldNode, int, bool, bool]]:
    has_id = any(part.name.value == "id" for part in _fields(selection))
    for part in _fields(selection):
        definition = getattr(parent, "fields", {}).get(part.name.value)
        if definition is None or part.selection_set is None:
            continue
        kind: Any = get_named_type(definition.type)
        if kind.name.endswith("Connection"):
            yield part, depth + 1, in_list, has_id
            yield from _connections(part.selection_set, kind, depth + 1, in_list=False)
        else:
            is_list = is_list_type(get_nullable_type(definition.type)) and part.name.value != "edges"
            yield from _connections(part.selection_set, kind, depth, in_list=in_list or is_list)


def _fields(selection: SelectionSetNode | None) -> Iterator[FieldNode]:
    for part in selection.selections if selection else ():
        if isinstance(part, FieldNode):
            yield part
        elif isinstance(part, InlineFragmentNode):
            yield from _fields(part.selection_set)
