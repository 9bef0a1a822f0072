"""The checkpoints of one attempt of a gang: each is complete once all ranks have written their parts of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class _Parts:
    """A checkpoint whose ranks have not all written their parts: what each wrote, file → bytes."""

    best: float | None = None
    files: dict[int, dict[str, int]] = field(default_factory=dict)
    #: Whether one rank writes all of it.
    alone: bool = False


class GangCheckpoints:
    """Those of one attempt.

    Parameters
    ----------
    attempt : its number.
    world : its ranks.
    resume : the checkpoint that it began from, with its `step`.
    """

    def __init__(self, attempt: int, world: int, resume: dict[str, Any] | None) -> None:
        self._attempt, self._world = attempt, world
        self._from = -1 if resume is None else resume["step"]
        self._parts: dict[int, _Parts] = {}
        self._said = False
        #: How many are being completed.
        self.keeping = 0
        #: Whether one is kept of a later step than that it began from.
        self.got_on = False

    def written(
        self, rank: int, step: int, best: float | None, alone: bool, files: dict[str, int]
    ) -> dict[str, Any] | None:
        """A rank has written its part; what is to be kept, once all have, or one that writes `alone`."""
        parts = self._parts.setdefault(step, _Parts())
        parts.files[rank], parts.alone = files, parts.alone or alone
        parts.best = best if parts.best is None else parts.best
        if not parts.alone and len(parts.files) < self._world:
            return None
        self._parts = {later: others for later, others in self._parts.items() if later > step}
        self.keeping += 1
        return {
            "step": step,
            "attempt": self._attempt,
            "best": parts.best,
            "world": self._world,
            "files": {name: size for rank in sorted(parts.files) for name, size in parts.files[rank].items()},
        }

    def kept(self, step: int) -> None:
        """One is complete."""
        self.keeping -= 1
        self.got_on = self.got_on or step > self._from  # the same step once more is what many loops begin with

    def missing_beside(self, rank: int) -> str:
        """Who wrote nothing, in words, once; empty where that needn't be said. A rank that has written three
        checkpoints of which none is complete may be the only one to write: then none would ever be."""
        mine = [step for step, parts in sorted(self._parts.items()) if rank in parts.files]
        if len(mine) < 3 or self._said:
            return ""
        self._said = True
        missing = sorted(set(range(self._world)) - set(self._parts[mine[0]].files))
        others = f"rank {missing[0]}" if len(missing) == 1 else f"ranks {', '.join(map(str, missing))}"
        return (
            f"The checkpoint of step {mine[0]} isn't complete, since {others} wrote nothing: call "
            "mlops.checkpoint in all ranks, or with alone=True in the one that writes all of it"
        )
