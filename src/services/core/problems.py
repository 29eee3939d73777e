"""What is wrong with an input, gathered."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from services.core.errors import InvalidInput, NotFound, Path, Problem
from services.core.texts import Text


@contextmanager
def within(*place: str) -> Iterator[None]:
    """Has what is wrong with a part of the input, which stands at ``place``, named from the whole input on."""
    try:
        yield
    except InvalidInput as failure:
        failure.problems = tuple(replace(each, path=(*place, *each.path)) for each in failure.problems)
        raise
    except NotFound as failure:
        failure.path = (*place, *failure.path)
        raise


class Problems:
    """Everything that is wrong with one input, in the order in which it was found.

    What was ``unread``, such as a broken id, needs no second complaint.
    """

    def __init__(self, unread: Sequence[Problem] = ()) -> None:
        self._found = list(unread)
        self._unread = {problem.path for problem in unread}

    def __iter__(self) -> Iterator[Problem]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def add(self, path: Path, text: Text) -> None:
        self.note(Problem(path, text))

    def note(self, problem: Problem) -> None:
        if problem.path not in self._unread:
            self._found.append(problem)

    def refuse(self, path: Path, reason: Text | None) -> None:
        """Adds the reason, if there is one."""
        if reason is not None:
            self.add(path, reason)

    def refuse_each(self, path: Path, reasons: Iterable[Text | None]) -> None:
        """Adds the reasons that there are for the entries of the list at ``path``, each at its position."""
        for position, reason in enumerate(reasons):
            self.refuse((*path, str(position)), reason)

    def extend(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            self.note(problem)

    def check(self) -> None:
        """Raises InvalidInput with all of them, if there are any."""
        if self._found:
            raise InvalidInput(self._found)


def repeated(values: Iterable[Hashable]) -> Iterator[bool]:
    """For each value in turn, whether it has stood before."""
    seen: set[Hashable] = set()
    for value in values:
        yield value in seen
        seen.add(value)
