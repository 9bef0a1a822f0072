"""Sweeps on a real cluster: what is found, what fails, ends early, stops, and goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import jupyter_mlops as mlops
from jupyter_mlops import Group, Price, Profile, profiles
from jupyter_mlops.client.clusters.kernel import kernel, loop_thread
from jupyter_mlops.client.runs.sweeps import api as sweeps_api
from jupyter_mlops.client.runs.sweeps import earlier as sweeps_earlier
from jupyter_mlops.core.errors import Conflict, InvalidSpec, OutOfRange, RunFailed
from jupyter_mlops.core.run import Origin
from jupyter_mlops.home.runs import read_runs, run_folder

from .cluster import LONG, until

pytestmark = pytest.mark.slow

X = {"x": mlops.uniform(0, 1)}


def square(x: float, shift: float = 0.5) -> float:
    return -((x - shift) ** 2)


def slow(x: float) -> float:
    time.sleep(0.3)
    return x


def test_the_best_is_found_and_a_trial_that_fails_or_dies_is_no_more_than_that(cluster: mlops.Cluster) -> None:
    def objective(x: float, kind: str) -> dict[str, float]:
        import jupyter_mlops

        for step in range(2):
            jupyter_mlops.log_metric("error", x + step)
        jupyter_mlops.report(x)
        if kind == "raises":
            raise ValueError("never that")
        if kind == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        return {"loss": x, "other": 1 - x}

    space = {"x": [0.25, 0.5, 0.75], "kind": ["good", "raises", "dies"]}
    found = mlops.sweep(objective, space, sampler="grid", goal="min", metric="loss", cluster=cluster)
    best = found.result()
    assert (best.params, best.value, best.metrics) == ({"x": 0.25, "kind": "good"}, 0.25, {"other": 0.75})
    assert [trial.phase for trial in found.trials] == ["done", "failed", "failed"] * 3
    assert found.trials[1].error == "ValueError: never that" and "SIGKILL" in found.trials[2].error
    logged = {number: curve.values for number, curve in found.curves["error"].trials.items()}
    assert logged == {trial.number: [trial.params["x"], trial.params["x"] + 1] for trial in found.trials}
    table = found.table()
    assert list(table.index[:3]) == [0, 3, 6] and table.value[0] == 0.25
    record = read_runs()[0]
    assert (record.kind, record.done, record.failed, record.metrics["best"]) == ("sweep", 3, 6, 0.25)
    assert run_folder(found.id).trials() == found.trials
    again = mlops.get_run(found.id)
    assert isinstance(again, mlops.Sweep) and again.best == best and again.result() == best


def test_short_trials_share_tasks_and_each_keeps_what_is_its_own(cluster: mlops.Cluster) -> None:
    def objective(number: int) -> float:
        import jupyter_mlops

        jupyter_mlops.log_metric("seen", number)
        if number % 50 == 7:
            raise ValueError(f"not {number}")
        if number == 120:
            time.sleep(1.2)  # longer than such a task goes on: those behind it are tried in others
        return number / 2

    found = mlops.sweep(
        objective, {"number": list(range(200))}, sampler="grid", trials=200, cluster=cluster, quiet=True
    )
    assert found.result(LONG).value == 199 / 2
    assert [trial.params["number"] for trial in found.trials] == list(range(200))
    failed = [trial for trial in found.trials if trial.phase == "failed"]
    assert [trial.error for trial in failed] == [f"ValueError: not {n}" for n in (7, 57, 107, 157)]
    assert all(trial.value == trial.params["number"] / 2 for trial in found.trials if trial.phase == "done")
    assert (found.record.done, found.record.failed) == (196, 4)
    assert len({(trial.began, trial.ended) for trial in found.trials}) > 100, "each has its own time"
    assert {number: curve.values for number, curve in found.curves["seen"].trials.items()} == {
        number: [number] for number in range(200)
    }


def test_trials_that_are_behind_end_at_a_report(cluster: mlops.Cluster, tmp_path: Path) -> None:
    def objective(quality: int) -> int:
        import time as clock

        import jupyter_mlops

        while quality < 9 and not (tmp_path / "go").exists():
            clock.sleep(0.01)
        try:
            for _ in range(400 if quality < 9 else 4):
                jupyter_mlops.report(quality)
                clock.sleep(0.05)
        except Exception:  # noqa: BLE001 - as loops of trainers do
            return 100
        return quality

    qualities = [9, 9, 1, 2, 3, 4]
    found = mlops.sweep(objective, {"quality": qualities}, sampler="grid", prune="asha", cluster=cluster)
    until(lambda: [trial.phase for trial in found.trials[:2]] == ["done", "done"])
    (tmp_path / "go").touch()  # whoever is behind comes after them, on whichever worker
    assert found.result(LONG).value == 9
    assert [trial.phase for trial in found.trials] == ["done", "done", *["pruned"] * 4]
    assert all(trial.reports < 400 and trial.value == trial.params["quality"] for trial in found.trials[2:])
    written = map(json.loads, (run_folder(found.id).path / "trials.jsonl").read_text().splitlines())
    so_far = [each["reports"] for each in written if each["number"] == 5 and "phase" not in each and "value" in each]
    assert so_far and all(later >= 2 * before for before, later in pairwise(so_far)), "others see how good it is so far"


def test_a_trial_may_be_a_gang(cluster: mlops.Cluster, tmp_path: Path) -> None:
    def objective(kind: str, quality: int) -> int:
        import jupyter_mlops

        jupyter_mlops.log_metric("seen", quality + jupyter_mlops.rank(), 0)
        leads = jupyter_mlops.rank() == 0
        (tmp_path / f"{kind} {quality} {leads}").touch()
        while not (tmp_path / f"{kind} {quality} {not leads}").exists():  # each has logged before the trial may end
            time.sleep(0.01)
        if kind == "raises" and not leads:
            raise ValueError("rank 1 only")
        if kind == "dies" and not leads:
            os.kill(os.getpid(), signal.SIGKILL)
        for _ in range({"good": 2, "behind": 12000}.get(kind, 0)):
            jupyter_mlops.report((quality if kind == "good" else 0) if leads else 1000)
            time.sleep(0.05)
        if kind != "good":
            time.sleep(600)  # as in a collective with a rank that is gone
        return quality * jupyter_mlops.world()

    space = {"kind": ["good", "raises", "dies", "behind"], "quality": [9, 8]}
    found = mlops.sweep(objective, space, sampler="grid", prune="asha", gang=2, cluster=cluster, quiet=True)
    best = found.result(LONG)
    assert (best.params, best.value) == ({"kind": "good", "quality": 9}, 18)
    phases = [trial.phase for trial in found.trials]
    assert phases == ["done", "done", "failed", "failed", "failed", "failed", "pruned", "pruned"]
    assert found.trials[2].error == "rank 1: ValueError: rank 1 only" and "SIGKILL" in found.trials[4].error
    assert (found.record.done, found.record.failed) == (4, 4)
    seen = found.curves["seen"].trials
    assert sorted(seen) == list(range(8)) and seen[7].ranks[1].values == [9], "of each rank of each trial"
    assert {error.index for error in found.record.errors} == {2, 3, 4, 5}
    with pytest.raises(OutOfRange):
        mlops.sweep(square, X, gang=99, cluster=cluster)
    with pytest.raises(InvalidSpec, match="hang needs a gang"):
        mlops.sweep(square, X, hang=9, cluster=cluster)


def test_checkpoints_stay_of_the_best_trial_and_of_those_that_came_to_no_end(cluster: mlops.Cluster) -> None:
    def objective(quality: int) -> int:
        import jupyter_mlops

        folder = jupyter_mlops.resume()
        if folder is None:
            with jupyter_mlops.checkpoint(quality) as place:
                (place / "quality").write_text(str(quality))
            time.sleep(600 if quality == 4 else 0)
        return quality if folder is None else 10 * int((folder / "quality").read_text())

    def kept(sweep: Any) -> set[str]:
        return {path.parts[-3] for path in run_folder(sweep.id).checkpoints.glob("trial-*/step-*/quality")}

    how: dict[str, Any] = {"sampler": "grid", "gang": 1, "at_once": 1, "cluster": cluster, "quiet": True}
    found = mlops.sweep(objective, {"quality": [1, 3, 2, 4]}, **how)
    until(lambda: kept(found) == {"trial-1", "trial-3"}, LONG)
    found.cancel()
    until(lambda: found.state == "cancelled")
    again = mlops.sweep(objective, {"quality": [1, 3, 2, 4]}, **how)
    best = again.result(LONG)
    assert (best.number, best.value) == (3, 40) and "goes on from step 4" in again.prints()
    assert kept(found) == {"trial-1", "trial-3"}


def test_it_stops_at_a_time_and_goes_on_when_it_is_run_again(
    cluster: mlops.Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    first = mlops.sweep(slow, X, trials=120, seed=7, time=8, cluster=cluster, quiet=True)
    first.result()
    done = [trial for trial in first.trials if trial.phase == "done"]
    assert first.state == "done" and "its time of" in first.record.error and 0 < len(done) < 120
    assert {trial.phase for trial in first.trials} == {"done", "stopped"}
    capsys.readouterr()
    second = mlops.sweep(slow, X, trials=len(done) + 2, cluster=cluster)
    assert f"Going on with {len(done)} trial" in capsys.readouterr().out
    second.result()
    assert [trial for trial in second.trials if trial in done] == done and second.record.done == 2
    assert len({trial.params["x"] for trial in second.trials}) == len(done) + 2
    fresh = mlops.sweep(slow, X, trials=len(done) + 3, fresh=True, cluster=cluster, time=0.1, quiet=True)
    fresh.wait()
    assert not [trial for trial in fresh.trials if trial in done]


DRIVER = """
import pathlib, sys, time
import cloudpickle
import jupyter_mlops as mlops
cloudpickle.register_pickle_by_value(sys.modules["__main__"])
folder = pathlib.Path(sys.argv[3])
def objective(x):
    import time
    time.sleep(0.2)
    (folder / str(x)).touch()
    while len(list(folder.iterdir())) > 20 and not folder.with_name("go").exists():  # it is killed in the middle
        time.sleep(0.01)
    return x
print(mlops.sweep(objective, {"x": mlops.uniform(0, 1)}, trials=int(sys.argv[2]), cluster=sys.argv[1]).result())
"""


def test_a_killed_driver_costs_the_trials_under_way_and_no_more(cluster: mlops.Cluster, tmp_path: Path) -> None:
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    (tmp_path / "begun").mkdir()
    command = [sys.executable, str(script), cluster.name, "40", str(tmp_path / "begun")]
    begun = time.time()
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def done() -> list[Any]:
        mine = [run for run in read_runs() if run.kind == "sweep" and run.created > begun]
        return [trial for trial in run_folder(mine[0].id).trials() if trial.phase == "done"] if mine else []

    until(lambda: len(done()) >= 4)
    driver.kill()
    driver.communicate()
    (tmp_path / "go").touch()
    kept = done()
    until(lambda: read_runs()[0].phase == "lost")
    again = subprocess.run(command, capture_output=True, text=True, timeout=LONG, check=True)
    assert f"Going on with {len(kept)} trials" in again.stdout
    last = read_runs()[0]
    assert (last.phase, last.done) == ("done", 40 - len(kept))
    trials = run_folder(last.id).trials()
    assert [trial.number for trial in trials] == list(range(40)) and all(trial in trials for trial in kept)


def test_a_kernel_that_was_restarted_goes_on_before_its_cluster_knows(
    cluster: mlops.Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a tunnel a cluster waits long for a kernel that was killed."""
    for module in (sweeps_api, sweeps_earlier):
        monkeypatch.setattr(module, "origin_of_kernel", lambda: Origin(kernel="the-same"))
    go, begun = tmp_path / "go", tmp_path / "begun"
    begun.mkdir()

    def objective(x: float) -> float:
        (begun / str(x)).touch()
        while len(list(begun.iterdir())) > 2 and not go.exists():
            time.sleep(0.02)
        return x

    def start() -> mlops.Sweep:
        return mlops.sweep(objective, X, trials=8, cluster=cluster, quiet=True)

    first = start()
    until(lambda: first.record.done)
    with pytest.raises(Conflict, match="is going on"):
        start()
    kernel().begun.remove(first.record.id)  # as in the process that comes next
    second = start()
    until(lambda: first.state == "lost")
    go.touch()
    second.result(LONG)
    assert second.record.known in (1, 2) and len(second.trials) == 8


@pytest.fixture(scope="module")
def priced() -> Iterator[mlops.Cluster]:
    group = Group(name="default", workers=1, cpus=1, memory="1 GiB")
    profiles.save(Profile(name="of-sweeps", groups=[group], price=Price(cpu_hour=3600, source="the test's")))
    made = mlops.start("of-sweeps", name="of-sweeps")
    try:
        made.wait(1)
        mlops.run(abs, -1, cluster=made, quiet=True).result()  # its first process takes longest
        yield made
    finally:
        made.stop()
        loop_thread().call(kernel().sessions.close("of-sweeps"))
        until(lambda: made.state().phase == "ended")


def test_it_stops_at_an_amount_of_money(priced: mlops.Cluster, cluster: mlops.Cluster) -> None:
    with pytest.raises(Conflict, match="can't stop at 5: nobody knows what the workers of 'runs' cost"):
        mlops.sweep(slow, X, budget=5, cluster=cluster)
    found = mlops.sweep(slow, X, trials=100, budget=2.5, cluster=priced, name="bought", quiet=True)
    assert found.result().value is not None
    assert found.state == "done" and "its budget of $2.50" in found.record.error
    assert found.cost.amount is not None and found.cost.amount > 1 and found.record.done < 100
    spent = mlops.sweep(slow, X, trials=100, budget=found.cost.amount, cluster=priced, name="bought", quiet=True)
    spent.wait()  # what the first one cost counts
    assert spent.record.done == 0 and len(spent.trials) == len([each for each in found.trials if each.finished])


def test_what_can_t_be_is_said_before_anything_starts(cluster: mlops.Cluster) -> None:
    with pytest.raises(InvalidSpec, match="don't fit: it is called with y"):
        mlops.sweep(square, {"y": [1]}, cluster=cluster)
    with pytest.raises(InvalidSpec, match="can't be detached"):
        mlops.sweep(square, X, detach=True, cluster=cluster)
    with pytest.raises(InvalidSpec, match="prune can't be 'hyper'"):
        mlops.sweep(square, X, prune="hyper", cluster=cluster)
    with pytest.raises(RunFailed, match="all of its trials did"):
        mlops.sweep(lambda x: "good", X, trials=2, cluster=cluster, quiet=True).result()


def test_a_study_draws_and_learns(cluster: mlops.Cluster) -> None:
    optuna = pytest.importorskip("optuna")
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=1))
    found = mlops.sweep(square, X, trials=25, study=study, cluster=cluster, quiet=True)
    best = found.result()
    assert len(study.trials) == 25 and study.best_value == best.value and study.best_params == best.params
    assert abs(best.params["x"] - 0.5) < 0.1
