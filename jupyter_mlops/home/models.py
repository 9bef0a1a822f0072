"""A model's folder: the names of what is in it, and how that is read and written."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from .. import home

if TYPE_CHECKING:
    from ..core.base import Record
    from ..core.gate import GateRules, Verdict
    from ..core.model import Aliases, Baseline, Description, ModelState, ModelVersion, PackageCheck
    from ..core.promotion import ModelSummary
    from ..core.trail import Break, TrailEntry

    _RecordT = TypeVar("_RecordT", bound=Record)

#: Of a model.
TRAIL, RULES, ALIASES, FOREIGN = "trail.jsonl", "gates.json", "aliases.json", "registered.json"
DESCRIPTION = "description.json"

#: Of a version.
VERSION, BASELINE, VERDICT, CHECK = "version.json", "baseline.json", "verdict.json", "packages.json"
CARD, SBOM, SOURCE, NOTEBOOK = "card.md", "sbom.json", "source.py", "notebook.ipynb"

#: Of a version, arrays: the held-out rows, its answers to them, the example and its answer.
ROWS, ANSWERS, EXAMPLE, EXAMPLE_ANSWER = "rows.npz", "answers.npz", "example.npz", "example-answer.npz"

#: What may change in a version's folder: what was found later, and what people write. Its digest is of all else.
_LATER = frozenset({VERSION, VERDICT, CHECK, CARD})

#: Seconds after which what a save left that was killed is removed.
_ABANDONED = 86400.0

_NAME, _NUMBER = re.compile(r"[a-z]([-a-z0-9]{0,46}[a-z0-9])?"), re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True)
class VersionFolder:
    """The folder of one version."""

    path: Path

    @property
    def artifact(self) -> Path:
        """The model, in MLflow's format."""
        return self.path / "artifact"

    def record(self) -> ModelVersion:
        """What the version is; raises FileNotFoundError, Unreadable."""
        from ..core.model import ModelVersion

        return home.read(ModelVersion, self.path / VERSION)

    def write_record(self, version: ModelVersion) -> None:
        """Write what the version is; raises StorageFull, Refused."""
        home.write(self.path / VERSION, version.model_dump_json(indent=1))

    def baseline(self) -> Baseline | None:
        """What its data looked like; None where none was given."""
        from ..core.model import Baseline

        return _read_or_none(Baseline, self.path / BASELINE)

    def verdict(self) -> Verdict | None:
        """How it did at the gates when they last judged it."""
        from ..core.gate import Verdict

        return _read_or_none(Verdict, self.path / VERDICT)

    def write_verdict(self, verdict: Verdict) -> None:
        """Keep how it did."""
        home.write(self.path / VERDICT, verdict.model_dump_json(indent=1))

    def check(self) -> PackageCheck | None:
        """What the last look for weaknesses of its packages found."""
        from ..core.model import PackageCheck

        return _read_or_none(PackageCheck, self.path / CHECK)

    def write_check(self, check: PackageCheck) -> None:
        """Keep what a look found."""
        home.write(self.path / CHECK, check.model_dump_json(indent=1))

    def write(self, name: str, content: str | bytes) -> None:
        """Write a file of the version, below its folder."""
        path = self.path / name
        with home.guarded(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        home.write(path, content)

    def read(self, name: str) -> bytes | None:
        """A file of the version; None where there is none."""
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None

    def card(self) -> str:
        """Its card, in Markdown."""
        with contextlib.suppress(OSError):
            return (self.path / CARD).read_text(encoding="utf-8")
        return ""

    def digests(self) -> dict[str, str]:
        """The SHA-256 of each file as it is now, by its path."""
        return {name: _sha256(self.path / name) for name in self.files()}

    def files(self) -> list[str]:
        """The paths of its files, but for those that may change."""
        found = []
        for folder, _, names in os.walk(self.path):
            found += [(Path(folder) / name).relative_to(self.path).as_posix() for name in names]
        return sorted(name for name in found if name not in _LATER)


@dataclass(frozen=True)
class ModelFolder:
    """The folder of one model."""

    path: Path

    @property
    def name(self) -> str:
        """The model's name."""
        return self.path.name

    @property
    def versions(self) -> Path:
        """The folder with a folder per version."""
        return self.path / "versions"

    @property
    def marker(self) -> Path:
        """What of the model is in MLflow."""
        return self.path / "in-mlflow.json"

    def make(self) -> ModelFolder:
        """The folder, made when it is missing; raises `StorageFull`, `Refused`."""
        home.private(self.path)
        home.private(self.versions)
        return self

    def numbers(self) -> list[int]:
        """The numbers of its versions, the first first."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(self.versions) as there:
            return sorted(int(entry.name) for entry in there if _NUMBER.fullmatch(entry.name))
        return []

    def version(self, number: int) -> VersionFolder:
        """The folder of a version, which may not be there."""
        return VersionFolder(self.versions / str(number))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the model: one process at a time changes it, and one that dies lets go."""
        with home.locked(self.path):
            self.make()
            yield

    @contextlib.contextmanager
    def draft(self) -> Iterator[VersionFolder]:
        """A folder for a new version. It is gone in the end, unless `keep` has made it one."""
        self.make()
        self._tidy()
        with home.guarded(self.versions):
            draft = VersionFolder(Path(tempfile.mkdtemp(prefix=".new-", dir=self.versions)))
        try:
            yield draft
        finally:
            shutil.rmtree(draft.path, ignore_errors=True)

    def keep(self, draft: VersionFolder, number: int, record: ModelVersion) -> VersionFolder:
        """Make a draft the version of that number, at once. The model is to be locked."""
        draft.write_record(record)
        kept = self.version(number)
        with home.guarded(kept.path):
            for folder, _, names in os.walk(draft.path):
                Path(folder).chmod(0o700)
                for name in names:
                    (Path(folder) / name).chmod(0o600)
            draft.path.rename(kept.path)
        return kept

    def aliases(self) -> Aliases:
        """Which version the model's name means; raises `Unreadable`."""
        from ..core.model import Aliases

        return _read_or_none(Aliases, self.path / ALIASES) or Aliases()

    def write_aliases(self, aliases: Aliases) -> None:
        """Write it; raises `StorageFull`, `Refused`."""
        home.write(self.path / ALIASES, aliases.model_dump_json(indent=1))

    def description(self) -> Description:
        """What people say of it; raises `Unreadable`."""
        from ..core.model import Description

        return _read_or_none(Description, self.path / DESCRIPTION) or Description()

    def write_description(self, description: Description) -> None:
        """Write it; raises `StorageFull`, `Refused`."""
        home.write(self.make().path / DESCRIPTION, description.model_dump_json(indent=1))

    def rules(self) -> GateRules:
        """Its gates; raises `Unreadable`: gates that can't be read are not passed."""
        from ..core.base import read_record
        from ..core.errors import Unreadable
        from ..core.gate import GateRules

        path = self.path / RULES
        try:
            return read_record(GateRules, path.read_bytes())
        except FileNotFoundError:
            return GateRules()
        except Unreadable as error:
            raise Unreadable(f"{path} can't be read", error.why, error.todo or home.REPAIR) from None

    def write_rules(self, rules: GateRules) -> None:
        """Write its gates; raises `StorageFull`, `Refused`."""
        home.write(self.make().path / RULES, rules.model_dump_json(indent=1, exclude_none=True))

    def registered(self) -> list[ModelVersion]:
        """Versions that others registered in MLflow under its name, as they were last seen."""
        from ..core.model import ModelVersion

        return home.read_lines(ModelVersion, self.path / FOREIGN)

    def write_registered(self, versions: list[ModelVersion]) -> None:
        """Keep those, the newest first."""
        home.write(self.make().path / FOREIGN, "".join(f"{each.model_dump_json()}\n" for each in versions))

    def state(self) -> ModelState:
        """The model as it is shown; what can't be read says so."""
        return self._state(self.numbers())

    def _state(self, numbers: list[int]) -> ModelState:
        """The model with some of its versions."""
        from ..core.cluster import Problem
        from ..core.errors import Unreadable
        from ..core.model import ModelState, unreadable_version

        found = []
        for number in reversed(numbers):
            try:
                found.append(self.version(number).record())
            except FileNotFoundError:
                continue
            except Unreadable as fault:
                found.append(unreadable_version(self.name, number, fault))
        state = ModelState(name=self.name, versions=[*found, *self.registered()])
        try:
            state = state.model_copy(update={"aliases": self.aliases(), "gated": True})
            state = state.model_copy(update={"description": self.description()})
            return state.model_copy(update={"gated": not self.rules().empty})
        except Unreadable as fault:
            return state.model_copy(update={"problem": Problem.of(fault), "gated": True})

    def summary(self) -> ModelSummary:
        """The model in a line; what can't be read says so. Of its versions it reads two, however many there are."""
        from ..core.cluster import Problem
        from ..core.errors import Unreadable
        from ..core.gate import GateRules
        from ..core.promotion import summary_of

        numbers, champion = self.numbers(), None
        with contextlib.suppress(Unreadable):
            champion = self.aliases().champion
        state = self._state([each for each in numbers if each in (champion, numbers[-1])])
        others = sum(bool(each.registered) for each in state.versions)
        rules, verdict = GateRules(), None
        try:
            rules = self.rules()
            verdict = self.version(numbers[-1]).verdict() if numbers else None
        except Unreadable as fault:
            state = state.model_copy(update={"problem": state.problem or Problem.of(fault)})
        return summary_of(state, rules, verdict, max(self.stamp(), default=0) / 1e9, len(numbers) + others)

    def stamp(self) -> tuple[int, ...]:
        """Changes when something of the model has changed."""
        found = []
        for name in (self.versions.name, TRAIL, ALIASES, RULES, FOREIGN, DESCRIPTION):
            try:
                found.append((self.path / name).stat().st_mtime_ns)
            except OSError:
                found.append(0)
        return tuple(found)

    # The trail.

    def trail(self) -> list[TrailEntry]:
        """What was done to the model, the first first."""
        from ..core.trail import entries_of

        return [entry for _, entry in entries_of(self._trail_text())]

    def add_to_trail(self, write: Callable[[int, str], TrailEntry]) -> tuple[TrailEntry, str]:
        """Add a line, which `write` makes of its number and the digest of the line before; the model is to be locked.

        Returns the entry, and the digest of its line; raises `StorageFull`, `Refused`.
        """
        from ..core.trail import after, digest_of, entries_of

        path = self.make().path / TRAIL
        entry = write(*after(entries_of(self._trail_text())))
        line = entry.model_dump_json()
        with home.guarded(path):
            before = "\n" if home.torn(path) else ""
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:
                file.write(f"{before}{line}\n".encode())
                file.flush()
                os.fsync(file.fileno())
        return entry, digest_of(line)

    def breaks(self) -> list[Break]:
        """Where the trail isn't as it was written; raises `Unreadable`."""
        from ..core.trail import breaks

        known = self.aliases()
        return breaks(self._trail_text(), known.trail, known.trail_digest)

    def _trail_text(self) -> str:
        from ..core.errors import Unreadable

        path = self.path / TRAIL
        try:
            return path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""
        except OSError as error:
            why = error.strerror or str(error)
            raise Unreadable(f"{path} can't be read", why, "Make it readable for you.") from error

    def _tidy(self) -> None:
        """Remove what saves left that were killed."""
        for path in self.versions.glob(".new-*"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _ABANDONED:
                    shutil.rmtree(path, ignore_errors=True)


def models_dir() -> Path:
    """The folder with a folder per model."""
    return home.private(home.home() / "models")


def is_model_name(name: object) -> bool:
    """Whether a model can be called so, and a folder."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def model_folder(name: str) -> ModelFolder:
    """The folder of a model, which may not be there yet.

    Raises
    ------
    InvalidInput : this is no name of a model, and so none of a folder.
    """
    if not is_model_name(name):
        from ..core.errors import InvalidInput

        raise InvalidInput(
            f"A model can't be called {name!r:.200}",
            "its name may have up to 48 small letters, digits and dashes, and must start with a letter",
            "Choose one like 'churn' or 'late-flights'.",
        )
    return ModelFolder(models_dir() / name)


def model_folders() -> list[ModelFolder]:
    """All models' folders, by name."""
    return [
        ModelFolder(path) for path in sorted(models_dir().iterdir()) if _NAME.fullmatch(path.name) and path.is_dir()
    ]


def versions_of_run(run: str) -> list[ModelVersion]:
    """The versions that a run made, by model and number. Only those are read in which its id stands."""
    from ..core.errors import Unreadable

    found = []
    for folder in model_folders():
        for number in folder.numbers():
            version = folder.version(number)
            with contextlib.suppress(OSError, Unreadable):
                if run.encode() in (version.path / VERSION).read_bytes() and version.record().made.run == run:
                    found.append(version.record())
    return found


def digest_of_files(files: dict[str, str]) -> str:
    """One digest of many files', which changes with each of them and with their names."""
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _read_or_none(kind: type[_RecordT], path: Path) -> _RecordT | None:
    try:
        return home.read(kind, path)
    except FileNotFoundError:
        return None
