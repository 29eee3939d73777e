"""How failures reach clients: as members of result unions, or as top-level errors with a code."""

import asyncio
from uuid import UUID

import pytest
from structlog.testing import capture_logs
from tests.graphql.runtime.toy import KEYS, SCHEMA, Probe, context
from tests.wire import Json, JsonObject

from resolvers.runtime.error_masking import RETRY_AFTER
from resolvers.runtime.ids import encode
from services.core.texts import Language, text

THING = encode("Thing", KEYS[0])
FULL = """
    __typename
    ... on Thing { code }
    ... on Failure { message failure: code retryAfter }
    ... on InvalidInput { problems { path message code rule french: message(language: FR) } }
    ... on NotFound { path }
"""


async def ask(
    query: str, variables: JsonObject | None = None, probe: Probe | None = None, **headers: str | None
) -> Json:
    """The data and the errors. A header that is None is not sent."""
    wanted = {"authorization": "Bearer x", "accept-language": "en", **headers}
    sent = {name: value for name, value in wanted.items() if value is not None}
    result = await SCHEMA.execute(query, variables, context_value=context(probe or Probe(), **sent))
    return result.data, [error.formatted for error in result.errors or ()]


async def only_error(query: str, variables: JsonObject | None = None, **headers: str | None) -> Json:
    _, [error] = await ask(query, variables, None, **headers)
    return error


async def save(key: str, failure: str | None = None) -> Json:
    query = f"mutation ($id: ID!, $failure: String) {{ save(id: $id, failure: $failure) {{ {FULL} }} }}"
    data, errors = await ask(query, {"id": key, "failure": failure})
    assert errors == []
    return data["save"]


# ── Members of unions ────────────────────────────────────────────────────────────────────────────


async def test_a_success_is_the_first_member() -> None:
    assert await save(THING) == {"__typename": "Thing", "code": "T1"}


async def test_invalid_input_lists_its_problems() -> None:
    answer = await save(THING, "invalid")
    assert answer["__typename"] == "InvalidInput"
    assert [problem["path"] for problem in answer["problems"]] == [["lines", "0", "quantity"]]
    assert answer["problems"][0]["message"]
    assert answer["failure"] == "INVALID_INPUT"


async def test_a_problem_names_its_rule_and_is_told_in_the_language_asked_for() -> None:
    [problem] = (await save(THING, "invalid"))["problems"]
    assert (problem["code"], problem["rule"]) == ("MALFORMED_ID", "MALFORMED_ID")
    assert problem["message"] == "This is not an id of this API."
    assert problem["french"] == text("malformed_id").in_language(Language.FR)


async def test_what_is_missing_is_named_by_its_path() -> None:
    answer = await save(THING, "missing")
    assert (answer["__typename"], answer["path"]) == ("NotFound", ["basketId"])


async def test_a_conflict_says_why_and_when_to_come_back() -> None:
    assert await save(THING, "conflict") == {
        "__typename": "Conflict",
        "message": "Too many at this offer right now: nothing was done, try again.",
        "failure": "BUSY",
        "retryAfter": 5,
    }


@pytest.mark.parametrize("key", ["", "x", "VGhpbmc6", encode("Other", KEYS[0]), f"{THING}=", "\ud800", "é\0"])
async def test_a_wrong_id_of_what_it_is_about_is_not_found(key: str) -> None:
    answer = await save(key)
    assert (answer["__typename"], answer["path"]) == ("NotFound", ["id"])


async def test_a_wrong_id_is_not_found_where_the_union_has_no_invalid_input() -> None:
    data, errors = await ask('mutation { apply(id: "x") { __typename ... on NotFound { path message } } }')
    assert errors == []
    assert (data["apply"]["__typename"], data["apply"]["path"]) == ("NotFound", ["id"])
    assert data["apply"]["message"] == "This is not an id of this API."


async def test_a_failure_that_is_no_member_is_a_top_level_error() -> None:
    error = await only_error(f'mutation {{ apply(id: "{THING}", failure: "invalid") {{ __typename }} }}')
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["extensions"]["problems"] == [
        {"path": ["lines", "0", "quantity"], "message": "This is not an id of this API.", "code": "MALFORMED_ID"}
    ]


async def test_a_right_that_lacks_is_never_a_member() -> None:
    error = await only_error(f'mutation {{ save(id: "{THING}", failure: "forbidden") {{ __typename }} }}')
    assert error["extensions"] == {"code": "FORBIDDEN"}


VALUE = "{ money { amount currency } number instant text french: text(language: FR) }"
VALUES = f"required requiredValue {VALUE} actual actualValue {VALUE}"


def value(**known: Json) -> JsonObject:
    """A value of which only this is not null."""
    return {"money": None, "number": None, "instant": None, "text": None, "french": None, **known}


async def test_a_refused_code_gives_every_reason_with_its_findings() -> None:
    fields = f"refusals {{ code {VALUES} message german: message(language: DE) }}"
    query = f'mutation {{ apply(id: "{THING}", failure: "refused") {{ ... on CodeRefused {{ message {fields} }} }} }}'
    data, errors = await ask(query)
    assert errors == []
    refusals = data["apply"]["refusals"]
    assert [(each["code"], each["required"], each["actual"]) for each in refusals] == [
        ("UNKNOWN_CODE", None, None),
        ("MINIMUM_BASKET_NOT_REACHED", "20.00", "19.90"),
        ("ORDER_LIMIT_EXCEEDED", "4", "5"),
        ("NOT_STARTED", "2026-11-23T13:00:00+01:00", None),
        ("WRONG_CHANNEL", "Box office", "none"),
    ]
    assert [(each["requiredValue"], each["actualValue"]) for each in refusals] == [
        (None, None),
        (value(money={"amount": "20.00", "currency": "EUR"}), value(money={"amount": "19.90", "currency": "EUR"})),
        (value(number=4), value(number=5)),
        (value(instant="2026-11-23T13:00:00+01:00"), None),
        (value(text="Box office", french="Guichet"), value(text="none", french="aucun")),
    ]
    assert refusals[0]["message"] == "This code has a typing error: check it and enter it again."
    assert refusals[0]["german"].startswith("Dieser Code enthält einen Tippfehler")


# ── Top-level errors ─────────────────────────────────────────────────────────────────────────────


async def test_missing_credentials_are_unauthenticated_in_the_language_of_the_request() -> None:
    error = await only_error("{ who }", None, authorization=None, **{"accept-language": "it"})
    assert error["extensions"] == {"code": "UNAUTHENTICATED"}
    assert error["message"].startswith("Accedi")


@pytest.mark.parametrize(
    ("query", "code", "paths"),
    [
        ("{ missing { code } }", "BAD_USER_INPUT", [["seasonId"]]),
        ("{ forbidden { code } }", "FORBIDDEN", None),
        ('{ thing(id: "x") { code } }', "BAD_USER_INPUT", [["id"]]),
        ("{ things(first: 0) { edges { cursor } } }", "BAD_USER_INPUT", [["first"]]),
        ("{ things(first: -1) { edges { cursor } } }", "BAD_USER_INPUT", [["first"]]),
        ("{ things(first: 101) { edges { cursor } } }", "BAD_USER_INPUT", [["first"]]),
        ('{ things(first: 0, after: "x") { edges { cursor } } }', "BAD_USER_INPUT", [["first"], ["after"]]),
        ('{ things(after: "") { edges { cursor } } }', "BAD_USER_INPUT", [["after"]]),
        ('{ things(after: "é") { edges { cursor } } }', "BAD_USER_INPUT", [["after"]]),
        ("{ price(input: { lines: [{}, { quantity: 2147483648 }] }) }", "BAD_USER_INPUT", [["lines", "1", "quantity"]]),
        ('{ price(input: { lines: [], price: "NaN" }) }', "BAD_USER_INPUT", [["price"]]),
        ("{ price(input: { lines: [], language: XX }) }", "BAD_USER_INPUT", [["language"]]),
        ("{ things(first: 2147483648) { edges { cursor } } }", "BAD_USER_INPUT", [["first"]]),
        ("{ nope }", "GRAPHQL_VALIDATION_FAILED", None),
        ("{ price }", "GRAPHQL_VALIDATION_FAILED", None),
        ("{ price(input: $nope) }", "GRAPHQL_VALIDATION_FAILED", None),
        ("{", "GRAPHQL_VALIDATION_FAILED", None),
    ],
)
async def test_errors_have_a_code_and_name_what_is_wrong(query: str, code: str, paths: list[list[str]] | None) -> None:
    error = await only_error(query)
    assert error["extensions"]["code"] == code
    problems = error["extensions"].get("problems")
    assert (problems and [problem["path"] for problem in problems]) == paths


@pytest.mark.parametrize(
    ("value", "path", "rule"),
    [
        ({"lines": [{"quantity": 2**31}]}, ["lines", "0", "quantity"], "OUT_OF_RANGE"),
        ({"lines": [{"quantity": 1.5}]}, ["lines", "0", "quantity"], "MALFORMED"),
        ({"lines": [{"quantity": "1"}]}, ["lines", "0", "quantity"], "MALFORMED"),
        ({"lines": [{"quantity": True}]}, ["lines", "0", "quantity"], "MALFORMED"),
        ({"lines": [{"quantity": 10**400}]}, ["lines", "0", "quantity"], "OUT_OF_RANGE"),
        ({"lines": [None]}, ["lines", "0"], "MISSING"),
        ({"lines": [{"amount": 1}]}, ["lines", "0", "amount"], "UNKNOWN_FIELD"),
        ({}, ["lines"], "MISSING"),
        (None, ["input"], "MISSING"),
        (5, ["input"], "MALFORMED"),
        ({"lines": [], "at": "2026-12-17T20:00:00"}, ["at"], "MALFORMED"),
        ({"lines": [], "price": "1e5"}, ["price"], "MALFORMED"),
    ],
)
async def test_a_wrong_variable_is_named_by_its_path_and_rule(value: object, path: list[str], rule: str) -> None:
    error = await only_error("query ($input: BasketInput!) { price(input: $input) }", {"input": value})
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    [problem] = error["extensions"]["problems"]
    assert (problem["path"], problem["code"]) == (path, rule)


async def test_every_wrong_variable_is_told() -> None:
    value = {"lines": [{"quantity": 2**31}, {"quantity": "x"}], "price": "-", "at": "now"}
    _, errors = await ask("query ($input: BasketInput!) { price(input: $input) }", {"input": value})
    assert len(errors) == 4


async def test_the_same_wrong_document_is_told_the_same_twice() -> None:
    first = await only_error("{ wrong }")
    assert await only_error("{ wrong }") == first


async def test_variables_may_nest_to_any_depth_without_a_fault() -> None:
    deep: list[object] = []
    for _ in range(900):
        deep = [deep]
    error = await only_error("query ($input: BasketInput!) { price(input: $input) }", {"input": {"lines": deep}})
    assert error["extensions"]["code"] != "INTERNAL"


# ── Faults ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "query",
    [
        "{ fault }",
        f'{{ thing(id: "{THING}") {{ broken }} }}',
        f'mutation {{ save(id: "{THING}", failure: "fault") {{ __typename }} }}',
    ],
)
async def test_a_fault_is_masked_under_an_id_that_the_log_has(query: str) -> None:
    with capture_logs() as logs:
        error = await only_error(query)
    [entry] = [log for log in logs if log["event"] == "fault"]
    assert error["extensions"] == {"code": "INTERNAL", "id": entry["id"]}
    assert entry["id"] in error["message"]
    assert "hunter2" not in str(error)
    assert "hunter2" in str(entry["exc_info"])


async def test_an_answer_that_does_not_fit_its_type_is_a_fault() -> None:
    with capture_logs():
        error = await only_error("{ tooLarge }")
    assert error["extensions"]["code"] == "INTERNAL"
    assert str(2**40) not in str(error)


@pytest.mark.parametrize("query", ["{ away }", f'mutation {{ save(id: "{THING}", failure: "away") {{ __typename }} }}'])
async def test_an_outage_is_unavailable_and_says_when_to_come_back(query: str) -> None:
    with capture_logs() as logs:
        error = await only_error(query)
    assert error["extensions"] == {"code": "UNAVAILABLE", "retryAfter": RETRY_AFTER}
    assert error["message"] == "The service is unavailable for a moment. Try again in a few seconds."
    assert [log["event"] for log in logs] == ["unavailable"]


# ── Loads ────────────────────────────────────────────────────────────────────────────────────────


async def test_loads_of_one_turn_are_one_batch_and_what_is_missing_is_null() -> None:
    probe = Probe()
    data, _ = await ask("{ things { edges { node { doubled } } } }", probe=probe)
    assert [edge["node"]["doubled"] for edge in data["things"]["edges"]] == [2, 4, 6, 8, None]
    assert probe.batches == [KEYS]


async def test_a_field_that_fails_does_not_take_a_shared_load_with_it() -> None:
    """A null in a non-null field cancels its siblings, and one of those has begun the load that `late` waits for."""
    probe = Probe()
    shared = context(probe, authorization="x")
    broken = f'{{ thing(id: "{THING}") {{ doubled broken }} }}'
    waiting = asyncio.create_task(SCHEMA.execute("{ late(key: 0) }", context_value=shared))
    with capture_logs():
        await SCHEMA.execute(broken, context_value=shared)
    result = await asyncio.wait_for(waiting, 5)
    assert result.errors is None
    assert result.data == {"late": "2"}


async def test_pages_follow_one_another() -> None:
    page_info = "pageInfo { hasNextPage hasPreviousPage endCursor }"
    query = (
        f"query ($after: String) {{ things(first: 2, after: $after) {{ edges {{ node {{ code }} }} {page_info} }} }}"
    )
    after, seen, pages = None, [], []
    for _ in range(3):
        data, _ = await ask(query, {"after": after})
        page = data["things"]["pageInfo"]
        seen += [edge["node"]["code"] for edge in data["things"]["edges"]]
        pages.append((page["hasPreviousPage"], page["hasNextPage"]))
        after = page["endCursor"]
    assert seen == ["T1", "T2", "T3", "T4", "T5"]
    assert pages == [(False, True), (True, True), (True, False)]


async def test_a_page_behind_the_last_is_empty() -> None:
    data, _ = await ask("{ things(first: 5) { pageInfo { endCursor } } }")
    after = data["things"]["pageInfo"]["endCursor"]
    data, _ = await ask(
        "query ($after: String) { things(after: $after) { edges { cursor } pageInfo { endCursor hasNextPage } } }",
        {"after": after},
    )
    assert data["things"] == {"edges": [], "pageInfo": {"endCursor": None, "hasNextPage": False}}


async def test_the_cursor_of_a_thing_that_is_gone_still_leads_on() -> None:
    from base64 import urlsafe_b64encode

    between = urlsafe_b64encode(str(UUID(int=0)).encode()).decode()
    data, _ = await ask(
        "query ($after: String) { things(first: 1, after: $after) { edges { node { code } } } }", {"after": between}
    )
    assert data["things"]["edges"][0]["node"]["code"] == "T1"
