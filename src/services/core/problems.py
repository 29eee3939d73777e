"""What is wrong with a draft, gathered."""

from collections.abc import Iterable, Sequence

from services.core.errors import InvalidInput, Path, Problem
from services.core.texts import Text


class Problems:
    """Everything that is wrong with one input; what was ``unread``, such as a broken id, needs no second complaint."""

    def __init__(self, unread: Sequence[Problem] = ()) -> None:
        self._found = list(unread)
        self._unread = {problem.path for problem in unread}

    def add(self, path: Path, text: Text) -> None:
        if path not in self._unread:
            self._found.append(Problem(path, text))

    def refuse(self, path: Path, reason: Text | None) -> None:
        """Adds the reason, if there is one."""
        if reason is not None:
            self.add(path, reason)

    def extend(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            self.add(problem.path, problem.text)

    def check(self) -> None:
        """Raises InvalidInput with all of them, if there are any."""
        if self._found:
            raise InvalidInput(self._found)
