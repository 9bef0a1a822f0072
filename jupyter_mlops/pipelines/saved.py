"""The versions of models that a pipeline's cells have saved."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..core.errors import MlopsError
from ..core.model import ModelVersion
from ..home.models import SOURCE, ModelFolder, VersionFolder, model_folders
from ..home.runs import read_run
from ..home.steps import step_folder
from .graph import Graph, PlannedStep


def saved_by(saving: PlannedStep, graph: Graph, notebook: Path) -> ModelVersion | None:
    """What a cell has saved since the steps that it needs were computed last: it needn't save that again. None where it
    has saved nothing, or not of these, or with another code."""
    needed = {name for need in saving.needs for name in graph.upstream(need)}
    records = [step_folder(str(notebook), name).last() for name in needed]
    made = [record.made for record in records if record is not None and not record.error]
    if len(made) < len(needed):
        return None
    for model in model_folders():
        for version, folder in _since(model, max(made)):
            source = folder.read(SOURCE) or b""
            if _is_of(version, notebook) and source.decode(errors="replace").strip() == saving.cell.source.strip():
                return version
    return None


def saved_since(model: ModelFolder, newest: int, notebook: Path) -> ModelVersion | None:
    """The newest version that a notebook's pipeline has saved of a model after the version `newest`; None for none. One
    that somebody has saved from that notebook's kernel meanwhile isn't the pipeline's."""
    doors = {entry.object: entry.actor.how for entry in model.trail() if entry.verb == "saved"}
    for number in sorted((number for number in model.numbers() if number > newest), reverse=True):
        version = model.version(number).record()
        if _is_of(version, notebook) and _without_kernel(version, doors.get(version.name, "")):
            return version
    return None


def _since(model: ModelFolder, when: float) -> Iterator[tuple[ModelVersion, VersionFolder]]:
    """The versions that were saved after `when`, the newest first."""
    for number in sorted(model.numbers(), reverse=True):
        folder = model.version(number)
        try:
            version = folder.record()
        except (MlopsError, FileNotFoundError):
            continue
        if version.created < when:
            return
        yield version, folder


def _is_of(version: ModelVersion, notebook: Path) -> bool:
    return lies_at(version.made.notebook) == notebook.resolve()


def lies_at(told: str) -> Path | None:
    """Where a notebook lies, as its kernel was told of it; None where that can't be said, or nothing is there.

    Jupyter puts the notebook's path behind its folder's, though the former may have the latter in it: then these
    folders stand there twice.
    """
    path = Path(told)
    if not told or not path.is_absolute():
        return None
    folders = path.parent.parts
    tries = [path]
    tries += [
        Path(*folders[:-many], path.name)
        for many in range(1, len(folders) // 2 + 1)
        if folders[-many:] == folders[-2 * many : -many]
    ]
    return next((each.resolve() for each in tries if each.is_file()), None)


def _without_kernel(version: ModelVersion, door: str) -> bool:
    """Whether it was saved by a pipeline's process, or by a run of one."""
    if door != "run":
        return door == "pipeline"
    try:
        return not read_run(version.made.run).origin.kernel
    except MlopsError:
        return False
