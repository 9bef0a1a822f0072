"""Clusters: what was asked for, and what is."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import computed_field

from .account import AccountState
from .base import Label, Name, Record, Saying, Time, otherwise
from .budget import Budget
from .errors import MlopsError
from .formats import FORMAT
from .idle import Waste, WasteKind
from .price import REFERENCE, Cost, Price, Reference
from .profile import Limits, Place, Profile
from .rules import HeldRules
from .saving import CostBaseline
from .sizing import Advice
from .spend import Spend
from .spot import SpotBreak
from .words import count, span

ClusterPhase = Annotated[Literal["starting", "running", "stopping", "ended", "unreachable"], otherwise("running")]

WorkerPhase = Annotated[
    Literal["requested", "pending", "starting", "idle", "busy", "retiring", "ended", "lost"], otherwise("busy")
]

#: The maker of clusters that we made.
OURS = "jupyter-mlops"

#: Who a cluster is, and whose: what its place lists, and its controller has no say in.
_IDENTITY = ("name", "place", "namespace", "uid", "created", "owner", "maker", "mine")

#: Why a cluster ended; `other`: for a cause that only a newer version knows.
EndCause = Annotated[
    Literal["user", "idle", "lifetime", "budget", "failed", "killed", "machine restarted", "deleted", "other"],
    otherwise("other"),
]


class Problem(Record):
    """What is wrong, why, and what to do: the same three parts as in `MlopsError`."""

    what: Saying
    why: Saying = ""
    todo: Saying = ""

    @classmethod
    def of(cls, error: MlopsError) -> Problem:
        """`error` as a part of a state."""
        return cls(what=error.what, why=error.why, todo=error.todo)

    @property
    def words(self) -> str:
        """What is wrong and why, without what to do."""
        return f"{self.what}: {self.why}" if self.why else self.what


class ClusterSpec(Record):
    """What a user asked for; written once, when the cluster is made."""

    format: int = FORMAT
    name: Name
    owner: Label
    profile: Profile
    price: Price = Price()
    #: About what resources cost in a cloud: what a budget holds for usage without a price.
    reference: Price = REFERENCE
    created: Time
    #: Who made it: ours, or a peer ("KubeCluster", "kubectl"); others' clusters have fewer commands.
    maker: Label = OURS
    #: The administrator's rules that it is held to, and the accounts that it holds money of, in their order.
    rules: HeldRules = HeldRules()
    accounts: list[Label] = []
    #: What an hour of a worker may cost at most, by group, for what is held; only where there are accounts or rules.
    rates: dict[str, float] = {}


class Counts(Record):
    """Workers by phase. `lost` counts those that died in the last ten minutes and were not wanted dead."""

    requested: int = 0
    pending: int = 0
    starting: int = 0
    idle: int = 0
    busy: int = 0
    retiring: int = 0
    lost: int = 0


class GroupState(Record):
    """One group now. `wanted` is the target that the controller works towards; `spot_break` says that a spot group's
    workers are made on demand, and why."""

    name: Name
    cpus: float
    memory: int
    gpus: int = 0
    spot: bool = False
    minimum: int
    maximum: int
    adaptive: bool
    wanted: int
    counts: Counts = Counts()
    cost: Cost = Cost()
    problem: Problem | None = None
    spot_break: SpotBreak | None = None


def groups_asked(spec: ClusterSpec) -> list[GroupState]:
    """The groups of a cluster as they were asked for, before any worker is counted."""
    return [
        GroupState(
            name=group.name,
            cpus=group.cpus,
            memory=group.memory,
            gpus=group.gpus,
            spot=group.spot,
            minimum=group.minimum,
            maximum=group.maximum,
            adaptive=group.adaptive,
            wanted=group.workers,
        )
        for group in spec.profile.groups
    ]


class Work(Record):
    """Dask's tasks: `processing` on workers, `queued` without a worker yet, `erred` and `done` since the start."""

    queued: int = 0
    processing: int = 0
    done: int = 0
    erred: int = 0


class Stop(Record):
    """When the cluster will stop by itself, and why."""

    at: Time
    cause: EndCause


class Sample(Record):
    """A point of the timeline: workers by kind, CPU in workers' CPUs used (0 to the number of CPUs), money so far."""

    time: Time
    wanted: int
    pending: int
    running: int
    busy: int
    cpu: float = 0
    memory: float = 0
    amount: float | None = None


class ClusterState(Record):
    """A cluster now: what a card shows. Small and of the same size at 4 and at 1,000 workers."""

    format: int = FORMAT
    name: Name
    place: Place
    #: What keeps its name apart from others of its place: a namespace of Kubernetes.
    namespace: Label = ""
    #: Tells it from those that had, or will have, its name; empty where the moment when it was made does.
    uid: Label = ""
    profile: Label
    owner: Label
    #: Whether it is this user's own, as far as its place can tell; set by who lists it, never taken from its record.
    mine: bool = False
    maker: Label = OURS
    phase: ClusterPhase
    created: Time
    started: Time | None = None
    ended: Time | None = None
    cause: EndCause | None = None
    groups: list[GroupState] = []
    counts: Counts = Counts()
    work: Work = Work()
    #: CPUs used by all workers, of `cpus`; memory in bytes used, of `memory`.
    cpu: float = 0
    cpus: float = 0
    memory_used: float = 0
    memory: float = 0
    cost: Cost = Cost()
    #: About what it would cost in a cloud, where nobody knows what it costs.
    reference: Reference | None = None
    limits: Limits = Limits()
    #: None where it has none, and where its controller is too old to tell.
    budget: Budget | None = None
    #: The account that it may use up first; None where it has none.
    account: AccountState | None = None
    idle_since: Time | None = None
    stop: Stop | None = None
    problem: Problem | None = None
    #: Whether a part of its record can't be read, as `problem` says; what that part has is then missing here.
    unreadable: bool = False
    #: What its workers were there for, as of some seconds ago; None where its controller is too old to tell.
    spend: Spend | None = None
    #: Workers that cost money and do nothing; empty where its controller is too old to tell.
    waste: list[Waste] = []
    #: Which workers would do for all runs that it has done, once there are some.
    advice: list[Advice] = []
    #: The last 15 minutes, oldest first, for the card's chart; a longer history is asked for.
    timeline: list[Sample] = []
    #: Live runs, so that stopping can say what would be lost.
    runs: list[str] = []
    #: What it can be asked to do: less, for clusters that others made.
    commands: list[str] = ["scale", "adapt", "stop", "run"]

    @property
    def ours(self) -> bool:
        """Whether it was made with this tool, by whomever."""
        return self.maker == OURS

    @property
    def path(self) -> str:
        """Its name and where it is, as in `core.naming`: "flights.ml.kubernetes"."""
        return ".".join(filter(None, [self.name, self.namespace, self.place]))

    @computed_field  # type: ignore[prop-decorator]  # mypy doesn't know properties below decorators
    @property
    def id(self) -> str:
        """Which cluster it is, as in `core.naming`: its path, and what tells it from others that had its name."""
        return f"{self.path}~{self.uid or format(round(self.created * 1000), 'x')}"

    def told(self, news: ClusterState) -> ClusterState:
        """`news`, which a controller told of this cluster; who it is, and whose, stays as its place has it."""
        return news.model_copy(update={field: getattr(self, field) for field in _IDENTITY})


class SilentPlace(Record):
    """A place that did not answer, or not whole: there may be clusters in it that nobody can list now."""

    place: Place
    problem: Problem
    #: When it answered last, as far as the home folder knows; None when it never did.
    seen: Time | None = None
    #: The clusters that lived there then.
    clusters: int = 0

    def sentence(self, now: Time) -> str:
        """What is known of it in one sentence: "Kubernetes doesn't answer: 2 clusters seen 40 s ago"."""
        if self.seen is None:
            return f"{self.problem.what}, and what is there is not known"
        return f"{self.problem.what}: {count(self.clusters, 'cluster')} seen {span(round(now - self.seen))} ago"

    def described(self, now: Time) -> Problem:
        """The same as a problem, with what to do about it."""
        return Problem(what=self.sentence(now), why=self.problem.why, todo=self.problem.todo)


class WorkerState(Record):
    """One worker now: a row of the workers' table."""

    name: Label
    group: Label
    phase: WorkerPhase
    address: Label = ""
    host: Label = ""
    pid: int | None = None
    since: Time
    cpu: float = 0
    memory_used: float = 0
    memory: float = 0
    threads: int = 1
    processing: int = 0
    done: int = 0
    #: That it costs money and does nothing, once it has been so for minutes.
    waste: WasteKind | None = None
    #: Why it is pending, or why it died.
    problem: Problem | None = None


EventKind = Annotated[Literal["cluster", "scale", "worker", "run", "limit", "problem"], otherwise("cluster")]


class Event(Record):
    """Something that happened to a cluster, in words. `seq` counts from 1 per cluster and never repeats."""

    seq: int
    time: Time
    kind: EventKind
    text: Saying
    worker: Label | None = None
    run: Label | None = None
    problem: Problem | None = None


class Receipt(Record):
    """The final sum of a cluster that ended; kept after everything else of it is gone."""

    format: int = FORMAT
    name: Name
    place: Place
    owner: Label
    profile: Label
    created: Time
    ended: Time
    cause: EndCause
    why: Saying = ""
    cost: Cost
    #: Cost by group name.
    groups: dict[str, Cost] = {}
    #: What its workers were there for; None where an older version wrote it.
    spend: Spend | None = None
    #: Names of the groups that asked for spot machines.
    spot: list[Label] = []
    #: What it would have cost without what saves money; None where an older version wrote it.
    baseline: CostBaseline | None = None
    most_workers: int = 0
    tasks: int = 0
    runs: int = 0

    @property
    def ending(self) -> str:
        """Why it ended, in words: "failed: the disk is full"."""
        return f"{self.cause}: {self.why}" if self.why else self.cause

    def __repr__(self) -> str:
        """What a notebook shows; the fields have all of it."""
        return f"<{self.name}: {self.cost.total} in {span(self.ended - self.created)}, ended: {self.ending}>"
