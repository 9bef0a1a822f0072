"""The agent of a worker: gives each task of a run a seat, keeps its runners, and stops them when it is told to."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cloudpickle

from . import buffers, processes, sources, surroundings
from .checkpoints import checkpoints_at, of_trial
from .failures import Record
from .forking import NATIVE
from .gang import GangSeat, RankPrints
from .memory import METRICS, MemoryWatch, stopped
from .outcomes import SmallResults, persist, written
from .packages import platform_of
from .reports import OPERATION, Reporter
from .runner import log
from .sampling import UseSampler
from .seat import RunnerHandle, Seat, Stopped, dead
from .spare import Spare
from .spent import Spent
from .use import Use
from .versions import versions_of
from .wire import Message

#: Runs that are remembered.
RUNS = 64

#: Seconds after which code that didn't heed a signal gets the next, which it can less easily ignore.
HEED = 0.8


class Agent:
    """One per Dask worker."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        self._lock = threading.Lock()
        self._runs: OrderedDict[str, RunHere] = OrderedDict()
        self._small = SmallResults()
        self._spare = Spare()
        limit = int(getattr(worker.memory_manager, "memory_limit", 0) or 0)
        self._watch = MemoryWatch(limit, self._at_work, self._seen)
        self._use, self._spent = Use(), Spent(worker)

    def install(self) -> None:
        """Listen to the scheduler, and have a runner ready."""
        sources.install()
        processes.OWN.add(str(self._worker.local_directory))
        self._worker.stream_handlers["mlops-stop"] = self.stop
        self._worker.stream_handlers["mlops-over"] = self.over
        self._worker.stream_handlers["mlops-gang"] = self.order
        self._worker.stream_handlers["mlops-prune"] = self.prune
        self._worker.stream_handlers["mlops-forget"] = self.forget
        self._worker.metrics[METRICS] = self._used
        self._spent.install()
        self._worker.handlers |= {"mlops_versions": _versions, "mlops_platform": platform_of}
        self._worker.handlers["mlops_stacks"] = self.stacks
        self._spare.prepare({})

    def leave(self, seconds: float) -> None:
        """The worker is about to go: gangs may save what they have, and go on without it. Blocks until they have, for
        so many seconds at most."""
        with self._lock:
            seated = [run for run in self._runs.values() if run.leave()]
        deadline = time.monotonic() + seconds
        while any(run.seated for run in seated) and time.monotonic() < deadline:
            time.sleep(0.05)

    def close(self) -> None:
        """End all runners."""
        with self._lock:
            runs, self._runs = list(self._runs.values()), OrderedDict()
        for run in runs:
            run.close()
        self._spare.close()
        self._watch.close()
        self._spent.close()

    def run(self, code: bytes, batch: bytes, bigs: tuple[Any, ...]) -> Any:
        """One task: `code` is what its run shares, `batch` its own part. Returns plain data."""
        head, part = pickle.loads(code), pickle.loads(batch)  # noqa: S301 - plain data of ours
        key = f"mlrun-{head['run']}-{part['index']}"
        run = self._run(head["run"])
        if run.stopped:
            return {"stopped": True}
        known = written(head, part["index"]) if head["folder"] else None
        if known is not None:
            _report_end(run.reporter, key, known)
            return known
        run.reporter.send("start", key=key)
        if head.get("note") and part["index"] == 0:
            run.reporter.print("stderr", head["note"] + "\n")
        began = time.perf_counter()
        outcome = self._execute(run, key, code, head, part, bigs)
        if head["folder"] and "stopped" not in outcome:
            outcome = persist(outcome, head, part["index"], run.reporter)
        elif head.get("small") and "stopped" not in outcome:
            self._small.send(run.reporter, head, part["index"], outcome)
        run.sampler.task_ended()
        _report_end(run.reporter, key, outcome)
        outcome["seconds"] = time.perf_counter() - began
        return outcome

    def _execute(
        self, run: RunHere, key: str, code: bytes, head: dict[str, Any], part: dict[str, Any], bigs: tuple[Any, ...]
    ) -> dict[str, Any]:
        if part.get("partition"):
            part, bigs = {**part, "items": bytes(cloudpickle.dumps([bigs[0]], protocol=5))}, bigs[1:]
        given, bigs = (bigs[0], bigs[1:]) if part.get("given") else (None, bigs)
        if head["keep"]:
            sources.FINDER.bring(head["modules"])  # what is kept is kept here, as objects
        try:
            run.open(code, bigs, head)
            if head.get("gang"):
                folder = str(self._worker.local_directory)
                where = head.get("checkpoints") or {"root": "", "earlier": []}  # of an older kernel
                seat = GangSeat(key, part, run.reporter, run, self._worker.address, folder, where)
                return run.sit(seat, buffers.put(given) if given is not None else -1)
            return Seat(key, head, part, run.reporter, run).sit()
        except OSError as error:  # no process, no memory, no file can be had
            why = f"{type(error).__name__}: the run's code can't be started: {error}"
            return {"n": part.get("n", 1), "errors": [dead(why, "", part.get("start", 0), "")], "broken": True}

    def _run(self, run_id: str) -> RunHere:
        with self._lock:
            run = self._runs.get(run_id)
            if run is None:
                run = self._runs[run_id] = RunHere(run_id, self._worker, self._spare, self._watch, self._use)
                for old in [known for known, other in self._runs.items() if not other.at_work][:-RUNS]:
                    self._runs.pop(old).close()
            return run

    def _at_work(self) -> list[RunnerHandle]:
        with self._lock:
            return [runner for run in self._runs.values() for runner in run.at_work]

    def _seen(self, own: int, memory: Mapping[RunnerHandle, int]) -> None:
        """What the worker itself uses, and each of the runners at work."""
        with self._lock:
            runs = list(self._runs.values())
        for run in runs:
            mine = [runner for runner in run.at_work if runner in memory]
            if mine:
                shared = max(runner.shared for runner in mine)
                run.sampler.look(own, shared, [(runner.process.pid, memory[runner]) for runner in mine])

    def stop(self, run: str) -> None:
        """The scheduler says: stop the code of `run`."""
        self._run(run).stop()

    def over(self, run: str) -> None:
        """The scheduler says: `run` has ended."""
        with self._lock:
            known = self._runs.get(run)
        if known is not None:
            threading.Thread(target=known.release, name="mlops-release", daemon=True).start()

    def order(self, run: str, **order: Any) -> None:
        """The scheduler says what a gang's seat is to do."""
        self._run(run).obey({"run": run, **order})

    def prune(self, run: str, trial: int) -> None:
        """The scheduler says: a trial of a sweep is to end when it reports next."""
        for runner in self._run(run).at_work:  # the one that executes it heeds it
            runner.send({"prune": trial})

    def forget(self, run: str, root: str, trials: list[int]) -> None:
        """The scheduler says: nobody needs the checkpoints of these trials of a sweep, which are below `root`."""
        forget = self._run(run).forget
        threading.Thread(target=forget, args=(root, trials), name="mlops-forget", daemon=True).start()

    async def stacks(self, run: str) -> list[dict[str, Any]]:
        """Where the code of a run is at this moment, runner by runner."""
        with self._lock:
            here = self._runs.get(run)
        runners = here.at_work if here is not None else []
        texts = await asyncio.gather(*(asyncio.to_thread(runner.stacks) for runner in runners))
        return [
            {"rank": runner.rank, "text": text, "stopped": not text and stopped(runner.process.pid)}
            for runner, text in zip(runners, texts, strict=True)
        ]

    async def _used(self, worker: Any) -> dict[str, Any]:
        """What the runners use, and what the worker's threads have done, for Dask's heartbeats."""
        used = self._use.now(self._at_work())
        return {**used, "spent": self._spent.now(self._use.seconds)}


class RunHere:
    """A run on this worker: its runners, and what all of them share.

    Parameters
    ----------
    run_id : the run's.
    worker : Dask's worker.
    spare : gives processes.
    watch : watches the memory of those at work.
    use : adds up what they use.
    """

    def __init__(self, run_id: str, worker: Any, spare: Spare, watch: MemoryWatch, use: Use) -> None:
        self._worker, self._spare, self._watch, self._use = worker, spare, watch, use
        self.reporter = Reporter(worker, run_id)
        self.sampler = UseSampler(lambda use: self.reporter.send("use", **use))
        self.stopped = False
        #: Whether its code has waited for other tasks of the cluster; its tasks then take turns instead of threads.
        self.delegates = False
        self.turns = threading.Semaphore(max(1, worker.state.nthreads))
        self._lock = threading.Lock()
        self._free: list[RunnerHandle] = []
        #: For what takes long; the other one is for what the worker's event loop asks.
        self._sharing = threading.Lock()
        self._busy: set[RunnerHandle] = set()
        self._gang: GangSeat | None = None
        self._given = -1
        self._code = b""
        self._environ: surroundings.Changes = {}
        self._files: list[int] = []

    @property
    def at_work(self) -> list[RunnerHandle]:
        """Its runners that execute a task now."""
        with self._lock:
            return list(self._busy)

    def open(self, code: bytes, bigs: tuple[Any, ...], head: dict[str, Any]) -> None:
        """Have what its runners need: its head, its big variables where they can be mapped, and the modules that it
        will import."""
        with self._sharing:
            if not self._code:
                self._environ = surroundings.for_imports(head.get("surroundings"))
                if head.get("imports"):
                    processes.learn(head["imports"], self._environ, lambda: not self.stopped)
                self._files = [buffers.opened(big) for big in bigs]
                self._code = code

    def take(self) -> RunnerHandle:
        """A runner of this run, for one task.

        Raises
        ------
        OSError, Stopped
        """
        with self._lock:
            runner = self._free.pop() if self._free else None
        if runner is None:
            runner = RunnerHandle(self._spare.take(self._environ), self.reporter)
            with self._sharing:
                runner.open(_opening(self._worker, self._code), tuple(self._files))
        return self._set_to_work(runner)

    def _set_to_work(self, runner: RunnerHandle) -> RunnerHandle:
        """The same, counted among those at work. Raises `Stopped`."""
        self._use.begin(runner.pid)
        with self._lock:
            self._busy.add(runner)
        if self.stopped:  # whoever stops it may have looked before this one was there
            self.lost(runner)
            raise Stopped
        self._watch.wake()
        return runner

    def take_rank(self, prints: RankPrints, told: dict[str, Any], listener: int) -> RunnerHandle:
        """A new runner for a rank of a gang, which nothing was executed in.

        Parameters
        ----------
        prints : gets what it writes.
        told : what it must know of the gang.
        listener : the open socket at which it meets the others; -1 for none.

        Raises
        ------
        OSError, Stopped
        """
        runner = RunnerHandle(self._spare.take(self._environ), prints)
        own = {"listens": listener >= 0, "given": self._given >= 0}
        opening = {**_opening(self._worker, self._code), "rank": {**told, **own}}
        opening["environ"] = _share(opening["environ"], told["ranks"])
        runner.rank = int(told["variables"]["RANK"])
        given = (self._given,) if self._given >= 0 else ()
        runner.open(opening, (*self._files, *given), listener)
        return self._set_to_work(runner)

    def sit(self, seat: GangSeat, given: int) -> dict[str, Any]:
        """Have the run's gang take part; returns what its seat gives. `given` is a file with what its ranks are given,
        -1 where that is nothing; it is closed."""
        with self._lock:
            self._gang, self._given = seat, given
        try:
            return {"stopped": True} if self.stopped else seat.sit()
        finally:
            with self._lock:
                self._gang, self._given = None, -1
            if given >= 0:
                os.close(given)

    def obey(self, order: dict[str, Any]) -> None:
        """What the gang's seat is to do. One that has left is to do nothing."""
        with self._lock:
            seat = self._gang
        if seat is not None:
            seat.obey(order)

    @property
    def seated(self) -> bool:
        """Whether its gang has a seat here."""
        return self._gang is not None

    def leave(self) -> bool:
        """The worker is about to go; whether a gang of this run has a seat here."""
        with self._lock:
            seat = self._gang
        if seat is not None:
            seat.leave()
        return seat is not None

    def forget(self, root: str, trials: list[int]) -> None:
        """Remove the checkpoints of trials that are over."""
        for trial in trials:
            try:
                checkpoints_at(of_trial(root, trial), str(self._worker.local_directory)).clear()
            except Exception as error:  # noqa: BLE001 - each store has errors of its own
                why = f"{type(error).__name__}: {error}"
                self.reporter.print("stderr", f"[trial {trial}] Its checkpoints can't be removed: {why}\n")

    def give_back(self, runner: RunnerHandle) -> None:
        """The task is over; the runner waits for the next."""
        with self._lock:
            self._busy.discard(runner)
            if not self.stopped:
                self._free.append(runner)
                return
        self._close(runner)

    def lost(self, runner: RunnerHandle) -> None:
        """The runner has ended by itself."""
        with self._lock:
            self._busy.discard(runner)
        if runner.ran_out:
            self.sampler.ran_out()
        self._close(runner)

    def _close(self, runner: RunnerHandle) -> None:
        self._use.end(runner.pid)
        runner.close()

    def release(self) -> None:
        """It needs no runners for now."""
        with self._lock:
            free, self._free = self._free, []
            idle = not self._busy
        for runner in free:
            self._close(runner)
        with self._sharing:
            files = self._files if idle else []
            if idle:
                self._files, self._code = [], b""
        for file in files:
            os.close(file)

    def close(self) -> None:
        """End all of its runners, at once."""
        self.stopped = True
        for runner in self.at_work:
            runner.process.signal(signal.SIGKILL)
        self.release()

    def stop(self) -> None:
        """Stop its code, in the background; code in C, too."""
        self.stopped = True
        threading.Thread(target=self._stop, name="mlops-stop", daemon=True).start()

    def _stop(self) -> None:
        with self._lock:
            seat = self._gang
        if seat is not None:
            seat.stop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            for runner in self.at_work:
                runner.process.signal(number)
            deadline = time.monotonic() + HEED
            while self.at_work and time.monotonic() < deadline:
                time.sleep(0.01)
        self.release()


def _opening(worker: Any, code: bytes) -> Message:
    """What a runner must know of its worker and its run."""
    security = worker.security
    return {
        "code": code,
        "environ": processes.environment(),
        "path": list(sys.path),
        "folder": str(Path.cwd()),
        "worker": {
            "name": str(worker.name),
            "address": worker.address,
            "scheduler": worker.scheduler.address,
            "local_directory": str(worker.local_directory),
            "nthreads": worker.state.nthreads,
            "keys": {
                "ca": security.tls_ca_file,
                "cert": security.tls_client_cert or security.tls_worker_cert,
                "key": security.tls_client_key or security.tls_worker_key,
            },
        },
    }


def _share(environ: dict[str, str], ranks: int) -> dict[str, str]:
    """The threads of native libraries of one of so many ranks of a worker, whose variables are `environ`."""
    known = {name: environ.get(name, "") for name in NATIVE}
    shared = {name: str(max(1, int(threads) // ranks)) for name, threads in known.items() if threads.isdigit()}
    return environ | shared


async def _versions(packages: list[str], machine: str = "", path: Sequence[str] = ()) -> dict[str, str]:
    """The versions that runs of a notebook have which imports from `path` on `machine`. Files are read for it."""
    return await asyncio.to_thread(versions_of, packages, surroundings.paths_of(machine, path))


def _report_end(reporter: Reporter, key: str, outcome: dict[str, Any]) -> None:
    failures = outcome.get("errors", [])
    reporter.send(
        "end",
        key=key,
        done=outcome.get("n", 1),
        failed=len(failures),
        errors=[_summary(failure) for failure in failures[:20]],
    )


def _summary(failure: Record) -> dict[str, Any]:
    return {name: failure[name] for name in ("index", "item", "error", "traceback")}


_AGENTS: dict[str, Agent] = {}


def install(worker: Any, texts: dict[str, str]) -> Agent:
    """The agent of `worker`, at work; `texts` are the modules of this package, for runners."""
    processes.TEXTS.update(texts)
    uninstall(worker)
    agent = _AGENTS[worker.id] = Agent(worker)
    agent.install()
    return agent


def leave(worker: Any, seconds: float) -> None:
    """As `Agent.leave`, of `worker`."""
    agent = _AGENTS.get(worker.id)
    if agent is not None:
        agent.leave(seconds)


def uninstall(worker: Any) -> None:
    """The worker closes."""
    agent = _AGENTS.pop(worker.id, None)
    if agent is not None:  # a template that is just starting would be waited for
        threading.Thread(target=agent.close, name="mlops-close", daemon=True).start()


def run(code: bytes, batch: bytes, bigs: tuple[Any, ...]) -> Any:
    """What a task calls."""
    from distributed import get_worker

    return _AGENTS[get_worker().id].run(code, batch, bigs)


__all__ = ["OPERATION", "install", "leave", "log", "run", "uninstall"]
