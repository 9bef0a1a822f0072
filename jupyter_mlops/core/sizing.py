"""What a run used of its workers, and which workers would have done: right-sizing.

Nothing is guessed: there is advice only where it was measured for long enough, where it changes something that is worth
it, and never for more CPUs, since nobody knows what a run would do with them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Literal

from .base import Label, Record, Saying, Seconds, otherwise
from .price import GB, Price
from .words import count, listed, percent, shape, size, span

#: A run that was measured for less tells nothing: much of it was imports.
LEAST: Seconds = 60.0

#: Memory beyond the highest peak: a worker is then 80 % full, where Dask begins to pause one. Its own process, which
#: holds what stays on the cluster, should be no more than 70 % full: there Dask begins to write to disk.
SPARE, OWN_FULL = 1.25, 0.70

#: How full its own process may be before Dask gives it no new tasks. At 95 % it is ended.
PAUSED = 0.80

#: Runs that have to agree before advice is sure.
SURE = 3

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

    `cpus`, `memory` (bytes), `gpus` and `rates` are those of one worker, `runs` the runs that it was seen in. `spot` is
    whether the group asked for spot machines; None where its place has none.
    """

    group: Label
    cpus: float
    memory: int
    gpus: int = 0
    rates: Price = Price()
    workers: int = 0
    runs: int = 1
    spot: bool | None = None

    @property
    def sentence(self) -> str:
        """What was used, in words: "1.1 GB of 4.0 GB and 0.9 of 4 CPUs"."""
        cpus = f"{_few(self.busy)} of {count(self.cpus, 'CPU')}"
        if self.busy > self.cpus + LACK:  # a pod may have more than it asks for, while its node has some to spare
            cpus = f"{_few(self.busy)} CPUs ({self.cpus:g} asked for)"
        return f"{size(self.peak)} of {size(self.memory)} and {cpus}"

    def with_worker(self, told: WorkerUse, before: WorkerUse | None) -> GroupUse:
        """The same, with what a worker tells; `before` is what it told before."""
        earlier = before or WorkerUse()
        most = {name: max(getattr(self, name), getattr(told, name)) for name in _MOST}
        more = {name: getattr(self, name) + getattr(told, name) - getattr(earlier, name) for name in _SUMS}
        return self.model_copy(update={**most, **more, "workers": self.workers + (before is None)})

    def with_run(self, other: GroupUse) -> GroupUse:
        """The same of one more run on the group: a worker has to do for both, one after the other."""
        most = {name: max(getattr(self, name), getattr(other, name)) for name in (*_MOST, "workers")}
        more = {name: getattr(self, name) + getattr(other, name) for name in (*_SUMS, "runs")}
        rates = other.rates if other.rates.known else self.rates
        return self.model_copy(update={**most, **more, "rates": rates})


#: Of several workers the most counts; or their sum.
_MOST, _SUMS = ("seconds", "peak", "own_peak", "largest", "busy", "at_once"), ("cpu_seconds", "out")


#: How sure advice is: what one run did may be chance.
Confidence = Annotated[Literal["low", "fair", "high"], otherwise("low")]


class Advice(Record):
    """Which workers would have done for a run, or for all runs of a cluster; or are worth a try where memory was short;
    or what a gang waited for, which names the workers that it had.

    `cpus` and `memory` (bytes) are those of one worker, `saving` is the part of the money that they cost less (0.62),
    None where no price is known, and where they cost more. `text` says it, `evidence` what it rests on, and how sure it
    is.
    """

    kind: Annotated[Literal["less", "more memory", "waits"], otherwise("less")]
    group: Label
    cpus: float
    memory: int
    saving: float | None = None
    confidence: Confidence = "low"
    text: Saying
    evidence: Saying = ""


class AdviceList(list[Advice]):
    """Advice that shows itself as text."""

    def __repr__(self) -> str:
        return "\n".join(each.text for each in self) or "Nothing: no other workers are known to be better."


def advice_of(uses: list[GroupUse]) -> list[Advice]:
    """What is to be said of a run that is over, from what it used of each group."""
    found = [_out_of_memory(use) if use.out else _short_of_memory(use) or _less(use) for use in uses]
    return [each for each in found if each is not None]


def together(runs: Iterable[Iterable[GroupUse]]) -> list[GroupUse]:
    """What several runs on the same cluster used of each group."""
    found: dict[str, GroupUse] = {}
    for use in (use for uses in runs for use in uses):
        known = found.get(use.group)
        found[use.group] = use if known is None else known.with_run(use)
    return list(found.values())


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
    money = "" if saving is None else f", about −{percent(saving)}"
    return Advice(
        kind="less",
        group=use.group,
        cpus=cpus,
        memory=memory,
        saving=saving,
        confidence=_confidence(use),
        text=f"Its workers used at most {use.sentence}: a group of {shape(cpus, memory)} would have done{money}",
        evidence=_evidence(use),
    )


def _short_of_memory(use: GroupUse) -> Advice | None:
    """More memory for workers whose own process was so full that Dask slowed it down; none where one can't be had."""
    full = use.own_peak / use.memory if use.memory else 0.0
    if use.seconds < LEAST or full <= OWN_FULL:
        return None
    memory = enough_memory(use)
    what = "takes no new tasks" if full > PAUSED else "writes data to disk"
    limit = PAUSED if full > PAUSED else OWN_FULL
    return _more_memory(
        use,
        memory,
        f"Its workers were up to {percent(full)} full, and beyond {percent(limit)} one {what}: a group with "
        f"{size(memory)} would spare that",
        f"Measured for {span(use.seconds)} on {_where(use)}: the highest peak of a worker’s own process, "
        f"{size(use.own_peak)} of {size(use.memory)}. {_sure(use)}",
    )


def _out_of_memory(use: GroupUse) -> Advice:
    memory = _rounded(MORE * use.memory)
    return _more_memory(
        use,
        memory,
        f"Memory ran out on its workers, which have {size(use.memory)}: try a group with {size(memory)}",
        "How much it needs isn't known: its code was ended before it had it all",
    )


def _more_memory(use: GroupUse, memory: int, text: str, evidence: str) -> Advice:
    """The same workers with `memory` bytes."""
    return Advice(
        kind="more memory",
        group=use.group,
        cpus=use.cpus,
        memory=memory,
        confidence=_confidence(use),
        text=text,
        evidence=evidence,
    )


def _evidence(use: GroupUse) -> str:
    parts = ["the highest peak of memory, with a quarter to spare"]
    parts.append("the CPUs that it computed on, or waited for, for 95 % of the time at most")
    tasks = f"; {count(use.at_once, 'task')} at once, with a CPU each" if use.at_once > 1 else ""
    return f"Measured for {span(use.seconds)} on {_where(use)}: {listed(parts)}{tasks}. {_sure(use)}"


def _where(use: GroupUse) -> str:
    return f"{count(use.workers, 'worker')} of {use.group!r}"


def _confidence(use: GroupUse) -> Confidence:
    return "high" if use.runs >= SURE else "fair" if use.runs > 1 else "low"


def _sure(use: GroupUse) -> str:
    return f"Confidence: {_confidence(use)}, seen in {count(use.runs, 'run')}"


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
