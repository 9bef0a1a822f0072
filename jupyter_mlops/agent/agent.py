"""The agent of a worker: loads what a run sent, runs it, reports, and stops it when the scheduler says so."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import cloudpickle

from . import sources, streams
from .cells import figures, pack_names, pack_value, run_cell
from .code import Code
from .failures import Record, record
from .items import ItemBatch
from .outcomes import SmallResults, persist, written
from .packages import platform_of
from .reports import OPERATION, Reporter
from .tasks import TASKS, RunStopped, Task, sleep, stop_all
from .versions import versions_of

#: Our own frames start with this file name.
OURS = "<jupyter-mlops"

#: Runs whose code is kept loaded.
LOADED = 16


class Agent:
    """One per Dask worker."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        self._lock = threading.Lock()
        self._codes: OrderedDict[str, Code] = OrderedDict()
        self._reporters: OrderedDict[str, Reporter] = OrderedDict()
        self._stopped: OrderedDict[str, None] = OrderedDict()
        self._small = SmallResults()

    def install(self) -> None:
        """Take over the streams of this process and listen to the scheduler."""
        streams.install()
        sources.install()
        time.sleep = sleep  # type: ignore[assignment]  # so that a stopped run doesn't sleep on
        if os.environ.get("MPLBACKEND", "module:").startswith("module:"):
            os.environ["MPLBACKEND"] = "Agg"  # a notebook's inline backend can't work here
        self._worker.stream_handlers["mlops-stop"] = self.stop
        self._worker.stream_handlers["mlops-exit"] = self.exit
        self._worker.handlers |= {"mlops_versions": _versions, "mlops_platform": platform_of}

    def run(self, code: bytes, batch: bytes, bigs: tuple[Any, ...]) -> Any:
        """One task: `code` is what its run shares, `batch` its own part. Returns plain data."""
        head, part = pickle.loads(code), pickle.loads(batch)  # noqa: S301 - plain data of ours
        run, key = head["run"], f"mlrun-{head['run']}-{part['index']}"
        reporter = self._reporter(run)
        if run in self._stopped:
            return {"stopped": True}
        known = written(Path(head["folder"]), part["index"]) if head["folder"] else None
        if known is not None:
            _report_end(reporter, key, known)
            return known
        task = Task(run, key, reporter)
        TASKS.add(task)
        reporter.send("start", key=key)
        if head.get("note") and part["index"] == 0:
            reporter.print("stderr", head["note"] + "\n")
        if head["secede"]:
            _secede()
        began = time.perf_counter()
        try:
            outcome = task.guard(lambda: self._work(task, head, part, bigs))
            if head["folder"] and "stopped" not in outcome:
                outcome = persist(outcome, Path(head["folder"]), part["index"])
            elif head.get("small") and "stopped" not in outcome:
                self._small.send(reporter, run, part["index"], outcome, head["small"])
        except RunStopped:
            outcome = {"stopped": True}
        finally:
            TASKS.discard(task)
        _report_end(reporter, key, outcome)
        outcome["seconds"] = time.perf_counter() - began
        return outcome

    def _work(self, task: Task, head: dict[str, Any], part: dict[str, Any], bigs: tuple[Any, ...]) -> dict[str, Any]:
        try:
            items = None
            if part.get("partition"):
                items, bigs = [bigs[0]], bigs[1:]
            elif "items" in part:
                items = pickle.loads(part["items"])  # noqa: S301 - the user's own
            code = self._code(head, bigs)
        except Exception as error:  # noqa: BLE001 - a module that is missing here, a class that changed, …
            failure = {**record(error, OURS), "index": part.get("start", 0), "item": "", "loading": True}
            return {"n": part.get("n", 1), "errors": [failure], "values": None, "broken": True}
        if head["kind"] == "cell":
            return self._cell(head, code)
        if head["kind"] == "function":
            return self._function(head, code)
        return self._map(task, head, part, code, items)

    def _map(self, task: Task, head: dict[str, Any], part: dict[str, Any], code: Code, items: Any) -> dict[str, Any]:
        if not isinstance(items, (list, range)) and not hasattr(items, "dtype"):
            items = list(items)
        if hasattr(items, "iloc"):
            items = list(items)
        batch = ItemBatch(code.function, items, part["start"], head["retries"], OURS)

        def report(done: int, failed: int) -> None:
            task.reporter.send("progress", key=task.key, done=done, failed=failed)

        batch.run(part.get("budget"), head["on_error"] == "raise", report)
        outcome = {"n": len(batch.results), "start": part["start"], "errors": batch.errors}
        if head["keep"]:
            return {**outcome, "kept": batch.results}
        return {**outcome, "values": self._pack_results(batch)}

    def _pack_results(self, batch: ItemBatch) -> bytes:
        try:
            return bytes(cloudpickle.dumps(batch.results, protocol=5))
        except Exception:  # noqa: BLE001 - some result can't travel: it becomes its item's error
            batch.drop_unpicklable()
            return bytes(cloudpickle.dumps(batch.results, protocol=5))

    def _cell(self, head: dict[str, Any], code: Code) -> dict[str, Any]:
        for left in range(head["retries"], -1, -1):
            try:
                space, value, has_value = run_cell(head["code"], head["filename"], code.load())
                break
            except Exception as error:  # noqa: BLE001 - the user's code may raise anything
                if not left:
                    return {"errors": [{**record(error, OURS), "index": 0, "item": ""}]}
        images = figures()
        if head["keep"]:
            return {"kept": {name: space[name] for name in head["names"] if name in space}, "has_value": False}
        names, refused = pack_names(space, head["names"])
        packed, bundle = pack_value(value) if has_value else (None, {})
        return {
            "names": names,
            "refused": refused,
            "value": packed,
            "bundle": bundle,
            "has_value": has_value,
            "figures": images,
        }

    def _function(self, head: dict[str, Any], code: Code) -> dict[str, Any]:
        for left in range(head["retries"], -1, -1):
            try:
                value = code.load()()
                if head["keep"]:
                    return {"kept": value}
                return {"value": bytes(cloudpickle.dumps(value, protocol=5)), "has_value": True, "figures": figures()}
            except Exception as error:  # noqa: BLE001 - the user's code may raise anything
                if not left:
                    return {"errors": [{**record(error, OURS), "index": 0, "item": ""}]}
        raise AssertionError("unreachable")

    def _code(self, head: dict[str, Any], bigs: tuple[Any, ...]) -> Code:
        with self._lock:
            code = self._codes.get(head["run"])
            if code is None:
                code = self._codes[head["run"]] = Code(head, bigs)
                _forget(self._codes)
            return code

    def _reporter(self, run: str) -> Reporter:
        with self._lock:
            reporter = self._reporters.get(run)
            if reporter is None:
                reporter = self._reporters[run] = Reporter(self._worker, run)
                _forget(self._reporters, 4 * LOADED)
            return reporter

    def stop(self, run: str) -> None:
        """The scheduler says: stop the code of `run`."""
        self._stopped[run] = None
        _forget(self._stopped, 1000)
        reporter = self._reporter(run)
        stop_all(run, lambda left: reporter.send("stopped", left=left))

    def exit(self) -> None:
        """The scheduler says: code doesn't stop, end this process."""
        os._exit(75)


async def _versions(packages: list[str]) -> dict[str, str]:
    """Files are read for it."""
    return await asyncio.to_thread(versions_of, packages)


def _forget(known: OrderedDict[str, Any], most: int = LOADED) -> None:
    while len(known) > most:
        known.popitem(last=False)


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


def _secede() -> None:
    """Give the worker's thread back: the cell waits for other tasks, which may need it."""
    from distributed import secede

    with contextlib.suppress(ValueError, KeyError):  # not in a task's thread (a test)
        secede()


_AGENTS: dict[str, Agent] = {}


def install(worker: Any) -> Agent:
    """The agent of `worker`, at work."""
    agent = _AGENTS[worker.id] = Agent(worker)
    agent.install()
    return agent


def run(code: bytes, batch: bytes, bigs: tuple[Any, ...]) -> Any:
    """What a task calls."""
    from distributed import get_worker

    return _AGENTS[get_worker().id].run(code, batch, bigs)


def log(kind: str, key: str, value: Any, step: int | None = None) -> bool:
    """Tell of a metric or parameter of the task that runs here; False when none does."""
    task = TASKS.current()
    if task is None:
        return False
    task.reporter.send(kind, key=key, value=value, step=step)
    return True


__all__ = ["OPERATION", "install", "log", "run"]
