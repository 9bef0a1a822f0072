"""What a service is, as its record, its Deployment and its pods tell. Asks nobody."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ....core.base import Time, read_record
from ....core.candidate import CandidateState
from ....core.cluster import ClusterSpec, Problem, Receipt
from ....core.errors import Unreadable
from ....core.ledger import Ledger, LedgerEntry
from ....core.lines import read_lines
from ....core.receipt import receipt_of
from ....core.service import CallerTokens, ReplicaState, ServiceSpec, ServiceState, unreadable_service
from .. import names
from ..names import ServiceNames
from ..records.kept import KeptFiles
from ..why import Facts, pending, refusal
from ..why.death import death
from ..why.facts import condition, containers, is_ready, moment, no_node
from .objects import BEFORE, CALLERS, LEDGER, PAST, RECEIPT, REVISION, TOKEN, WANTED, port_of
from .parcel import ServiceParcel
from .tried import StoredTrial, trial_of

Json = dict[str, Any]

#: Reasons of a container that waits by which a wish is seen to be impossible: waiting longer helps nobody.
_FOR_GOOD = (
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
)


@dataclass(frozen=True)
class StoredService:
    """A service as Kubernetes told of it a moment ago.

    Parameters
    ----------
    record : the Secret.
    deployment : None where it has stopped, or somebody deleted it.
    boards : of its trials, earlier ones too.
    """

    ids: ServiceNames
    record: Json
    deployment: Json | None = None
    pods: Sequence[Json] = field(default_factory=tuple)
    boards: Sequence[Json] = field(default_factory=tuple)

    @property
    def owner(self) -> str:
        """Whose it is."""
        return str((self.record["metadata"].get("annotations") or {}).get(names.OWNER_IN_FULL, ""))

    @property
    def uid(self) -> str:
        """Kubernetes' own name for its record."""
        return str(self.record["metadata"].get("uid", ""))

    @property
    def version(self) -> str:
        """Kubernetes' own number for what the record was."""
        return str(self.record["metadata"].get("resourceVersion", ""))

    @property
    def _files(self) -> KeptFiles:
        return KeptFiles("secrets", self.record)

    def files(self, *wanted: str) -> dict[str, str | bytes]:
        """Files of the record; empty those that it hasn't."""
        return {name: self._files.text(name) or "" for name in wanted}

    @functools.cached_property
    def recorded(self) -> ServiceSpec:
        """What was wanted when its pods were made as they are; raises `Unreadable`."""
        return read_record(ServiceSpec, self._files.text(WANTED) or "", self._noun)

    @functools.cached_property
    def _trials(self) -> dict[str, StoredTrial]:
        """Those that any of its pods takes part in, and the one that is wanted."""
        wanted = self.recorded.candidate
        salts = {trial_of(pod) for pod in self.pods} | ({wanted.salt} if wanted is not None else set())
        found = {salt: StoredTrial.of(salt, self.boards, self.pods, self.ids.board(salt)) for salt in salts - {""}}
        return {salt: trial for salt, trial in found.items() if trial is not None}

    @property
    def trial(self) -> StoredTrial | None:
        """The trial that its pods are made for, decided or not; raises `Unreadable`."""
        wanted = self.recorded.candidate
        return None if wanted is None else self._trials.get(wanted.salt)

    @property
    def spec(self) -> ServiceSpec:
        """What is wanted; raises `Unreadable`."""
        return self.recorded if self.trial is None else self.trial.split.within(self.recorded)

    @property
    def before(self) -> ServiceSpec | None:
        """What was wanted before, where that answered."""
        with contextlib.suppress(Unreadable):
            return read_record(ServiceSpec, self._files.text(BEFORE) or "", self._noun)
        return None

    @property
    def past(self) -> CandidateState | None:
        """A version that was tried, and went back."""
        text = self._files.text(PAST)
        with contextlib.suppress(Unreadable):
            return read_record(CandidateState, text, self._noun) if text else None
        return None

    @property
    def callers(self) -> CallerTokens:
        """Who may call it; raises `Unreadable`."""
        return read_record(CallerTokens, self._files.text(CALLERS) or "{}", self._noun)

    @property
    def token(self) -> str:
        """Its owner's token."""
        return self._files.text(TOKEN) or ""

    @property
    def entries(self) -> list[LedgerEntry]:
        """Since when it has had how many replicas."""
        return read_lines(LedgerEntry, self._files.text(LEDGER) or "")

    @property
    def receipt(self) -> Receipt | None:
        """The final sum, where it has stopped."""
        text = self._files.text(RECEIPT)
        with contextlib.suppress(Unreadable):
            return read_record(Receipt, text, self._noun) if text else None
        return None

    @property
    def stopped(self) -> bool:
        """Whether it was stopped."""
        return bool(self._files.text(RECEIPT))

    @property
    def _noun(self) -> str:
        return f"record of the service {self.ids.service!r} ({self._files.where})"

    @property
    def revision(self) -> str:
        """Which wish the Deployment is."""
        metadata = {} if self.deployment is None else self.deployment["metadata"]
        return str((metadata.get("annotations") or {}).get(REVISION, ""))

    @property
    def living(self) -> list[Json]:
        """The pods that are, or may come to be: one that was evicted stays listed, and another takes its place."""
        return [pod for pod in self.pods if not _is_over(pod)]

    @property
    def _is_seen(self) -> bool:
        """Whether what Kubernetes says of the Deployment is of what it is now."""
        assert self.deployment is not None
        status = self.deployment.get("status") or {}
        return bool(status.get("observedGeneration", 0) >= self.deployment["metadata"].get("generation", 0))

    def parcel_of(self, volume: str) -> ServiceParcel | None:
        """The version that its pods have there, which Kubernetes has; None where they have none."""
        pod = {} if self.deployment is None else self.deployment["spec"]["template"]["spec"]
        found = next((each for each in pod.get("volumes") or [] if each["name"] == volume), None)
        if found is None:
            return None
        sources = found["projected"]["sources"]
        first = str(sources[0]["secret"]["name"])
        return ServiceParcel(first[len(self.ids.whole) + 1 :].rpartition("-")[0], len(sources))

    @property
    def _build(self) -> str:
        assert self.deployment is not None
        return str(self.deployment["spec"]["template"]["metadata"]["labels"].get(names.BUILD, ""))

    def _is_of_wish(self, pod: Json) -> bool:
        """Whether a pod is one of those that are wanted now."""
        return bool((pod["metadata"].get("labels") or {}).get(names.BUILD) == self._build)

    @property
    def answers(self) -> bool:
        """Whether a pod of those that are wanted now answers."""
        return self.deployment is not None and any(is_ready(pod) and self._is_of_wish(pod) for pod in self.pods)

    @property
    def fulfilled(self) -> bool:
        """Whether as many pods as are wanted answer with what is wanted, and no others."""
        if self.deployment is None or not self.revision:
            return False
        wanted, status = self.deployment["spec"].get("replicas", 0), self.deployment.get("status") or {}
        counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")]
        whole = self._is_seen and wanted > 0 and all(count == wanted for count in counts)
        ready = [pod for pod in self.living if is_ready(pod) and "deletionTimestamp" not in pod["metadata"]]
        if not self._trials or not any(map(trial_of, ready)):
            return whole and (self.trial is None or self.trial.over)
        # Where pods know of a trial, what is decided is so at once: other pods may take their place later.
        enough = len(ready) >= wanted if self.trial is None else whole or self.spec.revision != self.revision
        return enough and all(self._has(pod) for pod in ready)

    @property
    def gathered(self) -> bool:
        """Whether a candidate waits, and no pod is left that hasn't got it."""
        trial = self.trial
        if trial is None or not trial.waits or self.deployment is None or not self._is_seen:
            return False
        return any(map(is_ready, self.living)) and all(trial_of(pod) == trial.salt for pod in self.living)

    def _has(self, pod: Json) -> bool:
        """Whether what is wanted is so in a pod that is ready."""
        if salt := trial_of(pod):
            trial = self._trials.get(salt)
            return trial is not None and trial.has(pod, self.spec.revision)
        return self._is_of_wish(pod) and self.revision == self.spec.revision

    def _version(self, pod: Json) -> int:
        """The version that serves in a pod."""
        trial = self._trials.get(trial_of(pod))
        report = None if trial is None else trial.report(pod)
        number = str((pod["metadata"].get("labels") or {}).get(names.VERSION, ""))
        return report.version if report is not None and report.version else int(number) if number.isdigit() else 0

    def state(self, now: Time | None = None) -> ServiceState:
        """What lists show; a row that says so where its record can't be read."""
        try:
            spec = self.spec
        except Unreadable as fault:
            return unreadable_service(self.ids.service, fault).model_copy(update={"place": "kubernetes"})
        now = time.time() if now is None else now
        state = ServiceState(
            name=spec.name,
            model=spec.model,
            owner=spec.owner,
            place="kubernetes",
            created=spec.created,
            since=spec.created,
            previous=spec.previous,
            candidate=self.past if self.trial is None else self.trial.state(spec.candidate),
            address=f"http://{self.ids.host}:{port_of(spec)}",
            wanted=spec.revision,
            rate=None,
        )
        if self.stopped:
            receipt = self.receipt
            ended = {"since": receipt.ended, "cost": receipt.cost} if receipt is not None else {}
            return state.model_copy(update={"phase": "stopped", "candidate": None, **ended})
        cost = Ledger(self.entries).cost(spec.price, now)
        if self.deployment is None:
            return state.model_copy(update={"phase": "dead", "problem": _gone(spec.name), "cost": cost})
        return state.model_copy(update={**self._living(spec), "cost": cost})

    def _living(self, spec: ServiceSpec) -> Json:
        assert self.deployment is not None
        ready = [pod for pod in self.pods if is_ready(pod)]
        older = [pod for pod in ready if not self._is_of_wish(pod)]
        version = self._version((older or ready)[0]) if ready else 0
        problem, for_good = (None, False) if self.fulfilled else self._problem()
        ending = "deletionTimestamp" in self.deployment["metadata"]
        wish = spec.revision if self._trials else self.revision
        return {
            "phase": "stopping" if ending else "ready" if ready else "starting",
            "version": version,
            "coming": 0 if self.fulfilled or version == spec.version else spec.version,
            "revision": wish if self.fulfilled or (problem is not None and for_good) else "",
            "replicas": [_replica(pod, self._version(pod)) for pod in sorted(self.living, key=_name)],
            "problem": problem,
        }

    def _problem(self) -> tuple[Problem | None, bool]:
        """What keeps the wish from being fulfilled, and whether that is for good."""
        found: list[tuple[Problem, bool]] = []
        for pod in self.pods:
            if self.trial is not None and (said := self.trial.problem(pod)) is not None:
                return said, True
            if self._is_of_wish(pod) and not is_ready(pod) and "deletionTimestamp" not in pod["metadata"]:
                told = (death(pod), False) if _is_over(pod) else _problem_of(pod)
                found += [told] if told is not None else []
        if found:
            return max(found, key=lambda each: each[1])
        assert self.deployment is not None
        if not self._is_seen:
            return None, False
        conditions = (self.deployment.get("status") or {}).get("conditions") or []
        refused = next((c for c in conditions if c["type"] == "ReplicaFailure" and c["status"] == "True"), None)
        if refused is None:
            return None, False
        return refusal(403, {"message": refused.get("message", ""), "reason": refused.get("reason", "")}), True

    def ended(self, now: Time) -> Receipt:
        """The receipt of a service that stops now."""
        spec = self.spec
        profile = spec.profile
        assert profile is not None
        cluster = ClusterSpec.model_construct(
            name=spec.name,
            owner=spec.owner,
            profile=profile.model_copy(update={"name": spec.name}),
            price=spec.price,
            created=spec.created,
        )
        return receipt_of(Ledger(self.entries), cluster, now, "user")


def with_replicas(entries: Sequence[LedgerEntry], spec: ServiceSpec, now: Time) -> list[LedgerEntry]:
    """The ledger of a service from now on: what is asked for is what is paid, whoever lives to see it. A pod with a
    version that is tried asks for as much as two."""
    assert spec.profile is not None
    group = spec.profile.groups[0]
    have = set(Ledger(entries).open_workers)
    number_wanted = spec.replicas * (1 if spec.candidate is None else 2)
    want = {str(number) for number in range(1, number_wanted + 1)}
    opened = [
        LedgerEntry(
            time=now,
            kind="open",
            worker=worker,
            group=group.name,
            cpus=group.cpus,
            memory=group.memory,
            gpus=group.gpus,
        )
        for worker in sorted(want - have, key=int)
    ]
    closed = [LedgerEntry(time=now, kind="close", worker=worker) for worker in sorted(have - want, key=int)]
    return [*entries, *opened, *closed]


def _gone(name: str) -> Problem:
    return Problem(
        what=f"The service {name!r} is gone: its Deployment was deleted from Kubernetes",
        todo="Deploy it again, which keeps its callers, or stop it.",
    )


def _problem_of(pod: Json) -> tuple[Problem, bool] | None:
    """Why a pod doesn't answer, and whether waiting is in vain."""
    for status in containers(pod):
        for ended in ((status.get(when) or {}).get("terminated") for when in ("state", "lastState")):
            if ended and ended.get("exitCode"):
                return _last_words(ended) or death(_with(pod, status, ended)), True
    problem = pending(pod, Facts())
    if problem is None:
        return None
    waits = [(status.get("state") or {}).get("waiting") or {} for status in containers(pod)]
    return problem, any(each.get("reason") in _FOR_GOOD for each in waits) and no_node(pod) is None


def _is_over(pod: Json) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Failed", "Succeeded")


def _last_words(ended: Json) -> Problem | None:
    """What a pod said itself of its end."""
    with contextlib.suppress(Unreadable):
        return read_record(Problem, str(ended.get("message") or ""))
    return None


def _with(pod: Json, status: Mapping[str, Any], ended: Json) -> Json:
    return {**pod, "status": {"containerStatuses": [{**status, "state": {"terminated": ended}}]}}


def _replica(pod: Json, version: int) -> ReplicaState:
    going = "deletionTimestamp" in pod["metadata"]
    phase = "draining" if going else "ready" if is_ready(pod) else "starting"
    said = condition(pod, "Ready") or {}
    since = str(said.get("lastTransitionTime") or pod["metadata"]["creationTimestamp"])
    return ReplicaState(name=_name(pod), version=version, phase=phase, since=moment(since))


def _name(pod: Json) -> str:
    return str(pod["metadata"]["name"])
