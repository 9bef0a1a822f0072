"""Profiles, as a notebook's user has them: `mlops.profiles.list()`, `.get(name)`, `.save(profile)`, `.delete(name)`.

mlops.profiles.save(mlops.Profile(name="wide", groups=[mlops.Group(workers=8, maximum=16, memory="2 GiB")]))
mlops.start("wide")
"""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING

from .places import profiles as _profiles

if TYPE_CHECKING:
    from .core.profile import Profile

__all__ = ["delete", "get", "list", "save"]


def list() -> builtins.list[Profile]:
    """All profiles, the last used first, then those never used: the package's, the administrator's, your own.

    A file that isn't a valid profile is left out, with a warning that names the file and its fault.
    """
    return _profiles.all_profiles()


def get(name: str) -> Profile:
    """The profile of that name.

    Raises
    ------
    UnknownProfile : there is none; a near name is suggested.
    """
    return _profiles.get(name)


def save(profile: Profile) -> Profile:
    """Keep `profile` as your own, for all kernels, the sidebar and the command line.

    Parameters
    ----------
    profile : an `mlops.Profile`. It takes the place of one of the same name that you saved before.

    Returns
    -------
    The profile as it was saved.

    Raises
    ------
    NameTaken : the package or the administrator has a profile of that name.
    StorageFull, Refused : the file can't be written.
    """
    return _profiles.save(profile)


def delete(name: str) -> None:
    """Remove a profile that you saved. Clusters that were made of it go on.

    Raises
    ------
    UnknownProfile : there is none of that name; a near name is suggested.
    NameTaken : it is the package's or the administrator's, which can't be removed.
    """
    _profiles.delete(name)
