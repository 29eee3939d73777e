"""Which language a client reads, from its Accept-Language header (RFC 9110, section 12.5.4)."""

from services.core.texts import Language

DEFAULT_LANGUAGE = Language.FR

_MOST_RANGES = 30


def negotiated(header: str | None) -> Language:
    """The most wanted of our languages, French where none is wanted. Ranges that make no sense are passed over."""
    wanted: list[tuple[float, Language]] = []
    for language_range in (header or "").split(",", _MOST_RANGES)[:_MOST_RANGES]:
        tag, _, weight = language_range.partition(";")
        language = _language(tag.strip())
        quality = _quality(weight.strip())
        if language is not None and quality > 0:
            wanted.append((quality, language))
    # max keeps the first of equals, as the client listed them.
    return max(wanted, key=lambda each: each[0])[1] if wanted else DEFAULT_LANGUAGE


def _language(tag: str) -> Language | None:
    if tag == "*":
        return DEFAULT_LANGUAGE
    try:
        return Language(tag.partition("-")[0].upper())
    except ValueError:
        return None


def _quality(weight: str) -> float:
    if not weight:
        return 1.0
    name, _, value = weight.partition("=")
    try:
        quality = float(value)
    except ValueError:
        return 0.0
    return quality if name.strip().lower() == "q" and 0 <= quality <= 1 else 0.0
