"""Spot groups that go on with nodes on demand: that they do, and what that changes of their price."""

from __future__ import annotations

from ...core import words
from ...core.price import GB
from ...core.spot import Turn
from ..events import Events
from ..ledger_file import LedgerFile
from .registry import WorkerRegistry


class OnDemand:
    """Says so in events: the change at once, the price when the first node on demand is priced.

    Parameters
    ----------
    ledger : knows what workers cost.
    """

    def __init__(self, workers: WorkerRegistry, ledger: LedgerFile, events: Events) -> None:
        self._workers, self._ledger, self._events = workers, ledger, events
        #: Groups whose price on demand is not told yet, with the workers that they had on spot nodes.
        self._untold: dict[str, list[str]] = {}

    def turned(self, group: str, turn: Turn, text: str) -> None:
        """The workers of `group` are made on other nodes from now on, or aren't, as `text` says."""
        if turn in ("again", "waits"):
            self._untold.pop(group, None)
            self._events.add("scale", text)
            return
        self._untold[group] = [entry.name for entry in self._workers.of(group) if entry.held]
        change = "" if self._ledger.price.known else ", at the price of other nodes"
        self._events.add("scale", text + change)

    def look(self) -> None:
        """See whether a price is known by now."""
        for group, on_spot in list(self._untold.items()):
            entries = [each for each in self._workers.of(group) if each.held and each.name not in on_spot]
            new = next((each.name for each in entries if self._ledger.has_price(each.host)), None)
            if new is not None:
                del self._untold[group]
                self._tell(group, new, on_spot)

    def _tell(self, group: str, new: str, on_spot: list[str]) -> None:
        currency = self._ledger.price.currency
        price = self._per_hour(new)
        before = next((known for known in map(self._per_hour, on_spot) if known is not None), None)
        if price is None:
            self._events.add("scale", f"What a worker of group {group} costs on demand is unknown")
        elif price != before:
            instead = "" if before is None else f" instead of {words.per_hour(before, currency)}"
            text = f"A worker of group {group} costs {words.per_hour(price, currency)} on demand{instead}"
            self._events.add("scale", text)

    def _per_hour(self, worker: str) -> float | None:
        share = self._ledger.share(worker, 1)
        if share is None:
            return None
        _, cpus, gb, gpus = share.shape
        return share.rates.per_hour(cpus, gb * GB, gpus)
