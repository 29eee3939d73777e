"""What the documents and the code say of one another is so: sections, links, files and modules that are named exist."""

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name
from typing import Final
from urllib.parse import urlsplit

import pytest

ROOT: Final = Path(__file__).parents[1]
SOURCES: Final = sorted(
    path
    for folder in ("src", "tests", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
    if path.name != "test_docs.py"
)
DOCUMENTS: Final = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
DECISIONS: Final = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
"""The template first."""
SCREEN: Final = 45
"""Lines that are read without scrolling."""
HISTORY: Final = ROOT / "CHANGELOG.md"
"""Names what there was, too."""

# In parentheses all that follows the file is the section; in a sentence only the words that begin with a capital.
CITED_ALONE: Final = re.compile(r"\((docs/[\w/-]+\.md)((?:,[^()]*)?)\)")
CITED_IN_SENTENCE: Final = re.compile(r"(?<!\()\b(docs/[\w/-]+\.md)((?:, [A-Z][^,.;:()\"`]*)*)")
LINE_BREAK: Final = re.compile(r"\s*\n\s*(?:(?:#|--) ?)?")
HEADING: Final = re.compile(r"(#{1,6}) (.+)")
LEAD: Final = re.compile(r"(?:\d+\. |- )?\*\*(.+?)\*\*")
LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
FILE: Final = re.compile(r"(?<![\w/.-])((?:src|tests|benchmarks|schema|docs|sesame|resolvers|services|db)/[\w./-]*)")
MODULE: Final = re.compile(
    r"(?<![\w./-])(?:db|services|resolvers|tests|benchmarks)(?:\.[a-z_]\w*)+(?:\.[A-Z]\w*)?(?!\w|/)"
)


def lines_of(path: Path) -> Iterator[str]:
    """The lines of a document, those of its code left empty."""
    in_code = False
    for line in path.read_text(encoding="utf-8").splitlines():
        in_code ^= line.startswith("```")
        yield "" if in_code or line.startswith("```") else line


def sections(path: Path) -> set[tuple[str, ...]]:
    """Each heading below the title, and each bold word that a paragraph or list item begins with, with those above."""
    found: set[tuple[str, ...]] = set()
    above: list[tuple[int, str]] = []
    begins = True
    for line in lines_of(path):
        if heading := HEADING.fullmatch(line):
            level = len(heading[1])
            above = [*(each for each in above if each[0] < level), (level, heading[2])]
            found.add(tuple(name for depth, name in above if depth > 1))
        elif (lead := LEAD.match(line)) and (begins or not line.startswith("**")):
            found.add((*(name for depth, name in above if depth > 1), lead[1].rstrip(".:")))
        begins = not line or heading is not None
    return found


def citations(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The documents that a source names, each with the section that it names of it."""
    flowing = LINE_BREAK.sub(" ", text)
    for pattern in (CITED_ALONE, CITED_IN_SENTENCE):
        for cited in pattern.finditer(flowing):
            yield cited[1], tuple(part.strip() for part in cited[2].split(",") if part.strip())


def stale_citations(text: str) -> list[str]:
    return [
        ", ".join((document, *parts))
        for document, parts in citations(text)
        if not (ROOT / document).is_file() or (parts and parts not in sections(ROOT / document))
    ]


def prose_of(source: str) -> Iterator[str]:
    """The docstrings and comments."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def exists(module: str) -> bool:
    try:
        resolve_name(module)
    except (ImportError, AttributeError):
        return False
    return True


def missing_modules(text: str) -> list[str]:
    return sorted(name for name in set(MODULE.findall(text)) if not exists(name))


def anchors(path: Path) -> set[str]:
    """What a link may name of a document, as hosts of repositories spell headings."""
    headings = (HEADING.fullmatch(line) for line in lines_of(path))
    return {re.sub(r"[^\w\- ]", "", each[2].lower()).replace(" ", "-") for each in headings if each}


def dead_links(path: Path) -> list[str]:
    dead = []
    for line in lines_of(path):
        for link in LINK.findall(line):
            to = urlsplit(link)
            if to.scheme:
                continue
            target = path.parent / to.path if to.path else path
            if not target.exists() or (to.fragment and to.fragment not in anchors(target)):
                dead.append(link)
    return dead


def missing_files(text: str) -> list[str]:
    names = {name.rstrip(".") for name in FILE.findall(text)}
    return sorted(name for name in names if not (ROOT / name).exists() and not (ROOT / "src" / name).exists())


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_section_that_the_code_names_exists() -> None:
    found = {relative(path): stale_citations(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert {path: stale for path, stale in found.items() if stale} == {}


def test_every_module_and_file_that_the_code_speaks_of_exists() -> None:
    prose = {relative(path): "\n".join(prose_of(path.read_text(encoding="utf-8"))) for path in SOURCES}
    found = {path: [*missing_modules(said), *missing_files(said)] for path, said in prose.items()}
    assert {path: missing for path, missing in found.items() if missing} == {}


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_every_link_leads_somewhere(path: Path) -> None:
    assert dead_links(path) == []


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if path != HISTORY], ids=relative)
def test_every_file_that_a_document_names_exists(path: Path) -> None:
    assert missing_files(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if path != HISTORY], ids=relative)
def test_every_module_that_a_document_names_exists(path: Path) -> None:
    assert missing_modules(path.read_text(encoding="utf-8")) == []


def test_the_readme_says_what_each_dependency_is_for() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    requirements = [
        *wanted["build-system"]["requires"],
        *wanted["project"]["dependencies"],
        *wanted["project"]["optional-dependencies"]["dev"],
    ]
    _, _, reasons = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Why each dependency")
    named = set(re.findall(r"[a-z0-9-]+", reasons.lower()))
    assert [each for each in requirements if re.split(r"[\[<>=;]", each)[0].lower() not in named] == []


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_says_what_why_at_which_cost_and_until_when(path: Path) -> None:
    assert sections(path) == {(), ("What",), ("Why",), ("What it costs",), ("What would change our mind",)}
    assert len(path.read_text(encoding="utf-8").splitlines()) <= SCREEN


def test_every_decision_is_listed_by_its_title() -> None:
    titles = [path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ") for path in DECISIONS]
    listed = re.findall(
        r"^- \[(.+)\]\((.+)\)$", (ROOT / "docs/decisions/README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert listed == [(title, path.name) for title, path in zip(titles, DECISIONS, strict=True)][1:]


@pytest.mark.parametrize(
    ("said", "stale"),
    [
        ('"""Codes (docs/domain.md, Codes)."""', []),
        ("    # as in docs/domain.md, Offers, State, and\n    # nowhere else", []),
        ('"""Who sells (docs/domain.md, Who\n    may do what)."""', []),
        ('"""(docs/domain.md, Offers, Colours)"""', ["docs/domain.md, Offers, Colours"]),
        ('"""(docs/domain.md, State)"""', ["docs/domain.md, State"]),
        ('"""(docs/domain.md, Offers, step 2)"""', ["docs/domain.md, Offers, step 2"]),
        ("# the rules of docs/domain.md, Offers and Codes.", ["docs/domain.md, Offers and Codes"]),
        ("# see docs/rules.md", ["docs/rules.md"]),
    ],
)
def test_a_section_that_does_not_exist_is_noticed(said: str, stale: list[str]) -> None:
    assert stale_citations(said) == stale


def test_a_link_a_file_and_a_module_that_do_not_exist_are_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n## A part\n\n[a](page.md) [b](#a-part) [c](#another) [d](gone.md)\n")
    assert dead_links(page) == ["#another", "gone.md"]
    assert missing_files("`src/db/core/tables.py`, services/core/, and src/db/core/chairs.py.") == [
        "src/db/core/chairs.py"
    ]
    assert missing_modules("``db.core.tables.codes`` beside db.core.chairs") == ["db.core.chairs"]
