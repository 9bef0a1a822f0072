"""The space that a sweep looks through: what each of the objective's arguments may be, and how a trial's are drawn.

What a trial gets depends on the sweep's seed and on the trial's number alone, so that a sweep that goes on later draws
what it would have drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from .errors import InvalidSpec

#: Values up to which the record of a sweep has all that an argument may be.
LISTED = 50


@dataclass(frozen=True)
class Between:
    """Any number between two.

    Parameters
    ----------
    low, high : the ends, both included.
    log : whether each power of ten is as likely as the next.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        _check_ends(self.low, self.high)
        if self.log and self.low <= 0:
            raise InvalidSpec(f"A range of powers can't begin at {self.low!r}", "", "Begin above 0.")

    def draw(self, random: Random) -> float:
        """One of them."""
        if self.log:
            drawn = math.exp(random.uniform(math.log(self.low), math.log(self.high)))
            return min(max(drawn, self.low), self.high)
        return random.uniform(self.low, self.high)


@dataclass(frozen=True)
class WholeBetween:
    """Any whole number between two.

    Parameters
    ----------
    low, high : the ends, both included.
    """

    low: int
    high: int

    def __post_init__(self) -> None:
        if type(self.low) is not int or type(self.high) is not int:
            raise InvalidSpec(
                f"({self.low!r}, {self.high!r}) aren't whole numbers", "", "Use mlops.uniform for others."
            )
        _check_ends(self.low, self.high)

    @property
    def values(self) -> Sequence[int]:
        """All of them."""
        return range(self.low, self.high + 1)

    def draw(self, random: Random) -> int:
        """One of them."""
        return random.randint(self.low, self.high)


@dataclass(frozen=True)
class OneOf:
    """One of some values.

    Parameters
    ----------
    values : texts, numbers, booleans or None.
    """

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise InvalidSpec("There is nothing to choose from", "the list is empty", "Name the values.")
        for value in self.values:
            if not isinstance(value, (str, int, float, type(None))):
                why = "the table of trials has texts, numbers, booleans and None"
                raise InvalidSpec(
                    f"{value!r:.80} can't be chosen", why, "Choose its name, and look it up in the objective."
                )

    def draw(self, random: Random) -> Any:
        """One of them."""
        return random.choice(self.values)


Dimension = Between | WholeBetween | OneOf


def log(low: float, high: float) -> Between:
    """Of an argument in a sweep: any number between two, each power of ten as likely as the next; a learning rate.

    Raises
    ------
    InvalidSpec : they aren't two numbers above 0, the smaller one first.
    """
    return Between(low, high, log=True)


def uniform(low: float, high: float) -> Between:
    """Of an argument in a sweep: any number between two.

    Raises
    ------
    InvalidSpec : they aren't two numbers, the smaller one first.
    """
    return Between(low, high)


def whole(low: int, high: int) -> WholeBetween:
    """Of an argument in a sweep: any whole number between two, both included.

    Raises
    ------
    InvalidSpec : they aren't two whole numbers, the smaller one first.
    """
    return WholeBetween(low, high)


class Space:
    """What a sweep looks through.

    Parameters
    ----------
    given : argument → `log`, `uniform`, `whole`, a list or range of values, or one value for all trials.

    Raises
    ------
    InvalidSpec : there is no argument, or one can't be anything.
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        if not isinstance(given, Mapping) or not given or not all(isinstance(name, str) for name in given):
            raise InvalidSpec(
                f"A sweep can't look through {given!r:.80}",
                "it needs a dict of the objective's arguments",
                'Write {"lr": mlops.log(1e-5, 1e-1), "layers": mlops.whole(1, 8), "act": ["relu", "gelu"]}.',
            )
        self.dimensions: dict[str, Dimension] = {name: _dimension(value) for name, value in given.items()}

    def __repr__(self) -> str:
        """Two spaces are the same if this is."""
        return repr(self.dimensions)

    @property
    def extents(self) -> dict[str, dict[str, Any]]:
        """What each argument may be, as the fields of an `Extent` that say something."""
        return {name: _extent(dimension) for name, dimension in self.dimensions.items()}

    def random(self, seed: int, number: int) -> dict[str, Any]:
        """The arguments of the trial of that number, drawn."""
        random = Random(f"{seed}-{number}")  # noqa: S311 - nobody is kept out by it
        return {name: dimension.draw(random) for name, dimension in self.dimensions.items()}

    @property
    def size(self) -> int:
        """How many different trials there are.

        Raises
        ------
        InvalidSpec : one of the arguments may be any number.
        """
        return math.prod(len(values) for values in self._listed().values())

    def grid(self, number: int) -> dict[str, Any]:
        """The arguments of the trial of that number, of all that there are; the last one changes first. Raises as
        `size`."""
        found: dict[str, Any] = {}
        for name, values in reversed(self._listed().items()):
            number, position = divmod(number, len(values))
            found[name] = values[position]
        return {name: found[name] for name in self.dimensions}

    def _listed(self) -> dict[str, Sequence[Any]]:
        listed: dict[str, Sequence[Any]] = {}
        for name, dimension in self.dimensions.items():
            if isinstance(dimension, Between):
                why = f"{name!r} may be any number between {dimension.low} and {dimension.high}"
                raise InvalidSpec("A grid has no end", why, "List its values, or use sampler='random'.")
            listed[name] = dimension.values
        return listed


def _extent(dimension: Dimension) -> dict[str, Any]:
    if isinstance(dimension, OneOf):
        return {"values": list(dimension.values)} if len(dimension.values) <= LISTED else {}
    ends = {"low": dimension.low, "high": dimension.high}
    return {**ends, "log": True} if isinstance(dimension, Between) and dimension.log else ends


def _dimension(value: Any) -> Dimension:
    if isinstance(value, (Between, WholeBetween, OneOf)):
        return value
    if isinstance(value, (list, tuple, range, set, frozenset)) or hasattr(value, "tolist"):
        listed = value.tolist() if hasattr(value, "tolist") else list(value)  # NumPy's numbers become Python's
        return OneOf(tuple(listed) if isinstance(listed, list) else (listed,))
    return OneOf((value,))


def _check_ends(low: Any, high: Any) -> None:
    numbers = all(isinstance(end, (int, float)) and math.isfinite(end) for end in (low, high))
    if not numbers or not low <= high:
        raise InvalidSpec(f"There is no range from {low!r} to {high!r}", "", "Name two numbers, the smaller one first.")
