"""Which cluster a name means, and how each is named exactly."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_mlops.core.cluster import ClusterState
from jupyter_mlops.core.errors import AmbiguousName
from jupyter_mlops.core.naming import ClusterName, exactly, find, owned, spelled, unknown


def state(name: str, place: str = "local", created: float = 1.0, **more: Any) -> ClusterState:
    fields = {"profile": "p", "owner": "ann", "phase": "running", "mine": True, **more}
    return ClusterState(name=name, place=place, created=created, **fields)


LOCAL = state("v4")
THEIRS = state("v4", "kubernetes", 9.0, namespace="ml", mine=False, owner="bob")
RELEASE = state("v4", "kubernetes", 9.0, namespace="ml", uid="2f-1", mine=False, owner="", maker="helm")
ELSEWHERE = state("v4", "kubernetes", 9.0, namespace="etl", mine=False, owner="bob")
MINE_THERE = state("v4", "kubernetes", 9.0, namespace="ann")
OVER = state("v4", phase="ended", created=0.7)
OVER_BEFORE = state("v4", phase="ended", created=0.5)
OTHER = state("other", "kubernetes", namespace="ml")

#: What is written, among which clusters, and which one is meant; None: none, "?": it isn't clear.
MEANT: list[tuple[str, list[ClusterState], ClusterState | str | None]] = [
    ("v4", [THEIRS, LOCAL], LOCAL),
    ("v4", [THEIRS, OVER], OVER),  # the name that I used never leads to a stranger's
    ("v4", [OVER_BEFORE, OVER], OVER),
    ("v4", [OVER, LOCAL], LOCAL),
    ("v4", [THEIRS, OTHER], THEIRS),
    ("v4", [LOCAL, LOCAL], LOCAL),  # the same one, seen by two ways
    ("v4", [LOCAL, MINE_THERE], "?"),
    ("v4", [THEIRS, RELEASE], "?"),
    ("v4.local", [LOCAL, MINE_THERE], LOCAL),
    ("v4.kubernetes", [LOCAL, THEIRS], THEIRS),
    ("v4.ml.kubernetes", [LOCAL, THEIRS, ELSEWHERE], THEIRS),
    ("v4.etl.kubernetes", [LOCAL, THEIRS, ELSEWHERE], ELSEWHERE),
    ("v4.kubernetes", [THEIRS, ELSEWHERE], "?"),
    ("v4.ml.kubernetes", [THEIRS, RELEASE], "?"),
    ("v4.ml.kubernetes~2f-1", [THEIRS, RELEASE], RELEASE),
    ("v4~2f-1", [THEIRS, RELEASE], RELEASE),
    (OVER.id, [state("v4", created=2.0), OVER], OVER),
    (OVER.id, [state("v4", created=2.0)], None),
    ("v4.ml", [THEIRS], None),
    ("v", [THEIRS], None),
    ("", [THEIRS], None),
    ("../v4", [LOCAL], None),
]


@pytest.mark.parametrize(("text", "states", "meant"), MEANT)
def test_which_one_is_meant(text: str, states: list[ClusterState], meant: ClusterState | str | None) -> None:
    for some in (states, states[::-1]):
        if meant == "?":
            with pytest.raises(AmbiguousName):
                find(text, some)
        else:
            assert find(text, some) is meant


def test_choices_are_told_as_they_are_to_be_named() -> None:
    with pytest.raises(AmbiguousName) as error:
        find("v4", [THEIRS, RELEASE, ELSEWHERE])
    assert str(error.value) == (
        "'v4' may mean 3 clusters: v4.ml.kubernetes~2328 (of bob), v4.ml.kubernetes~2f-1 (made with helm) and "
        "v4.etl.kubernetes (of bob). Name one of them so."
    )


def test_each_is_named_such_that_it_is_found() -> None:
    states = [LOCAL, THEIRS, RELEASE, ELSEWHERE, OTHER]
    names = spelled(states)
    assert names == {
        LOCAL.id: "v4.local",
        THEIRS.id: THEIRS.id,
        RELEASE.id: RELEASE.id,
        ELSEWHERE.id: "v4.etl.kubernetes",
        OTHER.id: "other",
    }
    assert all(find(names[each.id], states) is each for each in states)
    assert exactly(OTHER, states) == "other.ml.kubernetes" and ClusterName.of(exactly(OTHER, states)).exact
    assert [owned(each) for each in (LOCAL, THEIRS, RELEASE)] == ["yours", "of bob", "made with helm"]


def test_one_that_is_gone_is_not_taken_for_the_next_of_its_name() -> None:
    error = unknown(OVER.id, [state("v4", created=2.0)])
    assert str(error) == "The cluster 'v4' that was meant is gone: another one was started under its name since."
    assert str(unknown("v5", [LOCAL])) == "There is no cluster named 'v5'. Did you mean 'v4'?"
    assert str(unknown("v4.shed", [LOCAL])).startswith("There is no cluster named 'v4.shed'.")


def test_a_controller_has_no_say_in_who_its_cluster_is() -> None:
    news = state("v4", cpus=8, owner="ann")
    told = THEIRS.told(news)
    assert (told.id, told.owner, told.mine, told.cpus) == (THEIRS.id, "bob", False, 8)
