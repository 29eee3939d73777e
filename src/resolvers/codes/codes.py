"""Codes: following what became of them, and invalidating them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final, Self
from uuid import UUID

import strawberry

from resolvers.baskets.orders import Order, load_order
from resolvers.codes.batches import CodeBatch, load_batch
from resolvers.contacts.contacts import Contact, load_contact
from resolvers.offers.offers import Offer, offer_of
from resolvers.runtime.connections import Connection, connection, goes_on, window
from resolvers.runtime.context import Context, Info
from resolvers.runtime.enums import CodeStatus, Language
from resolvers.runtime.errors import Conflict, InvalidInput, NotFound
from resolvers.runtime.ids import OFFER, Ids, Node, decode, encode
from services.catalogue.snapshot import Catalogue
from services.codes import tracking as services
from services.codes.invalidation import InvalidationSelection
from services.codes.tracking import CodeFilter as Filter
from services.codes.tracking import CodeKind, shown
from services.core.problems import within

strawberry.enum(CodeKind, description="How a code came into being, and whom it serves.")
_KINDS: Final = {
    CodeKind.SINGLE_USE: "Generated or imported in a batch; it serves one order.",
    CodeKind.CUSTOM: "Chosen for a promotional code; it serves as many orders as its maximum says.",
    CodeKind.ACCESS: "Chosen for an advantage; it opens that to everybody who was given it.",
}
for _each in CodeKind.__strawberry_definition__.values:  # type: ignore[attr-defined]  # strawberry.enum adds it
    _each.description = _KINDS[_each.value]


@strawberry.type(description="A code that opens an offer; a random one serves one order.")
class AdvantageCode(Node):
    code: str
    status: CodeStatus
    offer: Offer
    used_at: datetime | None
    invalidated_at: datetime | None
    invalidated_by: str | None
    invalidation_reason: str | None
    kind: CodeKind = strawberry.field(description="How it came into being, and whom it serves.")
    uses: int = strawberry.field(description="Orders that use it now; cancelled ones do not.")
    uses_held: int = strawberry.field(description="Baskets that hold it now.")
    max_uses: int | None = strawberry.field(
        description="How many orders and baskets may use it at a time; null where that is without limit."
    )
    row: strawberry.Private[services.Code]

    @strawberry.field(description="The run that made it.")
    async def batch(self, info: Info) -> CodeBatch | None:
        return None if self.row.batch is None else await load_batch(info.context, self.row.batch)

    @strawberry.field(description="The contact whose order used it, for those who may see them.")
    async def used_by(self, info: Info) -> Contact | None:
        return await load_contact(info.context, self.row.used_by)

    @strawberry.field(description="The order that used it, for those who may see it.")
    async def order(self, info: Info) -> Order | None:
        return None if self.row.order is None else await load_order(info.context, self.row.order)

    @strawberry.field(description="Tickets of its order, at its offer's price, that were scanned at the entrance.")
    async def tickets_controlled(self, info: Info) -> int:
        return await info.context.load(_tickets_controlled, self.row.id) or 0

    @classmethod
    def of(cls, row: services.Code, catalogue: Catalogue) -> Self:
        return cls(
            id=encode("AdvantageCode", row.id),
            code=shown(row),
            status=row.status,
            offer=offer_of(row.offer, catalogue),
            used_at=row.used_at,
            invalidated_at=row.invalidated_at,
            invalidated_by=row.invalidated_by,
            invalidation_reason=row.invalidation_reason,
            kind=row.kind,
            uses=row.uses,
            uses_held=row.held,
            max_uses=row.max_uses,
            row=row,
        )


async def load_code(context: Context, key: UUID) -> AdvantageCode | None:
    """The code, or None where there is none or the viewer may not see it."""
    return await context.load(_codes, key)


async def _codes(context: Context, keys: Sequence[UUID]) -> Mapping[UUID, AdvantageCode]:
    catalogue = await context.catalogue()
    rows = await context.services.codes.find(await context.viewer(), keys)
    return {key: AdvantageCode.of(row, catalogue) for key, row in rows.items()}


async def _tickets_controlled(context: Context, keys: Sequence[UUID]) -> Mapping[UUID, int]:
    return await context.services.codes.tickets_controlled(await context.viewer(), keys)


@strawberry.input
class CodeFilter:
    season_id: strawberry.ID | None = None
    offer_id: strawberry.ID | None = None
    contact_id: strawberry.ID | None = None
    batch_id: strawberry.ID | None = None
    status: list[CodeStatus] | None = None
    code: str | None = None
    used_from: datetime | None = None
    used_until: datetime | None = None
    part: str | None = strawberry.field(
        default=None, description="Four characters or more that stand anywhere in the code, in any spelling."
    )
    buyer_id: strawberry.ID | None = strawberry.field(
        default=None, description="A contact who bought with it, orders that were cancelled since included."
    )
    order_number: str | None = strawberry.field(
        default=None, description="The number printed on an order that it was used for, cancelled ones included."
    )
    invalidated_by: str | None = strawberry.field(default=None, description="A part of the name of who invalidated it.")
    invalidated_from: datetime | None = strawberry.field(
        default=None, description="Only codes that were invalidated, then or later."
    )
    invalidated_until: datetime | None = strawberry.field(
        default=None, description="Only codes that were invalidated, before then."
    )
    invalidation_reason: str | None = strawberry.field(
        default=None, description="A part of the reason for which it was invalidated."
    )

    def read(self) -> Filter:
        """The filter with ids read; raises WrongId with every one that is wrong."""
        ids = Ids()
        wanted = Filter(
            season=ids.maybe(self.season_id, "Season", path=("filter", "seasonId")),
            offer=ids.maybe(self.offer_id, *OFFER, path=("filter", "offerId")),
            contact=ids.maybe(self.contact_id, "Contact", path=("filter", "contactId")),
            batch=ids.maybe(self.batch_id, "CodeBatch", path=("filter", "batchId")),
            status=tuple(self.status or ()),
            code=self.code,
            used_from=self.used_from,
            used_until=self.used_until,
            part=self.part,
            buyer=ids.maybe(self.buyer_id, "Contact", path=("filter", "buyerId")),
            order_number=self.order_number,
            invalidated_by=self.invalidated_by,
            invalidated_from=self.invalidated_from,
            invalidated_until=self.invalidated_until,
            invalidation_reason=self.invalidation_reason,
        )
        ids.check()
        return wanted


@strawberry.type
class CodesQuery:
    @strawberry.field(
        description="In the order of their making. For staff who follow codes; partners see their own. Where millions "
        "of codes have to be looked through for what is asked, a page can end before it is full: `endCursor` goes on, "
        "backwards `startCursor`."
    )
    async def codes(
        self,
        info: Info,
        filter: CodeFilter | None = None,  # noqa: A002
        first: int | None = None,
        after: str | None = None,
        last: Annotated[
            int | None, strawberry.argument(description="At most so many from the end, or from before `before`.")
        ] = None,
        before: Annotated[
            str | None, strawberry.argument(description="Those before the edge with this cursor.")
        ] = None,
    ) -> Connection[AdvantageCode]:
        context = info.context
        page = window(first, after, UUID, last=last, before=before)
        wanted = Filter() if filter is None else filter.read()
        viewer, codes, catalogue = await context.viewer(), context.services.codes, await context.catalogue()
        rows = await codes.page(viewer, wanted, page)
        found = connection(
            rows,
            page,
            lambda row: AdvantageCode.of(row, catalogue),
            lambda row: row.id,
            lambda: codes.count(viewer, wanted),
        )
        return found if rows.looked_until is None else goes_on(found, rows.looked_until, page)

    @strawberry.field(
        description="Where the list of these codes can be downloaded as CSV, with `&separator=,` for commas; the link "
        "is signed and expires."
    )
    async def codes_csv_url(
        self,
        info: Info,
        filter: CodeFilter | None = None,  # noqa: A002
        language: Language | None = None,
    ) -> str:
        context = info.context
        wanted = Filter() if filter is None else filter.read()
        return context.services.tracking_lists.url(
            await context.viewer(), wanted, language or context.language, context.now
        )

    @strawberry.field(
        description="Where the list of these codes, 100,000 at most, can be downloaded as a workbook, in which "
        "spreadsheets leave every code as it is."
    )
    async def codes_xlsx_url(
        self,
        info: Info,
        filter: CodeFilter | None = None,  # noqa: A002
        language: Language | None = None,
    ) -> str:
        context = info.context
        wanted = Filter() if filter is None else filter.read()
        return context.services.tracking_lists.url(
            await context.viewer(), wanted, language or context.language, context.now, "xlsx"
        )


@strawberry.input
class InvalidateCodeInput:
    code: str
    reason: str = strawberry.field(description="1 to 500 characters; it stays with the code.")


InvalidateCodeResult = Annotated[
    AdvantageCode | InvalidInput | NotFound | Conflict, strawberry.union("InvalidateCodeResult")
]


@strawberry.input(one_of=True, description="Which codes: exactly one of the three.")
class CodesSelectionInput:
    batch_id: strawberry.ID | None = strawberry.UNSET
    filter: CodeFilter | None = strawberry.UNSET
    codes: list[str] | None = strawberry.UNSET

    def read(self) -> InvalidationSelection:
        """The selection with ids read; raises NotFound for a batch, WrongId for a filter."""
        if self.batch_id:
            return InvalidationSelection(batch=decode(self.batch_id, "CodeBatch", path=("selection", "batchId")))
        if self.filter:
            with within("selection"):
                return InvalidationSelection(filter=self.filter.read())
        return InvalidationSelection(codes=tuple(self.codes or ()))


@strawberry.input
class InvalidateCodesInput:
    selection: CodesSelectionInput
    reason: str = strawberry.field(description="1 to 500 characters; it stays with each code.")
    dry_run: bool = strawberry.field(
        default=False, description="True only says what would happen, and changes nothing."
    )


@strawberry.type(description="What came of an invalidation, or would come of it, in codes.")
class CodesInvalidated:
    invalidated: int
    held: int = strawberry.field(description="Of the invalidated: those that baskets held, and lose.")
    used: int = strawberry.field(description="Left as they are: their orders are to be cancelled instead.")
    already_invalidated: int = strawberry.field(description="Left as they were, with their earlier reason.")
    unknown: list[str] = strawberry.field(description="Those of the list that do not exist.")
    dry_run: bool


InvalidateCodesResult = Annotated[
    CodesInvalidated | InvalidInput | NotFound | Conflict, strawberry.union("InvalidateCodesResult")
]


@strawberry.type
class CodesMutation:
    @strawberry.mutation(
        description="Makes a code worthless, at once and for good. For staff with CODES, and partners with their own."
    )
    async def invalidate_code(self, info: Info, input: InvalidateCodeInput) -> InvalidateCodeResult:  # noqa: A002
        context = info.context
        row = await context.services.codes.invalidate(await context.viewer(), input.code, input.reason, context.now)
        return AdvantageCode.of(row, await context.catalogue())

    @strawberry.mutation(
        description="Makes many codes worthless, for good; what was done stays done, and asking again goes on. For "
        "staff with CODES, and partners with their own."
    )
    async def invalidate_codes(self, info: Info, input: InvalidateCodesInput) -> InvalidateCodesResult:  # noqa: A002
        context = info.context
        outcome = await context.services.invalidation.run(
            await context.viewer(), input.selection.read(), input.reason, context.now, dry_run=input.dry_run
        )
        return CodesInvalidated(
            invalidated=outcome.invalidated,
            held=outcome.held,
            used=outcome.used,
            already_invalidated=outcome.already,
            unknown=list(outcome.unknown),
            dry_run=input.dry_run,
        )
