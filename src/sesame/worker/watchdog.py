"""Ends the process when something in it hangs, and nothing else would."""

import os
import threading
import time
from contextlib import suppress
from typing import Final

import structlog

GIVEN_UP: Final = os.EX_TEMPFAIL
"""The status with which a process ends that is to be started again."""

_LOOK_SECONDS: Final = 0.2
_LAST_WORD_SECONDS: Final = 1.0

_log = structlog.get_logger("sesame.worker.watchdog")


class Watchdog:
    """Deadlines of one process, kept by a thread: the event loop may be what hangs."""

    def __init__(self) -> None:
        self._deadlines: dict[str, float] = {}
        threading.Thread(target=self._watch, daemon=True).start()

    def expect(self, what: str, seconds: float) -> None:
        """Ends the process unless it is told within so many seconds that this is ``over``, or is to be later."""
        self._deadlines[what] = time.monotonic() + seconds

    def over(self, *whats: str) -> None:
        """What was expected has come, or is not expected any more."""
        for what in whats:
            self._deadlines.pop(what, None)

    def _watch(self) -> None:
        while True:
            time.sleep(_LOOK_SECONDS)
            now = time.monotonic()
            late = [what for what, deadline in tuple(self._deadlines.items()) if now > deadline]
            if late:
                # What is written may hang as well.
                saying = threading.Thread(target=_say, args=(late,), daemon=True)
                saying.start()
                saying.join(_LAST_WORD_SECONDS)
                os._exit(GIVEN_UP)


def _say(late: list[str]) -> None:
    with suppress(OSError):
        _log.error("the process hangs and is ended", waited_for=late)
