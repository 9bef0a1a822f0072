"""The tasks that run now, and how their code is stopped."""

from __future__ import annotations

import contextvars
import ctypes
import threading
import time
from collections.abc import Callable
from typing import Any

from .reports import Reporter

#: Seconds between two attempts to stop code that caught the first.
AGAIN = 0.25

#: Seconds after which code that didn't stop is given up: it sits in C code, and only its process can be ended.
PATIENCE = 5.0


class RunStopped(BaseException):
    """Raised inside the user's code to stop it. Not an `Exception`, so that `except Exception` lets it through."""


class Task:
    """One task of a run, in one thread."""

    def __init__(self, run: str, key: str, reporter: Reporter) -> None:
        self.run, self.key, self.reporter = run, key, reporter
        self.stopped = threading.Event()
        self._lock = threading.Lock()
        self._thread: int | None = None

    def guard(self, code: Callable[[], Any]) -> Any:
        """Run `code` so that `stop` can end it. Raises `RunStopped` when it did."""
        token = _current.set(self)
        try:
            with self._lock:
                if self.stopped.is_set():
                    raise RunStopped
                self._thread = threading.get_ident()
            return code()
        finally:
            self._leave()
            _current.reset(token)

    def stop(self) -> None:
        """Raise `RunStopped` in the thread that runs the code; a no-op once it has left."""
        self.stopped.set()
        with self._lock:
            if self._thread is not None:
                _raise_in(self._thread, RunStopped)

    def _leave(self) -> None:
        while True:  # a stop may arrive in the middle of this
            try:
                with self._lock:
                    thread, self._thread = self._thread, None
                    if thread is not None:
                        _raise_in(thread, None)
                return
            except RunStopped:
                continue


_current: contextvars.ContextVar[Task | None] = contextvars.ContextVar("jupyter_mlops_task", default=None)


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    what = ctypes.py_object(error) if error is not None else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), what)


class RunningTasks:
    """All tasks of this process that run now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._live: set[Task] = set()

    def add(self, task: Task) -> None:
        """A task begins."""
        with self._lock:
            self._live.add(task)

    def discard(self, task: Task) -> None:
        """A task is over."""
        with self._lock:
            self._live.discard(task)

    def of(self, run: str) -> list[Task]:
        """The tasks of `run` that run now."""
        with self._lock:
            return [task for task in self._live if task.run == run]

    def current(self) -> Task | None:
        """The task whose code calls this. In a thread that user code started: the only one there is, if so."""
        task = _current.get()
        if task is not None or threading.current_thread() is threading.main_thread():
            return task
        with self._lock:
            runs = {task.run for task in self._live}
            return next(iter(self._live)) if len(runs) == 1 and _is_users_thread() else None


def _is_users_thread() -> bool:
    """Dask's own threads log, and what they log isn't the run's."""
    name = threading.current_thread().name
    return not name.startswith(("Dask", "IO loop", "Profile", "AsyncProcess", "TCP-Executor", "asyncio", "ThreadPool"))


TASKS = RunningTasks()


def stop_all(run: str, report: Callable[[int], None]) -> None:
    """Stop the code of `run`, in the background; `report` gets how many tasks didn't stop within `PATIENCE`."""

    def attempt() -> None:
        deadline = time.monotonic() + PATIENCE
        while (live := TASKS.of(run)) and time.monotonic() < deadline:
            for task in live:
                task.stop()
            real_sleep(0.02 if time.monotonic() > deadline - PATIENCE + 0.2 else 0.005)
            for _ in range(int(AGAIN / 0.02)):
                if not TASKS.of(run):
                    break
                real_sleep(0.02)
        report(len(TASKS.of(run)))

    threading.Thread(target=attempt, name="mlops-stop", daemon=True).start()


real_sleep = getattr(time.sleep, "real", time.sleep)


def sleep(seconds: float, /) -> None:
    """`time.sleep`, but in a run's task it ends when the run is stopped."""
    task = _current.get()
    if task is None or seconds < 0.05:
        real_sleep(seconds)
    elif task.stopped.wait(seconds):
        raise RunStopped


sleep.real = real_sleep  # type: ignore[attr-defined]  # so that a second installation finds the first
