"""How clouds mark their nodes."""

from __future__ import annotations

#: How the clouds mark spot nodes: the labels that they put on them, any of which may be there.
SPOT_LABELS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("eks.amazonaws.com/capacityType", ("SPOT",)),
    ("cloud.google.com/gke-spot", ("true",)),
    ("cloud.google.com/gke-preemptible", ("true",)),
    ("kubernetes.azure.com/scalesetpriority", ("spot",)),
    ("karpenter.sh/capacity-type", ("spot",)),
)
#: The taints that keep other pods off them.
SPOT_TAINTS: tuple[tuple[str, str, str], ...] = (
    ("cloud.google.com/gke-spot", "true", "NoSchedule"),
    ("cloud.google.com/gke-preemptible", "true", "NoSchedule"),
    ("kubernetes.azure.com/scalesetpriority", "spot", "NoSchedule"),
    ("eks.amazonaws.com/capacityType", "SPOT", "NoSchedule"),
    ("karpenter.sh/capacity-type", "spot", "NoSchedule"),
)
#: The resource of a node's GPUs.
GPU = "nvidia.com/gpu"
