"""A map that finds out how many workers are worth their money, on a real cluster."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.cli.main import main
from jupyter_mlops.client.clusters.kernel import kernel, loop_thread
from jupyter_mlops.client.runs.run import Run
from jupyter_mlops.core.ladder import Ladder

from .cluster import LONG, until

pytestmark = pytest.mark.slow

#: Seconds of an item, which shares nothing with others.
ITEM = 0.05


@pytest.fixture
def wide() -> Iterator[mlops.Cluster]:
    """One worker, and four at most; an hour of one is 3.60."""
    group = mlops.Group(workers=1, maximum=4, memory="400 MiB")
    made = mlops.start(mlops.Profile(name="wide", groups=[group], price=mlops.Price(cpu_hour=3.6, gb_hour=0)), "wide")
    try:
        yield made
    finally:
        made.stop()
        loop_thread().call(kernel().sessions.close("wide"))
        until(lambda: made.state().phase == "ended")


def ladder_of(run: Run) -> Ladder:
    ladder = run.ladder()
    assert ladder is not None
    return ladder


def test_a_map_tries_sizes_with_its_own_items_and_goes_on_with_the_best(
    wide: mlops.Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notes, over, hold = (tmp_path / name for name in ("notes", "over", "hold"))

    def work(item: int) -> int:
        while hold.exists():
            time.sleep(0.01)
        time.sleep(0 if over.exists() else ITEM)
        with notes.open("a") as file:
            file.write(f"{item}\n")
        return item

    run = mlops.map(work, range(3000), cluster=wide, name="sizes", pilot="fastest")
    until(lambda: run.ladder() and ladder_of(run).phase == "done", 3 * LONG, lambda: run.ladder())
    over.touch()  # so many items that enough are left however long workers take to come; the others take no time
    assert run.result(LONG) == list(range(3000))
    assert sorted(map(int, notes.read_text().split())) == list(range(3000)), "nothing is computed twice"

    ladder = ladder_of(run)
    assert [rung.workers for rung in ladder.rungs] == ladder.sizes == [1, 2, 4], ladder
    for rung in ladder.rungs:
        assert 0 < rung.rate < 1.5 * rung.workers / ITEM, rung
        assert rung.rate == pytest.approx(rung.items / rung.seconds, rel=0.5), "whatever else the machine does"
        assert rung.per_hour == pytest.approx(3.6 * rung.workers)
        assert rung.per_million == pytest.approx(rung.workers * 1000 / rung.rate)
    assert ladder.phase == "done" and ladder.chosen is not None and ladder.chosen.workers in (3, 4)
    assert wide.state().groups[0].wanted == ladder.chosen.workers
    shown = capsys.readouterr().out
    assert str(ladder) in shown and "Goes on with" in shown, "and it stands under the cell"
    main(["runs", run.id])
    assert ladder.sentence in capsys.readouterr().out
    assert mlops.get_run(run.id).ladder() == ladder, "it is in its record"

    # A person asks for it, leaves it to itself, and cancels: there are as many workers as before.
    wide.scale(1)
    wide.wait(1)
    over.unlink()
    run = mlops.map(work, range(5000), cluster=wide, quiet=True)
    until(lambda: run.record.done)
    loop_thread().call(_try_sizes(wide, run))
    until(lambda: run.ladder() and ladder_of(run).rungs)
    hold.touch()  # it doesn't come to the end of the next one
    until(lambda: wide.state().groups[0].wanted > 1)
    run.cancel()
    run.wait(LONG)
    assert wide.state().groups[0].wanted == 1

    # Until when it is to be done is known before any worker is there to take its data.
    wide.scale(0)
    until(lambda: not wide.state().counts.idle)
    table = bytes(20_000_000)
    run = mlops.map(lambda item: len(table), range(10), cluster=wide, quiet=True, by="2h")
    until(lambda: run.ladder() and ladder_of(run).by)
    assert ladder_of(run).by == pytest.approx(run.record.created + 7200)
    run.cancel()
    run.wait(LONG)
    assert run.state == "cancelled" and run.ladder() is None, "none was tried"


async def _try_sizes(cluster: mlops.Cluster, run: Run) -> None:
    await (await kernel().sessions.open(cluster.id)).link.try_sizes(run.id)
