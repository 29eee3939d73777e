"""``sesame serve``: the port, the database, the queue worker beside, then uvicorn's server processes."""

import asyncio
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog
from uvicorn.config import STARTUP_FAILURE

from sesame import logs
from sesame.errors import CommandError
from sesame.postgres.database import connection_limit, kept_database, prepare
from sesame.processes import kept_running
from sesame.server.descriptors import places, raised, shortage
from sesame.server.edge import Config
from sesame.server.leaving import Server
from sesame.server.workers import Workers
from sesame.settings import Settings, secret_key

_LAST_SECONDS: Final = 5.0
"""For a server process to close its services, after all is answered."""
_BACKLOG: Final = 4096
"""Connections that wait to be taken; the kernel has a limit of its own."""
# Of each process beside its pool: one that listens, one to spare.
_EXTRA_CONNECTIONS: Final = 2

_OF_EACH_CONNECTION: Final = {
    # Milliseconds: who takes nothing for so long is gone, or as good as gone.
    "TCP_USER_TIMEOUT": 25_000,
    # What is small is sent at once.
    "TCP_NODELAY": 1,
    # Bytes that wait in the kernel for a slow reader; what comes next waits here, where the newest replaces the older.
    "TCP_NOTSENT_LOWAT": 16_384,
    # Seconds of silence before the kernel asks whether the other side is still there, and between two questions.
    "TCP_KEEPIDLE": 30,
    "TCP_KEEPINTVL": 10,
}

_log = structlog.get_logger("sesame.server.serving")


Welcome = Callable[[str, str], Awaitable[str]]
"""Given the URL of the migrated database and the server's address, what to print once requests are taken."""


def serve(settings: Settings, host: str, port: int, workers: int, welcome: Welcome | None = None) -> None:
    """Serves until SIGINT or SIGTERM.

    Raises CommandError where the port is taken, the database cannot be reached, or a setting is missing.
    """
    logs.configure(settings.log_level, settings.secrets())
    _check_descriptors(settings)
    with _listening(host, port) as listener:
        secret_key(settings)
        with kept_database(settings) as url:
            address = _address(listener)
            told = asyncio.run(_prepared(settings, url, workers, address, welcome))
            # The server processes and the worker read their settings themselves.
            if "public_url" not in settings.model_fields_set:
                os.environ["SESAME_PUBLIC_URL"] = address
            worker = [sys.executable, "-m", "sesame", "worker"]
            with kept_running(worker), suppress(KeyboardInterrupt):
                _log.info("serving", address=address, workers=workers)
                if told:
                    sys.stdout.write(told)
                    sys.stdout.flush()
                _run(listener, settings, workers)


def _check_descriptors(settings: Settings) -> None:
    """Raises CommandError where they are too few to serve at all."""
    descriptors = raised()
    places(settings, descriptors)
    if told := shortage(settings, descriptors):
        _log.warning("few files may be open", said=told)


def _listening(host: str, port: int) -> socket.socket:
    """The listening socket; who connects early waits until the server is up."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, proto=socket.IPPROTO_TCP)  # Without it, asyncio would leave out TCP_NODELAY.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for option, value in _OF_EACH_CONNECTION.items():
        if hasattr(socket, option):  # Of Linux, most of them.
            listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise CommandError(
            f"Cannot listen on {host}, port {port} ({error.strerror}): end what uses it, or choose another with --port."
        ) from None
    return listener


def _address(listener: socket.socket) -> str:
    """Where clients on this machine find the server."""
    host, port, *_ = listener.getsockname()
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - what was asked for is being read
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _prepared(settings: Settings, url: str, workers: int, address: str, welcome: Welcome | None) -> str | None:
    await prepare(url)
    if settings.database_url is None:
        await _check_connections(url, settings.pool_size, workers)
    return await welcome(url, address) if welcome else None


async def _check_connections(url: str, pool_size: int, workers: int) -> None:
    """The embedded database's limit is known; what stands before another one, and who else uses it, is not."""
    needed = (workers + 1) * (pool_size + _EXTRA_CONNECTIONS)
    limit = await connection_limit(url)
    if needed > limit:
        raise CommandError(
            f"{workers} server processes and a queue worker, each with SESAME_POOL_SIZE {pool_size} and "
            f"{_EXTRA_CONNECTIONS} more connections, need {needed} of the database's {limit}: lower one of the two."
        )


def _run(listener: socket.socket, settings: Settings, workers: int) -> None:
    config = Config("sesame.server.app:create", workers=workers)
    if workers == 1:
        server = Server(config)
        server.run(sockets=[listener])
        failed = not server.started
    else:
        supervisor = Workers(config, listener, settings.drain_seconds + _LAST_SECONDS)
        supervisor.run()
        listener.close()
        failed = any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes)
    if failed:
        raise CommandError("The server does not start: the log above says why.")
