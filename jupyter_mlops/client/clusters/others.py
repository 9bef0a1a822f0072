"""What is asked of others' clusters only by who means just them."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.cluster import ClusterState
from ...core.errors import Conflict
from ...core.naming import ClusterName, exactly, owned


def check_meant(name: str, state: ClusterState, states: Iterable[ClusterState]) -> None:
    """Raise `Conflict` before a live cluster of others ends that was named by its bare name only.

    Parameters
    ----------
    name : what a person wrote.
    state : what that means.
    states : what else there is, from which the exact name must tell it.
    """
    if state.phase != "ended" and not state.mine and not ClusterName.of(name).exact:
        raise Conflict(
            f"The cluster {state.name!r} isn't yours",
            f"it is {owned(state)}, and its maker may be using it",
            f"To stop it all the same, name it exactly: {exactly(state, states)}",
        )
