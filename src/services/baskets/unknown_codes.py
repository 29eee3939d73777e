"""How many codes that there are not may be entered into a basket (docs/domain.md, Who may do what).

A basket counts them itself, in its own row: whoever enters a code keeps the basket from all other changes, so that of
codes that are entered at the same moment none is too many, and a good one costs nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from db.baskets import baskets as db
from services.access.attempt_limits import OF_BASKET, CodeTries
from services.baskets.pricing_facts import looked_up
from services.core.transactions import Transaction
from services.core.viewer import Viewer


def bar(viewer: Viewer, basket: db.LockedBasket, code: str, tries: CodeTries, now: datetime) -> None:
    """Lets the code not be looked up where too many were entered into the basket already."""
    until = basket.unknown_codes_until
    if viewer.reads_records or until is None or until <= now:
        return
    if basket.unknown_codes >= OF_BASKET.most:
        tries.refuse_all(looked_up((code,)), until)


async def count(transaction: Transaction, looked_at: Sequence[tuple[Viewer, UUID, CodeTries]]) -> None:
    """Counts what turned out unknown, by basket."""
    unknown = {
        basket: len(tries.unknown) for viewer, basket, tries in looked_at if tries.unknown and not viewer.reads_records
    }
    if unknown:
        until = transaction.now + OF_BASKET.window
        await db.count_unknown_codes(transaction.connection, transaction.organisation, unknown, transaction.now, until)
