"""A field as a document asks for it of one type: what all that resolves and writes it has to know."""

from graphql.execution.collect_fields import FieldDetailsList

from graphql import GraphQLField, GraphQLObjectType
from resolvers.runtime.plan.arguments import arguments


class AskedField:
    """A field of one type, under one name of the answer, in one place of a document."""

    def __init__(
        self, key: str, details: FieldDetailsList, definition: GraphQLField, parent: GraphQLObjectType
    ) -> None:
        self.key = key
        self.details = details
        self.nodes = [each.node for each in details]
        self.name = self.nodes[0].name.value
        self.definition = definition
        self.parent = parent
        self.arguments = arguments(definition, self.nodes[0])
