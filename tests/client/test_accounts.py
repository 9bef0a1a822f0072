"""Accounts and rules at the door, on real processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.cli.main import main
from jupyter_mlops.core.account import RENEWED, AccountBook
from jupyter_mlops.core.price import Price
from jupyter_mlops.core.profile import Group, Profile
from jupyter_mlops.home.accounts import AccountsFile
from jupyter_mlops.home.owner import me
from jupyter_mlops.places import profiles

#: Holds a dollar of the account for each of many clusters, and says how often that could be paid.
RACER = """
import asyncio, sys, time
from jupyter_mlops.core.account import Ask
from jupyter_mlops.core.errors import Unavailable
from jupyter_mlops.home.accounts import AccountsFile

async def hold(who):
    ask = Ask(1, 0.0, 1.0, 1.0)
    while True:
        try:
            book = await AccountsFile().change("team", lambda book: book.take(who, ask, time.time()))
            return not book.holds[who].short
        except Unavailable:
            pass  # a slow disk, and the other one was faster for seconds: it says to try again

async def race():
    print(sum([await hold(f"{sys.argv[1]}-{number}") for number in range(60)]))

print("ready", flush=True)
sys.stdin.readline()
asyncio.run(race())
"""

#: What an hour of a worker costs.
RATE = 36.0


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path / "config"))
    monkeypatch.setattr("jupyter_mlops.cli.waiting._EVERY", 150.0)  # a start that takes its time isn't told of
    groups = [Group(workers=1, maximum=4, memory=500 * 1024**2)]
    profiles.save(Profile(name="small", groups=groups, price=Price(cpu_hour=RATE, source="test")))
    yield tmp_path / "home"
    main(["stop", "--all", "--force"])


@pytest.fixture
def say(home: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Run a command: its exit code, and what it wrote."""

    def run(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        code = main(arguments)
        written = capsys.readouterr()
        return code, written.out + written.err

    return run


async def test_two_processes_race_for_the_last_dollar(home: Path) -> None:
    store, limit = AccountsFile(), 90
    assert await store.books() == [] and not (home / "accounts.sqlite").exists(), "who has none has no file"
    await store.change("team", lambda _: AccountBook(name="team", limit=limit))
    racers = [
        subprocess.Popen([sys.executable, "-c", RACER, name], stdin=-1, stdout=-1, text=True) for name in ("a", "b")
    ]
    for racer in racers:
        assert racer.stdout is not None and racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    paid = [int(racer.communicate(timeout=300)[0]) for racer in racers]
    assert sum(paid) == limit and all(each >= limit - 60 for each in paid)
    (book,) = await store.books()
    assert book.held(time.time()) == limit


def test_an_account_pays_for_a_cluster_until_its_scheduler_is_killed(
    say: Callable[..., tuple[int, str]], home: Path
) -> None:
    assert say("account")[1].startswith("No account.")
    need = RATE * RENEWED / 3600
    assert say("account", "set", str(need * 0.9))[0] == 0
    code, text = say("start", "small", "-n", "one", "--no-wait")
    assert code == 1 and "Cluster 'one' can't be started: 1 worker would cost $36.00/h" in text
    assert "or raise the account: jupyter mlops account set AMOUNT" in text
    assert _account(say)["holds"] == {} or all(not hold["held"] for hold in _account(say)["holds"].values())

    assert say("account", "set", str(need * 1.8))[0] == 0
    assert say("start", "small", "-n", "one") == (0, "one is running with 1 worker.\n")
    code, text = say("scale", "one", "2")
    assert code == 1 and "The cluster can't have 2 workers of group 'default'" in text
    assert "held by 1 cluster" in text
    (hold,) = [hold for hold in _account(say)["holds"].values() if hold["held"]]
    assert hold["begun"] and hold["held"] > need
    state = json.loads(say("list", "--json")[1])[0]
    assert state["account"]["name"] == me() and state["account"]["step"] == "fine"
    assert say("start", "small", "-n", "two", "--no-wait")[0] == 1

    scheduler = json.loads((home / "clusters" / "one" / "record.json").read_text())["scheduler"]["pid"]
    os.kill(scheduler, signal.SIGKILL)
    _until(lambda: say("list", "--json")[1].strip() == "[]")
    assert say("start", "small", "-n", "two")[0] == 0, "what it held is found to be free"
    spent = _account(say)
    assert 0 < sum(hold["spent"] for hold in spent["holds"].values()) < need / 2
    assert say("stop", "two")[0] == 0
    assert not [hold for hold in _account(say)["holds"].values() if hold["held"]], "at its end it gives back the rest"
    assert say("account", "remove")[0] == 0 and say("account")[1].startswith("No account.")


def test_where_one_account_fails_nothing_stays_held_in_the_others(
    say: Callable[..., tuple[int, str]], home: Path, tmp_path: Path
) -> None:
    _rule(tmp_path, {"rules": [{"name": "lab", "month": 100}]})
    assert say("account", "set", "50")[0] == 0
    with contextlib.closing(sqlite3.connect(home / "accounts.sqlite")) as db:
        db.execute(
            f"CREATE TRIGGER broken BEFORE INSERT ON accounts WHEN NEW.name = '{me()}' "
            "BEGIN SELECT RAISE(ABORT, 'its disk is broken'); END"
        )
    code, text = say("start", "small", "-n", "one", "--no-wait")
    assert code != 0 and "its disk is broken" in text
    (lab,) = [book for book in json.loads(say("account", "--json")[1]) if book["name"] == "lab"]
    assert [hold["held"] for hold in lab["holds"].values()] == [0.0]


def test_rules_bound_a_cluster_from_its_start_on(say: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    _rule(tmp_path, "{")
    assert "no cluster starts without them" in say("start", "small", "-n", "one")[1]
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "ours.json").write_text(json.dumps({"groups": [{"workers": 3, "memory": "500 MiB"}]}))
    rule = {
        "name": "lab",
        "workers": 2,
        "budget": 5,
        "lifetime": "2 h",
        "month": 100,
        "each": True,
        "shared": str(shared),
    }
    _rule(
        tmp_path,
        {
            "contact": "ops@lab.org",
            "rules": [{"name": "big", "owners": ["nobody"], "workers": 0}, rule, {**rule, "month": 900}],
        },
    )
    code, text = say("start", "small", "-n", "one", "-w", "3")
    assert code == 1 and text == (
        "The cluster can't have 3 workers: it may have 2 in all (rule 'lab'). Ask for fewer, or ask ops@lab.org for "
        "more.\n"
    )
    assert "ours" in say("profiles")[1] and "it may have 2 in all" in say("start", "ours")[1], "a team's has rules, too"
    assert say("start", "small", "-n", "one")[0] == 0
    state = json.loads(say("list", "--json")[1])[0]
    assert (state["limits"]["budget"], state["limits"]["lifetime"]) == (5, 7200)
    assert (state["account"]["name"], state["account"]["limit"]) == (f"lab of {me()}", 100)
    code, text = say("scale", "one", "3")
    assert code == 1 and "ask ops@lab.org" in text
    code, text = say("limit", "one", "--budget", "+5")
    assert code == 1 and "a budget of $5.00 and 2 h to live at most (rule 'lab')" in text
    assert say("limit", "one", "--budget", "4")[0] == 0, "less is no matter of rules"


def _account(say: Callable[..., tuple[int, str]]) -> dict[str, Any]:
    (found,) = json.loads(say("account", "--json")[1])
    return dict(found)


def _rule(folder: Path, rules: object) -> None:
    file = folder / "config" / "jupyter-mlops" / "rules.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(rules if isinstance(rules, str) else json.dumps(rules))


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 150
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)
