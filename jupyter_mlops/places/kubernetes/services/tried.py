"""What the board of a trial tells, together with the pods that take part in it. Asks nobody."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ....core.base import Seconds
from ....core.board import Board, board_of
from ....core.candidate import Candidate, CandidateState
from ....core.cluster import Problem
from ....core.errors import Unreadable
from ....core.split import Move, ReplicaReport, Split
from .. import names
from ..why.facts import is_ready

Json = dict[str, Any]

#: Seconds that a pod may be heard later than another one.
_SILENT: Seconds = 60.0


@dataclass(frozen=True)
class StoredTrial:
    """A trial as Kubernetes told of it a moment ago.

    Parameters
    ----------
    salt : the experiment's.
    """

    salt: str
    board: Board
    pods: Sequence[Json] = field(default_factory=tuple)

    @classmethod
    def of(cls, salt: str, boards: Sequence[Json], pods: Sequence[Json], name: str) -> StoredTrial | None:
        """The one whose board has this name; None where that is gone, or can't be read."""
        item = next((each for each in boards if each["metadata"]["name"] == name), None)
        with contextlib.suppress(Unreadable):
            return cls(salt, board_of(item), [pod for pod in pods if trial_of(pod) == salt]) if item else None
        return None

    @property
    def split(self) -> Split:
        """Who answers."""
        return self.board.split

    @property
    def over(self) -> bool:
        """Whether it was decided: the pods hold the other version for nothing."""
        return self.split.candidate is None

    @property
    def waits(self) -> bool:
        """Whether the candidate is to answer once no pod is left without it."""
        return self.split.waits and not self.over

    def report(self, pod: Json) -> ReplicaReport | None:
        """What a pod told last."""
        return self.board.reports.get(str(pod["metadata"]["name"]))

    def has(self, pod: Json, revision: str) -> bool:
        """Whether a wish is so in a pod."""
        report = self.report(pod)
        if report is None or report.revision != revision or report.problem is not None:
            return False
        return self.over or not (self.waits or report.waits)

    def problem(self, pod: Json) -> Problem | None:
        """Why what is wanted now can't be so in a pod, as that told."""
        report = self.report(pod)
        return report.problem if report is not None and report.revision == self.split.revision else None

    def state(self, candidate: Candidate | None) -> CandidateState | None:
        """What the candidate is: as a pod says, which knows what all have seen."""
        if candidate is None:
            return self.split.past
        if (told := self._told()) is None:
            steps = {"steps": candidate.steps, "paused": candidate.paused}
            return CandidateState(version=candidate.version, way=candidate.way, words="starting", **steps)
        return told.model_copy(update={"problem": told.problem or self._fault()})

    def _told(self) -> CandidateState | None:
        """As one pod says: always the same, as long as it knows what is wanted and is heard. Each has its own idea of
        how long it will take, and these would take turns."""
        found = [
            (str(pod["metadata"]["name"]), report)
            for pod in self.pods
            if is_ready(pod) and (report := self.report(pod))
        ]
        newest = max((report.time for _, report in found), default=0.0)
        told = [
            (report.revision != self.split.revision, report.time < newest - _SILENT, name, report.candidate)
            for name, report in found
            if report.candidate is not None and report.candidate.phase != "back"
        ]
        return min(told, key=lambda each: each[:3])[3] if told else None

    def _fault(self) -> Problem | None:
        """Why some pod's candidate isn't ready."""
        told = [report.candidate.problem for pod in self.pods if (report := self.report(pod)) and report.candidate]
        return next(filter(None, told), None)

    def taken_back(self, candidate: Candidate) -> CandidateState:
        """What the candidate is once somebody has taken it back."""
        before = self.state(candidate)
        assert before is not None
        return before.taken_back(candidate.share, time.time())


def trial_of(pod: Json) -> str:
    """The experiment that a pod takes part in; empty for none."""
    return str((pod["metadata"].get("labels") or {}).get(names.TRIAL, ""))


def unnoted(item: Json) -> list[Move]:
    """What a service has decided by itself, as its board says, that isn't in the trail yet."""
    with contextlib.suppress(Unreadable):
        split = board_of(item).split
        return split.moves[split.noted :]
    return []
