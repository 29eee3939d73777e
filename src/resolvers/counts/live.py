"""What is pushed: redemption counts as they move, and batches as they are made."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import strawberry

from resolvers.codes.batches import CodeBatch
from resolvers.contacts.contacts import Contact, load_contact
from resolvers.offers.offers import Offer, offer_of
from resolvers.offers.redemption_counts import RedemptionCounts
from resolvers.runtime.context import Info
from resolvers.runtime.ids import OFFER, Ids, decode


@strawberry.type(description="Counts of one offer, or one offer's share of one contact, at an instant.")
class RedemptionCountsUpdate:
    offer: Offer
    contact: Contact | None
    counts: RedemptionCounts


@strawberry.type
class Subscription:
    @strawberry.subscription(
        description="The counts at once, then again after each change, coalesced: the newest state always arrives, in "
        "order of version. For staff; partners watch what their own codes account for."
    )
    async def redemption_counts(
        self,
        info: Info,
        season_id: strawberry.ID | None = None,
        offer_id: strawberry.ID | None = None,
        contact_id: strawberry.ID | None = None,
    ) -> AsyncGenerator[RedemptionCountsUpdate, None]:
        ids = Ids()
        season = ids.maybe(season_id, "Season", path=("seasonId",))
        offer = ids.maybe(offer_id, *OFFER, path=("offerId",))
        contact = ids.maybe(contact_id, "Contact", path=("contactId",))
        ids.check()
        context = info.context
        viewer = await context.viewer()
        watch = await context.services.live_counts.watch(
            viewer, context.now, season=season, offer=offer, contact=contact
        )
        feed = context.feed
        feed.refresh = watch.refresh
        async with aclosing(watch.updates()) as updates:
            async for update in updates:
                # The credentials are asked again for each event: they may have ended meanwhile.
                context.renew(update.reading.catalogue)
                await context.viewer()
                feed.subject, feed.version, feed.reading = update.offer, update.counts.version, update.reading.number
                yield RedemptionCountsUpdate(
                    offer=offer_of(update.offer, update.reading.catalogue),
                    contact=await load_contact(context, update.holder),
                    counts=RedemptionCounts.of(update.counts),
                )

    @strawberry.subscription(description="The batch at once, then after each change until it is DONE or FAILED.")
    async def code_batch_progress(self, info: Info, batch_id: strawberry.ID) -> AsyncGenerator[CodeBatch, None]:
        key = decode(batch_id, "CodeBatch", path=("batchId",))
        context = info.context
        async with aclosing(context.services.live_counts.batch(await context.viewer(), key)) as batches:
            async for batch in batches:
                context.renew()
                yield await CodeBatch.of(batch, context)
