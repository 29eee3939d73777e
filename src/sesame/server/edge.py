"""What stands between the network and the application of one process: its limits, and whether it is leaving."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from uvicorn.config import Config as UvicornConfig
from uvicorn.middleware.proxy_headers import _TrustedHosts

from resolvers.transport.lasting import Lasting, LastingLimits
from resolvers.transport.work import Work, WorkLimits
from sesame.server.connections import Connections
from sesame.server.descriptors import places, raised
from sesame.server.pings import Pings
from sesame.settings import Settings

_LARGEST_MESSAGE: Final = 1024 * 1024


class Edge:
    """``is_proxy`` says from which addresses any number of clients may come."""

    def __init__(self, settings: Settings, is_proxy: Callable[[str], bool] = lambda _: False) -> None:
        room = places(settings, raised())
        self.settings = settings
        self.is_leaving = False
        self.pings = Pings()
        self.work = Work(
            WorkLimits(
                settings.queries_at_once or settings.pool_size,
                settings.mutations_at_once or 3 * settings.pool_size,
                settings.operations_waiting,
                settings.waiting_milliseconds / 1000,
                settings.subscriptions,
            )
        )
        self.lasting = Lasting(
            LastingLimits(
                room.lasting,
                settings.connections_per_address,
                # Never so many that strangers alone could fill all places.
                min(settings.anonymous_websockets, room.lasting // 2),
            ),
            is_proxy,
        )
        self.connections = Connections(room, settings.connections_per_address, settings.keep_alive_seconds, is_proxy)


class Config(UvicornConfig):
    """uvicorn's, with this program's protocols; ``app`` makes the application of an ``Edge``, or says where that is."""

    edge: Edge

    def __init__(self, app: Any, **options: Any) -> None:
        own: dict[str, Any] = {
            "log_config": None,
            "access_log": False,
            "server_header": False,
            "http": "sesame.server.http:HttpProtocol",
            "ws": "sesame.server.websockets:Protocol",
            "ws_max_size": _LARGEST_MESSAGE,
            # Compression would take ten times the memory of all the rest, for messages of a few hundred bytes.
            "ws_per_message_deflate": False,
        }
        super().__init__(app, factory=True, **{**own, **options})

    def load_app(self) -> Any:
        self.edge = Edge(Settings.read(), _TrustedHosts(self.forwarded_allow_ips).__contains__)
        return partial(super().load_app(), self.edge)
