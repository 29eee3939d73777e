"""Each code says in the schema and on the page of errors what it means and what to do: nobody has to guess."""

import re
from enum import EnumType
from pathlib import Path
from typing import Final

import pytest

from graphql import GraphQLEnumType
from resolvers.runtime.enums import MEANINGS, FailureCode, InputRule, RefusalCode
from resolvers.schema import schema

ROOT: Final = Path(__file__).parents[3]
ENUMS: Final = (FailureCode, InputRule, RefusalCode)
PAGE: Final = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
ROWS: Final = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE, re.MULTILINE))
CODE: Final = re.compile(r"""(?:"code": |\bcode=|\belse |: Final = )"([A-Z][A-Z_]+)\"""")


@pytest.mark.parametrize("enum", ENUMS)
def test_every_code_has_a_meaning_and_no_meaning_lacks_its_code(enum: EnumType) -> None:
    assert list(MEANINGS[enum.__name__]) == list(enum.__members__)


@pytest.mark.parametrize("enum", ENUMS)
def test_a_meaning_says_what_to_do_after_what_it_means(enum: EnumType) -> None:
    assert [said for said in MEANINGS[enum.__name__].values() if not re.search(r"[.:;] \S+.*\.$", said)] == []


@pytest.mark.parametrize("enum", ENUMS)
def test_the_schema_has_the_meanings(enum: EnumType) -> None:
    shown = schema._schema.get_type(enum.__name__)
    assert isinstance(shown, GraphQLEnumType)
    assert {name: value.description for name, value in shown.values.items()} == MEANINGS[enum.__name__]


@pytest.mark.parametrize("enum", ENUMS)
def test_the_page_of_errors_has_the_meanings(enum: EnumType) -> None:
    lines = PAGE.splitlines()
    assert [code for code, said in MEANINGS[enum.__name__].items() if lines.count(f"| `{code}` | {said} |") != 1] == []


def test_the_page_of_errors_has_the_codes_of_errors_and_no_others() -> None:
    sources = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "src" / "resolvers").rglob("*.py"))]
    told = {code for source in sources for code in CODE.findall(source)}
    assert {"BAD_USER_INPUT", "FORBIDDEN", "INTERNAL", "OVERLOADED", "TIMED_OUT"} <= told
    known = {code for enum in ENUMS for code in enum.__members__}
    assert told - ROWS.keys() == set()
    assert ROWS.keys() - known - told == set()
