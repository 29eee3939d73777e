"""What the resolvers of one operation share: who asks, when, in which language, and loads that they have in common."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, cast

import strawberry

from resolvers.language import negotiated
from resolvers.loaders import Loader, Once
from services.audit import Audit
from services.baskets import Baskets
from services.batches import Batches
from services.catalogue import Catalogue, Catalogues
from services.codes import Codes
from services.contacts import Contacts
from services.counts import Counts
from services.credentials import Credentials
from services.dashboard import Dashboards
from services.eligibility import Eligibility
from services.live_counts import LiveCounts
from services.offers import Offers
from services.orders import Orders
from services.texts import Language
from services.viewer import Viewer

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
    counts: Counts
    dashboards: Dashboards
    batches: Batches
    codes: Codes
    live_counts: LiveCounts
    audit: Audit


class Context:
    """Made for each operation inside the running loop; a subscription renews it for each of its events.

    ``connection_params`` is what a WebSocket client sent with ``connection_init``: ``Authorization`` and ``language``
    there go before the headers of the handshake, because browsers cannot set those.
    """

    def __init__(self, services: Services, clock: Clock, headers: Mapping[str, str]) -> None:
        self.services = services
        self.connection_params: Mapping[str, object] = {}
        self._clock = clock
        self._headers = headers
        self.renew()

    def renew(self) -> None:
        """Forgets what was loaded: the next look is at the present instant, and the credentials are asked again."""
        self.now = self._clock()
        self.viewer = Once(self._viewer)
        self.catalogue = Once(self._catalogue)
        self._loaders: dict[object, Loader[Any, Any]] = {}

    def fresh(self) -> "Context":
        """A context for another operation of the same connection."""
        context = Context(self.services, self._clock, self._headers)
        context.connection_params = self.connection_params
        return context

    @property
    def language(self) -> Language:
        return negotiated(self._param("language") or self._headers.get("accept-language"))

    async def load(self, batch: Callable[["Context", Sequence[K]], Awaitable[Mapping[K, V]]], key: K) -> V | None:
        """One value out of a batch with all others asked of ``batch`` in this turn of the loop; None where it has none.

        ``batch`` is a module's own function, and stands for the purpose of the loader.
        """
        loader = self._loaders.get(batch)
        if loader is None:
            loader = self._loaders[batch] = Loader(lambda keys: batch(self, keys))
        return await cast("Loader[K, V]", loader).load(key)

    async def _viewer(self) -> Viewer:
        authorization = self._param("authorization") or self._headers.get("authorization")
        return await self.services.credentials.viewer(authorization, self.now)

    async def _catalogue(self) -> Catalogue:
        return await self.services.catalogues.seen_by(await self.viewer())

    def _param(self, name: str) -> str | None:
        for key, value in self.connection_params.items():
            if key.lower() == name and isinstance(value, str):
                return value
        return None


Info = strawberry.Info[Context, None]
