"""What a rank of `mlops.fit` does: it trains XGBoost's or LightGBM's estimator on its rows, together with the others.

Both libraries know how to train on rows that lie on several machines, and neither goes on when one of them is lost. So
rank 0 saves the booster now and then, and an attempt begins with the newest one: what is lost is a few rounds.
"""

from __future__ import annotations

import copy
import inspect
import json
import os
import socket
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from . import runner, stacks

#: Files of a checkpoint.
BOOSTER, HISTORY = "booster.json", "history.json"

#: Parameters that LightGBM reads of the others; they are of one attempt.
NETWORK = ("machines", "local_listen_port", "num_machines", "time_out")

#: The names that LightGBM has for the rounds after which it stops when nothing gets better.
STOPPING = ("early_stopping_round", "early_stopping_rounds", "early_stopping", "n_iter_no_change")

#: Minutes that LightGBM waits for the others.
TIME_OUT = 10

#: Of one table: "X", "y", and perhaps "weight" and "qid".
Table = dict[str, Any]

#: What was measured after a round: of which rows, which metric, the value, and whether more is better, where it is
#: known.
Measured = list[tuple[str, str, float, bool]]


def fit(estimator: Any, settings: dict[str, Any]) -> Any:
    """The fitted estimator, of rank 0; None of the others.

    Parameters
    ----------
    estimator : with the parameters that are wanted.
    settings : of `mlops.fit`: its `library`, the tables of the notebook's among those that it evaluates with (`evals`),
        the `eval_metric` for LightGBM, and `every` how many rounds it is saved.

    Raises
    ------
    ValueError : the rows don't go together.
    """
    given = _runner().given()
    rows = _rows(given["rows"])
    evals = [_whole(here, there) for here, there in zip(settings["evals"], given["evals"], strict=True)]
    how = {"xgboost": _fit_xgboost, "lightgbm": _fit_lightgbm}[settings["library"]]
    fitted = how(copy.deepcopy(estimator), rows, evals, settings)
    return fitted if _rank() == 0 else None


def _rank() -> int:
    return int(os.environ["RANK"])


def _runner() -> Any:
    assert runner.RUNNER is not None
    return runner.RUNNER


# Rows


def _rows(parts: list[Table]) -> Table:
    """The rows of this rank, from its partitions."""
    for part in parts:
        number = part.pop("number")
        lengths = {name: _length(value) for name, value in part.items()}
        if len(set(lengths.values())) > 1:
            said = ", ".join(f"{name} has {length:,}" for name, length in lengths.items())
            raise ValueError(f"the rows of partition {number} don't go together: {said}")
    rows = {name: _joined([part[name] for part in parts]) for name in parts[0]}
    if not _length(rows["y"]):
        raise ValueError("a worker has no rows, as its partitions are empty: repartition X and y, or use fewer workers")
    return _by_query(rows)


def _whole(here: Table, there: dict[str, list[Any]]) -> Table:
    """A table to evaluate with: what came from the notebook, and what lay on the cluster."""
    return _by_query({**here, **{name: _joined(parts) for name, parts in there.items()}})


def _by_query(rows: Table) -> Table:
    """The rows of each query one after the other, as both libraries want them."""
    import numpy as np

    if "qid" not in rows:
        return rows
    order = np.argsort(np.asarray(rows["qid"]), kind="stable")
    return {name: value.iloc[order] if hasattr(value, "iloc") else value[order] for name, value in rows.items()}


def _joined(parts: list[Any]) -> Any:
    if len(parts) == 1:
        return parts[0]
    if hasattr(parts[0], "iloc"):
        import pandas as pd

        return pd.concat(parts)
    if type(parts[0]).__module__.startswith("scipy.sparse"):
        from scipy import sparse  # type: ignore[import-untyped]  # it has no types

        return sparse.vstack(parts, format="csr")
    import numpy as np

    return np.concatenate(parts)


def _length(value: Any) -> int:
    return int(value.shape[0]) if hasattr(value, "shape") else len(value)


def _told_by_all(rows: Table, classifies: bool, **more: Any) -> list[dict[str, Any]]:
    """What each rank tells the others before they begin: its labels, if these are classes, its queries, and `more`."""
    import numpy as np

    if classifies:
        more["classes"] = np.unique(np.asarray(rows["y"])).tolist()
    if "qid" in rows:
        more["queries"] = np.unique(np.asarray(rows["qid"])).tolist()
    told: list[dict[str, Any]] = _runner().meeting.share(more)
    seen: set[Any] = set()
    for queries in (set(each.get("queries", ())) for each in told):
        if both := seen & queries:
            why = f"the query {sorted(both)[0]!r} has rows on two workers"
            raise ValueError(f"{why}: all rows of a query have to be in one partition")
        seen |= queries
    return told


def _classes(told: list[dict[str, Any]], labels: Any) -> Any:
    """The classes of all ranks, in order."""
    import numpy as np

    dtype = np.asarray(labels).dtype
    return np.unique(np.concatenate([np.asarray(each["classes"], dtype=dtype) for each in told]))


# Rounds


class Rounds:
    """The rounds of a training: which are done, what was measured, and what an attempt goes on from.

    Parameters
    ----------
    total : rounds, at most.
    every : how many it is saved; rank 0 does it.
    """

    def __init__(self, total: int, every: int) -> None:
        self.total, self._every = total, every
        self._checkpoints, self._stopping, self._steps = _runner().checkpoints, _runner().stopping, _runner().steps
        self.history: list[Measured] = []
        #: The file of the booster to go on from, and how many rounds it has.
        self.booster: Path | None = None
        self.begun = 0
        if (folder := self._checkpoints.resume()) is not None:
            self.begun, self.booster = folder.step, folder / BOOSTER
            self.history = [[tuple(each) for each in one] for one in json.loads((folder / HISTORY).read_text())]

    @property
    def left(self) -> int:
        """Rounds to do."""
        return self.total - self.begun

    def after(self, done: int, measured: Measured, save: Callable[[str], Any]) -> bool:
        """So many rounds are done. Saves the booster with `save`, a path, if it is time. Returns whether to leave, as a
        worker is about to go."""
        self.history.append(measured)
        self._steps.step(done, self.total, watched=True)
        leave: bool = self._stopping.ask()
        if _rank():
            return leave
        for rows, metric, value, _ in measured:
            runner.log("metric", f"{rows} {metric}", value, done)
        if leave or (done % self._every == 0 and done < self.total):
            with self._checkpoints.checkpoint(done, None, True) as folder:
                save(str(folder / BOOSTER))
                (folder / HISTORY).write_text(json.dumps(self.history))
        return leave

    def over(self) -> None:
        """There are no more rounds, though there might have been: what comes now is no round that takes long."""
        self._steps.step(len(self.history), len(self.history))


# XGBoost


def _fit_xgboost(estimator: Any, rows: Table, evals: list[Table], settings: dict[str, Any]) -> Any:
    import xgboost

    classifies = isinstance(estimator, xgboost.XGBClassifier)
    with _collective() as share:
        told = share(rows, classifies)
        parameters = _xgboost_parameters(estimator)
        if classifies:
            parameters |= _class_parameters(_classes(told, rows["y"]), parameters.get("objective"))
        data, others = _matrices(estimator, parameters, rows, evals)
        rounds = Rounds(estimator.get_num_boosting_rounds(), settings["every"])
        booster = None if rounds.booster is None else xgboost.Booster(model_file=str(rounds.booster))
        callbacks = []
        if estimator.early_stopping_rounds is not None:
            callbacks.append(_stops_early(estimator.early_stopping_rounds, rounds.history, booster))
        trained = xgboost.train(
            parameters,
            data,
            rounds.left,
            evals=others,
            xgb_model=booster,
            verbose_eval=False,
            callbacks=[_after_each(rounds), *callbacks],
        )
        rounds.over()
    own = {name: getattr(estimator, name) for name in ("base_score", "booster", "feature_types", "enable_categorical")}
    estimator.load_model(bytearray(trained.save_raw("ubj")))
    estimator.set_params(**own)  # loading has put in their places what was found out
    if evals:
        estimator.evals_result_ = _log_of(rounds.history)
    return estimator


@contextmanager
def _collective() -> Iterator[Callable[[Table, bool], list[dict[str, Any]]]]:
    """XGBoost's own group of all ranks, while the block lasts. Gives `_told_by_all`, which the group needs, too."""
    from xgboost import collective
    from xgboost.tracker import RabitTracker

    world = int(os.environ["WORLD_SIZE"])
    if world == 1:
        yield _told_by_all
        return
    tracker = None
    if _rank() == 0:
        tracker = RabitTracker(host_ip=_host(), n_workers=world, sortby="task")
        tracker.start()
    where = {} if tracker is None else {name: str(value) for name, value in tracker.worker_args().items()}
    groups: list[Any] = []

    def share(rows: Table, classifies: bool) -> list[dict[str, Any]]:
        told = _told_by_all(rows, classifies, tracker=where)
        address = told[0]["tracker"]
        group = collective.CommunicatorContext(
            dmlc_communicator="rabit",
            dmlc_tracker_uri=address["dmlc_tracker_uri"],
            dmlc_tracker_port=int(address["dmlc_tracker_port"]),
            dmlc_task_id=f"{_rank():06}",
        )
        group.__enter__()
        groups.append(group)
        return told

    yield share
    for group in groups:  # after an error the process ends, and the group with it
        group.__exit__(None, None, None)
    if tracker is not None:
        tracker.wait_for()


def _xgboost_parameters(estimator: Any) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        name: value for name, value in estimator.get_xgb_params().items() if value is not None
    }
    parameters.setdefault("n_jobs", _threads())
    if estimator.eval_metric is not None:
        parameters["eval_metric"] = estimator.eval_metric
    return parameters


def _class_parameters(classes: Any, objective: str | None) -> dict[str, Any]:
    """What the classes mean for the parameters, as the estimator's own `fit` has it."""
    if classes.tolist() != list(range(len(classes))):
        raise ValueError(
            f"XGBoost's classes are numbered from 0 on, and y has {classes.tolist()[:20]}: number them first"
        )
    if len(classes) < 3:
        return {}
    return {
        "objective": "multi:softmax" if objective == "multi:softmax" else "multi:softprob",
        "num_class": len(classes),
    }


def _matrices(
    estimator: Any, parameters: dict[str, Any], rows: Table, evals: list[Table]
) -> tuple[Any, list[tuple[Any, str]]]:
    """The rows as XGBoost holds them, and those to evaluate with, with their names."""
    import xgboost

    same = {
        "missing": estimator.missing,
        "enable_categorical": estimator.enable_categorical,
        "feature_types": estimator.feature_types,
        "nthread": parameters["n_jobs"],
    }
    binned = parameters.get("tree_method", "auto") in ("auto", "hist") and parameters.get("booster") != "gblinear"
    options = {"max_bin": parameters.get("max_bin")} if binned else {}

    def matrix(table: Table, **more: Any) -> Any:
        kind = xgboost.QuantileDMatrix if binned else xgboost.DMatrix
        return kind(table["X"], table["y"], weight=table.get("weight"), qid=table.get("qid"), **same, **more)

    data = matrix(rows, **options)
    more = {"ref": data, **options} if binned else {}
    return data, [(matrix(table, **more), f"validation_{number}") for number, table in enumerate(evals)]


def _after_each(rounds: Rounds) -> Any:
    """What XGBoost calls after each round."""
    from xgboost.callback import TrainingCallback

    class AfterEach(TrainingCallback):  # type: ignore[misc]  # it has no types
        def after_iteration(self, model: Any, epoch: int, evals_log: dict[str, Any]) -> bool:
            measured: Measured = [
                (rows, metric, float(values[-1]), False)
                for rows, metrics in evals_log.items()
                for metric, values in metrics.items()
            ]
            return rounds.after(rounds.begun + epoch + 1, measured, model.save_model)

    return AfterEach()


def _stops_early(limit: int, history: list[Measured], booster: Any) -> Any:
    """XGBoost's own callback, which has seen what was measured before this attempt."""
    from xgboost.callback import EarlyStopping

    stops = EarlyStopping(rounds=limit)
    for number in range(len(history)):
        stops.after_iteration(booster, number, _log_of(history[: number + 1]))
    return stops


def _log_of(history: list[Measured]) -> dict[str, dict[str, list[float]]]:
    """What was measured as XGBoost has it: rows → metric → a value for each round."""
    log: dict[str, dict[str, list[float]]] = {}
    for measured in history:
        for rows, metric, value, _ in measured:
            log.setdefault(rows, {}).setdefault(metric, []).append(value)
    return log


# LightGBM


def _fit_lightgbm(estimator: Any, rows: Table, evals: list[Table], settings: dict[str, Any]) -> Any:
    import lightgbm

    classifies = isinstance(estimator, lightgbm.LGBMClassifier)
    own = estimator.get_params()
    with socket.socket() as kept:  # LightGBM opens it itself, a moment after; until then whoever comes is to come again
        kept.bind(("", 0))
        port = kept.getsockname()[1]
        told = _told_by_all(rows, classifies, address=f"{_host()}:{port}")
    rounds = Rounds(own["n_estimators"], settings["every"])
    limit = next((own[name] for name in STOPPING if own.get(name)), None)
    here = {"n_estimators": rounds.left, "n_jobs": own["n_jobs"] or _threads(), **_network(own, told, port)}
    trained = type(estimator)(**{name: value for name, value in own.items() if name not in STOPPING} | here)
    callbacks = [_after_lightgbm(rounds)]
    if limit is not None:
        callbacks.append(_stops_lightgbm(limit, rounds))
    before = list(rounds.history)
    with _known(_classes(told, rows["y"]) if classifies else None), stacks.heeded_elsewhere():
        trained.fit(
            rows["X"],
            rows["y"],
            sample_weight=rows.get("weight"),
            init_model=None if rounds.booster is None else str(rounds.booster),
            callbacks=callbacks,
            eval_metric=settings["eval_metric"],
            **_lightgbm_evals(trained, evals),
            **({"group": _sizes(rows["qid"])} if "qid" in rows else {}),
        )
    rounds.over()
    trained.booster_.free_network()
    for name, metrics in _log_of(before).items():
        for metric, values in metrics.items():
            trained.evals_result_.get(name, {}).get(metric, [])[:0] = values
    return _as_given(estimator, trained)


def _network(own: dict[str, Any], told: list[dict[str, Any]], port: int) -> dict[str, Any]:
    """The parameters that make LightGBM one of several."""
    if len(told) == 1:
        return {}
    learner = own.get("tree_learner", "serial")
    return {
        "machines": ",".join(each["address"] for each in told),
        "local_listen_port": port,
        "num_machines": len(told),
        "time_out": TIME_OUT,
        "tree_learner": "data" if learner == "serial" else learner,
    }


def _as_given(estimator: Any, trained: Any) -> Any:
    """The estimator with the parameters that its user gave it, and with what `trained` has learnt."""
    parameters = {*trained.get_params(), "_other_params"}
    vars(estimator).update({name: value for name, value in vars(trained).items() if name not in parameters})
    for name in NETWORK:
        estimator.booster_.params.pop(name, None)
    return estimator


def _lightgbm_evals(estimator: Any, evals: list[Table]) -> dict[str, Any]:
    if not evals:
        return {}
    given: dict[str, Any] = {"eval_set": [(table["X"], table["y"]) for table in evals]}
    if "eval_X" in inspect.signature(estimator.fit).parameters:  # from 4.7 on, which warns of the other way
        given = {f"eval_{name}": tuple(table[name] for table in evals) for name in ("X", "y")}
    if any("weight" in table for table in evals):
        given["eval_sample_weight"] = [table.get("weight") for table in evals]
    if "qid" in evals[0]:
        given["eval_group"] = [_sizes(table["qid"]) for table in evals]
    return given


def _sizes(queries: Any) -> Any:
    """How many rows each query has, in order."""
    import numpy as np

    return np.unique(np.asarray(queries), return_counts=True)[1]


@contextmanager
def _known(classes: Any) -> Iterator[None]:
    """Let LightGBM's classifier know the classes of all ranks: it looks at this rank's rows only."""
    from sklearn.preprocessing import LabelEncoder

    if classes is None:
        yield
        return
    looks = LabelEncoder.fit
    LabelEncoder.fit = lambda self, _: looks(self, classes)
    try:
        yield
    finally:
        LabelEncoder.fit = looks


def _after_lightgbm(rounds: Rounds) -> Any:
    """What LightGBM calls after each round."""
    from lightgbm.callback import EarlyStopException

    def after(env: Any) -> None:
        measured = [(each[0], each[1], float(each[2]), bool(each[3])) for each in env.evaluation_result_list or ()]
        if rounds.after(env.iteration + 1, measured, lambda path: env.model.save_model(path, num_iteration=-1)):
            raise EarlyStopException(env.iteration, env.evaluation_result_list)

    after.order = 25  # type: ignore[attr-defined]  # LightGBM reads it: before those that stop early
    return after


def _stops_lightgbm(limit: int, rounds: Rounds) -> Any:
    """LightGBM's own callback, which has seen what was measured before this attempt."""
    from lightgbm import early_stopping
    from lightgbm.callback import CallbackEnv

    stops = early_stopping(limit, verbose=False)
    model = types.SimpleNamespace(_train_data_name="training")
    for number, measured in enumerate(rounds.history):
        stops(CallbackEnv(model, {}, number, 0, rounds.total, measured))

    def stop(env: Any) -> None:
        stops(CallbackEnv(env.model, env.params, env.iteration, 0, env.end_iteration, env.evaluation_result_list))

    stop.order = 30  # type: ignore[attr-defined]  # as that of LightGBM's own
    return stop


# Here


def _host() -> str:
    """Where the other ranks reach this one."""
    return urlsplit(_runner().address).hostname or "127.0.0.1"


def _threads() -> int:
    threads = os.environ.get("OMP_NUM_THREADS", "")
    return int(threads) if threads.isdigit() else 1
