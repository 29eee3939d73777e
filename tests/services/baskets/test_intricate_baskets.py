"""Baskets whose price is hard to find: worked at in between, given up in the end, and nobody waits for them."""

from random import Random

import pytest
from tests.conftest import Server
from tests.graphql.operations import BackOffice, Shop
from tests.pricing.playhouse import NOW, advantage, an_id, element, ticket

from services.baskets import quotes
from services.core import pacing
from services.core.pacing import Pacer, TookTooLong
from services.pricing.engine import price_in_steps
from services.pricing.facts.offers import AmountOff, ElementLimits, Limits
from services.pricing.facts.sale import Sale
from services.pricing.facts.tickets import ElementKind, Line
from services.pricing.offer_index import OfferIndex
from services.pricing.result import Pricing
from services.pricing.steps import Steps

SEATS = ("CAT1", "CAT2", "CAT3", "CAT4")
TARIFFS = ("FULL", "REDUCED", "CHILD", "STUDENT", "SENIOR")
SEATED = ("HELENE-1217", "CAT1", "FULL", 1)


def intricate() -> Steps[Pricing]:
    """A hundred unlike tickets under twenty advantages, each with limits on every seat category and tariff."""
    dice = Random(7)  # noqa: S311
    lines = [
        Line(ticket(dice.randrange(2_000, 9_000), performance=f"P{number}", seat=seat, tariff=tariff), 3)
        for number in range(5)
        for seat in SEATS
        for tariff in TARIFFS
    ]
    elements = [
        *(element(ElementKind.SEAT_CATEGORY, seat) for seat in SEATS),
        *(element(ElementKind.AUDIENCE_SUB_CATEGORY, tariff) for tariff in TARIFFS),
    ]
    offers = [
        advantage(
            f"O{number}",
            AmountOff(dice.randrange(100, 1_500)),
            limits=Limits(per_order=dice.randrange(1, 100)),
            element_limits=tuple(ElementLimits(each, Limits(per_order=dice.randrange(1, 30))) for each in elements),
        )
        for number in range(20)
    ]
    sale = Sale(NOW, an_id("INTERNET"), an_id("SHOP"))
    return price_in_steps(lines, (), sale, OfferIndex(offers, ()), {})


async def test_a_price_that_is_hard_to_find_gives_way_often_and_is_given_up() -> None:
    steps = 0

    def counted() -> Steps[Pricing]:
        nonlocal steps
        work = intricate()
        while True:
            try:
                next(work)
            except StopIteration as done:
                found: Pricing = done.value
                return found
            steps += 1
            yield

    with pytest.raises(TookTooLong):
        await Pacer().run(counted(), most=0.3)
    assert steps > 100


async def test_a_basket_without_a_price_says_so_at_its_lines(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(server)
    lines = await shop.lines(SEATED, ("HELENE-1217", "CAT2", "FULL", 1), ("ZINMAN-0119", "CAT1", "STUDENT", 1))
    monkeypatch.setattr(pacing, "SLICE", -1.0)
    monkeypatch.setattr(quotes, "MOST_SECONDS", -1.0)
    [error] = (await shop.send("PriceBasket", input={"lines": lines}))["errors"]
    assert [each["path"] for each in error["extensions"]["problems"]] == [["lines"]]
    assert "several baskets" in error["extensions"]["problems"][0]["message"]
    made = (await shop.ask("CreateBasket", input={"lines": lines}))["createBasket"]
    assert made["__typename"] == "InvalidInput"


async def test_who_enters_codes_beside_it_waits_for_nothing(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    office, shop = BackOffice(server), Shop(server)
    [code] = await office.codes(1, offerId=await office.offer_id("PROMOTYD"))
    basket = await shop.basket(SEATED)
    monkeypatch.setattr(pacing, "SLICE", -1.0)
    monkeypatch.setattr(quotes, "MOST_SECONDS_BESIDE_OTHERS", -1.0)
    assert (await shop.apply(basket["id"], code))["__typename"] == "AdvantageCodeApplied"
