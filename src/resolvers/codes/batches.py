"""Batches: codes made in bulk, and watched while they are made."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final, Self
from uuid import UUID

import strawberry
from strawberry import argument

from resolvers.contacts.contacts import Contact, load_contact
from resolvers.offers.offers import Offer, offer_of
from resolvers.runtime.asked_by_id import AskedById
from resolvers.runtime.connections import Connection, connection, window
from resolvers.runtime.context import Context, Info
from resolvers.runtime.enums import Language
from resolvers.runtime.errors import Conflict, InvalidInput, NotFound
from resolvers.runtime.ids import OFFER, Ids, Node, decode, encode
from services.codes import batches as services
from services.codes.batches import BatchFilter, BatchRequest, BatchState, DocumentType
from services.codes.imports import ImportRequest, OnDuplicate
from services.core.errors import NotFound as Missing

_CONTACT: Final = (
    "The structure that gets them. Codes of a promotional code may do without: they are then the organisation's own, "
    "and `destination` says where their list goes."
)

strawberry.enum(BatchState, description="PENDING → GENERATING → SENDING → DONE, or FAILED with its reason.")
strawberry.enum(DocumentType, description="What the contact is sent when its codes are made.")

strawberry.enum(
    OnDuplicate,
    description="What becomes of a list with codes that stand in it twice, or exist already: it is refused, or does "
    "without them.",
)


@strawberry.type(description="One run that makes codes of one offer for one structure contact, and mails them.")
class CodeBatch(Node):
    state: BatchState
    offer: Offer
    quantity: int = strawberry.field(description="Codes asked for.")
    generated: int = strawberry.field(description="Codes made so far.")
    skipped: int = strawberry.field(
        description="Lines of an imported list that were left out because their codes were there already."
    )
    destination: str | None
    sent_at: datetime | None
    created_at: datetime
    created_by: str = strawberry.field(description="Who asked for it.")
    document_type: DocumentType = strawberry.field(description="What the contact is sent.")
    language: Language = strawberry.field(description="That of the mail and the lists.")
    remark: str | None = strawberry.field(description="What the organisation noted when it asked for the codes.")
    error: str | None
    csv_url: str | None = strawberry.field(
        description="Where the CSV of this batch's codes can be downloaded; the link is signed and expires."
    )
    xlsx_url: str | None = strawberry.field(
        description="The same list as a workbook, in which spreadsheets leave every code as it is; null past 100,000 "
        "codes."
    )
    row: strawberry.Private[services.Batch]

    @strawberry.field(description="The structure that its codes are for; the organisation itself where none was named.")
    async def contact(self, info: Info) -> Contact:
        contact = await load_contact(info.context, self.row.contact)
        if contact is None:
            raise Missing(("contact",))
        return contact

    @classmethod
    async def of(cls, row: services.Batch, context: Context) -> Self:
        return cls(
            id=encode("CodeBatch", row.id),
            state=row.state,
            offer=offer_of(row.offer, await context.catalogue()),
            quantity=row.quantity,
            generated=row.generated,
            skipped=row.skipped,
            destination=row.destination,
            sent_at=row.sent_at,
            created_at=row.created_at,
            created_by=row.created_by,
            document_type=row.document_type,
            language=Language(row.language),
            remark=row.remark,
            error=row.error,
            csv_url=context.services.batches.csv_url(row, context.now),
            xlsx_url=context.services.batches.xlsx_url(row, context.now),
            row=row,
        )


async def load_batch(context: Context, key: UUID) -> CodeBatch | None:
    """The batch, or None where there is none or the viewer may not see it."""
    return await context.load(_batches, key)


async def _batches(context: Context, keys: Sequence[UUID]) -> Mapping[UUID, CodeBatch]:
    rows = await context.services.batches.find(await context.viewer(), keys)
    return {key: await CodeBatch.of(row, context) for key, row in rows.items()}


@strawberry.type
class BatchesQuery:
    @strawberry.field(extensions=[AskedById()])
    async def code_batch(self, info: Info, id: strawberry.ID) -> CodeBatch | None:  # noqa: A002
        return await load_batch(info.context, decode(id, "CodeBatch", path=("id",)))

    @strawberry.field(
        description="Batches, the newest first. For staff who follow codes; partners see their own.",
    )
    async def code_batches(
        self,
        info: Info,
        *,
        offer_id: Annotated[strawberry.ID | None, argument(description="Only codes of this offer.")] = None,
        contact_id: Annotated[strawberry.ID | None, argument(description="Only codes for this contact.")] = None,
        state: Annotated[BatchState | None, argument(description="Only batches in this state.")] = None,
        season_id: Annotated[
            strawberry.ID | None, argument(description="Only codes of this season's advantages.")
        ] = None,
        search: Annotated[
            str | None,
            argument(description="A part of the remark, of the address, or of the name of who asked for it."),
        ] = None,
        from_: Annotated[
            datetime | None, argument(name="from", description="Only those asked for from then on.")
        ] = None,
        until: Annotated[datetime | None, argument(description="Only those asked for before then.")] = None,
        first: Annotated[int | None, argument(description="How many: 20 by default, 100 at most.")] = None,
        after: Annotated[str | None, argument(description="The cursor that the last page ended with.")] = None,
        last: Annotated[
            int | None, argument(description="How many from the end, or from before `before`: 100 at most.")
        ] = None,
        before: Annotated[str | None, argument(description="The cursor that the page after this starts with.")] = None,
    ) -> Connection[CodeBatch]:
        context, ids = info.context, Ids()
        wanted = BatchFilter(
            offer=ids.maybe(offer_id, *OFFER, path=("offerId",)),
            contact=ids.maybe(contact_id, "Contact", path=("contactId",)),
            season=ids.maybe(season_id, "Season", path=("seasonId",)),
            states=() if state is None else (state,),
            since=from_,
            until=until,
            search=search,
        )
        ids.check()
        page = window(first, after, UUID, last=last, before=before)
        viewer, batches = await context.viewer(), context.services.batches
        rows = await batches.page(viewer, wanted, page)
        shown = {row.id: await CodeBatch.of(row, context) for row in rows}
        return connection(
            rows, page, lambda row: shown[row.id], lambda row: row.id, lambda: batches.count(viewer, wanted)
        )


@strawberry.input(
    description="`offerId`: an advantage whose target is SINGLE_USE_CODE, or a promotional code that takes random "
    "codes."
)
class GenerateCodesInput:
    offer_id: strawberry.ID
    quantity: int
    contact_id: strawberry.ID = strawberry.field(default=strawberry.ID(""), description=_CONTACT)
    destination: str | None = strawberry.field(
        default=None, description="The contact's own e-mail address where left out."
    )
    document_type: DocumentType = DocumentType.EMAIL_WITH_CODE_LIST
    language: Language = Language.FR
    remark: str | None = None
    idempotency_key: str | None = None

    def read(self) -> BatchRequest:
        """The request with ids read; raises NotFound."""
        return BatchRequest(
            offer=decode(self.offer_id, *OFFER, path=("offerId",)),
            contact=decode(self.contact_id, "Contact", path=("contactId",)) if self.contact_id else None,
            quantity=self.quantity,
            destination=self.destination,
            document_type=self.document_type,
            language=self.language,
            remark=self.remark,
        )


GenerateCodesResult = Annotated[CodeBatch | InvalidInput | NotFound | Conflict, strawberry.union("GenerateCodesResult")]


@strawberry.input
class ImportCodesInput:
    offer_id: strawberry.ID
    codes: list[str] = strawberry.field(
        description="The lines of a list with 1 to 10,000 codes; larger ones are for the command line. A line is a "
        "code, or has cells of which one is: header, comments (`# …`) and empty lines are left out."
    )
    contact_id: strawberry.ID = strawberry.field(default=strawberry.ID(""), description=_CONTACT)
    remark: str | None = None
    accept_guessable: bool | None = strawberry.field(
        default=False, description="Whether codes may be taken in of which too many of those possible are good."
    )
    column: str | None = strawberry.field(
        default=None, description="The name of the codes' column in the list's header, where it is not the first."
    )
    on_duplicate: OnDuplicate | None = OnDuplicate.REFUSE
    idempotency_key: str | None = None

    def read(self) -> ImportRequest:
        """The request with ids read; raises NotFound."""
        return ImportRequest(
            offer=decode(self.offer_id, *OFFER, path=("offerId",)),
            contact=decode(self.contact_id, "Contact", path=("contactId",)) if self.contact_id else None,
            remark=self.remark,
            accept_guessable=bool(self.accept_guessable),
            column=self.column,
            on_duplicate=self.on_duplicate or OnDuplicate.REFUSE,
        )


@strawberry.input
class ResendCodeBatchInput:
    batch_id: strawberry.ID
    destination: str | None = strawberry.field(
        default=None, description="In place of the address that the batch had, or else the contact has."
    )
    idempotency_key: str | None = None


ResendCodeBatchResult = Annotated[
    CodeBatch | InvalidInput | NotFound | Conflict, strawberry.union("ResendCodeBatchResult")
]


@strawberry.type
class BatchesMutation:
    @strawberry.mutation(
        description="Has codes made outside the request; the batch can be watched. For staff with CODES."
    )
    async def generate_codes(self, info: Info, input: GenerateCodesInput) -> GenerateCodesResult:  # noqa: A002
        context = info.context
        viewer = await context.viewer()
        key = await context.services.batches.request(viewer, input.read(), context.now, input.idempotency_key)
        return await _existing(context, key)

    @strawberry.mutation(
        description="Takes in codes that exist already, up to 10,000 a call; codes already known are reported, and "
        "nothing is taken in. For staff with CODES."
    )
    async def import_codes(self, info: Info, input: ImportCodesInput) -> GenerateCodesResult:  # noqa: A002
        context = info.context
        viewer = await context.viewer()
        key = await context.services.imports.take_in(
            viewer, input.read(), input.codes, context.now, input.idempotency_key
        )
        return await _existing(context, key)

    @strawberry.mutation(
        description="Mails the list of a batch that is DONE again; takes one that FAILED up where it stopped. For "
        "staff with CODES."
    )
    async def resend_code_batch(self, info: Info, input: ResendCodeBatchInput) -> ResendCodeBatchResult:  # noqa: A002
        context = info.context
        viewer = await context.viewer()
        batch = decode(input.batch_id, "CodeBatch", path=("batchId",))
        await context.services.batches.resend(viewer, batch, input.destination, context.now, input.idempotency_key)
        return await _existing(context, batch)


async def _existing(context: Context, key: UUID) -> CodeBatch:
    batch = await load_batch(context, key)
    if batch is None:
        raise Missing(("batch",))
    return batch
