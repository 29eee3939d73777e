"""What holds for the whole house: its schema, its imports, its sentences."""

import re
import tomllib
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


@pytest.mark.parametrize("key", TEXTS)
def test_every_sentence_comes_in_five_languages_with_the_same_placeholders(key: str) -> None:
    sentences = TEXTS[key]
    assert set(sentences) == {language.lower() for language in Language}
    assert len({tuple(sorted(re.findall(r"\{(\w+)", sentence))) for sentence in sentences.values()}) == 1


def test_every_sentence_is_used() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
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
    )
    unused = [key for key in TEXTS if f'"{key}"' not in code and not key.startswith(prefixes)]
    assert unused == []
