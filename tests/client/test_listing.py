"""A place that did not answer is said, with its age and what it had: nobody takes it for an empty one."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.cli.main import main
from jupyter_mlops.client.clusters.listing import list_clusters, placed
from jupyter_mlops.core.cluster import Problem
from jupyter_mlops.core.errors import ClusterUnreachable, UnknownCluster

from .conftest import Far


async def test_a_silent_place_has_the_clusters_that_it_had(far: Far) -> None:
    seen = await list_clusters()
    assert [state.name for state in seen.clusters] == ["survey", "flights"] and not seen.silent
    far.goes_away()
    listing = await list_clusters()
    assert [(state.name, state.phase) for state in listing.clusters] == [
        ("survey", "unreachable"),
        ("flights", "unreachable"),
    ]
    assert listing.clusters[0].problem == Problem(what="Far doesn't answer", todo="Check the network.")
    (silent,) = listing.silent
    assert (silent.place, silent.clusters) == ("far", 2) and silent.seen is not None
    assert silent.sentence(silent.seen + 40) == "Far doesn't answer: 2 clusters seen 40 s ago"
    assert (await placed("survey"))[0].place == "far"


async def test_of_a_place_that_never_answered_nothing_is_said_to_be_there(far: Far) -> None:
    far.goes_away()
    listing = await list_clusters()
    assert listing.clusters == []
    assert listing.silent[0].sentence(time.time()) == "Far doesn't answer, and what is there is not known"
    with pytest.raises(ClusterUnreachable, match="no cluster named 'mine' where one could look: Far doesn't answer"):
        listing.named("mine")


async def test_without_silence_a_name_is_unknown(far: Far) -> None:
    with pytest.raises(UnknownCluster, match="Did you mean 'survey'"):
        await placed("surve")


def test_python_says_it(far: Far) -> None:
    assert "doesn't answer" not in repr(mlops.clusters())
    far.goes_away()
    clusters = mlops.clusters()
    assert [cluster.name for cluster in clusters] == ["survey", "flights"]
    assert re.search(r"\nFar doesn't answer: 2 clusters seen .* ago\.$", repr(clusters))
    with pytest.raises(ClusterUnreachable, match="no cluster yet where one could look: Far doesn't answer"):
        mlops.cluster()


def test_the_command_line_says_it_and_fails(far: Far, capsys: pytest.CaptureFixture[str]) -> None:
    far.goes_away()
    assert main(["list"]) == 1
    never = capsys.readouterr()
    assert never.out == "" and "Far doesn't answer, and what is there is not known. Check the network." in never.err


def test_the_command_line_lists_what_was_seen(far: Far, capsys: pytest.CaptureFixture[str]) -> None:
    main(["list"])
    far.goes_away()
    capsys.readouterr()
    assert main(["list"]) == 1
    said = capsys.readouterr()
    assert re.search(r"^survey +unreachable ! ", said.out, re.M)
    assert "! survey: Far doesn't answer. Check the network." in said.out
    assert re.search(r"^Far doesn't answer: 2 clusters seen .* ago\. Check the network\.$", said.err, re.M)
    assert main(["list", "--json"]) == 1
    rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    assert [(row["name"], row["phase"]) for row in rows] == [("survey", "unreachable"), ("flights", "unreachable")]


def test_what_is_in_the_way_of_an_unreadable_memory(far: Far, home: Any) -> None:
    mlops.clusters()
    (home / "last-seen" / "far.json").write_text('{"format": 1, "time": 1, "wa')
    far.goes_away()
    assert "and what is there is not known" in repr(mlops.clusters())


def test_all_that_can_be_stopped_is_stopped_and_the_rest_is_said(far: Far, capsys: pytest.CaptureFixture[str]) -> None:
    main(["list"])
    far.goes_away()
    capsys.readouterr()
    assert main(["stop", "--all"]) == 1
    assert "Far doesn't answer: 2 clusters seen" in capsys.readouterr().err
