"""What customers read of an offer beside its name: a description and terms, in five languages."""

import pytest
from tests.conftest import NOW, Server
from tests.graphql.offers.configuring import Form, places
from tests.graphql.operations import Shop
from tests.services.dataset.samples import changed

from services.dataset import Datasets

FIVE = {language: f"Zwei Zeilen\n({language})" for language in ("fr", "en", "de", "es", "it")}
DOCUMENT = """query($language: Language) { advantages(first: 50) { edges { node {
    code description(language: $language) terms(language: $language) } } } }"""


async def read(server: Server, language: str | None) -> dict[str, tuple[object, object]]:
    answer = await server.ask(DOCUMENT, {"language": language}, token=server.shopper)
    nodes = [edge["node"] for edge in answer["data"]["advantages"]["edges"]]
    return {node["code"]: (node["description"], node["terms"]) for node in nodes}


async def test_description_and_terms_are_kept_and_read_in_each_language(server: Server) -> None:
    form = await Form.open(server)
    made = await form.create(description=FIVE, terms={"fr": "Une fois par client."})
    assert made["descriptions"] == FIVE
    await form.take_to(made["id"], "VALIDATED", "RUNNING")
    for language, written in FIVE.items():
        assert (await read(server, language.upper()))["NEW"] == (written, "Une fois par client.")
    assert (await read(server, None))["OPENING"] == (None, None)


async def test_they_change_while_the_offer_runs_as_its_names_do(server: Server) -> None:
    form = await Form.open(server)
    opening = await form.offer_id("OPENING")
    changed_offer = await form.update(opening, description={"en": "First"}, terms={"en": "Second"})
    assert (changed_offer["descriptions"]["en"], changed_offer["termsByLanguage"]["en"]) == ("First", "Second")
    cleared = await form.update(opening, description=None)
    assert (cleared["descriptions"]["en"], cleared["termsByLanguage"]["en"]) == (None, "Second")
    coupon = await form.update_promotion(await form.offer_id("COUPON3"), terms=FIVE)
    assert coupon["termsByLanguage"] == FIVE


@pytest.mark.parametrize("field", ["description", "terms"])
async def test_a_text_that_nobody_could_read_is_named(server: Server, field: str) -> None:
    form = await Form.open(server)
    for wrong in ("x" * 10_001, " \n", "a\0b"):
        assert places(await form.create(**{field: {"fr": "bon", "en": wrong}})) == {f"{field}.en"}
    assert (await form.create(**{field: {"en": "x" * 10_000}}))["__typename"] == "Advantage"


async def test_data_files_have_them_too(server: Server) -> None:
    document = changed(("advantages.0.description", FIVE), ("promotionalCodes.0.terms", {"en": "Once."}))
    await Datasets(server.own.sessions).load(document, now=NOW)
    assert (await read(server, "IT"))["OPENING"] == (FIVE["it"], None)
    form = await Form.open(server)
    assert (await form.configured("COUPON3"))["termsByLanguage"]["en"] == "Once."
    await Datasets(server.own.sessions).load(changed(), now=NOW)
    assert (await read(server, "IT"))["OPENING"] == (None, None)


async def test_the_shops_documents_ask_for_them(server: Server) -> None:
    form = await Form.open(server)
    await form.update(await form.offer_id("OPENING"), description=FIVE, terms={"de": "Einmal."})
    edges = (await Shop(server).ask("Offers", language="DE"))["advantages"]["edges"]
    [opening] = [edge["node"] for edge in edges if edge["node"]["code"] == "OPENING"]
    assert (opening["description"], opening["terms"]) == (FIVE["de"], "Einmal.")
