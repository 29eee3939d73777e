"""No sentence of a failure without its code: programs go by codes, and whoever adds a sentence says which it has."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.core.errors import Conflict, Problem
from services.core.failure_codes import FAILURE_CODES, INPUT_RULES, FailureCode, InputRule
from services.core.texts import text

SOURCE = Path(__file__).parents[3] / "src"
SENTENCES = frozenset(tomllib.loads((SOURCE / "services/core/texts.toml").read_text(encoding="utf-8")))

WORDS = ("refusal_", "csv_", "mail_code_list_", "role_", "state_", "target_", "family_", "field_", "kind_")
"""How the keys of texts begin that tell no failure of an operation: reasons of refusals, columns, letters, words."""

_ELSEWHERE = "unknown_separator workbook_too_long link_broken link_expired"
"""Answers that are not GraphQL's."""
_TOP_LEVEL = """
    unauthenticated forbidden forbidden_role trial_forbidden orders_of_nobody credentials_refused credentials_expired timed_out internal
    unavailable overloaded
    """
"""Errors with a code of their own kind."""
_NOT_FOUND = """
    unknown_basket unknown_order unknown_ticket unknown_code mistyped_code unknown_batch code_not_in_basket ticket_not_of_order
    credentials_unknown_organisation credentials_unknown_point_of_sale credentials_unknown_contact partner_key_unknown
    """
"""What only NotFound says, whose code is its own."""
_WORDS = """
    mail_refused mail_unavailable batch_fault batch_interrupted batch_hung none
    code_available code_held code_used code_invalidated code_switched_off
    """
"""Why a batch failed, and words that stand inside of others."""
OTHERS = frozenset(f"{_ELSEWHERE} {_TOP_LEVEL} {_NOT_FOUND} {_WORDS}".split())
"""Sentences that are neither a conflict nor a problem with an input."""

CONFLICTS = {"Conflict", "TicketRefused", "refused", "TotalChanged", "TooMany", "VersionClash"}
PROBLEMS = {"Problem", "add"}


def test_every_sentence_of_a_failure_has_a_code() -> None:
    without = {
        key for key in SENTENCES - FAILURE_CODES.keys() - INPUT_RULES.keys() - OTHERS if not key.startswith(WORDS)
    }
    assert without == set()


def test_codes_are_of_sentences_that_there_are() -> None:
    assert (FAILURE_CODES.keys() | INPUT_RULES.keys() | OTHERS) - SENTENCES == set()


def test_no_sentence_has_two_codes() -> None:
    from services.core import failure_codes

    for sentences in (failure_codes._FAILURES, failure_codes._PROBLEMS):
        keys = " ".join(sentences.values()).split()
        assert len(keys) == len(set(keys))


def _said(call: ast.Call) -> Iterator[str]:
    """The keys of the sentences that a call is given literally."""
    for argument in call.args:
        match argument:
            case ast.Call(func=ast.Name(id="text"), args=[ast.Constant(value=str(key)), *_]):
                yield key


def _calls(names: set[str]) -> Iterator[tuple[str, str]]:
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in names:
                yield from ((path.name, key) for key in _said(node))


def test_what_is_raised_as_a_conflict_has_the_code_of_one() -> None:
    raised = list(_calls(CONFLICTS))
    assert len(raised) > 10
    assert [(path, key) for path, key in raised if key not in FAILURE_CODES] == []


def test_what_is_told_as_a_problem_names_a_rule() -> None:
    told = list(_calls(PROBLEMS))
    assert len(told) > 60
    assert [(path, key) for path, key in told if key not in INPUT_RULES] == []


def test_every_rule_is_broken_by_something() -> None:
    assert set(INPUT_RULES.values()) == set(InputRule)


def test_a_conflict_has_the_code_of_its_sentence() -> None:
    assert Conflict(text("basket_expired")).code is FailureCode.BASKET_EXPIRED
    assert Conflict(text("basket_confirmed")).code is FailureCode.BASKET_NOT_OPEN


def test_a_problem_has_the_rule_of_its_sentence() -> None:
    assert Problem((), text("text_too_long", max_length=1)).rule is InputRule.TOO_LONG


def test_a_sentence_without_a_code_makes_no_conflict() -> None:
    with pytest.raises(KeyError):
        Conflict(text("none"))
