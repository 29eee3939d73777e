"""What a list has more than once."""

from collections.abc import Hashable, Iterable, Iterator


def repeated(values: Iterable[Hashable]) -> Iterator[bool]:
    """For each value in turn, whether it has stood before."""
    seen: set[Hashable] = set()
    for value in values:
        yield value in seen
        seen.add(value)
