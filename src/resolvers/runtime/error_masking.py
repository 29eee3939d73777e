"""Top-level errors: what the client did wrong, said plainly; what we did wrong, masked under an id that the log has.

An outage of the database is neither: it is said to be one, and when to come back.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final
from uuid import uuid4

import structlog
from strawberry.exceptions import MissingQueryError, StrawberryGraphQLError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError

from graphql import (
    DocumentNode,
    GraphQLError,
    ObjectFieldNode,
    ValueNode,
    VariableNode,
)
from resolvers.runtime.input_places import InputPlaces, shortened
from services.core.errors import (
    CodeRefused,
    Conflict,
    Failure,
    Forbidden,
    InvalidInput,
    NotFound,
    TooMany,
    Unauthenticated,
    is_outage,
)
from services.core.failure_codes import INPUT_RULES, InputRule
from services.core.texts import Language, text
from services.offers.refusal_texts import message
from services.pricing.facts.refusals import RefusalCode

UNAVAILABLE: Final = "UNAVAILABLE"
UNAUTHENTICATED: Final = "UNAUTHENTICATED"
INTERNAL: Final = "INTERNAL"
RETRY_AFTER: Final = 2
"""Seconds after which clients may come back from an outage."""

_log = structlog.get_logger()

_OF_REQUEST = (GraphQLError, MissingQueryError, CannotGetOperationTypeError, InvalidOperationTypeError)
_LONGEST = 1_000
"""Characters of what graphql-core says: it repeats what is wrong, however long that is."""

_VARIABLE = re.compile(
    r"Variable '\$(\w+)' has invalid (?:default )?value(?: at ((?:\.\w+|\[\d+\])+))?: (.*)", re.DOTALL
)
_ARGUMENT = re.compile(r"Argument '(\w+)' has invalid value(?: at ((?:\.\w+|\[\d+\])+))?: (.*)", re.DOTALL)
_STEP = re.compile(r"\w+")
_MISSING_FIELD = re.compile(r"to include required field '(\w+)'")
_UNKNOWN_FIELD = re.compile(r"not to include unknown field '(\w+)'")
_RULES: Final = (
    (InputRule.UNKNOWN_FIELD, _UNKNOWN_FIELD),
    (InputRule.CHOOSE_ONE, re.compile(r"exactly one field must be specified")),
    (InputRule.MISSING, re.compile(r"to include required field|non-null type '.*' (?:not to be None|to be provided)")),
    (InputRule.OUT_OF_RANGE, re.compile(r"non 32-bit signed integer")),
)
"""How graphql-core says which rule a value broke."""


def told(errors: Sequence[GraphQLError], document: DocumentNode | None, language: Language) -> list[GraphQLError]:
    """The errors as clients may see them, each with its ``code``; logs those that are faults of ours."""
    places = InputPlaces(document)
    return [_told(error, places, language) for error in errors]


def _told(error: GraphQLError, places: InputPlaces, language: Language) -> GraphQLError:
    cause = _cause(error)
    if isinstance(cause, Failure):
        failed = _failure(error, cause, language)
        if failed.extensions is not None and cause.retry_after is not None:
            failed.extensions["retryAfter"] = cause.retry_after
        return failed
    if _is_of_request(error, cause):
        return _request_error(error, places)
    if isinstance(cause, StrawberryGraphQLError) or (isinstance(cause, GraphQLError) and cause.nodes):
        # graphql-core names the nodes where arguments are at fault, and leaves them out where our answer is.
        return _copy(error, error.message, code="BAD_USER_INPUT", problems=_of_argument(error.message))
    said, extensions = masked(cause or error, language, error.path)
    return _copy(error, said, **extensions)


def _failure(error: GraphQLError, failure: Failure, language: Language) -> GraphQLError:
    said = failure.text.in_language(language)
    match failure:
        case InvalidInput():
            problems = [_problem(each.path, each.text.in_language(language), each.rule) for each in failure.problems]
            return _copy(error, said, code="BAD_USER_INPUT", problems=problems, problemCount=failure.count)
        case NotFound():
            rule = INPUT_RULES.get(failure.text.key, InputRule.UNKNOWN_REFERENCE)
            problem = _problem(failure.path, said, rule)
            return _copy(error, said, code="BAD_USER_INPUT", problems=[problem])
        case Unauthenticated():
            return _copy(error, said, code=UNAUTHENTICATED)
        case Forbidden():
            return _copy(error, said, code="FORBIDDEN")
        case Conflict():
            code = RefusalCode.TOO_MANY_ATTEMPTS.value if isinstance(failure, TooMany) else "CONFLICT"
            return _copy(error, said, code=code, failure=failure.code)
        case CodeRefused():
            refusals = [{"code": each.code, "message": message(each, language)} for each in failure.refusals]
            return _copy(error, said, code=failure.code, refusals=refusals)
    raise TypeError(f"a failure of an unknown kind: {failure!r}")


def _request_error(error: GraphQLError, places: InputPlaces) -> GraphQLError:
    """Syntax, validation and variables: the document or what was sent with it is at fault."""
    if error.extensions and "code" in error.extensions:
        return error
    said = _shortened(error.message)
    if variable := _VARIABLE.fullmatch(said):
        name, at, wrong = variable.groups()
        path = [*places.of_variable(name, error.nodes[0] if error.nodes else None), *_STEP.findall(at or "")]
        if field := _MISSING_FIELD.search(wrong) or _UNKNOWN_FIELD.search(wrong):
            path.append(field[1])
        return _copy(error, said, code="BAD_USER_INPUT", problems=[_problem(shortened(path), wrong, _rule(wrong))])
    if _wrong_value(error) and error.nodes and (path := places.of_literal(error.nodes[0])):
        if field := _MISSING_FIELD.search(said):
            path = [*path, field[1]]
        return _copy(error, said, code="BAD_USER_INPUT", problems=[_problem(shortened(path), said, _rule(said))])
    return _copy(error, said, code="GRAPHQL_VALIDATION_FAILED")


def _of_argument(said: str) -> list[dict[str, object]]:
    """What is wrong with an argument whose variables, each good by itself, do not make a good value together."""
    found = _ARGUMENT.match(said)
    if found is None:
        return []
    name, at, wrong = found.groups()
    return [_problem(shortened([name, *_STEP.findall(at or "")]), _shortened(wrong), _rule(wrong))]


def masked(
    fault: Exception, language: Language, path: Sequence[str | int] | None = None
) -> tuple[str, dict[str, object]]:
    """The message and extensions that stand for a fault; the log has the fault itself, under the same id.

    An outage has no id: the log counts it. What was asked has been done, or not; who has a key asks again by it.
    """
    if is_outage(fault):
        _log.warning("unavailable", exc_info=fault)
        return text("unavailable").in_language(language), {"code": UNAVAILABLE, "retryAfter": RETRY_AFTER}
    key = uuid4().hex
    _log.error("fault", id=key, path=path, exc_info=fault)
    return text("internal", id=key).in_language(language), {"code": INTERNAL, "id": key}


def codes(errors: Iterable[GraphQLError] | None) -> set[object]:
    """The codes of errors as clients see them."""
    return {(error.extensions or {}).get("code") for error in errors or ()}


def _shortened(said: str) -> str:
    return said if len(said) <= _LONGEST else f"{said[: _LONGEST - 1]}…"


def _cause(error: GraphQLError) -> Exception | None:
    """What was raised first, under graphql-core's wrappings."""
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause


def _is_of_request(error: GraphQLError, cause: Exception | None) -> bool:
    """Whether it came up before anything was executed, and points to where in the document or names the reason."""
    return error.path is None and bool(error.nodes or cause is None or isinstance(cause, _OF_REQUEST))


def _copy(error: GraphQLError, said: str, **extensions: object) -> GraphQLError:
    return GraphQLError(said, error.nodes, error.source, error.positions, error.path, extensions=extensions)


def _problem(path: Sequence[str], said: str, rule: InputRule) -> dict[str, object]:
    return {"path": list(path), "message": said, "code": rule.value}


def _rule(said: str) -> InputRule:
    """The rule behind what graphql-core says of a value."""
    return next((rule for rule, words in _RULES if words.search(said)), InputRule.MALFORMED)


def _wrong_value(error: GraphQLError) -> bool:
    node = error.nodes[0] if error.nodes else None
    return isinstance(node, ValueNode | ObjectFieldNode) and not isinstance(node, VariableNode)
