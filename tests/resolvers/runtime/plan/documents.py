"""Documents that a schema takes, at random: all that executors can get wrong, and values that clients would send."""

import json
from dataclasses import dataclass, field
from random import Random
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    get_named_type,
    is_abstract_type,
    is_composite_type,
    is_input_type,
    is_object_type,
    is_required_argument,
    is_required_input_field,
    type_from_ast,
)


@dataclass
class Written:
    """A document and its variables, and how it came to be."""

    schema: GraphQLSchema
    random: Random
    values: dict[str, list[Any]]
    """What clients know: values of arguments, by their names and by those of their types."""
    most_fields: int = 30
    variables: dict[str, tuple[str, Any]] = field(default_factory=dict)
    """Type and value of each; a value of None may be left out."""
    fragments: dict[str, str] = field(default_factory=dict)
    left: int = 0

    def operation(self, kind: str, root: GraphQLObjectType, depth: int = 6) -> tuple[str, dict[str, Any]]:
        self.left = self.most_fields
        selection = self.selection(root, depth)
        signature = ", ".join(f"${name}: {of}" for name, (of, _) in self.variables.items())
        text = f"{kind} Drawn{f'({signature})' if signature else ''} {selection}"
        # Whoever is of a nullable type may be left out, which is not null.
        given = {
            name: value
            for name, (of, value) in self.variables.items()
            if value is not None or of.endswith("!") or self.random.random() < 0.5
        }
        return " ".join([text, *self.fragments.values()]), given

    def variables_of(self, operation: OperationDefinitionNode) -> dict[str, Any]:
        """Values for the variables of an operation that there is."""
        found = {}
        for each in operation.variable_definitions or ():
            name, of = each.variable.name.value, type_from_ast(self.schema, each.type)
            assert is_input_type(of)
            found[name] = self._value(of, name)
        return found

    def selection(self, of: GraphQLNamedType, depth: int) -> str:
        """Fields of a composite type, by themselves and in fragments."""
        parts = []
        for _ in range(self.random.randint(1, 5)):
            chance = self.random.random()
            if chance < 0.1 and depth > 1:
                parts.append(self._inline(of, depth - 1))
            elif chance < 0.2 and depth > 1:
                parts.append(self._spread(of, depth - 1))
            else:
                parts.append(self._field(of, depth))
        if is_abstract_type(of) and depth > 1:
            possible = [each for each in self.schema.get_possible_types(of) if self.random.random() < 0.6]
            parts += [f"... on {each.name} {self.selection(each, depth - 1)}" for each in possible]
        return f"{{ {' '.join(parts)} }}"

    def _field(self, of: GraphQLNamedType, depth: int) -> str:
        fields = dict(getattr(of, "fields", {}))
        if depth <= 1 or self.left <= 0:
            fields = {name: each for name, each in fields.items() if not is_composite_type(get_named_type(each.type))}
        if not fields or self.random.random() < 0.1:
            return f"{self._alias('__typename', '')}__typename{self._condition()}"
        self.left -= 1
        name = self.random.choice(sorted(fields))
        definition = fields[name]
        arguments = self._arguments(name, definition.args)
        inner = get_named_type(definition.type)
        below = f" {self.selection(inner, depth - 1)}" if is_composite_type(inner) else ""
        # One name in the answer means one thing: the field of one type with these arguments.
        alias = self._alias(name, arguments, of)
        return f"{alias}{name}{arguments}{self._condition()}{below}"

    def _alias(self, name: str, arguments: str, of: GraphQLNamedType | None = None) -> str:
        if not arguments and (of is None or self.random.random() < 0.7) and not is_abstract_type(of):
            owner = "" if of is None else f"{name}Of{of.name}: "
            return owner if self.random.random() < 0.5 else ""
        return f"{name}{self.random.randint(0, 10**9)}: "

    def _inline(self, of: GraphQLNamedType, depth: int) -> str:
        on = self._condition_type(of)
        written = f" on {on.name}" if on is not of or self.random.random() < 0.5 else ""
        return f"...{written}{self._condition()} {self.selection(on, depth)}"

    def _spread(self, of: GraphQLNamedType, depth: int) -> str:
        on = self._condition_type(of)
        name = f"Part{len(self.fragments)}"
        self.fragments[name] = ""  # Its place, before what it spreads itself.
        self.fragments[name] = f"fragment {name} on {on.name} {self.selection(on, depth)}"
        again = f" ...{name}{self._condition()}" if self.random.random() < 0.2 else ""
        return f"...{name}{self._condition()}{again}"

    def _condition_type(self, of: GraphQLNamedType) -> GraphQLNamedType:
        choices: list[GraphQLNamedType] = [of]
        if is_abstract_type(of):
            choices += self.schema.get_possible_types(of)
        elif is_object_type(of):
            choices += of.interfaces
        return self.random.choice(choices)

    def _condition(self) -> str:
        if self.random.random() < 0.85:
            return ""
        name = self.random.choice(["include", "skip"])
        if self.random.random() < 0.4:
            return f" @{name}(if: {self.random.choice(['true', 'false'])})"
        return f" @{name}(if: ${self._variable('Boolean!', self.random.random() < 0.5)})"

    def _variable(self, of: str, value: Any) -> str:
        name = f"v{len(self.variables)}"
        self.variables[name] = (of, value)
        return name

    def _arguments(self, owner: str, arguments: dict[str, GraphQLArgument]) -> str:
        written = []
        for name, argument in arguments.items():
            if not is_required_argument(argument) and self.random.random() < 0.5:
                continue
            value = self._value(argument.type, f"{owner}.{name}", name)
            if self.random.random() < 0.4:
                given = f"${self._variable(str(argument.type), value)}"
            else:
                given = self._literal(argument.type, value)
            written.append(f"{name}: {given}")
        return f"({', '.join(written)})" if written else ""

    def _value(self, of: GraphQLInputType, *names: str) -> Any:
        """A value as JSON has it."""
        if isinstance(of, GraphQLNonNull):
            return self._value_of(of.of_type, *names)
        return None if self.random.random() < 0.15 else self._value_of(of, *names)

    def _value_of(self, of: GraphQLInputType, *names: str) -> Any:
        for name in names:
            if name in self.values:
                return self.random.choice(self.values[name])
        if isinstance(of, GraphQLList):
            return [self._value(of.of_type, *names) for _ in range(self.random.randint(0, 2))]
        if isinstance(of, GraphQLEnumType):
            return self.random.choice(sorted(of.values))
        if isinstance(of, GraphQLInputObjectType):
            names_of_fields = sorted(of.fields)
            if of.is_one_of:
                chosen = self.random.choice(names_of_fields)
                return {chosen: self._value_of(of.fields[chosen].type, chosen)}
            return {
                name: self._value(each.type, f"{of.name}.{name}", name)
                for name, each in of.fields.items()
                if is_required_input_field(each) or self.random.random() < 0.4
            }
        assert not isinstance(of, GraphQLNonNull)
        return self.random.choice(self.values[of.name])

    def _literal(self, of: GraphQLInputType, value: Any) -> str:
        """The same in a document, with a variable in it now and then."""
        inner = of.of_type if isinstance(of, GraphQLNonNull) else of
        if value is None:
            return "null"
        if isinstance(inner, GraphQLList) and isinstance(value, list):
            return f"[{', '.join(self._part(inner.of_type, each) for each in value)}]"
        if isinstance(inner, GraphQLInputObjectType):
            fields = [f"{name}: {self._part(inner.fields[name].type, each)}" for name, each in value.items()]
            return f"{{{', '.join(fields)}}}"
        return str(value) if isinstance(inner, GraphQLEnumType) else json.dumps(value, ensure_ascii=False)

    def _part(self, of: GraphQLInputType, value: Any) -> str:
        if self.random.random() < 0.15 and isinstance(of, GraphQLNonNull):
            return f"${self._variable(str(of), value)}"
        return self._literal(of, value)
