"""Contacts: individuals and structures, for the staff and for themselves."""

from collections.abc import Mapping, Sequence
from typing import Self
from uuid import UUID

import strawberry

from resolvers.catalogue.catalogue import PointOfSale
from resolvers.runtime.connections import Connection, Window, connection, window
from resolvers.runtime.context import Context, Info
from resolvers.runtime.enums import Audience, Language, StaffRole
from resolvers.runtime.ids import Node, encode
from resolvers.runtime.scalars import Money, money
from services.catalogue.snapshot import Indicator
from services.contacts import contacts as services
from services.contacts.contacts import ContactKind
from services.core.texts import localised

strawberry.enum(ContactKind)


@strawberry.type(description="A figure kept on a contact, whose level serves to target offers.")
class ContactIndicator:
    indicator: str = strawberry.field(description="The indicator's code, as `indicators` lists it.")
    level: str = strawberry.field(description="The one that they have now, of the indicator's `levels`.")
    names: strawberry.Private[Mapping[str, str]]

    @strawberry.field(description="The indicator's, in the language asked for, else the request's, else French.")
    def name(self, info: Info, language: Language | None = None) -> str:
        return localised(self.names, language or info.context.language)

    @classmethod
    def of(cls, indicator: Indicator, level: str) -> Self:
        return cls(indicator=indicator.code, level=level, names=indicator.name)


@strawberry.type(description="A customer: an individual, or a structure such as a company, a school, a partner.")
class Contact(Node):
    code: str
    kind: ContactKind
    name: str
    email: str | None
    balance: Money
    newsletter: bool | None = strawberry.field(description="Whether they have subscribed to it.")
    has_ordered: bool | None = strawberry.field(
        description="Whether they have an order that is not cancelled, here or in the system that they come from."
    )
    key: strawberry.Private[UUID]

    @strawberry.field(description="The figures kept on them, each with its level now, in the order of their codes.")
    async def indicators(self, info: Info) -> list[ContactIndicator] | None:
        levels = await info.context.load(_levels, self.key) or {}
        indicators = (await info.context.catalogue()).indicators
        # Levels are read now: an indicator may be newer than the request's catalogue.
        found = [ContactIndicator.of(indicators[key], level) for key, level in levels.items() if key in indicators]
        return sorted(found, key=lambda each: each.indicator)

    @strawberry.field(
        description="True where at least one advantage is reserved for this contact: the gift icon at the box office."
    )
    async def has_advantages(self, info: Info) -> bool:
        return bool(await info.context.load(_has_advantages, self.key))

    @classmethod
    def of(cls, row: services.Contact, currency: str) -> Self:
        return cls(
            id=encode("Contact", row.id),
            code=row.code,
            kind=row.kind,
            name=row.name,
            email=row.email,
            balance=money(row.balance, currency),
            newsletter=row.newsletter,
            has_ordered=row.has_ordered,
            key=row.id,
        )


async def load_contact(context: Context, key: UUID | None) -> Contact | None:
    """The contact, or None where there is none or the viewer may not see them."""
    return None if key is None else await context.load(_contacts, key)


async def _contacts(context: Context, keys: Sequence[UUID]) -> Mapping[UUID, Contact]:
    currency = (await context.catalogue()).organisation.currency
    rows = await context.services.contacts.find(await context.viewer(), keys)
    return {key: Contact.of(row, currency) for key, row in rows.items()}


async def _levels(context: Context, keys: Sequence[UUID]) -> Mapping[UUID, Mapping[UUID, str]]:
    return await context.services.contacts.indicators(await context.viewer(), keys)


async def _has_advantages(context: Context, keys: Sequence[UUID]) -> Mapping[UUID, bool]:
    return await context.services.contacts.have_advantages(await context.catalogue(), keys, context.now)


async def load_target(context: Context, campaign: UUID, page: Window[UUID]) -> Connection[Contact]:
    """A page of the contacts in the target of a campaign, for staff."""
    currency = (await context.catalogue()).organisation.currency
    rows = await context.load(_targets, (campaign, page)) or ()
    return connection(
        rows,
        page,
        lambda row: Contact.of(row, currency),
        lambda row: row.id,
        lambda: target_size(context, campaign),
    )


async def target_size(context: Context, campaign: UUID) -> int | None:
    """How many contacts are in the target of a campaign; None where they are more than are counted."""
    return await context.load(_target_sizes, campaign)


async def _targets(
    context: Context, keys: Sequence[tuple[UUID, Window[UUID]]]
) -> Mapping[tuple[UUID, Window[UUID]], Sequence[services.Contact]]:
    """One query for each page that is asked for, whatever the number of campaigns."""
    viewer = await context.viewer()
    found: dict[tuple[UUID, Window[UUID]], Sequence[services.Contact]] = {}
    for page in {page for _, page in keys}:
        campaigns = [campaign for campaign, own in keys if own == page]
        targets = await context.services.contacts.targets(viewer, campaigns, page)
        found |= {(campaign, page): rows for campaign, rows in targets.items()}
    return found


async def _target_sizes(context: Context, keys: Sequence[UUID]) -> Mapping[UUID, int | None]:
    return await context.services.contacts.target_sizes(await context.viewer(), keys)


@strawberry.type(description="Who is asking, as the credentials say.")
class Viewer:
    audience: Audience
    organisation: str
    contact: Contact | None
    point_of_sale: PointOfSale | None
    roles: list[StaffRole]


@strawberry.type
class ContactsQuery:
    @strawberry.field
    async def viewer(self, info: Info) -> Viewer:
        viewer = await info.context.viewer()
        catalogue = await info.context.catalogue()
        place = viewer.point_of_sale
        return Viewer(
            audience=viewer.audience,
            organisation=viewer.organisation_code,
            contact=await load_contact(info.context, viewer.contact),
            point_of_sale=None if place is None else PointOfSale.of(catalogue.points_of_sale[place], catalogue),
            roles=sorted(viewer.roles),
        )

    @strawberry.field(description="By a part of the name, the e-mail address or the code. For staff.")
    async def contacts(
        self,
        info: Info,
        search: str | None = None,
        kind: ContactKind | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Contact]:
        page = window(first, after, UUID, last=last, before=before)
        viewer = await info.context.viewer()
        currency = (await info.context.catalogue()).organisation.currency
        rows = await info.context.services.contacts.search(viewer, search, kind, page)
        return connection(
            rows,
            page,
            lambda row: Contact.of(row, currency),
            lambda row: row.id,
            lambda: info.context.services.contacts.count(viewer, search, kind),
        )
