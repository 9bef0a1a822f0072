"""A process that runs the steps of a notebook: `python -m jupyter_mlops.notebook.drive NOTEBOOK`.

It executes the cells that the steps need as a kernel would, in the notebook's folder, and nothing else.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import threading
import time
from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from ..client.clusters.choose import NOTEBOOK
from ..client.clusters.kernel import kernel
from ..client.words import moment, tell
from ..core.errors import MlopsError, RunCancelled
from ..pipelines.cells import CodeCell, read_cells
from ..pipelines.child import FAILED, INTERRUPTED
from ..pipelines.graph import Graph, graph_of
from ..pipelines.saved import saved_by

#: Seconds between two looks at who follows it.
_LOOK = 1.0

_MLRUN = re.compile(r"^\s*(?:# ?)?%%mlrun\b", re.MULTILINE)


def main() -> int:
    """Run the steps; the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("notebook", type=Path)
    for option in ("--since", "--until", "--cluster"):
        parser.add_argument(option)
    asked = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):  # who was started in the background was told to ignore the first
        signal.signal(number, signal.default_int_handler)
    threading.Thread(target=_end_with, args=[os.getppid()], name="end-with-parent", daemon=True).start()
    try:
        text = asked.notebook.read_bytes()
        graph = graph_of(read_cells(asked.notebook))
        cells = graph.to_run(asked.until)
        again = graph.downstream(asked.since) if asked.since is not None else set()
    except MlopsError as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    code = _executed(_shell(asked.notebook, asked.cluster), asked.notebook, graph, cells, again)
    if asked.notebook.exists() and asked.notebook.read_bytes() != text:
        tell(f"{asked.notebook.name} was edited meanwhile: this ran as it was before.")
    return code


def _end_with(parent: int) -> None:
    """Be cancelled when the process is gone that follows this one: nobody would know of what it does."""
    while os.getppid() == parent:
        time.sleep(_LOOK)
    os.kill(os.getpid(), signal.SIGINT)


class _BackgroundShell(InteractiveShell):
    """One for which `%matplotlib` in a notebook is no error."""

    #: By which door what the cells do is done.
    door = "pipeline"

    def enable_gui(self, gui: str | None = None) -> None:
        """There are no windows."""


def _shell(notebook: Path, cluster: str | None) -> InteractiveShell:
    os.environ[NOTEBOOK] = str(notebook)
    os.chdir(notebook.parent)
    sys.path.insert(0, str(notebook.parent))
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="replace")  # type: ignore[union-attr]  # they are files
    alone = Config({"HistoryManager": {"enabled": False}})
    shell: InteractiveShell = _BackgroundShell.instance(colors="nocolor", config=alone)
    shell.run_line_magic("load_ext", "jupyter_mlops")
    assert shell.extension_manager is not None
    shell.extension_manager.loaded.discard("jupyter_mlops")  # the notebook loads it, too, without a word
    shell.run_cell("import jupyter_mlops as _mlops; _mlops.Run", silent=True)  # what runs is recorded
    kernel().selected = cluster
    return shell


def _executed(shell: InteractiveShell, notebook: Path, graph: Graph, cells: list[CodeCell], again: set[str]) -> int:
    steps = [each.name for each in graph.steps if each.cell in cells]
    saving = {each.cell.number: each for each in graph.saving}
    for cell in cells:
        if cell.step:
            tell(f"{cell.step} ({steps.index(cell.step) + 1} of {len(steps)})")
        elif cell.number in saving and (saved := saved_by(saving[cell.number], graph, notebook)) is not None:
            when = moment(saved.created, time.time())
            tell(f"Cell {cell.number} saved {saved.name} at {when}; the steps that it needs are as they were.")
            continue
        shell.user_ns["In"].append(cell.source)  # what is saved has the code that saved it
        result = shell.run_cell(_source(cell, again), silent=True)
        if result.success:
            continue
        if isinstance(result.error_in_exec, (KeyboardInterrupt, RunCancelled)):
            tell(f"Cancelled in {cell.label}.")
            return INTERRUPTED
        error = result.error_in_exec or result.error_before_exec
        why = error.why or error.what if isinstance(error, MlopsError) else f"{type(error).__name__}: {error}"
        tell(f"It stopped in {cell.label}: {(why.splitlines() or [''])[0]}.")
        return FAILED
    return 0


def _source(cell: CodeCell, again: set[str]) -> str:
    """What is executed: without the `# ` by which a plain file hides its magics."""
    if cell.options is None:
        return cell.source
    more = " --again" if cell.step in again and "--again" not in cell.options else ""
    return _MLRUN.sub(f"%%mlrun{more}", cell.source, count=1)


if __name__ == "__main__":
    sys.exit(main())
