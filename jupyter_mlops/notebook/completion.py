"""Completion of the magics' options, and of the names of clusters and variables after them."""

from __future__ import annotations

import re
from typing import Any

from ..client.runs.split import OPTIONS

_CLUSTER = ("list", "select", "start", "stop", "scale", "show")
_CLUSTER_OPTIONS = ("--group", "--name", "--sync", "--workers")


def complete(shell: Any, event: Any) -> list[str]:
    """What may follow on the line. Called by IPython."""
    words = re.split(r"\s+", event.line.strip() if not event.line.endswith(" ") else event.line)
    before = [word for word in words[:-1] if word] if event.line.endswith(" ") or len(words) > 1 else words
    last = before[-1] if before else ""
    choices = _after_run(shell, last) if before and before[0] == "%%mlrun" else _after_cluster(before)
    return [choice for choice in choices if choice.startswith(event.symbol or "")]


def _after_run(shell: Any, last: str) -> list[str]:
    if last == "--cluster":
        return _clusters()
    if last == "--on-error":
        return ["raise", "collect"]
    if last == "--pilot":
        return ["ask", "balanced", "cheapest", "fastest", *OPTIONS]
    if last == "--group":
        return _groups()
    if last == "--map":
        return sorted(name for name, value in shell.user_ns.items() if _maps(name, value))
    return list(OPTIONS)


def _maps(name: str, value: Any) -> bool:
    return not name.startswith("_") and name not in ("In", "Out") and hasattr(value, "__iter__")


def _after_cluster(before: list[str]) -> list[str]:
    if len(before) == 1:
        return list(_CLUSTER)
    if len(before) == 2 and before[1] == "start":
        return _profiles()
    if len(before) == 2 and before[1] in ("select", "stop", "scale", "show"):
        return _clusters()
    return list(_CLUSTER_OPTIONS)


def _clusters() -> list[str]:
    from ..client.clusters.choose import usable
    from ..client.clusters.kernel import loop_thread
    from ..client.clusters.listing import list_clusters
    from ..core.naming import spelled

    return list(spelled(usable(loop_thread().call(list_clusters()))).values())


def _profiles() -> list[str]:
    from ..places import profiles

    return [profile.name for profile in profiles.all_profiles()]


def _groups() -> list[str]:
    from ..client.clusters.choose import usable
    from ..client.clusters.kernel import loop_thread
    from ..client.clusters.listing import list_clusters

    live = usable(loop_thread().call(list_clusters()))
    return sorted({group.name for state in live for group in state.groups})
