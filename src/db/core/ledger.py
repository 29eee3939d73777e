"""The ledger of redemptions, as far as several rooms agree on it: how its counts are slotted, how it is stopped."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

SLOT = "CAST(pg_backend_pid() % 16 AS smallint)"
"""Of the slots of an offer and holder, the one whose counts a session moves: sessions at work at once mostly have
neighbouring numbers, and so each a slot of its own.
"""


async def stop_sales(connection: AsyncConnection) -> None:
    """Waits for the sales in progress, and keeps others waiting until the transaction ends.

    To come before what is to be counted from the ledger is counted, and before any row is locked that claims lock: a
    claim that had not seen the new counter would otherwise be missing from it for ever.
    """
    await connection.execute(text("LOCK TABLE redemptions IN SHARE ROW EXCLUSIVE MODE"))
