"""Whether there is a wall around a namespace, as whoever may make pods there can find out: by what Kubernetes says to
one that nobody wants. Nothing is made."""

from __future__ import annotations

from .. import names
from ..api.client import Answer, Api, Json

#: The part of what a probe would be, and how the policy begins what it says to one.
PART, SAID = "wall-probe", "There is a wall around this namespace"

FENCE = (
    "Accounts are a fence here: whoever may change Secrets in the namespace may change them, and what is no cluster of "
    "ours is in none"
)


async def sentence(api: Api) -> str:
    """Whether accounts are a fence there or a wall, in a sentence. Raises `Unreachable`."""
    try:
        await api.request("POST", api.path("pods"), _pod(), query={"dryRun": "All"}, parse=False)
    except Answer as answer:
        said = str(answer.answer.get("message", ""))
        if SAID in said:
            return SAID + said.partition(SAID)[2].strip()
    return FENCE


def _pod() -> Json:
    """A pod that passes Pod Security "restricted", which is asked first."""
    container = {
        "name": "probe",
        "image": "none",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": PART, "labels": {names.PART: PART}},
        "spec": {"securityContext": security, "containers": [container]},
    }
