"""`mlops.pipeline`: the steps of a notebook as one thing that is shown, run and exported."""

from __future__ import annotations

import ast
import contextlib
import html
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..client.clusters.handle import Cluster
from ..client.clusters.handle import cluster as cluster_of
from ..client.clusters.kernel import kernel
from ..client.runs.origin import origin_of_kernel
from ..client.words import put, tell
from ..core.errors import InvalidInput, MlopsError, NotFound, RunCancelled, RunFailed, Unavailable
from ..core.schedule import HERE, Schedule, parse_every
from ..home.schedules import read_schedule, remove_schedule, write_schedule
from ..home.steps import seal_key, step_folder
from .brought import brought
from .cells import cell_of, read_cells
from .child import INTERRUPTED, PipelineProcess
from .clock import ensure_clock
from .export import MADE, exported
from .graph import Graph, graph_of
from .placed import place_of, schedule_there, values_there
from .show import StepView, as_html, as_text, told_of_schedule, views_of
from .steps import digest_of_cell, path_of_notebook
from .there import placed_schedule, unschedule_there
from .values import kept_steps, values_of


def pipeline(notebook: str | Path | None = None, /) -> Pipeline:
    """The steps of a notebook: its cells that begin with `%%mlrun --step NAME`, in its order.

        mlops.pipeline().run(since="train")

    What a step needs is found in what it reads: the last cell above that makes it, a step or another cell.

    Parameters
    ----------
    notebook : its path, or that of a Python file whose cells begin with `# %%`; default: the notebook of this kernel,
        as it was saved last.

    Raises
    ------
    NotFound : there is no such file, or this kernel doesn't know its notebook.
    Unreadable : it is no notebook.
    Conflict : two steps have one name.
    InvalidSpec : a step's line can't be read.
    """
    if notebook is not None:
        ensure_clock()
        return Pipeline(Path(notebook).expanduser().resolve())
    path = Path(path_of_notebook(origin_of_kernel().notebook))
    if path.is_dir():
        raise NotFound("This process has no notebook", "", 'Name one: mlops.pipeline("a.ipynb").')
    ensure_clock()
    made = Pipeline(path)
    if others := _unsaved(made.graph):
        tell(f"The notebook's file has another {', '.join(others)} than what ran here last: save it, or run its cell.")
    return made


class Pipeline:
    """The steps of a notebook, as its file has them when this is made. Shows itself as a graph.

    Attributes
    ----------
    notebook : its path.
    """

    def __init__(self, notebook: Path) -> None:
        self.notebook = notebook
        self.graph: Graph = graph_of(read_cells(notebook))

    @property
    def steps(self) -> list[StepView]:
        """Its steps in the notebook's order, each with its name, what it reads and makes, and how it is."""
        last = {each.name: step_folder(str(self.notebook), each.name).last() for each in self.graph.steps}
        return views_of(self.graph, last)

    def run(
        self, *, since: str | None = None, until: str | None = None, cluster: str | Cluster | None = None
    ) -> Pipeline:
        """Run its steps one after the other, and wait for them; each is a run like any other.

        A new process executes the cells that the steps need, from the notebook's file: what only this kernel has counts
        for nothing, and its variables stay as they are. A step whose code and inputs are as they were isn't computed,
        so what failed is gone on with where it did. Interrupted, it cancels what runs.

        Parameters
        ----------
        since : this step and all that need it are computed, whatever is kept.
        until : this step and what it needs are run, and no others.
        cluster : where; as for `%%mlrun --cluster`.

        Raises
        ------
        NotFound : there is no such step, or none at all.
        Conflict, InvalidInput : steps need each other, one reads what no cell above makes, or `until` doesn't need
            `since`.
        UnknownCluster : there is no such cluster.
        RunFailed, RunCancelled : a step failed, or a cell that it needs; it was interrupted.
        """
        process = self.start(since=since, until=until, cluster=cluster)
        began = time.time()
        try:
            for line in process.lines():
                put(line, sys.stdout)
        except BaseException as error:
            process.cancel()
            for line in process.lines():  # how it ended
                put(line, sys.stdout)
            if isinstance(error, KeyboardInterrupt):
                raise _cancelled() from None
            raise
        self.check(process.ended(), began)
        return self

    def start(
        self, *, since: str | None = None, until: str | None = None, cluster: str | Cluster | None = None
    ) -> PipelineProcess:
        """As `run`, for who follows the process: returns at once."""
        self.graph.to_run(until)
        if since is not None:
            self.graph.step(since)
            if until is not None and since not in self.graph.upstream(until):
                todo = "Leave one of them out."
                raise InvalidInput(f"Nothing is since {since!r} until {until!r}", f"{until} doesn't need {since}", todo)
        chosen = cluster_of(cluster).id if isinstance(cluster, str) else cluster.id if cluster else kernel().selected
        return PipelineProcess(self.notebook, since, until, chosen)

    def check(self, code: int, began: float) -> None:
        """Raise `RunFailed` for a process that ended with another code than 0, or `RunCancelled`; it `began` then."""
        if code == 0:
            return
        if code == INTERRUPTED:
            raise _cancelled()
        for each in self.graph.steps:
            record = step_folder(str(self.notebook), each.name).last()
            if record is not None and record.error and record.made >= began:
                why = record.error.splitlines()[0]
                todo = "Run it again when that is mended: the steps before are kept."
                raise RunFailed(f"The step {each.name!r} failed", why, todo)
        raise RunFailed("The pipeline stopped", "what it printed says why", "")

    def schedule(
        self,
        every: str | None,
        *,
        cluster: str | None = None,
        place: str | None = None,
        profile: str | None = None,
        zone: str | None = None,
        files: Sequence[str] = (),
    ) -> Pipeline:
        """Have it run by itself: no kernel or browser has to be open. It runs in one place: scheduled in another one,
        it moves there.

        On this machine, while it is on. What was missed while it was off or asleep runs once. It takes the notebook as
        it is then. In another place, such as Kubernetes, this machine need not be on. It takes the notebook as it is
        now, with the modules beside it and the files that its code names, starts a cluster of the profile each time,
        and ends it.

        Parameters
        ----------
        every : like "15 min", "2 h", "1 day at 02:00", "1 week at 18:30"; None: no more, wherever it is.
        cluster : on this machine: where; by default wherever runs go, which may start a cluster of the default profile.
        place : "kubernetes", for one; default: that of the profile, else this machine.
        profile : in another place: of the clusters that it starts; default: the last used of the place.
        zone : in another place: by whose clock, such as "Europe/Berlin"; default: this machine's.
        files : in another place: what it needs besides, as files, folders and patterns from its folder on.

        Raises
        ------
        InvalidSpec : `every` is nothing of that, or the place can't do it; or the files are too large.
        UnknownCluster, UnknownProfile : there is none of that name now.
        InvalidInput : some of `files` aren't there; or what is asked for belongs to another place.
        StorageFull, Refused, Unavailable : it can't be written down, or as the place says.
        """
        notebook = str(self.notebook)
        if every is None:
            unschedule(notebook)
            return self
        parse_every(every)
        cells = self.graph.to_run()
        if (there := place_of(place, profile)) != HERE:
            if cluster is not None:
                raise InvalidInput("No cluster can be named", "each run starts one of its own there", "Name a profile.")
            schedule_there(self.notebook, cells, every, there, profile, zone, files)
            remove_schedule(notebook)
            return self
        if zone is not None or files:
            why = "on this machine it runs by its clock, and in the notebook's folder"
            raise InvalidInput("Neither a zone nor files can be named", why, "Leave them out, or name a place.")
        if cluster is not None:
            cluster_of(cluster)
        unschedule_there(notebook)
        write_schedule(
            Schedule(
                notebook=notebook, every=every.strip(), created=time.time(), python=sys.executable, cluster=cluster
            )
        )
        ensure_clock()
        return self

    def values(self) -> dict[str, Any]:
        """What its steps made when they ran last, so far as that is kept: variables by name. Where it is scheduled in
        another place, what was made there by its last run, up to 4 MB.

        Raises
        ------
        RunFailed : a value can't be made in this kernel; the cause is chained.
        Unreadable : what is kept isn't what the steps have made.
        Unavailable, Refused : the place doesn't tell.
        """
        placed, problem = placed_schedule(str(self.notebook))
        if problem is not None:
            raise Unavailable(problem.what, problem.why, problem.todo)
        if placed is not None:
            return values_there(placed)
        return values_of(kept_steps(str(self.notebook), [each.name for each in self.graph.steps]), seal_key())

    def export(self, file: str | Path | None = None) -> str | Path:
        """Its steps, and the cells that they need, as a plain Python program that runs alone, without this package,
        unless its own code uses that. Returns the text; or writes it to `file`, if that is given, and returns its path.

        Raises
        ------
        InvalidCell : a cell does what a program can't: it waits for something outside of functions, or sets a variable
            by a command of the notebook.
        NotFound : it has no steps.
        InvalidInput : the file can't be written, or is there, and no export.
        """
        text = exported(self.notebook.name, self.graph.to_run())
        if file is None:
            return text
        path = Path(file).expanduser()
        try:
            if path.exists() and not path.read_bytes().startswith(MADE.encode()):
                raise InvalidInput(f"{file} is there", "it is no program that was exported", "Name another file.")
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise InvalidInput(f"{file} can't be written", error.strerror or "", "Name another file.") from None
        return path

    def __str__(self) -> str:
        return self._as_text(self.steps, self._scheduled())

    def _scheduled(self) -> str:
        """When it runs by itself, in words; empty where it doesn't."""
        if (here := read_schedule(str(self.notebook))) is not None:
            return told_of_schedule(here)
        there, problem = placed_schedule(str(self.notebook))
        if there is None:
            return ""
        outdated = False
        with contextlib.suppress(MlopsError, OSError):  # a notebook that can't run now isn't taken over, anyway
            outdated = brought(self.notebook, self.graph.to_run(), there.files).digest != there.digest
        return told_of_schedule(there, problem, outdated)

    def __repr__(self) -> str:
        return str(self)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Both at once: another place is asked once."""
        steps, told = self.steps, self._scheduled()
        return {"text/plain": self._as_text(steps, told), "text/html": self._as_html(steps, told)}

    def _repr_html_(self) -> str:
        return self._as_html(self.steps, self._scheduled())

    def _as_text(self, steps: Sequence[StepView], told: str) -> str:
        text = as_text(self.notebook.name, steps)
        return f"{text}\n{told}" if told else text

    def _as_html(self, steps: Sequence[StepView], told: str) -> str:
        return as_html(self.notebook.name, steps) + (f"<div>{html.escape(told)}</div>" if told else "")


def unschedule(notebook: str, everywhere: bool = False) -> bool:
    """Let the notebook with this path run by itself no more, wherever it does; whether it did. Others are as in
    `unschedule_there`."""
    here = remove_schedule(notebook)
    return unschedule_there(notebook, everywhere) or here


def _cancelled() -> RunCancelled:
    return RunCancelled("The pipeline was cancelled", "it was interrupted", "The steps that were done are kept.")


def _unsaved(graph: Graph) -> list[str]:
    """The steps whose code in the file isn't what this kernel ran last."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    ran: dict[str, ast.Module] = {}
    for source in getattr(getattr(shell, "history_manager", None), "input_hist_raw", []):
        if "--step" in source:
            with contextlib.suppress(MlopsError):  # it said so when it ran
                cell = cell_of(0, source)
                ran[cell.step] = cell.tree
    return [
        each.name
        for each in graph.steps
        if each.name in ran and digest_of_cell(ran[each.name]) != digest_of_cell(each.cell.tree)
    ]
