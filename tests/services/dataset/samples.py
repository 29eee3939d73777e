"""Data files for tests: the example's, changed."""

from collections.abc import Sequence
from copy import deepcopy
from importlib.resources import files
from typing import Any

from services.dataset import read

_EXAMPLE = read(files("sesame").joinpath("example.json").read_bytes())


def example() -> Any:
    """A fresh copy of the example's document."""
    return deepcopy(_EXAMPLE)


def changed(*changes: tuple[str, object]) -> Any:
    """The example with values set at paths such as ``products.0.family``; a list grows at its length."""
    document = example()
    for path, value in changes:
        *parents, last = path.split(".")
        target = _at(document, parents)
        if isinstance(target, list) and int(last) == len(target):
            target.append(value)
        else:
            target[int(last) if isinstance(target, list) else last] = value
    return document


def without(path: str) -> Any:
    """The example without what stands at a path."""
    document = example()
    *parents, last = path.split(".")
    del _at(document, parents)[last]
    return document


def _at(document: Any, path: Sequence[str]) -> Any:
    for part in path:
        document = document[int(part) if isinstance(document, list) else part]
    return document
