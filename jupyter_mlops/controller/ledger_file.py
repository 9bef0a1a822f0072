"""The ledger on disk, and the receipt at the end."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from ..core.base import Seconds, Time
from ..core.cluster import ClusterSpec, EndCause, Receipt
from ..core.costs import Share
from ..core.ledger import Ledger, LedgerEntry
from ..core.lines import read_lines
from ..core.price import Cost, HostPrice, Price
from ..core.receipt import receipt_of
from ..core.spend import SpendEntry
from ..home.clusters import LEDGER, RECEIPT
from .disk import Disk

#: News that is younger than this is taken for new: places tell of times in whole seconds, and by other clocks.
PROMPT: Seconds = 2.0


class LedgerFile:
    """Keeps a cluster's ledger: every entry is appended to `ledger.jsonl` as it happens.

    Parameters
    ----------
    disk : where the files are.
    spec : whose cluster this is; names the price.
    clock : seconds since the epoch.
    host_seen : is given the name of each host whose price isn't told yet; `price_host` is the answer.
    """

    def __init__(
        self,
        disk: Disk,
        spec: ClusterSpec,
        clock: Callable[[], Time],
        host_seen: Callable[[str], None] = lambda host: None,
    ) -> None:
        self._disk = disk
        self._spec = spec
        self._clock = clock
        self._host_seen = host_seen
        self._last_alive = disk.changed(LEDGER)
        entries = read_lines(LedgerEntry, disk.read(LEDGER))
        self.ledger = Ledger(entries)
        #: Workers of an earlier scheduler of this cluster, whose names are taken.
        self.earlier = {entry.worker for entry in entries if entry.worker}
        for host in self.ledger.unpriced:
            host_seen(host)

    @property
    def price(self) -> Price:
        """The cluster's own, which counts where a host has none."""
        return self._spec.price

    def has_price(self, host: str) -> bool:
        """Whether what `host` costs was told, or that nobody knows."""
        return not host or self.ledger.has_price(host)

    def share(self, worker: str, of: int) -> Share | None:
        """One of `of` equal parts of `worker`; None when it holds nothing."""
        return self.ledger.share(worker, of, self._spec.price)

    def open(
        self,
        worker: str,
        group: str,
        cpus: float,
        memory: float,
        gpus: float = 0,
        *,
        host: str = "",
        at: Time | None = None,
    ) -> None:
        """`worker` holds `cpus` CPUs, `memory` bytes and `gpus` GPUs of `host` since `at`: now, when not given."""
        shape = {"cpus": cpus, "memory": memory, "gpus": gpus}
        entry = LedgerEntry(kind="open", worker=worker, group=group, host=host, **shape, **self._since(at))
        if self._add(entry) and host and not self.ledger.has_price(host):
            self._host_seen(host)

    def close(self, worker: str, at: Time | None = None) -> None:
        """`worker` holds nothing any more, since `at`: now, when not given."""
        self._add(LedgerEntry(kind="close", worker=worker, **self._since(at)))

    def price_host(self, host: str, price: HostPrice) -> None:
        """This is what `host` costs, for all that workers on it have used and will use."""
        self._add(LedgerEntry(time=self._clock(), kind="host", host=host, price=price))

    def _since(self, at: Time | None) -> dict[str, Any]:
        """When something happened, and when it is written, if that is noticeably later."""
        now = self._clock()
        return {"time": now} if at is None or now - at < PROMPT else {"time": at, "written": now}

    def close_others(self, held: Collection[str]) -> None:
        """After a restart: workers that are not `held` any more ended when the earlier scheduler did."""
        for worker in self.ledger.open_workers:
            if worker not in held:
                self.close(worker, self._last_alive)

    def heartbeat(self) -> None:
        """Leave word that the scheduler lives: until when it did can be seen in the time of the ledger's file."""
        self._disk.touch(LEDGER)

    def cost(self, group: str | None = None) -> Cost:
        """Money and usage until now."""
        return self.ledger.cost(self._spec.price, self._clock(), group)

    def receipt(self, cause: EndCause, why: str, spent: list[SpendEntry], tasks: int, runs: int) -> Receipt:
        """Nobody holds anything any more: write the final sum, and return it."""
        now, held = self._clock(), self.ledger.open_workers
        receipt = receipt_of(self.ledger, self._spec, now, cause, why, spent=spent, tasks=tasks, runs=runs)
        for worker in held:  # closed in memory by then
            self._write(LedgerEntry(time=now, kind="close", worker=worker))
        self._disk.replace(RECEIPT, receipt.model_dump_json())
        return receipt

    def _add(self, entry: LedgerEntry) -> bool:
        changed = self.ledger.add(entry)
        if changed:
            self._write(entry)
        return changed

    def _write(self, entry: LedgerEntry) -> None:
        self._disk.append(LEDGER, entry.model_dump_json(exclude_defaults=True))
