"""Why an offer or a code does not apply, as clients are told it: in words, and in values for programs."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from zoneinfo import ZoneInfo

import strawberry

from resolvers.runtime.context import Context
from resolvers.runtime.enums import Language, RefusalCode
from resolvers.runtime.ids import encode
from resolvers.runtime.scalars import Money, money
from services.catalogue.snapshot import Catalogue
from services.core.instants import at_home
from services.offers.refusal_texts import message, retry_after, shown, told
from services.pricing.facts import refusals as facts


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom refusals are put into words: in which language, in which organisation's money and time, and when."""

    catalogue: Catalogue
    language: Language
    now: datetime
    reads_records: bool

    @classmethod
    async def of(cls, context: Context) -> Self:
        reads_records = (await context.viewer()).reads_records
        return cls(await context.catalogue(), context.language, context.now, reads_records)


@strawberry.type(description="What was required or found, as a value: exactly one of these is not null.")
class RefusalValue:
    money: Money | None = strawberry.field(default=None, description="An amount, such as a minimum basket.")
    number: int | None = strawberry.field(default=None, description="A number of tickets, or of uses of a code.")
    instant: datetime | None = strawberry.field(
        default=None, description="A point in time, such as the beginning or the end of an offer."
    )
    _finding: strawberry.Private[facts.Finding]
    _reader: strawberry.Private[Reader]

    @classmethod
    def of(cls, finding: facts.Finding, reader: Reader) -> Self:
        match finding:
            case facts.Amount(minor):
                amount = money(minor, reader.catalogue.organisation.currency)
                return cls(money=amount, _finding=finding, _reader=reader)
            case facts.Tickets(count):
                return cls(number=count, _finding=finding, _reader=reader)
            case facts.Instant(at):
                return cls(
                    instant=at_home(at, ZoneInfo(reader.catalogue.organisation.timezone)),
                    _finding=finding,
                    _reader=reader,
                )
        return cls(_finding=finding, _reader=reader)

    @strawberry.field(
        description="Names, states or codes, separated by commas: of sales channels, points of sale, delivery modes "
        "and counter profiles "
        "in the language asked for, else in that of the request."
    )
    def text(self, language: Language | None = None) -> str | None:
        if not isinstance(self._finding, facts.Things | facts.Words):
            return None
        return shown(self._finding, self._reader.catalogue, language or self._reader.language)


@strawberry.type(description="One thing that stands in the way, with what was required and what was found.")
class Refusal:
    code: RefusalCode = strawberry.field(description="Which thing it is, for programs.")
    required: str | None = strawberry.field(
        description="What was required, as text; null where that says nothing more."
    )
    actual: str | None = strawberry.field(description="What was found, as text; null where that says nothing more.")
    required_value: RefusalValue | None = strawberry.field(description="The same as `required`, as a value.")
    actual_value: RefusalValue | None = strawberry.field(description="The same as `actual`, as a value.")
    retry_after: int | None = strawberry.field(
        description="Seconds after which this no longer stands in the way; null where that does not come by itself, or "
        "nobody knows when."
    )
    basket_id: strawberry.ID | None = strawberry.field(
        description="The basket that holds the code, where it is the same contact's: to be gone on with, or cancelled."
    )
    _found: strawberry.Private[facts.Refusal]
    _language: strawberry.Private[Language]

    @classmethod
    def of(cls, found: facts.Refusal, reader: Reader) -> Self:
        seen = told(found, reader.catalogue, reads_records=reader.reads_records)
        return cls(
            code=seen.code,
            required=_shown(seen.required, reader),
            actual=_shown(seen.actual, reader),
            required_value=_value(seen.required, reader),
            actual_value=_value(seen.actual, reader),
            retry_after=retry_after([seen], reader.now),
            basket_id=None if seen.basket is None else encode("Basket", seen.basket),
            _found=seen,
            _language=reader.language,
        )

    @strawberry.field(
        description="Why, and what to do about it, in the language asked for, else in that of the request."
    )
    def message(self, language: Language | None = None) -> str:
        return message(self._found, language or self._language)


def refusals(found: Iterable[facts.Refusal], reader: Reader) -> list[Refusal]:
    """Refusals as the contract shows them, to somebody."""
    return [Refusal.of(each, reader) for each in found]


def _shown(finding: facts.Finding | None, reader: Reader) -> str | None:
    return None if finding is None else shown(finding, reader.catalogue, reader.language)


def _value(finding: facts.Finding | None, reader: Reader) -> RefusalValue | None:
    return None if finding is None else RefusalValue.of(finding, reader)
