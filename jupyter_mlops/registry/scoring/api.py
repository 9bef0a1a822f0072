"""`mlops.score`, as a function, and what it gives."""

from __future__ import annotations

import importlib.util
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cloudpickle

from ...client.clusters.handle import Cluster
from ...client.clusters.kernel import loop_thread
from ...client.runs.execution.outcomes import FailedItem
from ...client.runs.follow import state_now
from ...client.runs.launch import launch
from ...client.runs.options import Options
from ...client.runs.origin import origin_of_kernel
from ...client.runs.run import Run
from ...client.runs.view import View
from ...client.send.payload import ship_function
from ...client.words import tell
from ...core.errors import Conflict, InvalidSpec, MlopsError, Unavailable, UnknownRun
from ...core.price import Cost
from ...core.run import FINAL
from ...core.scoring import Scoring
from ...core.words import count, fine_money, span
from .. import answers, flavors, rows
from ..handle import Model, Version
from . import part as parts
from .folder import NOTE, ScoreFolder, check_all_wanted, check_same
from .inputs import input_of
from .part import ScorePart, scorer
from .plan import keys_of, plan_of, version_meant

#: What a worker does travels with the run: workers elsewhere have no copy of it.
for _travelling in (answers, flavors, parts, rows):
    cloudpickle.register_pickle_by_value(_travelling)

_OPTIONS = ("name", "workers", "group", "timeout", "budget", "retries", "detach", "quiet", "sync")


def score(
    model: str | Model | Version,
    data: Any,
    /,
    *,
    out: str | Path,
    keys: Sequence[str] | str | None = None,
    chances: bool = False,
    fresh: bool = False,
    cluster: str | Cluster | None = None,
    **options: Any,
) -> Scores:
    """Have a version of a model answer all rows of a table or of files, on a cluster. Returns at once.

        mlops.score("churn", "customers/*.parquet", out="scores").result()

    The answers are Parquet files in the folder `out`, one for each part of the input, which is there whole or not at
    all: the keys of its rows, in their order, with a column `prediction`. Run again, it goes on with the parts that are
    missing, or whose input has changed since.

    Parameters
    ----------
    model : "churn" (the champion), "churn@3", "churn@champion", "churn@newest", or what `mlops.model` gives.
    data : a DataFrame of pandas (in parts of 50,000 rows at most) or of Dask (a partition is a part), or Parquet and
        CSV files, each a part that a worker has room for: a path, a folder, a pattern like "data/*.parquet", a URL that
        fsspec knows, or a list of these.
    out : a folder that the workers see, too, or a URL.
    keys : columns that stand beside the answers; by default all that the model doesn't take. Without any it is the
        index of a table, or the file and the number of the row in it. Those of CSV files are text, as they stand there.
    chances : whether there is a column for the chance of each class, too, as "chance_yes".
    fresh : begin anew: what is in `out` of earlier scores, and nothing else, is removed first.
    cluster : where; as for `%%mlrun --cluster`.
    options : name, workers, group, timeout, retries, detach, quiet, sync, as for `%%mlrun`.

    Raises
    ------
    UnknownModel, UnknownVersion : there is no such version, or no champion.
    InvalidInput : the columns aren't those that the version takes: nothing has run then. Or there is nothing to score.
    NotFound : no file is there.
    Conflict : `out` has other things in it, scores of another version or another input, or is being scored into.
    ModelChanged, Refused, Unavailable : the version can't be loaded; pandas or pyarrow isn't installed here.
    NotPicklable, UnknownCluster, UnknownGroup, OutOfRange, VersionMismatch, StartFailed, ClusterUnreachable
    """
    if unknown := [name for name in options if name not in _OPTIONS]:
        raise InvalidSpec(f"{unknown[0]!r} is no option of scoring", "", f"There are: {', '.join(_OPTIONS)}.")
    _check_installed()
    models, version = version_meant(model, "can't score")
    given = input_of(data)
    folder = ScoreFolder(str(Path(out).expanduser()) if isinstance(out, Path) or out.startswith("~") else out)
    chosen = keys_of(version, given, keys)
    plan = plan_of(models, version, given, chosen, chances, folder.place, NOTE)
    note = Scoring(
        model=models.name,
        number=version.number,
        digest=version.digest,
        keys=chosen,
        chances=chances,
        takes=list(plan.kinds),
        columns=[f"{each.name}: {each.type}" for each in plan.schema],
        claim=secrets.token_hex(6),
    )
    there, old, before = _look(folder, note, given.parts, fresh)
    left = [each for each in given.parts if each.file not in before]
    told = Options(
        cluster=cluster.id if isinstance(cluster, Cluster) else cluster,
        **{"name": f"score {version.name}", **options},
    )
    say: Callable[[str], None] = (lambda text: None) if told.quiet else tell
    if before:
        done = f"{len(before):,} of {count(len(given.parts), 'part')}"
        say(f"{done} {'is' if len(before) == 1 else 'are'} in {folder.place} already. fresh=True begins anew.")
    scores = Scores(version.name, folder.place, given.parts, before, left)
    if left:

        def claim(run: str) -> None:
            folder.claim(there, note.model_copy(update={"run": run}), old)

        score_part = scorer(replace(plan, claim=note.claim))
        payload = ship_function(score_part, _code(version.name, data, folder.place), "map", say)
        scores.run = launch(payload, given.send(left), told, origin_of_kernel(), say, claim)
    return scores


def _check_installed() -> None:
    for name in ("pandas", "pyarrow"):
        if importlib.util.find_spec(name) is None:
            raise Unavailable("Nothing can be scored", f"{name} isn't installed here", f"pip install {name}")


def _look(
    folder: ScoreFolder, note: Scoring, wanted: list[ScorePart], fresh: bool
) -> tuple[Scoring | None, list[str], dict[str, int]]:
    """What a folder is of, its parts that are to be removed, and those that are scored already, each with its rows."""
    there = folder.note()
    if there is None:
        return None, [], {}
    _check_over(folder, there, fresh)
    marks = folder.parts()
    if fresh:
        return there, list(marks), {}
    check_same(folder, there, note)
    inputs = {each.file: each.input for each in wanted}
    check_all_wanted(folder, marks, inputs)
    before = {
        name: mark.rows for name, mark in marks.items() if (mark.digest, mark.input) == (note.digest, inputs[name])
    }
    return there, [], before


def _check_over(folder: ScoreFolder, there: Scoring, fresh: bool) -> None:
    """Raise `Conflict` while another run scores into a folder, or nobody can say whether it does."""
    if not there.run:
        return
    try:
        state = loop_thread().call(state_now(there.run))
    except UnknownRun:  # it was forgotten, or never began. Where it is another user's its workers find the claim
        return
    except MlopsError as error:
        if fresh:
            return
        todo = "Try again when it can be, name another folder, or begin anew with fresh=True (--fresh)."
        why = f"run {there.run} can't be seen: {str(error).rstrip('.')}"
        raise Conflict(f"{folder.place} may be being scored into", why, todo) from None
    if state.phase not in FINAL:
        todo = f"Wait for it, or cancel it with mlops.get_run({there.run!r}).cancel()."
        raise Conflict(f"{folder.place} is being scored into: run {there.run}", "", todo)


def _code(version: str, data: Any, place: str) -> str:
    """The call, as the run's code is shown."""
    what = repr(str(data)) if isinstance(data, (str, Path)) else f"<{type(data).__name__}>"
    return f"mlops.score({version!r}, {what}, out={place!r})"


@dataclass(frozen=True)
class ScoreResult:
    """What scoring gave.

    Attributes
    ----------
    version, folder : of which the answers are, and where.
    rows, parts : that the folder has of the input, with those of earlier runs.
    scored : rows that this run has scored, and `seconds` that it took.
    cost : of this run; `per_thousand` is what a thousand rows cost, None where that, or a part of it, is unknown.
    failed : the parts that couldn't be scored, each as a `FailedItem`. Run it again to try them again.
    """

    version: str
    folder: str
    rows: int
    parts: int
    scored: int = 0
    seconds: float = 0.0
    cost: Cost = field(default_factory=Cost)
    failed: list[FailedItem] = field(default_factory=list)

    @property
    def per_thousand(self) -> float | None:
        """Money for a thousand rows."""
        unknown = not self.scored or self.cost.amount is None or self.cost.lacks
        return None if unknown else (self.cost.amount or 0.0) / self.scored * 1000

    def __str__(self) -> str:
        told = f"{self.version}: {count(self.rows, 'row')} in {count(self.parts, 'part')} in {self.folder}"
        if self.scored:
            told += f"; {self.scored:,} scored now, in {span(self.seconds)}"
        if self.per_thousand is not None:
            told += f", {fine_money(self.per_thousand, self.cost.currency)} per 1,000 rows"
        if self.failed:
            names = "; ".join(str(each).splitlines()[0].rstrip(".") for each in self.failed[:3])
            more = f"; and {len(self.failed) - 3:,} more" if len(self.failed) > 3 else ""
            told += f". {count(len(self.failed), 'part')} failed: {names}{more}. Run it again to try them again"
        return f"{told}."

    def __repr__(self) -> str:
        return f"<{self}>"


class Scores:
    """Scoring under way, or over: what `mlops.score` gives.

    Attributes
    ----------
    run : the run that scores; None where nothing was left to score.
    folder : where the answers are.
    """

    def __init__(
        self, version: str, folder: str, wanted: list[ScorePart], before: dict[str, int], left: list[ScorePart]
    ) -> None:
        self.version, self.folder = version, folder
        self.run: Run | None = None
        self._before, self._parts = before, len(wanted)
        self._left = [replace(each, frame=None) for each in left]  # tables may be large, and aren't needed any more

    @property
    def state(self) -> str:
        """starting, running, done, failed, cancelled or lost."""
        return "done" if self.run is None else self.run.state

    def wait(self, timeout: float | None = None) -> None:
        """Wait until it is over. Raises `NotReady` when it isn't after `timeout` seconds; it goes on."""
        if self.run is not None:
            self.run.wait(timeout)

    def cancel(self, why: str = "") -> None:
        """Stop it. What is scored stays, and is gone on with when it is run again."""
        if self.run is not None:
            self.run.cancel(why)

    def result(self, timeout: float | None = None, view: View | None = None) -> ScoreResult:
        """What it gave, once it is over.

        Raises
        ------
        ItemsFailed : no part could be scored; the cause is chained.
        RunCancelled, RunTimeout, RunLost, RunFailed
        NotReady : it isn't over after `timeout` seconds; it goes on.
        """
        before = sum(self._before.values())
        if self.run is None:
            return ScoreResult(self.version, self.folder, before, len(self._before))
        given = self.run.result(timeout, view)
        failed = [_named(self._left[each.index], each) for each in given if isinstance(each, FailedItem)]
        scored = [each["rows"] for each in given if not isinstance(each, FailedItem)]
        record = self.run.record
        return ScoreResult(
            self.version,
            self.folder,
            before + sum(scored),
            len(self._before) + len(scored),
            sum(scored),
            (record.ended or time.time()) - record.created,
            record.cost,
            failed,
        )

    def __repr__(self) -> str:
        left = f", {count(len(self._left), 'part')} to score" if self._left else ""
        return f"<Scores of {self.version} in {self.folder}: {self.state}, {count(self._parts, 'part')}{left}>"


def _named(part: ScorePart, failed: FailedItem) -> FailedItem:
    """A failed part by its name and its number in the whole input."""
    made = FailedItem(part.number, part.name, failed.error)
    made.__cause__ = failed.__cause__
    return made
