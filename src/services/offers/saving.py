"""Writing an offer that was configured, with all that goes with it: its codes, its limits, the record of the change."""

from dataclasses import asdict, fields
from typing import Final

from pydantic.alias_generators import to_camel
from pydantic_core import to_jsonable_python

from db.offers import limits as db_limits
from db.offers import offers as db
from db.offers.offers import LimitRow, OfferKind, OfferRow
from services.access.audit import record
from services.catalogue.offer_details import OfferDetails
from services.catalogue.offer_rows import to_limit_rows, to_row
from services.codes import access_codes
from services.codes.access_codes import AccessCodeExchange
from services.core.transactions import Overtaken, Transaction
from services.core.viewer import Viewer

SUBJECTS: Final = {OfferKind.ADVANTAGE: "Advantage", OfferKind.PROMOTIONAL_CODE: "PromotionalCode"}
"""What audit entries call each kind."""


async def save(
    transaction: Transaction,
    viewer: Viewer,
    action: str,
    before: OfferDetails | None,
    after: OfferDetails,
    exchange: AccessCodeExchange = AccessCodeExchange(),  # noqa: B008 - frozen
) -> None:
    """Writes what ``before`` became, None for a new offer, as the last thing of a transaction.

    Raises Overtaken where a quota is below what somebody took since it was checked.
    """
    connection, organisation = transaction.connection, transaction.organisation
    await db.save(connection, organisation, [to_row(after)])
    await access_codes.carry_out(transaction, exchange)
    details = _changes(before, after) | exchange.audited
    await record(transaction, viewer.actor, action, SUBJECTS[after.kind], after.id, details)
    limits = to_limit_rows(after.offer)
    if before is None:
        await db_limits.add(connection, organisation, limits)
    elif limits != to_limit_rows(before.offer) and await db_limits.replace(
        connection, organisation, [after.id], limits
    ):
        raise Overtaken


def _changes(before: OfferDetails | None, after: OfferDetails) -> dict[str, object]:
    """Each column that changed, with what it was and what it is."""
    was, became = {} if before is None else _columns(before), _columns(after)
    changes = {to_camel(name): [was.get(name), value] for name, value in became.items() if was.get(name) != value}
    return {name: to_jsonable_python(values) for name, values in changes.items()}


def _columns(details: OfferDetails) -> dict[str, object]:
    row: OfferRow = to_row(details)
    limits: list[LimitRow] = to_limit_rows(details.offer)
    columns: dict[str, object] = {field.name: getattr(row, field.name) for field in fields(row) if field.name != "id"}
    return columns | {"limits": [asdict(limit) for limit in limits]}
