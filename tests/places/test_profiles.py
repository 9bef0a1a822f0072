"""Profiles and settings: whose they are, which comes first, and what a broken file does."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops import home
from jupyter_mlops.client.clusters.spec import new_spec
from jupyter_mlops.core.base import read_input
from jupyter_mlops.core.errors import NameTaken, Refused, UnknownProfile
from jupyter_mlops.core.price import Price
from jupyter_mlops.core.profile import Group, Profile
from jupyter_mlops.core.settings import Settings
from jupyter_mlops.home import machine, settings
from jupyter_mlops.places import profiles
from jupyter_mlops.places.local.shipped import profiles_for


@pytest.fixture(autouse=True)
def home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path / "admin"))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    return tmp_path / "home"


def _admin(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / "admin" / "jupyter-mlops" / "profiles" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


MINE = Profile(name="mine", groups=[Group(workers=1)])


def test_shipped_profiles_fit_this_machine() -> None:
    found = {profile.name: profile for profile in profiles.all_profiles()}
    assert list(found) == ["this-machine", "gentle", "elastic", "big-memory"]
    group = found["this-machine"].group()
    assert group.workers == len(os.sched_getaffinity(0)) == machine.cpus()
    assert group.workers * group.memory <= machine.memory()


@given(st.integers(0, 256), st.integers(2**28, 2**42))
def test_shipped_profiles_fit_their_machine(cpus: int, memory: int) -> None:
    found = profiles_for(cpus, memory)
    assert len({profile.name for profile in found}) == len(found)
    for profile in found:
        assert read_input(Profile, profile.model_dump()) == profile
        for group in profile.groups:
            assert group.workers * group.cpus <= max(1, cpus)
            assert group.workers * group.memory <= max(0.81 * memory, group.workers * group.cpus * 256 * 1024**2)


def test_a_user_saves_uses_and_deletes_a_profile(home_folder: Path) -> None:
    profiles.save(MINE)
    assert profiles.get("mine").source == "user"
    assert stat.S_IMODE((home_folder / "profiles" / "mine.json").stat().st_mode) == 0o600
    assert profiles.all_profiles()[0].name == "this-machine"
    profiles.mark_used("gentle")
    profiles.mark_used("mine")
    assert [profile.name for profile in profiles.all_profiles()][:3] == ["mine", "gentle", "this-machine"]
    profiles.save(MINE.model_copy(update={"title": "Changed"}))
    assert profiles.get("mine").title == "Changed"
    profiles.delete("mine")
    with pytest.raises(UnknownProfile, match="no profile named 'mine'"):
        profiles.get("mine")


def test_others_profiles_cannot_be_changed(tmp_path: Path) -> None:
    _admin(tmp_path, "team.json", json.dumps({"name": "team", "groups": [{"workers": 1}]}))
    assert profiles.get("team").source == "admin"
    for name, owner in (("gentle", "the package"), ("team", "administrator")):
        with pytest.raises(NameTaken, match=owner):
            profiles.save(MINE.model_copy(update={"name": name}))
        with pytest.raises(NameTaken, match="can't be removed"):
            profiles.delete(name)
    with pytest.raises(UnknownProfile, match="Did you mean 'gentle'"):
        profiles.get("gentel")


def test_a_users_profile_goes_behind_the_administrators_and_says_so(tmp_path: Path) -> None:
    profiles.save(MINE.model_copy(update={"name": "team", "title": "Mine"}))
    assert (profiles.get("team").title, profiles.overruled()) == ("Mine", {})
    _admin(tmp_path, "team.json", json.dumps({"title": "Ours", "groups": [{"workers": 1}]}))
    assert (profiles.get("team").title, profiles.get("team").source) == ("Ours", "admin")
    assert "your administrator’s goes before it" in profiles.overruled()["team"]
    profiles.delete("team")
    assert not profiles.overruled(), "one's own file can be removed all the same"


def test_an_administrator_can_replace_a_shipped_profile(tmp_path: Path) -> None:
    _admin(tmp_path, "gentle.json", json.dumps({"title": "Ours", "groups": [{"workers": 1}]}))  # named by its file
    assert (profiles.get("gentle").title, profiles.get("gentle").source) == ("Ours", "admin")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "Expecting property name"),
        ("[]", "valid dictionary"),
        ('{"name": "x", "groups": []}', "groups"),
        ('{"name": "x", "groups": [{"cpus": -1}], "colour": "red"}', "'colour' is not a known field"),
        ('{"name": "Not a name", "groups": [{}]}', "small letters"),
    ],
)
def test_a_broken_file_is_named_and_skipped(tmp_path: Path, text: str, fault: str) -> None:
    path = _admin(tmp_path, "broken.json", text)
    _admin(tmp_path, "whole.json", json.dumps({"groups": [{}]}))
    with pytest.warns(UserWarning, match=fault) as warned:
        names = [profile.name for profile in profiles.all_profiles()]
    assert str(path) in str(warned[0].message)
    assert "whole" in names and len(names) == 5


def test_settings_are_kept_and_broken_ones_ignored(home_folder: Path) -> None:
    assert settings.load() == Settings()
    price = Price(cpu_hour=0.05, source="the finance department", date="2026-05-01")
    settings.save(Settings(price=price))
    assert new_spec(MINE).price == price
    own = MINE.model_copy(update={"price": Price(cpu_hour=1, source="the profile")})
    assert new_spec(own).price.source == "the profile"
    (home_folder / "settings.json").write_text('{"price": "much"}')
    with pytest.warns(UserWarning, match=r"settings are ignored.*settings\.json.*price"):
        assert settings.load() == Settings()


def test_a_home_that_cannot_be_written_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a folder")
    for closed in ("/proc/nowhere", tmp_path / "file", tmp_path / "file" / "inner"):  # not even for root
        monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(closed))
        with pytest.raises(Refused, match="JUPYTER_MLOPS_HOME"):
            home.home()


def test_a_spec_takes_what_was_asked_for() -> None:
    profile = Profile(name="two", groups=[Group(name="a", maximum=9), Group(name="b", maximum=9)])
    spec = new_spec(profile, "named", workers=7, group="b")
    assert (spec.name, [group.workers for group in spec.profile.groups]) == ("named", [2, 7])
    assert profile.group("b").workers == 2
    assert spec.owner
