"""Parts of a cluster are killed; what is left does what it promises."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time

import pytest

from jupyter_mlops.core.cluster import WorkerState
from jupyter_mlops.core.errors import ClusterEnded, StartFailed
from jupyter_mlops.core.profile import Group
from jupyter_mlops.places.local import processes

from ..places.place import LocalPlace, call, ended, until, workers_up
from .processes import all_gone, record, running

pytestmark = pytest.mark.slow


async def test_a_cluster_outlives_its_starter(local: LocalPlace) -> None:
    program = (
        "import asyncio, os, sys\n"
        "from jupyter_mlops import places\n"
        "from jupyter_mlops.places import profiles\n"
        "from jupyter_mlops.client.clusters.spec import new_spec\n"
        "spec = new_spec(profiles.get('gentle'), 'orphan', workers=1)\n"
        "asyncio.run(places.get('local').start(spec))\n"
        "print('started', flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    starter = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=90)
    assert (starter.returncode, starter.stdout) == (-signal.SIGKILL, "started\n"), starter.stderr

    assert await call(local.backend, "orphan", sum, [1, 2]) == 3
    assert [state.phase for state in await local.backend.clusters()] == ["running"]


async def test_a_starter_that_dies_half_way_leaves_a_failed_cluster(local: LocalPlace) -> None:
    program = (
        "import asyncio, os\n"
        "from jupyter_mlops import places\n"
        "from jupyter_mlops.places import profiles\n"
        "from jupyter_mlops.places.local import launch\n"
        "from jupyter_mlops.client.clusters.spec import new_spec\n"
        "launch.make_keys = lambda folder: os.kill(os.getpid(), 9)\n"
        "spec = new_spec(profiles.get('gentle'), 'half')\n"
        "asyncio.run(places.get('local').start(spec))\n"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=90).returncode == -signal.SIGKILL

    state = await ended(local.backend, "half")
    assert state.cause == "failed"
    with pytest.raises(StartFailed, match="could not be started"):
        await local.backend.address("half")


@pytest.mark.parametrize("which", ["scheduler", "scheduler and fork server", "all but a worker's child"])
async def test_kill_9_of_the_scheduler_leaves_nothing(local: LocalPlace, which: str) -> None:
    name, everything = await running(local)
    child = await call(local.backend, name, _start_child)
    born = processes.look(child)
    assert born is not None
    victims = {"scheduler": everything[:1], "scheduler and fork server": everything[:2]}.get(which, everything)
    for process in victims:
        os.kill(process.pid, signal.SIGKILL)
    if victims == everything[:1]:
        await all_gone([*everything, born])  # with nobody looking
    state = await ended(local.backend, name)
    await all_gone([*everything, born])
    assert state.cause == "killed"
    assert state.problem is not None and "from outside" in state.problem.why
    assert state.cost.amount is not None and 0 < state.cost.amount < 600
    receipt = await local.backend.receipt(name)
    assert receipt is not None and receipt.most_workers == 1
    assert (await local.backend.events(name))[-1].text.startswith("Ended (killed)")
    with pytest.raises(ClusterEnded, match="killed"):
        await local.backend.link(name)


def _start_child() -> int:
    return subprocess.Popen(["sleep", "600"], start_new_session=True).pid


async def test_kill_9_of_the_fork_server_is_survived(local: LocalPlace) -> None:
    name, (scheduler, server, worker) = await running(local)
    os.kill(server.pid, signal.SIGKILL)
    await all_gone([server, worker])
    assert await call(local.backend, name, sum, [1, 2]) == 3
    view = await workers_up(local.backend, name, 1)
    lost = [each for each in view.workers if each.phase == "lost"]
    assert [each.problem.why for each in lost if each.problem] == [
        "the process that had started it was ended from outside"
    ]
    assert processes.alive(scheduler)
    assert record(local, name)["forkserver"]["pid"] != server.pid
    await local.backend.stop(name)
    assert (await ended(local.backend, name)).cause == "user"
    await all_gone([scheduler])


@pytest.mark.parametrize(
    ("act", "why"),
    [
        ("os.kill(os.getpid(), 9)", "killed from outside (signal SIGKILL)"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "ended by signal SIGSEGV"),
        ("print('farewell', flush=True); os._exit(7)", "exit code 7; its last words: farewell"),
    ],
)
async def test_a_dead_worker_is_replaced_and_its_cause_kept(local: LocalPlace, act: str, why: str) -> None:
    name, (*_, worker) = await running(local)
    task = asyncio.create_task(call(local.backend, name, exec, f"import os, signal; {act}", retries=0))
    await all_gone([worker])
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    link = await local.backend.link(name)
    view = await until(
        link.view,
        lambda view: any(_why(each).startswith(why) for each in view.workers if each.pid == worker.pid),
        f"the cause {why}",
    )
    (dead,) = [each for each in view.workers if each.pid == worker.pid]
    assert dead.phase == "lost"
    await link.close()


def _why(dead: WorkerState) -> str:
    """Dask hears first that it is gone, its parent a little later how it ended."""
    return "" if dead.problem is None else dead.problem.why


async def test_what_a_worker_started_ends_with_it(local: LocalPlace) -> None:
    name, (scheduler, _, worker) = await running(local)
    child = processes.look(await call(local.backend, name, _start_helper))
    assert child is not None
    os.kill(worker.pid, signal.SIGKILL)
    await all_gone([worker, child])
    assert processes.alive(scheduler)


def _start_helper() -> int:
    return subprocess.Popen(["sleep", "600"]).pid


async def test_a_worker_above_its_memory_limit_is_killed_with_the_figures(local: LocalPlace) -> None:
    name, (*_, worker) = await running(local, groups=[Group(workers=1, maximum=1, memory="400 MiB")])
    limit = "out of memory: limit 419 MB, peak "
    task = asyncio.create_task(call(local.backend, name, _fill, 600))  # with all else in it less than 945 MB
    await all_gone([worker])
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    link = await local.backend.link(name)
    view = await until(
        link.view,
        lambda view: any(_why(each).startswith(limit) for each in view.workers if each.pid == worker.pid),
        "the figures",
    )
    (problem,) = [each.problem for each in view.workers if each.pid == worker.pid]
    assert problem is not None
    peak = float(problem.why.split()[-2])
    assert 398 <= peak < 945 and "more memory" in problem.todo
    await link.close()


def _fill(megabytes: int) -> None:
    kept = []
    for _ in range(megabytes // 20):
        kept.append(bytearray(20_000_000))
        time.sleep(0.05)
    time.sleep(60)


async def test_a_hanging_scheduler_is_ended_by_force(local: LocalPlace) -> None:
    name, everything = await running(local)
    os.kill(everything[0].pid, signal.SIGSTOP)
    before = time.monotonic()
    await local.backend.stop(name, "budget", "the money is gone")
    await all_gone(everything)
    state = await local.backend.get(name)
    assert time.monotonic() - before > 4  # it was asked first
    assert (state.phase, state.cause) == ("ended", "budget")
    receipt = await local.backend.receipt(name)
    assert receipt is not None and receipt.why == "the money is gone"
    assert receipt.cost.usage.cpu_hours > 0


def test_a_scheduler_whose_mark_is_gone_already_is_waited_for() -> None:
    """While a process dies its environment goes before it does."""
    unmarked = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    found = processes.look(unmarked.pid)
    processes.kill_cluster("a mark that nobody carries", found)
    assert not processes.alive(found)
    unmarked.wait()


async def test_sigterm_ends_a_cluster_in_good_order(local: LocalPlace) -> None:
    name, everything = await running(local)
    os.kill(everything[0].pid, signal.SIGTERM)
    await all_gone(everything)
    receipt = await local.backend.receipt(name)
    assert receipt is not None
    assert (receipt.cause, "SIGTERM" in receipt.why) == ("killed", True)


async def test_a_scheduler_that_cannot_start_says_why(local: LocalPlace) -> None:
    spec = local.spec(environment={"PYTHONHOME": "/nowhere"})
    await local.backend.start(spec)
    with pytest.raises(StartFailed, match="encodings"):
        await local.backend.address(spec.name)
    state = await local.backend.get(spec.name)
    assert (state.phase, state.cause) == ("ended", "failed")


async def test_modules_beside_the_notebook_do_not_hide_ours(local: LocalPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    notebooks = local.home.parent / "notebooks"
    notebooks.mkdir()
    for module in ("random", "distributed", "socket", "scheduler"):
        (notebooks / f"{module}.py").write_text("raise RuntimeError('the wrong module')\n")
    monkeypatch.chdir(notebooks)

    name, _ = await running(local)
    assert await call(local.backend, name, os.getcwd) == str(notebooks)


async def test_a_fork_server_that_keeps_dying_is_given_up(local: LocalPlace) -> None:
    name, (scheduler, *_) = await running(local)
    killed: set[int] = set()

    async def kill_again() -> str:
        server = record(local, name)["forkserver"]["pid"]
        if server not in killed and processes.look(server):
            killed.add(server)
            os.kill(server, signal.SIGKILL)
        return " ".join(await local.backend.logs(name)) + (await _problems(local, name))

    await until(kill_again, lambda text: "keeps dying" in text, "a word on the fork server")
    assert processes.alive(scheduler)
    await local.backend.stop(name)
    await ended(local.backend, name)
    await all_gone([scheduler])


async def _problems(local: LocalPlace, name: str) -> str:
    link = await local.backend.link(name)
    view = await link.view()
    await link.close()
    return " ".join(worker.problem.why for worker in view.workers if worker.problem)
