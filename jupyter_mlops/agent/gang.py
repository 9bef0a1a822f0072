"""A worker's part in a gang: processes that execute the same code at the same time, and talk to each other.

A gang has a seat on each of its workers: a Dask task that starts the ranks there, tells the scheduler how they do, and
does what it says. The seat outlives its ranks: when one of them ends too early the scheduler has all of them ended, and
begins another attempt or ends the run.
"""

from __future__ import annotations

import os
import queue
import re
import shutil
import signal
import socket
import tempfile
import threading
import time
from typing import Any, Protocol
from urllib.parse import urlsplit

from . import surroundings
from .checkpoints import Manifest, checkpoints_at, of_trial
from .gpus import Gpus
from .leaving import LeaveNotice
from .points import Column
from .reports import Reporter
from .seat import Died, Displayed, Outcome, RunnerHandle, Stopped, dead
from .steps import StepsIn
from .use import OwnUse

#: What a rank raises that has only lost the others: it is not shown as the cause.
LOST_OTHERS = re.compile(
    r"Connection (closed|reset) by peer|Connection refused|Broken pipe|[Tt]imed? ?out|DistNetworkError|DistBackendError"
    r"|DistStoreError|NCCL error|connectFullMesh"
)

#: What a rank raises whose port somebody else has taken meanwhile: of PyTorch, JAX, LightGBM and Python.
PORT_TAKEN = re.compile(r"[Aa]ddress already in use|EADDRINUSE|Binding port \d+ failed")

#: Characters that are gathered of a line that isn't ended.
LINE = 10_000

#: Seconds between two looks at how far the ranks are.
LOOK = 1.0


class RankSource(Protocol):
    """A run on this worker, as its gang's seat knows it."""

    stopped: bool

    def take_rank(self, prints: RankPrints, told: dict[str, Any], listener: int) -> RunnerHandle:
        """A new runner for a rank. Raises `OSError`, `Stopped`."""

    def lost(self, runner: RunnerHandle) -> None:
        """The runner has ended, or is to."""


class GangSeat:
    """The ranks of a gang on one worker.

    Parameters
    ----------
    key : the task's, in Dask.
    part : what the task doesn't share with others.
    reporter : tells the scheduler.
    run : the run on this worker.
    address : the worker's, in Dask.
    folder : of the worker, for files.
    places : of checkpoints: `root`, where the run's are, empty where there is none; and `earlier`, those of runs that
        it goes on from; and whether the gang is `elastic`.
    """

    def __init__(
        self,
        key: str,
        part: dict[str, Any],
        reporter: Reporter,
        run: RankSource,
        address: str,
        folder: str,
        places: dict[str, Any],
    ) -> None:
        self._key, self._part, self._reporter, self._run = key, part, reporter, run
        #: Of a sweep: the trial that this gang is. Which of its seats this is.
        self._trial: int | None = part.get("trial")
        self._number: int = part.get("seat", part["index"])
        self._places = places if self._trial is None else _of_trial(places, self._trial)
        self._host = urlsplit(address).hostname or "127.0.0.1"
        self._folder = folder
        self._events: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._ranks: dict[int, RunnerHandle] = {}
        self._uses: dict[int, OwnUse] = {}
        self._gpus: Gpus | None = None
        self._outcomes: dict[int, Outcome] = {}
        self._displays = Displayed()
        self._listener: socket.socket | None = None
        self._notice: LeaveNotice | None = None
        self._steps: StepsIn | None = None
        #: The first of the ranks here.
        self._first = 0
        self._breaking = False

    def obey(self, order: dict[str, Any]) -> None:
        """The scheduler says what is to be done. Any thread may call this."""
        self._events.put(("order", order))

    def leave(self) -> None:
        """The worker is about to go: the gang shall go on without it. Any thread may call this."""
        self._events.put(("leave", None))

    def stop(self) -> None:
        """The run is over: its ranks are being ended. Any thread may call this."""
        self._events.put(("stop", None))

    def sit(self) -> Outcome:
        """Take part until the scheduler says that it is over; what the ranks gave, as plain data."""
        own = tempfile.mkdtemp(prefix="gang-", dir=self._folder)
        try:
            self._ready("seated", own)
            look = time.monotonic()
            while True:
                try:
                    kind, what = self._events.get(timeout=max(0.0, look - time.monotonic()))
                except queue.Empty:
                    self._tell_steps()
                    look = time.monotonic() + LOOK
                    continue
                if kind == "order" and what["do"] == "finish":
                    return self._finish(what["blame"], what["seats"])
                if kind == "order" and what["do"] == "leave":
                    raise _elsewhere()
                self._take_in(kind, what, own)
                if self._run.stopped and not self._ranks:
                    return {"stopped": True}
        finally:
            self._close_listener()
            shutil.rmtree(own, ignore_errors=True)

    def _tell_steps(self) -> None:
        """Tell how far the ranks are, and what each uses."""
        uses = self._look_at_uses()
        news = self._steps.news() if self._steps is not None and self._ranks else None
        told = enumerate(news or (), self._first)
        ranks = [{**each, **uses[rank], "rank": rank} for rank, each in told if rank in uses]
        if ranks:
            self._tell("steps", ranks=ranks)

    def _look_at_uses(self) -> dict[int, dict[str, float]]:
        """What each of the ranks uses: CPUs, memory, GPUs."""
        if not self._ranks:
            return {}
        self._gpus = self._gpus or Gpus()
        here = sorted(self._ranks.items())
        gpus = self._gpus.used([runner.pid for _, runner in here])
        return {
            rank: {**self._uses[rank].look(), **gpus.get(runner.pid, {}), "memory": runner.shared + runner.memory}
            for rank, runner in here
        }

    def _take_in(self, kind: str, what: Any, own: str) -> None:
        if kind == "order" and what["do"] == "start":
            self._start(what, own)
        elif kind == "order" and what["do"] == "keep":
            self._keep(Manifest(**what["manifest"], run=what["run"], time=time.time()))
        elif kind == "order" and what["do"] == "notice" and self._notice is not None:
            self._tell("noticed", asked=self._notice.give())
        elif kind == "order" and what["do"] == "agree" and self._notice is not None:
            self._notice.agree(what["last"])
        elif kind == "order" and what["do"] == "break":
            self._breaking = True
            for runner in self._ranks.values():
                runner.process.signal(signal.SIGKILL)
        elif kind == "ended":
            self._ended(*what)
        elif kind == "leave":
            self._tell("leaves")
        if self._breaking and not self._ranks:
            self._breaking = False
            self._ready("broken", own)

    def _ready(self, state: str, own: str) -> None:
        """Tell that ranks may be started here, and what others must know of this seat."""
        self._close_listener()
        self._outcomes, self._displays = {}, Displayed()
        self._listener = socket.create_server((self._host, 0))
        port = self._listener.getsockname()[1]
        machine = f"{surroundings.machine()} {os.getuid()}"
        place = {"machine": machine, "host": self._host, "port": port, "jax_port": self._free_port(), "folder": own}
        self._tell(state, **place, **self._to_resume())

    def _free_port(self) -> int:
        """A port for JAX, which opens it itself: by then somebody may have taken it."""
        with socket.create_server((self._host, 0)) as server:
            return int(server.getsockname()[1])

    def _to_resume(self) -> dict[str, Any]:
        """What the ranks go on from: the run's newest checkpoint, or that of an earlier run. Rank 0's seat decides it,
        which is the first one where the gang is not elastic."""
        if self._number and not self._places.get("elastic"):
            return {}
        for root in filter(None, (self._places["root"], *self._places["earlier"])):
            try:
                newest = checkpoints_at(root, self._folder).newest()
            except Exception as error:  # noqa: BLE001 - each store has errors of its own
                return {"fault": f"the checkpoints in {root} can't be read: {type(error).__name__}: {error}"}
            if newest is not None:
                known = {"root": root, "manifest": newest.to_json(), "step": newest.step, "time": newest.time}
                return {"resume": {**known, "ours": root == self._places["root"]}}
        return {}

    def _keep(self, manifest: Manifest) -> None:
        """All ranks have written a checkpoint: complete it."""
        place = checkpoints_at(self._places["root"], self._folder)
        try:
            place.complete(manifest)
        except Exception as error:  # noqa: BLE001 - as above
            self._tell("not kept", step=manifest.step, error=f"{type(error).__name__}: {error}")
            return
        self._tell("kept", step=manifest.step, best=manifest.best, size=sum(manifest.files.values()))
        try:
            place.prune()
        except Exception as error:  # noqa: BLE001 - as above; the next one tries again
            self._reporter.print("stderr", f"[gang] Old checkpoints can't be removed: {error}\n")

    def _start(self, order: dict[str, Any], own: str) -> None:
        if order["file"]:  # nobody connects from elsewhere
            self._close_listener()
        notice = f"{own}/notice-{order['attempt']}"
        self._notice = LeaveNotice(notice, order["ranks"])
        steps = f"{own}/steps-{order['attempt']}"
        self._steps, self._first = StepsIn(steps, order["ranks"]), order["first"]
        kept = {"root": self._places["root"], "attempt": order["attempt"], "resume": order["resume"]}
        for local in range(order["ranks"]):
            rank = order["first"] + local
            listener = self._listener.fileno() if self._listener is not None and rank == 0 else -1
            whose = [] if self._trial is None else [f"trial {self._trial}"]
            whose += [f"rank {rank}"] if order["world"] > 1 else []
            prefix = f"[{' '.join(whose)}] " if whose else ""
            prints = RankPrints(self._reporter, prefix, rank, order["attempt"])
            try:
                told = {**_told(order, rank, local), "checkpoints": {**kept, "local": own}, "notice": [notice, local]}
                told |= {"ranks": order["ranks"], "steps": [steps, local]}
                runner = self._run.take_rank(prints, told, listener)
            except (OSError, Stopped) as error:
                self._failed(rank, dead(f"{type(error).__name__}: rank {rank} can't be started: {error}", "", rank, ""))
                return
            self._ranks[rank], self._uses[rank] = runner, OwnUse(runner.pid)
            runner.send({**self._part, "rank": rank})
            threading.Thread(target=self._listen, args=(rank, runner, prints), daemon=True).start()

    def _listen(self, rank: int, runner: RunnerHandle, prints: RankPrints) -> None:
        """Take in what a rank tells, until its end."""
        outcome: Outcome | None = None
        try:
            while outcome is None:
                message = runner.hear()
                kind = message.pop("kind")
                if kind == "end":
                    runner.process.learn(message.pop("modules"))
                    outcome = message
                elif kind == "param":
                    self._reporter.send(kind, **message)
                elif kind == "report":
                    self._reporter.send(kind, key=self._key, **message)
                elif kind == "checkpoint":
                    self._tell("written", rank=rank, **message)
                elif kind == "display" and rank == 0:
                    self._displays.add(message)
        except Died:
            error, last = runner.why()
            outcome = {"errors": [dead(error, last, rank, "")], "died": True}
        prints.end()
        self._events.put(("ended", (rank, runner, outcome)))

    def _ended(self, rank: int, runner: RunnerHandle, outcome: Outcome) -> None:
        if self._ranks.get(rank) is runner:
            del self._ranks[rank]
        self._run.lost(runner)
        if self._breaking or self._run.stopped:
            return
        if outcome.get("errors"):
            self._failed(rank, outcome["errors"][0], died=outcome.get("died", False))
        else:
            self._outcomes[rank] = outcome
            how = {"early": outcome.pop("early", False), "pruned": outcome.pop("pruned", False)}
            self._tell("rank", rank=rank, done=True, **how)

    def _failed(self, rank: int, failure: dict[str, Any], died: bool = False) -> None:
        failure = {**failure, "index": rank if self._trial is None else self._trial, "item": f"rank {rank}"}
        self._outcomes[rank] = {"errors": [failure]}
        error = failure["error"]
        cause = "port taken" if PORT_TAKEN.search(error) else "lost others" if LOST_OTHERS.search(error) else "raised"
        cause = "died" if died else cause
        self._tell("rank", rank=rank, done=False, cause=cause, error=failure["error"])

    def _finish(self, blame: int | None, seats: int) -> Outcome:
        """End what still runs; of how many seats this is one, what rank 0 gave, if it was here, what each rank gave,
        and the error to blame."""
        for runner in self._ranks.values():
            runner.process.signal(signal.SIGKILL)
            self._run.lost(runner)
        found = {rank: given for rank, given in self._outcomes.items() if not given.get("errors")}
        errors = self._outcomes.get(-1 if blame is None else blame, {}).get("errors", [])
        count = len(self._outcomes) if self._trial is None else int(bool(errors) or (blame is None and 0 in found))
        outcome = {**found.get(0, {}), "n": count, "errors": errors, "displays": self._displays.kept}
        return {
            **outcome,
            "seats": seats,
            "leads": 0 in self._outcomes,
            "ranks": {rank: each for rank, each in found.items() if rank},
        }

    def _tell(self, state: str, **what: Any) -> None:
        self._reporter.send("seat", key=self._key, state=state, **what)

    def _close_listener(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None


class RankPrints:
    """What a rank prints: it goes to the run line by line, so that the lines of two ranks don't mix. And what it logs.

    Parameters
    ----------
    reporter : the run's.
    prefix : stands before each line.
    rank, attempt : the rank's number, and the gang's attempt, from 1 on.
    """

    def __init__(self, reporter: Reporter, prefix: str, rank: int, attempt: int) -> None:
        self._reporter, self._prefix = reporter, prefix
        self._rank, self._attempt = rank, attempt
        self._begun = {"stdout": "", "stderr": ""}

    def print(self, stream: str, text: str) -> None:
        """Something was written to `stdout` or `stderr`."""
        lines = (self._begun[stream] + text).splitlines(keepends=True)
        self._begun[stream] = ""
        if lines and not lines[-1].endswith("\n") and len(lines[-1]) < LINE:
            self._begun[stream] = lines.pop()
        if lines:
            self._reporter.print(stream, "".join(f"{self._prefix}{line}" for line in lines))

    def points(self, columns: dict[str, Column], left_out: int, trial: int | None, begins: bool) -> None:
        """Metrics were logged. A gang that is a trial counts its attempts itself."""
        self._reporter.points(columns, left_out, trial, False, self._rank, self._attempt)

    def end(self) -> None:
        """Nothing more comes."""
        for stream, text in self._begun.items():
            if text:
                self._reporter.print(stream, f"{self._prefix}{text}\n")


def _of_trial(places: dict[str, Any], trial: int) -> dict[str, Any]:
    """Where the checkpoints of a trial are, and those that an earlier run of the sweep has left of it."""
    root, earlier = places["root"], places["earlier"]
    own = {"root": of_trial(root, trial) if root else "", "earlier": [of_trial(each, trial) for each in earlier]}
    return {**places, **own}


def _elsewhere() -> Exception:
    """Raised in a task, it has Dask give the task to another worker."""
    from distributed import Reschedule

    return Reschedule()


def _told(order: dict[str, Any], rank: int, local: int) -> dict[str, Any]:
    """What a rank must know of the gang: the variables of `torchrun`, and those that JAX and gloo read."""
    host, port = "127.0.0.1" if order["file"] else order["host"], order["port"]
    variables = {
        "RANK": rank,
        "WORLD_SIZE": order["world"],
        "LOCAL_RANK": order["local"] + local,
        "LOCAL_WORLD_SIZE": order["local_world"],
        "GROUP_RANK": order["group_rank"],
        "GROUP_WORLD_SIZE": order["groups"],
        "ROLE_RANK": rank,
        "ROLE_WORLD_SIZE": order["world"],
        "MASTER_ADDR": host,
        "MASTER_PORT": port,
        "TORCHELASTIC_RUN_ID": order["run"],
        "TORCHELASTIC_RESTART_COUNT": order["attempt"] - 1,
        "TORCHELASTIC_MAX_RESTARTS": order["restarts"],
        "JAX_COORDINATOR_ADDRESS": f"{host}:{order['jax_port']}",
        "JAX_NUM_PROCESSES": order["world"],
        "JAX_PROCESS_ID": rank,
    }
    loopback = {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"} if order["file"] else {}
    return {
        "variables": {name: str(value) for name, value in variables.items()},
        "defaults": loopback,
        "meeting": {"rank": rank, "world": order["world"], "file": order["file"], "host": host, "port": port},
    }
