"""Fingerprints as they were before they had versions: the SHA-256 of the request's ``repr``, in 32 bytes.

Keys are kept for two days. This module, and what uses it in ``services.core.retries.idempotency``, can be deleted as
soon as nobody upgrades any more, within two days of its last request, from a version that wrote such fingerprints:
those of 0001_tables.sql alone. It is what those wrote, so nothing in it is ever to be changed; the code of today may
be, for the names of then are written out here, and values are found by their canonical names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass
from hashlib import sha256
from typing import Final, TypeAlias
from uuid import UUID

from services.core.retries.fingerprints import arguments, form, record_fields
from services.core.unset import UNSET

LENGTH: Final = 32


@dataclass(frozen=True, slots=True)
class _Plain:
    """What was written as the language writes it, or as a tuple of such."""


@dataclass(frozen=True, slots=True)
class _Named:
    """Members of an enum, whose names were their values."""

    enum: str


@dataclass(frozen=True, slots=True)
class _Proxy:
    """A mapping that could not be changed."""


@dataclass(frozen=True, slots=True)
class _Record:
    """A dataclass: its name, and its fields in their order. A tuple of such is written with the same."""

    name: str
    fields: Mapping[str, "_Shape"] = field(default_factory=dict)


_Shape: TypeAlias = _Plain | _Named | _Proxy | _Record

_PLAIN: Final = _Plain()


def _record(name: str, *plain: str, **shaped: _Shape) -> _Record:
    """Its fields are ``plain`` in their order, but for those that ``shaped`` gives a shape."""
    return _Record(name, {each: shaped.get(each, _PLAIN) for each in plain})


_LANGUAGE: Final = _Named("Language")

_LINE: Final = _record("LineRequest", "performance", "product", "seat_category", "audience_sub_category", "quantity")
_BASKET: Final = _record(
    "BasketRequest",
    "lines",
    "codes",
    "point_of_sale",
    "contact",
    "delivery_mode",
    "use_balance",
    "advantages",
    lines=_LINE,
)
_BASKET_CHANGE: Final = _record(
    "BasketChange", "lines", "contact", "delivery_mode", "use_balance", "advantages", lines=_LINE
)
_BATCH: Final = _record(
    "BatchRequest",
    "offer",
    "contact",
    "quantity",
    "destination",
    "document_type",
    "language",
    "remark",
    document_type=_Named("DocumentType"),
    language=_LANGUAGE,
)
_IMPORT: Final = _record(
    "ImportRequest", "offer", "contact", "remark", "language", "accept_guessable", language=_LANGUAGE
)

_LIMITS: Final = _record("Limits", "quota", "per_order", "per_contact")
_ELEMENT_LIMIT: Final = _record(
    "ElementLimitDraft",
    "product",
    "performance",
    "seat_category",
    "audience_sub_category",
    "limits",
    limits=_LIMITS,
)
_LEVEL: Final = _record("LevelDraft", "indicator", "level")
_OFFER_FIELDS: Final = (
    "internal_name",
    "public_name",
    "picture",
    "valid_from",
    "valid_until",
    "channels",
    "points_of_sale",
    "delivery_modes",
    "scope",
    "limits",
    "benefit",
    "returns_codes",
    "unread",
)
_OFFER_SHAPES: Final[Mapping[str, _Shape]] = {
    "scope": _record("ScopeDraft", "products", "performances", "seat_categories", "audience_sub_categories"),
    "limits": _record("LimitsDraft", "own", "elements", own=_LIMITS, elements=_ELEMENT_LIMIT),
    "benefit": _record(
        "BenefitDraft",
        "rates",
        "percent_off",
        "amount_off",
        "fixed_price",
        "amount_off_per_ticket",
        rates=_record("RateDraft", "seat_category", "audience_sub_category", "price"),
    ),
    "unread": _record("Problem", "path", "text", text=_record("Text", "key", "values", values=_Proxy())),
}
_ADVANTAGE: Final = _record(
    "AdvantageDraft",
    *_OFFER_FIELDS,
    "target",
    "sale_end",
    **_OFFER_SHAPES,
    target=_record(
        "TargetDraft", "public", "campaign", "indicator", "access_code", "tickets_per_code", indicator=_LEVEL
    ),
)
_PROMOTION: Final = _record(
    "PromotionDraft",
    *_OFFER_FIELDS,
    "minimum_basket",
    "combinable",
    "restriction",
    **_OFFER_SHAPES,
    restriction=_record(
        "RestrictionDraft",
        "indicator",
        "has_ordered",
        "newsletter",
        "contacts",
        "counter_profiles",
        indicator=_LEVEL,
    ),
)
_NEW_ADVANTAGE: Final = _record(
    "NewAdvantage", "season", "family", "code", "draft", family=_Named("ProductFamily"), draft=_ADVANTAGE
)
_NEW_PROMOTION: Final = _record("NewPromotion", "code", "draft", draft=_PROMOTION)

_REQUESTS: Final[Mapping[str, _Shape | tuple[_Shape, ...]]] = {
    "createAdvantage": _NEW_ADVANTAGE,
    "createPromotionalCode": _NEW_PROMOTION,
    "updateAdvantage": (_PLAIN, _ADVANTAGE, _PLAIN),
    "updatePromotionalCode": (_PLAIN, _PROMOTION, _PLAIN),
    "changeOfferState": (_PLAIN, _Named("OfferState"), _PLAIN),
    "addCustomCode": (_PLAIN, _PLAIN, _PLAIN),
    "updateCustomCode": (_PLAIN, _PLAIN, _PLAIN, _PLAIN),
    "createBasket": _BASKET,
    "applyAdvantageCode": (_PLAIN, _PLAIN),
    "removeAdvantageCode": (_PLAIN, _PLAIN),
    "updateBasket": (_PLAIN, _BASKET_CHANGE),
    "cancelBasket": _PLAIN,
    "confirmBasket": (_PLAIN, _PLAIN),
    "cancelOrder": (_PLAIN, _PLAIN),
    "controlTicket": _PLAIN,
    "generateCodes": _BATCH,
    "resendCodeBatch": (_PLAIN, _PLAIN),
    "importCodes": (_IMPORT, _PLAIN),
}
"""What each operation took: one argument, or a tuple of them."""

_LEFT_OUT: Final = "<LeftOut.LEFT_OUT: 'LEFT_OUT'>"
_UNSET: Final = {"updateBasket": "<Unset.UNSET: 'UNSET'>"}
"""How the operations of baskets wrote what nobody gave; all others wrote ``_LEFT_OUT``."""


class _OfNowError(Exception):
    """The request holds what there was not then."""


def fingerprint(operation: str, request: object) -> bytes | None:
    """The fingerprint that the request had; None where there was no such request."""
    if operation not in _REQUESTS:
        return None
    shape, given = _REQUESTS[operation], arguments(request)
    shapes = shape if isinstance(shape, tuple) else (shape,)
    if len(given) > len(shapes):
        return None
    filled = given + (None,) * (len(shapes) - len(given))
    writer = _Writer(_UNSET.get(operation, _LEFT_OUT))
    try:
        written = [writer.written(value, own) for value, own in zip(filled, shapes, strict=True)]
    except _OfNowError:
        return None
    whole = _tuple(written) if isinstance(shape, tuple) else written[0]
    return sha256(_tuple([repr(operation), whole]).encode("utf-8", "surrogatepass")).digest()


class _Writer:
    """Writes values as they were; ``unset`` is what stood for what nobody gave."""

    def __init__(self, unset: str) -> None:
        self._unset = unset

    def written(self, value: object, shape: _Shape) -> str:
        if isinstance(value, tuple):
            return _tuple([self.written(each, shape) for each in value])
        if value is UNSET:
            return self._unset
        if value is not None:
            match shape:
                case _Record():
                    return self._record(value, shape)
                case _Named(enum):
                    return f"<{enum}.{value}: {str(value)!r}>"
                case _Proxy():
                    return f"mappingproxy({_mapping(value)})"
        return _plain(value)

    def _record(self, value: object, shape: _Record) -> str:
        if not is_dataclass(value) or isinstance(value, type):
            raise _OfNowError
        attributes: dict[str, object] = {}
        for each in record_fields(type(value)):
            own = getattr(value, each.attribute)
            if each.name in shape.fields:
                attributes[each.name] = own
            elif form(own) != each.default:
                raise _OfNowError
        if attributes.keys() != shape.fields.keys():
            raise _OfNowError
        written = (f"{name}={self.written(attributes[name], own)}" for name, own in shape.fields.items())
        return f"{shape.name}({', '.join(written)})"


def _plain(value: object) -> str:
    """Values of the standard library, whose ``repr`` is the language's own; a key may be of the driver's class."""
    if isinstance(value, UUID):
        return f"UUID('{value}')"
    return _mapping(value) if isinstance(value, Mapping) else repr(value)


def _mapping(value: object) -> str:
    if not isinstance(value, Mapping):
        raise _OfNowError
    return f"{{{', '.join(f'{key!r}: {_plain(own)}' for key, own in value.items())}}}"


def _tuple(written: list[str]) -> str:
    return f"({', '.join(written)}{',' if len(written) == 1 else ''})"
