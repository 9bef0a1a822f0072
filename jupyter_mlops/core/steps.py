"""How far the ranks of a gang are, when it will be done, and whether it hangs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from .base import Label, Record, Seconds, Time, otherwise
from .words import count, listed, span

#: Steps before which nothing is said of a gang: code is compiled in them.
WARM = 3

#: A gang hangs when none of its ranks has made a step for so many seconds, for so often the usual time of a step, and
#: for so often the longest one so far: an evaluation between two epochs is none.
SILENCE: Seconds = 60.0
USUAL, LONGEST = 10.0, 3.0

#: Steps, and the part of all of them, from which on their times tell when all are done.
TELLING, TELLING_PART = 20, 0.02

#: CPUs from which on a process is at work for most of the time.
BUSY = 0.6

RankPhase = Annotated[Literal["starting", "running", "saving", "done", "failed"], otherwise("running")]


class RankState(Record):
    """A rank of a gang now. `step` is the last that it has made, of `total`, at the time `seen`; None where its code
    tells of none. `lag` is how many steps it is behind the foremost rank, and `memory` are the bytes that it uses.
    `busy` are the CPUs that it has lately computed on, or waited for, and `loaders` those of the processes that it has
    started; None while that isn't known. `gpu` is the part of the time for which its GPUs have lately computed, None
    where it uses none or nobody can say, and `gpu_memory` are the bytes that it has there."""

    rank: int
    worker: Label = ""
    phase: RankPhase = "starting"
    step: int | None = None
    total: int | None = None
    seen: Time | None = None
    lag: int = 0
    memory: int = 0
    busy: float | None = None
    loaders: float = 0
    gpu: float | None = None
    gpu_memory: int = 0


class RankSteps(Record):
    """What a rank tells of its steps: the last one, of `total`, made `age` seconds ago; how many it has made; the usual
    and the longest time of one, and what it takes for `step` to grow by 1; whether it saves a checkpoint; and whether
    its code tells each step (`mlops.progress`)."""

    step: int | None = None
    total: int | None = None
    age: Seconds = 0
    count: int = 0
    usual: Seconds = 0
    longest: Seconds = 0
    pace: Seconds = 0
    saving: bool = False
    watched: bool = False

    @property
    def is_at_the_end(self) -> bool:
        """Whether it has made its last step, whether it counts from 0 or from 1."""
        return self.step is not None and self.total is not None and self.step + 1 >= self.total


def waits_of(ranks: Sequence[RankState]) -> str:
    """What a gang waits for for most of the time, in a sentence, as far as its use of CPUs tells; empty where it
    computes, or nobody can say."""
    told = [each for each in ranks if each.phase == "running" and each.step is not None]
    busy = {each.rank: each.busy for each in told if each.busy is not None}
    if not busy or len(busy) < len(ranks):
        return ""
    at_work = [rank for rank, cpus in busy.items() if cpus >= BUSY]
    share = f"{round(100 * sum(min(1.0, cpus) for cpus in busy.values()) / len(busy))} % of the time"
    if len(at_work) > len(busy) / 2:
        return ""
    if at_work:
        nouns = "rank" if len(at_work) == 1 else "ranks"
        verb = "computes" if len(at_work) == 1 else "compute"
        who = listed([str(rank) for rank in at_work])
        return f"{nouns} {who} {verb} while the others wait: together they compute {share}"
    if sum(each.loaders for each in told) / len(told) >= BUSY:
        return f"its ranks compute {share}, while processes that they have started are busy: they wait for their data"
    others = "for each other, " if len(busy) > 1 else ""
    return f"its ranks compute {share}: else they wait {others}for files, the network or a GPU"


def lags(steps: dict[int, RankSteps], told: dict[int, Time]) -> dict[int, int]:
    """How many steps each rank is behind the foremost one, by rank. They tell at different moments: what the foremost
    one made since another one told isn't that one's lag.

    Parameters
    ----------
    steps, told : what each rank told last, and when.
    """
    known = {rank: each.step for rank, each in steps.items() if each.step is not None}
    if not known:
        return {}
    first = max(known, key=known.__getitem__)
    pace = steps[first].pace
    since = {rank: max(0.0, told[first] - told[rank]) / pace if pace else 0.0 for rank in known}
    return {rank: max(0, round(known[first] - step - since[rank])) for rank, step in known.items()}


def silent_for(steps: Sequence[RankSteps], hang: Seconds | None) -> Seconds | None:
    """For how long a gang has hung, as its ranks that go on tell; None where it doesn't, or nobody can say.

    Parameters
    ----------
    steps : of each of these ranks, with its age now.
    hang : seconds without a step that are a hang; 0: nothing is; None: as the constants here say, and only of ranks
        that tell each step.
    """
    told = [each for each in steps if each.step is not None and (hang is not None or each.watched)]
    if hang == 0 or not told or any(each.saving for each in steps):
        return None
    if any(each.count <= WARM or each.is_at_the_end for each in told):
        return None
    age = min(each.age for each in told)
    most = hang or max(max(SILENCE, USUAL * each.usual, LONGEST * each.longest) for each in told)
    return age if age > most else None


def who_hangs(steps: dict[int, RankSteps], stopped: Sequence[int], silent: Seconds) -> tuple[int | None, str]:
    """Which rank a gang waits for, None where that can't be told; and how it hangs, in words.

    Parameters
    ----------
    steps : by rank, of those that go on.
    stopped : ranks whose processes somebody has stopped.
    silent : for how many seconds there was no step.
    """
    words = f"no rank has made a step for {span(round(silent))}"
    if stopped:
        nouns = "rank" if len(stopped) == 1 else "ranks"
        return stopped[0], f"{words}: the process of {nouns} {listed([str(rank) for rank in stopped])} is stopped"
    told = {rank: each.step for rank, each in steps.items() if each.step is not None}
    least, most = min(told.values()), max(told.values())
    last = [rank for rank, step in told.items() if step == least]
    if len(last) == len(told):
        return None, f"{words}, and all that tell theirs are at step {least:,}"
    behind = f"rank {last[0]} is" if len(last) == 1 else f"{count(len(last), 'rank')} are"
    return last[0] if len(last) == 1 else None, f"{words}: {behind} at step {least:,}, the foremost at step {most:,}"


def time_to_finish(steps: Sequence[RankSteps]) -> Seconds | None:
    """Seconds until the last rank has made all of its steps; None while that can't be said."""
    left = [_left(each) for each in steps if each.step is not None and each.total is not None]
    return max((each for each in left if each is not None), default=None) if None not in left else None


def _left(each: RankSteps) -> Seconds | None:
    assert each.step is not None and each.total is not None
    done = each.step + 1
    if not each.pace or (each.count < TELLING and done < TELLING_PART * each.total):
        return None
    return each.pace * max(0, each.total - done)
