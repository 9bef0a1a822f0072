"""A server on a home folder of an older version, and on a history that is partly spoilt."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from jupyter_mlops.home.runs import run_folder
from jupyter_mlops.places.local import store

from ..formats.old_home import unpack


@pytest.fixture
def home(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    unpack(home)
    monkeypatch.setattr(store, "KEPT", float("inf"))  # the folder is older than ended clusters are kept
    return home


@pytest.fixture
def jp_server_config(jp_server_config: Config, home: Path) -> Config:
    jp_server_config.MlopsApp.keep_days = 36500
    return jp_server_config


async def test_all_of_it_is_served(ask: Any, home: Path) -> None:
    clusters = {each["name"]: each for each in await ask("GET", "clusters")}
    assert {name: each["phase"] for name, each in clusters.items()} == {"stopped": "ended", "killed": "unreachable"}
    assert (await ask("GET", "clusters/stopped/receipt"))["cost"]["amount"] == pytest.approx(159.11, abs=0.01)
    assert (await ask("GET", "clusters/stopped/events"))[0]["text"] == "The cluster started"
    assert len(await ask("GET", "clusters/stopped/timeline")) > 5
    assert len(await ask("GET", "runs")) == 6
    journal = await ask("GET", "runs/8b31cfdcb071/journal")
    assert [entry["seq"] for entry in journal] == [1, 2, 3, 4, 5]
    printed = "".join(entry["text"] for entry in journal if entry["kind"] == "print")
    assert sorted(printed.splitlines()) == [f"item {number}" for number in range(6)]
    assert (await ask("GET", "settings"))["price"]["cpu_hour"] == 3600
    assert (await ask("GET", "profiles"))[0]["profile"]["name"] == "mine"


class TestWithoutTheFolders:
    """The history alone, as for clusters whose place has thrown them away."""

    @pytest.fixture
    def home(self, home: Path) -> Path:
        for path in [*(home / "clusters").iterdir(), *(home / "runs").iterdir()]:
            path.rename(home / f"moved-{path.name}")
        with closing(sqlite3.connect(home / "history.sqlite", isolation_level=None)) as database:
            database.execute("UPDATE clusters SET state = '{' WHERE name = 'killed'")
            database.execute("UPDATE clusters SET receipt = '{' WHERE name = 'stopped'")
            database.execute("UPDATE runs SET state = '[]' WHERE id = '4f010c4c6e0f'")
            database.execute("UPDATE events SET event = '{' WHERE name = 'stopped' AND seq = 2")
            database.execute(
                "UPDATE clusters SET state = json_set(state, '$.of_a_newer_version', 1, '$.cost.also', 2,"
                " '$.cause', 'quota') WHERE name = 'stopped'"
            )
        return home

    async def test_a_row_that_can_not_be_read_is_one_row_that_says_so(self, ask: Any, home: Path) -> None:
        clusters = {each["name"]: each for each in await ask("GET", "clusters")}
        assert (clusters["stopped"]["cause"], clusters["stopped"]["unreadable"]) == ("other", False)
        assert clusters["killed"]["unreadable"] and "history.sqlite" in clusters["killed"]["problem"]["todo"]
        runs = {each["id"]: each for each in await ask("GET", "runs")}
        assert len(runs) == 6
        assert runs["4f010c4c6e0f"]["problem"] and runs["4f010c4c6e0f"]["cluster"] == "killed"
        assert runs["8b31cfdcb071"]["problem"] is None
        seqs = [event["seq"] for event in await ask("GET", "clusters/stopped/events")]
        assert 2 not in seqs and len(seqs) > 3
        status, error = await ask("GET", "clusters/stopped/receipt")
        assert (status, error["error"]) == (409, "Unreadable")


@pytest.mark.filterwarnings("ignore:The settings are ignored", "ignore:The profile in .*mine.json is skipped")
async def test_what_is_spoilt_on_the_disk_is_a_row_and_what_was_known_of_it_stays(ask: Any, home: Path) -> None:
    (home / "clusters" / "stopped" / "spec.json").write_text("{")
    (home / "clusters" / "killed" / "receipt.json").write_text("{")
    run_folder("8b31cfdcb071").record_file.write_text("{")
    run_folder("123456789abc").make().record_file.write_text('{"id": 1}')
    (home / "settings.json").write_text("{")
    (home / "profiles" / "mine.json").write_text("{")
    with pytest.warns(UserWarning, match=r"settings\.json can't be read"):
        clusters = {each["name"]: each for each in await ask("GET", "clusters")}
    assert clusters["stopped"]["unreadable"] and "spec.json" in clusters["stopped"]["problem"]["what"]
    assert clusters["killed"]["unreadable"] and "receipt.json" in clusters["killed"]["problem"]["what"]
    runs = {each["id"]: each for each in await ask("GET", "runs")}
    assert len(runs) == 7
    assert "record.json" in runs["123456789abc"]["problem"]["what"]
    assert runs["8b31cfdcb071"]["phase"] == "done", "the history knew it"
    status, error = await ask("PUT", "settings", {"price": {"cpu_hour": 1}})
    assert (status, error["error"]) == (409, "Unreadable"), error
    assert (home / "settings.json").read_text() == "{"
    status, error = await ask("PUT", "profiles/mine", {"groups": [{"workers": 1}]})
    assert (status, error["error"]) == (409, "Unreadable"), error
    status, error = await ask("POST", "clusters", {"profile": "gentle", "name": "stopped"})
    assert (status, error["error"]) == (409, "NameTaken"), error
    with closing(sqlite3.connect(home / "history.sqlite", isolation_level=None)) as database:
        (state,) = database.execute("SELECT state FROM clusters WHERE name = 'stopped'").fetchone()
    assert "ada" in state, "no row is overwritten by what can't be read"
