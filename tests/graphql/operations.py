"""The documents that clients send, from schema/operations, and ids of the example by code."""

import json
from pathlib import Path

from tests.conftest import Server
from tests.wire import Json, JsonObject

from graphql import parse, print_ast, separate_operations

OPERATIONS = Path(__file__).parents[2] / "schema" / "operations"


class Client:
    """Sends operations of some screens' documents with one token, each with the fragments that it spreads, as clients that
    are built do. ``language`` is what the client reads.
    """

    def __init__(self, server: Server, screens: str, token: str, language: str = "en") -> None:
        self._server = server
        self._documents: dict[str, str] = {}
        for screen in screens.split():
            document = parse((OPERATIONS / f"{screen}.graphql").read_text(encoding="utf-8"))
            self._documents |= {name: print_ast(each) for name, each in separate_operations(document).items()}
        self._token = token
        self._language = language

    async def send(self, operation: str, **variables: Json) -> Json:
        """The whole answer."""
        response = await self._server.client.post(
            "/graphql",
            # In ASCII, so that tests can send what is no proper text.
            content=json.dumps(
                {"query": self._documents[operation], "operationName": operation, "variables": variables}
            ),
            headers={
                "Authorization": f"Bearer {self._token}",
                "Accept-Language": self._language,
                "Content-Type": "application/json",
            },
        )
        return response.json()

    async def ask(self, operation: str, **variables: Json) -> Json:
        """The data of an answer that must be without errors."""
        answer = await self.send(operation, **variables)
        assert "errors" not in answer, answer
        return answer["data"]


class Shop(Client):
    """A shop or application at the point of sale of its token."""

    def __init__(self, server: Server, token: str | None = None) -> None:
        super().__init__(server, "shop", token or server.shopper)

    async def lines(self, *wanted: tuple[str, str | None, str, int]) -> list[JsonObject]:
        """Lines for (performance or product, seat category, audience sub-category, quantity), by code."""
        prices = await self._prices()
        found = []
        for code, seat, audience, quantity in wanted:
            line = prices[code, seat, audience]
            found.append({**line, "quantity": quantity})
        return found

    async def price(self, *wanted: tuple[str, str | None, str, int], **others: Json) -> Json:
        """The price of a basket of these lines."""
        return (await self.ask("PriceBasket", input={"lines": await self.lines(*wanted), **others}))["priceBasket"]

    async def basket(self, *wanted: tuple[str, str | None, str, int], **others: Json) -> Json:
        """A new basket of these lines."""
        data = await self.ask("CreateBasket", input={"lines": await self.lines(*wanted), **others})
        assert data["createBasket"]["__typename"] == "Basket", data
        return data["createBasket"]

    async def apply(self, basket: str, code: str, **others: Json) -> Json:
        wanted = {"basketId": basket, "code": code, **others}
        return (await self.ask("ApplyAdvantageCode", input=wanted))["applyAdvantageCode"]

    async def confirm(self, basket: str, **others: Json) -> Json:
        return (await self.ask("ConfirmBasket", input={"basketId": basket, **others}))["confirmBasket"]

    async def _prices(self) -> dict[tuple[str, str | None, str], JsonObject]:
        lines: dict[tuple[str, str | None, str], JsonObject] = {}
        for product in (await self.ask("Products", first=100))["products"]["edges"]:
            node = product["node"]
            elements = [(node["code"], {"productId": node["id"]}, node["prices"])]
            for edge in node["performances"]["edges"]:
                performance = edge["node"]
                elements.append((performance["code"], {"performanceId": performance["id"]}, performance["prices"]))
            for code, element, prices in elements:
                for price in prices:
                    seat, audience = price["seatCategory"], price["audienceSubCategory"]
                    lines[code, seat and seat["code"], audience["code"]] = {
                        **element,
                        "seatCategoryId": seat and seat["id"],
                        "audienceSubCategoryId": audience["id"],
                    }
        return lines


class BackOffice(Client):
    """The back office, for staff with every role."""

    def __init__(self, server: Server, token: str | None = None) -> None:
        super().__init__(server, "back-office configuration", token or server.staff)
        self._counter = Client(server, "counter", token or server.staff)
        self._shop = Shop(server)

    async def offer_id(self, code: str) -> str:
        data = await self.ask("BackOfficeOffers", first=100)
        edges = data["advantages"]["edges"] + data["promotionalCodes"]["edges"]
        return str(next(edge["node"]["id"] for edge in edges if edge["node"]["code"] == code))

    async def contact_id(self, code: str) -> str:
        data = await self._counter.ask("FindContacts", search=code)
        return str(next(edge["node"]["id"] for edge in data["contacts"]["edges"] if edge["node"]["code"] == code))

    async def season_id(self) -> str:
        return str((await self._shop.ask("Season"))["seasons"][0]["id"])

    async def codes(self, count: int, **wanted: Json) -> list[str]:
        """So many codes, the oldest first."""
        data = await self.ask("Codes", first=count, filter=wanted or None)
        return [edge["node"]["code"] for edge in data["codes"]["edges"]]
