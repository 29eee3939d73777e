"""The entrance: tickets as gates scan them."""

from typing import Annotated

import strawberry

from resolvers.baskets.orders import Ticket
from resolvers.runtime.asked_by_id import AskedById
from resolvers.runtime.context import Info
from resolvers.runtime.errors import Conflict, InvalidInput, NotFound
from resolvers.runtime.ids import Ids
from services.access.misses import OF_BARCODES
from services.baskets.entrance import Scan


@strawberry.input(
    description="At the gate of a performance, or of a product; left out, any is admitted, at any time. A gate that is "
    "named lets in its own tickets alone, and each of a performance from `entryOpensMinutes` before that starts to "
    "`entryClosesMinutes` after it did."
)
class ControlTicketInput:
    barcode: str = strawberry.field(description="As a scanner sends it: spaces, line ends and lower case mean nothing.")
    performance_id: strawberry.ID | None = strawberry.field(
        default=None, description="The performance whose gate this is."
    )
    product_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="The product whose gate this is; its tickets of any performance are let in at its time.",
    )
    idempotency_key: str | None = None


ControlTicketResult = Annotated[Ticket | InvalidInput | NotFound | Conflict, strawberry.union("ControlTicketResult")]


@strawberry.type
class EntranceMutation:
    @strawberry.mutation(
        description="Lets a ticket in, once more for each scan while it has entries left. A Conflict has `ticket`: "
        "the reason why it is not let in, and when, where and by whom it was before. For staff with CONTROL.",
        extensions=[AskedById(OF_BARCODES)],
    )
    async def control_ticket(self, info: Info, input: ControlTicketInput) -> ControlTicketResult:  # noqa: A002
        context = info.context
        viewer = await context.viewer()
        ids = Ids()
        scan = Scan(
            input.barcode,
            ids.maybe(input.performance_id, "Performance", path=("performanceId",)),
            ids.maybe(input.product_id, "Product", path=("productId",)),
        )
        ids.check()
        row = await context.services.entrance.control(viewer, scan, context.now, input.idempotency_key)
        return Ticket.of(row, await context.catalogue())
