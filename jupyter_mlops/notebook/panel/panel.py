"""The panel: puts its parts together, carries out what they ask for, and shows what went wrong.

The view is changed from the loop's thread, so that it stays live while a cell runs. Clicks wait for the kernel, as they
do for every widget; while a cell runs, the panel says so.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import ipywidgets as w

from ...client.clusters.estimate import estimate_of, estimates
from ...client.clusters.kernel import kernel
from ...client.clusters.listing import placed
from ...client.clusters.start import start
from ...controller.link import Link
from ...core.base import Seconds, Time
from ...core.cluster import ClusterState, Problem
from ...core.errors import MlopsError
from ...core.estimate import Estimate
from ...core.extend import LimitChange
from ...core.naming import ClusterName
from ...home import settings
from ...places import profiles
from ..widgets import close
from . import run_request, words
from .cluster import ClusterPart
from .looks import ALERT, show
from .runs import FormPart, RunRequest, RunsPart
from .start import StartPart
from .watch import PanelWatch, Seen

#: A cell that runs for longer is worth a word about clicks that wait.
LONG_CELL: Seconds = 1.0

#: Seconds that places have to tell what their machines cost; nobody waits for it.
_PATIENCE: Seconds = 10.0

#: The widget, and what the browser's part of this package takes it for, so that it says what to do when the widget is
#: gone. `labextension/src/notebook/panel.ts` has the same word.
_WIDGET, _PANEL = "application/vnd.jupyter.widget-view+json", "application/vnd.jupyter-mlops.panel+json"

#: What is read where no widgets are shown.
_ELSEWHERE = "The panel of ML Ops. Run this cell in a notebook that shows widgets to see it."

_BUSY = "A cell is running: these numbers stay live, clicks are answered when it is done."


class Panel:
    """A panel in a notebook: `display` it as often as you like; `close` it when it is no longer wanted.

    Parameters
    ----------
    cluster : the name of the cluster to show first; by default this user's newest one that lives.
    """

    def __init__(self, cluster: str | None = None) -> None:
        self.head = StartPart(self.choose, self._start)
        self.cluster = ClusterPart(self)
        self.runs = RunsPart(self._cancel)
        self.form = FormPart(self._send)
        self.note = w.HTML()
        self.error = w.HTML()
        self.dismiss = w.Button(icon="times", tooltip="Dismiss", layout=w.Layout(width="36px"))
        self._trouble = w.HBox([self.error, self.dismiss])
        self.widget = w.VBox(
            [self.head.box, self._trouble, self.cluster.box, self.form.box, self.runs.box, self.note],
            layout=w.Layout(max_width="820px"),
        )
        self.dismiss.on_click(lambda _: self._show_error(None))
        self._show_error(None)
        self._chosen = cluster
        self._results: dict[str, tuple[Any, str]] = {}
        self._busy_since: Time | None = None
        self._shell: Any = None
        self._hook()
        self._watch = PanelWatch(self._show_seen, self._show_error)
        self._show_profiles()
        self._watch.start(cluster or "")

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        shown = self.widget._repr_mimebundle_(**kwargs)
        return {**shown, _PANEL: shown[_WIDGET], "text/plain": _ELSEWHERE} if _WIDGET in shown else shown

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return not self._watch.alive

    def choose(self, name: str) -> None:
        """Show the cluster `name`, and let the runs of this kernel go to it."""
        self._chosen = name
        kernel().selected = name or None
        self._show_error(None)
        self._watch.choose(name)

    def close(self) -> None:
        """Stop watching and take the view away; clusters and runs live on. A no-op the second time."""
        if self.closed:
            return
        self._watch.close()
        if self._shell is not None:
            self._shell.events.unregister("pre_run_cell", self._cell_begins)
            self._shell.events.unregister("post_run_cell", self._cell_ended)
        close(self.widget)

    def scale(self, cluster: str, workers: int, group: str) -> None:
        """Carry out a scaling by hand."""
        self._command(lambda link: link.scale(workers, group), group)

    def adapt(self, cluster: str, minimum: int, maximum: int, group: str) -> None:
        """Carry out a switch to adaptive scaling."""
        self._command(lambda link: link.adapt(minimum, maximum, group), group)

    def let_go(self, cluster: str, workers: int, group: str) -> None:
        """Let idle workers go."""

        async def let_go(link: Link) -> None:
            await link.let_go(workers, group)

        self._watch.command(let_go, self._show_error)

    def limit(self, cluster: str, change: LimitChange) -> None:
        """Give it other limits."""
        self._watch.command(lambda link: link.limit(change), self._show_error)

    def stop(self, cluster: str) -> None:
        """End the cluster."""

        async def stop() -> None:
            backend, exact = await placed(cluster)
            await backend.stop(exact, why="in the panel")

        self._watch.carry_out(stop(), lambda _, error: self._show_error(error))

    def _command(self, verb: Callable[[Link], Awaitable[None]], group: str) -> None:
        def done(error: MlopsError | None) -> None:
            self._show_error(error)
            self.cluster.release(group)

        self._watch.command(verb, done)

    def _start(self, profile: str, name: str | None) -> None:
        def done(made: ClusterState | None, error: MlopsError | None) -> None:
            self.head.allow_start()
            self._show_error(error)
            if made:
                self.choose(made.id)
                self._show_profiles()

        self._watch.carry_out(start(profile, name), done)

    def _show_profiles(self) -> None:
        """Offer the profiles at once, and again when places have told what their machines cost."""
        known = settings.load()
        found = profiles.all_profiles()
        self.head.show_profiles([(profile, estimate_of(profile, known)) for profile in found])

        def done(told: list[Estimate] | None, error: MlopsError | None) -> None:
            if told is not None:
                self.head.show_profiles(list(zip(found, told, strict=True)))

        self._watch.carry_out(estimates(found, known, _PATIENCE), done)

    def _cancel(self, run: str) -> None:
        self._watch.command(lambda link: link.cancel_run(run, "in the panel"), self._show_error)

    def _send(self, asked: RunRequest) -> None:
        try:
            send = run_request.prepare(asked, self._namespace, self._chosen or "")
        except MlopsError as error:
            self.form.allow_send()
            self._show_error(error)
            return

        def sent(run: Any, error: MlopsError | None) -> None:
            self.form.allow_send()
            self._show_error(error)
            if run is not None and asked.result:
                self._results[run.id] = (run, asked.result)

        self._watch.carry_out(asyncio.to_thread(send), sent)

    def _show_seen(self, seen: Seen) -> None:
        """Show what the watch has seen. The watch calls this from the loop's thread."""
        live = [state for state in seen.listing.clusters if state.phase != "ended"]
        live.sort(key=lambda state: not state.mine)
        if self._chosen is None and live and live[0].mine:
            self._chosen = live[0].id
            self._watch.choose(self._chosen)
        if seen.chosen != self._chosen and ClusterName.of(self._chosen or "").means(seen.chosen):
            self._chosen = seen.chosen  # it was chosen by its name only
        self.head.show_clusters(live, self._chosen or "")
        self.head.show_silent([silent.described(time.time()) for silent in seen.listing.silent])
        if seen.chosen == (self._chosen or ""):
            self.cluster.show(seen.state, seen.spec)
            self.runs.show(seen.runs)
            self._fetch(seen)
        busy = self._busy_since is not None and time.time() - self._busy_since > LONG_CELL
        self.note.value = _BUSY if busy else ""

    def _fetch(self, seen: Seen) -> None:
        """Put the results of runs that are done into the notebook's variables."""
        for state in seen.runs:
            if state.phase not in ("starting", "running") and state.id in self._results:
                run, name = self._results.pop(state.id)
                self._watch.carry_out(asyncio.to_thread(run.result), self._assign(name))

    def _assign(self, name: str) -> Callable[[Any, MlopsError | None], None]:
        def done(result: Any, error: MlopsError | None) -> None:
            if error is None:
                self._namespace[name] = result
            self._show_error(error)

        return done

    @property
    def _namespace(self) -> dict[str, Any]:
        if self._shell is None:
            import __main__

            return vars(__main__)
        namespace: dict[str, Any] = self._shell.user_ns
        return namespace

    def _show_error(self, error: MlopsError | None) -> None:
        if error is not None:
            problem = Problem.of(error)
            self.error.value = f"<div role='alert' style='{ALERT}'>{words.problem(problem)}</div>"
        show(self._trouble, error is not None)

    def _hook(self) -> None:
        from IPython.core.getipython import get_ipython

        self._shell = get_ipython()
        if self._shell is not None:
            self._shell.events.register("pre_run_cell", self._cell_begins)
            self._shell.events.register("post_run_cell", self._cell_ended)
        self.form.show_functions(run_request.functions(self._namespace))

    def _cell_begins(self, _: Any) -> None:
        self._busy_since = time.time()

    def _cell_ended(self, _: Any) -> None:
        self._busy_since = None
        self.note.value = ""
        self.form.show_functions(run_request.functions(self._namespace))


_open: Panel | None = None


def panel(cluster: str | None = None) -> Panel:
    """Show clusters and runs here, to watch, scale, start, send and stop.

    There is one panel in a kernel: calling it again, or in another cell, shows the same one.

    Parameters
    ----------
    cluster : the name of the cluster to show; by default this user's newest one that lives.
    """
    global _open
    if _open is None or _open.closed:
        _open = Panel(cluster)
    elif cluster is not None:
        _open.choose(cluster)
    return _open
