"""What a live run used of its workers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...core.base import read_record
from ...core.errors import Unreadable
from ...core.sizing import GroupUse, WorkerUse

#: The group of the worker at an address, nothing of it used so far; None where nobody knows it.
GroupAt = Callable[[str], "GroupUse | None"]


class UseKeeper:
    """Takes what workers tell of one run.

    Parameters
    ----------
    group_at : see `GroupAt`.
    together : whether its tasks on a worker are processes of one thing, which need no CPU each.
    """

    def __init__(self, group_at: GroupAt, together: bool) -> None:
        self._group_at, self._together = group_at, together
        self._told: dict[str, WorkerUse] = {}
        self._groups: dict[str, GroupUse] = {}

    @property
    def groups(self) -> list[GroupUse]:
        """What was used of each group so far."""
        return list(self._groups.values())

    def take(self, worker: str, what: dict[str, Any]) -> None:
        """What the worker at that address tells of it, as `UseSampler` does. What can't be read is left out."""
        empty = self._group_at(worker)
        try:
            told = read_record(WorkerUse, {**what, "at_once": 1} if self._together else what)
        except Unreadable:
            return
        if empty is None:
            return
        known = self._groups.get(empty.group, empty)
        if empty.rates.known:  # the price of its host may have become known since
            known = known.model_copy(update={"rates": empty.rates})
        self._groups[empty.group] = known.with_worker(told, self._told.get(worker))
        self._told[worker] = told
