"""The back office's form for offers: what can be chosen, by code, and the answers to what was sent."""

from typing import Self

from tests.conftest import Server
from tests.graphql.operations import BackOffice
from tests.wire import Json, JsonObject

NAMES = {"fr": "Offre", "en": "Offer"}


class Form(BackOffice):
    """Configures offers; things are chosen by their codes."""

    def __init__(self, server: Server, token: str | None = None) -> None:
        super().__init__(server, token)
        self.ids: dict[str, str] = {}

    @classmethod
    async def open(cls, server: Server, token: str | None = None) -> Self:
        form = cls(server, token)
        data = await Form(server).ask("ConfigurationForm", first=100)
        for section in ("seasons", "seatCategories", "audienceSubCategories", "deliveryModes"):
            form.ids |= {each["code"]: each["id"] for each in data[section]}
        # A campaign and an advantage of the example have the same code.
        form.ids |= {f"campaign {each['code']}": each["id"] for each in data["campaigns"]}
        for channel in data["salesChannels"]:
            form.ids |= {each["code"]: each["id"] for each in [channel, *channel["pointsOfSale"]]}
        for product in data["products"]["edges"]:
            performances = product["node"]["performances"]["edges"]
            form.ids |= {each["node"]["code"]: each["node"]["id"] for each in [product, *performances]}
        return form

    def advantage(self, **changes: Json) -> JsonObject:
        """A sound input: 20 % off for everyone, on the theatre's events."""
        return {
            "seasonId": self.ids["2026-27"],
            "family": "EVENT",
            "code": "NEW",
            "internalName": NAMES,
            "publicName": NAMES,
            "target": {"public": True},
            "benefit": {"percentOff": "20"},
            **changes,
        }

    def promotion(self, **changes: Json) -> JsonObject:
        """A sound input: 10.00 off the basket."""
        return {
            "code": "NEW",
            "internalName": NAMES,
            "publicName": NAMES,
            "benefit": {"amountOff": "10.00"},
            **changes,
        }

    async def create(self, **changes: Json) -> Json:
        return (await self.ask("CreateAdvantage", input=self.advantage(**changes)))["createAdvantage"]

    async def create_promotion(self, **changes: Json) -> Json:
        return (await self.ask("CreatePromotionalCode", input=self.promotion(**changes)))["createPromotionalCode"]

    async def update(self, offer: str, **changes: Json) -> Json:
        return (await self.ask("UpdateAdvantage", input={"id": offer, **changes}))["updateAdvantage"]

    async def update_promotion(self, offer: str, **changes: Json) -> Json:
        wanted = {"id": offer, **changes}
        return (await self.ask("UpdatePromotionalCode", input=wanted))["updatePromotionalCode"]

    async def add_code(self, offer: str, code: str, **others: Json) -> Json:
        wanted = {"promotionalCodeId": offer, "code": code, **others}
        return (await self.ask("AddCustomCode", input=wanted))["addCustomCode"]

    async def update_code(self, offer: str, code: str, **changes: Json) -> Json:
        wanted = {"promotionalCodeId": offer, "code": code, **changes}
        return (await self.ask("UpdateCustomCode", input=wanted))["updateCustomCode"]

    async def take_to(self, offer: str, *states: str, **others: Json) -> Json:
        """The answer to the last of these states."""
        answer = None
        for state in states:
            wanted = {"offerId": offer, "state": state, **others}
            answer = (await self.ask("ChangeOfferState", input=wanted))["changeOfferState"]
        return answer

    async def copy(self, offer: str, code: str = "AGAIN", **others: Json) -> Json:
        wanted = {"offerId": offer, "code": code, **others}
        return (await self.ask("CopyOffer", input=wanted))["copyOffer"]

    async def configured(self, code: str) -> Json:
        """The offer with this code, with all that was configured."""
        return (await self.ask("OfferConfiguration", id=await self.offer_id(code)))["node"]


def places(answer: Json) -> set[str]:
    """Where the problems of an answer are."""
    assert answer["__typename"] == "InvalidInput", answer
    return {".".join(problem["path"]) for problem in answer["problems"]}


def custom_codes(offer: Json) -> list[JsonObject]:
    """The first page of a promotional code's chosen codes."""
    return [edge["node"] for edge in offer["customCodes"]["edges"]]
