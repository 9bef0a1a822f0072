"""Clusters as Kubernetes has them on record, out of the objects that stand for them. Pure: the API's JSON goes in.

What is stored may be damaged, or of another version. Then a cluster is listed all the same, by what its objects' names
and labels tell, with a fault that says what can't be read; nothing is ended, removed or written because of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from ....core.base import Time, read_record
from ....core.cluster import ClusterSpec, ClusterState, Problem, Receipt, groups_asked
from ....core.errors import Unreadable
from ....core.price import Cost
from ....core.profile import Group, Profile
from ....home.owner import me
from .. import names
from ..api.client import Api, Json
from ..names import ObjectNames
from ..options import options_of
from ..why.facts import moment
from . import record
from .keeper import read_number
from .kept import KeptFiles, Storage

#: What a receipt's name has between the cluster's name and the moment of its start.
_RECEIPT = "-receipt-"
_LEFT_ALONE = "It is left as it is. `jupyter mlops stop` ends it if you name it; `kubectl` shows what is stored."


#: What people call it, by its class.
_NOUNS: dict[Any, str] = {ClusterSpec: "spec", Receipt: "receipt", ClusterState: "last state"}

_RecordT = TypeVar("_RecordT", ClusterSpec, Receipt, ClusterState)


@dataclass(frozen=True)
class StoredCluster:
    """A cluster on record."""

    api: Api
    ids: ObjectNames
    #: What was asked for. With a `fault`, it may be only what the names and labels of the objects tell.
    spec: ClusterSpec
    record: Json | None
    #: What keeps its receipt and history.
    storage: Storage = "secrets"
    #: With a `fault`, it may say only that the cluster has ended.
    receipt: Receipt | None = None
    #: Whether its controller has said something, and what it said last, if that can be read.
    ready: bool = False
    state: ClusterState | None = None
    alive: Time = 0
    #: Why its scheduler doesn't answer.
    problem: Problem | None = None
    #: What of its record can't be read.
    fault: Problem | None = None

    @property
    def live(self) -> bool:
        """Whether it has not ended."""
        return self.receipt is None


def read_clusters(api: Api, deployments: Iterable[Json], receipts: Iterable[KeptFiles]) -> list[StoredCluster]:
    """The clusters that these records and receipts stand for."""
    records = {
        str(item["metadata"]["name"]): {**item, "apiVersion": record.APPS, "kind": "Deployment"} for item in deployments
    }
    found = []
    newest_first = sorted(receipts, key=lambda stored: _created(stored.item), reverse=True)
    for stored in newest_first:  # the newest of a name may be the one that lives
        held = records.get(f"{_cluster(stored.item)}-scheduler")
        if held is not None and _belongs(held, stored, api.namespace):
            del records[held["metadata"]["name"]]
        else:
            held = None
        found.append(_entry(api, held, stored))
    return found + [_entry(api, held, None) for held in records.values()]


def state_of(entry: StoredCluster) -> ClusterState:
    """What a card shows, as far as records tell; a link knows more of a live one."""
    spec, receipt = entry.spec, entry.receipt
    state = ClusterState(
        name=spec.name,
        place="kubernetes",
        namespace=entry.api.namespace,
        profile=spec.profile.name,
        owner=spec.owner,
        mine=spec.owner == me(),
        maker=spec.maker,
        phase="running" if entry.ready else "starting",
        created=spec.created,
        groups=groups_asked(spec),
        limits=spec.profile.limits,
    )
    if entry.state is not None:
        state = state.told(entry.state)
    if receipt is not None:
        failed = receipt.cause in ("failed", "killed", "deleted")
        problem = entry.fault or (Problem(what=f"Ended: {receipt.cause}", why=receipt.why) if failed else None)
        ended = {"phase": "ended", "ended": receipt.ended, "cause": receipt.cause, "problem": problem}
        money = {"cost": receipt.cost, "spend": receipt.spend}
        nothing: dict[str, object] = {"commands": [], "stop": None, "runs": [], "waste": []}
        return state.model_copy(update={**ended, **money, **nothing})
    if entry.fault is not None:
        return state.model_copy(update={"phase": "unreachable", "problem": entry.fault, "commands": ["stop"]})
    if entry.record is None or "deletionTimestamp" in entry.record["metadata"]:
        return state.model_copy(update={"phase": "stopping"})
    return state.model_copy(update={"problem": entry.problem}) if entry.problem else state


def last_cost(entry: StoredCluster) -> Cost:
    """What its controller said last of the cost, now that nothing costs any more; unknown when it said nothing."""
    cost = Cost() if entry.state is None else entry.state.cost
    return cost if cost.per_hour is None else cost.model_copy(update={"per_hour": 0.0})


def _entry(api: Api, held: Json | None, stored: KeptFiles | None) -> StoredCluster:
    spec, unread = _spec(held, stored)
    kept = stored or KeptFiles(_storage(held), {})
    receipt = _read(Receipt, kept, "receipt.json", unread)
    faults, unread = unread, []
    state = _read(ClusterState, kept, "state.json", unread)
    alive = read_number(kept.text("alive"))
    if receipt is None and "receipt.json" in kept.names and held is None:
        receipt = _bare_receipt(spec, state, alive)
    return StoredCluster(
        api,
        record.ids_of(spec, api.namespace),
        spec,
        held,
        kept.storage,
        receipt,
        ready="state.json" in kept.names,
        state=state,
        alive=alive,
        problem=unread[0] if unread else None,
        fault=faults[0] if faults else None,
    )


def _spec(held: Json | None, stored: KeptFiles | None) -> tuple[ClusterSpec, list[Problem]]:
    """The spec from where it can be read, and why it can't: it is kept with the receipt, and in the record's
    annotation, without what nobody else may read."""
    faults: list[Problem] = []
    spec = None if stored is None else _read(ClusterSpec, stored, "spec.json", faults, "")
    if spec is None and held is not None:
        spec = _read_text(ClusterSpec, held, _where(held), _annotations(held).get(record.SPEC, ""), faults)
    if spec is not None:
        return spec, []
    item = stored.item if stored is not None else held
    assert item is not None
    profile = Profile(name="unreadable", place="kubernetes", groups=[Group(workers=0)])
    owner = str(_annotations(item).get(names.OWNER_IN_FULL, ""))
    return ClusterSpec(name=_cluster(item), owner=owner, profile=profile, created=_created(item)), faults


def _read(
    kind: type[_RecordT], kept: KeptFiles, name: str, unread: list[Problem], missing: str | None = None
) -> _RecordT | None:
    """A file as a `kind`; None where there is none, or none that can be read. What isn't there counts as `missing`."""
    text = kept.text(name)
    text = missing if text is None else text
    return None if text is None else _read_text(kind, kept.item, kept.where, text, unread)


def _read_text(kind: type[_RecordT], item: Json, where: str, text: str, unread: list[Problem]) -> _RecordT | None:
    """`text`, which is stored in `item`, as a `kind`; None where it can't be read."""
    noun = _NOUNS[kind]
    try:
        found = read_record(kind, text, noun)
        if isinstance(found, ClusterSpec):
            options_of(found.profile)
        return found
    except Unreadable as error:
        what = f"The {noun} of cluster {_cluster(item)!r} can't be read"
        unread.append(Problem(what=what, why=f"{where}: {error.why}", todo=f"{error.todo} {_LEFT_ALONE}".strip()))
        return None


def _storage(held: Json | None) -> Storage:
    """What keeps a cluster's receipt and history, as its record tells: what its pods start with is in the same kind."""
    template = ((held or {}).get("spec") or {}).get("template") or {}
    volumes = (template.get("spec") or {}).get("volumes") or []
    return "configmaps" if any("configMap" in each for each in volumes if each.get("name") == "spec") else "secrets"


def _where(held: Json) -> str:
    return f"{held['kind']} {held['metadata'].get('namespace', '')}/{held['metadata']['name']}"


def _bare_receipt(spec: ClusterSpec, state: ClusterState | None, alive: Time) -> Receipt:
    """That a cluster has ended whose receipt can't be read."""
    return Receipt(
        name=spec.name,
        place="kubernetes",
        owner=spec.owner,
        profile=spec.profile.name,
        created=spec.created,
        ended=max(alive, spec.created),
        cause="other",
        cost=Cost() if state is None else state.cost,
    )


def _belongs(held: Json, stored: KeptFiles, namespace: str) -> bool:
    """Whether a record and a receipt are of the same cluster, and not of an earlier one of its name."""
    receipt = _annotations(held).get(names.RECEIPT)
    if receipt is None:
        try:
            spec = read_record(ClusterSpec, _annotations(held).get(record.SPEC, ""))
        except Unreadable:
            return "receipt.json" not in stored.names  # its cluster has not ended
        receipt = record.ids_of(spec, namespace).receipt
    return bool(stored.item["metadata"]["name"] == receipt)


def _cluster(item: Json) -> str:
    """The cluster's name, by an object's label, else by the object's own name."""
    metadata = item["metadata"]
    own = str(metadata["name"]).partition(_RECEIPT)[0].removesuffix("-scheduler")
    return names.fitting(str((metadata.get("labels") or {}).get(names.CLUSTER) or own))


def _created(item: Json) -> Time:
    """When the cluster was made, as the name of its receipt tells; else when the object was."""
    receipt = str(_annotations(item).get(names.RECEIPT) or item["metadata"]["name"])
    try:
        return int(receipt.rpartition("-")[2] if _RECEIPT in receipt else "", 16) / 1000
    except ValueError:
        return moment(item["metadata"]["creationTimestamp"])


def _annotations(item: Json) -> Json:
    return item["metadata"].get("annotations") or {}
