"""How clusters are named, the same in cells, on the command line, in URLs and in the sidebar.

Their names are only as unique as their makers cared: two people, or two places, may have a cluster `flights` each.

- `flights` is enough where it means one cluster. One's own go before those of others.
- `flights.local` and `flights.ml.kubernetes` say where it is, too: the namespace, where there are some, and the place.
- `flights.local~19a3b4c5d6e` is this very one, and none that is started later under its name. Handles, runs, the
  history and the browser know clusters by that, as `ClusterState.id`. It goes into URLs and shells as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from .cluster import ClusterState
from .errors import AmbiguousName, NotFound, UnknownCluster
from .words import listed


@dataclass(frozen=True)
class ClusterName:
    """What somebody wrote for a cluster, in its parts; those that were left out are empty."""

    name: str
    where: str = ""
    uid: str = ""

    @classmethod
    def of(cls, text: str) -> ClusterName:
        """`text` in its parts. Whether there is such a cluster is another question."""
        path, _, uid = text.partition("~")
        name, _, where = path.partition(".")
        return cls(name, where, uid)

    @property
    def exact(self) -> bool:
        """Whether more than its name was written."""
        return bool(self.where or self.uid)

    def means(self, cluster: str) -> bool:
        """Whether it may mean the cluster with that `ClusterState.id`."""
        other = ClusterName.of(cluster)
        return (
            self.name == other.name
            and self.where in ("", other.where, other.where.rpartition(".")[2])
            and self.uid in ("", other.uid)
        )


def find(text: str, states: Iterable[ClusterState]) -> ClusterState | None:
    """The cluster that `text` means; None where there is none.

    One's own go before those of others, also those that ended: a name that one used never leads to a stranger's
    cluster. Of each, live ones go before those that ended, of which the newest is meant.

    Raises
    ------
    AmbiguousName : it may mean several that live; they are listed, as they are named exactly.
    """
    asked = ClusterName.of(text)
    found = list({state.id: state for state in states if asked.means(state.id)}.values())
    for some in ([state for state in found if state.mine], [state for state in found if not state.mine]):
        live = [state for state in some if state.phase != "ended"]
        if len(live) > 1:
            raise _ambiguous(asked.name, live)
        if some:
            return live[0] if live else max(some, key=lambda state: state.created)
    return None


def unknown(text: str, states: Iterable[ClusterState]) -> NotFound:
    """That `text` means none of these, with a near name; or that the very one that was meant is gone."""
    asked, states = ClusterName.of(text), list(states)
    if asked.uid and any(replace(asked, uid="").means(state.id) for state in states):
        return UnknownCluster(
            f"The cluster {asked.name!r} that was meant is gone", "another one was started under its name since"
        )
    path = f"{asked.name}.{asked.where}" if asked.where and not asked.uid else asked.name
    return UnknownCluster.named(path, {state.name for state in states})


def spelled(states: Iterable[ClusterState]) -> dict[str, str]:
    """How each of these is named exactly and no longer than needed, by its id."""
    same: dict[str, list[ClusterState]] = {}
    for state in states:
        same.setdefault(state.name, []).append(state)
    return {state.id: _shortest(state, some, [name, state.path]) for name, some in same.items() for state in some}


def owned(state: ClusterState) -> str:
    """Whose it is, in words: "yours", "of ada", "of ada, made with helm"."""
    if state.mine:
        return "yours"
    words = [f"of {state.owner}" if state.owner else "", "" if state.ours else f"made with {state.maker}"]
    return ", ".join(filter(None, words)) or "of somebody else"


def exactly(state: ClusterState, states: Iterable[ClusterState]) -> str:
    """How it is named together with where it is, such that it means none of the others."""
    return _shortest(state, list(states), [state.path])


def _shortest(state: ClusterState, others: list[ClusterState], texts: list[str]) -> str:
    """The first of these texts that means no other cluster; else its id, which never does."""
    for text in texts:
        asked = ClusterName.of(text)
        if all(other.id == state.id for other in others if asked.means(other.id)):
            return text
    return state.id


def _ambiguous(name: str, states: list[ClusterState]) -> AmbiguousName:
    exact = spelled(states)
    choices = listed([f"{exact[state.id]} ({owned(state)})" for state in states])
    return AmbiguousName(f"{name!r} may mean {len(states)} clusters", choices, "Name one of them so.")
