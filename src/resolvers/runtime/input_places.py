"""Where in its document a value was put: the path that names it, from the argument on.

An argument ``input`` has no place of its own in such a path: all mutations have it, and the path of what is wrong
starts inside of it, as it does in ``InvalidInput``.
"""

from collections.abc import Iterator, Sequence

from graphql import (
    ArgumentNode,
    DocumentNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    ListValueNode,
    Node,
    ObjectFieldNode,
    OperationDefinitionNode,
    ValueNode,
    VariableNode,
    print_ast,
)

INPUT = "input"
"""The one argument that most fields with an input have."""


class InputPlaces:
    """The places of one document, which takes as long to make as the document is."""

    def __init__(self, document: DocumentNode | None) -> None:
        definitions = document.definitions if document else ()
        self._operations = [each for each in definitions if isinstance(each, OperationDefinitionNode)]
        self._fragments = {each.name.value: each for each in definitions if isinstance(each, FragmentDefinitionNode)}

    def of_literal(self, literal: Node) -> list[str]:
        """The path of a value, or of a field of an input object, that stands in the document; empty where it is no
        argument's, as a variable's default.
        """
        for definition in (*self._operations, *self._fragments.values()):
            for node, path in _values(definition):
                if _is_same(node, literal):
                    return path
        return []

    def of_variable(self, name: str, definition: Node | None) -> list[str]:
        """The path of the first place at which the operation that defines the variable puts it; its own name where it
        puts it nowhere.
        """
        for operation in self._operations:
            if any(each is definition for each in operation.variable_definitions or ()):
                return next(self._uses(name, operation), [name])
        return [name]

    def _uses(self, name: str, operation: OperationDefinitionNode) -> Iterator[list[str]]:
        left: list[Node] = [operation]
        seen: set[str] = set()
        while left:
            for node, path in _values(left.pop()):
                if isinstance(node, VariableNode) and path and node.name.value == name:
                    yield path
                if isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                    seen.add(node.name.value)
                    left.append(self._fragments[node.name.value])


def shortened(path: Sequence[str]) -> list[str]:
    """A path from an argument on as clients are told it: one inside an input starts there."""
    return list(path[1:] if len(path) > 1 and path[0] == INPUT else path)


def _is_same(node: Node, other: Node) -> bool:
    """Whether both are one node, or say the same: graphql-core tells of copies of what may have variables in it."""
    return node is other or (other.loc is None and node.kind == other.kind and print_ast(node) == print_ast(other))


def _values(definition: Node) -> Iterator[tuple[Node, list[str]]]:
    """All values and spreads in a definition, in the order of the document, each with the path from its argument on."""
    left: list[tuple[Node, list[str]]] = [(definition, [])]
    while left:
        node, path = left.pop()
        if isinstance(node, ArgumentNode):
            path = [node.name.value]
        elif isinstance(node, ObjectFieldNode):
            path = [*path, node.name.value]
        if isinstance(node, ValueNode | ObjectFieldNode | FragmentSpreadNode):
            yield node, path
        children: list[tuple[Node, list[str]]] = []
        for key in node.keys:
            child = getattr(node, key, None)
            if isinstance(child, Node):
                children.append((child, path))
            elif isinstance(child, tuple | list):
                in_list = isinstance(node, ListValueNode)
                children.extend((each, [*path, str(at)] if in_list else path) for at, each in enumerate(child))
        left.extend(reversed(children))
