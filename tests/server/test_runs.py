"""Runs that another process started, as the server and its browsers see them."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from jupyter_mlops.cli.main import main
from jupyter_mlops.core.run import RunState
from jupyter_mlops.core.space import Space, uniform
from jupyter_mlops.core.sweep import Trial
from jupyter_mlops.home.runs import run_folder
from jupyter_mlops.tracking import history, pending

from .conftest import SMALL, eventually, finished

pytestmark = pytest.mark.slow

#: A kernel, as far as the server can tell.
COUNT = """
import time, jupyter_mlops as mlops
def count():
    for number in range(3000):
        print("at", number, flush=True)
        mlops.log_metric("number", number)
        time.sleep(0.1)
try:
    mlops.run(count, cluster="one", name="counting").result()
except mlops.MlopsError as error:
    print(type(error).__name__)
"""


async def begun(ask: Any, browse: Any) -> tuple[Any, str, Any]:
    """A run under way, on a cluster named `one`, and a browser that knows it."""
    await ask("PUT", "profiles/small", SMALL)
    await finished(ask, await ask("POST", "clusters", {"profile": "small", "name": "one"}))
    kernel = await asyncio.create_subprocess_exec(sys.executable, "-c", COUNT, stdout=asyncio.subprocess.PIPE)
    browser = await browse()
    await browser.until(lambda: any(run["phase"] == "running" for run in browser.runs.values()))
    return kernel, next(iter(browser.runs)), browser


async def test_a_run_is_watched_and_cancelled(ask: Any, browse: Any) -> None:
    kernel, run, browser = await begun(ask, browse)
    assert browser.runs[run]["name"] == "counting"
    await browser.hello(epoch=browser.epoch, seq=browser.seq, follow_runs=[run])
    await browser.until(lambda: len(browser.journal.get(run, [])) > 5)
    seqs = [entry["seq"] for entry in browser.journal[run]]
    assert seqs == sorted(set(seqs)), "each line once, in order"
    assert any(entry["text"].startswith("at ") for entry in browser.journal[run])
    assert [state["id"] for state in await ask("GET", "runs", cluster="one")] == [run]
    assert await ask("GET", "runs", cluster="other") == []

    async def stack() -> Any:
        """Of its only process; None where that took its time to tell."""
        (told,) = await ask("GET", f"runs/{run}/stacks")
        return told if told["text"] else None

    there = await eventually(stack)
    assert there["worker"] == "default-1" and "in count" in there["text"]
    live = list[dict[str, Any]]()
    while not live or len(live[0]["steps"]) < 2:  # what is logged has a way of its own
        await asyncio.sleep(0.1)
        live = (await ask("GET", f"runs/{run}/curves"))["curves"]
    assert [(curve["key"], curve["rank"], curve["steps"][:2]) for curve in live] == [("number", 0, [0, 1])]

    status, error = await ask("POST", f"runs/{run}/sizes")
    assert (status, error["why"]) == (409, "it is a function, and only the items of a map are alike")

    done = await finished(ask, await ask("DELETE", f"runs/{run}"))
    assert done["phase"] == "done", done
    await browser.until(lambda: browser.runs[run]["phase"] == "cancelled")
    past = (await ask("GET", f"runs/{run}/curves", most="48"))["curves"][0]
    assert past["values"][0] == 0 and len(past["steps"]) <= 48, "those that its folder has"
    said, _ = await kernel.communicate()
    assert said.decode().splitlines()[-1] == "RunCancelled"
    assert (await ask("DELETE", f"runs/{run}"))[0] == 409
    assert (await ask("GET", f"runs/{run}"))["phase"] == "cancelled"
    assert len(await ask("GET", f"runs/{run}/journal", since=3)) > 2


async def test_a_run_that_is_over_can_be_removed_for_good(ask: Any, browse: Any, jp_serverapp: Any) -> None:
    kernel, run, browser = await begun(ask, browse)
    assert (await ask("DELETE", f"runs/{run}/record"))[1]["todo"] == "Cancel it first."
    await finished(ask, await ask("DELETE", f"runs/{run}"))
    await kernel.communicate()
    await browser.until(lambda: browser.runs[run]["phase"] == "cancelled")
    marker = pending.Marker(uri="somewhere", run="1", ended=True)
    pending.write(run_folder(run), marker)  # it is in MLflow, which keeps it

    assert await ask("DELETE", f"runs/{run}/record") is None
    await browser.until(lambda: run not in browser.runs)
    (mark,) = run_folder(run).path.parent.glob(f"*{run}*")
    assert mark.is_file() and not mark.stat().st_size, "nothing is left of it but that it was removed"
    assert (await ask("GET", f"runs/{run}"))[1]["error"] == "UnknownRun"

    # Its cluster lives, and tells a new server of all its runs.
    app = jp_serverapp.web_app.settings["jupyter_mlops"]
    await app.stop_extension()
    await app.services()
    again = await browse()
    await again.until(lambda: again.clusters.get("one", {}).get("phase") == "running")
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", COUNT.replace("3000", "1"))
    await other.wait()
    await again.until(lambda: any(state["phase"] == "done" for state in again.runs.values()))
    assert run not in again.runs
    assert [state["id"] for state in await ask("GET", "runs")] == list(again.runs)
    (last,) = again.runs

    async def is_written() -> bool:
        return run_folder(last).record().phase == "done"

    await eventually(is_written)
    assert await asyncio.to_thread(main, ["forget", last]) == 0
    await again.until(lambda: not again.runs)
    assert await ask("GET", "runs") == [], "what was removed on the command line is gone here, too"


async def test_what_can_not_be_read_is_not_removed(ask: Any) -> None:
    folder = run_folder("123456789abc").make()
    folder.record_file.write_text("{")
    status, error = await ask("DELETE", "runs/123456789abc/record")
    assert status == 409 and str(folder.path) in error["todo"], error
    assert folder.record_file.exists()


async def test_a_run_of_a_killed_cluster_is_lost(ask: Any, browse: Any) -> None:
    kernel, run, browser = await begun(ask, browse)
    kernel.kill()
    await kernel.wait()
    assert (await finished(ask, await ask("DELETE", "clusters/one", force=1)))["phase"] == "done"
    await browser.until(lambda: browser.runs[run]["phase"] in ("lost", "cancelled"))
    assert browser.runs[run]["error"]
    assert history.get(run).phase == browser.runs[run]["phase"]


async def test_a_run_can_be_run_again(ask: Any, browse: Any) -> None:
    await ask("PUT", "profiles/small", SMALL)
    await finished(ask, await ask("POST", "clusters", {"profile": "small", "name": "one"}))
    code = "import jupyter_mlops as mlops\nprint(mlops.map(lambda x: x + 1, range(5), cluster='one').result())"
    kernel = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    assert await kernel.wait() == 0
    browser = await browse()
    await browser.until(lambda: any(run["phase"] == "done" for run in browser.runs.values()))
    (first,) = browser.runs
    await browser.until(lambda: browser.runs[first]["repeatable"])
    asked = await asyncio.gather(*(ask("POST", f"runs/{first}/again") for _ in range(3)))
    assert len({operation["id"] for operation in asked}) == 1, "a double click, or two browsers, mean one run"
    done = await finished(ask, asked[0])
    assert done["phase"] == "done" and done["result"] not in ("", first), done
    await browser.until(lambda: browser.runs.get(done["result"], {}).get("phase") == "done")
    assert browser.runs[done["result"]]["done"] == 5 and browser.runs[done["result"]]["detached"]
    assert set(browser.runs) == {first, done["result"]}
    later = await ask("POST", f"runs/{first}/again")
    assert later["id"] != done["id"], "who asks later means another one"
    assert (await finished(ask, later))["result"] not in ("", first, done["result"])


async def test_what_is_wrong_is_said(ask: Any) -> None:
    assert (await ask("GET", "runs/123456789abc"))[1]["error"] == "UnknownRun"
    for limit in ("many", "1.5", "1e3", "1_0", "0", "٣"):
        assert (await ask("GET", "runs", limit=limit))[0] == 400, limit
    for force in ("yes", "0.5", "2"):
        assert (await ask("DELETE", "clusters/one", force=force))[0] == 400, force
    assert (await ask("POST", "runs/123456789abc/again", {"where": 1}))[0] == 400
    state = RunState(id="123456789abc", name="x", kind="cell", cluster="gone", owner="me", created=1)
    history.save(state.model_copy(update={"phase": "done"}))
    status, error = await ask("POST", "runs/123456789abc/again")
    assert (status, error["error"]) == (409, "NotRepeatable"), error
    assert pending.read(run_folder("123456789abc")).run == ""


async def test_the_trials_of_a_sweep_are_told_bit_by_bit(ask: Any) -> None:
    options = {"goal": "min", "space": Space({"x": uniform(0, 1), "kind": ["a", "b"]}).extents, "of another": 1}
    sweep = RunState(
        id="5eeb00000000",
        name="search",
        kind="sweep",
        cluster="gone",
        owner="",
        created=1,
        phase="done",
        options=options,
    )
    folder = run_folder(sweep.id)
    folder.write_record(sweep)
    folder.add_to_trials(Trial(number=number, params={"x": 0.5}, began=1) for number in range(3))
    folder.add_to_trials([Trial(number=1, phase="done", value=4, began=1, ended=2)])
    with (folder.path / "trials.jsonl").open("a") as file:
        file.write('{"number": 2, "pha')  # its writer was killed

    first = await ask("GET", f"runs/{sweep.id}/trials")
    assert [(trial["number"], trial["phase"], trial["value"]) for trial in first["trials"]] == [
        (0, "running", None),
        (1, "done", 4.0),
        (2, "running", None),
    ]
    assert first["sweep"]["goal"] == "min" and first["sweep"]["space"]["x"]["high"] == 1 and not first["more"]
    folder.add_to_trials([Trial(number=number, began=1, error="e" * 900) for number in range(1, 900)])
    told, seq, more = [], first["seq"], True
    while more:
        view = await ask("GET", f"runs/{sweep.id}/trials", since=str(seq))
        assert len(view["trials"]) < 700, "no answer has all of them"
        told += [trial["number"] for trial in view["trials"]]
        seq, more = view["seq"], view["more"]
    assert told == list(range(1, 900))

    run_folder("5eeb00000001").write_record(sweep.model_copy(update={"id": "5eeb00000001", "kind": "map"}))
    status, error = await ask("GET", "runs/5eeb00000001/trials")
    assert status == 409 and error["why"] == "it is a map"
    assert (await ask("GET", "runs/5eeb00000002/trials"))[0] == 404
