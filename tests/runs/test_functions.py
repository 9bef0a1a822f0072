"""`mlops.run` and `mlops.map` on a real cluster."""

from __future__ import annotations

import errno
import gc
import math
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jupyter_mlops as mlops
from jupyter_mlops import home
from jupyter_mlops.client.clusters.kernel import kernel, loop_thread
from jupyter_mlops.client.runs.again import again
from jupyter_mlops.core import errors
from jupyter_mlops.core.cluster import Counts
from jupyter_mlops.home.runs import run_folder

from .cluster import LONG, until

#: For a process of its own, which has no characters but ASCII.
PLAIN = """
import jupyter_mlops as mlops

def greet(name):
    print("grüßt", name)
    return f"grüß {name}"

run = mlops.run(greet, "Zoë", cluster="runs")
assert run.result(150) == "grüß Zoë"
assert list(mlops.map(greet, ["Zoë"], cluster="runs").results()) == ["grüß Zoë"]
assert mlops.run(greet, "Zoë", cluster="runs", detach=True, name="größer").result(150) == "grüß Zoë"
assert mlops.get_run(run.id).prints() == "grüßt Zoë\\n"
print("and quietly", flush=True)
assert mlops.run(greet, "Zoë", cluster="runs", quiet=True).result(150) == "grüß Zoë"
assert list(mlops.map(greet, ["Zoë"], cluster="runs", quiet=True).results()) == ["grüß Zoë"]
"""


def test_a_terminal_without_umlauts_shows_what_it_can_and_a_quiet_run_shows_nothing(
    cluster: mlops.Cluster, tmp_path: Path
) -> None:
    script = tmp_path / "plain.py"
    script.write_text(PLAIN, encoding="utf-8")
    ascii_only = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run([sys.executable, str(script)], env=ascii_only, capture_output=True, timeout=2 * LONG)
    assert done.returncode == 0, done.stderr.decode()
    shown, quiet = done.stdout.split(b"and quietly\n")
    assert shown.split(b"\n")[:2] == [b"gr??t Zo?", b"gr??t Zo?"] and not quiet
    command = [sys.executable, "-m", "jupyter_mlops.cli.main", "runs"]
    listed = subprocess.run(command, env=ascii_only, capture_output=True, timeout=LONG)
    assert listed.returncode == 0 and b"gr??er" in listed.stdout, listed.stderr.decode()


def test_a_function_runs_in_a_worker_and_its_value_comes_back(cluster: mlops.Cluster) -> None:
    run = mlops.run(lambda a, b=0: (a + b, os.getpid()), 1, b=2, cluster=cluster)
    value, pid = run.result(LONG)
    assert value == 3 and pid != os.getpid()
    assert run.state == "done" and run.cluster == "runs" and run.record.busy > 0


def test_prints_come_from_each_thread_to_its_own_run(
    cluster: mlops.Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    def talk(word: str) -> None:
        for _ in range(3):
            print(word)
            time.sleep(0.02)

    runs = [mlops.run(talk, word, cluster=cluster) for word in ("one", "two", "three", "four")]
    for run, word in zip(runs, ("one", "two", "three", "four"), strict=True):
        run.result(LONG)
        assert run.prints() == f"{word}\n" * 3
    assert capsys.readouterr().out.count("three") == 3


def test_a_storm_of_prints_is_cut_and_says_so(cluster: mlops.Cluster) -> None:
    def storm() -> int:
        for number in range(200_000):
            print(f"line {number} " + "x" * 50)
        return 1

    run = mlops.run(storm, cluster=cluster)
    assert run.result(LONG) == 1
    assert "printed too fast to be shown" in run.prints()


def test_results_that_stay_on_the_cluster(cluster: mlops.Cluster) -> None:
    run = mlops.map(lambda item: item * 2, range(100), cluster=cluster, keep=True)
    bag = run.result(LONG)
    client = cluster.client()
    try:
        assert bag.sum().compute(scheduler=client) == 9900
    finally:
        client.close()


def test_a_detached_run_is_found_by_its_id(cluster: mlops.Cluster, tmp_path: Path) -> None:
    run = mlops.map(lambda item: print(f"<{item}>") or item, range(50), cluster=cluster, detach=True)
    found = mlops.get_run(run.id)
    assert list(found.results()) == list(range(50))
    assert found.state == "done" and found.record.kept and found.record.repeatable
    assert sorted(found.prints().split()) == sorted(f"<{item}>" for item in range(50))
    assert run.id in [known.id for known in mlops.runs()]
    with pytest.raises(errors.UnknownRun, match="Did you mean"):
        mlops.get_run(run.id[:-1] + ("0" if run.id[-1] != "0" else "1"))


def test_a_detached_map_waits_for_no_item(cluster: mlops.Cluster, tmp_path: Path) -> None:
    gate = tmp_path / "gate"

    def wait(item: int) -> int:
        while not gate.exists():
            time.sleep(0.02)
        return item

    run = mlops.map(wait, range(50), cluster=cluster, detach=True)
    assert run.record.done == 0
    gate.touch()
    assert mlops.get_run(run.id).result(LONG) == list(range(50))
    repeated = loop_thread().call(again(run.id))
    assert mlops.get_run(repeated.run.id).result(LONG) == list(range(50))


def test_a_detached_run_that_raises_says_so_later(cluster: mlops.Cluster) -> None:
    run = mlops.run(lambda: 1 // 0, cluster=cluster, detach=True)
    with pytest.raises(errors.RunFailed, match="ZeroDivisionError"):
        mlops.get_run(run.id).result(LONG)


def test_metrics_and_params_arrive(cluster: mlops.Cluster) -> None:
    def train() -> None:
        import jupyter_mlops

        jupyter_mlops.log_param("rate", 0.1)
        for step in range(3):
            jupyter_mlops.log_metric("loss", 1 / (step + 1), step)
            jupyter_mlops.log_metric("counted", float("nan") if step == 1 else step)
        for wrong in (
            {"value": "much"},
            {"value": 10**400},
            {"value": 1.0, "step": 0.5},
            {"value": 1.0, "step": 2**60},
        ):
            with pytest.raises(errors.InvalidInput, match="'bad' can't be recorded"):
                jupyter_mlops.log_metric("bad", **wrong)

    run = mlops.run(train, cluster=cluster)
    run.result(LONG)
    assert run.record.params == {"rate": "0.1"} and run.record.metrics == {"loss": pytest.approx(1 / 3), "counted": 2.0}
    assert not [entry for entry in run_folder(run.id).journal() if entry.kind == "metric"], (
        "prints have it for themselves"
    )
    until(lambda: [len(each) for each in run.curves.values()] == [3, 3])
    assert list(run.curves) == ["loss", "counted"] and list(run.curves["loss"].ranks) == [0]
    loss = run.curves["loss"]
    assert (loss.steps, loss.values) == ([0, 1, 2], [1.0, pytest.approx(0.5), pytest.approx(1 / 3)])
    assert run.curves["counted"].steps == [0, 1, 2] and math.isnan(run.curves["counted"].values[1])
    assert repr(run.curves["counted"]) == "<counted: 3 points, steps 0 to 2, 0 to 2, last 2 ▁ █>"
    assert list(run.curves.frame()["rank"]) == [0] * 6
    with pytest.raises(KeyError, match="'los' is none of 'loss', 'counted'"):
        run.curves["los"]
    with pytest.raises(errors.Conflict, match="belongs to a run"):
        mlops.log_metric("loss", 1.0)


def spin() -> None:
    while True:
        pass


@pytest.mark.parametrize("code", [spin, lambda: time.sleep(1000)], ids=["loop", "sleep"])
def test_cancel_stops_the_code_and_the_worker_stays(cluster: mlops.Cluster, code: Any) -> None:
    before = {worker.pid for worker in workers_of(cluster)}
    run = mlops.run(code, cluster=cluster)
    until(lambda: run.state == "running")
    run.cancel()
    with pytest.raises(errors.RunCancelled):
        run.result(LONG)
    until(lambda: cluster.state().counts.busy == 0)
    assert {worker.pid for worker in workers_of(cluster)} == before
    assert mlops.run(lambda: 1, cluster=cluster).result(LONG) == 1


def test_code_that_catches_everything_is_stopped_too(cluster: mlops.Cluster) -> None:
    def stubborn() -> None:
        for _ in range(3):
            try:
                spin()
            except BaseException:  # noqa: BLE001 - the point of the test
                continue

    run = mlops.run(stubborn, cluster=cluster)
    until(lambda: run.state == "running")
    run.cancel()
    until(lambda: cluster.state().counts.busy == 0)


def test_a_timeout_is_kept(cluster: mlops.Cluster) -> None:
    with pytest.raises(errors.RunTimeout, match=r"longer than 0\.5 s"):
        mlops.run(spin, cluster=cluster, timeout=0.5).result(LONG)
    until(lambda: cluster.state().counts.busy == 0)


def test_big_variables_travel_once_and_can_not_be_spoiled(cluster: mlops.Cluster) -> None:
    big = np.ones(2_000_000)

    def spoil() -> float:
        big[:] = 7
        return float(big.sum())

    assert mlops.run(spoil, cluster=cluster).result(LONG) == 14_000_000
    assert mlops.map(lambda item: item + float(big.sum()), [1, 2], cluster=cluster).result(LONG) == [
        2_000_001,
        2_000_002,
    ]
    big[0] = 2
    assert mlops.run(lambda: float(big.sum()), cluster=cluster).result(LONG) == 2_000_001


def test_what_keeps_a_run_from_a_worker_is_said_while_one_waits(
    cluster: mlops.Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    big = np.ones(2_000_000)

    def total() -> float:
        return float(big.sum())

    assert mlops.run(total, cluster=cluster).result(LONG) == 2_000_000
    cluster.scale(0)  # a variable that is there for the next run keeps no worker
    # The tests of another file may have killed some, and those are told of for ten minutes.
    until(
        lambda: cluster.state().counts.model_copy(update={"lost": 0}) == Counts(),
        tell=lambda: (cluster.state(), cluster.events()[-20:]),
    )
    run, found = mlops.run(total, cluster=cluster), list[float]()
    waiting = threading.Thread(target=lambda: found.append(run.result(LONG)))
    waiting.start()
    until(lambda: "Scale the group up." in capsys.readouterr().err)
    cluster.scale(2)
    waiting.join()
    assert found == [2_000_000]


def test_the_workers_of_a_machine_have_their_processes_from_one_template(cluster: mlops.Cluster) -> None:
    def process(item: int) -> tuple[int, int]:
        time.sleep(0.2)  # so that each worker gets some
        return os.getpid(), os.getppid()

    found: list[tuple[int, int]] = []

    def from_one() -> bool:
        found[:] = mlops.map(process, range(4), cluster=cluster).result(LONG)
        return len({pid for pid, _ in found}) >= 2 and len({template for _, template in found}) == 1

    until(from_one, tell=lambda: found)  # while a template learns what they import there are two


def test_much_that_is_printed_at_once_is_kept_to_its_end(cluster: mlops.Cluster) -> None:
    def chatty() -> None:
        sys.stdout.write("x" * 600_000 + "\nthe end\n")

    run = mlops.run(chatty, cluster=cluster, quiet=True)
    run.result(LONG)
    assert run.prints() == "x" * 600_000 + "\nthe end\n"


def variables_of(cluster: mlops.Cluster) -> list[Path]:
    """The files of large variables of a cluster of this machine."""
    return list((home.clusters_dir() / cluster.name / "work" / "variables").iterdir())


def test_a_big_variable_is_one_file_for_all_workers_as_long_as_the_notebook_has_it(cluster: mlops.Cluster) -> None:
    def of(big: Any) -> Any:
        def seen(item: int) -> float:
            time.sleep(0.1)  # so that each worker gets one
            return float(big[::1000].sum())

        return seen

    seen = of(np.ones(4_000_000))
    before = set(variables_of(cluster))
    assert mlops.map(seen, range(4), cluster=cluster).result(LONG) == [4000.0] * 4
    (file,) = set(variables_of(cluster)) - before
    assert (file.stat().st_mode & 0o777, file.stat().st_size // 1_000_000) == (0o600, 32)
    detached = mlops.map(seen, range(20), cluster=cluster, detach=True)
    assert detached.result(LONG) == [4000.0] * 20
    assert set(variables_of(cluster)) - before == {file}
    del seen, detached
    until(lambda: gc.collect() >= 0 and not file.exists())


def test_the_next_run_with_a_variable_begins_on_all_workers(cluster: mlops.Cluster) -> None:
    """Dask has a task done where what it needs is, and drops what it thinks to be a copy too many."""
    big = np.ones(2_000_000)
    with cluster.client() as client:
        before = set(client.who_has())
        assert mlops.map(lambda item: item + int(big[0]), range(2), cluster=cluster).result(LONG) == [1, 2]
        own = client.scatter({"own": 1}, broadcast=True)
        client.amm.run_once()
        until(lambda: len(client.who_has()["own"]) == 1)
        (variable,) = set(client.who_has()) - before - {"own"}
        assert len(client.who_has()[variable]) == 2
        del own


def test_a_big_variable_travels_where_no_file_can_be_written(
    cluster: mlops.Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("jupyter_mlops.home.variables.write", full)
    big = np.arange(2_000_000)
    assert mlops.map(lambda item: item + int(big[-1]), [1, 2], cluster=cluster).result(LONG) == [2_000_000, 2_000_001]


def test_what_cannot_travel_is_named(cluster: mlops.Cluster) -> None:
    lock = threading.Lock()
    with pytest.raises(errors.NotPicklable, match=r"'lock', a _thread\.lock"):
        mlops.run(lambda: lock.locked(), cluster=cluster)
    with pytest.raises(errors.RunFailed, match="pickle"):
        mlops.run(threading.Lock, cluster=cluster).result(LONG)
    with pytest.raises(errors.ItemsFailed, match=r"The 1 item .* the open file '/dev/null' can't travel"):
        mlops.map(open, ["/dev/null"], cluster=cluster).result(LONG)
    results = mlops.map(lambda item: threading.Lock() if item == 1 else item, range(3), cluster=cluster).result(LONG)
    assert results[0] == 0 and isinstance(results[1], mlops.FailedItem) and results[2] == 2


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"timeout": -1}, errors.InvalidSpec),
        ({"retries": "many"}, errors.InvalidSpec),
        ({"workers": (3, 1)}, errors.InvalidSpec),
        ({"workers": 1000}, errors.OutOfRange),
        ({"workers": (0, 1000)}, errors.OutOfRange),
        ({"group": "defualt"}, errors.UnknownGroup),
        ({"on_error": "ignore"}, errors.InvalidSpec),
        ({"keep": True, "detach": True}, errors.InvalidSpec),
        ({"color": "red"}, errors.InvalidSpec),
    ],
)
def test_wrong_options_are_refused_before_anything_starts(
    cluster: mlops.Cluster, options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        mlops.map(str, [1], cluster=cluster, **options)


def test_an_unknown_cluster_has_a_near_name(cluster: mlops.Cluster) -> None:
    with pytest.raises(errors.UnknownCluster, match="Did you mean 'runs'"):
        mlops.run(str, cluster="run")


def test_a_group_of_workers(cluster: mlops.Cluster) -> None:
    assert mlops.map(lambda item: item, range(3), cluster=cluster, group="default").result(LONG) == [0, 1, 2]


def workers_of(cluster: mlops.Cluster) -> list[Any]:
    from jupyter_mlops.client.clusters.kernel import loop_thread

    async def ask() -> list[Any]:
        return (await (await kernel().sessions.open(cluster.name)).link.view()).workers

    return [worker for worker in loop_thread().call(ask()) if worker.phase in ("idle", "busy")]


def test_a_model_is_saved_in_the_code_of_a_run(cluster: mlops.Cluster) -> None:
    def train() -> str:
        import numpy as np

        import jupyter_mlops as mlops

        X = np.arange(20.0).reshape(10, 2)
        return mlops.save_model(lambda X: 2 * X[:, 0], "doubled", valid=(X, 2 * X[:, 0])).name

    run = mlops.run(train, cluster=cluster)
    assert run.result() == "doubled@1"
    version = mlops.model("doubled").version(1)
    assert (version.record.made.run, version.metrics["rmse"].value) == (run.id, 0.0)
    assert mlops.model("doubled").trail[0].actor.how == "run"
    assert version.load()(np.ones((1, 2))) == [2.0]
    assert version.cost is not None and "save_model" in (version.path.parent / "source.py").read_text()
    twice = mlops.run(lambda: lambda X: 3 * X[:, 0], cluster=cluster)
    second = mlops.save_model(twice, "doubled", valid=(np.ones((9, 2)), np.full(9, 3.0)))
    assert (second.name, second.record.made.run, second.metrics["rmse"].value) == ("doubled@2", twice.id, 0.0)
