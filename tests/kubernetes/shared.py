"""What the processes of a test run have in common: one Kubernetes, and whose turn it is to use it."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


def folder_of_the_run(factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this run have."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@contextmanager
def shared(path: Path, make: Callable[[], dict[str, Any]], end: Callable[[dict[str, Any]], None]) -> Iterator[Any]:
    """What `make` describes: the first process that comes makes it, the last that goes ends it. `path` is its file."""
    with path.open("a+") as file:
        with _locked(file):
            users, made = _read(file)
            made = made if users else make()
            _write(file, users + 1, made)
        try:
            yield made
        finally:
            with _locked(file):
                users, made = _read(file)
                _write(file, users - 1, made)
                if users == 1:
                    end(made)


def _read(file: Any) -> tuple[int, dict[str, Any]]:
    file.seek(0)
    users, made = json.loads(file.read() or "[0, {}]")
    return users, made


def _write(file: Any, users: int, made: dict[str, Any]) -> None:
    file.truncate(0)
    file.write(json.dumps([users, made]))
    file.flush()


@contextmanager
def _locked(file: Any) -> Iterator[None]:
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


class Turns:
    """Tests that use something side by side, and tests that need it alone, since they break it.

    One for each process; those of one run have the same file.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("a")
        self._users = 0

    @contextmanager
    def taken(self, alone: bool = False) -> Iterator[None]:
        """Wait until no other process uses it alone, or, `alone`, until none uses it at all. May be nested."""
        if alone or not self._users:
            fcntl.flock(self._file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give back the file."""
        self._file.close()
