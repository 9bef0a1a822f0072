"""Profiles with their estimates, as browsers show them."""

from __future__ import annotations

import asyncio
from typing import Any

from ... import places
from ...client.clusters.estimate import estimate_of
from ...core.errors import InvalidSpec, Unavailable
from ...core.estimate import Estimate
from ...core.stream import PlaceView, ProfileView
from ...home import settings
from ...places import profiles
from ..stream.hub import Hub


class ProfileManager:
    """The door to the home folder's profiles, off the event loop."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def views(self) -> list[ProfileView]:
        """All, the last used first."""
        return await asyncio.to_thread(_views)

    async def publish_places(self) -> None:
        """Tell browsers of the places, once: they are those that were installed when the server started."""
        for place in await asyncio.to_thread(_places):
            self._hub.put("place", place.name, place)

    async def publish(self) -> list[ProfileView]:
        """Tell browsers of the profiles as they are now."""
        views = await self.views()
        self._hub.put("profiles", "", list(views))
        return views

    async def save(self, name: str, body: dict[str, Any]) -> ProfileView:
        """Save a user's profile; raises `InvalidSpec`, `NameTaken`."""
        profile = profiles.read({"name": name, **body})
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
        profile = profiles.read(body["profile"])
        found = estimate_of(profile, await asyncio.to_thread(settings.load))
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
            found.append(PlaceView(name=name, title=backend.title, has_spot=backend.has_spot))
    return found


def _views() -> list[ProfileView]:
    known, notes = settings.load(), profiles.overruled()
    return [
        ProfileView(
            profile=profile,
            estimate=estimate_of(profile, known),
            last_used=known.last_used.get(profile.name),
            note=notes.get(profile.name, ""),
        )
        for profile in profiles.all_profiles()
    ]
