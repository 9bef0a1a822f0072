"""What a router makes of its replicas' counts: windows, how they compare with the baseline, and alerts.

Nothing of this is done while somebody waits for an answer: replicas are asked for their counts now and then.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from ..core.alert import ServiceWatch, after_window, alarm_of
from ..core.base import Seconds
from ..core.cluster import Problem
from ..core.drift import drifts, enough
from ..core.errors import MlopsError, Unreadable
from ..core.model import Baseline
from ..core.service import ServiceSpec
from ..core.window import Window
from ..home.models import model_folder
from ..home.services import ServiceFolder

#: Seconds between two looks at what was counted, and how many times longer than a look took that is at least.
EVERY: Seconds = 5.0
_REST = 100

#: Seconds after which a window is over though it has too few rows to tell.
_LONGEST: Seconds = 7 * 24 * 3600.0


class Watcher:
    """Watches what one version of a service is asked, and answers.

    What was counted before the router ended is gone on with, if it was of the same version.

    Parameters
    ----------
    say : called with a line for the log.
    """

    def __init__(self, folder: ServiceFolder, spec: ServiceSpec, say: Callable[[str], None]) -> None:
        self._folder, self._say = folder, say
        self.digest, self._name = spec.digest, spec.name
        self._baseline, problem = _baseline_of(spec)
        self._watch = self._before(spec) or ServiceWatch(
            version=spec.version, open=Window(version=spec.version, digest=spec.digest, since=time.time())
        )
        self._watch.problem = problem
        if self._baseline is not None:
            self._watch.rows_of, self._watch.baseline = self._baseline.rows_of, self._baseline.rows
            self._watch.enough = enough(self._baseline)
        self._watch.open.until = time.time()
        #: Seconds that pass between two looks.
        self.pause = EVERY
        self.follow(spec)
        self._unwritten = ""

    def follow(self, spec: ServiceSpec) -> None:
        """The same version with another wish."""
        self._watch.period = spec.window
        self.pause, self._changed = min(EVERY, spec.window), True

    @property
    def alarm(self) -> Problem | None:
        """What there is to say of alarms."""
        return alarm_of(self._name, self._watch.alerts)

    def add(self, counted: Window) -> None:
        """Count what a replica has counted."""
        if not counted.rows:
            return
        now, seen = time.time(), self._watch.open
        begun = min(seen.since, now)  # the clock may have been set back
        moment = Window(version=self._watch.version, digest=self.digest, since=begun, until=now)
        self._watch.open = moment.plus(counted.model_copy(update={"since": begun, "until": now})).plus(
            seen.model_copy(update={"since": begun, "until": now})
        )
        self._changed = True

    def fail(self, words: str) -> None:
        """A replica can't count."""
        why = words[:500]
        self._watch.problem = Problem(what=f"What {self._name} is asked isn't counted", why=why, todo="See its log.")
        self._changed = True

    def look(self) -> None:
        """Compare what was counted with the baseline, end the window if it is over, and keep all that."""
        if not self._changed or self._baseline is None:
            self._keep()
            return
        began = time.perf_counter()
        if self._is_over():
            self._end_window(self._baseline)
        open_, last = self._watch.open, self._watch.last
        both = open_ if last is None else last.plus(open_)
        self._watch.features = drifts(self._baseline, both) if both.rows else []
        self._keep()
        self.pause = max(min(EVERY, self._watch.period), _REST * (time.perf_counter() - began))

    def end(self) -> None:
        """The version is replaced: what was counted of it is a window, however short."""
        if self._watch.open.rows:
            self._store(self._watch.open)

    def _is_over(self) -> bool:
        seen = self._watch.open
        age = seen.until - seen.since
        return seen.rows > 0 and age >= self._watch.period and (seen.rows >= self._watch.enough or age >= _LONGEST)

    def _end_window(self, baseline: Baseline) -> None:
        window, before = self._watch.open, self.alarm
        self._store(window)
        self._watch.alerts = after_window(self._watch.alerts, drifts(baseline, window), window.until)
        self._watch.last = window
        self._watch.open = Window(version=window.version, digest=window.digest, since=window.until, until=window.until)
        after = self.alarm
        if after != before:
            self._say(f"{after.what}: {after.why}" if after is not None else "what it is asked is as it was again")

    def _before(self, spec: ServiceSpec) -> ServiceWatch | None:
        """What was kept of the same version."""
        try:
            kept = self._folder.watch()
            if kept is None or kept.open.digest != spec.digest:
                return None
            windows = self._folder.windows()
        except Unreadable as fault:
            self._say(f"what was counted before can't be read: {fault}")
            return None
        if any(each.digest == spec.digest and each.since == kept.open.since for each in windows[-1:]):
            kept.last = windows[-1]  # it ended between two writes
            kept.open = Window(version=spec.version, digest=spec.digest, since=windows[-1].until)
        return kept

    def _store(self, window: Window) -> None:
        try:
            self._folder.add_window(window)
        except MlopsError as error:
            self._complain(error)

    def _keep(self) -> None:
        """Write what there is. A disk that refuses doesn't end a service."""
        if not self._changed:
            return
        try:
            self._folder.write_watch(self._watch)
            self._changed, self._unwritten = False, ""
        except MlopsError as error:
            self._complain(error)

    def _complain(self, error: MlopsError) -> None:
        if str(error) != self._unwritten:
            self._unwritten = str(error)
            self._say(f"what was counted can't be written: {error}")


def _baseline_of(spec: ServiceSpec) -> tuple[Baseline | None, Problem | None]:
    """The baseline of a version, or why it has none."""
    try:
        found = model_folder(spec.model).version(spec.version).baseline()
    except MlopsError as error:
        return None, Problem.of(error)
    if found is not None:
        return found, None
    return None, Problem(
        what=f"{spec.version_name} has no baseline to compare with",
        why="it was saved without rows that it was made or measured with",
        todo="Save it again, with train=X or valid=(X, y).",
    )
