"""What pricing makes by the dozen for every price.

A frozen dataclass writes its fields through ``object.__setattr__``, which takes four times as long as setting them: a
tenth of a price. These are frozen for the type checker, which guards them as well, and cost nothing at run time.
"""

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

Value = TypeVar("Value")


@dataclass_transform(frozen_default=True)
def value(cls: type[Value]) -> type[Value]:
    """A dataclass with slots, equal and hashed by its fields, which nobody may set again."""
    return dataclass(slots=True, unsafe_hash=True)(cls)
