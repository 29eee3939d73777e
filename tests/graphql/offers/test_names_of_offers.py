"""`offerId` names an offer in every input that names one; the former names go on."""

import pytest
from tests.conftest import Server
from tests.graphql.operations import BackOffice

from db.core.ids import new_id
from resolvers.runtime.ids import encode

UPDATE = """mutation ($input: UpdatePromotionalCodeInput!) { updatePromotionalCode(input: $input) {
    __typename ... on PromotionalCode { code } ... on InvalidInput { problems { path } } ... on NotFound { path } } }"""
ADD = """mutation ($input: AddCustomCodeInput!) { addCustomCode(input: $input) {
    __typename ... on PromotionalCode { code } ... on InvalidInput { problems { path } } ... on NotFound { path } } }"""


@pytest.mark.parametrize(
    ("query", "former", "rest"),
    [(UPDATE, "id", {"picture": "https://example.com/a.png"}), (ADD, "promotionalCodeId", {"code": "SPRING-CODE-1"})],
)
async def test_an_offer_goes_by_offer_id_and_by_its_former_name(
    server: Server, query: str, former: str, rest: dict[str, str]
) -> None:
    async def sent(**ids: str) -> dict[str, object]:
        answer = await server.ask(query, {"input": {**ids, **rest}}, token=server.staff)
        [found] = answer["data"].values()
        return dict(found)

    offer, unknown = await BackOffice(server).offer_id("COUPON3"), encode("PromotionalCode", new_id())
    assert (await sent(offerId=offer))["__typename"] == "PromotionalCode"
    assert (await sent(**{former: unknown}))["path"] == [former]
    assert (await sent(offerId=unknown))["path"] == ["offerId"]
    assert (await sent())["problems"] == [{"path": ["offerId"]}]
    assert (await sent(**{"offerId": offer, former: unknown}))["problems"] == [{"path": [former]}]


async def test_the_former_name_alone_does_as_well(server: Server) -> None:
    offer = await BackOffice(server).offer_id("COUPON3")
    answer = await server.ask(UPDATE, {"input": {"id": offer}}, token=server.staff)
    assert answer["data"]["updatePromotionalCode"] == {"__typename": "PromotionalCode", "code": "COUPON3"}
