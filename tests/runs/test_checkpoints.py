"""Checkpoints: what happens to a gang costs the steps since the last one, and no more."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import jupyter_mlops as mlops
from jupyter_mlops import errors

from .cluster import LONG, a_cluster, until
from .test_faults import is_scheduler
from .test_functions import workers_of
from .test_runners import pids_of

#: Steps of the training below, and steps between two checkpoints.
STEPS, EVERY = 40, 5


@pytest.fixture(scope="module")
def three() -> Iterator[mlops.Cluster]:
    """Three workers, of which a gang has two."""
    with a_cluster("three", 3) as made:
        yield made


def train(notes: str, end: Callable[[int], None] = lambda step: None, pause: float = 0.02) -> int:
    """A training whose state is a number in a file of each rank's. Writes down where each attempt began."""
    import time

    folder = mlops.resume()
    begin = int((folder / f"rank-{mlops.rank()}").read_text()) if folder is not None else 0
    assert folder is None or folder.step == begin
    with Path(f"{notes}/{mlops.rank()}").open("a") as file:
        file.write(f"{begin}\n")
    step = begin
    while step < STEPS:
        time.sleep(pause)
        mlops.log_metric("at", begin, step)
        end(step)
        meet(notes, step)
        step += 1
        stop = mlops.stopping()
        if step % EVERY == 0 or stop:
            with mlops.checkpoint(step, best=-abs(step - 10) if step > EVERY else float("nan")) as place:
                (place / f"rank-{mlops.rank()}").write_text(str(step))
        if stop:
            break
    return step


def meet(notes: str, step: int) -> None:
    """Wait for the other rank, as an all-reduce does."""
    import time

    attempt = f"{os.environ['TORCHELASTIC_RUN_ID']}-{os.environ['TORCHELASTIC_RESTART_COUNT']}"
    Path(notes, f"at-{attempt}-{step}-{mlops.rank()}").touch()
    while not Path(notes, f"at-{attempt}-{step}-{1 - mlops.rank()}").exists():
        time.sleep(0.001)


def begins(notes: Path) -> list[list[int]]:
    """Where each rank's attempts began."""
    return [[int(line) for line in (notes / str(rank)).read_text().split()] for rank in (0, 1)]


def once(notes: Path, step: int, rank: int, end: Callable[[], Any]) -> Callable[[int], None]:
    """Ends that rank at that step, the first time, when it is `let`."""
    marker, wait = notes / "ended", held(notes, step)

    def at(now: int) -> None:
        if now == step and mlops.rank() == rank and not marker.exists():
            wait(now)
            marker.touch()
            end()

    return at


def held(notes: Path, *steps: int) -> Callable[[int], None]:
    """Waits at these steps until `let` them pass: what a test does meanwhile comes in time on any machine."""

    def at(now: int) -> None:
        import time

        while now in steps and not (notes / f"pass-{now}").exists():
            time.sleep(0.01)

    return at


def let(notes: Path, step: int) -> None:
    (notes / f"pass-{step}").touch()


def saved(run: mlops.Run) -> int:
    """The step of the last checkpoint that the cluster knows to be complete: it hears of each rank's part by itself."""
    return run.record.checkpoint.step if run.record.checkpoint is not None else 0


@pytest.mark.parametrize(
    "end",
    [
        lambda: os.kill(os.getpid(), signal.SIGKILL),
        lambda: os._exit(3),
        lambda: sys.exit(3),
        lambda: 1 // 0,
        lambda: (os.kill(os.getppid(), signal.SIGKILL), signal.pause()),  # it ends a moment after its parent
    ],
    ids=["kill", "hard exit", "exit", "raise", "its template too"],
)
@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_that_ends_costs_the_steps_since_the_last_checkpoint(
    cluster: mlops.Cluster, tmp_path: Path, rank: int, end: Callable[[], Any]
) -> None:
    run = mlops.train(train, str(tmp_path), once(tmp_path, 13, rank, end), workers=2, cluster=cluster)
    until(lambda: saved(run) >= 10)
    let(tmp_path, 13)
    assert run.result(LONG) == STEPS
    assert begins(tmp_path) == [[0, 10], [0, 10]]
    assert (run.record.attempt, run.record.failed) == (2, 0)
    assert run.record.checkpoint is not None and run.record.checkpoint.step == STEPS
    until(lambda: "[gang] It goes on from step 10" in run.prints())
    curves = run.curves
    assert curves.attempts == {2: 10}
    for curve in curves["at"].ranks.values():
        assert (curve.steps, curve.values[9:11]) == (list(range(STEPS)), [0.0, 10.0]), "each step once"


def test_a_worker_that_dies_costs_no_more(cluster: mlops.Cluster, tmp_path: Path) -> None:
    run = mlops.train(train, str(tmp_path), held(tmp_path, 35), workers=2, cluster=cluster, restarts=0)
    until(lambda: run.record.checkpoint is not None and run.record.checkpoint.step >= 10)
    os.kill(min(pids_of(cluster)), signal.SIGKILL)
    let(tmp_path, 35)
    assert run.result(LONG) == STEPS
    first, second = begins(tmp_path)
    assert first == second and len(first) == 2 and first[1] >= 10 and first[1] % EVERY == 0


def test_who_gets_no_further_fails_at_once(cluster: mlops.Cluster, tmp_path: Path) -> None:
    """It raises each time at step 13: the second attempt makes no new checkpoint before."""
    wait = held(tmp_path, 13)

    def end(step: int) -> None:
        wait(step)
        if step == 13 and mlops.rank() == 1:
            raise ValueError("always")

    run = mlops.train(train, str(tmp_path), end, workers=2, cluster=cluster)
    until(lambda: saved(run) >= 10)
    let(tmp_path, 13)
    with pytest.raises(errors.RunFailed, match="rank 1: ValueError: always"):
        run.result(LONG)
    assert begins(tmp_path) == [[0, 10], [0, 10]]


def test_no_more_restarts_than_are_wanted(cluster: mlops.Cluster, tmp_path: Path) -> None:
    end = once(tmp_path, 13, 0, lambda: os._exit(1))
    let(tmp_path, 13)
    with pytest.raises(errors.RunFailed, match="exit code 1"):
        mlops.train(train, str(tmp_path), end, workers=2, cluster=cluster, restarts=0).result(LONG)


def test_the_last_two_and_the_best_are_kept(cluster: mlops.Cluster, tmp_path: Path) -> None:
    run = mlops.train(train, str(tmp_path), workers=2, cluster=cluster, checkpoint=str(tmp_path / "kept"))
    run.result(LONG)
    root = tmp_path / "kept" / run.id
    assert run.record.checkpoints == str(root)
    until(lambda: len(list(root.glob("step-*"))) == 3)
    kept = sorted(json.loads(path.read_text())["step"] for path in root.glob("*/mlops-checkpoint.json"))
    assert kept == [10, 35, 40], "10 is the best one"
    assert all(len(list(folder.iterdir())) == 3 for folder in root.glob("step-*")), "two ranks' files and a manifest"


def test_the_same_code_goes_on_where_it_had_been_cancelled(cluster: mlops.Cluster, tmp_path: Path) -> None:
    def start(**options: Any) -> mlops.Run:
        return mlops.train(train, str(tmp_path), held(tmp_path, 20, 35), workers=2, cluster=cluster, **options)

    def cancel(run: mlops.Run, step: int) -> None:
        """At that step, where it waits: no other checkpoint is under way."""
        until(lambda: saved(run) == step)
        run.cancel()
        run.wait(LONG)

    first = start()
    cancel(first, 20)
    let(tmp_path, 20)
    second = start()
    cancel(second, 35)
    third = start(fresh=True)
    cancel(third, 35)
    let(tmp_path, 35)
    fourth = start(resume=second.id)
    assert fourth.result(LONG) == STEPS
    assert begins(tmp_path)[0] == begins(tmp_path)[1] == [0, 20, 0, 35]
    until(lambda: "of an earlier run, which had not come to its end; --fresh" in second.prints())
    assert start().result(LONG) == STEPS
    assert begins(tmp_path)[0][4:] == [0], "the last one had come to its end"


def test_other_code_or_other_numbers_begin_anew(cluster: mlops.Cluster, tmp_path: Path) -> None:
    run = mlops.train(train, str(tmp_path), held(tmp_path, 20), workers=2, cluster=cluster)
    until(lambda: run.record.checkpoint is not None)
    run.cancel()
    run.wait(LONG)
    let(tmp_path, 20)
    again = mlops.train(train, str(tmp_path), held(tmp_path, 20), workers=2, cluster=cluster, pause=0.01)
    assert again.result(LONG) == STEPS
    assert begins(tmp_path)[0] == [0, 0]


def test_a_run_whose_scheduler_was_killed_is_resumed_on_another_cluster(cluster: mlops.Cluster, tmp_path: Path) -> None:
    with a_cluster("doomed") as doomed:
        run = mlops.train(train, str(tmp_path), held(tmp_path, 20), workers=2, cluster=doomed)
        until(lambda: run.record.checkpoint is not None and run.record.checkpoint.step >= 10)
        for process in psutil.process_iter():
            if is_scheduler(process, "doomed"):
                process.kill()
        with pytest.raises(errors.RunLost):
            run.result(LONG)
    let(tmp_path, 20)
    again = mlops.train(train, str(tmp_path), held(tmp_path, 20), workers=2, cluster=cluster)
    assert again.result(LONG) == STEPS
    assert begins(tmp_path)[0][1] >= 10


def test_one_rank_may_write_all_of_it(cluster: mlops.Cluster, tmp_path: Path) -> None:
    wait = held(tmp_path, 15)

    def work() -> int:
        import time

        folder = mlops.resume()
        begin = folder.step if folder is not None else 0
        for step in range(begin + 1, 20):
            time.sleep(0.02)
            if step == 15 and begin == 0 and mlops.rank() == 1:
                wait(step)
                os._exit(1)
            if step % EVERY == 0 and mlops.rank() == 0:
                with mlops.checkpoint(step, alone=True) as place:
                    (place / "all").write_text("all")
        return begin

    run = mlops.train(work, workers=2, cluster=cluster)
    until(lambda: saved(run) >= 10)
    let(tmp_path, 15)
    assert run.result(LONG) in (10, 15)


def test_a_rank_that_alone_writes_without_saying_so_is_told(cluster: mlops.Cluster, tmp_path: Path) -> None:
    def work() -> None:
        import time

        for step in range(3):
            time.sleep(0.05)
            if mlops.rank() == 0:
                with mlops.checkpoint(step):
                    pass

    run = mlops.train(work, workers=2, cluster=cluster)
    run.result(LONG)
    until(lambda: "the checkpoint of step 0 isn't complete, since rank 1 wrote nothing" in run.prints().lower())
    assert "alone=True" in run.prints() and run.record.checkpoint is None


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root can mount a small disk")
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    mounted = subprocess.run(command, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"mounting is not allowed here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_disk_that_is_full_leaves_the_checkpoint_before(
    cluster: mlops.Cluster, tmp_path: Path, small_disk: Path
) -> None:
    """It is in the middle of the second one."""
    wait = held(tmp_path, 2)

    def work() -> list[str]:
        folder = mlops.resume()
        if folder is not None:
            return sorted(path.name for path in folder.iterdir())
        for step in (1, 2):
            wait(step)  # until the first one is complete: else there is no room for it
            with mlops.checkpoint(step) as place:
                size = 2_000_000 if step == 2 and mlops.rank() == 1 else 1000
                (place / f"{step}-{mlops.rank()}").write_bytes(bytes(size))
            meet(str(tmp_path), step)
        return []

    run = mlops.train(work, workers=2, cluster=cluster, checkpoint=str(small_disk))
    until(lambda: saved(run) == 1)
    let(tmp_path, 2)
    assert run.result(LONG) == ["1-0", "1-1", "mlops-checkpoint.json"]
    assert "No space left on device: all ranks begin again" in run.prints()


def test_a_place_that_cannot_be_written_is_said(cluster: mlops.Cluster, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    def work() -> None:
        with mlops.checkpoint(1):
            pass

    with pytest.raises(errors.RunFailed, match="Not a directory"):
        mlops.train(work, workers=2, cluster=cluster, checkpoint=str(tmp_path / "file")).result(LONG)


def test_ranks_stop_at_the_same_step_when_a_worker_is_about_to_go(three: mlops.Cluster, tmp_path: Path) -> None:
    """Not one step is lost, and no restart is used up."""

    async def leave(dask_worker: Any) -> None:
        await asyncio.to_thread(sys.modules["jupyter_mlops_agent.agent"].leave, dask_worker, 30.0)

    wait = held(tmp_path, 10)

    def slowly(step: int) -> None:
        import time

        wait(step)
        time.sleep(0.5 if mlops.resume() is None and step >= 10 else 0)

    def busy() -> list[str]:
        return [worker.address for worker in workers_of(three) if worker.phase == "busy"]

    with three.client() as client:
        run = mlops.train(train, str(tmp_path), slowly, workers=2, cluster=three, restarts=0)
        until(lambda: run.record.checkpoint is not None and busy())
        client.run(leave, workers=busy()[:1], wait=False)
        until(lambda: "is about to go" in run.prints())
        let(tmp_path, 10)  # the ranks then have fifteen seconds more to be told in
    assert run.result(LONG) == STEPS
    first, second = begins(tmp_path)
    assert first == second and len(first) == 2 and EVERY < first[1] < STEPS
    assert run.record.attempt == 2


@pytest.mark.parametrize(
    ("step", "best", "words"),
    [
        *((step, None, "step can't be .*: it counts steps") for step in (-1, 1.5, True, "3")),
        (3, "good", "best can't say how good it is: 'good' is no number"),
    ],
)
def test_a_step_is_a_number_and_so_is_how_good_it_is(step: Any, best: Any, words: str) -> None:
    with pytest.raises(errors.InvalidInput, match=words), mlops.checkpoint(step, best):
        pass


def test_where_there_is_no_gang_nothing_is_kept() -> None:
    with pytest.warns(UserWarning, match="checkpoints are kept of gangs"), mlops.checkpoint(1) as folder:
        (folder / "x").write_text("x")
    assert not folder.exists()
    assert mlops.resume() is None and not mlops.stopping()
