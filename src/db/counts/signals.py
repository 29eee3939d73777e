"""What processes tell one another: keys of what changed in an organisation, as text that any carrier takes."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Protocol
from uuid import UUID

Heard = Callable[[UUID, frozenset[UUID]], None]
"""Takes an organisation and what changed there."""

_HEX = 32
_SUBJECTS_A_SIGNAL = 200  # PostgreSQL takes payloads below 8,000 bytes.


class Lost(Exception):  # noqa: N818 - the end of a connection, which whoever listens makes anew
    """The connection to the carrier is lost or was refused."""


class Carrier(Protocol):
    """Carries signals from every process to every process that listens."""

    async def send(self, changed: Mapping[UUID, Collection[UUID]]) -> None:
        """Signals what changed, by organisation. Raises Lost."""

    async def listen(self, heard: Heard, began: Callable[[], None]) -> None:
        """Hears every signal on a connection of its own until that is lost; ``began`` once it listens. Raises Lost."""

    async def close(self) -> None:
        """Closes the connections that carry signals."""


def signals(changed: Mapping[UUID, Collection[UUID]]) -> Iterator[str]:
    """The texts that say this, none of them long."""
    for organisation, subjects in changed.items():
        keys = [subject.hex for subject in subjects]
        for start in range(0, len(keys), _SUBJECTS_A_SIGNAL):
            yield organisation.hex + "".join(keys[start : start + _SUBJECTS_A_SIGNAL])


def hear(signal: str, heard: Heard) -> None:
    """Passes on what the text says. Anybody who may connect may signal: what is no signal of ours says nothing."""
    try:
        keys = [UUID(signal[start : start + _HEX]) for start in range(0, len(signal), _HEX)]
    except ValueError:
        return
    if keys:
        heard(keys[0], frozenset(keys[1:]))
