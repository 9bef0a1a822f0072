"""A service as its users hold it."""

from __future__ import annotations

import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from ..client.clusters.kernel import loop_thread
from ..core.base import read_input
from ..core.candidate import CandidateState, SplitChange
from ..core.cluster import Problem, Receipt
from ..core.errors import Conflict, MlopsError, Unavailable, UnknownService
from ..core.history import ServiceHistory
from ..core.retraining import Retraining
from ..core.service import ServiceState
from ..core.window import Window
from ..home.owner import me
from ..registry.handle import Model, Version
from . import deeds, splits
from .champion import as_told
from .deploy import until_so
from .find import hosting_of, watch_of
from .labels import read_labels
from .lines import service_line
from .missed import callers_of
from .retrained import retraining_of
from .shown import Callers, ComparisonTable, Joined, Watch

if TYPE_CHECKING:
    from .replay.api import Replay

T = TypeVar("T")


class Service:
    """A service. It can be made, dropped and made again in any process: it holds its name, and how it was seen last."""

    def __init__(self, state: ServiceState) -> None:
        self.name, self._place, self._seen = state.name, state.place, state

    @property
    def state(self) -> ServiceState:
        """The service now; where its place doesn't answer, as it was seen last, "unreachable", with the reason as its
        problem. Raises `UnknownService`."""
        try:
            self._seen = as_told(_call(hosting_of(self._place).get(self.name)))
        except UnknownService:
            raise
        except MlopsError as error:
            return self._seen.model_copy(update={"phase": "unreachable", "problem": Problem.of(error), "rate": None})
        return self._seen

    @property
    def address(self) -> str:
        """Where callers find it: "http://127.0.0.1:8001"; of one on Kubernetes its pods: "http://churn-service.ml.svc:8080"."""
        return self.state.address

    def predict(self, data: Any, *, ids: bool = False, key: str = "") -> Any:
        """What it answers to rows: an array, with an entry for each.

        Parameters
        ----------
        data : a table, an array, a record, or a list of records. Much of it is sent in parts.
        ids : whether to return the answers with a list of ids, by which each can be labelled later.
        key : who all of it is about, for `forget`.

        Raises
        ------
        InvalidInput : it isn't what the version takes; says which column and row.
        Unavailable : it is stopped or dead, too busy, or out of reach.
        RunFailed : the model failed.
        """
        from .caller import predict

        state = self.state
        if not state.live:
            problem = state.problem or Problem(what=f"The service {self.name!r} is {state.phase}")
            todo = problem.todo if state.phase == "unreachable" else ""
            deploy = f"Deploy it: mlops.deploy({state.version_name!r}, name={self.name!r})."
            raise Unavailable(problem.what, problem.why, todo or deploy)
        answers, named = predict(_call(hosting_of(self._place).reach(self.name)), self.token(), state.model, data, key)
        return (answers, named) if ids else answers

    def token(self, caller: str | None = None) -> str:
        """A new token for a caller, in place of an earlier one: it is kept nowhere else. Your own, without a name.

        Raises
        ------
        InvalidInput : a caller can't be called so.
        """
        if caller is None or caller == me():
            return _call(hosting_of(self._place).own_token(self.name))
        return _call(deeds.let_in(self.name, caller))

    def revoke(self, caller: str) -> None:
        """Take a caller's token back; it opens nothing from now on. Raises `Conflict` where there is none."""
        if not _call(deeds.shut_out(self.name, caller)):
            raise Conflict(f"{caller!r} has no token of {self.name!r}", "", f"There are: {', '.join(self.callers)}.")

    @property
    def callers(self) -> Callers:
        """Who has a token: a list of names, which shows itself as a table of what each asked today, as of some seconds
        ago. Raises `Unreadable`."""
        return Callers(self.name, _call(callers_of(self._place, self.name)))

    def watch(self) -> Watch:
        """How what it is asked, and answers, compares with its version's baseline, as of some seconds ago.

        Raises
        ------
        Unreadable : what was counted is damaged.
        """
        return Watch(
            self.name, _call(watch_of(self._place, self.name)), _call(hosting_of(self._place).performance(self.name))
        )

    def label(self, data: Any, labels: Any = None) -> Joined:
        """Say what turned out to be true of rows that it has answered. What comes again changes nothing; another label
        of a row takes the place of the one before.

        Parameters
        ----------
        data : a table or file (.csv, .parquet, .json, .jsonl) with the columns `id` and `label`, a list of such
            records, a dict of id → label; or ids, with `labels` beside them.

        Raises
        ------
        InvalidInput : it is none of these.
        Unavailable, Unreadable, StorageFull, Refused : the log can't be used.
        """
        return Joined(_call(deeds.label(self.name, read_labels(data, labels))))

    def requests(self, hours: float = 24.0) -> Any:
        """The rows that were logged in the last hours, with their labels, as a pandas table: the features by their
        names, and `request.id`, `request.time`, `request.version`, `request.answer` and `request.label`. Raises as
        `label`."""
        import pandas as pd

        found = _call(hosting_of(self._place).requests(self.name, time.time() - 3600 * hours))
        table = pd.DataFrame(found)
        if len(table):
            table["request.time"] = pd.to_datetime(table["request.time"], unit="s", utc=True)
        return table

    def replay(self, version: str | Model | Version, **options: Any) -> Replay:
        """Ask another version what this service was asked, on a cluster: as `mlops.replay`, with its options."""
        from .replay.api import replay

        return replay(version, service=self.name, **options)

    def forget(self, key: str) -> int:
        """Remove what the requests of a key left in the log: rows, answers and labels; how many rows that were. Counts
        hold nobody's row, and stay. Raises as `label`.

        Parameters
        ----------
        key : as the requests had it: the header `X-Mlops-Key`, or `predict(…, key=…)`.
        """
        return _call(deeds.forget_key(self.name, key))

    @property
    def candidate(self) -> CandidateState | None:
        """The version that is tried beside the one that serves, or that was taken back last; None without one."""
        return self.state.candidate

    def compare(self) -> ComparisonTable:
        """How the version that is tried compares with the one that serves, as of some seconds ago."""
        return ComparisonTable(self.state)

    def share(self, share: float, why: str = "") -> CandidateState | None:
        """Give the version that is tried another share of the requests; returns when it has it. A canary then stays
        there until `resume`.

        Parameters
        ----------
        share : 0 to 1.
        why : for the trail of the model.

        Raises
        ------
        InvalidSpec : it is no share.
        Conflict : there is none, or somebody has decided meanwhile.
        StartFailed : it needs more replicas for that, and they can't be started.
        """
        wanted = read_input(SplitChange, {"share": share, "why": why}, "split")
        return _call(splits.change_split(self.name, share=wanted.share, why=why)).candidate

    def pause(self, why: str = "") -> CandidateState | None:
        """Have a canary stay at its share; it goes back all the same where it harms. Raises as `share`, and
        `InvalidSpec` where what is tried is no canary."""
        return _call(splits.change_split(self.name, paused=True, why=why)).candidate

    def resume(self, why: str = "") -> CandidateState | None:
        """Have a canary go on by itself. Raises as `pause`."""
        return _call(splits.change_split(self.name, paused=False, why=why)).candidate

    def promote(self, why: str = "") -> Service:
        """Have the version that is tried be the one that serves; returns when it does. No request is lost. It isn't
        the champion of its model by that: the service says so.

        Raises
        ------
        Conflict : none is tried, or somebody has decided meanwhile.
        StartFailed : it can't be started by as many replicas.
        """
        _, spec = _call(splits.promote(self.name, why=why))
        _call(until_so(spec))
        return self

    def rollback(self, why: str = "") -> Service:
        """Take the version that is tried back, at once; where there is none, have the version serve again that did so
        before. Returns when it is so.

        Raises
        ------
        Conflict : there is nothing to go back to, or somebody has decided meanwhile.
        StartFailed : the version before can't be started any more.
        """
        _, spec = _call(splits.roll_back(self.name, why=why))
        _call(until_so(spec))
        return self

    def retrain(self, why: str = "", *, wait: bool = False) -> Retraining:
        """Have the notebook that its model comes from run as a pipeline, in a process of its own: the steps of which
        anything has changed. The version that it saves is judged by the gates, and tried as a canary. What became of it
        is said by the service itself, and returned.

        Parameters
        ----------
        why : for the trail of the model.
        wait : whether to return only when that is over; interrupted, it goes on.

        Raises
        ------
        NotFound, InvalidInput : nobody knows the notebook; it is gone, has no steps, or saves other models.
        Conflict : it is being retrained already, or a candidate is tried.
        StorageFull, Refused
        """
        from .retrain import retrain, until_over

        found = _call(retrain(self.name, why=why))
        return _call(until_over(self.name)) if wait else found

    @property
    def retraining(self) -> Retraining | None:
        """The last retraining: its `phase` and `words` say how it is, `log` is a file. None where there was none."""
        return retraining_of(self.name)

    def windows(self) -> list[Window]:
        """What was counted, in windows that are over, the first first. Raises as `watch`."""
        return _call(hosting_of(self._place).windows(self.name))

    def history(self, hours: float = 24.0) -> ServiceHistory:
        """What became of it in the last hours, as of a minute ago: how much it was asked, how long its answers took,
        how what it is asked has changed, and what was done to it. Raises as `watch`.

        Parameters
        ----------
        hours : 192 at most.
        """
        from .history import history_of

        return _call(history_of(self.name, hours * 3600.0))

    @property
    def receipt(self) -> Receipt | None:
        """What it cost, once it has stopped; None before, and on this machine, where services have no price."""
        return _call(hosting_of(self._place).receipt(self.name))

    def logs(self, lines: int = 50) -> list[str]:
        """The last lines of its router and of its replicas."""
        return _call(hosting_of(self._place).logs(self.name, lines))

    def stop(self, why: str = "") -> None:
        """End it; what was asked is answered before. Deploying it again gives it its address and callers back.

        Parameters
        ----------
        why : for the trail of the model.
        """
        _call(deeds.stop(self.name, why=why))

    def __repr__(self) -> str:
        return f"<{service_line(self.state, time.time())}>"


def _call(coroutine: Coroutine[Any, Any, T]) -> T:
    return loop_thread().call(coroutine)
