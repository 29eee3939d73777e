"""``sesame worker``: the process that runs the jobs of the queue until it is asked to stop."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from services.codes.generation import Generation
from services.codes.lost_work import LostWork
from services.core.expiry import Sweeper
from services.core.mail import mailer
from sesame import logs
from sesame.composition import House, house
from sesame.postgres.database import database, require_prepared
from sesame.processes import leave_with_parent
from sesame.settings import Settings
from sesame.worker.jobs import Worker
from sesame.worker.watchdog import GIVEN_UP, Watchdog

STOP_SECONDS: Final = 8
"""A worker that was asked to stop is gone by then, whatever it was doing."""

_SWEEP_SECONDS: Final = 5
_RESTORE_SECONDS: Final = 60
_BEAT_SECONDS: Final = 1
# Longer than the event loop is ever busy with one thing.
_LOOP_SECONDS: Final = 60
_LOOP, _END = "the event loop", "the end"

_log = structlog.get_logger("sesame.worker.process")


def run(settings: Settings) -> None:
    """Returns after SIGTERM or SIGINT, soon; a batch in hand goes back to the queue.

    A worker in which a step hangs ends with a status of its own: whoever started it is to start it again. Raises
    CommandError where the database cannot be reached or is not set up.
    """
    logs.configure(settings.log_level, settings.secrets())
    leave_with_parent()
    with database(settings) as url:
        asyncio.run(require_prepared(url))
        watchdog = Watchdog()
        try:
            has_hung = asyncio.run(_work(settings, watchdog))
        finally:
            watchdog.over(_LOOP, _END)
    if has_hung:
        raise SystemExit(GIVEN_UP)


def queue_worker(own: House, settings: Settings) -> Worker:
    """What runs the jobs of the queue in a process."""
    server = settings.smtp_url.get_secret_value() if settings.smtp_url else None
    generation = Generation(own.sessions, own.transactions, own.links, mailer(server, settings.outbox))
    return Worker(own.sessions, generation, lambda: datetime.now(UTC))


async def _work(settings: Settings, watchdog: Watchdog) -> bool:
    """Whether something hung."""
    async with house(settings) as own:
        worker = queue_worker(own, settings)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, worker.stop)
        sweeper, lost = Sweeper(own.sessions, own.transactions), LostWork(own.sessions)
        beside = [
            asyncio.create_task(each)
            for each in (
                _beat(watchdog),
                _announce_end(worker, watchdog),
                _every(_SWEEP_SECONDS, lambda: sweeper.sweep(datetime.now(UTC))),
                _every(_RESTORE_SECONDS, lost.restore),
            )
        ]
        await worker.run()
        for task in beside:
            task.cancel()
    return worker.has_hung


async def _beat(watchdog: Watchdog) -> None:
    while True:
        watchdog.expect(_LOOP, _LOOP_SECONDS)
        await asyncio.sleep(_BEAT_SECONDS)


async def _announce_end(worker: Worker, watchdog: Watchdog) -> None:
    await worker.asked_to_stop()
    watchdog.expect(_END, STOP_SECONDS)


async def _every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    """Does it now and every so many seconds, whatever becomes of the database: nothing waits for it."""
    while True:
        try:
            await work()
        except (OSError, SQLAlchemyError) as error:
            _log.warning("put off", reason=error)
        except Exception:  # noqa: BLE001 - the next time may well succeed
            _log.exception("put off")
        await asyncio.sleep(seconds)
