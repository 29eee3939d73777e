"""What a data file's offers, codes and batches must be; the rules are those of offers and codes in docs/domain.md."""

from collections.abc import Iterator, Mapping
from typing import Final
from uuid import UUID

from pydantic.alias_generators import to_camel

from db.codes.codes import CodeKind
from db.contacts.contacts import ContactKind
from db.offers.limits import Limited
from db.offers.offers import WHOLE_OFFER, OfferKind
from services.catalogue.checks import check_period, check_prices
from services.catalogue.offer_details import OfferDetails
from services.codes.checks import (
    check_address,
    check_alive,
    check_free,
    check_max_uses,
    check_structure,
    check_takes_codes,
    check_written_for,
)
from services.codes.format import normalise
from services.core.errors import Path
from services.core.problems import Problems
from services.core.texts import text
from services.dataset import offer_format as form
from services.dataset.existing import Existing
from services.dataset.outline import Outline
from services.dataset.parsing import Document, Placed
from services.offers.checks import Belonging, check_belonging, check_element_limits, check_elements, check_new_target
from services.offers.states import REACHABLE
from services.pricing.facts.offers import OfferState, TargetType

_TARGET_FIELDS: Final[Mapping[TargetType, frozenset[str]]] = {
    TargetType.PUBLIC: frozenset(),
    TargetType.INDICATOR: frozenset({"indicator", "level"}),
    TargetType.CONTACTS: frozenset({"campaign"}),
    TargetType.PARTNER: frozenset({"access_code"}),
    TargetType.SINGLE_USE_CODE: frozenset({"tickets_per_code"}),
}


class OfferChecks:
    """Looks at one file's offers."""

    def __init__(self, outline: Outline, existing: Existing, problems: Problems) -> None:
        self._outline = outline
        self._existing = existing
        self._problems = problems
        details = () if existing.catalogue is None else existing.catalogue.offer_details.values()
        self._stored = {(each.kind, each.code): each for each in details}
        self._closing: frozenset[UUID] = frozenset()

    def check(self, document: Document) -> None:
        """Notes everything that is wrong with them."""
        self._closing = frozenset(self._closed_by(document))
        for advantage in document.advantages:
            stored = self._stored.get((OfferKind.ADVANTAGE, advantage.item.code))
            self._offer(advantage, stored)
            self._target(advantage, stored)
            self._belongings(advantage)
            prices = advantage.item.benefit.rates or ()
            combinations = (price.combination for price in prices)
            self._problems.refuse_each((*advantage.path, "benefit", "rates"), check_prices(combinations))
        for promotion in document.promotional_codes:
            stored = self._stored.get((OfferKind.PROMOTIONAL_CODE, promotion.item.code))
            self._offer(promotion, stored)
            self._promotion(promotion, stored)
        for batch in document.batches:
            self._batch(batch)

    def _closed_by(self, document: Document) -> Iterator[UUID]:
        """The stored offers that the file closes, whose codes are free from then on."""
        for kind, entries in (
            (OfferKind.ADVANTAGE, document.advantages),
            (OfferKind.PROMOTIONAL_CODE, document.promotional_codes),
        ):
            for entry in entries:
                stored = self._stored.get((kind, entry.item.code))
                if stored is not None and entry.item.state is OfferState.CLOSED:
                    yield stored.id

    def _offer(
        self, entry: Placed[form.AdvantageItem] | Placed[form.PromotionalCodeItem], stored: OfferDetails | None
    ) -> None:
        offer, elements = entry.item, entry.item.limits.elements
        self._problems.refuse((*entry.path, "validUntil"), check_period(offer.valid_from, offer.valid_until))
        if stored is not None and offer.state not in REACHABLE[stored.state]:
            reason = text("state_unreachable", state=offer.state, now=stored.state)
            self._problems.add((*entry.path, "state"), reason)
        path = (*entry.path, "limits", "elements")
        self._problems.refuse_each(path, (check_element_limits(limit.own) for limit in elements))
        self._problems.refuse_each(path, check_elements(limit.element for limit in elements))

    # ── Advantages ───────────────────────────────────────────────────────────────────────────────

    def _target(self, entry: Placed[form.AdvantageItem], stored: OfferDetails | None) -> None:
        """Exactly the fields that the target type asks for."""
        advantage, target = entry.item, entry.item.target
        before = None if stored is None else stored.target_type
        reason = check_new_target(before, advantage.target_type, has_codes=self._has_batches(stored))
        self._problems.refuse((*entry.path, "targetType"), reason)
        asked, given = _TARGET_FIELDS[advantage.target_type], target.model_fields_set
        for name in sorted(asked | given):
            path = (*entry.path, "target", to_camel(name))
            if name not in asked:
                self._problems.add(path, text("target_field_unused", target=advantage.target_type))
            elif getattr(target, name) is None and name != "tickets_per_code":
                self._problems.add(path, text("target_field_missing", target=advantage.target_type))
        if target.indicator is not None and target.level is not None:
            reason = self._outline.check_level(target.indicator, target.level)
            self._problems.refuse((*entry.path, "target", "level"), reason)
        if target.access_code is not None:
            path = (*entry.path, "target", "accessCode")
            if advantage.state is not OfferState.CLOSED:
                self._entered(path, target.access_code, stored, CodeKind.ACCESS, is_on=True)

    def _entered(self, path: Path, shown: str, offer: OfferDetails | None, kind: CodeKind, *, is_on: bool) -> None:
        """A code that customers enter, of an offer that is not CLOSED."""
        found = self._existing.codes.get(normalise(shown))
        key = None if offer is None else offer.id
        is_freed = found is not None and found.chosen.kind is not CodeKind.SINGLE_USE
        if not (is_freed and found and found.chosen.offer_id in self._closing):
            self._problems.refuse(path, check_free(shown, found, key, kind))
        own = self._existing.code_of(key, kind, normalise(shown))
        if own is not None and is_on:
            self._problems.refuse(path, check_alive(shown, own.chosen))

    def _belongings(self, entry: Placed[form.AdvantageItem]) -> None:
        """What an advantage names, directly or by its performances, is of products that it can apply to."""
        advantage = entry.item
        scope, own = advantage.scope, Belonging(advantage.family, advantage.season)
        lists = {
            ("scope", "products"): [("products", code) for code in scope.products],
            ("scope", "performances"): [("performances", code) for code in scope.performances],
            ("limits", "elements"): [limit.element for limit in advantage.limits.elements],
        }
        for path, elements in lists.items():
            reasons = (check_belonging(self._outline.belonging(*element), own) for element in elements)
            self._problems.refuse_each((*entry.path, *path), reasons)

    # ── Promotional codes ────────────────────────────────────────────────────────────────────────

    def _promotion(self, entry: Placed[form.PromotionalCodeItem], stored: OfferDetails | None) -> None:
        promotion = entry.item
        level = promotion.restricted_to.indicator
        if level is not None:
            reason = self._outline.check_level(level.indicator, level.level)
            self._problems.refuse((*entry.path, "restrictedTo", "indicator", "level"), reason)
        for position, custom in enumerate(promotion.custom_codes):
            path = (*entry.path, "customCodes", str(position))
            if promotion.state is not OfferState.CLOSED:
                self._entered((*path, "code"), custom.code, stored, CodeKind.CUSTOM, is_on=custom.active is True)
            found = self._existing.code_of(stored.id if stored else None, CodeKind.CUSTOM, normalise(custom.code))
            if found is not None:
                self._problems.refuse((*path, "maxUses"), check_max_uses(custom.max_uses, found.uses))

    # ── Batches ──────────────────────────────────────────────────────────────────────────────────

    def _batch(self, entry: Placed[form.BatchItem]) -> None:
        batch, path, outline = entry.item, entry.path, self._outline
        if batch.advantage is None:
            key, kind = "promotionalCode", OfferKind.PROMOTIONAL_CODE
            reason = check_takes_codes(kind, None)
        else:
            key, kind = "advantage", OfferKind.ADVANTAGE
            reason = check_takes_codes(kind, outline.target_type_of.get(batch.advantage))
        self._problems.refuse((*path, key), reason)
        self._problems.refuse((*path, "contact"), check_written_for(kind, has_contact=batch.contact is not None))
        contact = outline.house if batch.contact is None else batch.contact
        contact_kind = outline.kind_of.get(contact)
        if contact_kind is not None:
            self._problems.refuse((*path, "contact"), check_structure(ContactKind(contact_kind)))
        has_address = bool(batch.destination or outline.email_of.get(contact))
        self._problems.refuse((*path, "destination"), check_address(batch.document_type, has_address=has_address))
        made = self._existing.batches.get(batch.code)
        if made is not None and (made.offer_id, made.contact_id, made.quantity) != self._wanted(batch):
            self._problems.add(path, text("batch_made", quantity=made.quantity))

    def _has_batches(self, stored: OfferDetails | None) -> bool:
        """Whether codes were made of an offer, or taken in."""
        return stored is not None and stored.id in self._existing.generated

    def _wanted(self, batch: form.BatchItem) -> tuple[UUID | None, UUID | None, int]:
        kind = OfferKind.PROMOTIONAL_CODE if batch.advantage is None else OfferKind.ADVANTAGE
        offer = self._stored.get((kind, batch.advantage or batch.promotional_code or ""))
        contact = self._existing.contacts.get(batch.contact or self._outline.house)
        return offer.id if offer else None, contact.id if contact else None, batch.quantity


def quotas(document: Document, existing: Existing) -> Iterator[tuple[Limited, Path, int]]:
    """The quotas of offers that exist, on themselves and on elements that exist: nothing is taken of others."""
    ids = existing.ids()
    for section, entries in (
        ("advantages", document.advantages),
        ("promotionalCodes", document.promotional_codes),
    ):
        for entry in entries:
            offer, limits = ids.get(section, {}).get(entry.item.code), entry.item.limits
            if offer is None:
                continue
            path = (*entry.path, "limits")
            if limits.quota is not None:
                yield (offer, WHOLE_OFFER), (*path, "quota"), limits.quota
            for position, each in enumerate(limits.elements):
                kind, code = each.element
                element = ids.get(kind, {}).get(code)
                if element is not None and each.quota is not None:
                    yield (offer, element), (*path, "elements", str(position), "quota"), each.quota
