"""Why Kubernetes started a pod's container again."""

from __future__ import annotations

from ....core.base import Time
from ....core.cluster import Problem
from .death import death
from .facts import Facts, Json, containers, moment


def restarted(pod: Json, what: str, facts: Facts | None = None, since: Time = 0.0) -> Problem | None:
    """Why the last container that ended in the pod was started again; None when none was.

    Parameters
    ----------
    what : the sentence that says so, of which the cause becomes the reason.
    since : ends before that are forgotten.
    """
    for status in containers(pod):
        last = status.get("lastState") or {}
        ended = (last.get("terminated") or {}).get("finishedAt")
        if ended and moment(ended) > since:
            why = death({**pod, "status": {"containerStatuses": [{**status, "state": last}]}}, facts)
            return Problem(what=what, why=why.words, todo=why.todo)
    return None
