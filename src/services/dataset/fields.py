"""The kinds of values that a data file holds, each checked on its own, and what is said of one that is wrong.

Validators raise with the key of a sentence in ``texts.toml``; ``problem`` makes a Problem of whatever pydantic found.
"""

import re
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails, PydanticCustomError

from services.codes.format import check_chosen
from services.core.errors import Path, Problem
from services.core.mail import plain_address
from services.core.money import AmountError, to_minor
from services.core.percentages import PercentageError, to_ten_thousandths
from services.core.text_checks import check_label, check_text, check_url, check_words
from services.core.texts import Text, text


@dataclass(frozen=True, slots=True)
class Known:
    """What fields are checked against: the currency, None where the file names none that exists, and the codes that
    references to each section may name, in the file or in the database.
    """

    currency: str | None = None
    codes: Mapping[str, Set[str]] = field(default_factory=dict)


class Item(BaseModel):
    """An object of the file: camel-case keys, none that is not known, no value taken for one of another type."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True, frozen=True)


def wrong(key: str, **values: object) -> PydanticCustomError:
    """An error that says the sentence ``key``."""
    # The template is never shown: the type is the key of the sentence.
    return PydanticCustomError(key, "{}", values)


# ── Texts and codes ──────────────────────────────────────────────────────────────────────────────


def _checked(check: Callable[[str], Text | None]) -> AfterValidator:
    def checked(value: str) -> str:
        reason = check(value)
        if reason is not None:
            raise wrong(reason.key, **reason.values)
        return value

    return AfterValidator(checked)


Words = Annotated[str, _checked(check_words)]
Prose = Annotated[str, _checked(check_text)]
"""A text of several lines."""
Code = Annotated[str, _checked(check_label)]
"""What things are known by in files and to staff."""
EnteredCode = Annotated[str, _checked(check_chosen)]
"""A code that customers enter."""
Url = Annotated[str, _checked(check_url)]


def _email(value: str) -> str:
    if plain_address(value) is None:
        raise wrong("not_a_mail_address")
    return value


Email = Annotated[str, Field(max_length=254), AfterValidator(_email)]


def _of(section: str) -> AfterValidator:
    def exists(value: str, info: ValidationInfo) -> str:
        if value not in _known(info).codes.get(section, ()):
            raise wrong("reference_unknown", section=section, code=value)
        return value

    return AfterValidator(exists)


def _known(info: ValidationInfo) -> Known:
    return info.context if isinstance(info.context, Known) else Known()


SeasonRef = Annotated[str, _of("seasons")]
SeatCategoryRef = Annotated[str, _of("seatCategories")]
AudienceSubCategoryRef = Annotated[str, _of("audienceSubCategories")]
ChannelRef = Annotated[str, _of("salesChannels")]
PointOfSaleRef = Annotated[str, _of("pointsOfSale")]
DeliveryModeRef = Annotated[str, _of("deliveryModes")]
IndicatorRef = Annotated[str, _of("indicators")]


def _listed(value: str, info: ValidationInfo) -> str:
    known = _known(info).codes.get("counterProfiles", ())
    if known and value not in known:
        raise wrong("reference_unknown", section="counterProfiles", code=value)
    return value


CounterProfileRef = Annotated[Code, AfterValidator(_listed)]
"""One of the list, where the organisation keeps one."""
ProductRef = Annotated[str, _of("products")]
PerformanceRef = Annotated[str, _of("performances")]
ContactRef = Annotated[str, _of("contacts")]
CampaignRef = Annotated[str, _of("campaigns")]
AdvantageRef = Annotated[str, _of("advantages")]
PromotionalCodeRef = Annotated[str, _of("promotionalCodes")]

# ── Numbers ──────────────────────────────────────────────────────────────────────────────────────

_MOST: Final = 2**31 - 1
Count = Annotated[int, Field(ge=0, le=_MOST)]
Positive = Annotated[int, Field(ge=1, le=_MOST)]

_DECIMAL: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def _decimal(value: object) -> Decimal:
    if not isinstance(value, str) or len(value) > 40 or not _DECIMAL.fullmatch(value):
        raise wrong("not_decimal")
    return Decimal(value)


def _amount(value: object, info: ValidationInfo) -> int:
    """In minor units, 0 where the currency itself is wrong."""
    amount = _decimal(value)
    if amount < 0:
        raise wrong("amount_negative")
    currency = _known(info).currency
    try:
        return 0 if currency is None else to_minor(amount, currency)
    except AmountError as error:
        raise wrong(error.text.key, **error.text.values) from None


def _discount(value: object, info: ValidationInfo) -> int:
    amount = _amount(value, info)
    if amount == 0 and _known(info).currency is not None:
        raise wrong("amount_zero")
    return amount


def _percentage(value: object) -> int:
    """In ten-thousandths of a percent."""
    try:
        return to_ten_thousandths(_decimal(value))
    except PercentageError as error:
        raise wrong(error.text.key, **error.text.values) from None


Amount = Annotated[int, BeforeValidator(_amount)]
Discount = Annotated[int, BeforeValidator(_discount)]
Percentage = Annotated[int, BeforeValidator(_percentage)]

# ── Instants ─────────────────────────────────────────────────────────────────────────────────────

_INSTANT: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(?P<offset>Z|[+-]\d{2}:\d{2})?", re.ASCII
)


def instant(value: object) -> datetime:
    """An RFC 3339 time with an offset. Raises a PydanticCustomError, which is a ValueError."""
    match = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise wrong("instant_malformed")
    if not match["offset"]:
        raise wrong("instant_without_offset")
    try:
        at = datetime.fromisoformat(match[0])
    except ValueError:
        raise wrong("instant_malformed") from None
    # Room for arithmetic in any time zone at both ends of the calendar.
    if not 1900 <= at.year <= 9000:
        raise wrong("instant_malformed")
    return at


Instant = Annotated[datetime, BeforeValidator(instant)]

# ── What is said ─────────────────────────────────────────────────────────────────────────────────

_KEYS: Final = {
    "missing": "field_missing",
    "extra_forbidden": "field_unknown",
    "invalid_key": "field_unknown",
    "string_type": "not_text",
    "string_unicode": "text_characters",
    "string_too_long": "text_too_long",
    "int_type": "not_integer",
    "bool_type": "not_boolean",
    "list_type": "not_list",
    "dict_type": "not_object",
    "model_type": "not_object",
    "greater_than_equal": "number_too_small",
    "less_than_equal": "number_too_large",
    "too_short": "list_empty",
    "enum": "not_one_of",
}


def problem(path: Path, error: ErrorDetails) -> Problem:
    """What pydantic found wrong in the item at ``path``."""
    values: dict[str, Any] = error.get("ctx", {})
    location = tuple(shown(part) for part in error["loc"] if part != "[key]")
    return Problem(path + location, text(_KEYS.get(error["type"], error["type"]), **values))


def shown(part: str | int) -> str:
    """A part of a path that can be printed whatever a key of the file holds."""
    name = str(part)
    return name if name.isprintable() else ascii(name)[1:-1]
