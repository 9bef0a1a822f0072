"""The profile that comes with the place Kubernetes."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from ...core.profile import Group, Profile

PROFILE = Profile(
    name="kubernetes",
    title="Kubernetes",
    description="Pods of the current Kubernetes cluster and namespace; ends 20 minutes after its last work.",
    place="kubernetes",
    groups=[Group(workers=2, maximum=500, memory=4 * 1024**3)],
)


def reachable() -> bool:
    """Whether there is a way to a Kubernetes cluster: its client, and a kubeconfig or a pod around us."""
    if importlib.util.find_spec("kubernetes") is None:
        return False
    files = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    return "KUBERNETES_SERVICE_HOST" in os.environ or any(Path(file).is_file() for file in files.split(os.pathsep))
