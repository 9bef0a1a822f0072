"""The panel's head: which cluster is shown, and a new one from a profile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import ipywidgets as w

from ...client.words import phase
from ...core import words
from ...core.cluster import ClusterState, Problem
from ...core.estimate import Estimate
from ...core.naming import ClusterName, owned, spelled
from ...core.price import GB, NO_PRICE
from ...core.profile import Profile
from .looks import QUIET, field, show
from .words import problem as problem_html
from .words import reference

#: The choice that stands for no cluster.
NONE = ""


class StartPart:
    """Two lines: the clusters there are, and a profile to start another from.

    `chosen` is called with the id of the cluster that a person, or `choose`, picked; `start` with a profile's name
    and the name for the cluster, None to have one made.
    """

    def __init__(self, chosen: Callable[[str], None], start: Callable[[str, str | None], None]) -> None:
        self._chosen = chosen
        self._start = start
        self._shower = 0
        self._about: dict[str, str] = {}
        self.cluster = w.Dropdown(description="Cluster", options=[("no cluster yet", NONE)], layout=field())
        self.profile = w.Dropdown(description="New from", layout=field())
        self.name = w.Text(placeholder="name (optional)", layout=w.Layout(width="160px"))
        self.start = w.Button(description="Start", icon="play", button_style="primary")
        self.about = w.HTML()
        self.silent = w.HTML()
        self.box = w.VBox([self.cluster, self.silent, w.HBox([self.profile, self.name, self.start]), self.about])
        show(self.silent, False)
        self.cluster.observe(self._cluster_chosen, "value")
        self.profile.observe(self._profile_chosen, "value")
        self.start.on_click(lambda _: self._start_clicked())

    def show_profiles(self, profiles: Sequence[tuple[Profile, Estimate]]) -> None:
        """Offer these, the last used first."""
        self._about = {profile.name: _about(profile, estimate) for profile, estimate in profiles}
        options = [
            (f"{profile.title or profile.name} · {_price(estimate)}", profile.name) for profile, estimate in profiles
        ]
        if self.profile.options != tuple(options):
            value = self.profile.value
            self.profile.options = options
            if options:  # a dropdown that was empty chooses nothing by itself
                self.profile.value = value if value in self._about else options[0][1]
        self._profile_chosen(None)

    def show_clusters(self, states: Sequence[ClusterState], chosen: str) -> None:
        """Offer these, with `chosen` as the one that is shown."""
        exact = spelled(states)
        options = [(" · ".join([exact[state.id], *_others(state), phase(state)]), state.id) for state in states]
        if chosen not in [cluster for _, cluster in options]:
            gone = (ClusterName.of(chosen).name, chosen)
            options.insert(0, gone if chosen else ("choose one" if options else "no cluster yet", NONE))
        self._shower = threading.get_ident()  # a person's choice comes in another thread, and may come right now
        try:
            if self.cluster.options != tuple(options):
                self.cluster.options = options
            self.cluster.value = chosen
        finally:
            self._shower = 0

    def show_silent(self, problems: Sequence[Problem]) -> None:
        """Say which places didn't answer: there may be more clusters than those that are offered."""
        self.silent.value = "".join(f"<div role='status'>⚠ {problem_html(problem)}</div>" for problem in problems)
        show(self.silent, bool(problems))

    def allow_start(self) -> None:
        """Let another start be asked for: the last one was answered."""
        self.start.disabled = False
        self.name.value = ""

    def _cluster_chosen(self, change: Any) -> None:
        if threading.get_ident() != self._shower:
            self._chosen(change["new"])

    def _profile_chosen(self, _: Any) -> None:
        self.about.value = f"<span style='{QUIET}'>{self._about.get(self.profile.value, '')}</span>"

    def _start_clicked(self) -> None:
        if self.profile.value:
            self.start.disabled = True
            self._start(self.profile.value, self.name.value.strip() or None)


def _others(state: ClusterState) -> list[str]:
    """Whose it is, where it isn't this user's."""
    return [] if state.mine else [owned(state)]


def _about(profile: Profile, estimate: Estimate) -> str:
    shape = words.shape(estimate.cpus, estimate.memory_gb * GB)
    told = f" {reference(estimate.reference)}" if estimate.reference else ""
    source = f"{estimate.source or NO_PRICE}{', ' + estimate.date if estimate.date else ''}"
    about = ""
    if estimate.asked is not None and estimate.at_start is not None:
        age = round(time.time() - estimate.asked)
        about = words.machines(estimate.whole, estimate.tail, estimate.currency, age)
    return escape(words.sentences(profile.description, f"{shape} at start", f"Price: {source}{told}", about))


def _price(estimate: Estimate) -> str:
    is_about = estimate.asked is not None
    return words.estimate(estimate.at_start, estimate.at_most, estimate.currency, is_about)
