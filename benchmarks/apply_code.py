"""`applyAdvantageCode` over HTTP on two workers, beside a plain Starlette endpoint with the same answer."""

import json

from benchmarks.support.load import request
from benchmarks.support.serving import Sesame
from benchmarks.support.shop import HOST, compare, two_seats

CODES = 950  # The example's offer has a quota of 1,000 tickets.

CREATE = "mutation ($input: CreateBasketInput!) { createBasket(input: $input) { ... on Basket { id } } }"
APPLY = """mutation ($input: ApplyAdvantageCodeInput!) { applyAdvantageCode(input: $input) { __typename
    ... on AdvantageCodeApplied { basket { pricing { total { amount currency } } } } } }"""
GENERATE = "mutation ($input: GenerateCodesInput!) { generateCodes(input: $input) { ... on CodeBatch { id } } }"
BATCH = "query ($id: ID!) { codeBatch(id: $id) { state } }"
LIST = """query ($batch: ID!, $after: String) { codes(filter: {batchId: $batch}, first: 100, after: $after) {
    edges { node { code } } pageInfo { endCursor } } }"""
LOOK_UP = (
    '{ contacts(search: "SECUTIX") { edges { node { id } } } advantages(first: 100) { edges { node { id code } } } }'
)


def prepare(server: Sesame) -> list[bytes]:
    """A single-use code of its own for each of as many baskets of two tickets."""
    token = server.token("shopper", "--point-of-sale", "SHOP")
    staff = server.token("staff", "--roles", "CODES,SALES,VIEWER,CATALOGUE")
    line = two_seats(server, token)
    codes = _codes(server, staff)
    requests = []
    for code in codes:
        basket = server.ask(token, CREATE, {"input": {"lines": [line]}})["createBasket"]["id"]
        body = json.dumps({"query": APPLY, "variables": {"input": {"basketId": basket, "code": code}}}).encode()
        requests.append(request(HOST, "/graphql", token, body))
    return requests


def _codes(server: Sesame, staff: str) -> list[str]:
    found = server.ask(staff, LOOK_UP)
    offers = {edge["node"]["code"]: edge["node"]["id"] for edge in found["advantages"]["edges"]}
    contact = found["contacts"]["edges"][0]["node"]["id"]
    wanted = {"offerId": offers["PROMOTYD"], "contactId": contact, "quantity": CODES, "documentType": "NO_EMAIL"}
    batch = server.ask(staff, GENERATE, {"input": wanted})["generateCodes"]["id"]
    while server.ask(staff, BATCH, {"id": batch})["codeBatch"]["state"] != "DONE":
        pass
    codes: list[str] = []
    after = None
    while len(codes) < CODES:
        page = server.ask(staff, LIST, {"batch": batch, "after": after})["codes"]
        codes += [edge["node"]["code"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
    return codes


if __name__ == "__main__":
    compare("applyAdvantageCode", prepare)
