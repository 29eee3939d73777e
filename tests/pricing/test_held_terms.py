"""What a basket holds is honoured until it expires, whatever becomes of the catalogue (docs/domain.md)."""

import os

import pytest
from tests.pricing.random_lives import Life, beyond_limits, counted, dice, prices_of, still_due, under, worth_as_held

LIVES, PARTS, LONG = int(os.environ.get("LIVES", "800")), 8, 5


def live(seed: int) -> None:
    """One basket from its first price to its last; asserts that no step of it breaks a promise."""
    life = Life.begin(dice(seed))
    for _ in range(LONG):
        life.staff_change_the_catalogue()
        change = life.customer_changes_the_basket()
        contact = life.case.sale.contact
        same_contact = (contact and contact.id) == (change.contact and change.contact.id)
        counts = {place: len(prices) for place, prices in prices_of(life.pricing).items()}
        taken_out = any(change.quantities.get(place, 0) < count for place, count in counts.items())
        before, after = life.carry_out(change)
        worth = min(after.subtotal - after.advantage_discount, worth_as_held(change, before)) if taken_out else None
        due = still_due(life, change, before, same_contact, worth)
        for place, most in due.items():
            now = prices_of(after).get(place, [])
            assert all(paid <= asked for paid, asked in zip(now, most, strict=False)), (seed, place, most, now)
        assert not beyond_limits(life, before, after), seed
        assert {code.text for code in after.codes} == {code.text for code in life.case.codes}
        assert counted(after) == {
            offer: len(under(after, offer)) for offer in {hold.offer for hold in after.holds} if under(after, offer)
        }, seed
        assert after.total == sum(sum(prices) for prices in prices_of(after).values()) + (
            after.processing_fee + after.delivery_fee
        )
        life.remember()


@pytest.mark.parametrize("part", range(PARTS))
def test_no_change_of_a_basket_makes_a_ticket_dearer_that_it_does_not_touch(part: int) -> None:
    for seed in range(part, LIVES, PARTS):
        live(seed)
