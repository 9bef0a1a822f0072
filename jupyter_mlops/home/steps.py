"""What is kept of the steps of notebooks: a folder per notebook, in it one per step, in that one per state it had."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import re
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import home

if TYPE_CHECKING:
    from ..core.step import StepRecord

#: The record of values that are kept, that of what became of the step last, and the values.
KEPT, LAST, VALUES = "kept.json", "last.json", "values.bin"

#: The folder with one per notebook that has steps.
PIPELINES = "pipelines"

#: States whose values are kept of a step: going back to what one had before costs nothing.
STATES = 3

_KEY = re.compile(r"[0-9a-f]{24}")
_UNUSUAL = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True)
class StepFolder:
    """The folder of a step."""

    path: Path

    def last(self) -> StepRecord | None:
        """What became of it last; None where nothing is known."""
        return _read(self.path / LAST)

    def kept(self, key: str) -> StepRecord | None:
        """The record of what is kept of the state with this key; None where nothing is."""
        return _read(self.path / key / KEPT)

    def values(self, key: str) -> bytes:
        """The values of that state; raises `OSError`."""
        return (self.path / key / VALUES).read_bytes()

    def note(self, record: StepRecord) -> None:
        """Note what became of it; raises `StorageFull`, `Refused`."""
        self._make()
        home.write(self.path / LAST, record.model_dump_json(indent=1))

    def keep(self, record: StepRecord, values: bytes) -> None:
        """Keep the values of a state: the record comes last, so that what is there is whole. Raises as `note`."""
        self._make()
        folder = home.private(self.path / record.key)
        with home.guarded(folder):
            (folder / KEPT).unlink(missing_ok=True)
        try:
            home.write(folder / VALUES, values)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        home.write(folder / KEPT, record.model_dump_json(indent=1))
        self._tidy()

    def _make(self) -> None:
        for folder in (self.path.parent.parent, self.path.parent, self.path):
            home.private(folder)

    def _tidy(self) -> None:
        """Remove the states but for the newest."""
        with contextlib.suppress(OSError):
            states = [path for path in self.path.iterdir() if _KEY.fullmatch(path.name)]
            for old in sorted(states, key=lambda path: path.stat().st_mtime)[:-STATES]:
                shutil.rmtree(old, ignore_errors=True)


def pipelines_dir() -> Path:
    """The folder with a folder per notebook that has steps."""
    return home.private(home.home() / PIPELINES)


def pipeline_folder(notebook: str) -> Path:
    """The folder of a notebook, which may not be there.

    Parameters
    ----------
    notebook : its path.
    """
    stem = _UNUSUAL.sub("-", Path(notebook).stem)[:40]
    return pipelines_dir() / f"{stem}-{hashlib.sha256(notebook.encode()).hexdigest()[:12]}"


def step_folder(notebook: str, step: str) -> StepFolder:
    """The folder of a step of a notebook, which may not be there."""
    return StepFolder(pipeline_folder(notebook) / "steps" / step)


def seal_key() -> bytes:
    """What all kept values are sealed with; made when it is missing. Raises `StorageFull`, `Refused`."""
    path = pipelines_dir() / "key"
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    with home.locked(pipelines_dir()):
        if not path.exists():
            home.write(path, secrets.token_bytes(32))
    return path.read_bytes()


def seal_key_for(purpose: str) -> bytes:
    """A key of its own for what is kept elsewhere: who has it can't seal what is kept here. Raises as `seal_key`."""
    return hmac.new(seal_key(), purpose.encode(), hashlib.sha256).digest()


def use_seal_key(key: bytes) -> None:
    """From now on that is what all kept values are sealed with. Raises as `seal_key`."""
    home.write(pipelines_dir() / "key", key)


def _read(path: Path) -> StepRecord | None:
    from ..core.errors import Unreadable
    from ..core.step import StepRecord

    try:
        if path.stat().st_uid != os.getuid():  # somebody has put it there
            return None
        return home.read(StepRecord, path)
    except (FileNotFoundError, NotADirectoryError, Unreadable):  # it is computed, as if nothing were known
        return None
