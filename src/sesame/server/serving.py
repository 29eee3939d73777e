"""``sesame serve``: the port, the database, the queue worker beside, then uvicorn's server processes."""

import asyncio
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from sesame import logs
from sesame.errors import CommandError
from sesame.postgres.database import connection_limit, kept_database, prepare
from sesame.processes import kept_running
from sesame.settings import Settings, secret_key

_DRAIN_SECONDS: Final = 10
_LARGEST_MESSAGE: Final = 1024 * 1024
# Of each process beside its pool: one that listens, one to spare.
_EXTRA_CONNECTIONS: Final = 2

_PING_SECONDS: Final = 50  # Below the minute after which proxies cut what is silent.
_OF_EACH_CONNECTION: Final = {
    # Milliseconds: who takes nothing for so long is gone, or as good as gone.
    "TCP_USER_TIMEOUT": 30_000,
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
    logs.configure(settings.log_level)
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
                _run(listener, workers)


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
        listener.listen()
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


def _run(listener: socket.socket, workers: int) -> None:
    config = uvicorn.Config(
        "sesame.server.app:create",
        factory=True,
        workers=workers,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="sesame.server.websockets:Protocol",
        ws_max_size=_LARGEST_MESSAGE,
        ws_ping_interval=_PING_SECONDS,
        # Compression would take ten times the memory of all the rest, for messages of a few hundred bytes.
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )
    if workers == 1:
        server = uvicorn.Server(config)
        server.run(sockets=[listener])
        failed = not server.started
    else:
        supervisor = Multiprocess(config, sockets=[listener])
        supervisor.run()
        listener.close()
        failed = any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes)
    if failed:
        raise CommandError("The server does not start: the log above says why.")
