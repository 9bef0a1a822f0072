"""What a run's code calls while it runs: what it logs, and, in a gang, who it is and what it saves.

The same code also runs in the notebook: there it is rank 0 of 1, and nothing is kept. Workers import this module in
each of their runners, so it imports little.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...agent.checkpoints import CheckpointFolder


def log_metric(key: str, value: float, step: int | None = None) -> None:
    """Record a number of the run in whose code this is called: a point of the curve of that name, which is drawn while
    the run goes on, and in the run's history. A NaN is recorded, too.

    Parameters
    ----------
    key : the metric's name, of 200 characters at most.
    value : a number, or what is one, as a tensor or array with a single value.
    step : of the training; without one, values are counted.

    Raises
    ------
    InvalidInput : the value or the step is no number.
    Conflict : this is not a run's code.
    """
    _log("metric", key, _number(key, value), _step(key, step))


def log_param(key: str, value: object) -> None:
    """Record a setting of the run in whose code this is called.

    Raises
    ------
    Conflict : this is not a run's code.
    """
    _log("param", key, str(value), None)


def report(value: float) -> None:
    """Say how good a trial of a sweep is so far, after an epoch for one: `prune="asha"` compares trials that have
    reported equally often, and a trial that is behind ends at a later report. It never waits.

    Does nothing where no trial runs, so that the objective can be called here, too.

    Parameters
    ----------
    value : what the objective would return now.

    Raises
    ------
    InvalidInput : it is no number.
    """
    trial = getattr(_runner(), "trial", None)
    number = _number("report", value)
    if trial is not None:
        trial.report(number)


def progress(step: int, total: int | None = None) -> None:
    """Say how far the training is, of a gang, in each of its ranks: once for each step. With `total` it is said when it
    will be done, and what it will cost. A gang none of whose ranks has made a step for long is taken to hang, and
    begins again from its last checkpoint (`--hang`); the same step once more is a sign of life. It never waits.

    Does nothing where there is no gang.

    Parameters
    ----------
    step : that was made.
    total : how many steps there will be.

    Raises
    ------
    InvalidInput : one of them is no whole number of 0 or more.
    """
    numbers = [None if number is None else _whole(name, number) for name, number in (("step", step), ("total", total))]
    steps = getattr(_runner(), "steps", None)
    if steps is not None:
        steps.step(*numbers, watched=True)


def rank() -> int:
    """The number of this process in its gang, from 0 on; 0 where there is no gang, so that the same code runs alone."""
    return int(os.environ.get("RANK", "0"))


def world() -> int:
    """The number of processes in this gang; 1 where there is none."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def checkpoint(step: int, best: float | None = None, alone: bool = False) -> Iterator[CheckpointFolder | Path]:
    """A folder to save the training in, of a gang:

        with mlops.checkpoint(step, best=accuracy) as folder:
            torch.save(model.state_dict(), folder / f"rank-{mlops.rank()}.pt")

    Each rank calls it for the same steps and writes its files, all into the same folder (on one machine, or a volume):
    so they need different names. It doesn't wait for the others. The checkpoint counts when all have written; whatever
    happens before leaves the one before as it was. The last two are kept, and the best one.

    Parameters
    ----------
    step : of the training, 0 or more.
    best : how good it is, the higher the better; a NaN is no better than anything, and counts as none.
    alone : this rank writes all of it, and no other calls this.

    Raises
    ------
    InvalidInput : `step` is no whole number of 0 or more, or `best` no number.
    OSError : the folder can't be written.
    """
    import math

    step, rated = _whole("step", step), None if best is None else _number("best", best, "{} can't say how good it is")
    kept = getattr(_runner(), "checkpoints", None)
    if kept is None:
        with _nowhere() as folder:
            yield folder
        return
    if rated is not None and math.isnan(rated):
        rated = None
    with kept.checkpoint(step, rated, bool(alone)) as place:
        yield place


def resume() -> CheckpointFolder | None:
    """The folder of the checkpoint to go on from; None when there is none, or this is no gang. All ranks get the same.

    It is a path that knows the `step` it was made at, and the `world`: how many ranks wrote it.
    """
    kept = getattr(_runner(), "checkpoints", None)
    found: CheckpointFolder | None = kept.resume() if kept is not None else None
    return found


def stopping() -> bool:
    """Whether a worker of the gang is about to go: then save a checkpoint and return; the gang goes on from there.

    Ask once per step, in all ranks: they are all told so at the same step. Always false where there is no gang.
    """
    asked = getattr(_runner(), "stopping", None)
    return bool(asked is not None and asked.ask())


def _runner() -> Any:
    """The runner of this process, where its code is a run's."""
    return getattr(sys.modules.get("jupyter_mlops_agent.runner"), "RUNNER", None)


@contextmanager
def _nowhere() -> Iterator[Path]:
    import tempfile

    warnings.warn("checkpoints are kept of gangs: this one isn't (%%mlrun --gang 1)", stacklevel=5)
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _whole(name: str, number: Any) -> int:
    import operator

    with suppress(TypeError):
        if not isinstance(number, bool) and 0 <= operator.index(number) < 2**53:
            return operator.index(number)
    from ...core.errors import InvalidInput

    raise InvalidInput(f"{name} can't be {number!r:.80}", "it counts steps", "Give a whole number of 0 or more.")


def _number(key: str, value: Any, fault: str = "The metric {!r} can't be recorded") -> float:
    if getattr(value, "requires_grad", False):  # a loss as PyTorch has it, which warns of who makes a number of it
        value = value.detach()
    try:
        return float(value)
    except OverflowError:  # an integer of more than 308 digits
        why = "it is larger than any floating point number"
    except (TypeError, ValueError, RuntimeError) as error:  # RuntimeError: a tensor of several values
        why = f"{value!r:.80} is no number: {error}"
    from ...core.errors import InvalidInput

    raise InvalidInput(fault.format(key), why, "Give one number.")


def _step(key: str, step: Any) -> int | None:
    if step is None:
        return None
    import operator

    whole = step.is_integer() if isinstance(step, float) else not isinstance(step, bool)
    try:
        number = int(step) if isinstance(step, float) and whole else operator.index(step)
        if whole and abs(number) < 2**53:
            return number
    except (TypeError, ValueError):
        pass
    from ...core.errors import InvalidInput

    why = f"its step is {step!r:.80}, and has to be a whole number below 2⁵³"
    raise InvalidInput(f"The metric {key!r} can't be recorded", why, "Give the number of the training's step.")


def _log(kind: str, key: str, value: Any, step: int | None) -> None:
    agent: Any = sys.modules.get("jupyter_mlops_agent.agent")
    if agent is None or not agent.log(kind, str(key), value, step):
        from ...core.errors import Conflict

        raise Conflict(f"A {kind} belongs to a run", "this code runs in none", "Call it in a %%mlrun cell.")
