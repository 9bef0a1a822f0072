"""What a form for a profile is told while it is typed: what is wrong, by the field, and what can hardly be meant."""

from __future__ import annotations

from typing import Any

import pytest

TINY = {"memory": "500 MiB"}


@pytest.mark.parametrize(
    ("profile", "faults"),
    [
        ({"groups": [TINY, {"name": "b", "memory": "2"}]}, {"groups.1.memory": "has no unit"}),
        ({"groups": [{**TINY, "cpus": "1,5"}]}, {"groups.0.cpus": "written with a point: 1.5"}),
        (
            {"groups": [{**TINY, "workers": "", "gpus": None}]},
            {"groups.0.workers": "whole", "groups.0.gpus": "missing"},
        ),
        (
            {"groups": [{**TINY, "workers": "2", "spot": "yes"}]},
            {"groups.0.workers": "whole", "groups.0.spot": "true or false"},
        ),
        ({"groups": [TINY], "environment": {"FOO BAR": ""}}, {"environment": "'FOO BAR'"}),
        ({"groups": [TINY], "limits": {"idle_timeout": "20"}}, {"limits.idle_timeout": "has no unit"}),
        ({"groups": [TINY], "options": {"colour": "red"}}, {"options.colour": "not a known field"}),
        ({"groups": [TINY], "name": "Foo"}, {"name": "small letters"}),
    ],
)
async def test_what_is_wrong_is_told_by_the_field(ask: Any, profile: dict[str, Any], faults: dict[str, str]) -> None:
    status, refused = await ask("POST", "profiles/estimate", {"profile": {"name": "mine", **profile}})
    assert (status, refused["error"]) == (400, "InvalidSpec")
    told = {fault["at"]: fault["words"] for fault in refused["faults"]}
    assert told.keys() == faults.keys()
    assert all(words in told[at] for at, words in faults.items()), told
    assert all(f"{at}" in refused["why"] and words in refused["why"] for at, words in faults.items())


@pytest.mark.parametrize(
    ("group", "at", "words"),
    [
        ({"memory": "900 TB", "workers": 1}, "groups.0.memory", "is 900 TB a worker, and this machine has "),
        ({"memory": "1 TB", "workers": 999, "maximum": 999}, "groups.0.memory", "is 1.0 TB a worker"),
        ({**TINY, "workers": 5000, "maximum": 5000}, "groups.0.memory", "for 5,000 workers at the start"),
        ({**TINY, "cpus": 1000}, "groups.0.cpus", "its threads take turns"),
        ({**TINY, "gpus": 1}, "groups.0.gpus", "has none to give out"),
    ],
)
async def test_what_this_machine_has_not_is_said_at_once(ask: Any, group: dict[str, Any], at: str, words: str) -> None:
    """A profile may be for another machine, and can be saved all the same."""
    profile = {"name": "mine", "groups": [group]}
    doubts = {
        doubt["at"]: doubt["words"]
        for doubt in (await ask("POST", "profiles/estimate", {"profile": profile}))["doubts"]
    }
    assert words in doubts[at]
    assert (await ask("PUT", "profiles/mine", profile))["profile"]["name"] == "mine"


async def test_the_profiles_that_come_along_raise_no_doubt(ask: Any) -> None:
    for view in await ask("GET", "profiles"):
        if view["profile"]["place"] == "local":
            assert (await ask("POST", "profiles/estimate", {"profile": view["profile"]}))["doubts"] == []
