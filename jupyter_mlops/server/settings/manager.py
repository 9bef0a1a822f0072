"""Settings, off the event loop."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any

from ...core.base import read_request
from ...core.settings import Settings
from ...home import settings as home_settings
from ...home.owner import me
from ...places import profiles as home_profiles
from ..profiles.manager import ProfileManager


class SettingManager:
    """The door to the home folder's settings."""

    def __init__(self, profiles: ProfileManager) -> None:
        self._profiles = profiles

    async def get(self) -> Settings:
        """The settings."""
        return await asyncio.to_thread(home_settings.load)

    async def save(self, body: dict[str, Any]) -> Settings:
        """Replace them; raises `InvalidSpec`, `UnknownProfile`. When profiles were used, what becomes of list
        prices, and what prices by hand are in, stays, unless it is given."""
        known = await self.get()
        kept = {"last_used": known.last_used, "adjust": known.adjust, "currencies": known.currencies}
        values = read_request(Settings, {**kept, **body}, "setting")
        values = values.model_copy(update={"adjust": values.adjust.signed(me(), date.today().isoformat())})
        if values.default_profile is not None:
            await asyncio.to_thread(home_profiles.get, values.default_profile)
        await asyncio.to_thread(home_settings.save, values)
        await self._profiles.publish()  # their estimates follow the price
        return values
