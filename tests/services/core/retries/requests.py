"""One request after another of every operation that takes an idempotency key, every field of them given somewhere."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from db.codes.batches import DocumentType
from db.core.ids import uuid_of
from services.baskets.basket_input import BasketChange, BasketRequest, LineRequest
from services.catalogue.offer_details import CancellationPolicy
from services.codes.batches import BatchRequest
from services.codes.imports import ImportRequest, OnDuplicate
from services.core.errors import Problem
from services.core.texts import Language, text
from services.core.unset import UNSET
from services.offers.copying import CopyRequest
from services.offers.forms import (
    AdvantageDraft,
    BenefitDraft,
    ElementLimitDraft,
    LevelDraft,
    LimitsDraft,
    NewAdvantage,
    NewPromotion,
    PromotionDraft,
    RateDraft,
    RestrictionDraft,
    ScopeDraft,
    TargetDraft,
)
from services.pricing.facts.offers import Limits, OfferState
from services.pricing.facts.tickets import ProductFamily


@dataclass(frozen=True)
class Sample:
    """A request of an operation, as the services build it."""

    operation: str
    request: object


def key(number: int) -> UUID:
    return UUID(int=number)


def _drivers(number: int) -> UUID:
    """A key of the class that the database's driver gives."""
    return uuid_of(key(number).bytes)


_AT = datetime.fromisoformat

LINE = LineRequest(
    performance=key(1), product=None, seat_category=key(2), audience_sub_category=_drivers(3), quantity=4
)
SERVICE = LineRequest(performance=None, product=key(5), seat_category=None, audience_sub_category=key(3), quantity=1)

SCOPE = ScopeDraft(
    products=(key(10),),
    performances=(key(11), _drivers(12)),
    seat_categories=(key(13),),
    audience_sub_categories=(key(14),),
)
LIMITS = LimitsDraft(
    Limits(quota=100, per_order=4, per_contact=8),
    (
        ElementLimitDraft(
            product=key(10), performance=None, seat_category=None, audience_sub_category=None, limits=Limits(quota=0)
        ),
        ElementLimitDraft(
            product=None,
            performance=key(11),
            seat_category=key(13),
            audience_sub_category=key(14),
            limits=Limits(per_order=2),
        ),
    ),
)
LEVEL = LevelDraft(indicator="LOYALTY", level="GOLD")
FULL_ADVANTAGE = AdvantageDraft(
    internal_name={"fr": "Offre d'été", "en": 'The "summer" offer', "de": "Sommer\\Angebot"},
    public_name={"fr": "Été \U0001f39f\n\u00a0\u2028", "it": "\ud83c"},
    picture="https://pictures.example.org/été.png",
    valid_from=_AT("2026-11-01T10:00:00+01:00"),
    valid_until=_AT("2026-12-31T22:59:59.999999Z"),
    channels=(key(20), key(21)),
    points_of_sale=(key(22),),
    delivery_modes=(),
    scope=SCOPE,
    limits=LIMITS,
    benefit=BenefitDraft(
        rates=(RateDraft(key(13), key(14), Decimal("12.50")), RateDraft(None, key(15), Decimal("0.00")))
    ),
    returns_codes=False,
    target=TargetDraft(indicator=LEVEL),
    sale_end=-30,
)
FULL_PROMOTION = PromotionDraft(
    internal_name={"fr": "Bon"},
    public_name={"en": "Voucher"},
    picture="https://pictures.example.org/bon.png",
    valid_from=_AT("2026-11-01T00:00:00-03:30"),
    valid_until=_AT("2026-12-01T00:00:00.5+00:00"),
    channels=(key(21),),
    points_of_sale=(key(22), key(24)),
    delivery_modes=(key(23),),
    scope=ScopeDraft(products=(key(10),)),
    limits=LimitsDraft(Limits(per_contact=1)),
    benefit=BenefitDraft(amount_off_per_ticket=Decimal("5.00")),
    returns_codes=True,
    minimum_basket=Decimal(50),
    combinable=True,
    restriction=RestrictionDraft(
        indicator=LEVEL, has_ordered=True, newsletter=True, contacts=(key(30),), counter_profiles=("HALL", "Été")
    ),
)
UNREAD = (
    Problem(("channelIds", "0"), text("id_of_another_kind", kinds="SalesChannel, PointOfSale")),
    Problem(("pointOfSaleIds", "1"), text("malformed_id")),
)

SAMPLES = {
    "an advantage with everything": Sample(
        "createAdvantage", NewAdvantage(key(40), ProductFamily.DATED_PASS, "SUMMER", FULL_ADVANTAGE)
    ),
    "an advantage with little": Sample(
        "createAdvantage",
        NewAdvantage(
            key(40),
            ProductFamily.EVENT,
            "IT'S",
            AdvantageDraft(
                internal_name={"fr": "Peu"},
                public_name={},
                target=TargetDraft(public=True),
                benefit=BenefitDraft(percent_off=Decimal("3.5")),
            ),
        ),
    ),
    "an advantage of an access code with ids that are none": Sample(
        "createAdvantage",
        NewAdvantage(
            key(0),
            ProductFamily.VISIT,
            "CODE",
            AdvantageDraft(
                target=TargetDraft(access_code="OPEN-SESAME"),
                benefit=BenefitDraft(fixed_price=Decimal("80.000")),
                unread=UNREAD,
            ),
        ),
    ),
    "an advantage's change of everything": Sample("updateAdvantage", (key(41), FULL_ADVANTAGE, 7)),
    "an advantage's change of nothing": Sample("updateAdvantage", (_drivers(41), AdvantageDraft(), None)),
    "an advantage's change that clears": Sample(
        "updateAdvantage",
        (key(41), AdvantageDraft(picture=None, valid_until=None, scope=None, limits=None, sale_end=None), 1),
    ),
    "an advantage's change to a campaign": Sample(
        "updateAdvantage", (key(41), AdvantageDraft(target=TargetDraft(campaign=key(42)), scope=ScopeDraft()), None)
    ),
    "an advantage's change to single-use codes": Sample(
        "updateAdvantage",
        (
            key(41),
            AdvantageDraft(target=TargetDraft(tickets_per_code=2), benefit=BenefitDraft(amount_off=Decimal("1E+2"))),
            None,
        ),
    ),
    "an advantage's change to single-use codes for all": Sample(
        "updateAdvantage", (key(41), AdvantageDraft(target=TargetDraft(tickets_per_code=None)), None)
    ),
    "a promotional code with everything": Sample("createPromotionalCode", NewPromotion("BON", FULL_PROMOTION)),
    "a promotional code with little": Sample(
        "createPromotionalCode",
        NewPromotion(
            "LITTLE",
            PromotionDraft(
                internal_name={"fr": "Peu"},
                public_name={"fr": "Peu"},
                benefit=BenefitDraft(percent_off=Decimal(10)),
                combinable=False,
            ),
        ),
    ),
    "a promotional code's change": Sample("updatePromotionalCode", (key(43), FULL_PROMOTION, 2)),
    "a promotional code's change with ids that are none": Sample(
        "updatePromotionalCode", (key(43), PromotionDraft(unread=UNREAD), None)
    ),
    "a promotional code's change that clears": Sample(
        "updatePromotionalCode", (key(43), PromotionDraft(restriction=None, minimum_basket=None), None)
    ),
    "an offer's state": Sample("changeOfferState", (key(41), OfferState.RUNNING, 3)),
    "an offer's state of any version": Sample("changeOfferState", (key(41), OfferState.SUSPENDED, None)),
    "a custom code": Sample("addCustomCode", (key(43), "Noël-2026", 100)),
    "a custom code without a limit": Sample("addCustomCode", (key(43), "Noël-2026", None)),
    "a custom code switched off": Sample("updateCustomCode", (key(43), "Noël-2026", False, UNSET)),
    "a custom code's limit": Sample("updateCustomCode", (key(43), "Noël-2026", None, 5)),
    "a custom code's limit cleared": Sample("updateCustomCode", (key(43), "Noël-2026", None, None)),
    "a basket with everything": Sample(
        "createBasket",
        BasketRequest(
            lines=(LINE, SERVICE),
            codes=("A", "it's"),
            point_of_sale=key(22),
            contact=key(30),
            delivery_mode=key(23),
            use_balance=True,
            advantages=(key(41),),
        ),
    ),
    "a basket of one line": Sample("createBasket", BasketRequest((LINE,))),
    "a basket without advantages": Sample("createBasket", BasketRequest((), advantages=())),
    "a code entered": Sample("applyAdvantageCode", (key(50), "abcd efgh")),
    "a code with half a character": Sample("applyAdvantageCode", (_drivers(50), "\ud800")),
    "a code taken out": Sample("removeAdvantageCode", (key(50), "ABCD-EFGH")),
    "a basket's change of everything": Sample(
        "updateBasket",
        (
            key(50),
            BasketChange(
                lines=(LINE,), contact=key(30), delivery_mode=key(23), use_balance=False, advantages=(key(41), key(42))
            ),
        ),
    ),
    "a basket's change of nothing": Sample("updateBasket", (key(50), BasketChange())),
    "a basket's change that clears": Sample(
        "updateBasket", (key(50), BasketChange(lines=(), contact=None, delivery_mode=None, advantages=None))
    ),
    "a basket ended": Sample("cancelBasket", key(50)),
    "an order": Sample("confirmBasket", (key(50), "PSP-2026-1")),
    "an order without a payment": Sample("confirmBasket", (_drivers(50), None)),
    "an order cancelled": Sample("cancelOrder", (key(51), "Le spectacle est annulé.")),
    "an order cancelled without a reason": Sample("cancelOrder", (key(51), None)),
    "a scan": Sample("controlTicket", "0123ABCD"),
    "a batch with everything": Sample(
        "generateCodes",
        BatchRequest(
            offer=key(41),
            contact=key(30),
            quantity=100,
            destination="ada@example.org",
            document_type=DocumentType.NO_EMAIL,
            language=Language.IT,
            remark="Pour l'été",
        ),
    ),
    "a batch with little": Sample("generateCodes", BatchRequest(offer=key(41), contact=key(30), quantity=1)),
    "a batch mailed again": Sample("resendCodeBatch", (key(52), None)),
    "a batch mailed elsewhere": Sample("resendCodeBatch", (key(52), "grace@example.org")),
    "codes taken in": Sample(
        "importCodes",
        (
            ImportRequest(
                offer=key(41), contact=key(30), remark="Membres", language=Language.DE, accept_guessable=True
            ),
            ("M-1", "M-2"),
        ),
    ),
    "one code taken in": Sample("importCodes", (ImportRequest(offer=key(41), contact=key(30)), ("M-1",))),
    "no code taken in": Sample("importCodes", (ImportRequest(offer=key(41), contact=key(30)), ())),
}

NEWER_SAMPLES: dict[str, Sample] = {
    "codes taken in from a column but for doubles": Sample(
        "importCodes",
        (ImportRequest(offer=key(41), contact=key(30), column="Code", on_duplicate=OnDuplicate.SKIP), ("Code", "M-1")),
    ),
    "a scan at the gate of a performance": Sample("controlTicket", ("0123ABCD", key(11), None)),
    "a scan at the gate of a product": Sample("controlTicket", ("0123ABCD", None, key(10))),
    "an advantage whose tickets are priced anew": Sample(
        "updateAdvantage", (key(41), AdvantageDraft(cancellation_policy=CancellationPolicy.ANEW), None)
    ),
    "a promotional code whose tickets are priced anew": Sample(
        "updatePromotionalCode", (key(41), PromotionDraft(cancellation_policy=CancellationPolicy.ANEW), None)
    ),
    "tickets cancelled": Sample("cancelTickets", (key(51), frozenset({key(60), key(61)}), "Malade")),
    "a ticket cancelled without a reason": Sample("cancelTickets", (key(51), frozenset({key(60)}), None)),
    "an offer with texts": Sample(
        "updatePromotionalCode",
        (
            key(41),
            PromotionDraft(
                description={"fr": "Deux lignes\nsur l'offre"}, terms={"en": "Once per customer."}, sale_end=-60
            ),
            2,
        ),
    ),
    "an advantage with texts": Sample(
        "updateAdvantage", (key(41), AdvantageDraft(description={"it": "Offerta"}, terms=None), None)
    ),
    "a copy": Sample("copyOffer", CopyRequest(key(41), "AGAIN")),
    "a copy in another season": Sample("copyOffer", CopyRequest(key(41), "AGAIN", key(60))),
}
"""Requests that there were not before fingerprints had versions."""
