"""Where the services are put together, once a process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from db.core.sessions import STATEMENT_SECONDS, Sessions
from db.counts.postgres_feed import PostgresCarrier
from db.counts.redis_feed import RedisCarrier
from resolvers.runtime.context import Services
from services.access.attempt_counts import AttemptCounts
from services.access.attempt_limits import AttemptLimits
from services.access.audit import Audit
from services.access.credentials import Credentials
from services.access.flood_alarm import FloodAlarm
from services.access.misses import Misses
from services.baskets.allowances import Allowance, Allowances
from services.baskets.cancellations import Cancellations
from services.baskets.entrance import Entrance
from services.baskets.lifecycle import Baskets
from services.baskets.order_search import OrderSearch
from services.baskets.orders import Orders
from services.baskets.pricing_facts import FactsReader
from services.baskets.quotes import Quotes
from services.baskets.tickets import Tickets
from services.catalogue.catalogues import Catalogues
from services.codes.batches import Batches
from services.codes.custom_codes import CustomCodes
from services.codes.download_links import DownloadLinks
from services.codes.history import CodeHistory
from services.codes.imports import Imports
from services.codes.invalidation import Invalidation
from services.codes.tracking import Codes
from services.codes.tracking_csv import TrackingLists
from services.contacts.contacts import Contacts
from services.core.expiry import HeldNow
from services.core.transactions import Transactions
from services.counts.change_feed import ChangeFeed
from services.counts.counts import Counts
from services.counts.dashboard import Dashboards
from services.counts.subscriptions import LiveCounts
from services.offers.configuration import Configuration
from services.offers.eligibility import Eligibility
from services.offers.visibility import Offers
from sesame.postgres.database import database
from sesame.settings import Settings, secret_key


@dataclass(frozen=True, slots=True)
class House:
    """What one process works with; all of it shares the sessions."""

    sessions: Sessions
    live: ChangeFeed
    transactions: Transactions
    credentials: Credentials
    links: DownloadLinks
    attempts: AttemptLimits
    queue_seconds: int
    catalogue_parts: int
    misses: Misses
    allowances: Allowances


@asynccontextmanager
async def house(settings: Settings, *, statement_seconds: int = STATEMENT_SECONDS) -> AsyncIterator[House]:
    """Everything that servers and workers need alike, on the database of the settings; closed at the end."""
    with database(settings) as url:
        sessions = Sessions(url, pool_size=settings.pool_size, statement_seconds=statement_seconds)
        redis = None if settings.redis_url is None else settings.redis_url.get_secret_value()
        live = ChangeFeed(PostgresCarrier(sessions, url) if redis is None else RedisCarrier(redis))
        secret = secret_key(settings)
        counts, alarm = AttemptCounts(sessions, redis), FloodAlarm()
        attempts = AttemptLimits(counts, alarm)
        try:
            yield House(
                sessions,
                live,
                Transactions(sessions, live.publish),
                Credentials(sessions, secret),
                DownloadLinks(secret, settings.public_url),
                attempts,
                settings.queue_seconds,
                settings.catalogue_parts,
                Misses(counts, alarm),
                Allowances(
                    Allowance(settings.client_baskets, settings.client_tickets),
                    Allowance(settings.shop_baskets, settings.shop_tickets),
                ),
            )
        finally:
            await live.close()
            await attempts.close()
            await counts.close()
            await sessions.close()


def build_services(own: House) -> Services:
    """Puts together the services that the resolvers call."""
    sessions, transactions = own.sessions, own.transactions
    catalogues = Catalogues(sessions, own.catalogue_parts)
    facts = FactsReader(catalogues)
    held_now = HeldNow(sessions, transactions)
    offers = Offers(sessions, held_now)
    baskets = Baskets(sessions, catalogues, transactions, Quotes(facts), own.attempts, own.allowances)
    tickets = Tickets(sessions)
    batches = Batches(sessions, transactions, own.links)
    return Services(
        credentials=own.credentials,
        catalogues=catalogues,
        contacts=Contacts(sessions),
        offers=offers,
        eligibility=Eligibility(sessions, catalogues, facts, own.attempts),
        baskets=baskets,
        orders=Orders(sessions, catalogues, transactions, baskets),
        tickets=tickets,
        entrance=Entrance(catalogues, transactions, tickets),
        cancellations=Cancellations(sessions, catalogues, transactions),
        order_search=OrderSearch(sessions),
        counts=Counts(held_now),
        dashboards=Dashboards(held_now, catalogues),
        batches=batches,
        codes=Codes(held_now, transactions),
        code_history=CodeHistory(held_now),
        imports=Imports(transactions),
        invalidation=Invalidation(sessions, transactions),
        tracking_lists=TrackingLists(held_now, catalogues, own.links),
        configuration=Configuration(catalogues, transactions),
        custom_codes=CustomCodes(sessions, transactions),
        audit=Audit(sessions),
        misses=own.misses,
        live_counts=LiveCounts(sessions, held_now, catalogues, offers, batches, own.live),
    )
