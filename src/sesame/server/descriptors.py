"""Open files: each connection is one, and where they run out nobody can connect any more."""

import resource
from dataclasses import dataclass
from typing import Final

from sesame.errors import CommandError
from sesame.settings import Settings

_OWN: Final = 64
"""Of a process beside its connections: logs, libraries, pipes, the loop."""
_FEWEST: Final = 100
_MOST_ASKED_FOR: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Places:
    """Connections of one process: HTTP, WebSockets with event streams, and both with those that are only refused."""

    http: int
    lasting: int
    in_all: int


def raised() -> int:
    """How many files this process and those it starts may open at once: as many as whoever started it allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_ASKED_FOR if hard == resource.RLIM_INFINITY else hard
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return _MOST_ASKED_FOR if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return soft
    return wanted


def places(settings: Settings, descriptors: int) -> Places:
    """As many as the settings say, or as there are descriptors for. Raises CommandError where these are too few."""
    free = descriptors - _OWN - settings.pool_size
    if free < _FEWEST:
        raise CommandError(
            f"Only {descriptors} files may be open at once, and {_OWN + settings.pool_size + _FEWEST} are needed: "
            "raise the limit with ulimit -n 16384, or LimitNOFILE=16384 in a systemd unit."
        )
    http, lasting = settings.http_connections, settings.websockets
    # A fifth is kept for those who are told to come again: without an answer they would see a broken connection.
    if http + lasting > free * 4 // 5:
        http = min(http, free * 2 // 5)
        lasting = min(lasting, free * 4 // 5 - http)
    return Places(http, lasting, free)


def shortage(settings: Settings, descriptors: int) -> str | None:
    """What an operator should know, where the descriptors are fewer than the settings want."""
    found = places(settings, descriptors)
    if (found.http, found.lasting) == (settings.http_connections, settings.websockets):
        return None
    return (
        f"Only {descriptors} files may be open at once: each process takes {found.http} HTTP connections and "
        f"{found.lasting} WebSockets at the most. For more, raise the limit with ulimit -n 32768, or "
        "LimitNOFILE=32768 in a systemd unit."
    )
