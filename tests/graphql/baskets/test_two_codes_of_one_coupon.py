"""Two codes of one combinable promotional code stand beside each other; its limits count their tickets once."""

from tests.conftest import Server
from tests.graphql.offers.configuring import Form, custom_codes
from tests.graphql.operations import Client, Shop
from tests.ledger import breaches
from tests.wire import Json

SEATS = ("HELENE-1217", "CAT1", "FULL", 2)


async def coupon(form: Form) -> str:
    """3.00 off for each of its codes, for three tickets in all and two in an order."""
    limits = {"quota": 3, "perOrder": 2}
    offer = (await form.create_promotion(combinable=True, benefit={"amountOff": "3.00"}, limits=limits))["id"]
    for code in ("FIRST", "SECOND", "THIRD"):
        await form.add_code(offer, code, maxUses=1)
    await form.take_to(offer, "VALIDATED", "RUNNING")
    return str(offer)


async def taken(form: Form) -> tuple[Json, Json]:
    """What is left of its quota, and how often each of its codes is used."""
    offer = await form.configured("NEW")
    return offer["limits"]["remaining"], [each["uses"] for each in custom_codes(offer)]


def found(basket: Json) -> list[tuple[str, bool, str]]:
    return [(code["code"], code["applied"], code["discount"]["amount"]) for code in basket["pricing"]["codes"]]


async def test_both_apply_and_are_used_and_their_tickets_count_once(server: Server, loaded_url: str) -> None:
    form, shop = await Form.open(server), Shop(server)
    await coupon(form)
    basket = await shop.basket(SEATS)
    await shop.apply(basket["id"], "FIRST")
    both = (await shop.apply(basket["id"], "SECOND"))["basket"]
    assert found(both) == [("FIRST", True, "3.00"), ("SECOND", True, "3.00")]
    assert await taken(form) == (1, [1, 1, 0])
    order = await shop.confirm(basket["id"])
    assert order["pricing"]["total"] == both["pricing"]["total"]
    assert await taken(form) == (1, [1, 1, 0])
    other = await shop.basket(SEATS)
    refused = await shop.apply(other["id"], "THIRD")
    assert [refusal["code"] for refusal in refused["refusals"]] == ["QUOTA_EXHAUSTED"]
    counter = Client(server, "counter", server.staff)
    await counter.ask("CancelOrder", input={"orderId": order["id"]})
    assert await taken(form) == (3, [0, 0, 0])
    assert await breaches(loaded_url) == []


async def test_the_one_that_stays_counts_the_tickets_when_the_other_is_taken_out(
    server: Server, loaded_url: str
) -> None:
    form, shop = await Form.open(server), Shop(server)
    await coupon(form)
    basket = await shop.basket(SEATS)
    for code in ("FIRST", "SECOND"):
        await shop.apply(basket["id"], code)
    wanted = {"basketId": basket["id"], "code": "FIRST"}
    changed = (await shop.ask("RemoveAdvantageCode", input=wanted))["removeAdvantageCode"]
    assert found(changed) == [("SECOND", True, "3.00")]
    assert await taken(form) == (1, [0, 1, 0])
    await shop.apply(basket["id"], "THIRD")
    assert await taken(form) == (1, [0, 1, 1])
    assert (await shop.confirm(basket["id"]))["__typename"] == "Order"
    assert await taken(form) == (1, [0, 1, 1])
    assert await breaches(loaded_url) == []


async def test_two_of_one_that_does_not_combine_stand_in_each_others_way(server: Server) -> None:
    form, shop = await Form.open(server), Shop(server)
    offer = await coupon(form)
    await form.take_to(offer, "SUSPENDED")
    await form.update_promotion(offer, combinable=False)
    await form.take_to(offer, "RUNNING")
    first, second = (await shop.price(SEATS, codes=["FIRST", "SECOND"]))["codes"]
    assert (first["applied"], [refusal["code"] for refusal in second["refusals"]]) == (True, ["NOT_COMBINABLE"])
