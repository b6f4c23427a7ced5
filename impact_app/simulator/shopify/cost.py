"""What a GraphQL document costs before it runs.

Shopify does not publish its formula. This one keeps what its documentation says of it: scalars and money are
free, a thing with an id costs a point, a connection costs by its page but less than in proportion, a mutation
costs ten, and orders by 25 with 50 lines each stay under the 1,000 points that one document may cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, sqrt
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    value_from_ast_untyped,
)

MAX_COST = 1000


def requested(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Mapping[str, Any],
) -> int:
    """Points for running the operation with these variables."""
    fragments = {
        node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
    }
    root = schema.get_root_type(operation.operation)
    assert root is not None
    defaults = {
        definition.variable.name.value: value_from_ast_untyped(definition.default_value)
        for definition in operation.variable_definitions or ()
        if definition.default_value is not None
    }
    walk = _Walk(schema, fragments, {**defaults, **variables})
    return walk.selection(operation.selection_set, root) + (
        10 if operation.operation.value == "mutation" else 0
    )


class _Walk:
    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: Mapping[str, Any],
    ) -> None:
        self.schema = schema
        self.fragments = fragments
        self.variables = variables

    def selection(self, selection: SelectionSetNode | None, parent: Any) -> int:
        return sum(self._node(node, parent) for node in selection.selections) if selection else 0

    def _node(self, node: Any, parent: Any) -> int:
        if isinstance(node, InlineFragmentNode):
            named = node.type_condition.name.value if node.type_condition else parent.name
            return self.selection(node.selection_set, self.schema.type_map[named])
        if isinstance(node, FragmentSpreadNode):
            fragment = self.fragments[node.name.value]
            return self.selection(
                fragment.selection_set, self.schema.type_map[fragment.type_condition.name.value]
            )
        return self._field(node, parent)

    def _field(self, node: FieldNode, parent: Any) -> int:
        definition = getattr(parent, "fields", {}).get(node.name.value)
        if definition is None or node.selection_set is None:
            return 0
        kind: Any = get_named_type(definition.type)
        inside = self.selection(node.selection_set, kind)
        arguments = {
            argument.name.value: value_from_ast_untyped(argument.value, dict(self.variables))
            for argument in node.arguments or ()
        }
        if kind.name.endswith("Connection"):
            return 2 + ceil(2 * sqrt(arguments.get("first") or 0)) * inside
        each = inside + (1 if self._has_id(kind) else 0)
        return each * len(arguments["ids"] or ()) if "ids" in arguments else each

    def _has_id(self, kind: Any) -> bool:
        if isinstance(kind, GraphQLInterfaceType):
            return kind.name == "Node"
        return isinstance(kind, GraphQLObjectType) and any(face.name == "Node" for face in kind.interfaces)


def actual(data: Any) -> int:
    """Points for what came back: one for each thing with an id, at least one in all."""
    return max(1, _things(data))


def _things(value: Any) -> int:
    if isinstance(value, list):
        return sum(map(_things, value))
    if isinstance(value, dict):
        return ("id" in value) + sum(map(_things, value.values()))
    return 0
