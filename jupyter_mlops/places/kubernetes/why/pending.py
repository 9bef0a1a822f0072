"""Why a pod doesn't run yet."""

from __future__ import annotations

import re
from collections.abc import Callable

from ....core import words
from ....core.cluster import Problem
from .. import names, quantity
from ..clouds import SPOT_LABELS
from .facts import Facts, Json, containers, no_node, requests, sentence

_NO_NODE = re.compile(
    r"^0/(?P<total>\d+) nodes are available:?\s*(?P<causes>.*?)(?:\.?\s*(?:no new claims|preemption:).*)?$"
)
_CAUSE = re.compile(r"(?P<count>\d+) (?P<cause>(?:[^,{(]|\{[^}]*\}|\([^)]*\))+)")
_INSUFFICIENT = re.compile(r"Insufficient (?P<resource>\S+)")
_TAINT = re.compile(r"untolerated taint\(?s?\)?\s*(?:\{(?P<taint>[^}]*)\})?")
_MISSING_VOLUME = re.compile(r'persistentvolumeclaim "(?P<claim>[^"]+)" not found')
_MISSING_OBJECT = re.compile(r'(?P<kind>secret|configmap) "(?P<name>[^"]+)" not found', re.IGNORECASE)


def pending(pod: Json, facts: Facts | None = None) -> Problem | None:
    """Why the pod is not running; None while nothing is wrong: it is being placed, pulled or started."""
    facts = facts or Facts()
    for status in containers(pod):
        waiting = (status.get("state") or {}).get("waiting")
        if waiting and (problem := _waiting(waiting, status, facts)):
            return problem
    if scheduled := no_node(pod):
        if scheduled.get("reason") == "SchedulingGated":
            return Problem(
                what="The pod is held back before it is placed",
                why="it has a scheduling gate, which a queue such as Kueue lifts when there is room",
                todo="Wait for the queue, or ask who runs it about your quota.",
            )
        return unschedulable(sentence(scheduled.get("message")), pod, facts)
    return _volume(facts) if (pod.get("spec") or {}).get("nodeName") else None


def unschedulable(message: str, pod: Json, facts: Facts) -> Problem:
    """What the scheduler's words mean: which resource is short and how much is free, taints, volumes, selectors."""
    if claim := _MISSING_VOLUME.search(message):
        return Problem(
            what=f"The volume claim {claim['claim']!r} does not exist in this namespace",
            todo="Create it, or take it out of the group's pod template.",
        )
    if "unbound immediate PersistentVolumeClaims" in message:
        return Problem(
            what="A volume claim has no volume yet",
            why=facts.message("ProvisioningFailed", "FailedBinding") or message,
            todo="Look at the claim with `kubectl describe pvc`; its storage class may not exist.",
        )
    parts = _NO_NODE.match(message)
    if parts is None:
        return Problem(what="The pod can't be placed", why=message)
    total = int(parts["total"])
    if total == 0:
        return _coming(Problem(what="The Kubernetes cluster has no nodes", todo="Ask who runs it to add some."), facts)
    causes = {sentence(found["cause"]): int(found["count"]) for found in _CAUSE.finditer(parts["causes"])}
    problems = [problem for cause in sorted(causes, key=lambda c: -causes[c]) if (problem := _cause(cause, pod, facts))]
    counts = "; ".join(f"{_nodes(count)}: {_plain(cause, pod)}" for cause, count in causes.items())
    problem = problems[0] if problems else Problem(what="No node takes the pod")
    why = (
        problem.why
        if len(causes) <= 1 and problem.why
        else "; ".join(filter(None, [problem.why, f"of {_nodes(total)}, {counts}"]))
    )
    return _coming(Problem(what=problem.what, why=why, todo=problem.todo), facts)


def _nodes(count: int) -> str:
    return words.count(count, "node")


def _plain(cause: str, pod: Json) -> str:
    """A cause in the scheduler's words, shorter."""
    if short := _INSUFFICIENT.search(cause):
        return f"too little {_noun(short['resource'])}"
    if taint := _TAINT.search(cause):
        return f"tainted {taint['taint'].strip()}" if taint["taint"] else "tainted"
    if _is_mismatch(cause) and (_wants_spot(pod) or _is_on_demand(pod)):
        others = "not spot" if _wants_spot(pod) else "spot"
        return others + (", or without the labels that the group asks for" if _selector(pod) else "")
    return cause.removeprefix("node(s) ")


def _cause(cause: str, pod: Json, facts: Facts) -> Problem | None:
    if short := _INSUFFICIENT.search(cause):
        return _short(short["resource"], pod, facts)
    if taint := _TAINT.search(cause):
        name = (taint["taint"] or "").strip()
        return Problem(
            what=f"The nodes that are left are kept for other work{f' (taint {name})' if name else ''}",
            todo="Add a toleration for the taint to the group's pod template, or wait for other nodes.",
        )
    if "Too many pods" in cause:
        return Problem(
            what="The nodes are full: they have as many pods as they take",
            todo="Use fewer, bigger workers, or wait for more nodes.",
        )
    if "volume" in cause:
        return Problem(what="The pod's volume can't be used on the nodes that are left", why=cause)
    if _is_mismatch(cause) and _wants_spot(pod):
        return _no_spot(pod, facts)
    if _is_mismatch(cause) and _is_on_demand(pod):
        todo = "Wait for one, or give the cluster nodes on demand."
        return Problem(what="No node on demand takes the pod", why=_selector(pod), todo=todo)
    if _is_mismatch(cause):
        return Problem(
            what="No node has the labels that the group asks for",
            why=_selector(pod),
            todo="Change the node selector or affinity in the group's pod template, or label nodes.",
        )
    if "unschedulable" in cause:
        return Problem(what="The nodes that are left are closed for new pods", todo="Wait until they are open again.")
    return None


def _is_mismatch(cause: str) -> bool:
    return "volume" not in cause and ("affinity" in cause or "selector" in cause)


def _wants_spot(pod: Json) -> bool:
    """Whether the pod asks for nodes that a cloud may take back."""
    affinity = ((pod.get("spec") or {}).get("affinity") or {}).get("nodeAffinity") or {}
    terms = (affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get("nodeSelectorTerms") or []
    asked = [each for term in terms for each in term.get("matchExpressions") or []]
    return any(each.get("key") in dict(SPOT_LABELS) and each.get("operator") == "In" for each in asked)


def _is_on_demand(pod: Json) -> bool:
    """Whether it is a spot group's and made on demand, so that no spot node takes it."""
    return names.ON_DEMAND in (pod["metadata"].get("annotations") or {})


def _no_spot(pod: Json, facts: Facts) -> Problem:
    patience = facts.details.get("on demand after")
    todo = (
        f"Nothing to do: when none has come in {patience}, the group's workers are made on demand, at another price. A "
        "map with a deadline waits longer, while it has time."
        if patience
        else "Wait for one, or take `spot` out of the group."
    )
    return Problem(what="No spot node takes the pod", why=_selector(pod), todo=todo)


def _selector(pod: Json) -> str:
    labels = (pod.get("spec") or {}).get("nodeSelector") or {}
    return "it asks for " + ", ".join(f"{key}={value}" for key, value in labels.items()) if labels else ""


def _noun(resource: str) -> str:
    return "CPU" if resource == "cpu" else resource


def _short(resource: str, pod: Json, facts: Facts) -> Problem:
    asked = requests(pod).get(resource, 0.0)
    needed = f"{quantity.in_words(resource, asked)} free" if asked else f"enough {_noun(resource)}"
    what, why = f"No node has {needed}", ""
    if facts.free:
        left = max(0.0, *(free.get(resource, 0.0) for free in facts.free.values()))
        who = "the only node" if len(facts.free) == 1 else f"the roomiest of {len(facts.free)}"
        why = f"{who} has {quantity.in_words(resource, left)} free" if left else "nothing of it is free"
    if resource.endswith("/gpu"):
        return Problem(what=what, why=why, todo="Wait for a node with GPUs, or ask for fewer.")
    return Problem(what=what, why=why, todo="Make the workers smaller, ask for fewer, or wait for more nodes.")


def _coming(problem: Problem, facts: Facts) -> Problem:
    """The problem, with what the cluster's autoscaler said of it."""
    up, no = facts.event("TriggeredScaleUp", "Nominated"), facts.message("NotTriggerScaleUp")
    if up:
        why = (
            f"{problem.why}; more nodes are coming ({sentence(up.get('message'))})"
            if problem.why
            else sentence(up.get("message"))
        )
        return Problem(what=problem.what, why=why, todo="Nothing to do: wait for the nodes.")
    if no:
        return Problem(
            what=problem.what, why=f"{problem.why}; no node will be added: {no}".lstrip("; "), todo=problem.todo
        )
    return problem


def _waiting(waiting: Json, status: Json, facts: Facts) -> Problem | None:
    reason, message = str(waiting.get("reason", "")), sentence(waiting.get("message"))
    explain = _BY_REASON.get(reason)
    if explain:
        return explain(message, status, facts)
    if reason in ("", "ContainerCreating", "PodInitializing"):
        return _volume(facts)
    return Problem(what=f"The container doesn't start ({reason})", why=message)


def _volume(facts: Facts) -> Problem | None:
    """Volumes and networks that hold a placed pod back; only events tell of them, and old ones may be over."""
    failed = facts.event("FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox")
    started = facts.event("Pulling", "Pulled", "Created", "Started")
    if failed is None or (started is not None and list(facts.events).index(started) > list(facts.events).index(failed)):
        return None
    message = sentence(failed.get("message"))
    if failed.get("reason") == "FailedCreatePodSandBox":
        return Problem(
            what="The node can't set up the pod's network", why=message, todo="If it lasts, tell who runs the cluster."
        )
    if missing := _MISSING_OBJECT.search(message):
        return _missing(missing)
    return Problem(
        what="A volume can't be attached"
        if failed.get("reason") == "FailedAttachVolume"
        else "A volume can't be mounted",
        why=message,
        todo="Check the volumes of the group's pod template.",
    )


def _missing(found: re.Match[str]) -> Problem:
    kind = {"secret": "secret", "configmap": "config map"}[found["kind"].lower()]
    return Problem(
        what=f"The {kind} {found['name']!r} does not exist in this namespace",
        todo="Create it, or take it out of the group's pod template.",
    )


def _image(message: str, status: Json, facts: Facts) -> Problem:
    image = status.get("image", "")
    words = message
    if message.startswith("Back-off"):  # what it backs off from is in the message on newer nodes, else in an event
        words = message.partition("ErrImagePull: ")[2] or facts.message("Failed", but="Error:") or message
    lower = words.lower()
    what, todo = f"The image {image!r} can't be pulled", "Check its name and tag, and that the nodes may pull it."
    if "not found" in lower or "manifest unknown" in lower or "no such image" in lower:
        what, todo = f"The image {image!r} does not exist", "Check its name and tag in the profile."
    elif any(word in lower for word in ("unauthorized", "forbidden", "denied", "authentication", "401", "403")):
        what, todo = f"The nodes may not pull the image {image!r}", "Name a pull secret in the profile (pull_secrets)."
    elif "too many requests" in lower or "rate limit" in lower:
        todo = "The registry limits pulls: wait, log in with a pull secret, or use a copy in your own registry."
    elif any(word in lower for word in ("no such host", "timeout", "connection refused", "i/o")):
        todo = "The nodes don't reach the registry: check its name and their network."
    return Problem(what=what, why=words, todo=todo)


def _image_name(message: str, status: Json, facts: Facts) -> Problem:
    return Problem(
        what=f"{status.get('image', '')!r} is not an image's name", why=message, todo="Correct it in the profile."
    )


def _image_never(message: str, status: Json, facts: Facts) -> Problem:
    return Problem(
        what=f"The image {status.get('image', '')!r} is not on the node",
        why="the profile says that it must never be pulled",
        todo="Set pull_policy to IfNotPresent, or load the image onto the nodes.",
    )


def _config(message: str, status: Json, facts: Facts) -> Problem:
    if found := _MISSING_OBJECT.search(message):
        return _missing(found)
    if "runAsNonRoot" in message or "non-numeric user" in message:
        return Problem(
            what="The image runs as root, which the pod may not",
            why=message,
            todo="Set securityContext.runAsUser in the group's pod template, or use another image.",
        )
    return Problem(what="The container's settings are wrong", why=message, todo="Check the group's pod template.")


def _command(message: str, status: Json, facts: Facts) -> Problem:
    if "executable file not found" in message or "no such file" in message:
        return Problem(
            what=f"The image {status.get('image', '')!r} lacks the program that the pod starts",
            why=message,
            todo="Use an image with Python and Dask in its PATH.",
        )
    return Problem(what="The container can't be started", why=message)


def _crashing(message: str, status: Json, facts: Facts) -> Problem:
    last = ((status.get("lastState") or {}).get("terminated")) or {}
    how = (
        "it ran out of memory"
        if last.get("reason") == "OOMKilled"
        else f"it ends with exit code {last.get('exitCode', '?')}"
    )
    lines = "\n".join(facts.logs[-5:])
    times = status.get("restartCount", 0)
    return Problem(
        what=f"The container crashes at its start ({times} times so far)",
        why=f"{how}; its last lines:\n{lines}" if lines else how,
        todo="Read its log for the cause.",
    )


_BY_REASON: dict[str, Callable[[str, Json, Facts], Problem]] = {
    "ErrImagePull": _image,
    "ImagePullBackOff": _image,
    "RegistryUnavailable": _image,
    "ImageInspectError": _image,
    "InvalidImageName": _image_name,
    "ErrImageNeverPull": _image_never,
    "CreateContainerConfigError": _config,
    "CreateContainerError": _command,
    "RunContainerError": _command,
    "CrashLoopBackOff": _crashing,
}
