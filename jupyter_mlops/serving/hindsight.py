"""What labels say later of a version that has taken another's place: a canary doesn't wait for those that take days.

Both answered at the same time while it was tried. Labels of these rows come on after it has won, and are compared as
before. Nothing is taken back any more: people have had its answers for long. It is said.
"""

from __future__ import annotations

from collections.abc import Callable

from ..core.cluster import Problem
from ..core.compared import against, by_labels
from ..core.elsewhere import worse_first
from ..core.errors import MlopsError
from ..core.evidence import Evidence
from ..core.service import ServiceSpec
from ..home.models import model_folder
from ..home.services import ServiceFolder


class Hindsight:
    """Looks at labels of what was answered while a version was tried that serves now.

    Parameters
    ----------
    say : called with a line for the log.
    """

    def __init__(self, folder: ServiceFolder, say: Callable[[str], None]) -> None:
        self._folder, self._say = folder, say
        self._digest, self._seen, self._said = "", (0, 0), ""
        self._alarm: Problem | None = None

    def beside(self, spec: ServiceSpec, other: Problem | None) -> Problem | None:
        """What there is to say of the version that serves, beside another alarm."""
        return worse_first(self._alarm if self._digest == spec.digest else None, other)

    def look(self, spec: ServiceSpec) -> None:
        """Look whether there are new labels, and what they say. In any thread."""
        seen = self._folder.requests.changed_at()
        if seen is None or (seen == self._seen and spec.digest == self._digest):
            return
        self._seen, self._digest = seen, spec.digest
        try:
            evidence = self._folder.evidence()
            tried = evidence is not None and evidence.won == spec.digest and evidence.over == spec.previous
            self._alarm = self._compared(spec, evidence) if evidence is not None and tried else None
        except (MlopsError, FileNotFoundError) as error:  # the version before may be gone
            self._tell(f"what labels say of {spec.version_name} can't be read: {error}")

    def _compared(self, spec: ServiceSpec, evidence: Evidence) -> Problem | None:
        before = model_folder(spec.model).version(evidence.over).record()
        stretches = [(each.since, each.until) for each in evidence.stretches]
        metric = self._folder.requests.labelled.metric(before.digest, spec.digest, stretches)
        told = by_labels(metric, evidence)
        if told is None or told.state != "worse":
            return None
        alarm = Problem(
            what=f"{spec.version_name} is worse than {before.name}, in whose place it is",
            why=f"{against(told)}, where both answered at the same time, as labels say that have come since",
            todo=f"svc.rollback() has {before.name} serve again.",
        )
        self._tell(alarm.words)
        return alarm

    def _tell(self, words: str) -> None:
        if words != self._said:
            self._said = words
            self._say(words)
