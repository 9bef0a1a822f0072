"""Runs: one execution asked for by a user."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, computed_field

from .base import Label, Record, Saying, Time, first, otherwise
from .cluster import Problem
from .errors import Unreadable
from .formats import FORMAT
from .ladder import Ladder
from .price import Cost
from .projection import Projection
from .sizing import Advice, GroupUse, advice_of
from .spotfit import SpotFit, fit_of_gang, fit_of_items
from .steps import RankState, waits_of
from .whereabouts import GangWhereabouts, advice_on

RunKind = Annotated[Literal["cell", "map", "function", "gang", "sweep"], otherwise("function")]

RunPhase = Annotated[Literal["starting", "running", "done", "failed", "cancelled", "lost"], otherwise("running")]

#: Phases that a run doesn't leave.
FINAL: frozenset[RunPhase] = frozenset({"done", "failed", "cancelled", "lost"})

#: Variables, metrics and so on that the state of a run shows; its curves have all metrics.
MOST = 1000

#: How often a gang begins again because a rank failed, unless its user says otherwise.
RESTARTS = 3

RunId = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]


class Origin(Record):
    """Where in a notebook a run came from, so that the sidebar can go there."""

    notebook: Saying = ""
    cell: Label = ""
    kernel: Label = ""
    #: The cell's execution count, as in "[12]"; None where nothing counts.
    number: int | None = None


class ItemError(Record):
    """One item that raised."""

    index: int
    item: Saying
    error: Saying
    traceback: Saying = ""


class Checkpoint(Record):
    """The last complete checkpoint of a run."""

    step: int
    time: Time
    #: How good it is, the higher the better; None where nobody said.
    best: float | None = None
    #: Bytes.
    size: int = 0


class RunState(Record):
    """A run: its record when it starts, its progress while it lives, and what became of it."""

    format: int = FORMAT
    id: RunId
    name: Label
    kind: RunKind
    #: Its cluster's name, and which of that name it was (`ClusterState.id`); empty in records of older versions.
    cluster: Label
    cluster_id: Label = ""
    #: The name of its cluster's profile; empty as above.
    profile: Label = ""
    group: Label | None = None
    owner: Label
    phase: RunPhase = "starting"
    created: Time
    ended: Time | None = None
    #: The cell or function as text, its options and the names of the variables it took along.
    code: Annotated[str, first(200_000)] = ""
    options: dict[str, Any] = {}
    variables: Annotated[list[Label], first(MOST)] = []
    #: Python, dask, distributed and the imported libraries: name → version.
    versions: Annotated[dict[str, Label], first(MOST)] = {}
    origin: Origin = Origin()
    detached: bool = False
    #: The cluster's shape when the run started: group → workers.
    shape: dict[str, int] = {}
    #: Items of a map, trials of a sweep; tasks otherwise. None while the total is not known (a generator).
    total: int | None = None
    done: int = 0
    failed: int = 0
    #: Of a map that scores a table: the rows that it has scored.
    rows: int = 0
    #: Seconds left, estimated from the speed so far; None while unknown.
    left: float | None = None
    #: Seconds of worker threads that the run's tasks computed.
    busy: float = 0
    cost: Cost = Cost()
    #: What all of a map will cost, and what its cluster's budget means for it, in words; only while it runs.
    projection: Projection | None = None
    budget: Saying = ""
    error: Saying = ""
    errors: Annotated[list[ItemError], first(20)] = []
    #: What was logged last, by the first of its ranks; None for what is no finite number.
    metrics: Annotated[dict[str, float | None], first(MOST)] = {}
    params: Annotated[dict[str, Saying], first(MOST)] = {}
    #: Of its code and of the plain values that went along: whose runs are alike.
    digest: Label = ""
    #: Of a gang: how often its ranks have begun, its last checkpoint, and the folder or URL of all of them.
    attempt: int = 0
    checkpoint: Checkpoint | None = None
    checkpoints: Saying = ""
    #: Of a gang, while it runs: its ranks, and the money that the steps that are left will cost.
    ranks: Annotated[list[RankState], first(256)] = []
    to_finish: float | None = None
    #: What is wrong with its record; set by who reads it, never stored.
    problem: Problem | None = None
    #: Of a map that tries sizes, or has.
    ladder: Ladder | None = None
    #: Whether `again` works: its input was kept.
    repeatable: bool = False
    #: Whether its result was kept on disk (detached runs) and can be fetched.
    kept: bool = False
    #: What it used of the workers, by group.
    use: Annotated[list[GroupUse], first(16)] = []
    #: Of a gang that is over: where its ranks spent their time, as far as they were looked at.
    whereabouts: GangWhereabouts | None = None

    @computed_field  # type: ignore[prop-decorator]  # mypy doesn't know properties below decorators
    @property
    def advice(self) -> list[Advice]:
        """Which workers would have done, and what its ranks waited for, once it is over; of one that didn't come to its
        end, only what it lacked."""
        found = advice_of(self.use) if self.phase in FINAL else []
        found += advice_on(self.whereabouts, next(iter(self.use), None))
        return [each for each in found if self.phase == "done" or each.kind == "more memory"]

    @computed_field  # type: ignore[prop-decorator]  # as above
    @property
    def spot_fit(self) -> SpotFit | None:
        """Whether its work is fit for spot machines, once it is done; None on spot, and where its place has none."""
        if self.phase != "done" or not any(use.spot is False for use in self.use):
            return None
        if self.in_gangs:
            return fit_of_gang(self.seats, self.checkpoint is not None)
        if self.kind in ("map", "sweep"):
            noun = "an item" if self.kind == "map" else "a trial"
            return fit_of_items(self.busy / self.items_over, noun, self.options) if self.items_over else None
        return fit_of_items(self.busy, "the run", self.options) if self.busy else None

    @computed_field  # type: ignore[prop-decorator]  # as above
    @property
    def waits(self) -> str:
        """What it waits for for most of the time, if it is a gang that runs; empty where nobody can say."""
        return waits_of(self.ranks) if self.phase == "running" else ""

    @property
    def ran_on(self) -> str:
        """Its cluster, as exactly as it is known."""
        return self.cluster_id or self.cluster

    @property
    def in_gangs(self) -> bool:
        """Whether its tasks are seats: it is a gang, or a sweep each of whose trials is one."""
        return self.kind == "gang" or (self.kind == "sweep" and "gang" in self.options)

    @property
    def seats(self) -> int:
        """Workers that it runs on at the same time, if it is a gang, or that each of its trials does; 1 where another
        version's record doesn't say."""
        workers = self.options.get("gang")
        return workers if isinstance(workers, int) and workers > 0 else 1

    @property
    def per_worker(self) -> int:
        """Ranks on each of its workers, if it is a gang."""
        ranks = self.options.get("per_worker")
        return ranks if isinstance(ranks, int) and ranks > 0 else max(1, (self.total or 1) // self.seats)

    @property
    def least_seats(self) -> int | None:
        """Workers that are enough for it, if it is an elastic gang."""
        least = self.options.get("at_least")
        return least if isinstance(least, int) and 0 < least < self.seats else None

    @property
    def known(self) -> int:
        """Trials that earlier runs of the same sweep have finished; its `total` has them, too."""
        known = self.options.get("known")
        return known if self.kind == "sweep" and isinstance(known, int) and known > 0 else 0

    @property
    def tried(self) -> int:
        """Items that are done or have failed; of a sweep with those that were known when it began."""
        return self.known + self.done + self.failed

    @property
    def items_over(self) -> int:
        """Items of a map, or trials of a sweep, that it did or failed to do; 0 for what has none."""
        return self.done + self.failed if self.kind in ("map", "sweep") else 0

    @property
    def best(self) -> float | None:
        """Of a sweep, the best value so far; None while there is none."""
        return self.metrics.get("best") if self.kind == "sweep" else None

    def told_by(self, name: str, cluster: str) -> RunState:
        """The same as a run of the cluster with this name and id: its controller told of it, and has no say in that."""
        return self.model_copy(update={"cluster": name, "cluster_id": cluster})


def unreadable_run(run: RunId, cluster: str, created: Time, fault: Unreadable) -> RunState:
    """How a run is shown whose record can't be read: it names the fault, and claims nothing else.

    Parameters
    ----------
    run : its id.
    cluster : the name of its cluster; empty where that isn't known.
    created : the moment by which it is listed, in seconds since the epoch.
    fault : what can't be read, why, and what to do.
    """
    return RunState(
        id=run,
        name="unreadable",
        kind="function",
        cluster=cluster,
        owner="",
        phase="lost",
        created=created,
        ended=created,
        error=str(fault),
        problem=Problem.of(fault),
    )


def cannot_try(run: RunState) -> str:
    """Why sizes can't be tried with a run, in words; empty where they can."""
    if run.kind != "map":
        return f"it is a {run.kind}, and only the items of a map are alike"
    if run.detached:
        return "it is detached: all of it was sent, and nobody watches it"
    if run.phase in FINAL:
        return f"it is {run.phase}"
    if run.total is None:
        return "nobody knows how many items it has"
    if run.ladder is not None:
        return "it has tried some already" if run.ladder.phase == "done" else "it tries some now"
    return ""


def per_thousand(run: RunState) -> float | None:
    """Money for a thousand items of a map, or rows of one that scores a table, at what those so far cost; None while
    that, or a part of it, is unknown."""
    items = run.rows or run.done + run.failed
    if run.kind != "map" or not items or run.cost.amount is None or run.cost.lacks:
        return None
    return run.cost.amount / items * 1000


JournalKind = Annotated[Literal["print", "metric", "param", "phase"], otherwise("phase")]


class Entry(Record):
    """A line of a run's journal: what it printed and logged. `seq` counts from 1 per run."""

    seq: int
    time: Time
    kind: JournalKind
    #: For `print`: the text, and stdout or stderr.
    text: str = ""
    stream: Annotated[Literal["stdout", "stderr"], otherwise("stdout")] = "stdout"
    worker: str = ""
    #: For `param`; for `metric`, too, in journals of earlier versions.
    key: str = ""
    value: float | str | None = None
    step: int | None = None
