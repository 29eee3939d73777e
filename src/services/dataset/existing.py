"""What the database holds of the organisation that a data file is about."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db.catalogue import catalogue as db_catalogue
from db.codes import batches as db_batches
from db.codes import chosen_codes as db_codes
from db.codes.chosen_codes import StoredCode
from db.codes.codes import CodeKind
from db.contacts.contacts import Contact
from db.core.ids import next_id
from db.dataset import dataset as db
from db.dataset.dataset import StoredBatch
from db.offers import offers as db_offers
from db.offers.offers import OfferKind
from services.catalogue.snapshot import Catalogue, build
from services.codes.format import normalise
from services.core.text_checks import is_readable
from services.dataset.parsing import codes_in, strings_at

_CONTACTS: Final = (
    ("contacts", "*", "code"),
    ("campaigns", "*", "contacts", "*"),
    ("promotionalCodes", "*", "restrictedTo", "contacts", "*"),
    ("batches", "*", "contact"),
)


class _Thing(Protocol):
    @property
    def id(self) -> UUID: ...
    @property
    def code(self) -> str: ...


@dataclass(frozen=True)
class Existing:
    """The catalogue, and those of the contacts, codes and batches that the file names; nothing of a new organisation.

    Codes to enter are by their normalised text, all else by the code of the file. ``generated`` are the offers that
    codes were made of.
    """

    catalogue: Catalogue | None = None
    contacts: Mapping[str, Contact] = field(default_factory=dict)
    codes: Mapping[str, StoredCode] = field(default_factory=dict)
    batches: Mapping[str, StoredBatch] = field(default_factory=dict)
    generated: frozenset[UUID] = frozenset()

    def code_of(self, offer: UUID | None, kind: CodeKind, text: str) -> StoredCode | None:
        """The offer's own code with this text, also where another offer has taken it over."""
        for stored in self._of_offers.get((offer, text), ()):
            if stored.chosen.kind is kind:
                return stored
        return None

    @cached_property
    def _of_offers(self) -> dict[tuple[UUID | None, str], list[StoredCode]]:
        found: dict[tuple[UUID | None, str], list[StoredCode]] = {}
        for stored in self.codes.values():
            found.setdefault((stored.chosen.offer_id, stored.chosen.text), []).append(stored)
        return found

    def ids(self) -> dict[str, dict[str, UUID]]:
        """The keys of everything here by section of the file and code."""
        things: dict[str, Sequence[_Thing]] = {"contacts": list(self.contacts.values())}
        if self.catalogue is not None:
            offers = self.catalogue.offer_details.values()
            things |= {
                "seasons": list(self.catalogue.seasons.values()),
                "seatCategories": list(self.catalogue.seat_categories.values()),
                "audienceSubCategories": list(self.catalogue.audience_sub_categories.values()),
                "salesChannels": list(self.catalogue.sales_channels.values()),
                "pointsOfSale": list(self.catalogue.points_of_sale.values()),
                "deliveryModes": list(self.catalogue.delivery_modes.values()),
                "indicators": list(self.catalogue.indicators.values()),
                "counterProfiles": list(self.catalogue.counter_profiles.values()),
                "campaigns": list(self.catalogue.campaigns.values()),
                "products": list(self.catalogue.products.values()),
                "performances": list(self.catalogue.performances.values()),
                "advantages": [offer for offer in offers if offer.kind is OfferKind.ADVANTAGE],
                "promotionalCodes": [offer for offer in offers if offer.kind is OfferKind.PROMOTIONAL_CODE],
            }
        return {section: {thing.code: thing.id for thing in each} for section, each in things.items()}


class Keys:
    """The key of each thing that exists or that the file makes, by section and code."""

    def __init__(self, document: object, existing: Existing) -> None:
        self._ids = existing.ids()
        for section, codes in codes_in(document).items():
            known = self._ids.setdefault(section, {})
            known.update((code, next_id()) for code in codes if code not in known)

    def __call__(self, section: str, code: str) -> UUID:
        return self._ids[section][code]

    def codes(self) -> dict[str, set[str]]:
        """What references to each section may name."""
        return {section: set(ids) for section, ids in self._ids.items()}


async def look(connection: AsyncConnection, organisation_id: UUID, document: object) -> Existing:
    """What there is of an organisation, and of the contacts, codes and batches that ``document`` names.

    Offers stay as they are found until the transaction ends, and get no codes meanwhile.
    """
    await db_offers.lock_all(connection, organisation_id)
    rows = await db_catalogue.read(connection, organisation_id)
    if rows is None:
        return Existing()

    def sound(texts: Iterable[str]) -> list[str]:
        return [each for each in texts if is_readable(each)]

    catalogue = build(rows, *await db_offers.read(connection, organisation_id))
    contacts = {code for pattern in _CONTACTS for _, code in strings_at(document, *pattern)}
    contacts.add(rows.organisation.code)
    batches = [code for _, code in strings_at(document, "batches", "*", "code")]
    return Existing(
        catalogue=catalogue,
        contacts=await db.contacts_by_code(connection, organisation_id, sound(contacts)),
        codes=await _chosen_codes(connection, catalogue, document),
        batches=await db.batches_by_code(connection, organisation_id, sound(batches)),
        generated=await db_batches.offers_with_batches(connection, organisation_id),
    )


async def _chosen_codes(connection: AsyncConnection, catalogue: Catalogue, document: object) -> dict[str, StoredCode]:
    """The codes to enter that ``document`` names, and those that the offers in it have already."""
    custom = strings_at(document, "promotionalCodes", "*", "customCodes", "*", "code")
    access = strings_at(document, "advantages", "*", "target", "accessCode")
    texts = {normalise(code) for _, code in (*custom, *access) if is_readable(normalise(code))}
    named = {
        OfferKind.ADVANTAGE: {code for _, code in strings_at(document, "advantages", "*", "code")},
        OfferKind.PROMOTIONAL_CODE: {
            code
            for pattern in (("promotionalCodes", "*", "code"), ("batches", "*", "promotionalCode"))
            for _, code in strings_at(document, *pattern)
        },
    }
    offers = [offer.id for offer in catalogue.offer_details.values() if offer.code in named[offer.kind]]
    organisation_id = catalogue.organisation.id
    found = {each.chosen.code: each for each in await db_codes.with_text(connection, organisation_id, texts)}
    own = await db_codes.access_codes(connection, organisation_id, offers)
    # Last, for their uses are known without a maximum too.
    own += await db_codes.custom_codes(connection, organisation_id, offers)
    for each in own:
        known = found.get(each.chosen.code)
        found[each.chosen.code] = replace(each, is_free=known.is_free) if known else each
    return found
