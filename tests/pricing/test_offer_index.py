"""The index of offers: a ticket finds the few that may be for it."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from uuid import UUID

import pytest
from tests.pricing.playhouse import (
    BLANDINE,
    NEWCOMER,
    REGULARS,
    REVIVAL,
    OfferParts,
    Shop,
    advantage,
    an_id,
    element,
    ids,
    promotion,
    ticket,
)

from services.pricing.facts.offers import (
    Advantage,
    AmountOff,
    ElementLimits,
    Limits,
    Offer,
    OfferState,
    PartnerTarget,
    PromotionalCode,
    PublicTarget,
    Rates,
    Scope,
    SingleUseTarget,
    Target,
)
from services.pricing.facts.sale import ContactFacts
from services.pricing.facts.tickets import ElementKind, ProductFamily, TicketKind
from services.pricing.offer_index import Candidate, OfferIndex

OFF = AmountOff(100)


def codes(shop: Shop, kind: TicketKind, contact: ContactFacts | None = None, *opened: str) -> list[str]:
    index = shop.index
    return sorted(offer.code for offer, _ in index.candidates(kind, index.groups(contact), ids(*opened)))


def test_every_offer_in_any_state_is_found_by_id() -> None:
    index = Shop([advantage("A", OFF, state=OfferState.CLOSED), promotion("P", OFF)]).index
    assert [index[an_id(code)].code for code in ("A", "P")] == ["A", "P"]
    assert index.get(an_id("B")) is None
    assert (frozenset(index), len(index)) == (ids("A", "P"), 2)


@pytest.mark.parametrize(
    "scope",
    [
        Scope(),
        Scope(products=ids("HELENE", "ZINMAN")),
        Scope(performances=ids("HELENE-1217", "HELENE-1218")),
        Scope(seat_categories=ids("CAT1", "CAT2")),
        Scope(audience_sub_categories=ids("FULL")),
        Scope(ids("HELENE"), ids("HELENE-1217"), ids("CAT1"), ids("FULL")),
    ],
)
def test_a_ticket_finds_an_offer_once_by_whatever_its_scope_names(scope: Scope) -> None:
    assert codes(Shop([advantage("A", OFF, scope=scope)]), ticket()) == ["A"]


@pytest.mark.parametrize(
    "scope",
    [
        Scope(products=ids("ZINMAN")),
        Scope(ids("HELENE"), ids("HELENE-1218")),
        Scope(products=ids("HELENE"), seat_categories=ids("CAT2")),
        Scope(seat_categories=ids("CAT1"), audience_sub_categories=ids("CHILD")),
    ],
)
def test_a_ticket_does_not_find_an_offer_that_is_not_for_it(scope: Scope) -> None:
    assert codes(Shop([advantage("A", OFF, scope=scope)]), ticket()) == []


def test_a_ticket_does_not_find_an_offer_of_another_family_by_its_seat_category() -> None:
    shop = Shop([advantage("A", OFF, family=ProductFamily.VISIT, scope=Scope(seat_categories=ids("CAT1")))])
    assert codes(shop, ticket()) == []


def test_a_ticket_does_not_find_a_sub_table_without_a_price_for_it() -> None:
    assert codes(Shop([advantage("A", Rates({}))]), ticket()) == []


@pytest.mark.parametrize("target", [None, REVIVAL, REGULARS])
def test_a_contact_finds_what_is_for_it(target: Target | None) -> None:
    shop = Shop([advantage("A", OFF, target)])
    assert codes(shop, ticket(), BLANDINE) == ["A"]
    assert codes(shop, ticket(), NEWCOMER) == codes(shop, ticket()) == (["A"] if target is None else [])


@pytest.mark.parametrize("target", [PartnerTarget(), SingleUseTarget()])
def test_an_offer_with_codes_is_found_only_once_opened(target: Target) -> None:
    shop = Shop([advantage("A", OFF, target)])
    assert codes(shop, ticket(), BLANDINE) == []
    assert codes(shop, ticket(), None, "A", "B") == ["A"]


def test_an_offer_is_opened_for_tickets_in_its_scope_only() -> None:
    shop = Shop([advantage("A", OFF, PartnerTarget(), scope=Scope(products=ids("ZINMAN")))])
    assert codes(shop, ticket(), None, "A") == []


def test_a_promotional_code_is_no_candidate() -> None:
    assert codes(Shop([promotion("P", OFF)]), ticket(), None, "P") == []


@pytest.mark.parametrize("state", [state for state in OfferState if state is not OfferState.RUNNING])
def test_what_does_not_run_is_found_only_once_opened(state: OfferState) -> None:
    shop = Shop([advantage("A", OFF, state=state)])
    assert (codes(shop, ticket()), codes(shop, ticket(), None, "A")) == ([], ["A"])


CAT1 = element(ElementKind.SEAT_CATEGORY, "CAT1")


@pytest.mark.parametrize(
    ("parts", "counted"),
    [
        ({}, False),
        ({"limits": Limits(per_order=2)}, False),
        ({"limits": Limits(quota=2)}, True),
        ({"limits": Limits(per_contact=2)}, True),
        ({"element_limits": (ElementLimits(CAT1, Limits(per_order=1)),)}, False),
        ({"element_limits": (ElementLimits(CAT1, Limits(quota=1)),)}, True),
        ({"element_limits": (ElementLimits(CAT1, Limits(per_contact=1)),)}, True),
    ],
)
def test_the_offers_for_everyone_with_counters_are_named(parts: OfferParts, counted: bool) -> None:
    offer = advantage("A", OFF, **parts)
    elsewhere = replace(advantage("B", OFF, **parts), scope=Scope(products=ids("ZINMAN")))
    reserved = advantage("C", OFF, REVIVAL, **parts)
    named = Shop([offer, elsewhere, reserved]).index.limited_offer_ids([ticket(), ticket(seat="CAT2")])
    assert named == (ids("A") if counted else frozenset())


def _changed(index: OfferIndex, offers: Mapping[UUID, Offer | None]) -> OfferIndex:
    making = index.changed(offers)
    while True:
        try:
            next(making)
        except StopIteration as done:
            made: OfferIndex = done.value
            return made


def _same(index: OfferIndex, offers: Mapping[UUID, Offer]) -> None:
    """As one that is built of these offers at once, for a look and for the next one."""
    anew = OfferIndex(
        [offer for offer in offers.values() if isinstance(offer, Advantage)],
        [offer for offer in offers.values() if isinstance(offer, PromotionalCode)],
    )
    assert dict(index) == offers
    for _ in range(2):
        for contact in (None, BLANDINE, NEWCOMER):
            groups = index.groups(contact)
            assert set(groups) == set(anew.groups(contact))
            for kind in KINDS:
                found, expected = (sorted(each.candidates(kind, groups, ()), key=_key) for each in (index, anew))
                assert found == expected
        assert index.limited_offer_ids(KINDS) == anew.limited_offer_ids(KINDS)
        assert {key: index.rules(key) for key in offers} == {key: anew.rules(key) for key in offers}
        assert {key: index.terms(key) for key in offers} == {key: anew.terms(key) for key in offers}


def _key(candidate: Candidate) -> UUID:
    return candidate.advantage.id


KINDS = [ticket(), ticket(product="ZINMAN", performance="ZINMAN-0119"), ticket(90, seat="CAT2")]


TARGETS: list[Target] = [PublicTarget(), REVIVAL, REGULARS, PartnerTarget()]


def _random_offer(random: Random, code: str) -> Offer:
    if random.random() < 0.1:
        return promotion(code, OFF)
    return advantage(
        code,
        AmountOff(random.choice([50, 100, 1_000_000])),
        target=random.choice(TARGETS),
        state=random.choice([OfferState.RUNNING, OfferState.RUNNING, OfferState.SUSPENDED]),
        scope=random.choice(
            [
                *(Scope(), Scope(products=ids("HELENE")), Scope(products=ids("ZINMAN", "HELENE"))),
                *(Scope(performances=ids("HELENE-1217")), Scope(seat_categories=ids("CAT2"))),
            ]
        ),
        limits=random.choice([Limits(), Limits(quota=5)]),
    )


@pytest.mark.parametrize("seed", range(20))
def test_an_index_of_what_changed_is_the_one_that_is_built_anew(seed: int) -> None:
    random = Random(seed)  # noqa: S311
    codes = [f"OFFER{place}" for place in range(30)]
    offers: dict[UUID, Offer] = {}
    versions: list[tuple[OfferIndex, dict[UUID, Offer]]] = [(OfferIndex(), {})]
    for _ in range(40):
        # Some come of an index that is not the newest, as one that was given up half-way would leave it.
        index, offers = random.choice(versions[-2:])
        changed = {an_id(code): _random_offer(random, code) for code in random.sample(codes, random.randint(1, 4))}
        gone = random.sample(sorted(offers), min(len(offers), random.randrange(2)))
        versions.append(
            (
                _changed(index, {**changed, **dict.fromkeys(gone)}),
                {key: offer for key, offer in {**offers, **changed}.items() if key not in gone},
            )
        )
        if random.random() < 0.6:
            _same(*random.choice(versions[-4:]))
    for index, offers in versions:
        _same(index, offers)


def test_many_changes_at_once_are_told_as_exactly() -> None:
    offers = {an_id(f"O{place}"): advantage(f"O{place}", OFF) for place in range(300)}
    index = OfferIndex(offers.values())
    index.candidates(ticket(), [None], ())
    later: dict[UUID, Offer] = {key: replace(offer, benefit=AmountOff(7)) for key, offer in offers.items()}
    _same(_changed(index, later), later)


def test_what_did_not_change_is_found_without_looking_again(monkeypatch: pytest.MonkeyPatch) -> None:
    other = advantage("B", OFF, scope=Scope(products=ids("ZINMAN")))
    index = Shop([advantage("A", OFF), other]).index
    found = index._open_to(None, ticket())
    changed = _changed(index, {other.id: replace(other, benefit=AmountOff(7))})
    monkeypatch.setattr(OfferIndex, "_find", None)
    assert changed._open_to(None, ticket()) is found
