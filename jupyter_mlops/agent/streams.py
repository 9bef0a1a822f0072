"""Random numbers for the items of a map: a generator that the code uses gives each item numbers of its own. They depend
on the generator and on the item's number, and so not on workers, batches and retries."""

from __future__ import annotations

import hashlib
import sys
from typing import Any

#: What stands for a generator in the pickle of a run's code, with its number.
GENERATOR = "generator"

#: Generators, as module and name of their type: those of a subclass may be anything.
_KINDS = {
    ("numpy.random._generator", "Generator"): "numpy",
    ("numpy.random.mtrand", "RandomState"): "numpy's old",
    ("random", "Random"): "python",
    ("torch._C", "Generator"): "torch",
}


def is_generator(value: Any) -> bool:
    """Whether `value` is a random generator of Python, numpy or torch."""
    return _kind(value) is not None


def drawn(generator: Any) -> int:
    """A number that a generator gives: the next one is another, and so will be the next map's."""
    match _kind(generator):
        case "numpy":
            return int(generator.integers(2**63))
        case "numpy's old":
            return int.from_bytes(generator.bytes(8), "big")
        case "python":
            return int(generator.getrandbits(64))
        case _:
            return int(sys.modules["torch"].randint(2**62, (), generator=generator))


def begin(generator: Any, key: int, item: int) -> None:
    """Let `generator` go on with the numbers of an item; `key` is what was drawn from it for the map."""
    seed = int.from_bytes(hashlib.blake2b(f"{key}/{item}".encode(), digest_size=16).digest(), "big")
    match _kind(generator):
        case "numpy":
            generator.bit_generator.state = type(generator.bit_generator)(seed).state
        case "numpy's old":
            generator.seed([seed >> shift & 0xFFFFFFFF for shift in (0, 32, 64, 96)])
        case "python":
            generator.seed(seed)
        case _:
            generator.manual_seed(seed >> 65)


class Streams:
    """The random generators of a run.

    Parameters
    ----------
    generators : with the key of each.
    """

    def __init__(self, generators: list[tuple[Any, int]]) -> None:
        self._generators = generators

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._generators)

    def __getitem__(self, number: int) -> Any:
        """The generator of that number."""
        return self._generators[number][0]

    def begin(self, item: int) -> None:
        """Let each go on with the numbers of an item."""
        for generator, key in self._generators:
            begin(generator, key, item)


def _kind(value: Any) -> str | None:
    kind = type(value)
    return _KINDS.get((kind.__module__, kind.__qualname__))
