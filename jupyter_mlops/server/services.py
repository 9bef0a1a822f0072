"""The composition: which manager knows which. Imported at the first request, because of pydantic and Dask."""

from __future__ import annotations

import asyncio
from logging import Logger

from .. import home
from ..core.base import Seconds
from .accounts.manager import AccountManager
from .clusters.manager import ClusterManager
from .clusters.watcher import ClusterWatcher
from .dashboard.addresses import DashboardKeys
from .history.keeper import Keeper
from .models.manager import ModelManager
from .money.manager import MoneyManager
from .money.metrics import MetricsCollector
from .operations.manager import OperationManager
from .profiles.manager import ProfileManager
from .runs.ends import RunEnds
from .runs.journals import Journals
from .runs.manager import RunManager
from .runs.recording import Recording
from .schedules.manager import ScheduleManager
from .serving.manager import ServiceManager
from .settings.manager import SettingManager
from .stream.hub import Hub

_DAY: Seconds = 86400.0
_PRUNE_EVERY: Seconds = 3600.0


class Services:
    """All managers of one server.

    Parameters
    ----------
    list_interval, quiet_interval : seconds between looks for clusters, with and without a browser.
    keep_days : days that the history is kept.
    root : the folder that the server shows.
    """

    def __init__(
        self, list_interval: Seconds, quiet_interval: Seconds, keep_days: float, log: Logger, root: str = ""
    ) -> None:
        self.hub = Hub()
        self.keeper = Keeper(home.home() / "history.sqlite", keep_days * _DAY, log)
        self.operations = OperationManager(self.hub, log)
        self.models = ModelManager(self.hub, log)
        self.serving = ServiceManager(self.hub, log)
        self.schedules = ScheduleManager(self.hub, log, root)
        self.profiles = ProfileManager(self.hub)
        self.settings = SettingManager(self.profiles)
        self.accounts = AccountManager()
        self.watcher = ClusterWatcher(self.hub, self.keeper, list_interval, quiet_interval, log)
        self.runs = RunManager(self.hub, self.keeper, self.operations, self.watcher, log)
        self.clusters = ClusterManager(self.watcher, self.keeper, self.operations, self.profiles)
        self.money = MoneyManager(self.watcher)
        self.metrics = MetricsCollector(lambda: self.watcher.states.values())
        self.dashboards = DashboardKeys()
        self.journals = Journals(self.hub, self.runs, self.watcher, log)
        self.ends = RunEnds(self.watcher, log)
        self.recording = Recording(log)
        self._pruning: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read the history, look for clusters, and watch."""
        await self.runs.start()
        await self.profiles.publish_places()
        await self.profiles.publish()
        self.profiles.start()
        await self.watcher.start()
        self.models.start()
        self.serving.start()
        self.schedules.start()
        self.recording.start()
        self._pruning = asyncio.create_task(self._prune())

    async def close(self) -> None:
        """Let go of everything. Clusters and runs live on."""
        if self._pruning is not None:
            self._pruning.cancel()
        self.metrics.leave()
        await self.money.close()
        await self.profiles.close()
        await self.ends.close()
        await self.recording.close()
        await self.operations.close()
        await self.models.close()
        await self.serving.close()
        await self.schedules.close()
        await self.journals.close()
        await self.watcher.close()
        await self.keeper.close()

    async def _prune(self) -> None:
        while True:
            self.keeper.prune()
            await asyncio.sleep(_PRUNE_EVERY)
