"""The whole schema, put together from what each domain has to offer."""

from typing import Final

import strawberry

from resolvers.access.audit import AuditQuery
from resolvers.baskets.baskets import BasketsMutation, BasketsQuery
from resolvers.baskets.orders import OrdersMutation, OrdersQuery
from resolvers.catalogue.catalogue import CatalogueQuery
from resolvers.catalogue.organisation import OrganisationQuery
from resolvers.codes.batches import BatchesMutation, BatchesQuery
from resolvers.codes.codes import CodesMutation, CodesQuery
from resolvers.contacts.contacts import ContactsQuery
from resolvers.counts.dashboard import DashboardQuery
from resolvers.counts.live import Subscription
from resolvers.nodes import NodesQuery
from resolvers.offers.configuration import ConfigurationMutation, ConfigurationQuery
from resolvers.offers.eligibility import EligibilityQuery
from resolvers.offers.offers import Advantage, OffersQuery, PromotionalCode
from resolvers.runtime.execution import build_schema


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
