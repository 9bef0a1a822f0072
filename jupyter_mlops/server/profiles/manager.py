"""Profiles with their estimates, as browsers show them."""

from __future__ import annotations

import asyncio
from typing import Any

from ... import places
from ...client.clusters.estimate import estimates
from ...core.base import Seconds
from ...core.errors import InvalidSpec, Unavailable
from ...core.estimate import Estimate
from ...core.profile import Profile
from ...core.schedule import HERE
from ...core.settings import Settings
from ...core.stream import PlaceView, ProfileView
from ...core.waiting import end_tasks, until_set
from ...home import settings
from ...home.zone import clock_here
from ...places import profiles
from ..stream.hub import Hub

#: Seconds between two looks at what the machines of places cost now, while a browser is there.
_EVERY: Seconds = 60.0
#: Seconds that a place may take to tell, where somebody waits for it: a form, and the looks beside.
_PATIENCE: Seconds = 3.0
_LONG: Seconds = 10.0


class ProfileManager:
    """The door to the home folder's profiles, off the event loop."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._looking: asyncio.Task[None] | None = None
        #: Set when browsers are to be told at once what machines cost now.
        self._look = asyncio.Event()

    def start(self) -> None:
        """Keep the estimates of places that have to be asked fresh, from now on."""
        self._looking = asyncio.create_task(self._keep_fresh())

    async def close(self) -> None:
        """Ask no more."""
        if self._looking is not None:
            await end_tasks(self._looking)

    async def views(self, patience: Seconds = 0.0) -> list[ProfileView]:
        """All, the last used first. Waits for `patience` seconds at most for places to tell what machines cost there;
        with none, what they told last counts."""
        known, notes, found = await asyncio.to_thread(_known)
        return [
            ProfileView(
                profile=profile,
                estimate=estimate,
                last_used=known.last_used.get(profile.name),
                note=notes.get(profile.name, ""),
            )
            for profile, estimate in zip(found, await estimates(found, known, patience), strict=True)
        ]

    async def publish_places(self) -> None:
        """Tell browsers of the places, once: they are those that were installed when the server started."""
        for place in await asyncio.to_thread(_places):
            self._hub.put("place", place.name, place)

    async def publish(self) -> list[ProfileView]:
        """Tell browsers of the profiles as they are now. No place keeps anybody waiting: what it says of its machines
        is told when it has."""
        views = await self.views()
        self._hub.put("profiles", "", list(views))
        self._look.set()
        return views

    async def _keep_fresh(self) -> None:
        while True:
            asked = await until_set(self._look, _EVERY)
            self._look.clear()
            if asked or self._hub.subscribers:
                views = await self.views(_LONG)
                if not self._look.is_set():  # else profiles may have changed meanwhile
                    self._hub.put("profiles", "", list(views))

    async def save(self, name: str, body: dict[str, Any]) -> ProfileView:
        """Save a user's profile; raises `InvalidSpec`, `NameTaken`."""
        profile = profiles.read_sent({"name": name, **body})
        if profile.name != name:
            raise InvalidSpec("This profile isn't valid", f"its name is {profile.name!r}, and {name!r} in the URL")
        await asyncio.to_thread(profiles.save, profile)
        return next(view for view in await self.publish() if view.profile.name == name)

    async def delete(self, name: str) -> None:
        """Remove a user's profile; raises `UnknownProfile`, `NameTaken`."""
        await asyncio.to_thread(profiles.delete, name)
        await self.publish()

    async def estimate(self, body: dict[str, Any]) -> Estimate:
        """What the profile in `body` would cost; raises `InvalidSpec`."""
        if set(body) != {"profile"}:
            raise InvalidSpec("This request isn't valid", "it must have a profile, and nothing else")
        profile = profiles.read_sent(body["profile"])
        known = await asyncio.to_thread(settings.load)
        (found,) = await estimates([profile], known, _PATIENCE)
        doubts = await asyncio.to_thread(places.get(profile.place).doubts, profile)
        return found.model_copy(update={"doubts": doubts})


def _places() -> list[PlaceView]:
    found = []
    for name in places.names():
        try:
            backend = places.get(name)
        except Unavailable:  # broken: its row in the list of clusters says so
            found.append(PlaceView(name=name, title=name))
        else:
            hosting = backend.hosting()
            found.append(
                PlaceView(
                    name=name,
                    title=backend.title,
                    has_spot=backend.has_spot,
                    has_services=hosting is not None and hosting.by_profile,
                    has_schedules=name == HERE or backend.scheduling() is not None,
                    zone=clock_here() if name == HERE else "",
                )
            )
    return found


def _known() -> tuple[Settings, dict[str, str], list[Profile]]:
    return settings.load(), profiles.overruled(), profiles.all_profiles()
