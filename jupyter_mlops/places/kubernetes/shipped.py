"""The profile that comes with the place Kubernetes."""

from __future__ import annotations

import importlib.util

from ...core.errors import InvalidSpec, Unreadable
from ...core.profile import Group, Profile
from .api import kubeconfig

PROFILE = Profile(
    name="kubernetes",
    title="Kubernetes",
    description="Pods of the current Kubernetes cluster and namespace; ends 20 minutes after its last work.",
    place="kubernetes",
    groups=[Group(workers=2, maximum=500, memory=4 * 1024**3)],
)


def reachable() -> bool:
    """Whether there is a way to a Kubernetes cluster: its client, and a kubeconfig or a pod around us. A kubeconfig
    that is broken counts: who starts a cluster by it reads what is wrong with it."""
    if importlib.util.find_spec("kubernetes") is None:
        return False
    try:
        return kubeconfig.read().login() is not None or kubeconfig.in_pod()
    except (Unreadable, InvalidSpec):
        return True
