"""Configuring offers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated
from uuid import UUID

import strawberry

from resolvers.offers.inputs import (
    FORMER,
    CreateAdvantageInput,
    CreatePromotionalCodeInput,
    UpdateAdvantageInput,
    UpdatePromotionalCodeInput,
)
from resolvers.offers.offers import Advantage, Offer, PromotionalCode, advantage_of, offer_of, promotional_code_of
from resolvers.offers.part_inputs import as_is, given
from resolvers.offers.target_and_benefit import CounterProfile, Indicator
from resolvers.runtime.context import Context, Info
from resolvers.runtime.enums import OfferState
from resolvers.runtime.errors import Conflict, InputProblem, InvalidInput, NotFound, problem_of
from resolvers.runtime.ids import OFFER, Ids, decode, decode_named
from services.core.errors import NotFound as NotFoundFailure
from services.offers.copying import CopyRequest, left_out


@strawberry.input(description="Adds a chosen code to a promotional code; `maxUses` counts orders.")
class AddCustomCodeInput:
    code: str
    offer_id: strawberry.ID | None = strawberry.field(default=None, description="The promotional code.")
    promotional_code_id: strawberry.ID = strawberry.field(
        default=strawberry.ID(""), description="The same as `offerId`.", deprecation_reason=FORMER
    )
    max_uses: int | None = None
    idempotency_key: str | None = None


@strawberry.input(
    description="Switches a chosen code off or on, or changes how many orders may use it (never below what has; null "
    "is any number)."
)
class UpdateCustomCodeInput:
    code: str
    offer_id: strawberry.ID | None = strawberry.field(default=None, description="The promotional code.")
    promotional_code_id: strawberry.ID = strawberry.field(
        default=strawberry.ID(""), description="The same as `offerId`.", deprecation_reason=FORMER
    )
    active: bool | None = None
    max_uses: int | None = strawberry.UNSET
    idempotency_key: str | None = None


@strawberry.input
class ChangeOfferStateInput:
    offer_id: strawberry.ID
    state: OfferState
    expected_version: int | None = None
    idempotency_key: str | None = None


@strawberry.type(description="The offer in its new state; the copy, where one was made.")
class OfferStateChanged:
    offer: Offer
    left_out: list[InputProblem] = strawberry.field(
        description="What a copy does not have of its original, at the fields of `update…` that would give it; empty "
        "for other changes."
    )


@strawberry.input(
    description="The same offer once more, as a draft: its own code, and another season where asked for. Codes to "
    "enter are not copied."
)
class CopyOfferInput:
    offer_id: strawberry.ID = strawberry.field(description="The original, in any state.")
    code: str = strawberry.field(description="What staff will know the copy by, as of a new offer.")
    season_id: strawberry.ID | None = strawberry.field(
        default=None, description="Of an advantage, the season that the copy is for; its own where left out."
    )
    idempotency_key: str | None = None

    def read(self) -> CopyRequest:
        """The request with ids read; raises NotFound for the offer, WrongId for the season."""
        ids = Ids()
        offer = decode(self.offer_id, *OFFER, path=("offerId",))
        season = ids.maybe(self.season_id, "Season", path=("seasonId",))
        ids.check()
        return CopyRequest(offer, self.code, season)


SaveAdvantageResult = Annotated[Advantage | InvalidInput | NotFound | Conflict, strawberry.union("SaveAdvantageResult")]
SavePromotionalCodeResult = Annotated[
    PromotionalCode | InvalidInput | NotFound | Conflict, strawberry.union("SavePromotionalCodeResult")
]
AddCustomCodeResult = Annotated[
    PromotionalCode | InvalidInput | NotFound | Conflict, strawberry.union("AddCustomCodeResult")
]
UpdateCustomCodeResult = Annotated[
    PromotionalCode | InvalidInput | NotFound | Conflict, strawberry.union("UpdateCustomCodeResult")
]
ChangeOfferStateResult = Annotated[
    OfferStateChanged | InvalidInput | NotFound | Conflict, strawberry.union("ChangeOfferStateResult")
]

CopyOfferResult = Annotated[OfferStateChanged | InvalidInput | NotFound | Conflict, strawberry.union("CopyOfferResult")]


@strawberry.type
class ConfigurationQuery:
    @strawberry.field(description="What contacts are targeted by. For staff.")
    async def indicators(self, info: Info) -> list[Indicator]:
        (await info.context.viewer()).require_role()
        return [Indicator.of(row) for row in (await info.context.catalogue()).indicators.values()]

    @strawberry.field(
        description="The profiles that staff at counters have, whom promotional codes may be restricted to. A token "
        "names one by its code. For staff."
    )
    async def counter_profiles(self, info: Info) -> list[CounterProfile]:
        (await info.context.viewer()).require_role()
        return [CounterProfile.of(row) for row in (await info.context.catalogue()).counter_profiles.values()]


@strawberry.type
class ConfigurationMutation:
    @strawberry.mutation(description="Makes an advantage, a DRAFT. For staff with CATALOGUE.")
    async def create_advantage(self, info: Info, input: CreateAdvantageInput) -> SaveAdvantageResult:  # noqa: A002
        context = info.context
        key = await context.services.configuration.create_advantage(
            await context.viewer(), input.read(), context.now, input.idempotency_key
        )
        return await _advantage(context, key)

    @strawberry.mutation(
        description="Changes an advantage. While it runs, its scope, target, benefit and sale end stay as they are: "
        "suspend it to change them. Closed, it stays as it is. For staff with CATALOGUE."
    )
    async def update_advantage(self, info: Info, input: UpdateAdvantageInput) -> SaveAdvantageResult:  # noqa: A002
        context = info.context
        with _named(input.offer_id, "id"):
            key = await context.services.configuration.update_advantage(
                await context.viewer(),
                decode_named(input.offer_id, ("id", input.id), "Advantage", path=("offerId",)),
                input.read(),
                context.now,
                expected_version=input.expected_version,
                key=input.idempotency_key,
            )
        return await _advantage(context, key)

    @strawberry.mutation(
        description="Makes a promotional code, a DRAFT without codes to enter. For staff with CATALOGUE."
    )
    async def create_promotional_code(
        self,
        info: Info,
        input: CreatePromotionalCodeInput,  # noqa: A002
    ) -> SavePromotionalCodeResult:
        context = info.context
        key = await context.services.configuration.create_promotional_code(
            await context.viewer(), input.read(), context.now, input.idempotency_key
        )
        return await _promotional_code(context, key)

    @strawberry.mutation(
        description="Changes a promotional code. While it runs, its scope, benefit, minimum basket, restriction and "
        "whether it combines stay as they are: suspend it to change them. Closed, it stays as it is. For staff with "
        "CATALOGUE."
    )
    async def update_promotional_code(
        self,
        info: Info,
        input: UpdatePromotionalCodeInput,  # noqa: A002
    ) -> SavePromotionalCodeResult:
        context = info.context
        with _named(input.offer_id, "id"):
            key = await context.services.configuration.update_promotional_code(
                await context.viewer(),
                decode_named(input.offer_id, ("id", input.id), "PromotionalCode", path=("offerId",)),
                input.read(),
                context.now,
                expected_version=input.expected_version,
                key=input.idempotency_key,
            )
        return await _promotional_code(context, key)

    @strawberry.mutation(
        description="Adds a code that customers may enter at once, if the promotional code runs. For staff with "
        "CATALOGUE."
    )
    async def add_custom_code(self, info: Info, input: AddCustomCodeInput) -> AddCustomCodeResult:  # noqa: A002
        context = info.context
        with _named(input.offer_id, "promotionalCodeId"):
            key = await context.services.custom_codes.add(
                await context.viewer(),
                _promotion_key(input),
                input.code,
                input.max_uses,
                context.now,
                input.idempotency_key,
            )
        return await _promotional_code(context, key)

    @strawberry.mutation(
        description="Changes a chosen code. Baskets that use it already keep their price until they expire. For staff "
        "with CATALOGUE."
    )
    async def update_custom_code(self, info: Info, input: UpdateCustomCodeInput) -> UpdateCustomCodeResult:  # noqa: A002
        context = info.context
        with _named(input.offer_id, "promotionalCodeId"):
            key = await context.services.custom_codes.update(
                await context.viewer(),
                _promotion_key(input),
                input.code,
                context.now,
                active=input.active,
                max_uses=given(input.max_uses, as_is),
                key=input.idempotency_key,
            )
        return await _promotional_code(context, key)

    @strawberry.mutation(
        description="DRAFT → VALIDATED → RUNNING ⇄ SUSPENDED → CLOSED; what never ran is discarded: DRAFT or "
        "VALIDATED → CLOSED. The chosen codes of a CLOSED offer are free for another one. To VALIDATED and to RUNNING, "
        "InvalidInput lists everything that is missing, at the field of the update that would mend it. For staff with "
        "CATALOGUE."
    )
    async def change_offer_state(self, info: Info, input: ChangeOfferStateInput) -> ChangeOfferStateResult:  # noqa: A002
        context = info.context
        key = await context.services.configuration.change_state(
            await context.viewer(),
            decode(input.offer_id, *OFFER, path=("offerId",)),
            input.state,
            context.now,
            expected_version=input.expected_version,
            key=input.idempotency_key,
        )
        return OfferStateChanged(offer=await _offer(context, key), left_out=[])

    @strawberry.mutation(
        description="Makes a copy of an offer, a DRAFT. What an advantage names of the original's season stays out of "
        "a copy for another one: its scope or limits are then to be given anew before it is validated. For staff with "
        "CATALOGUE."
    )
    async def copy_offer(self, info: Info, input: CopyOfferInput) -> CopyOfferResult:  # noqa: A002
        context, request = info.context, input.read()
        key = await context.services.configuration.copy(
            await context.viewer(), request, context.now, input.idempotency_key
        )
        offer = await _offer(context, key)
        original = offer.catalogue.offer_details[request.offer]
        missing = [problem_of(each, context.language) for each in left_out(original, request.season, offer.catalogue)]
        return OfferStateChanged(offer=offer, left_out=missing)


def _promotion_key(given_input: AddCustomCodeInput | UpdateCustomCodeInput) -> UUID:
    former = ("promotionalCodeId", given_input.promotional_code_id)
    return decode_named(given_input.offer_id, former, "PromotionalCode", path=("offerId",))


@contextmanager
def _named(offer_id: str | None, former: str) -> Iterator[None]:
    """Has an offer that is not there named as the client named it."""
    try:
        yield
    except NotFoundFailure as failure:
        if offer_id is not None and failure.path == (former,):
            failure.path = ("offerId",)
        raise


async def _offer(context: Context, key: UUID) -> Advantage | PromotionalCode:
    """The offer as it is now; what the operation has loaded before is from before the change."""
    context.renew()
    return offer_of(key, await context.catalogue())


async def _advantage(context: Context, key: UUID) -> Advantage:
    context.renew()
    return advantage_of(key, await context.catalogue())


async def _promotional_code(context: Context, key: UUID) -> PromotionalCode:
    context.renew()
    return promotional_code_of(key, await context.catalogue())
