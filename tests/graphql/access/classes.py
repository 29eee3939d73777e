"""Every field that the schema has, by whom it is for; and documents that ask for the guarded ones by all ways."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeAlias

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_required_argument,
)
from resolvers.runtime.document_limits import MOST_DEPTH
from resolvers.schema import schema

SCHEMA: GraphQLSchema = schema._schema

OPEN = {
    "Advantage": "id code state validFrom validUntil quota picture version returnsCodes cancellationPolicy internalName "
    "publicName publicNames description descriptions terms termsByLanguage remaining channels everyChannel pointsOfSale deliveryModes scope limits family targetType season target benefit saleEnd",
    "AdvantageCodeApplied": "basket offer",
    "AmountOff": "amount",
    "AmountOffPerTicket": "amount",
    "AudienceSubCategory": "id name code",
    "BasketCode": "code offer applied discount refusals",
    "BasketPricing": "lines codes subtotal advantageDiscount promotionDiscount processingFee deliveryFee total balanceUsed "
    "amountDue",
    "CodeRefused": "message code retryAfter refusals",
    "CodesInvalidated": "invalidated held used alreadyInvalidated unknown dryRun",
    "Conflict": "message code retryAfter total currentVersion state ticket",
    "DeliveryMode": "id name code fee",
    "ElementLimit": "quota perOrder perContact element",
    "FixedPrice": "price",
    "InputProblem": "path message code rule",
    "InvalidInput": "message code retryAfter problems problemCount",
    "LocalizedText": "fr en de es it",
    "Money": "amount currency",
    "NotFound": "message code retryAfter path",
    "OfferEligibility": "offer eligible refusals",
    "OfferLimits": "quota perOrder perContact elements",
    "OfferStateChanged": "offer leftOut",
    "Organisation": "code name currency timeZone languages basketMinutes basketMaximumMinutes entryOpensMinutes "
    "entryClosesMinutes returnsFees",
    "PageInfo": "hasNextPage hasPreviousPage startCursor endCursor",
    "PercentOff": "percent",
    "Performance": "id code startsAt saleEndsAt venue product prices",
    "PointOfSale": "id name code url channel",
    "PricedLine": "seatCategory audienceSubCategory product performance quantity total tickets",
    "PricedTicket": "fullPrice advantage advantagePrice promotionShare price",
    "Product": "id name code family season performances prices entriesAllowed",
    "PromotionalCode": "id code state validFrom validUntil quota picture version returnsCodes cancellationPolicy internalName "
    "publicName publicNames description descriptions terms termsByLanguage saleEnd remaining channels everyChannel pointsOfSale deliveryModes scope limits minimumBasket combinable benefit",
    "PublicTarget": "public",
    "RatePrice": "seatCategory audienceSubCategory price",
    "RateSubTable": "prices",
    "Refusal": "code required actual requiredValue actualValue retryAfter basketId message",
    "RefusalValue": "money number instant text",
    "SaleEnd": "toleranceMinutes",
    "SalesChannel": "id name code kind processingFee pointsOfSale",
    "Scope": "products performances seatCategories audienceSubCategories",
    "Season": "id name code startsOn endsOn",
    "SeatCategory": "id name code",
    "SingleUseTarget": "ticketsPerCode",
    "Viewer": "audience organisation contact pointOfSale roles orders",
}
"""What everybody may read who comes to it."""

RECORDS = {
    "Advantage": "internalNames counts unfinished",
    "AuditEntry": "actor action subjectId details createdAt actorName subjectName subjectType facts",
    "AuditFact": "name before after",
    "Basket": "id state expiresAt pricing contact order pointOfSale deliveryMode useBalance advantageIds",
    "Campaign": "id name code startsAt endsAt contacts contactCount offers",
    "Cancellation": "cancelledAt cancelledBy reason policy givenBack forTickets forFees toBalance toPayment",
    "CancellationPreview": "order policy tickets staying remaining givenBack forTickets forFees toBalance toPayment "
    "codesReturned",
    "CampaignTarget": "campaign",
    "Contact": "id code kind name email balance hasAdvantages indicators newsletter hasOrdered orders",
    "ContactIndicator": "indicator level name",
    "CounterProfile": "code name",
    "CustomCode": "code status active maxUses uses",
    "ElementLimit": "taken remaining",
    "Indicator": "code levels name",
    "IndicatorLevel": "indicator level",
    "IndicatorTarget": "indicator level",
    "OfferLimits": "taken remaining",
    "Order": "id number state confirmedAt pricing contact tickets pointOfSale deliveryMode useBalance advantageIds "
    "paymentReference cancelledAt cancelledBy cancellationReason remaining cancellations",
    "PartnerTarget": "accessCode",
    "PromotionRestriction": "indicator hasOrdered newsletter counterProfiles profiles contacts",
    "PromotionalCode": "internalNames counts unfinished restrictedTo customCodes",
    "RedemptionCounts": "generated available held used invalidated ticketsHeld ticketsSold ticketsControlled version",
    "RedemptionCountsUpdate": "offer contact counts",
    "Ticket": "order contact",
    "TicketToCancel": "ticket givenBack",
    "TicketToKeep": "ticket price",
}
"""What staff read to whom the records are open; others their own, and of a sale without a contact whoever knows its id."""

FOLLOWED = {
    "AdvantageCode": "id code status offer usedAt invalidatedAt invalidatedBy invalidationReason batch usedBy order "
    "ticketsControlled kind uses usesHeld maxUses",
    "CodeBatch": "id state offer quantity generated destination sentAt createdAt createdBy documentType language remark error "
    "csvUrl xlsxUrl skipped contact",
    "CodeEvent": "at kind by reason releaseReason destination order contact ticket offer",
    "CodeLife": "code codes uses events",
    "CodeUse": "id code offer order contact tickets discount heldAt usedAt releasedAt releasedBy releaseReason "
    "ticketsControlled",
    "CodeDashboard": "rows subtotals total",
    "CodeDashboardRow": "offer counts contact",
}
"""What staff read who follow codes, and partners of what is theirs."""

TICKETS = {
    "RefusedTicket": "ticketId reason productId product performanceId startsAt entryOpensAt entryClosesAt entries "
    "entriesAllowed controlledAt controlledBy controlledAtPointOfSaleId controlledAtPointOfSale cancelledAt",
    "Ticket": "id barcode fullPrice price givenBack advantage product performance seatCategory audienceSubCategory "
    "controlledAt entries entriesAllowed cancelledAt",
}
"""What staff read who control tickets too."""

_Way: TypeAlias = tuple[tuple[str, str], ...]
_Tree: TypeAlias = dict[tuple[str, str], "_Tree"]

ROOTS = ("Query", "Mutation", "Subscription")


def fields(*classes: dict[str, str]) -> frozenset[str]:
    """As ``Type.field``."""
    return frozenset(f"{kind}.{name}" for one in classes for kind, names in one.items() for name in names.split())


def of_schema() -> frozenset[str]:
    """All fields of its object types but those of roots and connections, which are what they lead to."""
    return frozenset(
        f"{kind.name}.{name}"
        for kind in SCHEMA.type_map.values()
        if isinstance(kind, GraphQLObjectType) and not _leads_on(kind)
        for name in kind.fields
    )


MOST_WAYS = 5
"""To one type in one document."""


def ways_to(wanted: Iterable[str], root: GraphQLField, arguments: str, closed: Iterable[str] = ()) -> Iterator[str]:
    """A field of a root with its arguments, and what leads from it to the wanted fields: one document a type of theirs.

    A type is come to by each field that has it, once. Each field has an alias that says what it is, so that the answer
    shows by itself what was read. ``closed`` are fields that are no way on: where one that is never null is refused, so
    is all that leads to it.
    """
    by_type: dict[str, list[str]] = {}
    for each in wanted:
        kind, _, name = each.partition(".")
        by_type.setdefault(kind, []).append(name)
    ways = _shortest_ways(root)
    for kind, names in sorted(by_type.items()):
        open_ways = (
            way
            for way in _ways_into(kind, root, ways)
            # The root's field before it; the wanted field and its __typename after it. Nobody goes deeper.
            if len(way) + 3 <= MOST_DEPTH and not any(".".join(step) in closed for step in way)
        )
        # As many together as a document may have words.
        while few := list(islice(open_ways, MOST_WAYS)):
            tree: _Tree = {}
            for way in few:
                for name in names:
                    _add(tree, (*way, (kind, name)))
            yield f"{arguments} {{ __typename {_selection(tree)} }}"


def read_in(answer: object) -> Iterator[str]:
    """The fields that an answer to such a document has a value of."""
    if isinstance(answer, list):
        for item in answer:
            yield from read_in(item)
    elif isinstance(answer, dict):
        for alias, value in answer.items():
            if "__" in alias.strip("_") and value not in (None, []):
                yield alias.replace("__", ".")
            yield from read_in(value)


def _leads_on(kind: GraphQLObjectType) -> bool:
    return kind.name in ROOTS or kind.name.startswith("__") or kind.name.endswith(("Connection", "Edge"))


def _shortest_ways(root: GraphQLField) -> dict[str, _Way]:
    """From what a root's field gives to every type below it."""
    ways: dict[str, _Way] = {kind.name: () for kind in _objects(root.type)}
    waiting = list(ways)
    for kind in waiting:
        for name, field in _fields(kind):
            for below in _objects(field.type):
                if below.name not in ways:
                    ways[below.name] = (*ways[kind], (kind, name))
                    waiting.append(below.name)
    return ways


def _ways_into(kind: str, root: GraphQLField, ways: dict[str, _Way]) -> Iterator[_Way]:
    """To a type by each field that gives it."""
    if kind in {each.name for each in _objects(root.type)}:
        yield ()
    for above, way in ways.items():
        for name, field in _fields(above):
            if kind in {each.name for each in _objects(field.type)}:
                yield (*way, (above, name))


def _objects(kind: GraphQLOutputType) -> list[GraphQLObjectType]:
    """What a field of this type may give an object of."""
    named = get_named_type(kind)
    if isinstance(named, GraphQLInterfaceType | GraphQLUnionType):
        return list(SCHEMA.get_possible_types(named))
    return [named] if isinstance(named, GraphQLObjectType) else []


def _fields(kind: str) -> Iterator[tuple[str, GraphQLField]]:
    found = SCHEMA.type_map[kind]
    assert isinstance(found, GraphQLObjectType)
    for name, field in found.fields.items():
        if not any(map(is_required_argument, field.args.values())):
            yield name, field


def _add(tree: _Tree, way: _Way) -> None:
    for step in way:
        tree = tree.setdefault(step, {})


def _selection(tree: _Tree) -> str:
    parts = []
    for (kind, name), below in tree.items():
        found = SCHEMA.type_map[kind]
        assert isinstance(found, GraphQLObjectType)
        field = found.fields[name]
        few = "(first: 1)" if "first" in field.args else ""
        block = f" {{ __typename {_selection(below)} }}" if _objects(field.type) else ""
        parts.append(f"... on {kind} {{ {kind}__{name}: {name}{few}{block} }}")
    return " ".join(parts)
