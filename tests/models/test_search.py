"""Models are found among hundreds: by what people say of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.cli.main import main
from jupyter_mlops.core.errors import InvalidInput, StorageFull
from jupyter_mlops.home.models import ModelFolder

Say = Callable[..., str]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    def run(*arguments: str) -> str:
        main(["models", *arguments])
        written = capsys.readouterr()
        return written.out + written.err

    return run


@pytest.fixture
def known(home: Path) -> None:
    mlops.save_model(len, "churn", tags=["credit", "EU"], description="Who leaves\nnext month")
    mlops.save_model(len, "churn", tags=["eu"])
    mlops.save_model(len, "late-flights")
    mlops.model("late-flights").describe("Which flights are late", owner="grace", why="she asked for it")


def names(*asked: str, **more: str) -> list[str]:
    return [each.name for each in mlops.models(*asked, **more)]


@pytest.mark.usefixtures("known")
def test_models_are_found_by_text_owner_and_tag() -> None:
    assert names() == ["churn", "late-flights"]
    assert names("chu") == names("LEAVES credit") == names(tag="Credit") == ["churn"]
    assert names("la", owner="Grace") == ["late-flights"]
    assert names("late", tag="eu") == names(tag="cred") == names(owner="gra") == names("nothing") == []


@pytest.mark.usefixtures("known")
def test_tags_come_once_go_again_and_are_in_the_trail() -> None:
    churn = mlops.model("churn")
    assert churn.tags == ["credit", "EU"] and churn.description == "Who leaves next month"
    churn.tag("Credit", "shown to risk")
    churn.untag("eu", "never-there", why="it is for all")
    assert churn.tags == ["credit", "shown to risk"]
    last = churn.trail[-1]
    assert (last.verb, last.why) == ("described", "it is for all")
    assert "EU" in last.before and last.after == "Who leaves next month. Tags: credit, shown to risk."
    written = len(churn.trail)
    churn.tag("CREDIT")
    assert len(churn.trail) == written
    assert mlops.model("late-flights").owner == "grace" and all(each.passed for each in churn.verify())


@pytest.mark.parametrize("tag", ["", "a, b", "x" * 41, "two\nlines", 3])
def test_what_is_no_tag_is_said_and_nothing_is_saved(home: Path, tag: str) -> None:
    with pytest.raises(InvalidInput, match="A tag can't be"):
        mlops.save_model(len, "churn", tags=[tag])
    assert not mlops.models()


@pytest.mark.usefixtures("known")
def test_a_model_has_so_many_tags_at_most_and_a_version_that_can_not_have_its_own_is_not_kept() -> None:
    with pytest.raises(InvalidInput, match="can't have 22 tags"):
        mlops.save_model(len, "churn", tags=[f"t{number}" for number in range(20)])
    assert len(mlops.model("churn").versions) == 2


@pytest.mark.usefixtures("known")
def test_a_description_that_can_not_be_kept_leaves_all_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StorageFull("full", "", "")

    monkeypatch.setattr(ModelFolder, "write_description", full)
    with pytest.raises(StorageFull):
        mlops.save_model(len, "churn", tags=["new"])
    assert len(mlops.model("churn").versions) == 2 and mlops.model("churn").tags == ["credit", "EU"]


@pytest.mark.usefixtures("known")
def test_the_command_line_searches_and_describes(say: Say) -> None:
    assert "credit, EU" in say("chu") and "late-flights" not in say("chu")
    assert say("list", "nothing", "at", "all") == "No model is like that.\n"
    assert [each["name"] for each in json.loads(say("--owner", "grace", "--json"))] == ["late-flights"]
    assert say("tag", "churn", "gdpr", "--why", "law") == ("churn: Who leaves next month. Tags: credit, EU, gdpr.\n")
    assert "Tags: EU." in say("untag", "churn", "credit", "gdpr")
    assert say("describe", "churn", "Who", "goes", "--owner", "risk") == "churn: Who goes. Tags: EU. Owner: risk.\n"
    assert "`models tag` needs a tag" in say("tag", "churn")
    assert "takes one name" in say("show", "churn", "late-flights")
    assert "described churn: Who goes" in say("show", "churn")
