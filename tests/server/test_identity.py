"""Whose a row of the history is, and whose a run: what others call theirs the same, or claim, changes neither."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jupyter_mlops.core.cluster import ClusterState
from jupyter_mlops.core.naming import find
from jupyter_mlops.core.run import RunState
from jupyter_mlops.server.history.store import Store
from jupyter_mlops.server.runs.manager import RunManager
from jupyter_mlops.server.stream.hub import Hub

from .conftest import PATIENCE, SMALL, finished

MINE = ClusterState(name="v4", place="local", profile="p", owner="ann", mine=True, phase="running", created=7.0)
THEIRS = MINE.model_copy(update={"place": "kubernetes", "namespace": "ml", "owner": "bob", "mine": False})


def test_clusters_of_one_name_and_moment_have_rows_of_their_own(tmp_path: Path) -> None:
    store = Store(tmp_path / "history.sqlite")
    for state, receipt in ((MINE, "mine"), (THEIRS, "theirs")):
        store.put_cluster(state, 8.0, 9.0, receipt)
        store.put_receipt(state.id, receipt)
        store.put_events(state.id, [(1, receipt)])
        store.put_samples(state.id, [(7.5, receipt)])
    assert sorted(row[3] for row in store.clusters(9)) == ["mine", "theirs"]
    for state, receipt in ((MINE, "mine"), (THEIRS, "theirs")):
        row = store.cluster(state.id)
        assert row is not None and row[3] == receipt
        assert store.cluster(state.path) == row
        assert (store.events(state.id), store.samples(state.id, 0)) == ([receipt], [receipt])
    store.forget(THEIRS.id)
    assert [row[0] for row in store.clusters(9)] == [MINE.id]
    store.close()


def _manager() -> RunManager:
    """One that is told of runs, and of two clusters of one name."""
    states = {state.id: state for state in (MINE, THEIRS)}
    watcher: Any = SimpleNamespace(on_run=[], on_look=[], find=lambda name: find(name, states.values()))
    keeper: Any = SimpleNamespace(put_run=lambda run: None)
    unused: Any = None
    return RunManager(Hub(), keeper, unused, watcher, unused)


async def test_a_run_is_its_clusters_whatever_another_one_claims() -> None:
    runs = _manager()
    run = RunState(id="0123456789ab", name="r", kind="map", cluster="v4", owner="ann", created=8.0, phase="running")
    claimed = run.model_copy(update={"phase": "failed", "error": "no", "cluster_id": MINE.id})
    runs.take(run.told_by(MINE.name, MINE.id))
    runs.take(claimed.told_by(THEIRS.name, THEIRS.id))
    assert (await runs.state(run.id)).phase == "running"

    late = _manager()  # the claim comes first; the record of the run, in the home folder, knows better
    late.take(claimed.told_by(THEIRS.name, THEIRS.id))
    late.take(run.told_by(MINE.name, MINE.id), recorded=True)
    assert ((await late.state(run.id)).phase, (await late.state(run.id)).cluster_id) == ("running", MINE.id)


async def _until(condition: Callable[[], Awaitable[Any]]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (value := await condition()):
        assert time.monotonic() < deadline, "it did not come"
        await asyncio.sleep(0.1)
    return value


async def test_one_that_is_started_again_is_another(ask: Any, home: Path) -> None:
    """The last of a name is listed. Who means the one before gets what is kept of that, and ends nothing else."""

    async def the_only(phase: str) -> Any:
        rows = await ask("GET", "clusters")
        return rows[0] if [row["phase"] for row in rows] == [phase] else None

    await ask("PUT", "profiles/small", SMALL)
    asked = {"profile": "small", "name": "one", "workers": 0}
    first = (await finished(ask, await ask("POST", "clusters", asked)))["subject"]
    await finished(ask, await ask("DELETE", f"clusters/{first}"))
    await _until(lambda: the_only("ended"))
    second = (await ask("POST", "clusters", asked))["subject"]
    assert (await _until(lambda: the_only("running")))["id"] == second
    assert first != second
    assert (await ask("GET", f"clusters/{first}/receipt"))["cause"] == "user"
    status, error = await ask("GET", f"clusters/{second}/receipt")
    assert (status, error["error"]) == (409, "Conflict")
    status, error = await ask("DELETE", f"clusters/{first}")
    assert (status, error["why"]) == (404, "another one was started under its name since")
    assert (await ask("GET", "clusters/one"))["id"] == second
    assert (await ask("GET", "clusters/one.local"))["phase"] == "running"
