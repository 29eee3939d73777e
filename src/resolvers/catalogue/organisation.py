"""The organisation that the caller deals with."""

from typing import Self

import strawberry

from resolvers.runtime.context import Info
from resolvers.runtime.enums import Language
from resolvers.runtime.scalars import Currency
from services.catalogue import snapshot as services


@strawberry.type(description="The theatre, festival or museum that sells.")
class Organisation:
    code: str
    name: str
    currency: Currency
    time_zone: str
    languages: list[Language]
    basket_minutes: int = strawberry.field(description="How long a basket lives after each of its changes.")
    basket_maximum_minutes: int = strawberry.field(
        description="How long a basket lives in all, however often it is changed."
    )
    entry_opens_minutes: int = strawberry.field(
        description="How long before a performance starts a gate of it lets in."
    )
    entry_closes_minutes: int = strawberry.field(
        description="How long after a performance started a gate of it lets in."
    )
    returns_fees: bool = strawberry.field(
        description="Whether an order's fees are given back with the last of its tickets."
    )

    @classmethod
    def of(cls, row: services.Organisation) -> Self:
        return cls(
            code=row.code,
            name=row.name,
            currency=Currency(row.currency),
            time_zone=row.timezone,
            languages=list(Language),
            basket_minutes=row.basket_minutes,
            basket_maximum_minutes=row.basket_maximum_minutes,
            entry_opens_minutes=row.entry_opens_minutes,
            entry_closes_minutes=row.entry_closes_minutes,
            returns_fees=row.returns_fees,
        )


@strawberry.type
class OrganisationQuery:
    @strawberry.field(description="Yours, as your credentials say.")
    async def organisation(self, info: Info) -> Organisation:
        return Organisation.of((await info.context.catalogue()).organisation)
