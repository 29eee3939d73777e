"""What was configured about an offer: for whom it is, what it gives, on what, and how often."""

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Self
from uuid import UUID

import strawberry

from resolvers.catalogue.catalogue import RatePrice, rate_prices
from resolvers.contacts.contacts import Contact, load_contact
from resolvers.runtime.connections import Connection, Window, connection
from resolvers.runtime.context import Context, Info
from resolvers.runtime.enums import CodeStatus, Language
from resolvers.runtime.scalars import Money, money
from services.catalogue import snapshot as services
from services.catalogue.snapshot import Catalogue
from services.codes import custom_codes
from services.core.percentages import to_percentage
from services.core.texts import localised
from services.pricing.facts import offers as offer_facts


@strawberry.type(description="A text in all the languages that it has.")
class LocalizedText:
    fr: str | None
    en: str | None
    de: str | None
    es: str | None
    it: str | None

    @classmethod
    def of(cls, names: Mapping[str, str]) -> Self:
        return cls(**{language.lower(): names.get(language.lower()) for language in Language})


# ── For whom ─────────────────────────────────────────────────────────────────────────────────────


@strawberry.type(description="A figure kept on contacts, whose level serves to target offers.")
class Indicator:
    code: str
    levels: list[str] = strawberry.field(description="From the lowest to the highest.")
    names: strawberry.Private[Mapping[str, str]]

    @strawberry.field
    def name(self, info: Info, language: Language | None = None) -> str:
        return localised(self.names, language or info.context.language)

    @classmethod
    def of(cls, row: services.Indicator) -> Self:
        return cls(code=row.code, levels=list(row.levels), names=row.name)


@strawberry.type(description="A kind of staff who sell at counters, such as managers.")
class CounterProfile:
    code: str = strawberry.field(description="By which tokens of staff and restrictions of offers name it.")
    names: strawberry.Private[Mapping[str, str]]

    @strawberry.field(description="In the language asked for, else in that of the request.")
    def name(self, info: Info, language: Language | None = None) -> str:
        return localised(self.names, language or info.context.language)

    @classmethod
    def of(cls, row: services.CounterProfile) -> Self:
        return cls(code=row.code, names=row.name)


@strawberry.type(description="An indicator, and the level of it that a contact must have.")
class IndicatorLevel:
    indicator: Indicator
    level: str

    @classmethod
    def of(cls, target: offer_facts.IndicatorTarget, catalogue: Catalogue) -> Self:
        return cls(indicator=Indicator.of(catalogue.indicators[target.indicator]), level=target.level)


@strawberry.type(description="Everyone.")
class PublicTarget:
    public: bool


@strawberry.type(description="Contacts who have an indicator at a level now.")
class IndicatorTarget:
    found: strawberry.Private[IndicatorLevel]

    @strawberry.field(description="Which figure it is. For staff; null for others.")
    async def indicator(self, info: Info) -> Indicator | None:
        return self.found.indicator if await reads_records(info.context) else None

    @strawberry.field(description="Exactly this one. For staff; null for others.")
    async def level(self, info: Info) -> str | None:
        return self.found.level if await reads_records(info.context) else None


@strawberry.type(description="Whoever enters its access code, the same for all.")
class PartnerTarget:
    offer: strawberry.Private[UUID]

    @strawberry.field(description="For staff; null where there is none any more, because it was invalidated.")
    async def access_code(self, info: Info) -> str | None:
        return await info.context.load(_access_codes, self.offer)


@strawberry.type(description="Whoever enters one of its codes.")
class SingleUseTarget:
    tickets_per_code: int | None = strawberry.field(
        description="How many tickets of its one order a code covers; null is all."
    )


@strawberry.type(description="Whom a promotional code is restricted to; all that is set must hold.")
class PromotionRestriction:
    indicator: IndicatorLevel | None
    has_ordered: bool | None = strawberry.field(
        description="To contacts who have ordered before; false is to those who have not, null to both."
    )
    newsletter: bool
    counter_profiles: list[str] = strawberry.field(
        description="Of the staff member who sells, by code, one of these; none is any."
    )
    profiles: list[CounterProfile] = strawberry.field(
        description="Those of `counterProfiles` that the organisation has in its list, with their names."
    )
    contact_ids: strawberry.Private[Sequence[UUID]]

    @strawberry.field(description="The only ones who may use it; none is any.")
    async def contacts(self, info: Info) -> list[Contact]:
        found = await asyncio.gather(*(load_contact(info.context, key) for key in self.contact_ids))
        return [contact for contact in found if contact is not None]

    @classmethod
    def of(cls, restriction: offer_facts.Restriction, catalogue: Catalogue) -> Self:
        level = restriction.indicator
        return cls(
            indicator=None if level is None else IndicatorLevel.of(level, catalogue),
            has_ordered=restriction.has_ordered,
            newsletter=restriction.newsletter,
            counter_profiles=sorted(restriction.counter_profiles),
            profiles=[
                CounterProfile.of(row)
                for row in catalogue.counter_profiles.values()
                if row.code in restriction.counter_profiles
            ],
            contact_ids=sorted(restriction.contacts),
        )


@strawberry.type(description="A chosen code of a promotional code.")
class CustomCode:
    code: str
    active: bool
    status: CodeStatus = strawberry.field(description="AVAILABLE, SWITCHED_OFF, or INVALIDATED for good.")
    max_uses: int | None = strawberry.field(description="How many orders may use it; null is any number.")
    uses: int = strawberry.field(description="Orders, and baskets in progress, that use it.")


# ── What ─────────────────────────────────────────────────────────────────────────────────────────


@strawberry.type(description="Prices in place of the rate table's; a ticket without one is not in its scope.")
class RateSubTable:
    prices: list[RatePrice]


@strawberry.type(description="A percentage off: of each ticket for an advantage, of the basket for a promotional code.")
class PercentOff:
    percent: Decimal


@strawberry.type(description="An amount off: each ticket for an advantage, the basket for a promotional code.")
class AmountOff:
    amount: Money


@strawberry.type(description="One price for each ticket.")
class FixedPrice:
    price: Money


@strawberry.type(description="An amount off each ticket of the basket.")
class AmountOffPerTicket:
    amount: Money


AdvantageBenefit = Annotated[
    RateSubTable | PercentOff | AmountOff | FixedPrice,
    strawberry.union("AdvantageBenefit", description="What an advantage gives for each ticket."),
]
PromotionBenefit = Annotated[
    PercentOff | AmountOff | AmountOffPerTicket,
    strawberry.union("PromotionBenefit", description="What a promotional code gives."),
]


def advantage_benefit(benefit: offer_facts.AdvantageBenefit, catalogue: Catalogue) -> AdvantageBenefit:
    match benefit:
        case offer_facts.Rates(prices):
            return RateSubTable(prices=rate_prices(prices.items(), catalogue))
        case offer_facts.PercentOff(ten_thousandths):
            return PercentOff(percent=to_percentage(ten_thousandths))
        case offer_facts.AmountOff(amount):
            return AmountOff(amount=money(amount, catalogue.currency))
        case offer_facts.FixedPrice(price):
            return FixedPrice(price=money(price, catalogue.currency))


def promotion_benefit(benefit: offer_facts.PromotionBenefit, catalogue: Catalogue) -> PromotionBenefit:
    match benefit:
        case offer_facts.PercentOff(ten_thousandths):
            return PercentOff(percent=to_percentage(ten_thousandths))
        case offer_facts.AmountOff(amount):
            return AmountOff(amount=money(amount, catalogue.currency))
        case offer_facts.AmountOffPerTicket(amount):
            return AmountOffPerTicket(amount=money(amount, catalogue.currency))


@strawberry.type(description="When the sale of an offer ends for a performance.")
class SaleEnd:
    tolerance_minutes: int = strawberry.field(
        description="Minutes after the start of a performance; negative is before it. At most a year."
    )


async def reads_records(context: Context) -> bool:
    return (await context.viewer()).reads_records


async def _access_codes(context: Context, keys: Sequence[UUID]) -> Mapping[UUID, str]:
    return await context.services.custom_codes.of_advantages(await context.viewer(), keys)


async def load_custom_codes(context: Context, offer: UUID, page: Window[UUID]) -> Connection[CustomCode]:
    """A page of the chosen codes of a promotional code, for staff."""
    rows = await context.load(_custom_codes, (offer, page)) or ()
    return connection(
        rows,
        page,
        lambda row: CustomCode(
            code=row.code, active=row.active, status=row.status, max_uses=row.max_uses, uses=row.uses
        ),
        lambda row: row.id,
    )


async def _custom_codes(
    context: Context, keys: Sequence[tuple[UUID, Window[UUID]]]
) -> Mapping[tuple[UUID, Window[UUID]], Sequence[custom_codes.CustomCode]]:
    """One query for each page that is asked for, whatever the number of offers."""
    viewer = await context.viewer()
    found: dict[tuple[UUID, Window[UUID]], Sequence[custom_codes.CustomCode]] = {}
    for page in {page for _, page in keys}:
        offers = [offer for offer, own in keys if own == page]
        codes = await context.services.custom_codes.of_promotional_codes(viewer, offers, page)
        found |= {(offer, page): rows for offer, rows in codes.items()}
    return found
