"""The whole schema, put together from what each domain has to offer."""

from typing import Final

import strawberry

from resolvers.audit import AuditQuery
from resolvers.baskets import BasketsMutation, BasketsQuery
from resolvers.batches import BatchesMutation, BatchesQuery
from resolvers.catalogue import CatalogueQuery
from resolvers.codes import CodesMutation, CodesQuery
from resolvers.configuration import ConfigurationMutation, ConfigurationQuery
from resolvers.contacts import ContactsQuery
from resolvers.dashboard import DashboardQuery
from resolvers.eligibility import EligibilityQuery
from resolvers.execution import build_schema
from resolvers.live import Subscription
from resolvers.nodes import NodesQuery
from resolvers.offers import Advantage, OffersQuery, PromotionalCode
from resolvers.orders import OrdersMutation, OrdersQuery


@strawberry.type
class Query(
    NodesQuery,
    ContactsQuery,
    CatalogueQuery,
    ConfigurationQuery,
    OffersQuery,
    EligibilityQuery,
    BasketsQuery,
    OrdersQuery,
    DashboardQuery,
    CodesQuery,
    BatchesQuery,
    AuditQuery,
):
    pass


@strawberry.type
class Mutation(ConfigurationMutation, BasketsMutation, OrdersMutation, BatchesMutation, CodesMutation):
    pass


schema: Final = build_schema(Query, Mutation, Subscription, types=[Advantage, PromotionalCode])
"""What every server process executes, and schema/schema.graphql shows."""
