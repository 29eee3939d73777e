"""What holds for the whole house: its schema, its imports, its sentences."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

from graphql import build_schema, parse, validate
from resolvers.schema import schema
from services.core.texts import Language

ROOT = Path(__file__).parents[1]
OPERATIONS = sorted((ROOT / "schema" / "operations").glob("*.graphql"))
SOURCES = sorted((ROOT / "src").rglob("*.py"))
TEXTS = tomllib.loads((ROOT / "src" / "services" / "core" / "texts.toml").read_text(encoding="utf-8"))


def test_the_exported_schema_is_that_of_the_code() -> None:
    assert (ROOT / "schema" / "schema.graphql").read_text(encoding="utf-8") == schema.as_str() + "\n", "make schema"


@pytest.mark.parametrize("path", OPERATIONS, ids=lambda path: path.stem)
def test_the_clients_documents_are_valid(path: Path) -> None:
    assert validate(build_schema(schema.as_str()), parse(path.read_text(encoding="utf-8"))) == []


def test_imports_run_one_way() -> None:
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml")) == 0


def _enums(tree: ast.AST) -> list[ast.ClassDef]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and {ast.unparse(base) for base in node.bases} & {"Enum", "StrEnum"}
    ]


def _texts(tree: ast.AST) -> Iterator[ast.Constant]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))


def test_kinds_and_states_are_enums_that_are_defined_once() -> None:
    trees = {str(path.relative_to(ROOT / "src")): ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
    enums = [each for tree in trees.values() for each in _enums(tree)]
    assert "ContactKind" in {each.name for each in enums}
    assert sorted({each.name for each in enums}) == sorted(each.name for each in enums)
    members = {node for each in enums for node in _texts(each)}
    values = {node.value for node in members if str(node.value).isupper()}
    bare = [
        f"{path}:{node.lineno} {node.value!r}"
        for path, tree in trees.items()
        for node in _texts(tree)
        if node.value in values and node not in members
    ]
    assert bare == []


_SQL = re.compile(
    r"\s*(ALTER|ANALYZE|BEGIN|COMMIT|COPY|CREATE|DELETE|DROP|EXPLAIN|INSERT|LISTEN|LOCK|MERGE|NOTIFY|RESET|ROLLBACK|"
    r"SAVEPOINT|SELECT|SET|SHOW|TRUNCATE|UNLISTEN|UPDATE|VACUUM|VALUES|WITH)(\s|$)"
)
_OF_CONNECTIONS = {"exec_driver_sql", "execute", "executemany", "fetch", "fetchrow", "fetchval", "scalar", "scalars"}
_OF_GRAPHQL = {"schema", "strawberry", "super()"}
"""What is executed there is a document, in the schema itself by its base; and a scalar is a type."""
_NO_SQL = {
    ("sqlalchemy.ext.asyncio", "AsyncConnection"),
    ("sqlalchemy.engine", "URL"),
    ("sqlalchemy.engine", "make_url"),
}


def sql_in(source: str) -> Iterator[int]:
    """The lines on which SQL is written, put together or sent to a database."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Constant(value=str(value)) if _SQL.match(value):
                yield node.lineno
            case ast.Import(names=names) if any(name.name.partition(".")[0] == "sqlalchemy" for name in names):
                yield node.lineno
            case ast.ImportFrom(module=str(module), names=names) if module.partition(".")[0] == "sqlalchemy":
                if module != "sqlalchemy.exc" and any((module, name.name) not in _NO_SQL for name in names):
                    yield node.lineno
            case ast.Call(func=ast.Attribute(attr=called, value=receiver)) if called in _OF_CONNECTIONS:
                if ast.unparse(receiver).rpartition(".")[2] not in _OF_GRAPHQL:
                    yield node.lineno


def test_sql_stands_nowhere_but_in_db() -> None:
    above = {path.relative_to(ROOT / "src"): path.read_text(encoding="utf-8") for path in SOURCES}
    found = [f"{path}:{line}" for path, text in above.items() if path.parts[0] != "db" for line in sql_in(text)]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "from sqlalchemy import text",
        "from sqlalchemy import select as choose",
        "from sqlalchemy.dialects.postgresql import insert",
        "from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine",
        "import sqlalchemy",
        "import sqlalchemy.sql as language",
        "await session.execute(statement)",
        "found = await self._connection.scalar(statement)",
        "await driver.fetchval(query)",
        'HEALTH = "SELECT 1"',
        'query = f"UPDATE {table} SET state = :state"',
        'QUERY = """\n    WITH found AS (SELECT 1)\n    SELECT * FROM found"""',
    ],
)
def test_sql_is_recognised(source: str) -> None:
    assert list(sql_in(source))


@pytest.mark.parametrize(
    "source",
    [
        "from sqlalchemy.ext.asyncio import AsyncConnection",
        "from sqlalchemy.exc import DBAPIError",
        "from services.core.texts import text",
        "await self.schema.execute(document)",
        "Money = strawberry.scalar(Decimal)",
        '"""With what was selected: updates come later."""',
        'CODES = {"SELECTED", "SETTLED"}',
    ],
)
def test_what_only_looks_like_sql_is_left_alone(source: str) -> None:
    assert list(sql_in(source)) == []


@pytest.mark.parametrize("key", TEXTS)
def test_every_sentence_comes_in_five_languages_with_the_same_placeholders(key: str) -> None:
    sentences = TEXTS[key]
    assert set(sentences) == {language.lower() for language in Language}
    assert len({tuple(sorted(re.findall(r"\{(\w+)", sentence))) for sentence in sentences.values()}) == 1


def test_every_sentence_is_used() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES if path.name != "failure_codes.py")
    prefixes = (
        "refusal_",
        "basket_",
        "letter_",
        "header_",
        "status_",
        "credentials_unknown_",
        "csv_",
        "code_",
        "mail_code_list_",
        "role_",
        "state_",
        "target_",
        "family_",
        "field_",
        "kind_",
    )
    unused = [key for key in TEXTS if f'"{key}"' not in code and not key.startswith(prefixes)]
    assert unused == []
