"""What the resolvers of one operation share: who asks, when, in which language, and loads that they have in common."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import strawberry

from resolvers.runtime.language import negotiated
from resolvers.runtime.loaders import BatchLoader, Shared
from services.access.audit import Audit
from services.access.credentials import Credentials, UnknownCredentials
from services.access.misses import OF_CREDENTIALS, Misses
from services.baskets.cancellations import Cancellations
from services.baskets.entrance import Entrance
from services.baskets.lifecycle import Baskets
from services.baskets.order_search import OrderSearch
from services.baskets.orders import Orders
from services.baskets.tickets import Tickets
from services.catalogue.catalogues import Catalogues
from services.catalogue.snapshot import Catalogue, Organisation
from services.codes.batches import Batches
from services.codes.custom_codes import CustomCodes
from services.codes.history import CodeHistory
from services.codes.imports import Imports
from services.codes.invalidation import Invalidation
from services.codes.tracking import Codes
from services.codes.tracking_csv import TrackingLists
from services.contacts.contacts import Contacts
from services.core.errors import TooMany, Unauthenticated
from services.core.texts import Language
from services.core.viewer import Viewer
from services.counts.counts import Counts
from services.counts.dashboard import Dashboards
from services.counts.subscriptions import LiveCounts
from services.offers.configuration import Configuration
from services.offers.eligibility import Eligibility
from services.offers.visibility import Offers

K = TypeVar("K")
V = TypeVar("V")

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Services:
    """The services that resolvers call, put together once a process."""

    credentials: Credentials
    catalogues: Catalogues
    contacts: Contacts
    offers: Offers
    eligibility: Eligibility
    baskets: Baskets
    orders: Orders
    tickets: Tickets
    entrance: Entrance
    cancellations: Cancellations
    order_search: OrderSearch
    counts: Counts
    dashboards: Dashboards
    batches: Batches
    codes: Codes
    code_history: CodeHistory
    imports: Imports
    invalidation: Invalidation
    tracking_lists: TrackingLists
    configuration: Configuration
    custom_codes: CustomCodes
    live_counts: LiveCounts
    audit: Audit
    misses: Misses


@dataclass(slots=True)
class Feed:
    """What the resolver of a subscription tells whoever shares its events among several clients.

    The event under way says all there is to say of ``subject`` at ``version``, as the ``reading`` of that number found
    it. ``refresh`` has everything come once more, and returns the number of the first reading that is new enough.
    """

    refresh: Callable[[], Awaitable[int]] | None = None
    subject: UUID | None = None
    version: int = 0
    reading: int = 0


class Context:
    """Made for each operation inside the running loop; a subscription renews it for each of its events.

    ``connection_params`` is what a WebSocket client sent with ``connection_init``: ``Authorization`` and ``language``
    there go before the headers of the handshake, because browsers cannot set those. A shop's own server says for whom
    it asks in ``Sesame-Customer``, and shows in ``Sesame-Server-Key`` that it may.
    """

    def __init__(self, services: Services, clock: Clock, headers: Mapping[str, str], address: str = "") -> None:
        self.services = services
        self.address = address
        self.connection_params: Mapping[str, object] = {}
        self._clock = clock
        self._headers = headers
        self._shared_by: Viewer | None = None
        self._organisation: Organisation | None = None
        self.feed = Feed()
        self.renew()

    def renew(self, catalogue: Catalogue | None = None) -> None:
        """Forgets what was loaded: the next look is at the present instant, and the credentials are asked again.

        ``catalogue`` is a snapshot to go by, where one of this instant is at hand.
        """
        self.now = self._clock()
        self.viewer = Shared(self._viewer, self._shared_by)
        self.catalogue = Shared(self._catalogue, catalogue)
        if catalogue is not None:
            self._organisation = catalogue.organisation
        self._loaders: dict[object, BatchLoader[Any, Any]] = {}

    def fresh(self) -> "Context":
        """A context for another operation of the same connection."""
        return self if self._shared_by is not None else self._copy()

    def shared_by(self, viewer: Viewer) -> "Context":
        """A context for one operation on behalf of all who have the rights of ``viewer``, credentials aside."""
        context = self._copy()
        context._shared_by = viewer
        context.renew()
        return context

    @property
    def authorization(self) -> str | None:
        """The credentials as they were sent."""
        return self._param("authorization")

    @property
    def zone(self) -> ZoneInfo | None:
        """Where the organisation is; None for as long as nobody has asked for its catalogue."""
        return None if self._organisation is None else ZoneInfo(self._organisation.timezone)

    @property
    def language(self) -> Language:
        return negotiated(self._sent("language") or self._headers.get("accept-language"))

    async def load(self, batch: Callable[["Context", Sequence[K]], Awaitable[Mapping[K, V]]], key: K) -> V | None:
        """One value out of a batch with all others asked of ``batch`` in this turn of the loop; None where it has none.

        ``batch`` is a module's own function, and stands for the purpose of the loader.
        """
        loader = self._loaders.get(batch)
        if loader is None:
            loader = self._loaders[batch] = BatchLoader(lambda keys: batch(self, keys))
        return await cast("BatchLoader[K, V]", loader).load(key)

    async def _viewer(self) -> Viewer:
        credentials = self.services.credentials
        try:
            viewer = replace(await credentials.viewer(self.authorization, self.now), address=self.address)
            customer, server_key = self._param("sesame-customer"), self._param("sesame-server-key")
            if not customer or not server_key:
                return viewer
            return credentials.on_behalf(viewer, customer, server_key, self.now)
        except UnknownCredentials:
            await self._count_miss()
            raise

    async def _count_miss(self) -> None:
        """Raises Unauthenticated, with when to come back, where too many bad credentials came from here."""
        try:
            await self.services.misses.count_from(OF_CREDENTIALS, self.address, self.now)
        except TooMany as failure:
            refused = Unauthenticated(failure.text)
            refused.retry_after = failure.retry_after
            raise refused from None

    async def _catalogue(self) -> Catalogue:
        catalogue = await self.services.catalogues.seen_by(await self.viewer())
        self._organisation = catalogue.organisation
        return catalogue

    def _copy(self) -> "Context":
        context = Context(self.services, self._clock, self._headers, self.address)
        context.connection_params = self.connection_params
        return context

    def _param(self, name: str) -> str | None:
        """What the client sent by this name, with the connection or in a header."""
        return self._sent(name) or self._headers.get(name)

    def _sent(self, name: str) -> str | None:
        for key, value in self.connection_params.items():
            if key.lower() == name and isinstance(value, str):
                return value
        return None


Info = strawberry.Info[Context, None]
