"""`mlops.sweep`, as a function."""

from __future__ import annotations

import hashlib
import inspect
import secrets
import sys
from collections.abc import Callable, Mapping
from typing import Any

from ....core.asha import Goal
from ....core.base import parse_period
from ....core.errors import InvalidSpec
from ....core.run import RESTARTS
from ....core.space import Space
from ....core.words import count
from ...clusters.handle import Cluster
from ...send.payload import digest_of, ship_function
from ...send.pickling import type_name
from ...words import tell
from ..launch import launch_as
from ..options import Options
from ..origin import origin_of_kernel
from .earlier import Earlier, earlier_of
from .plan import SweepPlan
from .result import Sweep
from .samplers import Sampler, sampler_of

#: Trials of a sweep whose user didn't say how many.
TRIALS = 100


def sweep(
    objective: Callable[..., Any],
    space: Mapping[str, Any],
    /,
    *,
    trials: int | None = None,
    goal: Goal | None = None,
    metric: str | None = None,
    sampler: str | None = None,
    study: Any = None,
    prune: str | None = None,
    budget: float | None = None,
    time: float | str | None = None,
    at_once: int | None = None,
    gang: int | None = None,
    per_worker: int | None = None,
    restarts: int = RESTARTS,
    hang: float | None = None,
    checkpoint: str | None = None,
    seed: int | None = None,
    fresh: bool = False,
    cluster: str | Cluster | None = None,
    group: str | None = None,
    workers: int | tuple[int, int] | None = None,
    name: str | None = None,
    sync: bool = False,
    quiet: bool = False,
    detach: bool = False,
) -> Sweep:
    """Call `objective(**settings)` with many settings from `space`, side by side, and find the best ones.

    Returns at once.

        found = mlops.sweep(objective, {"lr": mlops.log(1e-5, 1e-1), "act": ["relu", "gelu"]}, trials=100)
        found.result().params

    A trial that raises has failed, and the sweep goes on. A sweep that came to no end, since its kernel died or its
    money was spent, goes on when the same sweep is run again.

    Parameters
    ----------
    space : argument → `mlops.log`, `mlops.uniform`, `mlops.whole`, a list of values, or one value.
    trials : how many; 100, or all of a grid.
    goal : "max" or "min": which values are good ones; "max", or what the study says.
    metric : which of the numbers that the objective returns as a dict the sweep is about.
    sampler : "random" or "grid"; random when not given.
    study : an Optuna study, which draws from the space in the sampler's place, and learns what came of it.
    prune : "asha": end trials early that are behind, by what they `mlops.report`. A study has a pruner of its own.
    budget : money that the sweep may cost, in the cluster's currency. When it is spent the sweep is done.
    time : how long it may take, in seconds or as "1h30m". Then it is done.
    at_once : trials at the same time; as many as the cluster has threads, or workers for gangs.
    gang : workers of each trial: it is a gang, whose ranks all call the objective at the same time, as with
        `mlops.train`. What rank 0 returns, reports and saves counts.
    per_worker, restarts, hang, checkpoint : of these gangs, as for `mlops.train`.
    seed : of what is drawn; a new one when not given.
    fresh : begin anew, whatever was tried before.
    cluster, group, workers, name, sync, quiet : as for `%%mlrun`.

    Raises
    ------
    InvalidSpec : one of these can't be.
    Conflict : `budget` is given, and nobody knows what the workers cost; or the same sweep is still going on.
    OutOfRange : the cluster can't have so many workers.
    NotPicklable, UnknownCluster, UnknownGroup, VersionMismatch, StartFailed, ClusterUnreachable
    """
    if detach:
        why = "its settings are drawn in this kernel"
        raise InvalidSpec("A sweep can't be detached", why, "Run it again after the kernel ended: it goes on.")
    found = Space(space)
    _check_objective(objective, found)
    _check_choice("sampler", sampler, ("random", "grid", None))
    _check_choice("prune", prune, ("asha", None))
    _check_choice("goal", goal, ("max", "min", None))
    _check_counts(trials=trials, at_once=at_once)
    if study is not None and (sampler is not None or prune is not None or seed is not None):
        raise InvalidSpec("A study draws and prunes itself", "", "Leave out sampler, prune and seed.")
    if budget is not None and not (isinstance(budget, (int, float)) and budget > 0):
        raise InvalidSpec(f"budget can't be {budget!r}", "it is money", "Use a number above 0.")
    seconds = _seconds(time)
    how = sampler or "random"
    if how == "grid" and study is None:
        trials = min(trials or found.size, found.size)
    if study is not None:
        from .optuna import goal_of

        goal = goal or goal_of(study)
    goal = goal or "max"
    named = name or (objective.__name__ if getattr(objective, "__name__", "").isidentifier() else "sweep")
    say = (lambda text: None) if quiet else tell
    digest = _digest(objective, [named, repr(found), goal, str(metric), "study" if study is not None else how])
    before = Earlier() if fresh else earlier_of(digest, trials or TRIALS)
    if before.trials:
        say(_goes_on(before))
    seed = seed if seed is not None else before.seed if before.seed is not None else secrets.randbelow(2**31)
    draws = _sampler(found, how, seed, prune, goal, study, before)
    recorded: dict[str, Any] = {
        "goal": goal,
        "trials": trials or TRIALS,
        "spent": before.spent,
        "seed": seed,
        "sampler": how,
        "space": found.extents,
        "known": len(before.trials),
    }
    recorded |= {"metric": metric, "budget": budget, "time": seconds, "prune": prune, "resume": before.run}
    plan = SweepPlan(
        draws,
        trials or TRIALS,
        goal,
        budget,
        seconds,
        draws_ahead=study is None,
        at_once=at_once,
        known=before.trials,
        continues=before.run if study is None and (how == "grid" or seed == before.seed) else None,
        spent=before.spent,
        options={key: value for key, value in recorded.items() if value is not None},
    )
    payload = ship_function(_performer(objective, metric), _source(objective), "map", say)
    payload.digest = digest
    options = Options(
        name=named,
        cluster=cluster.id if isinstance(cluster, Cluster) else cluster,
        group=group,
        workers=workers,
        gang=gang,
        per_worker=per_worker,
        restarts=restarts,
        hang=hang,
        checkpoint=checkpoint,
        sync=sync,
        quiet=quiet,
    )
    return launch_as(Sweep, payload, plan, options, origin_of_kernel(), say)


def _performer(objective: Callable[..., Any], metric: str | None) -> Callable[[Any], Any]:
    """Executes a trial on a worker; it travels by value."""

    def perform(trial: Any) -> Any:
        number, params = trial
        runner: Any = sys.modules["jupyter_mlops_agent.runner"]
        return runner.RUNNER.trial.execute(number, objective, params, metric)

    return perform


def _sampler(space: Space, how: str, seed: int, prune: str | None, goal: Goal, study: Any, before: Earlier) -> Sampler:
    if study is None:
        return sampler_of(space, how, seed, prune, goal)
    from .optuna import StudySampler

    return StudySampler(study, space, before)


def _goes_on(before: Earlier) -> str:
    best = "" if before.best is None else f", the best with {before.best:.6g}"
    return f"Going on with {count(len(before.trials), 'trial')} of the run {before.run}{best}. fresh=True begins anew."


def _digest(objective: Callable[..., Any], texts: list[str]) -> str:
    of_code = digest_of([_source(objective)], {"objective": objective})
    return hashlib.sha256(repr((of_code, texts)).encode()).hexdigest()[:16]


def _source(fn: Any) -> str:
    try:
        return inspect.getsource(inspect.unwrap(fn))
    except (OSError, TypeError):  # built in, or made by exec
        return repr(fn)


def _check_objective(objective: Any, space: Space) -> None:
    if not callable(objective):
        raise InvalidSpec(f"A {type_name(objective)} can't be called", "the first argument is the objective", "")
    try:
        inspect.signature(objective).bind(**dict.fromkeys(space.dimensions))
    except TypeError as error:
        arguments = ", ".join(space.dimensions)
        why = f"it is called with {arguments}: {error}"
        raise InvalidSpec("The objective and the space don't fit", why, "Name the same arguments in both.") from None
    except ValueError:  # built in: it says nothing of its arguments
        pass


def _check_choice(name: str, value: Any, known: tuple[Any, ...]) -> None:
    if value not in known:
        words = " or ".join(repr(each) for each in known if each is not None)
        raise InvalidSpec(f"{name} can't be {value!r}", "", f"Use {words}.")


def _check_counts(**counts: int | None) -> None:
    for name, value in counts.items():
        if value is not None and (type(value) is not int or value < 1):
            raise InvalidSpec(f"{name} can't be {value!r}", "it is a number of trials", "Use 1 or more.")


def _seconds(time: float | str | None) -> float | None:
    if time is None:
        return None
    try:
        seconds = float(parse_period(time))  # type: ignore[arg-type]  # it raises for what is no period
    except (TypeError, ValueError):
        seconds = 0.0
    if not seconds > 0:
        raise InvalidSpec(f"time can't be {time!r}", "", "Write it like 90, '20 min' or '1h30m'.")
    return seconds
