"""The life of one code: its uses, and all that happened to it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import EnumType, StrEnum
from typing import Annotated, Final, Self
from uuid import UUID

import strawberry

from resolvers.baskets.orders import Order, Ticket, load_order, load_ticket
from resolvers.codes.codes import AdvantageCode
from resolvers.contacts.contacts import Contact, load_contact
from resolvers.offers.offers import Offer, offer_of
from resolvers.runtime.connections import Connection, connection, window
from resolvers.runtime.context import Context, Info
from resolvers.runtime.ids import decode, encode
from resolvers.runtime.scalars import Money, money
from services.catalogue.snapshot import Catalogue
from services.codes import history as services
from services.codes.history import CodeEventKind, ReleaseReason, UseKey
from services.codes.tracking import Code, shown

strawberry.enum(ReleaseReason, name="CodeReleaseReason", description="What ended a use of a code.")
strawberry.enum(CodeEventKind, description="What can happen to a code. New kinds may come.")

_MEANINGS: Final[Mapping[EnumType, Mapping[StrEnum, str]]] = {
    ReleaseReason: {
        ReleaseReason.TAKEN_OUT: "Somebody took the code out of the basket.",
        ReleaseReason.NO_LONGER_APPLIES: "The basket does not qualify for it any more; it is entered still.",
        ReleaseReason.BASKET_CANCELLED: "The basket was cancelled.",
        ReleaseReason.BASKET_EXPIRED: "The basket's time was over.",
        ReleaseReason.INVALIDATED: "The code was invalidated while the basket held it.",
        ReleaseReason.ORDER_CANCELLED: "The order was cancelled as a whole.",
        ReleaseReason.TICKETS_CANCELLED: "The last ticket of the order that it covered was cancelled.",
    },
    CodeEventKind: {
        CodeEventKind.GENERATED: "A batch made it.",
        CodeEventKind.IMPORTED: "It was taken in with a list of codes that existed already.",
        CodeEventKind.CHOSEN: "Staff, or a data file, chose it.",
        CodeEventKind.MAILED: "The list with it was mailed to the contact that it was made for.",
        CodeEventKind.HELD: "A basket has it since then.",
        CodeEventKind.USED: "The basket became an order.",
        CodeEventKind.TICKET_CONTROLLED: "A ticket that it covers was scanned at the entrance.",
        CodeEventKind.RELEASED: "The basket or order no longer has it.",
        CodeEventKind.CHANGED: "Staff changed its maximum number of uses.",
        CodeEventKind.SWITCHED_OFF: "It cannot be used until it is switched on again.",
        CodeEventKind.SWITCHED_ON: "It can be used again.",
        CodeEventKind.INVALIDATED: "It is worthless, for good.",
    },
}
for _enum, _values in _MEANINGS.items():
    for _each in _enum.__strawberry_definition__.values:  # type: ignore[attr-defined]  # strawberry.enum adds it
        _each.description = _values[_each.value]


@strawberry.type(description="One use of any code: kept for ever, also after its order was cancelled.")
class CodeUse:
    id: strawberry.ID = strawberry.field(description="Tells this use of the code from the others.")
    code: str = strawberry.field(description="As it is shown to people.")
    offer: Offer = strawberry.field(description="What it opened.")
    tickets: int = strawberry.field(
        description="Those that it covers; of a use that is over, those that it covered at last."
    )
    discount: Money = strawberry.field(description="What it took off these tickets.")
    held_at: datetime = strawberry.field(description="Since when the basket had it.")
    used_at: datetime | None = strawberry.field(description="When the basket became an order; null where it did not.")
    released_at: datetime | None = strawberry.field(
        description="When the basket or order gave it back; null while that has it. A single-use code that its offer "
        "keeps after a cancellation is never given back."
    )
    released_by: str | None = strawberry.field(description="Who did it, where somebody did.")
    release_reason: ReleaseReason | None = strawberry.field(description="What ended it.")
    row: strawberry.Private[services.CodeUse]

    @strawberry.field(description="The order that used it, cancelled ones too, for those who may see it.")
    async def order(self, info: Info) -> Order | None:
        return None if self.row.order is None else await load_order(info.context, self.row.order)

    @strawberry.field(description="Whose basket or order it was, for those who may see them.")
    async def contact(self, info: Info) -> Contact | None:
        return await load_contact(info.context, self.row.contact)

    @strawberry.field(description="Tickets of the order, covered by it, that were scanned at the entrance.")
    async def tickets_controlled(self, info: Info) -> int:
        if self.row.order is None:
            return 0
        return await info.context.load(_controlled, (self.row.code, self.row.order)) or 0

    @classmethod
    def of(cls, row: services.CodeUse, code: Code, catalogue: Catalogue) -> Self:
        return cls(
            id=encode("CodeUse", row.id),
            code=shown(code),
            offer=offer_of(row.offer, catalogue),
            tickets=row.tickets,
            discount=money(row.discount, catalogue.organisation.currency),
            held_at=row.held_at,
            used_at=row.used_at,
            released_at=row.released_at,
            released_by=row.released_by,
            release_reason=None if row.reason is None else ReleaseReason(row.reason),
            row=row,
        )


async def _controlled(context: Context, keys: Sequence[UseKey]) -> Mapping[UseKey, int]:
    return await context.services.code_history.controlled(await context.viewer(), keys)


@strawberry.type(description="Something that happened to a code.")
class CodeEvent:
    at: datetime = strawberry.field(description="When it happened.")
    kind: CodeEventKind = strawberry.field(description="What happened, which says what else is told.")
    by: str | None = strawberry.field(description="Who did it, where somebody did.")
    reason: str | None = strawberry.field(description="Why, in the words of who did it: of a batch its remark.")
    release_reason: ReleaseReason | None = strawberry.field(description="Of RELEASED: what ended the use.")
    destination: str | None = strawberry.field(description="Of MAILED: the address.")
    offer: Offer = strawberry.field(
        description="What the code opened then: another offer may have taken it over since."
    )
    event: strawberry.Private[services.CodeEvent]

    @strawberry.field(description="The order that it is about, for those who may see it.")
    async def order(self, info: Info) -> Order | None:
        return None if self.event.order is None else await load_order(info.context, self.event.order)

    @strawberry.field(
        description="Of GENERATED, IMPORTED and MAILED whom the code was made for, else whose basket or order it was; "
        "for those who may see them."
    )
    async def contact(self, info: Info) -> Contact | None:
        return await load_contact(info.context, self.event.contact)

    @strawberry.field(description="Of TICKET_CONTROLLED: the ticket, for those who may see it.")
    async def ticket(self, info: Info) -> Ticket | None:
        return None if self.event.ticket is None else await load_ticket(info.context, self.event.ticket)

    @classmethod
    def of(cls, code: Code, event: services.CodeEvent, catalogue: Catalogue) -> Self:
        return cls(
            offer=offer_of(code.offer, catalogue),
            at=event.at,
            kind=event.kind,
            by=event.by,
            reason=event.reason,
            release_reason=event.release,
            destination=event.destination,
            event=event,
        )


@strawberry.type(description="All that is known of one code.")
class CodeLife:
    code: AdvantageCode = strawberry.field(description="As it is now.")
    codes: list[AdvantageCode] = strawberry.field(
        description="All that ever had this text, one for each offer whose code it was: the one that has it now is the "
        "first. Uses and events are those of all of them."
    )
    uses: list[CodeUse] = strawberry.field(description="Its uses, the newest first: 1,000 at the most.")
    events: list[CodeEvent] = strawberry.field(description="What happened to it, the newest first.")


@strawberry.type
class CodeHistoryQuery:
    @strawberry.field(
        description="The life of one code, in any spelling: each use, the newest first, with those that baskets have "
        "now. None where there is no such code. For staff who follow codes; partners see their own."
    )
    async def code_history(
        self,
        info: Info,
        code: Annotated[str, strawberry.argument(description="The whole code.")],
        first: Annotated[
            int | None, strawberry.argument(description="How many uses at the most: 1,000, or fewer.")
        ] = None,
        before: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only uses that are older than this one.")
        ] = None,
    ) -> list[CodeUse]:
        context = info.context
        key = None if before is None else decode(before, "CodeUse", path=("before",))
        found = await context.services.code_history.newest(await context.viewer(), code, key, first)
        catalogue = await context.catalogue()
        return [CodeUse.of(use, found.code_of(use), catalogue) for use in found.uses] if found else []

    @strawberry.field(
        description="The uses of one code, in any spelling, by pages: each one, the newest first, with those that "
        "baskets have now. None where there is no such code. For staff who follow codes; partners see their own."
    )
    async def code_uses(
        self,
        info: Info,
        code: Annotated[str, strawberry.argument(description="The whole code.")],
        *,
        first: Annotated[int | None, strawberry.argument(description="At most so many: 1 to 100, else 20.")] = None,
        after: Annotated[str | None, strawberry.argument(description="Those after the edge with this cursor.")] = None,
        last: Annotated[
            int | None, strawberry.argument(description="At most so many from the end, or from before `before`.")
        ] = None,
        before: Annotated[
            str | None, strawberry.argument(description="Those before the edge with this cursor.")
        ] = None,
    ) -> Connection[CodeUse]:
        context = info.context
        viewer, history, catalogue = await context.viewer(), context.services.code_history, await context.catalogue()
        page = window(first, after, UUID, last=last, before=before)
        found = await history.uses(viewer, code, page)

        def node(use: services.CodeUse) -> CodeUse:
            assert found is not None  # noqa: S101 - it has this use
            return CodeUse.of(use, found.code_of(use), catalogue)

        uses = found.uses if found else ()
        return connection(uses, page, node, lambda use: use.id, lambda: history.count(viewer, code))

    @strawberry.field(
        description="All that is known of one code, in any spelling; null where there is no such code. For staff who "
        "follow codes; partners see their own."
    )
    async def code_life(
        self, info: Info, code: Annotated[str, strawberry.argument(description="The whole code.")]
    ) -> CodeLife | None:
        context = info.context
        found = await context.services.code_history.life(await context.viewer(), code)
        if found is None:
            return None
        catalogue = await context.catalogue()
        return CodeLife(
            code=AdvantageCode.of(found.codes[0], catalogue),
            codes=[AdvantageCode.of(code, catalogue) for code in found.codes],
            uses=[CodeUse.of(use, found.code_of(use), catalogue) for use in found.uses],
            events=[CodeEvent.of(code, event, catalogue) for code, event in found.events],
        )
