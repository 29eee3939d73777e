"""What clients send is answered by plans as by graphql-core: every document of the screens, and any other one."""

from collections.abc import Iterator
from random import Random
from typing import Any
from uuid import UUID

import orjson
import pytest
from tests.conftest import Server
from tests.graphql.operations import OPERATIONS
from tests.resolvers.runtime.plan.documents import Written

from graphql import (
    OperationDefinitionNode,
    OperationType,
    parse,
    print_ast,
    separate_operations,
    validate,
)
from resolvers.runtime import error_masking
from resolvers.runtime.context import Context
from resolvers.schema import schema
from sesame.composition import build_services

IDS = """{ seasons { id } products(first: 5) { edges { node { id performances(first: 2) { edges { node { id } } } } } }
    advantages(first: 5) { edges { node { id } } } promotionalCodes(first: 5) { edges { node { id } } }
    contacts(first: 3) { edges { node { id } } } codes(first: 5) { edges { node { id batch { id } } } } }"""
DRAWN = 40
"""Documents of each screen's schema that are drawn, beside those that there are."""


@pytest.fixture(autouse=True)
def _same_ids_of_faults(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(error_masking, "uuid4", lambda: UUID(int=0))
    yield
    schema.is_planned = True


class Asking:
    """Asks both executors as staff, at the same instant of the same data."""

    def __init__(self, server: Server, token: str) -> None:
        self._services = build_services(server.own)
        self._clock = server.clock
        self._headers = {"authorization": f"Bearer {token}", "accept-language": "en"}

    async def ask(self, document: str, variables: dict[str, Any], name: str | None = None) -> dict[str, bytes]:
        """What each of them answers."""
        return {
            executor: await self.one(document, variables, name, is_planned=executor == "plan")
            for executor in ("plan", "graphql-core")
        }

    async def one(
        self, document: str, variables: dict[str, Any], name: str | None = None, *, is_planned: bool
    ) -> bytes:
        schema.is_planned = is_planned
        context = Context(self._services, self._clock, self._headers, "127.0.0.1")
        result = await schema.execute(document, variables, context_value=context, operation_name=name)
        errors = sorted((each.formatted for each in result.errors or ()), key=orjson.dumps)
        return orjson.dumps([result.data, errors, result.extensions])


def are_same(answers: dict[str, bytes]) -> bool:
    """Whether both are, to the byte; of failures that race to null the same thing, some may have come in time or not."""
    planned, core = answers["plan"], answers["graphql-core"]
    if planned == core:
        return True
    (data, errors, extensions), (core_data, core_errors, core_extensions) = orjson.loads(planned), orjson.loads(core)
    fewer, more = sorted((errors, core_errors), key=len)
    return bool(fewer) and (data, extensions) == (core_data, core_extensions) and all(each in more for each in fewer)


async def known(asking: Asking) -> dict[str, list[Any]]:
    """Values that the data knows, and some that it does not."""
    found = orjson.loads(await asking.one(IDS, {}, is_planned=False))
    ids: list[Any] = ["nonsense"]

    def look(value: Any) -> None:
        if isinstance(value, dict):
            ids.extend(each for name, each in value.items() if name == "id")
            for each in value.values():
                look(each)
        elif isinstance(value, list):
            for each in value:
                look(each)

    look(found)
    return {
        "ID": ids,
        "Int": [1, 2, 3],
        "first": [1, 2, 5],
        "last": [1, 2],
        "after": ["nonsense"],
        "before": ["nonsense"],
        "String": ["SECUTIX", "TYD", "a"],
        "Boolean": [True, False],
        "DateTime": ["2026-11-28T10:00:00+01:00"],
        "Date": ["2026-11-28"],
        "Decimal": ["1.50"],
        "Currency": ["EUR"],
    }


async def test_every_document_of_the_screens(server: Server) -> None:
    asking = Asking(server, server.staff)
    values, random = await known(asking), Random(1)  # noqa: S311 - the same each time
    asked = 0
    for path in sorted(OPERATIONS.glob("*.graphql")):
        for name, separate in separate_operations(parse(path.read_text(encoding="utf-8"))).items():
            operation = next(each for each in separate.definitions if isinstance(each, OperationDefinitionNode))
            if operation.operation is not OperationType.QUERY:
                continue
            for _ in range(2):
                written = Written(schema._schema, random, values)
                variables = written.variables_of(operation)
                answers = await asking.ask(print_ast(separate), variables, name)
                assert are_same(answers), (name, variables)
                asked += 1
    assert asked > DRAWN


@pytest.mark.parametrize("seed", range(3))
async def test_any_document(server: Server, seed: int) -> None:
    asking = Asking(server, server.staff if seed else server.contact)
    values, random = await known(asking), Random(seed)  # noqa: S311 - the same each time
    root = schema._schema.query_type
    assert root is not None
    answered = 0
    while answered < DRAWN:
        document, variables = Written(schema._schema, random, values, most_fields=25).operation("query", root, 5)
        if validate(schema._schema, parse(document)):
            continue
        answers = await asking.ask(document, variables)
        assert are_same(answers), (document, variables)
        answered += 1
