"""The whole schema, put together from what each domain has to offer."""

from collections.abc import Mapping
from typing import Final

import strawberry

from resolvers.access.audit import AuditQuery
from resolvers.baskets.baskets import BasketsMutation, BasketsQuery
from resolvers.baskets.cancellations import CancellationsMutation, CancellationsQuery
from resolvers.baskets.entrance import EntranceMutation
from resolvers.baskets.order_lists import OrderListsQuery
from resolvers.baskets.orders import OrdersMutation, OrdersQuery
from resolvers.catalogue.catalogue import CatalogueQuery
from resolvers.catalogue.organisation import OrganisationQuery
from resolvers.codes.batches import BatchesMutation, BatchesQuery
from resolvers.codes.codes import CodesMutation, CodesQuery
from resolvers.codes.history import CodeHistoryQuery
from resolvers.contacts.contacts import ContactsQuery
from resolvers.counts.dashboard import DashboardQuery
from resolvers.counts.live import Subscription
from resolvers.nodes import NodesQuery
from resolvers.offers.configuration import ConfigurationMutation, ConfigurationQuery
from resolvers.offers.eligibility import EligibilityQuery
from resolvers.offers.lists import OffersQuery
from resolvers.offers.offers import Advantage, PromotionalCode
from resolvers.runtime.asked_by_id import counted
from resolvers.runtime.document_cost import Weight
from resolvers.runtime.execution import build_schema
from services.baskets.basket_input import MAXIMUM_TICKETS


@strawberry.type
class Query(
    NodesQuery,
    ContactsQuery,
    CatalogueQuery,
    OrganisationQuery,
    ConfigurationQuery,
    OffersQuery,
    EligibilityQuery,
    BasketsQuery,
    OrdersQuery,
    CancellationsQuery,
    OrderListsQuery,
    DashboardQuery,
    CodesQuery,
    CodeHistoryQuery,
    BatchesQuery,
    AuditQuery,
):
    pass


@strawberry.type
class Mutation(
    ConfigurationMutation,
    BasketsMutation,
    OrdersMutation,
    CancellationsMutation,
    EntranceMutation,
    BatchesMutation,
    CodesMutation,
):
    pass


WEIGHTS: Final[Mapping[str, Weight]] = {
    "BasketLineInput": Weight(each=500),
    "BasketLineInput.quantity": Weight(unit=50, most=MAXIMUM_TICKETS),
    "BasketInput.codes": Weight(each=200),
    "Query.eligibleOffers(codes:)": Weight(each=200),
}
"""What is priced: of full baskets, with 500 lines and 1,000 tickets, an operation may have one."""

MUTATIONS_OF_BASKETS: Final = frozenset(
    {"createBasket", "applyAdvantageCode", "removeAdvantageCode", "updateBasket", "cancelBasket", "confirmBasket"}
)
"""Each holds something: an operation has one of them at the most."""

schema: Final = build_schema(
    Query,
    counted(Mutation),
    Subscription,
    types=[Advantage, PromotionalCode],
    weights=WEIGHTS,
    alone=MUTATIONS_OF_BASKETS,
)
"""What every server process executes, and schema/schema.graphql shows."""
