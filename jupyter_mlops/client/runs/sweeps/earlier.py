"""What an earlier run of the same sweep has found, when it came to no end."""

from __future__ import annotations

from dataclasses import dataclass, field

from ....core.asha import Goal
from ....core.errors import Conflict, MlopsError
from ....core.run import FINAL, RunState
from ....core.sweep import Trial, best_of
from ....home.runs import read_runs, run_folder
from ...clusters.kernel import kernel, loop_thread
from ..follow import state_now
from ..origin import origin_of_kernel


@dataclass(frozen=True)
class Earlier:
    """An earlier run.

    Parameters
    ----------
    run : its id; None where there is none.
    trials : those that it, and those before it, have finished.
    best : the best value of them.
    seed : that its settings were drawn with.
    spent : what it, and those before it, cost.
    """

    run: str | None = None
    trials: list[Trial] = field(default_factory=list)
    best: float | None = None
    seed: int | None = None
    spent: float = 0.0


def earlier_of(digest: str, wanted: int) -> Earlier:
    """The last run of the sweep of that digest, if it finished some trials, and fewer than are wanted now.

    Raises
    ------
    Conflict : it is still going on.
    """
    last = next((record for record in read_runs() if record.kind == "sweep" and record.digest == digest), None)
    if last is None:
        return Earlier()
    state = _now(last)
    if state.phase not in FINAL and _was_left(state):
        state = _given_up(state)
    if state.phase not in FINAL:
        raise Conflict(
            f"The same sweep is going on: run {last.id}",
            "",
            f"Wait for it, cancel it with mlops.get_run({last.id!r}).cancel(), or use fresh=True.",
        )
    trials = [trial for trial in run_folder(last.id).trials() if trial.finished]
    if not trials or len(trials) >= wanted:
        return Earlier()
    goal: Goal = "min" if last.options.get("goal") == "min" else "max"
    best, seed, spent = best_of(trials, goal), last.options.get("seed"), last.options.get("spent")
    return Earlier(
        last.id,
        trials,
        None if best is None else best.value,
        seed if isinstance(seed, int) else None,
        (float(spent) if isinstance(spent, (int, float)) else 0.0) + (state.cost.amount or 0.0),
    )


def _was_left(state: RunState) -> bool:
    """Whether this kernel drove it, and was restarted since. A cluster behind a tunnel waits long for a kernel that
    doesn't answer: a laptop may be closed for a while."""
    own = origin_of_kernel().kernel
    return bool(own) and state.origin.kernel == own and state.id not in kernel().begun


def _given_up(state: RunState) -> RunState:
    async def close() -> RunState:
        session = await kernel().sessions.open(state.ran_on)
        return await session.link.close_run(state.id, "lost", "RunLost: The kernel that fed it was restarted.")

    try:
        return loop_thread().call(close())
    except MlopsError:  # as `_now`
        return state.model_copy(update={"phase": "lost"})


def _now(record: RunState) -> RunState:
    """What became of a run that was not over when it was last heard of."""
    if record.phase in FINAL:
        return record
    try:
        return loop_thread().call(state_now(record.id))
    except MlopsError:  # it was removed just now, or nobody can say: it isn't driven from here
        return record.model_copy(update={"phase": "lost"})
