"""What the server tells browsers: a snapshot, then changes, numbered so that a browser can resume."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import Label, Record, Saying, Seconds, Time
from .cluster import ClusterState, Event, SilentPlace, WorkerState
from .estimate import Estimate
from .operation import Operation
from .profile import Place, Profile
from .promotion import ModelSummary
from .run import Entry, RunState
from .schedule import ScheduleList
from .service import ServiceState


class ProfileView(Record):
    """A profile with its estimate, the last used one first."""

    profile: Profile
    estimate: Estimate
    last_used: Time | None = None
    #: What is to be known of it, such as that it goes before another one of its name.
    note: Saying = ""


class PlaceView(Record):
    """A place that clusters can be made in: its name, what people read for it, whether its groups may ask for spot,
    whether services can be made there by its profiles, and whether notebooks run by themselves there: by the clock of
    `zone`, where it has one of its own."""

    name: Place
    title: str
    has_spot: bool = False
    has_services: bool = False
    has_schedules: bool = False
    zone: Label = ""


class PlaceChange(Record):
    """A place is now `value`."""

    noun: Literal["place"] = "place"
    id: str
    value: PlaceView | None


class ClusterChange(Record):
    """A cluster is now `value`; None: it is no longer listed."""

    noun: Literal["cluster"] = "cluster"
    id: str
    value: ClusterState | None


class RunChange(Record):
    """A run is now `value`."""

    noun: Literal["run"] = "run"
    id: str
    value: RunState | None


class OperationChange(Record):
    """An operation is now `value`."""

    noun: Literal["operation"] = "operation"
    id: str
    value: Operation | None


class ProfilesChange(Record):
    """The profiles are now these."""

    noun: Literal["profiles"] = "profiles"
    id: Literal[""] = ""
    value: list[ProfileView]


class SilentChange(Record):
    """The places that don't answer are now these; a cluster that isn't listed may be in one of them."""

    noun: Literal["silent"] = "silent"
    id: Literal[""] = ""
    value: list[SilentPlace]


class ModelsChange(Record):
    """The models are now these, by name."""

    noun: Literal["models"] = "models"
    id: Literal[""] = ""
    value: list[ModelSummary]


class ServicesChange(Record):
    """The services are now these, by name."""

    noun: Literal["services"] = "services"
    id: Literal[""] = ""
    value: list[ServiceState]


class SchedulesChange(Record):
    """The notebooks that run by themselves are now these, by name."""

    noun: Literal["schedules"] = "schedules"
    id: Literal[""] = ""
    value: ScheduleList


class WorkersChange(Record):
    """Workers of the cluster `id` that changed; `gone` names those to drop; `whole`: forget all others first.

    Sent only for the clusters that this browser follows.
    """

    noun: Literal["workers"] = "workers"
    id: str
    value: list[WorkerState]
    gone: list[str] = []
    whole: bool = False


class EventsChange(Record):
    """New events of the cluster `id`, oldest first. Sent only for the clusters that this browser follows."""

    noun: Literal["events"] = "events"
    id: str
    value: list[Event]
    whole: bool = False


class JournalChange(Record):
    """New lines of the journal of the run `id`. Sent only for the runs that this browser follows."""

    noun: Literal["journal"] = "journal"
    id: str
    value: list[Entry]
    whole: bool = False


Change = Annotated[
    PlaceChange
    | ClusterChange
    | RunChange
    | OperationChange
    | ProfilesChange
    | SilentChange
    | ModelsChange
    | ServicesChange
    | SchedulesChange
    | WorkersChange
    | EventsChange
    | JournalChange,
    Field(discriminator="noun"),
]


class Snapshot(Record):
    """Everything, sent first, and again when a browser was away for longer than the server remembers."""

    type: Literal["snapshot"] = "snapshot"
    #: Names this server's run; numbers of another epoch can't be resumed from.
    epoch: str
    seq: int
    now: Time
    places: list[PlaceView] = []
    clusters: list[ClusterState]
    runs: list[RunState]
    operations: list[Operation]
    profiles: list[ProfileView]
    silent: list[SilentPlace] = []
    models: list[ModelSummary] = []
    services: list[ServiceState] = []
    schedules: ScheduleList = ScheduleList()
    #: Another message follows within that time, if only an empty one: a browser can tell a quiet server from a dead
    #: connection. 0 is a server that promises nothing.
    beat: Seconds = 0


class Changes(Record):
    """What changed since the last message."""

    type: Literal["changes"] = "changes"
    epoch: str
    seq: int
    now: Time
    changes: list[Change]
    beat: Seconds = 0


class Hello(Record):
    """The browser's first message; sent again each time when the browser follows something else, or doubts that the
    connection still is one. Each is answered, if only with no changes.

    A browser that sends the `epoch` and `seq` that it saw last gets what it missed; any other gets a snapshot.
    """

    type: Literal["hello"] = "hello"
    epoch: str | None = None
    seq: int | None = None
    #: Clusters whose workers and events, and runs whose journal, it wants to see.
    follow_clusters: list[str] = []
    follow_runs: list[str] = []
