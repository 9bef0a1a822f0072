"""A place that comes with another package: processes of this machine, which people share as if it were a shed."""

from __future__ import annotations

import time
from typing import ClassVar

from jupyter_mlops.core.base import Input
from jupyter_mlops.core.estimate import Quote, Quotes
from jupyter_mlops.core.price import Price
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

    def __init__(self) -> None:
        super().__init__()
        self._asked: float | None = None

    def free_name(self, base: str) -> str:
        """As in `Backend`, with random letters."""
        return Backend.free_name(self, base)

    def shipped_profiles(self) -> list[Profile]:
        """As in `Backend`."""
        group = Group(workers=1, maximum=4, memory=512 * 1024**2, options={"drawer": 2})
        title, about = "A corner of the shed", "One worker on the lowest shelf."
        options = {"shelf": "low"}
        return [Profile(name="corner", title=title, description=about, place="shed", groups=[group], options=options)]

    async def quotes(self, profile: Profile, price: Price, patience: float = 0.0) -> Quotes | None:
        """As in `Backend`: its owner has to be asked, which takes patience."""
        if patience > 0:
            self._asked = time.time()
        if self._asked is None:
            return Quotes(currency=price.currency, why="its owner has not been asked")
        quotes = [Quote(group=group.name, per_hour=2, at_most=3, source="its owner") for group in profile.groups]
        return Quotes(groups=quotes, currency=price.currency, asked=self._asked)
