"""What a router makes of its replicas' counts: windows, how they compare with the baseline, and alerts.

Nothing of this is done while somebody waits for an answer: replicas are asked for their counts now and then, and what
they tell is read and compared in a thread.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from ..core.alert import ServiceWatch, after_window, alarm_of
from ..core.base import Seconds, read_record
from ..core.cluster import Problem
from ..core.drift import drifts, enough
from ..core.elsewhere import worse_first
from ..core.errors import MlopsError, Unreadable
from ..core.model import Baseline
from ..core.service import ServiceSpec
from ..core.window import Window
from ..home.models import model_folder
from ..home.services import ServiceFolder
from .frames import Frame
from .keeper import RequestKeeper

#: Seconds between two looks at what was counted, and how many times longer than a look took that is at least.
EVERY: Seconds = 5.0
_REST = 100

#: Seconds between two looks that count at most as held.
_MOST_HELD: Seconds = 600.0

#: Windows that wait at most for a disk that is full.
_MOST_OVER = 200

#: Seconds after which a window is over though it has too few rows to tell.
_LONGEST: Seconds = 7 * 24 * 3600.0


class Watcher:
    """Watches what one version of a service is asked, and answers.

    What was counted before the router ended is gone on with, if it was of the same version. `hear` and `follow` are for
    the loop in which requests are answered; all else takes its time, and may be called in any thread.

    Parameters
    ----------
    say : called with a line for the log.
    """

    def __init__(self, folder: ServiceFolder, spec: ServiceSpec, say: Callable[[str], None]) -> None:
        self._folder, self._say = folder, say
        self.digest, self._name = spec.digest, spec.name
        self._baseline, self._lacking = _baseline_of(spec)
        self._watch = self._before(spec) or ServiceWatch(
            version=spec.version, open=Window(version=spec.version, digest=spec.digest, since=time.time())
        )
        self._watch.problem = self._lacking
        if self._baseline is not None:
            self._watch.rows_of, self._watch.baseline = self._baseline.rows_of, self._baseline.rows
            self._watch.enough = enough(self._baseline)
        self._watch.open.until = time.time()
        self._heard: deque[Frame] = deque()
        self._looking, self._held = threading.Lock(), time.monotonic()
        self._keeper = RequestKeeper(folder, spec, say)
        self._alarm = alarm_of(self._name, self._watch.alerts)
        #: Windows that are over, and not written yet.
        self._over: deque[Window] = deque(maxlen=_MOST_OVER)
        self._unwritten, self._changed = "", True
        self.follow(spec)

    @property
    def alarm(self) -> Problem | None:
        """As `worse_first`."""
        return worse_first(self._keeper.alarm, self._alarm)

    @property
    def unkept(self) -> str:
        """What can't be written, and why."""
        return self._unwritten or self._keeper.unkept

    def follow(self, spec: ServiceSpec) -> None:
        """The same version with another wish."""
        self._keeper.follow(spec)
        self._period = spec.window
        #: Seconds that pass between two looks.
        self.pause = min(EVERY, spec.window)

    def hear(self, told: Frame) -> None:
        """Keep what a replica has counted for the next look. It runs what people wrote, and may say anything."""
        self._heard.append(told)

    def hold(self, cpus: float, memory: float) -> None:
        """Its replicas hold so many CPUs, and bytes of memory, and have done so since this was told last."""
        if self._looking.acquire(blocking=False):  # else it is counted the next time, and nobody waits for it
            try:
                now = time.monotonic()
                took, self._held = min(now - self._held, _MOST_HELD), now  # a machine that slept held nothing
                self._watch.open.cpu_seconds += took * cpus
                self._watch.open.byte_seconds += took * memory
            finally:
                self._looking.release()

    def look(self) -> None:
        """Compare what was counted with the baseline, end the window if it is over, and keep all that."""
        with self._looking:
            began = time.thread_time()
            self._listen()
            if self._watch.period != self._period:
                self._watch.period, self._changed = self._period, True
            if self._changed and self._baseline is not None:
                self._compare(self._baseline)
                self.pause = max(min(EVERY, self._period), _REST * (time.thread_time() - began))
            self._write(self._keep)

    def log(self, *, last: bool = False) -> None:
        """Keep the rows that replicas have logged, as of the last look, and look how good the answers are. It may take
        long: files are made meanwhile.

        Parameters
        ----------
        last : whether nobody does so again.
        """
        self._keeper.look(last=last)

    def end(self) -> None:
        """The version is replaced: what was counted of it is a window, however short."""
        with self._looking:
            self._listen()
            if self._watch.open.rows:
                self._over.append(self._watch.open)
            self._write(self._store)
        self.log(last=True)

    def _listen(self) -> None:
        """Count what was heard. That some replica couldn't count is over when all can again."""
        failed, heard = "", False
        while self._heard:
            told, heard = self._heard.popleft(), True
            counts, logged = told.parts if told.rows else (told.body, b"")
            self._keeper.hear(logged)
            try:
                if told.code == 200:
                    self._add(read_record(Window, counts, "replica's count"))
                else:
                    failed = failed or counts.decode(errors="replace")
            except (Unreadable, ValueError) as fault:
                failed = failed or str(fault)
        if heard:
            what = f"What {self._name} is asked isn't counted"
            failure = Problem(what=what, why=failed[:500], todo="See its log.") if failed else None
            self._watch.problem, self._changed = self._lacking or failure, True

    def _add(self, counted: Window) -> None:
        if not counted.rows:
            return
        now, seen = time.time(), self._watch.open
        begun = min(seen.since, now)  # the clock may have been set back
        moment = Window(version=self._watch.version, digest=self.digest, since=begun, until=now)
        self._watch.open = moment.plus(counted.model_copy(update={"since": begun, "until": now})).plus(
            seen.model_copy(update={"since": begun, "until": now})
        )

    def _compare(self, baseline: Baseline) -> None:
        if self._is_over():
            self._end_window(baseline)
        open_, last = self._watch.open, self._watch.last
        both = open_ if last is None else last.plus(open_)
        self._watch.features = drifts(baseline, both) if both.rows else []

    def _is_over(self) -> bool:
        seen = self._watch.open
        age = seen.until - seen.since
        return seen.rows > 0 and age >= self._watch.period and (seen.rows >= self._watch.enough or age >= _LONGEST)

    def _end_window(self, baseline: Baseline) -> None:
        window, before = self._watch.open, self._alarm
        self._over.append(window)
        self._watch.alerts = after_window(self._watch.alerts, drifts(baseline, window), window.until)
        self._watch.last = window
        self._watch.open = Window(version=window.version, digest=window.digest, since=window.until, until=window.until)
        self._alarm = after = alarm_of(self._name, self._watch.alerts)
        if after != before:
            self._say(after.words if after is not None else "what it is asked is as it was again")

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

    def _store(self) -> None:
        """Write the windows that are over."""
        while self._over:
            self._folder.add_window(self._over[0])
            self._over.popleft()

    def _keep(self) -> None:
        """Write what there is."""
        self._store()
        if self._changed:
            self._folder.write_watch(self._watch)
            self._changed = False

    def _write(self, act: Callable[[], None]) -> None:
        """A disk that refuses doesn't end a service: what it refuses is tried again."""
        try:
            act()
            self._unwritten = ""
        except MlopsError as error:
            words = f"what was counted can't be written: {error}"
            if words != self._unwritten:
                self._say(words)
            self._unwritten = words


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
