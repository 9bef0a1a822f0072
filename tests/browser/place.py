"""Places as the tests of the browser know them: a profile in the menu, and what the server needs to see the place."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..kubernetes.clusters import Namespace
from .lab import Lab


@dataclass(frozen=True)
class Place:
    """A place.

    `profile` and its `title` are of the profile that the journey starts, `workers` how many it makes, each with `cpus`
    to pay for. `options` are what every profile of the place says, `group` what every group says. `touch` makes a file
    where the place's workers see it, which is in the folder `tmp` where they don't see the test's own.
    """

    profile: str
    title: str
    workers: int
    cpus: float = 1
    options: dict[str, Any] = field(default_factory=dict)
    group: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    tmp: Path | None = None
    touch: Callable[[Path], None] = Path.touch

    def save(self, lab: Lab, name: str, title: str, *groups: dict[str, Any], **fields: Any) -> None:
        """A profile of the user's own, here."""
        shaped = [{"memory": "600 MiB", **self.group, **group} for group in groups]
        lab.api(f"profiles/{name}", "PUT", {"title": title, "groups": shaped, **self.options, **fields})


#: Its profile comes with the package.
THIS_MACHINE = Place("this-machine", "This machine", len(os.sched_getaffinity(0)))


def in_pods(namespace: Namespace, folder: Path) -> Place:
    """Pods in a namespace, the current one of a kubeconfig in `folder`: nothing else differs from this machine."""
    options = namespace.options()
    requests = {"cpu": "50m", "memory": "100Mi"}  # less than is shown, so that some fit on a small node

    def touch(path: Path) -> None:
        for pod in namespace.workers():
            command = ["exec", "-n", namespace.name, pod, "--", "python", "-c", f"open({str(path)!r}, 'w')"]
            namespace.kube.kubectl(*command)

    return Place(
        profile="pods",
        title="Pods",
        workers=2,
        cpus=0.05,
        options={
            "place": "kubernetes",
            # No pod on a fake node, and the same record whatever else there is in the Kubernetes cluster.
            "options": {
                "image": options["image"],
                "grace": 5,
                "pod": options["scheduler"],
                "record": "deployment",
            },
        },
        group={"options": {"pod": {"spec": {"containers": [{"resources": {"requests": requests}}]}}}},
        environment={"KUBECONFIG": str(namespace.kubeconfig(folder))},
        tmp=Path("/tmp"),
        touch=touch,
    )
