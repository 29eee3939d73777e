"""Reading the audit log."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
import strawberry

from resolvers.contacts.contacts import load_contact
from resolvers.runtime.connections import Connection, connection, window
from resolvers.runtime.context import Context, Info
from resolvers.runtime.enums import Language
from resolvers.runtime.ids import OFFER, Ids, decode_any, encode
from services.access import audit as services
from services.access.audit import AuditFilter
from services.access.audit_reading import Names, mentioned
from services.codes.format import display
from services.core.instants import local_or_empty


@strawberry.type(description="One thing that an entry says, in words: names in place of ids, amounts with currency.")
class AuditFact:
    name: str = strawberry.field(description="What it is about, as the input calls it.")
    before: str | None = strawberry.field(description="What it was, where it is a change; null is nothing.")
    after: str | None = strawberry.field(description="What it is, or what was said; null is nothing.")


@strawberry.type(description="Who did what to what, and when.")
class AuditEntry:
    actor: str = strawberry.field(description="The kind of caller, and who it was: `staff:ada`.")
    action: str = strawberry.field(description="What was done, by the name of the mutation.")
    subject_id: strawberry.ID = strawberry.field(description="What was changed, by its global id.")
    subject_type: str = strawberry.field(description="What kind of thing was changed.")
    details: str = strawberry.field(description="JSON, with ids, and amounts in minor units; `facts` says it in words.")
    created_at: datetime = strawberry.field(description="When it was done.")
    row: strawberry.Private[services.AuditEntry]

    @strawberry.field(description="Who did it, by name.")
    async def actor_name(self, info: Info) -> str:
        who = self.actor.partition(":")[2] or self.actor
        names = await _names(info.context, Language.EN, list(mentioned(who)))
        return next((name for key in mentioned(who) if (name := names.of(key))), who)

    @strawberry.field(
        description="What people know it by: a code with its name, the number of an order, the text of a code, a "
        "barcode; of a batch its offer, contact and time, of a basket its order, or else contact, place and time. Null "
        "where it is known by its id alone."
    )
    async def subject_name(self, info: Info, language: Language | None = None) -> str | None:
        names = await _names(info.context, language or info.context.language, [self.row.subject])
        return names.of(self.row.subject)

    @strawberry.field(description="What the entry says, one thing after the other.")
    async def facts(self, info: Info, language: Language | None = None) -> list[AuditFact]:
        details = dict(self.row.details)
        names = await _names(info.context, language or info.context.language, list(mentioned(details)))
        return [AuditFact(name=fact.name, before=fact.before, after=fact.after) for fact in names.facts(details)]

    @classmethod
    def of(cls, row: services.AuditEntry) -> Self:
        return cls(
            actor=row.actor,
            action=row.action,
            subject_id=encode(row.subject_type, row.subject),
            subject_type=row.subject_type,
            details=orjson.dumps(row.details).decode(),
            created_at=row.created_at,
            row=row,
        )


async def _names(context: Context, language: Language, keys: list[UUID]) -> Names:
    """What these ids stand for: of the catalogue, a contact's, or what was sold and made."""
    known = Names(await context.catalogue(), {}, language)
    unknown = [key for key in dict.fromkeys(keys) if known.of(key) is None]
    subjects = [each for each in await asyncio.gather(*(context.load(_subjects, key) for key in unknown)) if each]
    people = [*unknown, *(each.contact for each in subjects if each.contact)]
    contacts = await asyncio.gather(*(load_contact(context, key) for key in dict.fromkeys(people)))
    named = Names(known.catalogue, {each.key: f"{each.code} ({each.name})" for each in contacts if each}, language)
    return replace(named, others={**named.others, **{each.id: _named(each, named) for each in subjects}})


def _named(subject: services.Subject, names: Names) -> str:
    """What people know it by. A batch and a basket have no names of their own."""
    if subject.label is not None:
        return display(subject.label)
    references = (subject.offer, subject.contact, subject.point_of_sale)
    told = [names.of(key) for key in references if key is not None]
    zone = ZoneInfo(names.catalogue.timezone)
    return ", ".join(filter(None, (*told, local_or_empty(subject.made_at, zone))))


async def _subjects(context: Context, keys: Sequence[UUID]) -> Mapping[UUID, services.Subject]:
    return await context.services.audit.subjects(await context.viewer(), keys)


@strawberry.type
class AuditQuery:
    @strawberry.field(description="The newest first; of one thing where that is named. For staff.")
    async def audit_log(
        self,
        info: Info,
        *,
        subject_id: strawberry.ID | None = None,
        offer_id: Annotated[strawberry.ID | None, strawberry.argument(description="Only what was done to it.")] = None,
        actor: Annotated[
            str | None, strawberry.argument(description="Who did it: `staff:ada`, or a part of it.")
        ] = None,
        actions: Annotated[list[str] | None, strawberry.argument(description="Only these mutations.")] = None,
        from_: Annotated[datetime | None, strawberry.argument(name="from", description="From this instant on.")] = None,
        until: Annotated[datetime | None, strawberry.argument(description="Before this instant.")] = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[AuditEntry]:
        await info.context.catalogue()  # For the offset of its instants.
        page = window(first, after, UUID, last=last, before=before)
        ids = Ids()
        offer = ids.maybe(offer_id, *OFFER, path=("offerId",))
        ids.check()
        subject = None if subject_id is None else decode_any(subject_id, ("subjectId",))[1]
        wanted = AuditFilter(
            subjects=tuple(key for key in (subject, offer) if key is not None),
            actor=actor,
            actions=tuple(actions or ()),
            since=from_,
            until=until,
        )
        viewer = await info.context.viewer()
        audit = info.context.services.audit
        rows = await audit.page(viewer, wanted, page)
        return connection(rows, page, AuditEntry.of, lambda row: row.id, lambda: audit.count(viewer, wanted))
