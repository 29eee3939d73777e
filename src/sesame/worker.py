"""``sesame worker``: the process that runs the jobs of the queue until it is asked to stop."""

import asyncio
import signal
from datetime import UTC, datetime

from services.generation import Generation
from services.mail import mailer
from sesame import logs
from sesame.composition import house
from sesame.database import database, require_prepared
from sesame.jobs import Worker
from sesame.processes import leave_with_parent
from sesame.settings import Settings


def run(settings: Settings) -> None:
    """Returns after SIGTERM or SIGINT; a batch in hand goes back to the queue between two of its steps.

    Raises CommandError where the database cannot be reached or is not set up.
    """
    logs.configure(settings.log_level)
    leave_with_parent()
    with database(settings) as url:
        asyncio.run(require_prepared(url))
        asyncio.run(_work(settings))


async def _work(settings: Settings) -> None:
    async with house(settings) as own:
        server = settings.smtp_url.get_secret_value() if settings.smtp_url else None
        generation = Generation(own.sessions, own.transactions, own.links, mailer(server, settings.outbox))
        worker = Worker(own.sessions, generation, lambda: datetime.now(UTC))
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, worker.stop)
        await worker.run()
