"""Profiles: those that come with the places, the user's, those that a team shares, the administrator's. A later one of
the same name wins."""

from __future__ import annotations

import contextlib
import json
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .. import home
from ..core.base import read_input, read_record, read_request
from ..core.errors import InvalidSpec, NameTaken, Unavailable, UnknownProfile, Unreadable
from ..core.formats import FORMAT
from ..core.profile import Profile
from ..home import settings
from ..home.owner import me
from . import get as backend_of
from . import names, rules


def all_profiles() -> list[Profile]:
    """All profiles, the last used first, then those never used: shipped, admin's, user's.

    A file that isn't a valid profile is skipped, with a warning that names the file and its fault.
    """
    found = {profile.name: profile for profile in _shipped()}
    found.update((profile.name, profile) for profile in _read(home.profiles_dir(), "user"))
    found.update(_admins())
    used = settings.load().last_used
    return sorted(found.values(), key=lambda profile: -used.get(profile.name, 0.0))


def overruled() -> dict[str, str]:
    """Profiles of the user that don't count, since the administrator has one of their name: name → that, in words."""
    admins = _admins()
    own = [profile.name for profile in _read(home.profiles_dir(), "user")]
    return {
        name: "your profile of this name isn’t used: your administrator’s goes before it, with its limits"
        for name in own
        if name in admins
    }


def read(data: object) -> Profile:
    """A profile as people write it, with the options of its place.

    Raises
    ------
    InvalidSpec : names each wrong field and what it should be, or the places that there are.
    Unavailable : its place is another package's, and broken.
    """
    return _whole(data, read_input)


def read_sent(data: object) -> Profile:
    """A profile as a program sent it; raises as `read`, also for numbers, true and false that are written as texts."""
    return _whole(data, read_request)


def _whole(data: object, by: Callable[..., Any]) -> Profile:
    profile: Profile = by(Profile, data)
    backend_of(profile.place).check_options(profile, by)
    return profile


def get(name: str) -> Profile:
    """The profile of that name.

    Raises
    ------
    UnknownProfile : there is none; a near name is suggested.
    """
    profiles = {profile.name: profile for profile in all_profiles()}
    if name not in profiles:
        raise UnknownProfile.named(name, profiles)
    return profiles[name]


def save(profile: Profile) -> Profile:
    """Keep `profile` as the user's own, in place of one of the same name that the user saved before.

    Raises
    ------
    NameTaken : a shipped or an administrator's profile has the name.
    InvalidSpec : there is no such place here, or it has no such options.
    Unreadable : the file of that name that is there can't be read, and is left as it is.
    StorageFull, Refused : the file can't be written.
    """
    backend_of(profile.place).check_options(profile)
    taken = {other.name: other.source for other in all_profiles() if other.source != "user"}
    if profile.name in taken:
        raise NameTaken(
            f"The profile {profile.name!r} can't be changed",
            "it comes with the package" if taken[profile.name] == "shipped" else "it is your administrator's",
            "Save yours under another name.",
        )
    profile = profile.model_copy(update={"source": "user"})
    path = home.profiles_dir() / f"{profile.name}.json"
    if path.exists():
        _profile(path, "user")
    home.write(path, json.dumps({"format": FORMAT, **profile.model_dump(mode="json")}, indent=2))
    return profile


def delete(name: str) -> None:
    """Remove a profile that the user saved.

    Raises
    ------
    UnknownProfile : there is none.
    NameTaken : it is a shipped or an administrator's one, which can't be removed.
    """
    files = home.profiles_dir().glob("*.json")
    own = [path for path in files if any(profile.name == name for profile in _load(path, "user"))]
    if not own and get(name).source != "user":
        raise NameTaken(f"The profile {name!r} can't be removed", "only those that you saved can")
    for path in own:
        path.unlink(missing_ok=True)


def mark_used(name: str) -> None:
    """Remember that a cluster was made of this profile now, so that it stands first the next time."""
    current = settings.load()
    with contextlib.suppress(Unreadable):  # a cluster starts all the same; settings that can't be read are left alone
        settings.save(current.model_copy(update={"last_used": {**current.last_used, name: time.time()}}))


def _shipped() -> list[Profile]:
    """What the places bring along; one that fails at it brings nothing."""
    found = []
    for place in names():
        try:
            found += backend_of(place).shipped_profiles()
        except Unavailable:  # it can't be imported: its row in the list of clusters says so
            continue
        except Exception as error:  # noqa: BLE001 - another package's code; the profiles of the others are listed
            warnings.warn(f"The profiles of the place {place!r} are skipped: {error}", stacklevel=3)
    return found


def _admins() -> dict[str, Profile]:
    """The administrator's profiles, and those in folders that the rules name, by name."""
    folders = reversed([*_admin_folders(), *_shared_folders()])
    return {profile.name: profile for folder in folders for profile in _read(folder, "admin")}


def _admin_folders() -> list[Path]:
    """Folders of the administrator's profiles, the one that matters most first."""
    from jupyter_core.paths import jupyter_config_path

    return [Path(path) / "jupyter-mlops" / "profiles" for path in jupyter_config_path()]


def _shared_folders() -> list[Path]:
    """Folders of profiles that a team of this user shares, as the administrator's rules say."""
    try:
        found = [rule for each in rules.load() for rule in each.rules if rule.about(me())]
    except Unavailable:  # no cluster starts then, and says why; what there is can be looked at
        return []
    return [Path(rule.shared).expanduser() for rule in found if rule.shared]


def _read(folder: Path, source: str) -> Iterator[Profile]:
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".json" and path.name[0] != ".")
    except OSError:  # most of the paths don't exist, and some may be closed to this user
        return
    for path in paths:
        yield from _load(path, source)


def _load(path: Path, source: str) -> Iterator[Profile]:
    try:
        yield _profile(path, source)
    except (InvalidSpec, Unavailable, Unreadable) as error:
        warnings.warn(f"The profile in {path} is skipped: {error}", stacklevel=3)


def _profile(path: Path, source: str) -> Profile:
    """The profile in a file. An administrator's was typed in, so that a misspelt field is an error; a user's was saved
    by us, perhaps by a newer version.

    Raises
    ------
    InvalidSpec, Unavailable : an administrator's, as `read`; the place of either isn't there.
    Unreadable : a user's can't be read.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Unreadable(f"{path} can't be read", str(error), home.REPAIR) from None
    if isinstance(data, dict):
        data = {"name": path.stem, **data, "source": source}
        data.pop("format", None)
    if source == "admin":
        return read(data)
    try:
        profile = read_record(Profile, data)
    except Unreadable as error:
        raise Unreadable(f"{path} can't be read", error.why, error.todo or home.REPAIR) from None
    backend_of(profile.place)
    return profile
