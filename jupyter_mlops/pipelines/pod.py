"""The program of a pod that runs a notebook by itself: `start.py pipeline MOUNTED PARTS STATE`.

It does what its user would: starts a cluster by a profile, runs the steps there, and ends the cluster, however that
went. What it knows is what was brought along: the notebook with its files, and who asked for it, by which rules.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from .. import home, places
from ..client.clusters.handle import Cluster
from ..client.clusters.kernel import loop_thread
from ..client.clusters.start import start
from ..core.base import read_record
from ..core.errors import MlopsError, Unreadable
from ..core.schedule import Outcome, ScheduleSpec
from ..core.words import listed, size
from ..home import settings
from ..home.clusters import SPEC
from ..home.parcels import PART, unzip
from ..home.steps import use_seal_key
from ..tracking.target import OFF, VARIABLE
from .cells import read_cells
from .child import FAILED, INTERRUPTED, PipelineProcess
from .graph import graph_of
from .values import MOST_PARTS, kept_steps, packed_steps

#: Characters of what is printed that are held for the record; the pod's own log has all.
_MOST = 1_000_000

#: Characters of a cluster's name that are the notebook's.
_STEM = 20

#: Seconds that the cluster has to end, and between two looks whether it has.
_PATIENCE, _LOOK = 60.0, 0.5

#: Seconds that the steps have to end when they are cancelled: of those that the pod has, some are left for the cluster.
_CANCELLING = 45.0


class Printed:
    """The end of what is printed."""

    def __init__(self) -> None:
        self._lines, self._size = deque[str](), 0
        #: The last line that says something.
        self.last = ""

    def add(self, line: str) -> None:
        """Another line; what is older than `_MOST` characters goes."""
        self.last = line.strip() or self.last
        self._lines.append(line)
        self._size += len(line)
        while self._size - len(self._lines[0]) >= _MOST:
            self._size -= len(self._lines.popleft())

    def __str__(self) -> str:
        return "".join(self._lines)[-_MOST:]


class ScheduledRun:
    """One run of a notebook.

    Parameters
    ----------
    spec : what is wanted.
    notebook : its path here.
    """

    def __init__(self, spec: ScheduleSpec, notebook: Path) -> None:
        self._spec, self._notebook = spec, notebook
        self._printed = Printed()
        #: What its steps made, in parts.
        self.values: list[bytes] = []
        self._process: PipelineProcess | None = None
        self._cancelled = threading.Event()

    def run(self) -> Outcome:
        """Run it; how that went."""
        outcome = Outcome(began=time.time())
        with _on_sigterm(self.cancel):
            if not self._cancelled.wait(self._spec.delay):
                outcome = self._on_a_cluster(outcome)
        code = INTERRUPTED if self._cancelled.is_set() else outcome.code
        return outcome.model_copy(update={"ended": time.time(), "code": code, "said": self._printed.last})

    @property
    def log(self) -> str:
        """What it printed: the end of it, if that was much."""
        return str(self._printed)

    def cancel(self) -> None:
        """Have it end: what runs is cancelled, and the cluster ended."""
        self._cancelled.set()
        if self._process is not None:
            self._process.cancel(_CANCELLING)

    def _on_a_cluster(self, outcome: Outcome) -> Outcome:
        try:
            cluster = self._cluster()
        except MlopsError as error:
            self._put(f"{error}\n")
            return outcome.model_copy(update={"code": FAILED})
        self._put(f"On the cluster {cluster.name}.\n")
        try:
            code = FAILED if self._cancelled.is_set() else self._steps(cluster.id)
        except (MlopsError, OSError) as error:  # that it failed is kept, and why
            self._put(f"{error}\n")
            code = FAILED
        finally:
            self._end(cluster)
        return outcome.model_copy(update={"code": code, "cluster": cluster.id})

    def _cluster(self) -> Cluster:
        """A cluster of its own, which it need not wait for: its steps do, and say why it doesn't come."""
        spec = self._spec
        stem = "".join(each if each.isalnum() and each.isascii() else "-" for each in self._notebook.stem.lower())
        stem = stem.strip("-")[:_STEM].rstrip("-")
        name = places.get(spec.asked.place).free_name(stem if stem[:1].isalpha() else f"nb-{stem}".rstrip("-"))
        return Cluster(loop_thread().call(start(spec.asked, name, packages=spec.packages)).id)

    def _steps(self, cluster: str) -> int:
        self._process = PipelineProcess(self._notebook, cluster=cluster)
        if self._cancelled.is_set():  # it came between
            self._process.cancel(_CANCELLING)
        for line in self._process.lines():
            self._put(line)
        code = self._process.ended()
        steps = [each.name for each in graph_of(read_cells(self._notebook)).steps]
        self.values, left = packed_steps(kept_steps(str(self._notebook), steps))
        if left:
            told = f"What {listed(left)} made isn't kept: that is for {size(MOST_PARTS * PART)}."
            sys.stdout.write(f"{told} Have it written elsewhere.\n")
        return code

    def _end(self, cluster: Cluster) -> None:
        """End the cluster, and wait for it: without this pod nobody may be left with the right to."""
        try:
            cluster.stop()
            deadline = time.monotonic() + _PATIENCE
            while cluster.state().phase != "ended" and time.monotonic() < deadline:
                time.sleep(_LOOK)
        except MlopsError as error:  # it ends by itself when it is idle
            sys.stdout.write(f"The cluster {cluster.name} couldn't be ended: {error}\n")

    def _put(self, line: str) -> None:
        self._printed.add(line)
        sys.stdout.write(line)
        sys.stdout.flush()


def settle(mounted: Path, parts: Path, state: Path) -> tuple[ScheduleSpec, Path]:
    """What is wanted, and where the notebook is, of what is mounted; this process's home is as its user's is, in what
    clusters are started by.

    Raises
    ------
    Unreadable : what was brought is damaged.
    StorageFull, Refused
    """
    spec = read_record(ScheduleSpec, (mounted / SPEC).read_bytes(), "schedule")
    work = home.private(state / "notebook")
    try:
        unzip((path.read_bytes() for path in sorted(parts.glob("part-*"))), work)
    except ValueError as error:
        raise Unreadable(f"{spec.notebook} didn't arrive whole", str(error), "Schedule it again.") from error
    settings.save(spec.settings)
    if spec.key:
        use_seal_key(bytes.fromhex(spec.key))
    config = [home.private(state / "config" / str(number) / "jupyter-mlops") for number in range(len(spec.rules) + 1)]
    for folder, each in zip(config, spec.rules, strict=False):
        home.write(folder / "rules.json", each.model_dump_json())
    if spec.asked.source == "admin":  # a rule may want those only
        home.write(
            home.private(config[-1] / "profiles") / f"{spec.asked.name}.json",
            spec.asked.model_dump_json(exclude={"source"}),
        )
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(str(folder.parent) for folder in config)
    return spec, work / spec.notebook


@contextlib.contextmanager
def _on_sigterm(cancel: Callable[[], None]) -> Iterator[None]:
    def told(number: int, frame: FrameType | None) -> None:
        threading.Thread(target=cancel, name="cancel").start()  # it may wait for whom it interrupts

    before = signal.signal(signal.SIGTERM, told)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def main(mounted: Path, parts: Path, state: Path) -> int:
    """Run it, and keep how it went; the exit code."""
    root = str(Path(__file__).resolve().parents[2])  # the process of the steps must find the package, too
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    os.environ.setdefault(VARIABLE, OFF)  # a file here would go with the pod
    try:
        spec, notebook = settle(mounted, parts, state)
    except MlopsError as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    run = ScheduledRun(spec, notebook)
    outcome = run.run()
    scheduling = places.get(spec.asked.place).scheduling()
    try:
        if scheduling is not None:
            loop_thread().call(scheduling.keep(spec, outcome, run.log, run.values))
    except MlopsError as error:  # its Job says whether it failed, and its pod's log why
        sys.stderr.write(f"How it went can't be kept: {error}\n")
    return FAILED if outcome.code is None else outcome.code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])))
