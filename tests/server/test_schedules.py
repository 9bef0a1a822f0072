"""Notebooks that run by themselves over the server's routes, in real processes."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.core.profile import Group, Profile
from jupyter_mlops.core.schedule import Schedule
from jupyter_mlops.home.schedules import (
    clock,
    log_of,
    read_schedule,
    read_schedules,
    remove_schedule,
    write_placed,
    write_schedule,
)
from jupyter_mlops.pipelines.clock import ensure_clock
from jupyter_mlops.places import profiles
from jupyter_mlops.server.schedules.views import id_of

from ..pipelines.clocks import until_no_clock_is_left
from .conftest import eventually
from .test_models import AllBut

#: What fails before it needs a cluster: nothing above makes what it reads.
FAILS = "%%mlrun --step load\nx = unknown"
LATER = "1 week at 03:00"


@pytest.fixture
def notebooks(home: Path, jp_root_dir: Path) -> Iterator[Path]:
    """The server's root; in the end nothing is scheduled."""
    yield jp_root_dir
    for schedule in read_schedules():
        remove_schedule(schedule.notebook)
    until_no_clock_is_left(home)


def write(path: Path, *cells: str, kernel: str = "") -> Path:
    """A notebook's file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"kernelspec": {"name": kernel}} if kernel else {}
    path.write_text(
        json.dumps({"cells": [{"cell_type": "code", "source": each} for each in cells], "metadata": metadata})
    )
    return path


async def test_a_notebook_is_scheduled_run_now_looked_at_and_ended(ask: Any, browse: Any, notebooks: Path) -> None:
    book = write(notebooks / "by night" / "late.ipynb", "%%mlrun --step load\nx = 1")
    browser = await browse()
    assert (await ask("GET", "schedules")) == {"schedules": [], "silent": []}
    answer = await ask("POST", "schedules", {"path": "by night/late.ipynb", "every": LATER, "place": "local"})
    assert answer["told"] == []
    await browser.until(lambda: browser.schedules["schedules"])
    (view,) = browser.schedules["schedules"]
    assert (view["notebook"], view["path"], view["every"]) == (str(book.resolve()), "by night/late.ipynb", LATER)
    assert view["phase"] == "new" and view["next"] > time.time() and view["zone"] and view["place"] == "local"
    assert "python" not in view
    kept = read_schedule(str(book.resolve()))
    assert kept is not None and kept.python == sys.executable
    assert (await ask("GET", f"schedules/{view['id']}/log")) == {"lines": []}

    write(book, FAILS)
    now = await ask("POST", f"schedules/{view['id']}/run")
    assert now["phase"] == "asked" and now["next"] <= time.time()
    await browser.until(lambda: browser.schedules["schedules"][0]["phase"] == "failed")
    (after,) = browser.schedules["schedules"]
    assert "'load' reads 'unknown'" in after["said"] and after["ended"] >= after["began"] >= now["next"]
    assert after["next"] == view["next"], "what was asked for between two turns moves none"
    assert any("unknown" in line for line in (await ask("GET", f"schedules/{view['id']}/log"))["lines"])

    again = {"path": "/by night/late.ipynb", "every": "1 day at 04:00", "place": "local"}
    status, refused = await ask("POST", "schedules", again)
    assert status == 400 and "'unknown'" in refused["what"]
    assert (await ask("GET", "schedules"))["schedules"][0]["every"] == LATER
    write(book, "%%mlrun --step load\nx = 1")
    await ask("POST", "schedules", again)
    (changed,) = (await ask("GET", "schedules"))["schedules"]
    assert (changed["id"], changed["every"]) == (view["id"], "1 day at 04:00")

    assert await ask("DELETE", f"schedules/{view['id']}") is None
    await browser.until(lambda: not browser.schedules["schedules"])
    assert read_schedule(str(book.resolve())) is None and book.exists()
    assert (await ask("DELETE", f"schedules/{view['id']}"))[0] == 404


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"every": LATER}, "path is missing"),
        ({"path": "a.ipynb", "every": "often"}, "every can't be 'often'"),
        ({"path": "a.ipynb", "every": LATER, "python": "/bin/sh"}, "'python' is not a known field"),
        ({"path": "a.ipynb", "every": LATER, "profile": "none-like-it"}, "profile"),
        ({"path": "a.ipynb", "every": LATER, "place": "nowhere"}, "nowhere"),
        ({"path": "plain.ipynb", "every": LATER}, "step"),
        ({"path": "gone.ipynb", "every": LATER}, "gone.ipynb"),
    ],
)
async def test_what_can_t_be_scheduled_is_refused_in_python_s_words(
    body: dict[str, Any], why: str, ask: Any, notebooks: Path
) -> None:
    write(notebooks / "a.ipynb", "%%mlrun --step load\nx = 1")
    write(notebooks / "plain.ipynb", "x = 1")
    status, refused = await ask("POST", "schedules", body)
    assert status in (400, 404) and why in f"{refused['what']} {refused['why']} {refused['todo']}"
    assert not read_schedules()


@pytest.mark.parametrize("path", ["../out.ipynb", "sub/../../out.ipynb", "link/out.ipynb", "..", "a\0b", "{folder}"])
async def test_no_path_leads_out_of_the_server_s_root(path: str, ask: Any, notebooks: Path) -> None:
    outside = notebooks.parent / "outside"
    for folder in (outside, notebooks.parent):
        write(folder / "out.ipynb", "%%mlrun --step load\nx = 1")
    (notebooks / "link").symlink_to(outside)
    sent = path.format(folder=outside / "out.ipynb")
    status, refused = await ask("POST", "schedules", {"path": sent, "every": LATER})
    assert status in (400, 404) and not read_schedules(), refused


async def test_one_elsewhere_on_the_disk_is_listed_and_ended_but_not_opened(ask: Any, notebooks: Path) -> None:
    book = write(notebooks.parent / "elsewhere.ipynb", FAILS)
    write_schedule(Schedule(notebook=str(book), every=LATER, created=time.time()))
    (view,) = (await ask("GET", "schedules"))["schedules"]
    assert view["path"] == "" and view["notebook"] == str(book)
    for other in (view["id"][:-1], f"%2e%2e%2f{view['id']}", "%2e%2e"):
        assert (await ask("DELETE", f"schedules/{other}"))[0] == 404
    await ask("DELETE", f"schedules/{view['id']}")
    assert not read_schedules()


async def test_the_python_of_the_notebook_s_kernel_runs_it(
    ask: Any, notebooks: Path, jp_data_dir: Path, tmp_path: Path
) -> None:
    program = tmp_path / "bin" / "python3"
    program.parent.mkdir()
    program.symlink_to(sys.executable)
    spec = jp_data_dir / "kernels" / "own" / "kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(json.dumps({"argv": [str(program), "-m", "ipykernel_launcher"], "display_name": "Own"}))
    book = write(notebooks / "own.ipynb", "%%mlrun --step load\nx = 1", kernel="own")
    await ask("POST", "schedules", {"path": "own.ipynb", "every": LATER})
    kept = read_schedule(str(book.resolve()))
    assert kept is not None and kept.python == str(program)
    program.unlink()
    program.write_text("#!/bin/sh\necho 'No module named jupyter_mlops' >&2; exit 1\n")
    program.chmod(0o755)
    status, refused = await ask("POST", "schedules", {"path": "own.ipynb", "every": "2 h"})
    assert status == 503 and refused["why"] == "No module named jupyter_mlops"


async def test_a_place_that_doesn_t_answer_is_said_and_hides_nothing(
    ask: Any, notebooks: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(NOBODY_THERE))
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    here, there = (str(write(notebooks / f"{name}.ipynb", FAILS)) for name in ("here", "there"))
    write_schedule(Schedule(notebook=here, every=LATER, created=time.time()))
    placed = Schedule(notebook=there, every="1 day", created=time.time(), place="kubernetes", profile="night")
    write_placed(placed.model_copy(update={"line": "0 2 * * *", "zone": "UTC"}))
    found = await ask("GET", "schedules")
    assert [(each["notebook"], each["phase"]) for each in found["schedules"]] == [(here, "new"), (there, "unknown")]
    (silent,) = found["silent"]
    assert id_of(placed) == id_of(placed.model_copy(update={"where": "ml"})), (
        "what only the place knows is no part of it"
    )
    assert silent["what"] == found["schedules"][1]["problem"]["what"]
    assert found["schedules"][1]["next"] > time.time() and found["schedules"][1]["zone"] == "UTC"
    status, refused = await ask("DELETE", f"schedules/{found['schedules'][1]['id']}")
    assert status == 503 and refused["what"], "whether it is ended nobody knows"
    status, refused = await ask("POST", f"schedules/{found['schedules'][1]['id']}/run")
    assert status == 400


async def test_one_in_a_place_that_no_way_leads_to_any_more_is_still_told_of(
    ask: Any, notebooks: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "gone"))
    profiles.save(Profile(name="night", place="kubernetes", groups=[Group(workers=1)]))
    there = str(write(notebooks / "there.ipynb", FAILS))
    placed = Schedule(notebook=there, every="1 day", created=time.time(), place="kubernetes", profile="night")
    write_placed(placed.model_copy(update={"line": "0 2 * * *", "zone": "UTC"}))
    found = await ask("GET", "schedules")
    (one,) = found["schedules"]
    assert (one["notebook"], one["phase"], found["silent"]) == (there, "unknown", [])
    assert "kubeconfig" in str(one["problem"])


async def test_who_may_not_look_is_told_of_none(
    ask: Any, browse: Any, notebooks: Path, jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_schedule(Schedule(notebook=str(notebooks / "a.ipynb"), every=LATER, created=time.time()))
    owner = await browse()
    await owner.until(lambda: owner.schedules["schedules"])
    authorizer = AllBut(parent=jp_serverapp)
    authorizer.resource = "mlops:schedules"
    monkeypatch.setitem(jp_serverapp.web_app.settings, "authorizer", authorizer)
    assert (await ask("GET", "schedules"))[0] == 403
    other = await browse()
    await other.until(lambda: other.seq >= owner.seq > 0)
    write_schedule(Schedule(notebook=str(notebooks / "b.ipynb"), every=LATER, created=time.time()))
    await owner.until(lambda: len(owner.schedules["schedules"]) == 2)
    await other.until(lambda: other.seq >= owner.seq)
    assert not other.schedules["schedules"]


async def test_a_long_log_comes_with_its_end(ask: Any, notebooks: Path) -> None:
    book = str(write(notebooks / "wordy.ipynb", FAILS))
    write_schedule(Schedule(notebook=book, every=LATER, created=time.time(), began=1.0, ended=2.0, code=0))
    log_of(book).write_text("".join(f"line {number}\n" for number in range(100_000)))
    (view,) = (await ask("GET", "schedules"))["schedules"]
    lines = (await ask("GET", f"schedules/{view['id']}/log"))["lines"]
    assert view["phase"] == "done" and lines[-1] == "line 99999" and len(lines) == 3000


async def test_what_runs_is_not_run_twice_and_what_was_cut_short_is_told(ask: Any, notebooks: Path) -> None:
    book = str(write(notebooks / "cut.ipynb", FAILS))
    with clock():  # as if that ran it
        write_schedule(Schedule(notebook=book, every=LATER, created=time.time() - 90, began=time.time() - 60))
        (view,) = (await ask("GET", "schedules"))["schedules"]
        assert view["phase"] == "running"
        assert (await ask("POST", f"schedules/{view['id']}/run"))[0] == 409
    ensure_clock()

    async def told() -> bool:
        (view,) = (await ask("GET", "schedules"))["schedules"]
        return view["phase"] == "failed" and "cut short" in view["said"]

    await eventually(told)


#: A kubeconfig of an API server that isn't there.
NOBODY_THERE = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "far",
    "contexts": [{"name": "far", "context": {"cluster": "far", "user": "far", "namespace": "ml"}}],
    "clusters": [{"name": "far", "cluster": {"server": "http://127.0.0.1:9"}}],
    "users": [{"name": "far", "user": {"token": "nothing"}}],
}
