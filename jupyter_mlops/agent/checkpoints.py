"""Checkpoints of a gang: folders that are complete, or not there at all.

Each rank writes its files and says so; none waits for another, so that a rank that is lost strands nobody. When the
scheduler has heard of all ranks it has rank 0's seat write the manifest, last of all: a folder without one counts for
nothing. What an earlier attempt still writes can't take the place of what a later one wrote, whose number is higher.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any

#: What a complete checkpoint has; it is written last.
MANIFEST = "mlops-checkpoint.json"

#: The folder of those that are not complete.
PARTS = ".parts"

#: The newest ones that are kept, beside the best one.
KEPT = 2


@dataclass(frozen=True)
class Manifest:
    """What is known of a complete checkpoint.

    Parameters
    ----------
    step : of the training.
    attempt : of the gang, from 1 on.
    time : when it was complete, in seconds since the epoch.
    best : how good it is; the higher the better, None where nobody said.
    world : how many ranks there were.
    run : the run's id.
    files : file → bytes.
    """

    step: int
    attempt: int
    time: float
    best: float | None
    world: int
    run: str
    files: dict[str, int]
    format: int = 1

    @property
    def name(self) -> str:
        """Of its folder."""
        return name_of(self.step, self.attempt)

    def to_json(self) -> str:
        """As it is stored."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def of_json(cls, text: str | bytes) -> Manifest:
        """As it was stored; what a newer version has added is left out. Raises `ValueError`, `TypeError`."""
        known = {field.name for field in fields(cls)}
        found = cls(**{name: value for name, value in json.loads(text).items() if name in known})
        if any(PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts for file in found.files):
            raise ValueError("a file of it is elsewhere")
        return found


def name_of(step: int, attempt: int) -> str:
    """The name of a checkpoint's folder."""
    return f"step-{step:010d}-{attempt}"


class Checkpoints(ABC):
    """The checkpoints of one run, at one place."""

    @abstractmethod
    def begin(self, name: str) -> str:
        """A folder on this machine for what a rank writes. Raises `OSError`."""

    @abstractmethod
    def written(self, name: str, folder: str) -> dict[str, int]:
        """What a rank wrote is complete: have it where others find it. Returns file → bytes. Raises `OSError`."""

    @abstractmethod
    def complete(self, manifest: Manifest) -> None:
        """All ranks have written: from here on it counts. Raises `OSError`."""

    @abstractmethod
    def found(self) -> list[Manifest]:
        """The complete ones, oldest first. Raises `OSError` when the place can't be read."""

    @abstractmethod
    def fetch(self, name: str) -> str:
        """The folder of a complete one, on this machine. Raises `OSError`."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a complete one. Raises `OSError`."""

    @abstractmethod
    def clear(self) -> None:
        """Remove all of them, those that aren't complete, too. Raises `OSError`."""

    def newest(self) -> Manifest | None:
        """The one to go on from: of the latest attempt, the last step. Raises `OSError`."""
        return next(reversed(self.found()), None)

    @abstractmethod
    def _parts(self) -> list[str]:
        """The names of those that are not complete, among others."""

    @abstractmethod
    def _remove_part(self, name: str) -> None:
        """Remove one that is not complete."""

    def prune(self) -> None:
        """Keep the newest ones and the best one, and of those that aren't complete the later ones. Raises `OSError`."""
        found = self.found()
        complete = {each.name for each in found}
        for name in self._parts():
            if found and name not in complete and name < found[-1].name:
                self._remove_part(name)
        rated = [each for each in found if each.best is not None]
        best = max(rated, key=lambda each: (each.best, each.attempt, each.step)) if rated else None
        for each in found[:-KEPT]:
            if each is not best:
                self.remove(each.name)


class OnDisk(Checkpoints):
    """In a folder that all workers see: on this machine, or a volume."""

    def __init__(self, root: str) -> None:
        self._root = Path(root)

    def begin(self, name: str) -> str:
        """As `Checkpoints.begin`."""
        folder = self._root / PARTS / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return str(folder)

    def written(self, name: str, folder: str) -> dict[str, int]:
        """As `Checkpoints.written`."""
        files = {}
        for path in _files(folder):
            with path.open("rb") as file:
                os.fsync(file.fileno())
            files[path.relative_to(folder).as_posix()] = path.stat().st_size
        return files

    def complete(self, manifest: Manifest) -> None:
        """As `Checkpoints.complete`."""
        part, place = self._root / PARTS / manifest.name, self._root / manifest.name
        part.mkdir(mode=0o700, parents=True, exist_ok=True)  # nobody wrote a file
        new = part / f"{MANIFEST}.new"
        with new.open("w") as file:
            file.write(manifest.to_json())
            file.flush()
            os.fsync(file.fileno())
        new.rename(part / MANIFEST)
        if place.exists():  # the same step a second time
            self.remove(manifest.name)
        part.rename(place)
        _sync(self._root)

    def _parts(self) -> list[str]:
        return [path.name for path in (self._root / PARTS).iterdir()]

    def _remove_part(self, name: str) -> None:
        shutil.rmtree(self._root / PARTS / name, ignore_errors=True)

    def found(self) -> list[Manifest]:
        """As `Checkpoints.found`."""
        try:
            folders = [path for path in self._root.iterdir() if path.name != PARTS]
        except FileNotFoundError:
            return []
        found = []
        for folder in folders:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError, ValueError, TypeError):  # none of ours
                found.append(Manifest.of_json((folder / MANIFEST).read_bytes()))
        return sorted(found, key=lambda each: (each.attempt, each.step))

    def fetch(self, name: str) -> str:
        """As `Checkpoints.fetch`."""
        return str(self._root / name)

    def remove(self, name: str) -> None:
        """As `Checkpoints.remove`."""
        gone = self._root / PARTS / f"removed-{name}-{time.time_ns()}"  # what is left of it goes with the next prune
        gone.parent.mkdir(mode=0o700, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            (self._root / name).rename(gone)  # at once, whatever is in it
        shutil.rmtree(gone, ignore_errors=True)

    def clear(self) -> None:
        """As `Checkpoints.clear`."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._root)


class AtUrl(Checkpoints):
    """In an object store, or wherever else fsspec reaches. There the manifest is all that makes it complete."""

    def __init__(self, root: str, local: str) -> None:
        import fsspec  # type: ignore[import-untyped]  # it has no types

        self._files, self._root = fsspec.core.url_to_fs(root)
        self._local = local

    def begin(self, name: str) -> str:
        """As `Checkpoints.begin`."""
        return tempfile.mkdtemp(prefix=f"{name}-", dir=self._local)

    def written(self, name: str, folder: str) -> dict[str, int]:
        """As `Checkpoints.written`."""
        files = {}
        for path in _files(folder):
            relative = path.relative_to(folder).as_posix()
            target = f"{self._root}/{name}/{relative}"
            self._files.makedirs(target.rpartition("/")[0], exist_ok=True)
            self._files.put_file(str(path), target)
            files[relative] = path.stat().st_size
        shutil.rmtree(folder, ignore_errors=True)
        return files

    def complete(self, manifest: Manifest) -> None:
        """As `Checkpoints.complete`."""
        self._files.makedirs(f"{self._root}/{manifest.name}", exist_ok=True)
        self._files.pipe_file(f"{self._root}/{manifest.name}/{MANIFEST}", manifest.to_json().encode())

    def found(self) -> list[Manifest]:
        """As `Checkpoints.found`."""
        self._files.invalidate_cache()
        found = []
        for path in self._files.glob(f"{self._root}/*/{MANIFEST}"):
            with contextlib.suppress(FileNotFoundError, ValueError, TypeError):
                found.append(Manifest.of_json(self._files.cat_file(path)))
        return sorted(found, key=lambda each: (each.attempt, each.step))

    def _parts(self) -> list[str]:
        return [path.rpartition("/")[2] for path in self._files.ls(self._root, detail=False)]

    def _remove_part(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._files.rm(f"{self._root}/{name}", recursive=True)

    def fetch(self, name: str) -> str:
        """As `Checkpoints.fetch`."""
        manifest = Manifest.of_json(self._files.cat_file(f"{self._root}/{name}/{MANIFEST}"))
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self._local))
        for file in manifest.files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            self._files.get_file(f"{self._root}/{name}/{file}", str(folder / file))
        return str(folder)

    def remove(self, name: str) -> None:
        """As `Checkpoints.remove`."""
        with contextlib.suppress(FileNotFoundError):
            self._files.rm_file(f"{self._root}/{name}/{MANIFEST}")
            self._files.rm(f"{self._root}/{name}", recursive=True)

    def clear(self) -> None:
        """As `Checkpoints.clear`."""
        with contextlib.suppress(FileNotFoundError):
            self._files.rm(self._root, recursive=True)


def checkpoints_at(root: str, local: str) -> Checkpoints:
    """Those at a folder or URL; `local` is a folder of this worker for files on their way."""
    return AtUrl(root, local) if "://" in root else OnDisk(root)


def of_trial(root: str, trial: int) -> str:
    """Where those of a trial of a sweep are, of the `root` of all of its trials."""
    return f"{root}/trial-{trial}"


class CheckpointFolder(type(Path())):  # type: ignore[misc]  # the class of paths of this system
    """The folder of a checkpoint, as a path that knows its step.

    Attributes
    ----------
    step : of the training, as it was given to `checkpoint`.
    world : how many ranks wrote it.
    """

    step: int
    world: int

    def __reduce__(self) -> tuple[type[Path], tuple[str]]:
        """Elsewhere, where this class isn't, it is a path and no more."""
        return Path, (str(self),)


class OfRank:
    """The checkpoints of a run, as one of its ranks knows them.

    Parameters
    ----------
    root : their folder or URL; empty where there is no place for them.
    attempt : of the gang.
    resume : what it goes on from, if there is something: the place, and the manifest.
    local : a folder of this worker.
    tell : tells the seat.
    saving : is entered while a step is saved.
    """

    def __init__(
        self,
        root: str,
        attempt: int,
        resume: dict[str, Any] | None,
        local: str,
        tell: Callable[..., None],
        saving: Callable[[int], contextlib.AbstractContextManager[None]] = lambda step: contextlib.nullcontext(),
    ) -> None:
        self._root, self._attempt, self._resume, self._local, self._tell = root, attempt, resume, local, tell
        self._saving = saving
        self._resumed: CheckpointFolder | None = None

    @contextlib.contextmanager
    def checkpoint(self, step: int, best: float | None, alone: bool) -> Iterator[CheckpointFolder]:
        """A folder for this rank's files; when the block has ended without an error, they are its part."""
        with self._saving(step), self._begun(step, best, alone) as folder:
            yield folder

    @contextlib.contextmanager
    def _begun(self, step: int, best: float | None, alone: bool) -> Iterator[CheckpointFolder]:
        if not self._root:
            with tempfile.TemporaryDirectory(dir=self._local) as nowhere:
                yield _folder(nowhere, step, 1)
            return
        place, name = checkpoints_at(self._root, self._local), name_of(step, self._attempt)
        folder = place.begin(name)
        yield _folder(folder, step, 1)
        self._tell("checkpoint", step=step, best=best, alone=alone, files=place.written(name, folder))

    def resume(self) -> CheckpointFolder | None:
        """What to go on from; the same for all ranks of an attempt."""
        if self._resume is None:
            return None
        if self._resumed is None:
            manifest = Manifest.of_json(self._resume["manifest"])
            folder = checkpoints_at(self._resume["root"], self._local).fetch(manifest.name)
            self._resumed = _folder(folder, manifest.step, manifest.world)
        return self._resumed


def _folder(path: str, step: int, world: int) -> CheckpointFolder:
    made = CheckpointFolder(path)
    made.step, made.world = step, world
    return made


def _files(folder: str) -> list[Path]:
    return sorted(path for path in Path(folder).rglob("*") if path.is_file())


def _sync(folder: Path) -> None:
    """Have the disk know the names in a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
