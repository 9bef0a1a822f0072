"""Settings and profiles that can't be read are left alone; what a newer version has added stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_mlops.core.errors import Unreadable
from jupyter_mlops.core.price import Price
from jupyter_mlops.core.profile import Group, Profile
from jupyter_mlops.core.settings import Settings
from jupyter_mlops.home import settings
from jupyter_mlops.places import profiles


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("text", ["", "{", "[]", '{"price": 3}', '{"kinds": {"m5.large": "cheap"}}'])
def test_settings_that_can_not_be_read_are_never_overwritten(home: Path, text: str) -> None:
    (home / "settings.json").write_text(text)
    with pytest.warns(UserWarning, match="The settings are ignored"):
        assert settings.load().price == Price()
    with pytest.warns(UserWarning):
        profiles.mark_used("gentle")
    with pytest.raises(Unreadable, match=r"settings\.json can't be read"):
        settings.save(Settings(price=Price(cpu_hour=1)))
    assert (home / "settings.json").read_text() == text


def test_settings_of_a_newer_version_keep_what_it_has_added(home: Path) -> None:
    newer = {"format": 2, "price": {"cpu_hour": 2, "quota": 1}, "last_used": {}, "budget": {"team": 5}}
    (home / "settings.json").write_text(json.dumps(newer))
    assert settings.load().price.cpu_hour == 2
    profiles.mark_used("gentle")
    stored = json.loads((home / "settings.json").read_text())
    assert stored["budget"] == {"team": 5} and list(stored["last_used"]) == ["gentle"]


def test_a_profile_that_was_saved_is_read_leniently_and_one_that_was_typed_in_strictly(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles.save(Profile(name="mine", groups=[Group()]))
    path = home / "profiles" / "mine.json"
    stored = json.loads(path.read_text())
    assert stored["format"] == 1
    stored["groups"][0]["thresholds"] = [1]
    path.write_text(json.dumps({**stored, "team": "ml"}))
    assert profiles.get("mine").groups == [Group()]
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path / "config"))
    admin = tmp_path / "config" / "jupyter-mlops" / "profiles"
    admin.mkdir(parents=True)
    (admin / "ours.json").write_text(json.dumps({**stored, "name": "ours"}))
    with pytest.warns(UserWarning, match="'groups.0.thresholds' is not a known field"):
        assert "ours" not in [profile.name for profile in profiles.all_profiles()]


def test_a_profile_that_can_not_be_read_hides_no_other_and_is_not_overwritten(home: Path) -> None:
    profiles.save(Profile(name="mine", groups=[Group()]))
    profiles.save(Profile(name="other", groups=[Group()]))
    (home / "profiles" / "mine.json").write_text("{")
    with pytest.warns(UserWarning, match="mine.json"):
        assert "other" in [profile.name for profile in profiles.all_profiles()]
    with pytest.warns(UserWarning), pytest.raises(Unreadable, match=r"mine\.json can't be read"):
        profiles.save(Profile(name="mine", groups=[Group()]))
    assert (home / "profiles" / "mine.json").read_text() == "{"
