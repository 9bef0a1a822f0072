"""The panel on a real cluster: its buttons and numbers used as a person uses them."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import __main__
from jupyter_mlops import places
from jupyter_mlops.client.clusters.kernel import loop_thread
from jupyter_mlops.client.clusters.listing import list_clusters, placed
from jupyter_mlops.core.cluster import ClusterState
from jupyter_mlops.core.errors import ClusterEnded
from jupyter_mlops.core.naming import ClusterName
from jupyter_mlops.core.price import Price
from jupyter_mlops.core.profile import Group, Profile
from jupyter_mlops.core.settings import Settings
from jupyter_mlops.home import settings
from jupyter_mlops.notebook.panel import Panel, panel, run_request
from jupyter_mlops.notebook.panel.runs import CALL, RunsPart
from jupyter_mlops.places import profiles

pytestmark = pytest.mark.slow

#: Seconds that anything may take on a machine with other work.
PATIENCE = 150.0


def until(true: Callable[[], bool], what: str) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.05)


def cluster(name: str) -> ClusterState:
    """A cluster as its controller tells it, or its record when it has ended."""

    async def ask() -> ClusterState:
        backend, _ = await placed(name)
        try:
            link = await backend.link(name, timeout=PATIENCE)
        except ClusterEnded:
            return await backend.get(name)
        try:
            return (await link.view(workers=False)).state
        finally:
            await link.close()

    return asyncio.run(ask())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home folder with a price and a small profile; what was started in it is stopped."""
    folder = tmp_path_factory.mktemp("panel-home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_MLOPS_HOME", str(folder))
        settings.save(Settings(price=Price(cpu_hour=0.5, gb_hour=0.1, source="my rates")))
        group = Group(workers=1, minimum=1, maximum=3, memory=512 * 1024**2)
        profiles.save(Profile(name="tiny", title="Tiny", groups=[group]))
        yield folder
        asyncio.run(_stop_all())


async def _stop_all() -> None:
    for state in (await list_clusters()).clusters:
        if state.phase != "ended":
            await places.get(state.place).stop(state.name, force=True)


@pytest.fixture
def shown(home: Path) -> Iterator[Panel]:
    """A panel, closed at the end."""
    made = Panel()
    yield made
    made.close()


@pytest.fixture(scope="module")
def started(home: Path) -> str:
    """A cluster that the panel's Start button made."""
    made = Panel()
    try:
        made.head.profile.value = "tiny"
        made.head.name.value = "flights"
        made.head.start.click()
        until(lambda: "1 worker" in made.cluster.numbers.value and "running" in made.cluster.numbers.value, "running")
        assert made.error.value == ""
    finally:
        made.close()
    return "flights"


def chosen(shown: Panel) -> str:
    """The name of the cluster that is chosen."""
    return ClusterName.of(shown.head.cluster.value).name


def test_profiles_are_offered_with_their_estimate(shown: Panel) -> None:
    labels = [label for label, _ in shown.head.profile.options]
    # 1 CPU at 0.5 and 0.54 GB at 0.1; three workers at most.
    assert "Tiny · $0.55–$1.66/h" in labels
    assert shown.head.profile.value == shown.head.profile.options[0][1], "the last used one is chosen"
    assert "No cluster is chosen" in shown.cluster.numbers.value
    assert shown.head.profile.value == shown.head.profile.options[0][1], "the first is chosen"


def test_a_cluster_is_found_again_and_its_numbers_are_live(started: str, shown: Panel) -> None:
    until(lambda: chosen(shown) == started, "the newest living cluster is chosen")
    until(lambda: "$0.55/h" in shown.cluster.numbers.value, "cost per hour")
    assert "my rates" in shown.cluster.numbers.value
    until(lambda: (shown.cluster.workers.min, shown.cluster.workers.max) == (1, 3), "bounds")  # written after the words


def test_the_number_scales(started: str, shown: Panel) -> None:
    until(lambda: shown.cluster.workers.max == 3, "bounds")
    shown.cluster.workers.value = 2
    until(lambda: ">2 workers" in shown.cluster.numbers.value, "two workers in the panel")
    assert cluster(started).groups[0].wanted == 2
    shown.cluster.workers.value = 1
    until(lambda: ">1 worker<" in shown.cluster.numbers.value, "one worker in the panel")


def test_another_hand_moves_the_number(started: str, shown: Panel) -> None:
    until(lambda: shown.cluster.workers.max == 3, "bounds")

    async def scale() -> None:
        link = await (await placed(started))[0].link(started)
        await link.scale(2)
        await link.close()

    asyncio.run(scale())
    until(lambda: shown.cluster.workers.value == 2, "the number follows")
    until(lambda: ">2 workers" in shown.cluster.numbers.value, "and so do the numbers")


def test_the_adaptive_switch_and_its_bounds(started: str, shown: Panel) -> None:
    until(lambda: shown.cluster.workers.max == 3, "bounds")
    shown.cluster.adaptive.value = True
    until(lambda: cluster(started).groups[0].adaptive, "adaptive")
    until(lambda: shown.cluster.bounds.layout.display == "", "the bounds are shown")
    shown.cluster.maximum.value = 2
    until(lambda: cluster(started).groups[0].maximum == 2, "the bounds are the cluster's")
    until(lambda: (shown.cluster.minimum.value, shown.cluster.maximum.value) == (1, 2), "and the panel's")
    shown.cluster.adaptive.value = False
    until(lambda: not cluster(started).groups[0].adaptive, "by hand again")


@pytest.fixture
def notebook() -> Iterator[dict[str, Any]]:
    """What a notebook's cells have defined."""
    names = set(vars(__main__))
    code = """
import time
def square(number):
    return number * number
def train(rows, depth=1):
    return {"rows": len(rows), "depth": depth}
def sleep(seconds):
    while True:
        time.sleep(0.05)
def refuse(number):
    raise ValueError(f"{number} is odd")
"""
    exec(code, vars(__main__))
    yield vars(__main__)
    for name in set(vars(__main__)) - names:
        del vars(__main__)[name]


def test_a_map_from_the_form(started: str, notebook: dict[str, Any], shown: Panel) -> None:
    until(lambda: chosen(shown) == started, "the cluster is chosen")
    assert {"square", "train"} <= set(run_request.functions(notebook))
    form = shown.form
    form.function.value, form.given.value, form.result.value = "square", "range(200)", "squares"
    form.send.click()
    until(lambda: "squares" in notebook, "the result is in the variable")
    assert notebook["squares"] == [number**2 for number in range(200)]
    line = next(iter(shown.runs.lines.values()))
    until(lambda: "done in" in line.text.value, "the line says so")
    until(lambda: (line.bar.value, line.bar.bar_style) == (1.0, "success"), "and so does its bar")


def test_a_training_from_the_form(started: str, notebook: dict[str, Any], shown: Panel) -> None:
    until(lambda: chosen(shown) == started, "the cluster is chosen")
    form = shown.form
    form.kind.value = CALL
    form.function.value, form.given.value, form.result.value = "train", "[1, 2, 3], depth=4", "model"
    form.send.click()
    until(lambda: "model" in notebook, "the result is in the variable")
    assert notebook["model"] == {"rows": 3, "depth": 4}


def test_a_run_is_cancelled_from_its_line(started: str, notebook: dict[str, Any], shown: Panel) -> None:
    until(lambda: chosen(shown) == started, "the cluster is chosen")
    form = shown.form
    form.function.value, form.given.value = "sleep", "[1, 2]"
    form.send.click()
    until(lambda: any("sleep" in line.text.value for line in [*shown.runs.lines.values()]), "its line")
    line = next(line for line in [*shown.runs.lines.values()] if "sleep" in line.text.value)
    until(lambda: "running" in line.text.value or "of 2" in line.text.value, "it runs")
    line.cancel.click()
    until(lambda: "cancelled" in line.text.value, "the line says so")
    until(lambda: cluster(started).work.processing == 0, "the code was stopped")
    assert "result" not in notebook


def test_a_run_that_fails_is_shown_with_its_cause(started: str, notebook: dict[str, Any], shown: Panel) -> None:
    until(lambda: chosen(shown) == started, "the cluster is chosen")
    form = shown.form
    form.function.value, form.given.value = "refuse", "[1, 3]"
    form.send.click()
    until(lambda: "is odd" in shown.error.value, "the error is shown")
    form.given.value = "nowhere"
    until(lambda: not form.send.disabled, "another one may be sent")
    form.send.click()
    assert "name &#x27;nowhere&#x27; is not defined" in shown.error.value


def test_what_goes_wrong_is_shown_with_what_to_do(started: str, shown: Panel) -> None:
    shown.head.profile.value = "tiny"
    shown.head.name.value = started
    shown.head.start.click()
    until(lambda: started in shown.error.value, "the error is shown")
    assert "role='alert'" in shown.error.value
    assert not shown.head.start.disabled, "it can be tried again"
    trouble = shown.widget.children[1]
    until(lambda: trouble.layout.display == "", "it is in sight")  # its words are there a moment before
    shown.dismiss.click()
    assert trouble.layout.display == "none"


def test_one_panel_in_a_kernel_and_nothing_left_when_closed(started: str) -> None:
    before = {thread.name for thread in threading.enumerate()}
    first = panel()
    assert panel() is first
    now = {thread.name for thread in threading.enumerate() if not thread.name.startswith("asyncio_")}  # a loop's own
    assert now - before <= {"mlops-loop"}
    gone = weakref.ref(first.runs)
    first.close()
    first.close()
    assert first.widget.comm is None
    again = panel()
    assert again is not first
    again.close()
    del first, again
    until(lambda: not _watching(), "nothing of a closed panel is left in the loop_thread")
    until(lambda: _is_collected(gone), "nor anywhere else")


def _is_collected(gone: weakref.ref[RunsPart]) -> bool:
    gc.collect()
    return gone() is None


def _watching() -> list[str]:
    async def names() -> list[str]:
        return [str(task) for task in asyncio.all_tasks() if "notebook/panel" in str(task)]

    return loop_thread().call(names())


def test_stop_is_asked_twice_and_says_why_it_ended(started: str, shown: Panel) -> None:
    until(lambda: shown.cluster.stop.layout.display == "", "the button")
    shown.cluster.stop.click()
    assert "Nothing is running on it" in shown.cluster.question.children[0].value
    shown.cluster.confirm.click()
    until(lambda: "stopped by you" in shown.cluster.numbers.value, "the end, and why")
    until(lambda: cluster(started).phase == "ended", "its end")
