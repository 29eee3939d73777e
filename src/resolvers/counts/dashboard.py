"""The dashboard of codes: what became of them, by contact and offer."""

from typing import Self

import strawberry

from resolvers.contacts.contacts import Contact, load_contact
from resolvers.offers.offers import Offer, offer_of
from resolvers.offers.redemption_counts import RedemptionCounts
from resolvers.runtime.context import Context, Info
from resolvers.runtime.ids import decode
from services.core.errors import NotFound
from services.counts import dashboard as services


@strawberry.type(
    description="One contact and offer; a subtotal has no offer; without detail by contact, rows have no contact."
)
class CodeDashboardRow:
    offer: Offer | None
    counts: RedemptionCounts
    row: strawberry.Private[services.DashboardRow]

    @strawberry.field
    async def contact(self, info: Info) -> Contact | None:
        return await load_contact(info.context, self.row.contact)

    @classmethod
    async def of(cls, row: services.DashboardRow, context: Context) -> Self:
        offer = None if row.offer is None else offer_of(row.offer, await context.catalogue())
        return cls(offer=offer, counts=RedemptionCounts.of(row.counts), row=row)


@strawberry.type(description="What became of a season's codes, exact at the instant of the answer.")
class CodeDashboard:
    rows: list[CodeDashboardRow]
    subtotals: list[CodeDashboardRow]
    total: RedemptionCounts


@strawberry.type
class DashboardQuery:
    @strawberry.field(
        description="The offers of a season that codes were generated for. For staff who follow codes; partners "
        "see their own."
    )
    async def code_dashboard(self, info: Info, season_id: strawberry.ID, by_contact: bool = True) -> CodeDashboard:
        context = info.context
        season = decode(season_id, "Season", path=("seasonId",))
        if season not in (await context.catalogue()).seasons:
            raise NotFound(("seasonId",))
        found = await context.services.dashboards.of_season(await context.viewer(), season, by_contact=by_contact)
        return CodeDashboard(
            rows=[await CodeDashboardRow.of(row, context) for row in found.rows],
            subtotals=[await CodeDashboardRow.of(row, context) for row in found.subtotals],
            total=RedemptionCounts.of(found.total),
        )
