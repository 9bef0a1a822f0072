"""What a run used of its workers, and which workers would have done: right-sizing.

Nothing is guessed: there is advice only where it was measured for long enough, where it changes something that is worth
it, and never for more CPUs, since nobody knows what a run would do with them.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from .base import Label, Record, Saying, Seconds, otherwise
from .price import GB, Price
from .words import count, listed, shape, size, span

#: A run that was measured for less tells nothing: much of it was imports.
LEAST: Seconds = 60.0

#: Memory beyond the highest peak: a worker is then 80 % full, where Dask begins to pause one. Its own process, which
#: holds what stays on the cluster, should be no more than 70 % full: there Dask begins to write to disk.
SPARE, OWN_FULL = 1.25, 0.70

#: How much more memory is worth a try, where it ran out: how much is needed nobody knows.
MORE = 1.5

#: CPUs that may be lacking for a twentieth of the time.
LACK = 0.2

#: Less than this part of memory or of money isn't worth another profile.
WORTH_MEMORY, WORTH_MONEY = 0.2, 0.1

#: Memory up to so many bytes is rounded up to such a step.
_STEPS = ((GB, GB / 4), (4 * GB, GB / 2), (16 * GB, GB), (64 * GB, 4 * GB), (math.inf, 8 * GB))

#: Bytes that a worker should have in any case: the next run may import more.
LEAST_MEMORY = round(GB / 2)


class WorkerUse(Record):
    """What a run used of one worker, from its first task there until now.

    `peak` is the memory of the worker with all of the run's processes, `own_peak` that of its own process, `largest`
    that of one process of the run with what it started: a rank's, or that of a worker's thread. `busy` are the CPUs
    that the run computed on for 95 % of the time at most, and `cpu_seconds` is what it computed. `at_once` is how many
    tasks ran at the same time, which need a CPU each; 1 for a gang. `out` is how often memory ran out.
    """

    seconds: Seconds = 0
    peak: int = 0
    own_peak: int = 0
    largest: int = 0
    busy: float = 0
    cpu_seconds: float = 0
    at_once: int = 1
    out: int = 0


class GroupUse(WorkerUse):
    """The same of the workers of one group: of each, the most of any of them; of `cpu_seconds` and `out` the sum.

    `cpus`, `memory` (bytes), `gpus` and `rates` are those of one worker.
    """

    group: Label
    cpus: float
    memory: int
    gpus: int = 0
    rates: Price = Price()
    workers: int = 0

    @property
    def sentence(self) -> str:
        """What was used, in words: "1.1 GB of 4.0 GB and 0.9 of 4 CPUs"."""
        return f"{size(self.peak)} of {size(self.memory)} and {_few(self.busy)} of {count(self.cpus, 'CPU')}"

    def with_worker(self, told: WorkerUse, before: WorkerUse | None) -> GroupUse:
        """The same, with what a worker tells; `before` is what it told before."""
        earlier = before or WorkerUse()
        most = {name: max(getattr(self, name), getattr(told, name)) for name in _MOST}
        more = {name: getattr(self, name) + getattr(told, name) - getattr(earlier, name) for name in _SUMS}
        return self.model_copy(update={**most, **more, "workers": self.workers + (before is None)})


#: Of several workers the most counts; or their sum.
_MOST, _SUMS = ("seconds", "peak", "own_peak", "largest", "busy", "at_once"), ("cpu_seconds", "out")


class Advice(Record):
    """Which workers would have done for a run, or are worth a try where memory ran out.

    `cpus` and `memory` (bytes) are those of one worker, `saving` is the part of the money that they cost less (0.62),
    None where no price is known. `text` says it, `evidence` what it rests on.
    """

    kind: Annotated[Literal["less", "more memory"], otherwise("less")]
    group: Label
    cpus: float
    memory: int
    saving: float | None = None
    text: Saying
    evidence: Saying = ""


class AdviceList(list[Advice]):
    """Advice that shows itself as text."""

    def __repr__(self) -> str:
        return "\n".join(each.text for each in self) or "Nothing: no other workers are known to be better for this run."


def advice_of(uses: list[GroupUse]) -> list[Advice]:
    """What is to be said of a run that is over, from what it used of each group."""
    found = [_more_memory(use) if use.out else _less(use) for use in uses]
    return [each for each in found if each is not None]


def enough_memory(use: GroupUse) -> int:
    """Bytes that a worker needs for what the run used, as people ask for memory."""
    return max(LEAST_MEMORY, _rounded(max(SPARE * use.peak, use.own_peak / OWN_FULL)))


def enough_cpus(use: GroupUse) -> float:
    """CPUs that a worker needs for what the run used: each task that runs at the same time needs one, too."""
    return min(use.cpus, max(1, use.at_once, math.ceil(use.busy - LACK)))


def _less(use: GroupUse) -> Advice | None:
    """Smaller workers that would have done."""
    cpus, memory = enough_cpus(use), min(use.memory, enough_memory(use))
    if memory > (1 - WORTH_MEMORY) * use.memory:
        memory = use.memory
    saving = _saving(use, cpus, memory)
    if use.seconds < LEAST or (cpus, memory) == (use.cpus, use.memory):
        return None
    if saving is not None and saving < WORTH_MONEY:
        return None
    money = "" if saving is None else f", about −{saving:.0%}".replace("%", " %")
    return Advice(
        kind="less",
        group=use.group,
        cpus=cpus,
        memory=memory,
        saving=saving,
        text=f"Its workers used at most {use.sentence}: a group of {shape(cpus, memory)} would have done{money}",
        evidence=_evidence(use),
    )


def _more_memory(use: GroupUse) -> Advice:
    memory = _rounded(MORE * use.memory)
    return Advice(
        kind="more memory",
        group=use.group,
        cpus=use.cpus,
        memory=memory,
        text=f"Memory ran out on its workers, which have {size(use.memory)}: try a group with {size(memory)}",
        evidence="How much it needs isn't known: its code was ended before it had it all",
    )


def _evidence(use: GroupUse) -> str:
    parts = ["the highest peak of memory, with a quarter to spare"]
    parts.append("the CPUs that it computed on, or waited for, for 95 % of the time at most")
    tasks = f"; {count(use.at_once, 'task')} at once, with a CPU each" if use.at_once > 1 else ""
    where = f"{count(use.workers, 'worker')} of {use.group!r}"
    return f"Measured for {span(use.seconds)} on {where}: {listed(parts)}{tasks}"


def _saving(use: GroupUse, cpus: float, memory: int) -> float | None:
    """The part of a worker's price that another shape costs less; None where no price is known."""
    now = use.rates.per_hour(use.cpus, use.memory, use.gpus)
    then = use.rates.per_hour(cpus, memory, use.gpus)
    return None if not now or then is None else 1 - then / now


def _rounded(memory: float) -> int:
    step = next(step for most, step in _STEPS if memory <= most)
    return round(math.ceil(memory / step) * step)


def _few(cpus: float) -> str:
    return f"{cpus:.0f}" if cpus >= 10 else f"{cpus:.1f}"
