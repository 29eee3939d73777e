"""Counter profiles are known by code and name; promotional codes are restricted to those that are."""

import pytest
from tests.conftest import NOW, Server
from tests.graphql.offers.configuring import Form, places
from tests.graphql.operations import Client, Shop
from tests.services.dataset.samples import changed, example
from tests.wire import Json

from services.dataset import Datasets

SEATS = ("HELENE-1217", "CAT1", "FULL", 1)
PROFILES = [
    {"code": "CHIEF", "name": {"fr": "Chef de caisse", "en": "Head of box office", "de": "Kassenleitung"}},
    {"code": "DESK", "name": {"fr": "Accueil", "en": "Front desk"}},
]


async def listed(server: Server) -> None:
    """Gives the theatre a list of profiles."""
    await Datasets(server.own.sessions).load(changed(("counterProfiles", PROFILES)), now=NOW)


async def profiles(server: Server, token: str, language: str = "EN") -> Json:
    return (await Client(server, "lists", token).ask("CounterProfiles", language=language))["counterProfiles"]


async def test_staff_read_the_list_in_their_language(server: Server) -> None:
    assert await profiles(server, server.staff) == []
    await listed(server)
    assert await profiles(server, server.staff, "DE") == [
        {"code": "CHIEF", "name": "Kassenleitung"},
        {"code": "DESK", "name": "Accueil"},
    ]


@pytest.mark.parametrize("audience", ["shopper", "contact", "partner"])
async def test_nobody_else_reads_it(server: Server, audience: str) -> None:
    answer = await server.ask("{ counterProfiles { code } }", token=getattr(server, audience))
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_a_draft_names_profiles_of_the_list_alone(server: Server) -> None:
    await listed(server)
    form = await Form.open(server)
    answer = await form.create_promotion(restrictedTo={"counterProfiles": ["DESK", "BOSS", "CHIEF", "desk"]})
    found = [(each["path"], each["code"]) for each in answer["problems"]]
    assert found == [
        (["restrictedTo", "counterProfiles", "1"], "UNKNOWN_REFERENCE"),
        (["restrictedTo", "counterProfiles", "3"], "UNKNOWN_REFERENCE"),
    ]
    assert "BOSS" in answer["problems"][0]["message"]
    made = await form.create_promotion(restrictedTo={"counterProfiles": ["DESK", "CHIEF"]})
    assert made["restrictedTo"]["counterProfiles"] == ["CHIEF", "DESK"]


async def test_an_edit_names_profiles_of_the_list_alone(server: Server) -> None:
    form = await Form.open(server)
    made = await form.create_promotion(restrictedTo={"counterProfiles": ["BOSS"]})
    await listed(server)
    wanted = {"offerId": made["id"], "benefit": {"percentOff": "4"}}
    kept = (await form.ask("UpdatePromotionalCode", input=wanted))["updatePromotionalCode"]
    assert kept["restrictedTo"]["counterProfiles"] == ["BOSS"], "what is stored stays"
    wanted = {"offerId": made["id"], "restrictedTo": {"counterProfiles": ["CLERK"]}}
    refused = (await form.ask("UpdatePromotionalCode", input=wanted))["updatePromotionalCode"]
    assert places(refused) == {"restrictedTo.counterProfiles.0"}


async def test_where_no_list_is_kept_any_may_be_named(server: Server) -> None:
    made = await (await Form.open(server)).create_promotion(restrictedTo={"counterProfiles": ["ANYBODY"]})
    assert made["restrictedTo"]["counterProfiles"] == ["ANYBODY"]


async def test_a_token_names_a_profile_by_its_code_and_staff_are_told_by_name(server: Server) -> None:
    await listed(server)
    form = await Form.open(server)
    made = await form.create_promotion(code="NEWPROMO", restrictedTo={"counterProfiles": ["CHIEF"]})
    await form.add_code(made["id"], "SECRET")
    await form.take_to(made["id"], "VALIDATED", "RUNNING")
    issue = server.own.credentials
    tokens = {
        profile: await issue.staff_token(
            "theatre",
            ["SALES"],
            NOW.replace(year=NOW.year + 1),
            point_of_sale="HALL",
            name="eve",
            counter_profile=profile,
        )
        for profile in ("CHIEF", "DESK", "UNHEARD")
    }
    [fits] = (await Shop(server, tokens["CHIEF"]).price(SEATS, codes=["SECRET"]))["codes"]
    assert fits["applied"]
    for profile, name in (("DESK", "Front desk"), ("UNHEARD", "UNHEARD")):
        [code] = (await Shop(server, tokens[profile]).price(SEATS, codes=["SECRET"]))["codes"]
        [refusal] = code["refusals"]
        assert (refusal["required"], refusal["actual"]) == ("Head of box office", name)
    [code] = (await Shop(server).price(SEATS, codes=["SECRET"]))["codes"]
    assert (code["refusals"][0]["required"], code["refusals"][0]["actual"]) == (None, None)


async def test_a_list_is_taken_in_again_with_other_names(server: Server) -> None:
    await listed(server)
    document = changed(("counterProfiles", [{"code": "DESK", "name": {"en": "Reception"}}]))
    await Datasets(server.own.sessions).load(document, now=NOW)
    await Datasets(server.own.sessions).load(example(), now=NOW)
    assert [each["name"] for each in await profiles(server, server.staff)] == ["Head of box office", "Reception"]
