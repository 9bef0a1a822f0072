"""Who acts, and from where: in a notebook, in a run, by another door."""

from __future__ import annotations

import sys
from typing import Any

from ..client.runs.origin import origin_of_kernel
from ..core.errors import Conflict, MlopsError, UnknownRun
from ..core.model import Lineage
from ..core.run import RunState
from ..home.acting import runner_here
from ..home.runs import read_run, run_folder


def running() -> str:
    """The id of the run whose code this is; empty where this is no run's.

    Raises
    ------
    Conflict : it runs where the home folder isn't: what is saved there would be gone with the worker.
    """
    runner = runner_here()
    if runner is None:
        return ""
    run: str = runner.run
    if not run_folder(run).record_file.exists():
        raise Conflict(
            "A model can't be saved from this worker",
            "it runs on another machine, which doesn't have your home folder",
            "Return the model from the run, and save it in the notebook: mlops.save_model(model, name, run=run).",
        )
    return run


def lineage(run: Any) -> tuple[Lineage, str]:
    """Where a model comes from that is saved now, and the code of the run or cell.

    Parameters
    ----------
    run : the run that made it, its state or its id; None where it is the run whose code this is, or this cell.

    Raises
    ------
    UnknownRun : that run isn't known.
    """
    record = _record(run)
    if record is not None:
        made = Lineage(
            run=record.id,
            run_name=record.name,
            notebook=record.origin.notebook,
            cell=record.origin.cell,
            number=record.origin.number,
            program=sys.executable,
            cost=record.cost,
        )
        return made, record.code
    origin = origin_of_kernel()
    made = Lineage(notebook=origin.notebook, cell=origin.cell, number=origin.number, program=sys.executable)
    return made, _cell()


def _record(run: Any) -> RunState | None:
    if run is None:
        inside = running()
        return read_run(inside) if inside else None
    if isinstance(run, RunState):
        return run
    if isinstance(run, str):
        return read_run(run)
    record = getattr(run, "record", None)
    if not isinstance(record, RunState):
        raise UnknownRun.named(str(run), [])
    return record


def run_of(version_run: str) -> RunState | None:
    """The record of the run that made a version; None where it is gone."""
    try:
        return read_run(version_run) if version_run else None
    except MlopsError:
        return None


def typed() -> str:
    """The text of the cell that runs now, as somebody typed it, with its magics; empty elsewhere."""
    shell: Any = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    cells = shell.history_manager.input_hist_raw if shell is not None else None
    return str(cells[-1]) if cells else ""


def _cell() -> str:
    """The text of the cell that runs now; empty elsewhere."""
    shell: Any = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    cells = shell.user_ns.get("In") if shell is not None else None
    return str(cells[-1]) if cells else ""
