"""Prices that baskets of older versions hold are read with all that is asked of them today."""

import orjson
import pytest
from tests.pricing.playhouse import PERCENT, Shop, entered, promotion, ticket

from services.baskets.stored_pricing import dump, load
from services.pricing.facts.offers import AmountOff, PercentOff

TEN = promotion("TEN", AmountOff(1001))
PART = promotion("PART", PercentOff(7 * PERCENT))


@pytest.mark.parametrize("codes", [["TEN"], ["TEN", "PART"], ["PART", "TEN"]], ids="+".join)
def test_a_price_without_shares_by_code_gets_them_and_stays_what_it_is(codes: list[str]) -> None:
    shop = Shop([TEN, PART])
    pricing = shop.price(
        (3, ticket()), (1, ticket(4999, tariff="CHILD")), codes=[entered(code, code) for code in codes]
    )
    written = orjson.loads(dump(pricing, frozenset()))
    del written["pricing"]["terms"]
    for line in written["pricing"]["lines"]:
        for each in line["tickets"]:
            del each["shares"]
    read = load(orjson.dumps(written).decode()).pricing
    tickets = [each for line in read.lines for each in line.tickets]
    assert [each.price for line in pricing.lines for each in line.tickets] == [each.price for each in tickets]
    assert all(each.promotion_share == sum(share.amount for share in each.shares) for each in tickets)
    for code in read.codes:
        taken = sum(share.amount for each in tickets for share in each.shares if share.code == code.code)
        assert taken == code.discount > 0
