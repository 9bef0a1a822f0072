"""Gangs: processes on several workers that start together, talk to each other, and end together."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

import jupyter_mlops as mlops
from jupyter_mlops import errors, home
from jupyter_mlops.client.clusters.kernel import kernel, loop_thread
from jupyter_mlops.core.run import RunState
from jupyter_mlops.core.sizing import LEAST
from jupyter_mlops.core.stack import PythonStacks

from .cluster import LONG, until
from .test_runners import pids_of


def where() -> tuple[int, int, str, int]:
    return mlops.rank(), mlops.world(), os.environ["LOCAL_RANK"], os.getpid()


def test_ranks_know_themselves_and_the_run_gives_what_rank_0_gave(cluster: mlops.Cluster) -> None:
    run = mlops.train(where, workers=2, cluster=cluster)
    assert run.result(LONG)[:3] == (0, 2, "0")
    seen = list(run.results())
    assert [each[:3] for each in seen] == [(0, 2, "0"), (1, 2, "1")], "of this machine, as under torchrun"
    assert len({each[3] for each in seen} - pids_of(cluster)) == 2, "each has a process of its own"
    assert run.record.kind == "gang" and run.record.total == run.record.done == 2
    assert (mlops.rank(), mlops.world()) == (0, 1), "here there is no gang"
    mlops.progress(3, 4)
    with pytest.raises(errors.InvalidInput, match="step can't be -1"):
        mlops.progress(-1)


def test_several_ranks_on_each_worker(cluster: mlops.Cluster) -> None:
    run = mlops.train(where, workers=2, per_worker=2, cluster=cluster)
    run.result(LONG)
    assert [each[:3] for each in run.results()] == [(rank, 4, str(rank)) for rank in range(4)]


def test_what_ranks_print_has_their_number(cluster: mlops.Cluster) -> None:
    def say() -> None:
        for part in ("a line ", "in parts\n", "and one without an end"):
            print(part, end="", flush=True)
            time.sleep(0.05)

    run = mlops.train(say, workers=2, cluster=cluster)
    run.result(LONG)
    lines = [f"[rank {rank}] {text}" for rank in (0, 1) for text in ("a line in parts", "and one without an end")]
    until(lambda: sorted(run.prints().splitlines()) == sorted(lines))


def test_each_rank_has_its_curves_and_a_flood_of_points_keeps_no_print_waiting(cluster: mlops.Cluster) -> None:
    def train() -> None:
        print("begin")
        for step in range(3):
            mlops.log_metric("loss", 10 * mlops.rank() + step, step)
        for step in range(60_000 if mlops.rank() == 1 else 0):
            mlops.log_metric("flood", -1.0 if step == 40_000 else step % 7, step)
        print("end")

    run = mlops.train(train, workers=2, cluster=cluster)
    run.result(LONG)
    until(lambda: len(run.curves.get("flood", ())) > 1 and run.curves["flood"].ranks[1].steps[-1] == 59_999)
    assert {rank: curve.values for rank, curve in run.curves["loss"].ranks.items()} == {0: [0, 1, 2], 1: [10, 11, 12]}
    assert run.record.metrics["loss"] == 2.0, "rank 0's"
    assert min(run.curves["flood"].values) == -1.0
    until(lambda: sum(line.endswith(("begin", "end")) for line in run.prints().splitlines()) == 4)
    link = loop_thread().call(kernel().sessions.open(run.record.cluster)).link
    view = loop_thread().call(link.run_curves(run.id, 0, 100))
    flood = next(curve for curve in view.curves if curve.key == "flood")
    assert len(flood.steps) <= 100 and -1.0 in flood.values
    assert loop_thread().call(link.run_curves(run.id, view.seq)).curves == []


def _waits_for_others() -> None:
    """What a rank does that has lost another: it hangs until it is told."""
    if mlops.rank() == 0:
        signal.pause()


@pytest.mark.parametrize(
    ("death", "words"),
    [
        (lambda: 1 // 0, "rank 1: ZeroDivisionError"),
        (lambda: exec("raise SystemExit(3)"), "rank 1: SystemExit: 3"),
        (lambda: os._exit(3), "rank 1: .*exit code 3"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "rank 1: .*SIGKILL"),
        (lambda: __import__("ctypes").string_at(0), "rank 1: .*SIGSEGV"),
    ],
    ids=["raise", "exit", "hard exit", "kill", "crash"],
)
def test_one_rank_ends_all_and_is_to_blame(cluster: mlops.Cluster, death: Callable[[], Any], words: str) -> None:
    def work() -> None:
        _waits_for_others()
        death()

    before = pids_of(cluster)
    with pytest.raises(errors.RunFailed, match=words):
        mlops.train(work, workers=2, cluster=cluster).result(LONG)
    assert mlops.map(abs, range(-4, 0), cluster=cluster).result(LONG) == [4, 3, 2, 1], "the workers are free"
    assert pids_of(cluster) == before, "and still there"


def test_it_is_told_where_each_rank_is_also_in_c_code(cluster: mlops.Cluster) -> None:
    def work() -> None:
        def wait_for_nobody() -> None:
            import os

            os.read(os.pipe()[0], 1)  # no Python code runs meanwhile

        wait_for_nobody()

    run, seen = mlops.train(work, workers=2, cluster=cluster), list[PythonStacks]()

    def told() -> bool:
        seen.append(run.stacks())  # one that has no time for it tells none, the next time again
        return [each.text.count("in wait_for_nobody") for each in seen[-1]] == [1, 1]

    until(told)
    stacks = seen[-1]
    assert [each.rank for each in stacks] == [0, 1] and "rank 1 on " in repr(stacks)
    assert "jupyter-mlops" not in repr(stacks), "our own frames are left out"
    run.cancel()
    until(lambda: run.state == "cancelled")
    assert run.stacks() == []


def test_an_exception_is_the_users_own(cluster: mlops.Cluster) -> None:
    class Odd(Exception):
        pass

    def work() -> None:
        _waits_for_others()
        raise Odd("here")

    with pytest.raises(errors.RunFailed) as failed:
        mlops.train(work, workers=2, cluster=cluster).result(LONG)
    assert type(failed.value.__cause__).__name__ == "Odd"


def test_cancelling_ends_all_ranks_and_what_they_started(cluster: mlops.Cluster, tmp_path: Path) -> None:
    def work(folder: Path) -> None:
        import subprocess
        import sys

        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
        (folder / str(mlops.rank())).write_text(f"{os.getpid()} {child.pid}")
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pause()

    before = pids_of(cluster)
    run = mlops.train(work, tmp_path, workers=2, cluster=cluster)
    until(lambda: len([path for path in tmp_path.iterdir() if path.read_text()]) == 2)
    pids = [int(pid) for path in tmp_path.iterdir() for pid in path.read_text().split()]
    run.cancel()
    with pytest.raises(errors.RunCancelled):
        run.result(LONG)
    until(lambda: not any(psutil.pid_exists(pid) for pid in pids))
    assert mlops.map(abs, range(-4, 0), cluster=cluster).result(LONG) == [4, 3, 2, 1]
    assert pids_of(cluster) == before


def test_gangs_that_want_the_same_workers_take_turns(cluster: mlops.Cluster, tmp_path: Path) -> None:
    def meet(folder: str) -> int:
        Path(folder, str(mlops.rank())).touch()
        while len(list(Path(folder).iterdir())) < 2:
            time.sleep(0.01)
        return mlops.rank()

    folders = [str(home.private(tmp_path / str(number))) for number in range(3)]
    gangs = [
        mlops.train(meet, folder, workers=2, cluster=cluster, name=f"gang {n}") for n, folder in enumerate(folders)
    ]
    assert [list(gang.results()) for gang in gangs] == [[0, 1]] * 3


def test_a_gang_and_a_map_share_a_cluster(cluster: mlops.Cluster) -> None:
    items = mlops.map(lambda item: (time.sleep(0.02), item)[1], range(200), cluster=cluster)
    gang = mlops.train(where, workers=2, cluster=cluster)
    assert gang.result(LONG)[1] == 2
    assert items.result(LONG) == list(range(200))


def test_a_cluster_with_too_few_workers_gets_more(cluster: mlops.Cluster) -> None:
    cluster.scale(1)
    until(lambda: len(pids_of(cluster)) == 1)
    assert mlops.train(where, workers=2, cluster=cluster).result(LONG)[1] == 2
    until(lambda: any("gang" in event.text for event in cluster.events()))  # they are written a moment later


def test_a_gang_keeps_its_workers_until_its_end(cluster: mlops.Cluster, tmp_path: Path) -> None:
    def work(folder: Path) -> str:
        (folder / str(mlops.rank())).touch()
        while not (folder / "go").exists():
            time.sleep(0.01)
        return os.environ["TORCHELASTIC_RESTART_COUNT"]

    run = mlops.train(work, tmp_path, workers=2, cluster=cluster)
    until(lambda: len(list(tmp_path.iterdir())) == 2)
    cluster.scale(1)
    (tmp_path / "go").touch()
    assert run.result(LONG) == "0"
    until(lambda: len(pids_of(cluster)) == 1)


def test_more_workers_than_there_can_be_are_refused_at_once(cluster: mlops.Cluster) -> None:
    with pytest.raises(errors.OutOfRange, match="allows"):
        mlops.train(where, workers=10_000, cluster=cluster)


@pytest.mark.parametrize("workers", [0, -1, True, 1.5, None, "2:4", (0, 2), (1, 2, 3)])
def test_a_gang_has_a_number_of_workers(cluster: mlops.Cluster, workers: Any) -> None:
    with pytest.raises(errors.InvalidSpec, match=r"workers can't be .*: it is a number of workers, or the smallest"):
        mlops.train(where, workers=workers, cluster=cluster)


def test_an_elastic_one_makes_do_with_fewer_workers(cluster: mlops.Cluster, tmp_path: Path) -> None:
    """One of two is busy. What the ranks gave comes home, also where nobody waits for it."""

    def wait(until: Path) -> None:
        while not until.exists():
            time.sleep(0.05)

    busy = mlops.run(wait, tmp_path / "go", cluster=cluster)
    until(lambda: cluster.state().counts.busy == 1)
    try:
        run = mlops.train(mlops.world, workers=(1, 2), cluster=cluster)
        alone = mlops.train(mlops.world, workers=(1, 2), cluster=cluster, detach=True)
        assert run.result(LONG) == 1 and list(run.results()) == [1]
        assert alone.result(LONG) == 1 and alone.state == "done"
        with pytest.raises(errors.OutOfRange, match="allows"):
            mlops.train(where, workers=(10_000, 20_000), cluster=cluster)
    finally:
        (tmp_path / "go").touch()
        busy.wait(LONG)
    assert mlops.train(mlops.world, workers=(1, 10_000), cluster=cluster, per_worker=2).result(LONG) >= 4


def test_a_detached_gang_goes_on_alone(cluster: mlops.Cluster) -> None:
    run = mlops.train(where, workers=2, cluster=cluster, detach=True)
    found = mlops.get_run(run.id)
    assert found.result(LONG)[:2] == (0, 2)
    assert [each[0] for each in found.results()] == [0, 1]
    failed = mlops.train(lambda: 1 // 0, workers=2, cluster=cluster, detach=True)
    with pytest.raises(errors.RunFailed, match=r"rank \d: ZeroDivisionError"):
        mlops.get_run(failed.id).result(LONG)


def test_it_pays_for_whole_workers_for_as_long_as_it_has_them(cluster: mlops.Cluster) -> None:
    run = mlops.train(time.sleep, 1, workers=2, cluster=cluster)
    run.result(LONG)
    usage = run.record.cost.usage
    assert usage.worker_hours * 3600 >= 2


def test_a_port_that_somebody_took_is_changed(cluster: mlops.Cluster) -> None:
    def work() -> int:
        attempt = int(os.environ["TORCHELASTIC_RESTART_COUNT"])
        port = int(os.environ["JAX_COORDINATOR_ADDRESS"].rpartition(":")[2])
        with socket.create_server(("127.0.0.1", port)), contextlib.ExitStack() as second:
            if attempt == 0:
                second.enter_context(socket.create_server(("127.0.0.1", port)))
        return attempt

    run = mlops.train(work, workers=1, per_worker=1, cluster=cluster)
    assert run.result(LONG) >= 1 and "begin again, with other ports" in run.prints()  # others take ports, too


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP], ids=["dies", "falls silent"])
def test_a_worker_that_goes_costs_an_attempt_and_no_more(
    cluster: mlops.Cluster, tmp_path: Path, end: signal.Signals
) -> None:
    def work(folder: Path) -> int:
        attempt = int(os.environ["TORCHELASTIC_RESTART_COUNT"])
        (folder / f"{attempt}-{mlops.rank()}").touch()
        if attempt == 0:
            signal.pause()
        return attempt

    run = mlops.train(work, tmp_path, workers=2, cluster=cluster)
    until(lambda: len(list(tmp_path.iterdir())) == 2)
    victim = min(pids_of(cluster))
    os.kill(victim, end)
    try:
        assert run.result(LONG) == 1 and list(run.results()) == [1, 1]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
    assert "begin again" in run.prints()
    assert ("has said nothing for 10 s" in run.prints()) == (end == signal.SIGSTOP)


def test_on_one_machine_nothing_listens(cluster: mlops.Cluster) -> None:
    def ports() -> tuple[int, bool]:
        port = int(os.environ["MASTER_PORT"])
        with socket.socket() as end:
            return port, end.connect_ex(("127.0.0.1", port)) == 0

    run = mlops.train(ports, workers=2, cluster=cluster)
    run.result(LONG)
    assert not any(open_ for _, open_ in run.results())


def test_the_ranks_of_a_worker_share_its_threads() -> None:
    from jupyter_mlops.agent.agent import _share

    given = {"OMP_NUM_THREADS": "8", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "all", "HOME": "/"}
    assert _share(given, 3) == {**given, "OMP_NUM_THREADS": "2"}


def test_a_gang_that_hangs_says_where_all_ranks_are_and_goes_on_from_its_checkpoint(
    cluster: mlops.Cluster, tmp_path: Path
) -> None:
    def train(folder: Path) -> int:
        def meet(step: int) -> None:
            (folder / f"{mlops.rank()} {step} {begun is None}").touch()
            while not (folder / f"{1 - mlops.rank()} {step} {begun is None}").exists():
                time.sleep(0.01)

        begun = mlops.resume()
        for step in range(begun.step if begun else 0, 40):
            while step == 20 and begun is None and not (folder / "seen").exists():
                mlops.progress(19, 40)  # a sign of life
                time.sleep(0.05)
            if step == 20 and begun is None and mlops.rank() == 1:
                os.kill(os.getpid(), signal.SIGSTOP)
            meet(step)
            mlops.progress(step, 40)
            if step == 10:
                with mlops.checkpoint(step) as place:
                    (place / str(mlops.rank())).touch()
        return begun.step

    run, seen = mlops.train(train, tmp_path, workers=2, hang=6.0, cluster=cluster), list[RunState]()

    def comes_to_it() -> bool:
        seen.append(run.record)
        return [rank.step for rank in seen[-1].ranks] == [19, 19]

    until(comes_to_it)
    (tmp_path / "seen").touch()
    assert [rank.phase for rank in seen[-1].ranks] == ["running"] * 2 and (seen[-1].left or 0) > 0
    assert len({rank.worker for rank in seen[-1].ranks}) == 2
    assert run.result(LONG) == 10
    text = r"no rank has made a step for \d.* s: the process of rank 1 is stopped"
    prints = run.prints()
    assert re.search(rf"\[gang\] It hangs: {text}. Where each rank is:\nrank 0 on .*:\n(.*\n)* .* in meet\n", prints)
    assert re.search(rf"rank 1: RunHung: {text}: all ranks begin again \(restart 1 of 3\)", prints)
    used = run.record.use[0]
    assert run.record.attempt == 2 and (used.workers, used.at_once) == (2, 1)
    assert 2 <= used.seconds < LONG, "a worker that had no time to look for a second doesn't count the two around it"
    assert used.own_peak + used.largest <= 1.1 * used.peak and used.busy > 0
    assert run.advice() == [] or used.seconds >= LEAST, "it was too short to tell"
