"""Why a cluster has another scheduler than before."""

from __future__ import annotations

from collections.abc import Sequence

from ....core.cluster import Problem
from .death import death, whose
from .facts import Facts, Json
from .restarted import restarted

#: The sentence that the cause belongs to.
AGAIN = "The scheduler started again"


def again(own: Json, others: Sequence[Json], events: Sequence[Json], logs: Sequence[str]) -> Problem:
    """Why the scheduler before the one in the pod `own` ended.

    Parameters
    ----------
    own : the pod of the one that runs.
    others : pods of earlier ones that are there still.
    events : of all these pods, and of those that are gone, oldest first.
    logs : the last lines of the container that ran in `own` before.
    """
    name = str(own["metadata"]["name"])
    here = Facts(events=[each for each in events if _about(each) == name], logs=logs)
    if (problem := restarted(own, AGAIN, here)) is not None:
        return problem
    before = [each for each in events if _about(each) != name]
    if others:
        last = max(others, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
        cause = death(last, Facts(events=before), deleted="deletionTimestamp" in last["metadata"])
    elif before:  # of one that is gone, only events tell
        gone = {"metadata": {"labels": own["metadata"].get("labels")}}
        cause = death(gone, Facts(events=[each for each in before if _about(each) == _about(before[-1])]), deleted=True)
    else:
        return Problem(what=AGAIN, why=f"{whose(own)}'s earlier pod is gone, and nothing tells why")
    return Problem(what=AGAIN, why=cause.words, todo=cause.todo)


def _about(event: Json) -> str:
    return str(event["involvedObject"].get("name", ""))
