"""The command line on real clusters, as a user types it, with no Jupyter running."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.cli.main import main
from jupyter_mlops.cli.show import table
from jupyter_mlops.client.clusters.live import open_link
from jupyter_mlops.core.price import Cost, Price
from jupyter_mlops.core.profile import Group, Limits, Profile
from jupyter_mlops.core.run import RunState
from jupyter_mlops.core.sizing import GroupUse
from jupyter_mlops.places import profiles
from jupyter_mlops.tracking import history

#: Seconds that anything may take on a busy machine.
PATIENCE = 150.0


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path))
    monkeypatch.setattr("jupyter_mlops.cli.waiting._EVERY", PATIENCE)  # a start that takes its time isn't told of
    group = Group(workers=1, maximum=3, memory=500 * 1024**2)
    profiles.save(Profile(name="small", title="Small", groups=[group], price=Price(cpu_hour=3.6, source="test")))
    yield tmp_path
    main(["stop", "--all", "--force"])


Say = Any


@pytest.fixture
def say(home: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run a command: its exit code, and what it wrote."""

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            code = main(arguments)
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        written = capsys.readouterr()
        return code, written.out, written.err

    return run


def test_a_terminal_is_told_nothing_that_it_would_obey(say: Say, home: Path) -> None:
    escape = "\x1b]0;owned\x07\x9b2J"
    run = RunState(id="0123456789ab", name=f"sum{escape}", kind="cell", cluster="c", owner="me", created=1.0)
    history.save(run)
    record = home / "runs" / run.id / "record.json"
    record.write_text(record.read_text().replace(run.name, json.dumps(f"sum\n{escape}")[1:-1]))  # as others may write
    for arguments in (["runs"], ["runs", "--json"], ["receipt", escape], ["prices", "remove", escape], [escape]):
        code, out, err = say(*arguments)
        assert not {"\x1b", "\x07", "\x9b"} & set(out + err), (arguments, out, err)
        assert len((out + err).splitlines()) == 2 or code == 2 or "--json" in arguments, "a name is one line"
    assert "sum" in say("runs")[1]


def test_from_start_to_receipt(say: Say, tmp_path: Path) -> None:
    assert say("list") == (
        0,
        "No cluster. Start one with: jupyter mlops start, or see those that ended with --all\n",
        "",
    )
    assert say("start", "small", "-n", "one") == (0, "one is running with 1 worker.\n", "")
    code, out, _ = say("list")
    head, row = out.splitlines()
    assert head.split()[:5] == ["NAME", "STATE", "PLACE", "OWNER", "WORKERS"]
    assert row.split()[:3] == ["one", "running", "local"] and row.split()[4] == "1/1" and "$" in row and "(idle)" in row
    assert head.index("STATE") == row.index("running")

    assert say("scale", "one", "2") == (0, "one will have 2 workers.\n", "")
    assert json.loads(say("adapt", "one", "1", "3", "--json")[1])["mine"] is True
    code, out, _ = say("list", "--json")
    (state,) = json.loads(out)
    assert state["groups"][0]["adaptive"] is True
    assert say("limit", "one", "--budget", "+5")[0] == 2, "it has no budget that could be raised"
    code, out, _ = say("limit", "one", "--budget", "5", "--lifetime", "+1h")
    assert code == 0 and re.fullmatch(r"one has a budget of \$5.00, of which .* is used and 1 d 1 h to live.\n", out)
    code, out, _ = say("logs", "one", "-n", "3")
    assert code == 0 and len(out.splitlines()) == 3
    assert say("receipt", "one")[0] == 1, "it hasn't ended"

    assert say("stop", "one") == (0, "one has ended.\n", "")
    assert say("list")[1].startswith("No cluster.")
    code, out, _ = say("list", "--all")
    assert "(user)" in out
    code, out, _ = say("receipt", "one")
    assert re.search(r"^Cost +\$0\.\d+$", out, re.M), out
    code, out, _ = say("receipt", "one", "--json")
    assert (cost := json.loads(out)["cost"]["amount"]) > 0

    code, out, _ = say("costs", "--json")
    (line,) = json.loads(out)["lines"]
    assert (line["name"], line["amount"]) == ("one", cost)
    code, out, _ = say("costs", "--by", "owner")
    assert code == 0 and re.search(r"1 cluster\b", out) and "OWNER" in out
    file = tmp_path / "costs.csv"
    assert say("costs", "-e", str(file))[1].startswith(f"{file}: 1 row of ")
    assert "one,one.local~" in file.read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["start", "smal"], 2, "There is no profile named 'smal'. Did you mean 'small'?"),
        (["start", "small", "-n", "Not A Name"], 2, "small letters"),
        (["start", "small", "-w", "99"], 2, "can't have 99 workers"),
        (["start", "small", "-w", "some"], 2, "invalid int value"),
        (["scale", "none", "1"], 2, "There is no cluster named 'none'"),
        (["stop"], 2, "Nothing to stop"),
        (["stop", "one", "--all"], 2, "not both"),
        (["stop", "none"], 2, "There is no cluster named 'none'"),
        (["logs", "none"], 2, "There is no cluster named 'none'"),
        (["logs", "none", "-n", "0"], 2, "at least 1"),
        (["cancel", "abc"], 2, "There is no run named 'abc'"),
        (["forget"], 2, "required: run"),
        (["forget", "abc"], 2, "There is no run named 'abc'"),
        (["costs", "--month", "may"], 2, "'may' is no month"),
        (["costs", "--export", "costs.xlsx"], 2, "Name the file *.csv"),
        (["receipt", "none"], 2, "There is no cluster named 'none'"),
        (["dance"], 2, "invalid choice"),
        ([], 2, "required: COMMAND"),
    ],
)
def test_wrong_input_is_said(say: Say, arguments: list[str], code: int, words: str) -> None:
    got, out, err = say(*arguments)
    assert got == code and words in err and not out
    assert "Traceback" not in err


class Terminal(io.StringIO):
    """Standard error as people have it."""

    def isatty(self) -> bool:
        return True


def test_errors_of_a_live_cluster(say: Say) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", terminal := Terminal())
        say("start", "small", "-n", "one")
    shown = terminal.getvalue().split("\r\x1b[K")
    assert re.search(r"one: (its scheduler starts|0 of 1 worker, .*) \(.* s\)", shown[1]), "what is waited for"
    assert shown[-1] == "", "and it doesn't stay"
    assert say("scale", "one", "9")[0] == 2
    assert "its profile allows 0 to 3" in say("scale", "one", "9")[2]
    assert say("scale", "one", "1", "-g", "defalt")[2].endswith("Did you mean 'default'?\n")
    code, _, err = say("start", "small", "-n", "one")
    assert code == 1 and "one" in err
    assert "There is no worker" in say("logs", "one", "nobody")[2]


def test_what_is_wrong_is_said_with_its_reason_and_remedy(say: Say) -> None:
    group = Group(workers=1, maximum=3, memory=500 * 1024**2)
    profiles.save(Profile(name="fragile", groups=[group], limits=Limits(restarts=0)))
    say("start", "fragile", "-n", "one")
    assert say("logs", "one", "-n", "1")[2] == "", "all is well"
    os.kill(_pid_of_a_worker("one"), signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE
    while "running !" not in (listed := say("list")[1]) or "the cause is unknown" in listed:  # nobody has told it yet
        assert time.monotonic() < deadline, listed
    _, row, empty, problem = listed.splitlines()
    assert row.split()[:3] == ["one", "running", "!"] and not empty
    assert problem.startswith("! one: Workers of group 'default' keep dying: 1 in ten minutes; the last one: ")
    assert problem.endswith("Then scale the group to try again.")
    assert say("logs", "one", "-n", "1")[2].startswith("! Workers of group 'default' keep dying")
    assert "killed" in say("logs", "one", "default-1")[2]
    assert say("scale", "one", "1") == (0, "one will have 1 worker.\n", ""), "the remedy helps"


def _pid_of_a_worker(name: str) -> int:
    async def ask() -> int:
        async with open_link("local", name) as link:
            return next(worker.pid for worker in (await link.view()).workers if worker.pid is not None)

    return asyncio.run(ask())


def test_profiles_say_what_they_cost(say: Say) -> None:
    code, out, _ = say("profiles")
    small = next(line for line in out.splitlines() if line.startswith("small"))
    assert code == 0 and "1 (0–3)" in small and "$3.60" in small and small.endswith("Small")
    assert "unknown" in out, "no price is set for the others"


def test_runs_are_listed(say: Say) -> None:
    assert say("runs") == (0, "No runs.\n", "")
    state = RunState(
        id="abc000000000",
        name="clean",
        kind="map",
        cluster="gone",
        owner="me",
        created=time.time() - 120,
        ended=time.time(),
        phase="failed",
        total=10,
        done=4,
        error="Traceback …\nValueError: no",
        cost=Cost(amount=1.5),
        use=[GroupUse(group="big", cpus=4, memory=4 * 10**9, peak=38 * 10**8, busy=0.9, out=1)],
    )
    history.save(state)
    shown = say("runs", "abc")[1]
    assert "\nCost         $1.50\nUsed of big  3.8 GB of 4.0 GB and 0.9 of 4 CPUs at most\nAdvice       Mem" in shown
    assert "try a group with 6.0 GB\nError        Traceback …" in shown
    _, row = say("runs")[1].splitlines()
    sweep = {"id": "abc000000001", "kind": "sweep", "failed": 1, "options": {"known": 3}, "metrics": {"best": 0.98125}}
    history.save(state.model_copy(update=sweep))
    assert "8/10, best 0.9812" in say("runs")[1]
    history.forget(history.get("abc000000001"))
    assert row.split() == [
        "abc000000000",
        "clean",
        "gone",
        "failed",
        "4/10",
        "2",
        "min",
        "$1.50",
        "$375.00",  # for a thousand items, at what these four cost
        "ValueError:",
        "no",
    ]
    assert json.loads(say("runs", "--json", "-n", "1")[1])[0]["id"] == state.id
    assert say("runs", "-c", "other")[1] == "No runs.\n"
    code, _, err = say("cancel", "abc")
    assert code == 1 and "can't be cancelled: it is failed." in err


def test_runs_that_are_over_are_removed_from_the_history(home: Path, say: Say) -> None:
    def kept(run: str, **more: Any) -> RunState:
        state = RunState(id=run, name="sum", kind="cell", cluster="one", owner="me", created=time.time() - 9, **more)
        history.save(state)
        return state

    over = kept("0123456789ab", phase="done")
    kept("0123456789ac", phase="failed")
    code, _, err = say("forget", "0123456789ad")
    assert code == 2 and err == "There is no run named '0123456789ad'. Did you mean '0123456789ac'?\n"
    assert say("forget", "0123", over.id)[0] == 2, "it isn't clear which"
    assert say("forget", "0123456789ac") == (0, "sum is removed from the history.\n", "")
    assert json.loads(say("forget", "01234", "--json")[1])[0]["id"] == over.id
    assert say("runs")[1] == "No runs.\n"
    assert say("forget", over.id)[0] == 2

    living = kept("aaaaaaaaaaaa", phase="running")
    kept("bbbbbbbbbbbb", phase="done")
    say("start", "small", "-n", "one", "-w", "0", "--no-wait")
    history.save(living.model_copy(update={"created": time.time() + 1}))
    code, _, err = say("forget", "bbb", "aaa")
    assert (code, err) == (1, "The run 'sum' can't be removed: it is running. Cancel it first.\n")
    assert len(say("runs")[1].splitlines()) == 3, "nothing is removed where something can't be"
    say("stop", "one")
    assert say("forget", "bbb", "aaa")[0] == 0, "its cluster is gone, which no server was there to write down"


def test_logs_follow_until_the_end(home: Path, say: Say) -> None:
    say("start", "small", "-n", "one")
    command = [sys.executable, "-m", "jupyter_mlops.cli.main", "logs", "-f", "one", "-n", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as follower:
        assert follower.stdout is not None
        lines = [follower.stdout.readline()]
        say("scale", "one", "2")
        while "default-2" not in lines[-1]:
            lines.append(follower.stdout.readline())
            assert lines[-1], "the log ended"
        say("stop", "one")
        lines += follower.stdout.readlines()
        assert follower.wait(PATIENCE) == 0
    whole = say("logs", "one", "-n", "2000")[1].splitlines(keepends=True)
    assert lines == whole[-len(lines) :], "each line once, to the last one"


def test_a_closed_pipe_is_no_traceback(home: Path) -> None:
    command = f"{sys.executable} -m jupyter_mlops.cli.main profiles --json | head -c 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout == "[" and "Traceback" not in done.stderr


def test_help_is_quick_and_light() -> None:
    code = (
        "import sys\nfrom jupyter_mlops.cli.main import parser\nparser().format_help()\n"
        "print([m for m in ('pydantic', 'distributed', 'jupyter_server', 'mlflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert done.stdout.strip() == "[]"


def test_numbers_stand_below_each_other() -> None:
    assert table(["A", "N"], [["x", "1"], ["long", "10"]], right="N") == "A      N\nx      1\nlong  10"
