"""`mlops.fit`: XGBoost's and LightGBM's estimators, trained on rows that lie on the cluster."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from ...core.errors import InvalidInput, InvalidSpec
from ..clusters.choose import choose
from ..clusters.handle import Cluster
from ..clusters.kernel import loop_thread
from ..send.payload import ship_function
from ..send.pickling import type_name
from ..words import tell
from .execution.fit import Column, FitTables, workers_of
from .launch import FIT, launch
from .options import Options
from .origin import origin_of_kernel
from .run import Run

#: Options of a run that a fit has, too.
_OF_GANGS = ("restarts", "hang", "checkpoint", "fresh", "resume")
_OPTIONS = ("name", "group", "timeout", "budget", "detach", "quiet", "sync", *_OF_GANGS)

#: A table, by column.
_Table = dict[str, Any]


def fit(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    qid: Any = None,
    eval_set: Sequence[tuple[Any, Any]] | None = None,
    eval_sample_weight: Sequence[Any] | None = None,
    eval_qid: Sequence[Any] | None = None,
    eval_metric: str | Sequence[str] | None = None,
    every: int = 20,
    workers: int | None = None,
    cluster: str | Cluster | None = None,
    **options: Any,
) -> Run:
    """Train an estimator of XGBoost or LightGBM on rows that lie on the cluster, on all of its workers together.

        run = mlops.fit(XGBClassifier(n_estimators=500), X, y)
        model = run.result()

    Returns at once. `result()` waits and gives the fitted estimator, which needs no Dask; the one that was given stays
    as it is. It is a gang: until its end its workers do nothing else and aren't stopped, and what is evaluated after
    each round is a curve of the run. When a worker dies, or no round ends for long, it goes on from the booster that
    was saved last.

    Parameters
    ----------
    estimator : `XGBClassifier`, `XGBRegressor`, `XGBRanker`, `LGBMClassifier`, `LGBMRegressor` or `LGBMRanker`, as it
        would be fitted here; those for Dask aren't needed.
    X, y : Dask DataFrame and Series, Dask Arrays, or lists of futures or delayed objects, one for each partition. Their
        partitions have the same rows. What isn't computed yet is computed first.
    sample_weight, qid : as `y`; of a ranker `qid` is the query of each row. A query's rows are in one partition.
    eval_set : pairs of X and y to evaluate with after each round, on the cluster or in the notebook. Each worker gets
        all of them.
    eval_sample_weight, eval_qid : of each of these pairs.
    eval_metric : names of LightGBM's metrics; XGBoost's estimators know theirs.
    every : rounds between two times that the booster is saved.
    workers : on how many; all that the cluster has, if that many have a partition.
    cluster : where; as for `%%mlrun --cluster`.
    options : name, group, timeout, budget, detach, quiet, sync, restarts, hang, checkpoint, fresh, resume, as for
        `mlops.train`; a step is a round.

    Raises
    ------
    InvalidInput : the estimator can't be trained on several machines, or the tables don't go together.
    InvalidSpec : an option can't be what it is.
    OutOfRange : the cluster can't have so many workers.
    NotPicklable, UnknownCluster, UnknownGroup, VersionMismatch, StartFailed, ClusterUnreachable
    """
    library = _library_of(estimator)
    _check(estimator, library, qid, eval_metric, every, options)
    rows = _aligned({"X": X, "y": y, "weight": sample_weight, "qid": qid})
    evals = _evals(eval_set, eval_sample_weight or (), eval_qid or (), qid is not None)
    here = [{name: value for name, value in table.items() if not _is_remote(value)} for table in evals]
    there = [{name: _parts(name, value) for name, value in table.items() if _is_remote(value)} for table in evals]
    tables = FitTables(rows, there, _homes([*rows.values(), *(part for table in there for part in table.values())]))

    named = cluster.id if isinstance(cluster, Cluster) else cluster
    say: Callable[[str], None] = (lambda text: None) if options.get("quiet") else tell
    if workers is None:
        named, there_are = loop_thread().call(_workers(named, say, options.get("group")))
        workers = min(there_are, tables.partitions)
    elif isinstance(workers, int) and workers > tables.partitions:
        why = f"there are {tables.partitions} partitions, and each worker needs one"
        raise InvalidInput(f"It can't be fitted on {workers} workers", why, "Repartition X and y, or use fewer.")
    settings = {"library": library, "evals": here, "eval_metric": eval_metric, "every": every}
    trainer = _trainer(estimator, settings, _identity(X, y, sample_weight, qid, evals, eval_metric))
    kind = type(estimator).__name__
    chosen = Options(**{"cluster": named, "gang": workers, "per_worker": 1, "name": f"fit {kind}", **options})
    payload = ship_function(trainer, f"{FIT}{_shown(estimator)}, X, y, every={every})", "function", say)
    payload.packages.add("sklearn")  # neither library asks for it, and their estimators don't work without it
    return launch(payload, tables, chosen, origin_of_kernel(), say)


def _trainer(estimator: Any, settings: dict[str, Any], identity: str) -> Callable[[], Any]:
    """What the ranks execute; it travels by value. `identity` makes the fits of other rows other ones."""

    def train() -> Any:
        import sys

        assert identity
        return sys.modules["jupyter_mlops_agent.fitting"].fit(estimator, settings)

    return train


async def _workers(cluster: str | None, say: Callable[[str], None], group: str | None) -> tuple[str, int]:
    """The cluster that is meant, and how many workers it has; 1 where none is there yet."""
    session = await choose(cluster, say, None, group)
    profile = (await session.backend.spec(session.id)).profile
    wanted = (profile.group(group) if group is not None else profile.groups[0]).name
    return session.id, max(1, len(await workers_of(session, wanted)))


# What is refused


def _library_of(estimator: Any) -> str:
    """xgboost or lightgbm."""
    bases = {"xgboost": "XGBModel", "lightgbm": "LGBMModel"}
    for library, base in bases.items():
        kind = getattr(sys.modules.get(library), base, None)
        if kind is not None and isinstance(estimator, kind):
            if "Dask" in type(estimator).__name__:
                why = "it is one for Dask, which doesn't go on when a worker dies"
                name = type(estimator).__name__.replace("Dask", "")
                raise InvalidInput(f"A {type_name(estimator)} can't be fitted here", why, f"Give {name}(…).")
            return library
    if isinstance(estimator, type):
        raise InvalidInput(f"{estimator.__name__} is a class", "", f"Give an estimator: {estimator.__name__}(…).")
    raise InvalidInput(
        f"A {type_name(estimator)} can't be fitted on several workers",
        "only XGBoost's and LightGBM's estimators can",
        "scikit-learn's run on one: mlops.run(lambda: model.fit(…)), or with joblib.parallel_config('mlops').",
    )


def _check(estimator: Any, library: str, qid: Any, eval_metric: Any, every: int, options: dict[str, Any]) -> None:
    kind = type(estimator).__name__
    unknown = [name for name in options if name not in _OPTIONS]
    if unknown:
        raise InvalidSpec(f"{unknown[0]!r} is no option of a fit", "", f"There are: {', '.join(_OPTIONS)}.")
    if type(every) is not int or every < 1:
        raise InvalidSpec(f"every can't be {every!r}", "it is a number of rounds", "Use 1 or more.")
    ranks = "Ranker" in kind
    if ranks != (qid is not None):
        why = "a ranker needs to know which query each row is of" if ranks else "only a ranker has queries"
        raise InvalidInput(f"A {kind} can't be fitted {'without' if ranks else 'with'} qid", why)
    parameters = estimator.get_params()
    if library == "xgboost":
        if eval_metric is not None:
            todo = f"Give it there: {kind}(eval_metric=…)."
            raise InvalidInput("eval_metric can't be given here", "XGBoost's estimators have it", todo)
        refused = [name for name in ("objective", "eval_metric") if _has_callable(parameters.get(name))]
        why = "a function of yours would see a part of the rows only"
        if parameters.get("callbacks"):
            refused, why = ["callbacks"], "they would be called on each worker"
        if refused:
            raise InvalidInput(f"A {kind} with {refused[0]} of your own can't be fitted on several workers", why)
    elif parameters.get("class_weight") == "balanced":
        why = "each worker sees the classes of its own rows only"
        raise InvalidInput("class_weight can't be 'balanced' here", why, "Give the weights, as a dict.")


def _has_callable(value: Any) -> bool:
    return any(callable(each) for each in (value if isinstance(value, (list, tuple)) else [value]))


# Tables


def _evals(pairs: Any, weights: Sequence[Any], qids: Sequence[Any], ranks: bool) -> list[_Table]:
    pairs = [] if pairs is None else [pairs] if isinstance(pairs, tuple) else list(pairs)
    if not all(isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in pairs):
        raise InvalidInput("eval_set isn't a list of pairs", "", "Write eval_set=[(X_valid, y_valid)].")
    for name, given in (("eval_sample_weight", weights), ("eval_qid", qids)):
        if len(given) not in (0, len(pairs)):
            why = f"it has {len(given)} entries, and eval_set has {len(pairs)}"
            raise InvalidInput(f"{name} doesn't go with eval_set", why)
    if pairs and ranks != bool(qids):
        raise InvalidInput("eval_qid belongs to the eval_set of a ranker, and each of these has one")
    tables: list[_Table] = []
    for number, (X, y) in enumerate(pairs):
        table = {"X": X, "y": y, "weight": weights[number] if weights else None, "qid": qids[number] if qids else None}
        tables.append({name: value for name, value in table.items() if value is not None})
    return tables


def _aligned(table: _Table) -> dict[str, Column]:
    """The partitions of each column, which have the same rows."""
    table = {name: value for name, value in table.items() if value is not None}
    chunks = getattr(table.get("X"), "chunks", None)
    columns: dict[str, Column] = {}
    for name, value in table.items():
        own = getattr(value, "chunks", None)
        if chunks is not None and own is not None and own[0] != chunks[0]:
            _check_rows(name, sum(chunks[0]), sum(own[0]))
            value = value.rechunk({0: chunks[0]})
        columns[name] = _parts(name, value)
        if len(columns[name]) != len(columns["X"]):
            why = f"X has {len(columns['X'])} partitions, and {name} has {len(columns[name])}"
            raise InvalidInput(f"X and {name} don't go together", why, "Repartition one of them like the other.")
    return columns


def _check_rows(name: str, rows: float, own: float) -> None:
    if rows == rows and own == own and rows == own:  # neither is NaN: unknown
        return
    said = [f"{number:,.0f}" if number == number else "an unknown number of" for number in (rows, own)]
    why = f"X has {said[0]} rows, and {name} has {said[1]}"
    raise InvalidInput(f"X and {name} don't go together", why, "Array.compute_chunk_sizes() counts them.")


def _is_remote(value: Any) -> bool:
    """Whether it is a Dask collection, or a list of what lies on the cluster."""
    if isinstance(value, (list, tuple)):
        return bool(value) and all(_is_future(each) or _is_remote(each) for each in value)
    return hasattr(value, "__dask_graph__")


def _is_future(value: Any) -> bool:
    return type(value).__module__ == "distributed.client" and hasattr(value, "key")


def _parts(name: str, value: Any) -> Column:
    """Its partitions.

    Raises
    ------
    InvalidInput : it isn't on the cluster.
    """
    if isinstance(value, (list, tuple)) and _is_remote(value):
        return list(value)
    if not _is_remote(value) or not hasattr(value, "to_delayed"):
        raise InvalidInput(
            f"{name} is a {type_name(value)}, which isn't on the cluster",
            "a fit reads partitions of Dask",
            "dask.dataframe.from_pandas(X, npartitions=…) or dask.array.from_array(X, chunks=…) make them of it.",
        )
    if len(getattr(value, "numblocks", ())) > 1:  # of an array, a row is in one chunk
        value = value.rechunk(dict.fromkeys(range(1, value.ndim), -1))
    parts = value.to_delayed()
    return list(parts.ravel()) if hasattr(parts, "ravel") else list(parts)


def _homes(columns: list[Column]) -> frozenset[str]:
    """The ids of the schedulers that have what was computed before."""
    from distributed.client import futures_of

    known = {id(each.client): each.client for column in columns for each in futures_of(column)}
    return frozenset(client.scheduler_info(n_workers=0)["id"] for client in known.values())


def _identity(*given: Any) -> str:
    """Names the rows, so that a fit of other ones doesn't go on from these."""
    from dask.base import tokenize

    return str(tokenize(*given))


def _shown(estimator: Any) -> str:
    """The estimator with the parameters that were set."""
    default = type(estimator)().get_params()
    changed = [
        f"{name}={value!r}"
        for name, value in sorted(estimator.get_params().items())
        if repr(value) != repr(default.get(name))
    ]
    return f"{type(estimator).__name__}({', '.join(changed)})"
