"""The pipeline that the model of a service comes from."""

from __future__ import annotations

import os
from pathlib import Path

from ..core.errors import InvalidInput, InvalidSpec, NotFound, Unreadable
from ..core.model import ModelVersion
from ..core.service import ServiceSpec
from ..core.words import listed
from ..home.models import model_folder
from ..pipelines.cells import read_cells
from ..pipelines.graph import graph_of
from ..pipelines.saved import lies_at
from ..places.hosting import Hosting


def pipeline_of(spec: ServiceSpec) -> tuple[Path, str]:
    """The notebook that is run to retrain a service's model, and the Python that runs it; empty for the one that runs
    this. That it can run was looked at.

    Raises
    ------
    NotFound : nobody knows it, it is gone, or it has no steps.
    InvalidInput : it saves other models only, or reads what no cell makes.
    Conflict, InvalidCell, InvalidSpec, Unreadable : it can't run.
    """
    version = _version(spec)
    told = spec.pipeline or ("" if version is None else version.made.notebook)
    say = f"Say which: mlops.deploy('{spec.version_name}', name='{spec.name}', pipeline='train.ipynb')."
    if not told:
        raise NotFound(f"Nobody knows which notebook {spec.version_name} comes from", "it wasn't saved in one", say)
    path = lies_at(told)
    if path is None:
        raise NotFound(f"The notebook of {spec.version_name} isn't there", f"it was {told}", say)
    _check(path, spec.model)
    program = "" if version is None else version.made.program
    return path, program if program and os.access(program, os.X_OK) else ""


def check_retraining(spec: ServiceSpec, hosting: Hosting) -> None:
    """Raise where a service couldn't be retrained as it is wanted to be; as `pipeline_of`.

    Parameters
    ----------
    hosting : where it lives.

    Raises
    ------
    InvalidSpec : an alarm would never begin it, or nothing would judge what came of it.
    """
    what = f"An alarm can't retrain {spec.name}"
    pipeline_of(spec)
    if spec.retrain != "on alarm":
        return
    if not hosting.logs_requests or not spec.log:
        raise InvalidSpec(what, "its requests aren't logged: nobody knows when there are new rows", "Retrain by hand.")
    if model_folder(spec.model).rules().empty:
        todo = f"Set gates first: mlops.model({spec.model!r}).set_gates(…)."
        raise InvalidSpec(what, f"{spec.model} has no gates: whatever came of it would be tried", todo)


def _check(path: Path, model: str) -> None:
    saved = [name for cell in graph_of(read_cells(path)).to_run() for name in cell.saves]
    if saved and all(saved) and model not in saved:
        raise InvalidInput(
            f"{path.name} isn't the pipeline of {model}",
            f"it saves {listed(sorted(set(saved)))}",
            f"Name the one that has mlops.save_model(…, {model!r}).",
        )


def _version(spec: ServiceSpec) -> ModelVersion | None:
    try:
        return model_folder(spec.model).version(spec.version).record()
    except (FileNotFoundError, Unreadable):
        return None
