"""Every refusal says why and what to do, in every language."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import cast
from uuid import UUID, uuid4

import pytest

from services.catalogue.snapshot import Catalogue
from services.core.texts import Language
from services.offers.refusal_texts import DETAILS, message, shown
from services.pricing.engine import eligibility
from services.pricing.facts.offers import (
    Advantage,
    AmountOff,
    CampaignTarget,
    IndicatorTarget,
    Limits,
    OfferState,
    PartnerTarget,
    PromotionalCode,
    Restriction,
)
from services.pricing.facts.refusals import Amount, Finding, Instant, Refusal, RefusalCode, Things, Tickets, Words
from services.pricing.facts.sale import Sale
from services.pricing.facts.tickets import ProductFamily

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SALE = Sale(now=NOW, channel=uuid4(), point_of_sale=uuid4())
ANYONE_ELSE = frozenset({"campaign", "contacts"})
"""Details that say no more than that the offer is for others: who they are is not disclosed."""

REFUSALS = [
    *(Refusal(code) for code in RefusalCode),
    *(Refusal(RefusalCode.NOT_TARGETED, detail=detail) for detail in sorted(DETAILS)),
]


def refused_for_all() -> list[PromotionalCode | Advantage]:
    """Offers that together are refused for every reason that a sale can give."""
    advantage = Advantage(
        id=uuid4(),
        code="A",
        state=OfferState.SUSPENDED,
        valid_from=datetime.max.replace(tzinfo=UTC),
        valid_until=datetime.min.replace(tzinfo=UTC),
        channels=frozenset({uuid4()}),
        points_of_sale=frozenset({uuid4()}),
        delivery_modes=frozenset({uuid4()}),
        limits=Limits(quota=0, per_order=0, per_contact=0),
        family=ProductFamily.EVENT,
        target=PartnerTarget(),
        benefit=AmountOff(1),
    )
    restriction = Restriction(
        indicator=IndicatorTarget(uuid4(), "REGULAR"),
        has_ordered=True,
        newsletter=True,
        contacts=frozenset({uuid4()}),
        counter_profiles=frozenset({"MANAGER"}),
    )
    over = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        advantage,
        replace(advantage, target=CampaignTarget(uuid4(), over, over)),
        PromotionalCode(id=uuid4(), code="P", benefit=AmountOff(1), restriction=restriction),
    ]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.detail or refusal.code)
def test_every_refusal_has_a_message_of_its_own_in_every_language(refusal: Refusal) -> None:
    messages = {message(refusal, language) for language in Language}
    assert len(messages) == len(Language)
    assert all(":" in said for said in messages), "it says what to do"


def test_every_detail_that_pricing_gives_has_a_message_or_leaves_that_of_its_code_on_purpose() -> None:
    found = {
        refusal.detail
        for offer in refused_for_all()
        for refusal in eligibility(offer, SALE, None, (), {})
        if refusal.detail is not None
    }
    assert found >= {"point_of_sale", "campaign_not_running", "level", "counter_profile", "code", "unknown_contact"}
    assert found <= DETAILS | ANYONE_ELSE


@pytest.mark.parametrize("detail", sorted(ANYONE_ELSE))
def test_a_detail_without_a_message_leaves_that_of_the_code(detail: str) -> None:
    plain = Refusal(RefusalCode.NOT_TARGETED)
    assert message(Refusal(RefusalCode.NOT_TARGETED, detail=detail), Language.EN) == message(plain, Language.EN)


CHANNEL = UUID(int=1)


def theatre(currency: str = "EUR", names: dict[str, str] | None = None) -> Catalogue:
    channels = {CHANNEL: SimpleNamespace(name=names or {})}
    organisation = SimpleNamespace(currency=currency, timezone="Europe/Paris")
    parts = {"organisation": organisation, "sales_channels": channels, "points_of_sale": {}, "delivery_modes": {}}
    parts["counter_profiles"] = {}
    return cast("Catalogue", SimpleNamespace(**parts))


@pytest.mark.parametrize(
    ("finding", "said"),
    [
        (Amount(2000), "20.00"),
        (Amount(1840), "18.40"),
        (Amount(0), "0.00"),
        (Tickets(4), "4"),
        (Instant(NOW), "2026-11-23T13:00:00+01:00"),
        (Instant(datetime.max.replace(tzinfo=UTC)), "9999-12-31T23:59:59.999999+00:00"),
        (Words(("REGULAR",)), "REGULAR"),
        (Words(()), "none"),
        (Things(()), "none"),
    ],
)
def test_findings_are_written_out(finding: Finding, said: str) -> None:
    assert shown(finding, theatre(), Language.EN) == said


@pytest.mark.parametrize(("currency", "said"), [("JPY", "1840"), ("EUR", "18.40"), ("TND", "1.840")])
def test_an_amount_has_the_decimals_of_its_currency(currency: str, said: str) -> None:
    assert shown(Amount(1840), theatre(currency), Language.FR) == said
    assert Decimal(said) >= 0


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"fr": "Internet", "de": "Netz"}, "Netz"),
        ({"fr": "Internet", "en": "Web"}, "Internet"),
        ({"en": "Web"}, "Web"),
    ],
)
def test_things_are_named_in_the_language_else_in_french(names: dict[str, str], said: str) -> None:
    assert shown(Things((CHANNEL,)), theatre(names=names), Language.DE) == said


def test_none_is_said_in_the_language() -> None:
    assert shown(Things(()), theatre(), Language.IT) == "nessuno"
