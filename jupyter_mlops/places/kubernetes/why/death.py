"""Why a pod that nobody asked to end is gone."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping

from ....core import words
from ....core.cluster import Problem
from .. import names, quantity
from .facts import Facts, Json, condition, containers, sentence

#: What is said of a pod whose spot node was taken away.
SPOT_TAKEN = "The cloud took the spot node back"

#: Taints that a cloud or its autoscaler puts on a node that it is about to take away.
_RECLAIMED = (
    "aws-node-termination-handler/spot-itn",
    "aws-node-termination-handler/rebalance-recommendation",
    "cloud.google.com/impending-node-termination",
    "karpenter.sh/disrupted",
    "karpenter.sh/disruption",
    "kubernetes.azure.com/scalesetpriority-eviction",
    "node.cloudprovider.kubernetes.io/shutdown",
)
_UNREACHABLE = ("node.kubernetes.io/unreachable", "node.kubernetes.io/not-ready")

#: Reasons in the condition DisruptionTarget (kubernetes.io/docs/concepts/workloads/pods/disruptions), and what they
#: mean for whose pod it is.
_DISRUPTIONS = {
    "PreemptionByScheduler": Problem(
        what="{}'s pod gave way to one of higher priority",
        todo="Give it a priority class, or run when the cluster is less full.",
    ),
    "EvictionByEvictionAPI": Problem(
        what="{}'s pod was evicted", why="its node is being drained, or an administrator asked for it"
    ),
    "DeletionByPodGC": Problem(what="{}'s node is gone"),
}
_PROBE = re.compile(r"Container (?P<container>\S+) failed (?P<probe>liveness|startup) probe")
_MORE_MEMORY = {
    "The worker": "Give the group's workers more memory, or make the pieces of work smaller.",
    "The scheduler": "Give it more memory (`scheduler` in the profile's options), "
    "or make fewer, larger pieces of work.",
    "The notebook": "Give the first group of its profile more memory: it has as much as a worker.",
    "The replica": "Give the first group of the service's profile more memory.",
}
#: Which part a pod is of what it belongs to → whose it is.
_WHOSE = {"scheduler": "The scheduler", "replica": "The replica", "driver": "The notebook"}
_REFUSED_BY_NODE = ("OutOfcpu", "OutOfmemory", "OutOfpods", "UnexpectedAdmissionError", "NodeAffinity", "NodePorts")


def death(pod: Json, facts: Facts | None = None, deleted: bool = False) -> Problem:
    """Why the pod ended. `deleted`: it vanished from the API without having ended by itself."""
    facts, who = facts or Facts(), whose(pod)
    status = pod.get("status") or {}
    return (
        _reclaimed(facts, who)
        or _disrupted(pod, facts, who)
        or _by_node(str(status.get("reason", "")), sentence(status.get("message")), facts, who)
        or _terminated(pod, facts, deleted, who)
        or _vanished(pod, facts, who)
    )


def whose(pod: Json) -> str:
    """Whose pod it is, as a sentence begins: a worker's, a replica's, the scheduler's, or a notebook's."""
    labels = pod["metadata"].get("labels") or {}
    marks = {labels.get(key) for key in (names.PART, names.DASK_COMPONENT, "component")}
    return next((who for mark, who in _WHOSE.items() if mark in marks), "The worker")


def _reclaimed(facts: Facts, who: str) -> Problem | None:
    taints = {taint.get("key") for taint in ((facts.node or {}).get("spec") or {}).get("taints") or []}
    event = facts.event(
        "SpotInterruption", "TerminationNotice", "PreemptScheduled", "FreezeScheduled", "RebalanceRecommendation"
    )
    if event is None and not taints & set(_RECLAIMED):
        return None
    return (
        _spot_taken()
        if facts.spot
        else Problem(what=f"The cloud is taking {_inside(who)}'s node away", why="its node is marked for removal")
    )


def _inside(who: str) -> str:
    return who.replace("The", "the", 1)


def _spot_taken() -> Problem:
    return Problem(
        what=SPOT_TAKEN,
        why="spot nodes are cheaper because that may happen at any time",
        todo="Nothing to do: its work is done again by others. Use a group on demand for work that can't be repeated.",
    )


def _disrupted(pod: Json, facts: Facts, who: str) -> Problem | None:
    found = condition(pod, "DisruptionTarget")
    if not found or found.get("status") != "True":
        return None
    reason, message = str(found.get("reason", "")), sentence(found.get("message"))
    if reason == "DeletionByTaintManager":
        return _node_lost(facts, who)
    if facts.spot and (reason == "DeletionByPodGC" or (reason == "EvictionByEvictionAPI" and _is_lost(facts))):
        return _spot_taken()
    if reason == "TerminationByKubelet":
        return _by_node(str((pod.get("status") or {}).get("reason", "")), message, facts, who)
    known = _DISRUPTIONS.get(reason, Problem(what=f"Kubernetes took {_inside(who)}'s pod away ({reason})"))
    return Problem(what=known.what.format(who), why=known.why or message, todo=known.todo)


def _is_lost(facts: Facts) -> bool:
    """Whether the node isn't there any more, as far as is known."""
    return facts.details.get("node") in ("gone", "unknown")


def _node_lost(facts: Facts, who: str) -> Problem:
    if facts.spot:
        return _spot_taken()
    return Problem(
        what=f"{who}'s node doesn't answer any more",
        why="Kubernetes gave its pods up",
        todo="Nothing to do: it is replaced.",
    )


def _by_node(reason: str, message: str, facts: Facts, who: str) -> Problem | None:
    if reason == "Evicted":
        what = f"{who}'s pod was evicted"
        if "low on resource: memory" in message:
            what = f"{who}'s pod was evicted: its node ran out of memory"
        elif "ephemeral" in message or "disk" in message.lower():
            what = f"{who}'s pod was evicted: its node ran out of disk space"
        return Problem(
            what=what, why=message, todo="Ask for what the workers really use, so that a node isn't overfilled."
        )
    if reason in ("Preempting", "Preempted"):
        return Problem(
            what=f"{who}'s pod gave way to one of higher priority",
            why=message,
            todo="Give it a priority class.",
        )
    if reason in ("NodeLost", "NodeShutdown", "Terminated", "Shutdown"):
        return _spot_taken() if facts.spot else Problem(what=f"{who}'s node was shut down", why=message)
    if reason == "DeadlineExceeded":
        return Problem(
            what=f"{who}'s pod reached its deadline",
            why=message,
            todo="Take activeDeadlineSeconds out of the pod template.",
        )
    if reason in _REFUSED_BY_NODE:
        return Problem(
            what="The node refused the pod", why=message or reason, todo="Nothing to do: it is tried on another node."
        )
    return None


def _terminated(pod: Json, facts: Facts, deleted: bool, who: str) -> Problem | None:
    for status in containers(pod):
        ended: Mapping[str, object] = (status.get("state") or {}).get("terminated") or {}
        if not ended or (ended.get("exitCode") == 0 and status.get("name") not in ("worker", "scheduler")):
            continue
        if ended.get("exitCode") and (probe := _failed_probe(str(status.get("name")), ended, facts, who)):
            return probe
        if ended.get("reason") == "OOMKilled":
            return _out_of_memory(pod, status, facts, who)
        if deleted and ended.get("exitCode") in (0, 143):
            return None
        return _exited(ended, facts, who)
    return None


def _failed_probe(container: str, ended: Mapping[str, object], facts: Facts, who: str) -> Problem | None:
    """The kubelet's own word that it killed this very container because of a probe."""
    since = str(ended.get("startedAt") or "")
    for event in reversed(facts.events):
        said = sentence(event.get("message"))
        found = _PROBE.match(said) if event.get("reason") == "Killing" else None
        if found and found["container"] == container and str(event.get("lastTimestamp") or since) >= since:
            return Problem(
                what=f"{who} didn't answer its {found['probe']} probe, and Kubernetes killed it",
                why=facts.message("Unhealthy"),
                todo="Give it more CPU, or the probe in the pod template more time.",
            )
    return None


def _out_of_memory(pod: Json, status: Json, facts: Facts, who: str) -> Problem:
    limit = 0.0
    for container in (pod.get("spec") or {}).get("containers", []):
        if container.get("name") == status.get("name"):
            limit = quantity.parse(((container.get("resources") or {}).get("limits") or {}).get("memory", 0))
    bounds = [f"its limit is {words.size(limit)}"] if limit else []
    if facts.peak:
        bounds.append(f"it had {words.size(facts.peak)} when last measured")
    return Problem(
        what=f"{who} ran out of memory",
        why=" and ".join(bounds),
        todo=_MORE_MEMORY[who],
    )


def _exited(ended: Mapping[str, object], facts: Facts, who: str) -> Problem:
    code = int(str(ended.get("exitCode", 0)))
    number = int(str(ended.get("signal") or 0)) or (code - 128 if code > 128 else 0)
    try:
        how = f"was killed by {signal.Signals(number).name}" if number else f"ended with exit code {code}"
    except ValueError:
        how = f"ended with exit code {code}"
    if ended.get("reason") in ("ContainerCannotRun", "StartError"):
        return Problem(
            what="The container can't be started",
            why=sentence(ended.get("message")),
            todo="Check the image and the pod template.",
        )
    lines = "\n".join(facts.logs[-5:]) or str(ended.get("message") or "").strip()
    todo = "Read its log for the cause." if code else ""
    return Problem(what=f"{who}'s process {how}", why=f"its last lines:\n{lines}" if lines else "", todo=todo)


def _vanished(pod: Json, facts: Facts, who: str) -> Problem:
    node = (pod.get("spec") or {}).get("nodeName")
    if node and facts.spot and _is_lost(facts):
        return _spot_taken()
    if node and facts.details.get("node") == "gone":
        return Problem(what=f"{who}'s node is gone", why=f"{node} was removed from the cluster")
    if facts.event("TaintManagerEviction"):
        return _node_lost(facts, who)
    if killing := facts.message("Preempted"):
        return Problem(what=f"{who}'s pod gave way to one of higher priority", why=killing)
    return Problem(what=f"{who}'s pod was deleted", why="not by this cluster", todo="Nothing to do: it is replaced.")
