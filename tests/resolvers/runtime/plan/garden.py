"""A schema of all that executors know, whose values are now right and now wrong, each time in the same way."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from random import Random
from typing import Annotated, Any

import strawberry

from resolvers.runtime.execution import build_schema
from services.core.pacing import Pacer


@dataclass
class Later:
    """Something that can be awaited, again and again: a value, or the failure that comes instead."""

    value: Any
    turns: int = 1

    def __await__(self) -> Generator[Any, None, Any]:
        for _ in range(self.turns):
            yield from asyncio.sleep(0).__await__()
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


@strawberry.enum
class Colour(Enum):
    RED = "r"
    GREEN = "g"


@strawberry.interface
class Named:
    name: str
    nickname: str | None

    @strawberry.field
    def shouted(self, times: int = 1) -> str:
        return self.name.upper() * times


@strawberry.type
class Leaf(Named):
    number: int
    flag: bool | None
    colour: Colour
    at: datetime | None
    amount: Decimal
    ids: list[strawberry.ID | None]


@strawberry.type
class Stone:
    weight: float
    key: strawberry.ID | None


@strawberry.input
class Scale:
    by: int = 3
    colours: list[Colour] | None = None
    at: datetime | None = None
    inner: "Scale | None" = None


@strawberry.type
class Branch(Named):
    leaf: Leaf
    maybe_leaf: Leaf | None
    leaves: list[Leaf]
    maybe_leaves: list[Leaf | None] | None
    named: Named
    things: "list[Thing]"
    thing: "Thing | None"
    grid: list[list[Leaf | None]]
    stone: Stone
    seed: strawberry.Private[int]

    @strawberry.field
    def scaled(self, scale: Scale | None = None, n: int = 2) -> int:
        return self.seed % 7 * n * (1 if scale is None else scale.by)

    @strawberry.field
    def told(self, info: strawberry.Info, language: str | None = None) -> str:
        names = [each.name.value for each in info._raw_info.field_nodes]
        return f"{info.path.as_list()} {info.path.typename} {names} {sorted(info.variable_values)} {language}"

    @strawberry.field
    async def slowly(self, info: strawberry.Info, turns: int = 1) -> Leaf | None:
        path = info.path.as_list()
        await Later(None, turns % 4)
        assert path == info.path.as_list()
        found: Leaf | None = Maker(self.seed + turns).value(Maker.leaf)
        return found

    @strawberry.field
    async def surely(self, turns: int = 1) -> Leaf:
        await Later(None, turns % 4)
        found: Leaf = Maker(self.seed + 2 * turns).value(Maker.leaf)
        return found

    @strawberry.field
    async def branches(self, count: int = 2) -> "list[Branch | None]":
        found: list[Branch | None] = Maker(self.seed + 3).many(Maker.branch, count % 4)
        return found

    @strawberry.field
    def branch(self) -> "Branch":
        found: Branch = Maker(self.seed + 5).value(Maker.branch)
        return found

    @strawberry.field
    async def climb(self) -> "Branch | None":
        found: Branch | None = Maker(self.seed + 7).value(Maker.branch)
        return found


Thing = Annotated[Leaf | Branch | Stone, strawberry.union("Thing")]


class Maker:
    """Makes values by a seed: about one in ``one_in`` is wrong."""

    one_in = 12
    """Set by tests."""
    later = True
    """Whether some come later."""
    wrong = 0
    """How many were wrong so far."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311

    def value(self, make: Any, *wrong: Any) -> Any:
        """What ``make`` makes of this, or something else; now, or later."""
        chance = self._random.randrange(self.one_in * 4) if self.one_in else 99
        Maker.wrong += chance <= 2
        if chance == 0:
            found: Any = None
        elif chance == 1:
            found = ValueError(f"broken {self._random.randrange(1000)}")
        elif chance == 2:
            found = self._random.choice([object, *wrong])()
        else:
            found = make(self)
        if self.later and self._random.random() < 0.05:
            return Later(found, self._random.randrange(3))
        return found

    def many(self, make: Any, count: int | None = None) -> Any:
        size = self._random.randrange(4) if count is None else count
        return [self.value(make) for _ in range(size)]

    def text(self) -> str:
        return self._random.choice(["oak", "élan", "日"])

    def leaf(self) -> Leaf:
        random = self._random
        return Leaf(
            name=self.value(Maker.text, int),
            nickname=self.value(Maker.text, list),
            number=self.value(lambda made: random.choice([1, -5, True, 2.0, "3"]), lambda: 2**40),
            flag=self.value(lambda made: random.choice([True, False, 1])),
            colour=self.value(lambda made: random.choice([Colour.RED, Colour.GREEN, "g"])),
            at=self.value(lambda made: datetime(2026, 11, 28, 10, tzinfo=UTC), lambda: datetime(2026, 1, 1)),  # noqa: DTZ001
            amount=self.value(lambda made: Decimal("12.50")),
            ids=self.value(lambda made: made.many(lambda each: random.choice(["a", 7])), int),
        )

    def stone(self) -> Stone:
        return Stone(weight=self.value(lambda made: 1.5, lambda: float("nan")), key=self.value(Maker.text))

    def thing(self) -> Any:
        return self._random.choice([Maker.leaf, Maker.stone, Maker.leaf])(self)

    def branch(self) -> Branch:
        random = self._random
        return Branch(
            name=self.value(Maker.text),
            nickname=self.value(Maker.text),
            leaf=self.value(Maker.leaf),
            maybe_leaf=self.value(Maker.leaf),
            leaves=self.value(lambda made: made.many(Maker.leaf)),
            maybe_leaves=self.value(lambda made: tuple(made.many(Maker.leaf)), int),
            named=self.value(Maker.leaf, self.stone),
            things=self.value(lambda made: made.many(Maker.thing)),
            thing=self.value(Maker.thing),
            grid=self.value(lambda made: made.many(lambda each: each.many(Maker.leaf))),
            stone=self.value(Maker.stone),
            seed=random.randrange(10**6),
        )


@strawberry.type
class Query:
    @strawberry.field
    def branch(self, seed: int = 1) -> Branch:
        return Maker(seed).branch()

    @strawberry.field
    async def maybe_branch(self, seed: int = 2) -> Branch | None:
        return Maker(seed).branch()

    @strawberry.field
    async def forest(self, seed: int = 3) -> list[Branch]:
        return [Maker(seed + each).branch() for each in range(3)]

    @strawberry.field
    def anything(self, seed: int = 4) -> Thing:
        found: Thing = Maker(seed).thing()
        return found

    @strawberry.field
    def named(self, seed: int = 5) -> list[Named | None]:
        found: list[Named | None] = Maker(seed).many(Maker.leaf, 4)
        return found


@dataclass
class Diary:
    """What mutations did, in which order."""

    lines: list[str] = field(default_factory=list)


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def grow(self, info: strawberry.Info, seed: int = 1) -> Branch | None:
        info.context.lines.append(f"grow {seed} {info.path.key}")
        await asyncio.sleep(0)
        info.context.lines.append(f"grown {seed} {info.path.key}")
        return Maker(seed).branch()

    @strawberry.mutation
    def cut(self, info: strawberry.Info, seed: int = 1) -> Leaf:
        info.context.lines.append(f"cut {seed} {info.path.key}")
        return Maker(seed).leaf()


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def seasons(self, seed: int = 1) -> AsyncGenerator[Branch, None]:
        for each in range(3):
            yield Maker(seed + each).branch()


class Steady(Pacer):
    """Interrupts nobody, or everybody now and then, whatever the machine has to do beside."""

    every = 0

    def __init__(self) -> None:
        super().__init__()
        self._asked = 0

    def is_over(self) -> bool:
        self._asked += 1
        return bool(self.every) and self._asked % self.every == 0

    async def turn(self) -> None:
        await asyncio.sleep(0)


GARDEN = build_schema(Query, Mutation, Subscription, types=[Leaf, Branch])
VALUES: dict[str, list[Any]] = {
    "Int": [0, 1, 2, 3, 7, 11],
    "String": ["a", 'b"c', "é"],
    "ID": ["x"],
    "Boolean": [True, False],
    "DateTime": ["2026-11-28T10:00:00Z"],
    "Decimal": ["1.50"],
    "seed": list(range(1000)),
}
