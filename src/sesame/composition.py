"""Where the services are put together, once a process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from db.live import PostgresCarrier
from db.redis_live import RedisCarrier
from db.sessions import Sessions
from resolvers.context import Services
from services.attempts import Attempts
from services.audit import Audit
from services.baskets import Baskets
from services.batches import Batches
from services.catalogue import Catalogues
from services.codes import Codes
from services.configuration import Configuration
from services.contacts import Contacts
from services.counts import Counts
from services.credentials import Credentials
from services.custom_codes import CustomCodes
from services.dashboard import Dashboards
from services.eligibility import Eligibility
from services.facts import FactsReader
from services.imports import Imports
from services.invalidation import Invalidation
from services.links import Links
from services.live import Live
from services.live_counts import LiveCounts
from services.offers import Offers
from services.orders import Orders
from services.prices import Prices
from services.tracking_lists import TrackingLists
from services.transactions import Transactions
from sesame.database import database
from sesame.settings import Settings, secret_key


@dataclass(frozen=True, slots=True)
class House:
    """What one process works with; all of it shares the sessions."""

    sessions: Sessions
    live: Live
    transactions: Transactions
    credentials: Credentials
    links: Links
    attempts: Attempts


@asynccontextmanager
async def house(settings: Settings) -> AsyncIterator[House]:
    """Everything that servers and workers need alike, on the database of the settings; closed at the end."""
    with database(settings) as url:
        sessions = Sessions(url, pool_size=settings.pool_size)
        redis = None if settings.redis_url is None else settings.redis_url.get_secret_value()
        live = Live(PostgresCarrier(sessions, url) if redis is None else RedisCarrier(redis))
        secret = secret_key(settings)
        try:
            yield House(
                sessions,
                live,
                Transactions(sessions, live.publish),
                Credentials(sessions, secret),
                Links(secret, settings.public_url),
                Attempts(redis),
            )
        finally:
            await live.close()
            await sessions.close()


def build_services(own: House) -> Services:
    """What the resolvers call."""
    sessions, transactions = own.sessions, own.transactions
    catalogues = Catalogues(sessions)
    facts = FactsReader(catalogues, own.attempts)
    offers = Offers(sessions)
    baskets = Baskets(sessions, catalogues, transactions, Prices(facts))
    batches = Batches(sessions, transactions, own.links)
    return Services(
        credentials=own.credentials,
        catalogues=catalogues,
        contacts=Contacts(sessions),
        offers=offers,
        eligibility=Eligibility(sessions, catalogues, facts),
        baskets=baskets,
        orders=Orders(sessions, catalogues, transactions, baskets),
        counts=Counts(sessions),
        dashboards=Dashboards(sessions, catalogues),
        batches=batches,
        codes=Codes(sessions, transactions),
        imports=Imports(transactions),
        invalidation=Invalidation(sessions, transactions),
        tracking_lists=TrackingLists(sessions, catalogues, own.links),
        configuration=Configuration(catalogues, transactions),
        custom_codes=CustomCodes(sessions, transactions),
        audit=Audit(sessions),
        live_counts=LiveCounts(sessions, catalogues, offers, batches, own.live),
    )
