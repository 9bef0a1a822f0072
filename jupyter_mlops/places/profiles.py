"""Profiles: those that come with the places, the administrator's, the user's. A later one of the same name wins."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

from .. import home
from ..core.base import read_input
from ..core.errors import InvalidSpec, NameTaken, Unavailable, UnknownProfile
from ..core.profile import Profile
from ..home import settings
from . import get as backend_of
from . import names


def all_profiles() -> list[Profile]:
    """All profiles, the last used first, then those never used: shipped, admin's, user's.

    A file that isn't a valid profile is skipped, with a warning that names the file and its fault.
    """
    found = {profile.name: profile for profile in _shipped()}
    for folder in reversed(_admin_folders()):
        found.update((profile.name, profile) for profile in _read(folder, "admin"))
    found.update((profile.name, profile) for profile in _read(home.profiles_dir(), "user"))
    used = settings.load().last_used
    return sorted(found.values(), key=lambda profile: -used.get(profile.name, 0.0))


def read(data: object) -> Profile:
    """A profile as people write it, with the options of its place.

    Raises
    ------
    InvalidSpec : names each wrong field and what it should be, or the places that there are.
    Unavailable : its place is another package's, and broken.
    """
    profile = read_input(Profile, data)
    backend_of(profile.place).check_options(profile)
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
    home.write(home.profiles_dir() / f"{profile.name}.json", profile.model_dump_json(indent=2))
    return profile


def delete(name: str) -> None:
    """Remove a profile that the user saved.

    Raises
    ------
    UnknownProfile : there is none.
    NameTaken : it is a shipped or an administrator's one, which can't be removed.
    """
    if get(name).source != "user":
        raise NameTaken(f"The profile {name!r} can't be removed", "only those that you saved can")
    for path in home.profiles_dir().glob("*.json"):
        if any(profile.name == name for profile in _load(path, "user")):
            path.unlink(missing_ok=True)


def mark_used(name: str) -> None:
    """Remember that a cluster was made of this profile now, so that it stands first the next time."""
    current = settings.load()
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


def _admin_folders() -> list[Path]:
    """Folders of the administrator's profiles, the one that matters most first."""
    from jupyter_core.paths import jupyter_config_path

    return [Path(path) / "jupyter-mlops" / "profiles" for path in jupyter_config_path()]


def _read(folder: Path, source: str) -> Iterator[Profile]:
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".json" and path.name[0] != ".")
    except OSError:  # most of the paths don't exist, and some may be closed to this user
        return
    for path in paths:
        yield from _load(path, source)


def _load(path: Path, source: str) -> Iterator[Profile]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(data, dict):
            data = {"name": path.stem, **data, "source": source}
        yield read(data)
    except (InvalidSpec, Unavailable, OSError, ValueError) as error:
        warnings.warn(f"The profile in {path} is skipped: {error}", stacklevel=3)
