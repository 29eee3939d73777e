"""Writes the rows of a data file that has no problems, in the transaction that looked for them."""

from collections.abc import Iterator, Sequence
from typing import TypeVar
from uuid import UUID

from db.catalogue.catalogue import (
    AudienceSubCategory,
    Campaign,
    CounterProfile,
    DeliveryMode,
    Indicator,
    Organisation,
    Performance,
    PointOfSale,
    ProductRow,
    Rates,
    SalesChannelRow,
    Season,
    SeatCategory,
)
from db.codes import chosen_codes as db_codes
from db.codes.batches import NewBatch
from db.contacts import contacts as db_contacts
from db.core.ids import next_id
from db.dataset import dataset as db
from db.dataset.dataset import ContactRow
from db.offers import limits as db_limits
from db.offers import offers as db_offers
from db.offers.offers import LimitRow
from services.catalogue.offer_details import OfferDetails
from services.catalogue.offer_rows import to_limit_rows, to_row
from services.codes.batches import place
from services.core.mail import plain_address
from services.core.transactions import Overtaken, Transaction
from services.dataset.chosen_codes import LOADER, chosen_codes, first_limited
from services.dataset.existing import Existing, Keys
from services.dataset.fields import Item
from services.dataset.offer_rows import OfferRows, rate_table
from services.dataset.parsing import Document, Placed
from services.pricing.facts.tickets import FAMILIES_WITH_PERFORMANCES

T = TypeVar("T", bound=Item)


class Writer:
    """Writes the rows of one data file."""

    def __init__(self, transaction: Transaction, document: Document, existing: Existing, ids: Keys) -> None:
        self._transaction = transaction
        self._connection = transaction.connection
        self._document = document
        self._existing = existing
        self._ids = ids

    async def write(self, organisation: Organisation) -> dict[str, UUID]:
        """Writes everything; the batches that were made, by code.

        Raises Overtaken where somebody took of a limit what the file would have it lowered to, since the look.
        """
        for rows in (*self._catalogue(), *self._products(), self._contacts(), self._campaigns()):
            await db.save(self._connection, organisation.id, rows)
        await db.set_rates(self._connection, organisation.id, self._changed_rates())
        await self._write_targeting(organisation.id)
        offers = OfferRows(self._document, self._existing, self._ids)
        new, changed = offers.offers()
        await db_offers.save(self._connection, organisation.id, [to_row(each) for each in (*new, *changed)])
        await self._write_codes(organisation.id)
        made = await self._write_batches(organisation.id)
        await db.save_organisation(self._connection, organisation)
        await db_limits.add(self._connection, organisation.id, _limit_rows(new))
        relimited = offers.relimited(changed)
        if relimited and await db_limits.replace(
            self._connection, organisation.id, [each.id for each in relimited], _limit_rows(relimited)
        ):
            raise Overtaken
        return made

    # ── Catalogue ────────────────────────────────────────────────────────────────────────────────

    def _catalogue(self) -> Iterator[Sequence[db.Row]]:
        document, ids = self._document, self._ids
        yield [
            Season(ids("seasons", each.code), each.code, each.name.by_language(), each.starts_on, each.ends_on)
            for each in items(document.seasons)
        ]
        yield [
            SeatCategory(ids("seatCategories", each.code), each.code, each.name.by_language())
            for each in items(document.seat_categories)
        ]
        yield [
            AudienceSubCategory(ids("audienceSubCategories", each.code), each.code, each.name.by_language())
            for each in items(document.audience_sub_categories)
        ]
        yield [
            SalesChannelRow(
                ids("salesChannels", each.code), each.code, each.name.by_language(), each.kind, each.processing_fee
            )
            for each in items(document.sales_channels)
        ]
        yield [
            PointOfSale(
                ids("pointsOfSale", each.code),
                each.code,
                each.name.by_language(),
                ids("salesChannels", channel.code),
                each.url,
            )
            for channel in items(document.sales_channels)
            for each in channel.points_of_sale
        ]
        yield [
            DeliveryMode(ids("deliveryModes", each.code), each.code, each.name.by_language(), each.fee)
            for each in items(document.delivery_modes)
        ]
        yield [
            Indicator(ids("indicators", each.code), each.code, each.name.by_language(), each.levels)
            for each in items(document.indicators)
        ]
        yield [
            CounterProfile(ids("counterProfiles", each.code), each.code, each.name.by_language())
            for each in items(document.counter_profiles)
        ]

    def _products(self) -> Iterator[Sequence[db.Row]]:
        ids = self._ids
        yield [
            ProductRow(
                ids("products", each.code),
                each.code,
                each.name.by_language(),
                ids("seasons", each.season),
                each.family,
                each.entries_allowed,
            )
            for each in items(self._document.products)
        ]
        yield [
            Performance(
                ids("performances", each.code),
                each.code,
                ids("products", product.code),
                each.starts_at,
                each.venue,
                each.sale_ends_at,
            )
            for product in items(self._document.products)
            for each in product.performances
        ]

    def _changed_rates(self) -> dict[tuple[UUID, UUID | None], Rates]:
        """The rate tables of the file that are not as they are already, order included."""
        stored = {} if self._existing.catalogue is None else self._existing.catalogue.rates
        tables: dict[tuple[UUID, UUID | None], Rates] = {}
        for product in items(self._document.products):
            key = self._ids("products", product.code)
            if product.family not in FAMILIES_WITH_PERFORMANCES:
                tables[key, None] = rate_table(product.prices, self._ids)
            for performance in product.performances:
                tables[key, self._ids("performances", performance.code)] = rate_table(performance.prices, self._ids)
        return {
            (product_id, performance_id): rates
            for (product_id, performance_id), rates in tables.items()
            if list(rates.items()) != list(stored.get(performance_id or product_id, {}).items())
        }

    # ── Contacts ─────────────────────────────────────────────────────────────────────────────────

    def _contacts(self) -> list[ContactRow]:
        return [
            ContactRow(
                id=self._ids("contacts", each.code),
                code=each.code,
                kind=each.kind,
                name=each.name,
                email=each.email,
                balance=each.balance,
                newsletter=each.newsletter,
                has_ordered=each.has_ordered,
            )
            for each in items(self._document.contacts)
        ]

    def _campaigns(self) -> list[Campaign]:
        return [
            Campaign(
                self._ids("campaigns", each.code),
                each.code,
                each.name.by_language(),
                each.starts_on,
                each.ends_on,
            )
            for each in items(self._document.campaigns)
        ]

    async def _write_targeting(self, organisation_id: UUID) -> None:
        """What targets contacts: that they have ordered, their levels, the campaigns that they are in."""
        ids, contacts = self._ids, list(items(self._document.contacts))
        ordered = [ids("contacts", each.code) for each in contacts if each.has_ordered]
        levels = [
            (ids("contacts", each.code), ids("indicators", indicator), level)
            for each in contacts
            for indicator, level in each.indicators.items()
        ]
        targets = {
            ids("campaigns", campaign.code): [ids("contacts", code) for code in campaign.contacts]
            for campaign in items(self._document.campaigns)
        }
        await db.mark_ordered(self._connection, organisation_id, ordered)
        await db.set_levels(self._connection, organisation_id, levels)
        await db.set_targets(self._connection, organisation_id, targets)

    # ── Codes ────────────────────────────────────────────────────────────────────────────────────

    async def _write_codes(self, organisation_id: UUID) -> None:
        codes = chosen_codes(self._document, self._existing, self._ids, self._transaction.now)
        for code in first_limited(codes, self._existing):
            await db_codes.count_uses(self._connection, organisation_id, code.id)
            stored = await db_codes.lock(self._connection, organisation_id, code.id)
            if code.max_uses is not None and stored.uses > code.max_uses:
                raise Overtaken
        known = {each.chosen.id for each in self._existing.codes.values()}
        await db_codes.give_up(self._connection, organisation_id, [each.code for each in codes if each.id not in known])
        await db_codes.save(self._connection, organisation_id, codes)

    # ── Batches ──────────────────────────────────────────────────────────────────────────────────

    async def _write_batches(self, organisation_id: UUID) -> dict[str, UUID]:
        """Has codes made for the batches that are new, by the workers, once this is committed."""
        emails = {code: contact.email for code, contact in self._existing.contacts.items()}
        emails |= {each.code: each.email for each in items(self._document.contacts)}
        house = "" if self._document.organisation is None else self._document.organisation.code
        made = {}
        for batch in items(self._document.batches):
            if batch.code in self._existing.batches:
                continue
            section = "promotionalCodes" if batch.advantage is None else "advantages"
            address = batch.destination or emails.get(batch.contact or house)
            made[batch.code] = next_id()
            order = NewBatch(
                offer=self._ids(section, batch.advantage or batch.promotional_code or ""),
                contact=self._ids("contacts", batch.contact)
                if batch.contact
                else await db_contacts.house(self._connection, organisation_id),
                quantity=batch.quantity,
                destination=address and plain_address(address),
                document_type=batch.document_type,
                language=batch.language,
                remark=batch.remark,
                code=batch.code,
            )
            await place(self._transaction, made[batch.code], order, LOADER)
        return made


def _limit_rows(offers: Sequence[OfferDetails]) -> list[LimitRow]:
    return [row for each in offers for row in to_limit_rows(each.offer)]


def items(entries: Sequence[Placed[T]]) -> Iterator[T]:
    """The objects of a section of a data file."""
    return (entry.item for entry in entries)
