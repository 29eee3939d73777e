"""Where in an answer a value belongs: enough to write it there, to null what holds it, and to tell its path."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple, Optional

from graphql.pyutils import Path


class Place(NamedTuple):
    """One position of an answer. Each is made once, so that it is known again by its identity."""

    above: Optional["Place"]
    """None at the root of the answer."""
    holder: Any
    """The dict or list in which the value goes."""
    key: Any
    """Under which it goes there."""
    nullable: bool
    """Whether null may stand there in the place of a value that failed."""
    typename: str | None
    """Of the object that has the field; None for an item of a list."""

    def upwards(self) -> Iterator["Place"]:
        """This place, and all that hold it."""
        place: Place | None = self
        while place is not None:
            yield place
            place = place.above

    def path(self) -> Path:
        """As resolvers are told it."""
        above = self.above
        return Path(None if above is None else above.path(), self.key, self.typename)

    def keys(self) -> list[str | int]:
        """As errors say it."""
        return [place.key for place in self.upwards()][::-1]


class _Pending:
    """What stands in a place until its value is there."""


PENDING: Final = _Pending()
