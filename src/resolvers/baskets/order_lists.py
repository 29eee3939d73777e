"""Lists of orders: for the staff by all that they know of one, for a contact their own."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final, NamedTuple
from uuid import UUID

import strawberry

from resolvers.baskets.orders import Order
from resolvers.contacts.contacts import Contact, Viewer
from resolvers.runtime.additions import add_field
from resolvers.runtime.connections import Connection, Count, InstantAndKey, Window, connection, window
from resolvers.runtime.context import Context, Info
from resolvers.runtime.ids import OFFER, Ids
from services.baskets import orders as services
from services.baskets.order_search import OrderQuestion
from services.baskets.orders import OrderState


async def _connection(
    context: Context, rows: Sequence[services.Order], page: Window[InstantAndKey], count: Count
) -> Connection[Order]:
    nodes = {row.id: await Order.of(row, context) for row in rows}
    return connection(rows, page, lambda row: nodes[row.id], lambda row: InstantAndKey(row.confirmed_at, row.id), count)


class _Page(NamedTuple):
    """A page of one contact's orders."""

    contact: UUID
    window: Window[InstantAndKey]


async def _of_contact(context: Context, contact: UUID | None, page: Window[InstantAndKey]) -> Connection[Order] | None:
    """A page of a contact's orders; None where there is no contact."""
    if contact is None:
        return None

    async def count() -> int | None:
        return await context.load(_counts, contact)

    rows = await context.load(_pages, _Page(contact, page))
    return await _connection(context, rows or (), page, count)


async def _pages(context: Context, keys: Sequence[_Page]) -> Mapping[_Page, Sequence[services.Order]]:
    viewer = await context.viewer()
    found: dict[_Page, Sequence[services.Order]] = {}
    # As a rule all ask for the same page.
    for page in dict.fromkeys(key.window for key in keys):
        contacts = [key.contact for key in keys if key.window == page]
        rows = await context.services.order_search.of_contacts(viewer, contacts, page)
        found.update({_Page(contact, page): own for contact, own in rows.items()})
    return found


async def _counts(context: Context, keys: Sequence[UUID]) -> Mapping[UUID, int | None]:
    return await context.services.order_search.count_of_contacts(await context.viewer(), keys)


First = Annotated[int | None, strawberry.argument(description="At most so many: 1 to 100, 20 where left out.")]
After = Annotated[str | None, strawberry.argument(description="Those after the edge with this cursor.")]
Last = Annotated[
    int | None, strawberry.argument(description="At most so many from the end, or from before `before`: 1 to 100.")
]
Before = Annotated[str | None, strawberry.argument(description="Those before the edge with this cursor.")]


async def _orders_of_contact(
    contact: strawberry.Parent[Contact],
    info: Info,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> Connection[Order]:
    page = window(first, after, InstantAndKey.read, last=last, before=before)
    found = await _of_contact(info.context, contact.key, page)
    assert found is not None  # noqa: S101 - there is a contact
    return found


async def _orders_of_viewer(
    info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
) -> Connection[Order] | None:
    page = window(first, after, InstantAndKey.read, last=last, before=before)
    return await _of_contact(info.context, (await info.context.viewer()).contact, page)


add_field(
    Contact,
    strawberry.field(
        _orders_of_contact, name="orders", description="Their orders, the last one first, cancelled ones among them."
    ),
)
add_field(
    Viewer,
    strawberry.field(
        _orders_of_viewer,
        name="orders",
        description="Your own, the last one first, as a contact or a partner; null for all others.",
    ),
)

_SEARCH: Final = "A part of the number, or of the contact's name or e-mail address."


@strawberry.type
class OrderListsQuery:
    @strawberry.field(
        description="The last one first. Staff find every order, contacts and partners their own. All that is asked "
        "for must hold."
    )
    async def orders(
        self,
        info: Info,
        *,
        search: Annotated[str | None, strawberry.argument(description=_SEARCH)] = None,
        number: Annotated[str | None, strawberry.argument(description="As it is printed.")] = None,
        barcode: Annotated[str | None, strawberry.argument(description="Of one of its tickets, as scanned.")] = None,
        contact_id: Annotated[strawberry.ID | None, strawberry.argument(description="Whose orders.")] = None,
        offer_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="An advantage or promotional code that they used.")
        ] = None,
        code_text: Annotated[
            str | None, strawberry.argument(description="A code that they used, in any spelling.")
        ] = None,
        from_: Annotated[
            datetime | None, strawberry.argument(name="from", description="Confirmed then or later.")
        ] = None,
        until: Annotated[datetime | None, strawberry.argument(description="Confirmed before then.")] = None,
        state: Annotated[OrderState | None, strawberry.argument(description="In this state now.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Order]:
        context = info.context
        viewer = await context.viewer()
        page = window(first, after, InstantAndKey.read, last=last, before=before)
        ids = Ids()
        asked = OrderQuestion(
            search=search,
            number=number,
            barcode=barcode,
            contact=ids.maybe(contact_id, "Contact", path=("contactId",)),
            offer=ids.maybe(offer_id, *OFFER, path=("offerId",)),
            code=code_text,
            since=from_,
            until=until,
            state=state,
        )
        ids.check()

        async def count() -> int | None:
            return await context.services.order_search.count(viewer, asked)

        rows = await context.services.order_search.page(viewer, asked, page)
        return await _connection(context, rows, page, count)
