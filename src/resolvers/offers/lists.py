"""Lists of offers, of what they are for, and of who sells them: to be searched, filtered and paged through."""

from collections.abc import Collection
from typing import Annotated
from uuid import UUID

import strawberry

from resolvers.offers.offers import (
    Advantage,
    Campaign,
    Offer,
    PromotionalCode,
    advantage_of,
    offer_of,
    promotional_code_of,
)
from resolvers.runtime.connections import Connection, connection_in_memory, window
from resolvers.runtime.context import Info
from resolvers.runtime.enums import OfferState, ProductFamily, TargetType
from resolvers.runtime.ids import Ids
from services.core.text_checks import check_search
from services.offers.search import OfferSearch

_SEARCH = "A part of the code or of a name in any language, without regard to case and accents."
_STATES = "Only offers in one of these states; none is any. Of `state` and `states`, both hold."


@strawberry.type
class OffersQuery:
    @strawberry.field(
        description="In the order in which they were made. Staff see all; others what `eligibleOffers` says is open "
        "here and now: the public ones, and those reserved for them; partners also those that they have codes of."
    )
    async def advantages(
        self,
        info: Info,
        *,
        season_id: strawberry.ID | None = None,
        state: OfferState | None = None,
        target_type: TargetType | None = None,
        search: Annotated[str | None, strawberry.argument(description=_SEARCH)] = None,
        states: Annotated[list[OfferState] | None, strawberry.argument(description=_STATES)] = None,
        family: Annotated[ProductFamily | None, strawberry.argument(description="Only those of this family.")] = None,
        campaign_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="Only those for the target of this campaign. For staff."),
        ] = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Advantage]:
        context = info.context
        page = window(first, after, UUID, last=last, before=before)
        ids = Ids()
        wanted = OfferSearch(
            part=_part(search, ids),
            states=_states(state, states),
            season=ids.maybe(season_id, "Season", path=("seasonId",)),
            target_type=target_type,
            family=family,
            campaign=ids.maybe(campaign_id, "Campaign", path=("campaignId",)),
        )
        ids.check()
        viewer = await context.viewer()
        if campaign_id is not None:
            viewer.require_role()
        catalogue, seen = await context.services.eligibility.listed(viewer, await context.catalogue(), context.now)
        keys = wanted.advantages(catalogue, seen, staff=viewer.reads_records)
        return connection_in_memory(keys, page, lambda key: advantage_of(key, catalogue), lambda key: key)

    @strawberry.field(description="In the order in which they were made. For staff.")
    async def promotional_codes(
        self,
        info: Info,
        *,
        state: OfferState | None = None,
        search: Annotated[str | None, strawberry.argument(description=_SEARCH)] = None,
        states: Annotated[list[OfferState] | None, strawberry.argument(description=_STATES)] = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[PromotionalCode]:
        (await info.context.viewer()).require_role()
        page = window(first, after, UUID, last=last, before=before)
        wanted = _search(search, state, states)
        catalogue = await info.context.catalogue()
        keys = wanted.promotional_codes(catalogue)
        return connection_in_memory(keys, page, lambda key: promotional_code_of(key, catalogue), lambda key: key)

    @strawberry.field(
        description="Advantages and promotional codes in one list, in the order in which they were made. For staff."
    )
    async def offers(
        self,
        info: Info,
        *,
        search: Annotated[str | None, strawberry.argument(description=_SEARCH)] = None,
        state: OfferState | None = None,
        states: Annotated[list[OfferState] | None, strawberry.argument(description=_STATES)] = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Offer]:
        (await info.context.viewer()).require_role()
        page = window(first, after, UUID, last=last, before=before)
        wanted = _search(search, state, states)
        catalogue = await info.context.catalogue()
        return connection_in_memory(
            wanted.offers(catalogue), page, lambda key: offer_of(key, catalogue), lambda key: key
        )

    @strawberry.field(description="In the order in which they were taken in. For staff.")
    async def campaigns(self, info: Info) -> list[Campaign]:
        (await info.context.viewer()).require_role()
        catalogue = await info.context.catalogue()
        return [Campaign.of(row, catalogue) for row in catalogue.campaigns.values()]


def _search(part: str | None, state: OfferState | None, states: Collection[OfferState] | None) -> OfferSearch:
    """What is looked for among offers of any kind. Raises InvalidInput."""
    ids = Ids()
    wanted = OfferSearch(part=_part(part, ids), states=_states(state, states))
    ids.check()
    return wanted


def _part(part: str | None, ids: Ids) -> str:
    if reason := check_search(part):
        ids.refuse(("search",), reason)
    return part or ""


def _states(state: OfferState | None, states: Collection[OfferState] | None) -> frozenset[OfferState] | None:
    """The states that are let through, None where all are."""
    if state is None:
        return frozenset(states) if states else None
    return frozenset({state}).intersection(states or {state})
