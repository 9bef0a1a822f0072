"""Services: a stable address that serves one version of a model, by replicas."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from .base import Bytes, Input, Label, Name, Period, Record, Saying, Seconds, Time, first, otherwise
from .candidate import Candidate, CandidateState, Share, Steps, Way
from .cluster import Problem
from .errors import Unreadable
from .formats import FORMAT
from .price import Cost, Price
from .profile import Profile
from .retraining import RETRAIN_ROWS, Retraining, RetrainWhen
from .words import size

#: `dead`: its router is gone without having been stopped. `unreachable`: that can't be seen from here.
ServicePhase = Annotated[
    Literal["starting", "ready", "stopping", "stopped", "dead", "unreachable"], otherwise("unreachable")
]

#: `standby`: it is asked nothing, and would answer at once, should the version before serve again.
ReplicaPhase = Annotated[Literal["starting", "ready", "draining", "standby"], otherwise("starting")]

#: What a caller may send and how long it may take, where nobody says otherwise: bytes of a body, open connections,
#: seconds for an answer.
MOST_BODY, MOST_CONNECTIONS, PATIENCE = 16_000_000, 1000, 60.0

#: Seconds that a window of what is counted lasts at least.
WINDOW: Seconds = 3600.0

#: The share of requests that a new service logs, rows of an hour that are logged at most, and seconds that they are
#: kept.
LOG, LOG_ROWS, KEEP = 0.1, 720, 30 * 24 * 3600.0

#: Replicas that a service may have, and callers. Bytes of a body that any service may take: it is in memory as a whole;
#: and so much of a larger one is read (and thrown away) so that its sender hears why it is refused.
MOST_REPLICAS, MOST_CALLERS, LARGEST_BODY = 64, 1000, 1_000_000_000


#: Features that may be private.
MOST_PRIVATE = 10_000


def _fits(body: int) -> int:
    if body > LARGEST_BODY:
        raise ValueError(f"must be {size(LARGEST_BODY)} at most")
    return body


class Deployment(Input):
    """What people ask for: a version of a model at an address.

    `name` is the service's, by default the model's. `body` is of one request; `patience` is for one answer, in seconds;
    `window` is how long what is asked is counted, at least, before it is compared with what was counted before.
    `place` is where it lives, by default where it lives already, else this machine; `profile` is what its pods are made
    by where a place has pods: image, namespace, and the CPUs and memory of the first group for each replica.
    `log` is the share of requests that is logged, `log_rows` are rows of an hour at most, and `keep` is for how long,
    in seconds; the features that `private` names are left out there.
    What is None stays as it was in a service that is there; a new one gets any port that is free, and the defaults.
    """

    model: Name
    version: Annotated[int, Field(ge=1)] | Annotated[Literal["champion", "newest"], otherwise("champion")] = "champion"
    name: Name | None = None
    #: For the trail.
    why: Annotated[str, Field(max_length=5000)] = ""
    place: Label | None = None
    profile: Name | None = None
    replicas: Annotated[int, Field(ge=1, le=MOST_REPLICAS)] | None = None
    port: Annotated[int, Field(ge=1024, le=65535, examples=[8001])] | None = None
    body: Annotated[Bytes, AfterValidator(_fits)] | None = None
    connections: Annotated[int, Field(ge=1, le=100_000)] | None = None
    patience: Period | None = None
    window: Annotated[Period, Field(ge=1)] | None = None
    log: Annotated[float, Field(ge=0, le=1, examples=[0.1])] | None = None
    log_rows: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    keep: Annotated[Period, Field(ge=60, examples=[86400.0])] | None = None
    private: Annotated[list[Label], Field(max_length=MOST_PRIVATE)] | None = None
    #: Where the version is to be tried beside the one that serves: how, what share it gets first, and the steps of a
    #: canary.
    way: Way | None = None
    share: Share | None = None
    steps: Steps | None = None
    #: The notebook that is run to retrain the model, by default the one that the version comes from; who begins that,
    #: and how many rows have to be new before an alarm does.
    pipeline: Annotated[str, Field(max_length=4096)] | None = None
    retrain: RetrainWhen | None = None
    retrain_rows: Annotated[int, Field(ge=1)] | None = None


class ServiceSpec(Record):
    """What is wanted of a service. Its router makes it so, and looks again whenever this changes."""

    format: int = FORMAT
    name: Label
    model: Label
    version: int
    #: The version's own digest: another one under its number isn't what was meant.
    digest: Label
    owner: Label
    created: Time
    place: Label = "local"
    #: Names this wish, and no earlier or later one.
    revision: Label = ""
    replicas: int = 1
    #: None: any that is free.
    port: int | None = None
    body: int = MOST_BODY
    connections: int = MOST_CONNECTIONS
    patience: Seconds = PATIENCE
    window: Seconds = WINDOW
    #: How its pods are made, and what an hour of them costs; where it has none, None and nothing.
    profile: Profile | None = None
    price: Price = Price()
    #: What an older release deployed logs nothing.
    log: float = 0.0
    log_rows: int = LOG_ROWS
    keep: Seconds = KEEP
    private: Annotated[list[Label], first(MOST_PRIVATE)] = []
    #: Names the deployment that this wish comes from: its replicas are its own, whatever is tried beside them.
    deployment: Label = ""
    #: Another version that is to be tried beside this one.
    candidate: Candidate | None = None
    #: The version that served before this one; 0 where none did.
    previous: int = 0
    #: When somebody, or its router, wanted this version in place of another one.
    chosen: Time = 0
    #: As in `Deployment`; empty: the notebook of the version's lineage.
    pipeline: Saying = ""
    retrain: RetrainWhen = "by hand"
    retrain_rows: int = RETRAIN_ROWS
    #: The home folder that it was deployed from last: an alarm retrains it there only, where its versions, gates and
    #: notebook are. Empty: by an older release, which did so for services of its own machine only.
    home: Label = ""

    @property
    def version_name(self) -> str:
        """As people name the version: "churn@3"."""
        return f"{self.model}@{self.version}"


class ReplicaState(Record):
    """A process or pod that serves one version."""

    name: Label
    version: int
    phase: ReplicaPhase = "starting"
    since: Time = 0
    pid: int | None = None


class ServiceState(Record):
    """What a service is now, as its router last wrote it, and its place sees it."""

    format: int = FORMAT
    name: Label
    model: Label = ""
    #: The version that answers; 0 while none does.
    version: int = 0
    #: The version that is to take its place; 0 where none is.
    coming: int = 0
    owner: Label = ""
    place: Label = "local"
    phase: ServicePhase = "starting"
    created: Time = 0
    #: When it became what it is.
    since: Time = 0
    #: Where callers find it: "http://127.0.0.1:8001"; empty while it has none.
    address: Label = ""
    #: The wish that was last fulfilled, or found impossible; `problem` says why.
    revision: Label = ""
    #: The wish that stands now, which its router may not have seen yet.
    wanted: Label = ""
    replicas: Annotated[list[ReplicaState], first(1000)] = []
    #: Requests since its start, those of them that failed, and how many there are in a second now.
    requests: int = 0
    errors: int = 0
    #: None where its place doesn't tell: `/metrics` does.
    rate: float | None = 0.0
    #: What its replicas have cost, in a place that has prices for them.
    cost: Cost | None = None
    problem: Problem | None = None
    #: What has changed, for longer than a window, in what it is asked or answers.
    alarm: Problem | None = None
    #: What of it can't be written now, and why. It answers all the same.
    unkept: Problem | None = None
    #: The version that is tried beside it; one that went back is told until something else is deployed.
    candidate: CandidateState | None = None
    #: The version that served before this one; 0 where none did.
    previous: int = 0
    #: The last retraining; set by who looks, never stored.
    retraining: Retraining | None = None
    #: What is left to do, in a line; as with `retraining`.
    hint: Saying = ""

    @property
    def live(self) -> bool:
        """Whether it answers, or is about to."""
        return self.phase in ("starting", "ready")

    @property
    def version_name(self) -> str:
        """As people name the version that answers: "churn@3"; the model's name while none does."""
        return f"{self.model}@{self.version}" if self.version else self.model


class CallerToken(Record):
    """What lets a caller in: the SHA-256 of a token, which is itself kept nowhere but by the caller."""

    name: Label
    digest: Label
    created: Time = 0


class CallerTokens(Record):
    """All callers of a service."""

    format: int = FORMAT
    callers: Annotated[list[CallerToken], first(MOST_CALLERS)] = []


def unreadable_service(name: str, fault: Unreadable) -> ServiceState:
    """How a service is shown whose files can't be read."""
    return ServiceState(name=name, phase="unreachable", problem=Problem.of(fault))
