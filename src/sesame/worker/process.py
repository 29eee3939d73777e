"""``sesame worker``: the process that runs the jobs of the queue until it is asked to stop."""

import asyncio
import signal
from datetime import UTC, datetime
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from services.codes.generation import Generation
from services.core.expiry import Sweeper
from services.core.mail import mailer
from sesame import logs
from sesame.composition import House, house
from sesame.postgres.database import database, require_prepared
from sesame.processes import leave_with_parent
from sesame.settings import Settings
from sesame.worker.jobs import Worker

_SWEEP_SECONDS: Final = 5

_log = structlog.get_logger("sesame.worker.process")


def run(settings: Settings) -> None:
    """Returns after SIGTERM or SIGINT; a batch in hand goes back to the queue between two of its steps.

    Raises CommandError where the database cannot be reached or is not set up.
    """
    logs.configure(settings.log_level)
    leave_with_parent()
    with database(settings) as url:
        asyncio.run(require_prepared(url))
        asyncio.run(_work(settings))


def queue_worker(own: House, settings: Settings) -> Worker:
    """What runs the jobs of the queue in a process."""
    server = settings.smtp_url.get_secret_value() if settings.smtp_url else None
    generation = Generation(own.sessions, own.transactions, own.links, mailer(server, settings.outbox))
    return Worker(own.sessions, generation, lambda: datetime.now(UTC))


async def _work(settings: Settings) -> None:
    async with house(settings) as own:
        worker = queue_worker(own, settings)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, worker.stop)
        sweeping = asyncio.create_task(_sweep(Sweeper(own.sessions, own.transactions)))
        await worker.run()
        sweeping.cancel()


async def _sweep(sweeper: Sweeper) -> None:
    """Every few seconds, whatever becomes of the database: nothing waits for it."""
    while True:
        await asyncio.sleep(_SWEEP_SECONDS)
        try:
            await sweeper.sweep(datetime.now(UTC))
        except (OSError, SQLAlchemyError) as error:
            _log.warning("not swept", reason=str(error))
