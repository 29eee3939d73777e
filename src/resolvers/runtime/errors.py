"""The one place where failures of services become answers.

A failure whose type is a member of the mutation's result union becomes that member; every other becomes a top-level
error with a ``code``. Whatever is no failure is a fault: the log has it in full, the client gets its id.
"""

from dataclasses import replace
from datetime import datetime
from typing import Self

import strawberry

from resolvers.runtime.context import Context, Info
from resolvers.runtime.enums import FailureCode, InputRule, Language
from resolvers.runtime.ids import WrongId, encode
from resolvers.runtime.refusals import Reader, Refusal, refusals
from resolvers.runtime.scalars import Money, money
from services.catalogue.snapshot import Catalogue
from services.core import errors
from services.core.texts import Text, localised
from services.offers.refusal_texts import retry_after


@strawberry.interface(
    description="A failure that the client can act on. Anything else is a fault, and shows only as a masked top-level "
    "error with an id to look up in the log."
)
class Failure:
    code: FailureCode = strawberry.field(description="What went wrong, for programs.")
    retry_after: int | None = strawberry.field(
        description="Seconds after which it is worth trying again, by the same idempotency key too; null where waiting "
        "does not help."
    )
    _text: strawberry.Private[Text]
    _language: strawberry.Private[Language]

    @strawberry.field(
        description="What is wrong and what to do about it, in the language asked for, else in that of the request."
    )
    def message(self, language: Language | None = None) -> str:
        return self._text.in_language(language or self._language)


@strawberry.type(description="One thing that is wrong with the input.")
class InputProblem:
    path: list[str] = strawberry.field(description='The field at fault, as in `["lines", "0", "quantity"]`.')
    code: str = strawberry.field(description="Which rule was broken, for programs: the name of one of `InputRule`.")
    rule: InputRule = strawberry.field(description="The same as `code`, as an enum.")
    _text: strawberry.Private[Text]
    _language: strawberry.Private[Language]

    @strawberry.field(description="What is wrong, in the language asked for, else in that of the request.")
    def message(self, language: Language | None = None) -> str:
        return self._text.in_language(language or self._language)


@strawberry.type(
    description="Every problem with the input, each with the path of the field at fault, "
    f'as in ["lines", "0", "quantity"]; of very many the first {errors.MOST_LISTED}.'
)
class InvalidInput(Failure):
    problems: list[InputProblem]
    problem_count: int = strawberry.field(description="How many problems there are, those that are not listed too.")


@strawberry.type(description="Nothing that you may see has the id at `path`.")
class NotFound(Failure):
    path: list[str]


strawberry.enum(
    errors.EntryRefusal,
    description="Why a ticket does not admit, or is not cancelled: of several reasons the one that no other gate and "
    "no other hour would mend.",
)


@strawberry.type(description="What a gate shows of a ticket that it does not let in.")
class RefusedTicket:
    ticket_id: strawberry.ID
    reason: errors.EntryRefusal
    product_id: strawberry.ID = strawberry.field(description="What it admits to.")
    product: str = strawberry.field(description="The name of that, in the language of the request.")
    performance_id: strawberry.ID | None = strawberry.field(
        description="The performance that it admits to; null for a product without."
    )
    starts_at: datetime | None = strawberry.field(description="When that performance starts.")
    entry_opens_at: datetime | None = strawberry.field(description="From when on a gate of it lets in.")
    entry_closes_at: datetime | None = strawberry.field(description="Until when a gate of it lets in.")
    entries: int = strawberry.field(description="How often it was let in so far.")
    entries_allowed: int = strawberry.field(description="How often it may be let in.")
    controlled_at: datetime | None = strawberry.field(description="When it was let in last; null where it never was.")
    controlled_by: str | None = strawberry.field(
        description="Who let it in last, as the audit has it (`staff:ada`). For staff; null for others."
    )
    controlled_at_point_of_sale_id: strawberry.ID | None = strawberry.field(
        description="Where it was let in last; null where that is not known."
    )
    controlled_at_point_of_sale: str | None = strawberry.field(
        description="The name of that, in the language of the request."
    )
    cancelled_at: datetime | None = strawberry.field(description="When it was cancelled; null where it was not.")

    @classmethod
    def of(cls, facts: errors.RefusedTicket, catalogue: Catalogue, language: Language) -> Self:
        performance = None if facts.performance is None else catalogue.performances[facts.performance]
        place = facts.controlled_at_point_of_sale
        return cls(
            ticket_id=encode("Ticket", facts.ticket),
            reason=facts.reason,
            product_id=encode("Product", facts.product),
            product=localised(catalogue.products[facts.product].name, language),
            performance_id=None if performance is None else encode("Performance", performance.id),
            starts_at=None if performance is None else performance.starts_at,
            entry_opens_at=facts.opens_at,
            entry_closes_at=facts.closes_at,
            entries=facts.entries,
            entries_allowed=facts.entries_allowed,
            controlled_at=facts.controlled_at,
            controlled_by=facts.controlled_by,
            controlled_at_point_of_sale_id=None if place is None else encode("PointOfSale", place),
            controlled_at_point_of_sale=None
            if place is None
            else localised(catalogue.points_of_sale[place].name, language),
            cancelled_at=facts.cancelled_at,
        )


@strawberry.type(
    description="The state of the thing does not allow it: a basket that is no longer open, "
    "a code that is already used."
)
class Conflict(Failure):
    total: Money | None = strawberry.field(description="What the basket costs by now, where the code is TOTAL_CHANGED.")
    current_version: int | None = strawberry.field(
        description="The version that the offer has by now, where the code is VERSION_CLASH: read it again."
    )
    state: str | None = strawberry.field(
        description="The state that does not allow it, of the basket, order, offer or code, as its enum has it; null "
        "for what has no states."
    )
    ticket: RefusedTicket | None = strawberry.field(
        default=None, description="The ticket that does not admit, or is not cancelled, and why."
    )


@strawberry.type(description="A code does not apply, with every reason.")
class CodeRefused(Failure):
    refusals: list[Refusal]


def problem_of(problem: errors.Problem, language: Language) -> InputProblem:
    """A problem as clients read it."""
    rule = problem.rule
    return InputProblem(path=list(problem.path), code=rule.value, rule=rule, _text=problem.text, _language=language)


class _InvalidInputHandler(strawberry.ExceptionHandler[errors.InvalidInput, InvalidInput]):
    def handle(self, exception: errors.InvalidInput, *, field: object, info: Info) -> InvalidInput:
        language = info.context.language
        problems = [problem_of(each, language) for each in exception.problems]
        return InvalidInput(
            code=exception.code,
            retry_after=exception.retry_after,
            _text=exception.text,
            _language=language,
            problems=problems,
            problem_count=exception.count,
        )


class _NotFoundHandler(strawberry.ExceptionHandler[errors.NotFound | WrongId, NotFound]):
    def handle(self, exception: errors.NotFound | WrongId, *, field: object, info: Info) -> NotFound:
        wrong = exception if isinstance(exception, errors.NotFound) else exception.problems[0]
        return NotFound(
            code=FailureCode.NOT_FOUND,
            retry_after=exception.retry_after,
            _text=wrong.text,
            _language=info.context.language,
            path=list(wrong.path),
        )


class _ConflictHandler(strawberry.ExceptionHandler[errors.Conflict, Conflict]):
    async def handle(self, exception: errors.Conflict, *, field: object, info: Info) -> Conflict:
        context: Context = info.context
        total = ticket = None
        if isinstance(exception, errors.TotalChanged):
            total = money(exception.total, (await context.catalogue()).organisation.currency)
        elif isinstance(exception, errors.TicketRefused):
            # Who let it in is the house's own business.
            shows_all = (await context.viewer()).is_staff
            facts = exception.refused if shows_all else replace(exception.refused, controlled_by=None)
            ticket = RefusedTicket.of(facts, await context.catalogue(), context.language)
        return Conflict(
            code=exception.code,
            retry_after=exception.retry_after,
            _text=exception.text,
            _language=context.language,
            total=total,
            current_version=exception.version if isinstance(exception, errors.VersionClash) else None,
            state=exception.state,
            ticket=ticket,
        )


class _CodeRefusedHandler(strawberry.ExceptionHandler[errors.CodeRefused, CodeRefused]):
    async def handle(self, exception: errors.CodeRefused, *, field: object, info: Info) -> CodeRefused:
        context: Context = info.context
        return CodeRefused(
            code=exception.code,
            retry_after=retry_after(exception.refusals, context.now),
            _text=exception.text,
            _language=context.language,
            refusals=refusals(exception.refusals, await Reader.of(context)),
        )


# In this order: a union with both InvalidInput and NotFound answers a wrong id with every problem.
HANDLERS = (_InvalidInputHandler(), _NotFoundHandler(), _ConflictHandler(), _CodeRefusedHandler())
