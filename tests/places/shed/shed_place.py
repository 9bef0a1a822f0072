"""A place that comes with another package: processes of this machine, which people share as if it were a shed."""

from __future__ import annotations

from typing import ClassVar

from jupyter_mlops.core.base import Input
from jupyter_mlops.core.profile import Group, Place, Profile
from jupyter_mlops.places.base import Backend
from jupyter_mlops.places.local.backend import LocalBackend


class ShedOptions(Input):
    """What a profile may say of the shed."""

    shelf: str = "top"


class ShedGroupOptions(Input):
    """What a group may say of the shed."""

    drawer: int = 1


class ShedBackend(LocalBackend):
    """Clusters in the shed."""

    place: ClassVar[Place] = "shed"
    title: ClassVar[str] = "the shed"
    profile_options: ClassVar[type[Input]] = ShedOptions
    group_options: ClassVar[type[Input]] = ShedGroupOptions

    def free_name(self, base: str) -> str:
        """As in `Backend`, with random letters."""
        return Backend.free_name(self, base)

    def shipped_profiles(self) -> list[Profile]:
        """As in `Backend`."""
        group = Group(workers=1, maximum=4, memory=512 * 1024**2, options={"drawer": 2})
        title, about = "A corner of the shed", "One worker on the lowest shelf."
        options = {"shelf": "low"}
        return [Profile(name="corner", title=title, description=about, place="shed", groups=[group], options=options)]
