"""The panel's view of one cluster: live numbers, and the controls that scale and stop it."""

from __future__ import annotations

import time
from html import escape
from typing import Any, Protocol

import ipywidgets as w

from ...client.clusters.problems import problems_of
from ...client.words import phase, spot_sentences, waste_sentences, workers
from ...core.base import Time
from ...core.budget import Budget
from ...core.cluster import ClusterSpec, ClusterState, GroupState
from ...core.extend import LimitChange
from ...core.idle import Waste
from ...core.naming import owned
from ...core.words import count, size
from . import words
from .looks import CELL, QUIET, field, number, show


class Commands(Protocol):
    """What can be asked of a cluster. Each returns at once; what goes wrong is shown by the panel."""

    def scale(self, cluster: str, workers: int, group: str) -> None:
        """Want this many workers."""

    def adapt(self, cluster: str, minimum: int, maximum: int, group: str) -> None:
        """Let the number follow the work."""

    def let_go(self, cluster: str, workers: int, group: str) -> None:
        """Let so many idle workers go."""

    def limit(self, cluster: str, change: LimitChange) -> None:
        """Give it other limits."""

    def stop(self, cluster: str) -> None:
        """End the cluster."""


class ClusterPart:
    """Numbers and controls of the cluster that was shown last.

    A control that a person has just moved isn't moved back by a state from before: the group is `held` until the
    command was answered. A control that is set to what the state says asks for nothing, so that nothing has to tell
    whether it was a person who moved it.
    """

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self._state: ClusterState | None = None
        self._ranges: dict[str, tuple[int, int]] = {}
        self._held: set[str] = set()
        self.numbers = w.HTML()
        self.group = w.Dropdown(description="Group", layout=field())
        # Numbers to be typed rather than sliders, whose handles have no name that a screen reader could say.
        self.workers = w.BoundedIntText(description="Workers", layout=number())
        self.adaptive = w.Checkbox(
            description="as many as the work needs", indent=False, layout=w.Layout(width="220px")
        )
        self.minimum = w.BoundedIntText(description="At least", layout=number())
        self.maximum = w.BoundedIntText(description="at most", layout=number())
        self.bounds = w.HBox([self.minimum, self.maximum])
        self.more_money = w.Button(icon="plus", tooltip="Raise the budget")
        self.more_time = w.Button(description="1 h", icon="plus", tooltip="Let the cluster live for an hour more")
        self.raises = w.HBox([self.more_money, self.more_time])
        self.let_go = w.Button(tooltip="Let workers go that have long been idle")
        self.stop = w.Button(description="Stop…", icon="stop", tooltip="End this cluster")
        self.confirm = w.Button(description="Stop it", button_style="danger")
        self.keep = w.Button(description="Keep it")
        self._loss = w.HTML()
        self.question = w.HBox([self._loss, self.confirm, self.keep])
        self._controls = w.VBox([self.group, w.HBox([self.workers, self.adaptive]), self.bounds])
        self.box = w.VBox([self.numbers, self.let_go, self._controls, self.raises, self.stop, self.question])
        self.group.observe(self._group_chosen, "value")
        self.workers.observe(self._workers_moved, "value")
        self.adaptive.observe(self._adaptive_switched, "value")
        self.minimum.observe(self._minimum_moved, "value")
        self.maximum.observe(self._maximum_moved, "value")
        self.more_money.on_click(lambda _: self._raise_budget())
        self.more_time.on_click(lambda _: self._raise(LimitChange(more_time=3600)))
        self.let_go.on_click(lambda _: self._let_go())
        self.stop.on_click(lambda _: self._ask_to_stop())
        self.keep.on_click(lambda _: show(self.question, False))
        self.confirm.on_click(lambda _: self._stop())
        self.show(None)

    def show(self, state: ClusterState | None, spec: ClusterSpec | None = None, now: Time | None = None) -> None:
        """Show `state` of a cluster made by `spec`, as it is at `now`; None shows that no cluster is chosen."""
        if state is None or self._state is None or state.id != self._state.id:
            show(self.question, False)
            self._held.clear()
        self._state = state
        groups = spec.profile.groups if spec else []
        self._ranges = {group.name: (group.minimum, group.maximum) for group in groups}
        live = state is not None and state.phase in ("starting", "running")
        self.numbers.value = _no_cluster() if state is None else _numbers(state, time.time() if now is None else now)
        show(self.stop, state is not None and state.phase != "ended" and "stop" in state.commands)
        show(self._controls, live and state is not None and "scale" in state.commands and bool(state.groups))
        self._show_raises(state if live else None)
        self._show_spare(state if live else None)
        if state is not None and state.groups:
            self._show_groups(state)
            self._show_group()

    def release(self, group: str) -> None:
        """Let the controls of this group follow the cluster again: a command about it was answered, and the state that
        was shown last is newer than it, or it failed."""
        self._held.discard(group)
        self._show_group()

    def _show_raises(self, state: ClusterState | None) -> None:
        """What raises a limit is there as soon as half of the budget is used, or its map won't end within it."""
        may = state is not None and "limit" in state.commands
        budget = state.budget if state is not None else None
        told = budget is not None and (budget.step != "fine" or budget.projected > budget.left)
        if budget is not None:
            self.more_money.description = words.round_sum(budget.more, budget.currency)
        show(self.more_money, may and told)
        show(self.more_time, may and told and state is not None and state.limits.lifetime is not None)

    def _show_spare(self, state: ClusterState | None) -> None:
        """A button for the workers that may be let go."""
        spare = _spare(state)
        if spare is not None:
            self.let_go.description = f"Let {spare.spare:,} go"
        show(self.let_go, spare is not None)

    def _let_go(self) -> None:
        spare = _spare(self._state)
        if self._state is not None and spare is not None:
            self._commands.let_go(self._state.id, spare.spare, spare.group)

    def _raise_budget(self) -> None:
        if self._state is not None and self._state.budget is not None:
            self._raise(LimitChange(more_money=self._state.budget.more))

    def _raise(self, change: LimitChange) -> None:
        if self._state is not None:
            self._commands.limit(self._state.id, change)

    def _show_groups(self, state: ClusterState) -> None:
        names = tuple(group.name for group in state.groups)
        if self.group.options != names:
            self.group.options = names
            self.group.value = names[0]
        show(self.group, len(names) > 1)

    def _chosen(self) -> GroupState | None:
        groups = self._state.groups if self._state else []
        return next((group for group in groups if group.name == self.group.value), None)

    def _show_group(self) -> None:
        group = self._chosen()
        if group is None or group.name in self._held:
            return
        low, high = self._range(group)
        # where it can't be switched off, a number that is set ends it
        _set(self.workers, min=low, max=high, value=group.wanted, disabled=group.adaptive and self._adapts)
        _set(self.minimum, min=low, max=high, value=group.minimum)
        _set(self.maximum, min=low, max=high, value=group.maximum)
        _set(self.adaptive, value=group.adaptive)
        show(self.adaptive, self._adapts)
        show(self.bounds, group.adaptive and self._adapts)

    @property
    def _adapts(self) -> bool:
        """Whether the cluster can be asked to follow its work."""
        return self._state is not None and "adapt" in self._state.commands

    def _range(self, group: GroupState) -> tuple[int, int]:
        """What can be chosen: the profile's range; that of adaptive scaling, in the state, may be narrower."""
        return self._ranges.get(group.name, (group.minimum, group.maximum))

    def _group_chosen(self, _: Any) -> None:
        self._show_group()

    def _workers_moved(self, change: Any) -> None:
        group = self._chosen()
        if self._state and group and change["new"] != group.wanted:
            self._held.add(group.name)
            self._commands.scale(self._state.id, change["new"], group.name)

    def _adaptive_switched(self, change: Any) -> None:
        group = self._chosen()
        if not self._state or not group or change["new"] == group.adaptive:
            return
        self._held.add(group.name)
        if change["new"]:
            self._adapt(group, *self._range(group))
        else:
            self._commands.scale(self._state.id, group.wanted, group.name)

    def _minimum_moved(self, change: Any) -> None:
        group = self._chosen()
        if group and change["new"] != group.minimum:
            self._adapt(group, change["new"], max(change["new"], self.maximum.value))

    def _maximum_moved(self, change: Any) -> None:
        group = self._chosen()
        if group and change["new"] != group.maximum:
            self._adapt(group, min(change["new"], self.minimum.value), change["new"])

    def _adapt(self, group: GroupState, minimum: int, maximum: int) -> None:
        assert self._state is not None
        self._held.add(group.name)
        self._commands.adapt(self._state.id, minimum, maximum, group.name)

    def _ask_to_stop(self) -> None:
        if self._state is None:
            return
        runs = len(self._state.runs)
        lost = f"{count(runs, 'run')} would be lost. " if runs else "Nothing is running on it. "
        others = f"<b>It is {escape(owned(self._state))}, and its maker may be using it.</b> "
        self._loss.value = (
            f"<b>Stop {escape(self._state.name)}?</b> {'' if self._state.mine else others}{lost}"
            "Results kept on its workers are gone then.&ensp;"
        )
        show(self.question, True)

    def _stop(self) -> None:
        show(self.question, False)
        if self._state is not None:
            self._commands.stop(self._state.id)


def _spare(state: ClusterState | None) -> Waste | None:
    """The idle workers of a group that may be let go; those that cost most, where several groups have some."""
    if state is None or state.phase != "running" or "let_go" not in state.commands:
        return None
    found = [waste for waste in state.waste if waste.spare]
    return max(found, key=lambda waste: (waste.per_hour or 0.0, waste.spare), default=None)


def _no_cluster() -> str:
    return f"<span style='{QUIET}'>No cluster is chosen: start one from a profile above.</span>"


def _numbers(state: ClusterState, now: Time) -> str:
    """The live numbers as a table of two columns."""
    wanted = sum(group.wanted for group in state.groups)
    cost = state.cost
    rows = {
        "State": escape(phase(state)),
        "Workers": escape(workers(state.counts, wanted)),
        **({"Spot": "<br>".join(map(escape, spot_sentences(state)))} if spot_sentences(state) else {}),
        "CPU": f"{state.cpu:.1f} of {count(state.cpus, 'CPU')}",
        "Memory": f"{size(state.memory_used)} of {size(state.memory)}",
        "Tasks": f"{state.work.processing:,} running, {state.work.queued:,} waiting, {state.work.done:,} done",
        "Cost": f"<span title='{escape(words.source(cost), quote=True)}'>{escape(words.cost(cost))}</span>"
        + (f" <span style='{QUIET}'>{escape(words.reference(state.reference))}</span>" if state.reference else ""),
        **({"Went to": escape(state.spend.sentence)} if state.spend is not None and state.spend.sentence else {}),
        **({"Budget": _budget(state.budget)} if state.budget is not None else {}),
        **({"Account": escape(state.account.used)} if state.account is not None else {}),
        **({"Idle": "<br>".join(map(escape, waste_sentences(state)))} if waste_sentences(state) else {}),
        "End": escape(words.end(state, now)),
    }
    if state.phase == "ended":
        rows = {key: rows[key] for key in ("State", "Cost")}
    lines = [
        f"<tr><td style='{CELL};{QUIET}'>{key}</td><td style='{CELL}'>{text}</td></tr>" for key, text in rows.items()
    ]
    notes = [f"<div role='status'>⚠ {words.problem(problem, name)}</div>" for name, problem in problems_of(state)]
    return f"<table style='font-variant-numeric:tabular-nums'>{''.join(lines)}</table>{''.join(notes)}"


def _budget(budget: Budget) -> str:
    """What is used of a budget, as a bar with words."""
    part = f"<progress max='{budget.limit}' value='{budget.spent + budget.assumed}' aria-label='budget'></progress>"
    step = f"<br>{escape(budget.sentence)}" if budget.sentence else ""
    return f"{part} {escape(budget.used)}{step}"


def _set(widget: w.Widget, **traits: Any) -> None:
    """Set a control's traits as one change, so that its value is never cut to a range that it is about to leave."""
    with widget.hold_trait_notifications():
        for name, value in traits.items():
            setattr(widget, name, value)
