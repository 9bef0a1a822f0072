"""What a run costs: its tasks' shares of the workers that they computed on."""

from __future__ import annotations

from collections.abc import Callable

from ...core.base import Seconds, Time
from ...core.costs import Part, Share, cost_of
from ...core.price import Cost, Price
from ...core.sums import Sums

#: One thread of the worker at an address; None when the address is not known.
ShareOf = Callable[[str], "Share | None"]

#: A thread of a worker that nobody knows more of.
_UNKNOWN = Share((1.0, 1.0, 0.0, 0.0), Price())

_Rates = tuple[object, ...]


class RunCost:
    """Adds up the shares. A task pays for one thread while it computes, so that all runs together never pay for more
    than the workers.

    Parameters
    ----------
    price : the cluster's own, whose currency counts.
    share : see `ShareOf`.
    """

    def __init__(self, price: Price, share: ShareOf) -> None:
        self._price, self._share = price, share
        #: Tasks that compute: key → (worker, since, share).
        self._computing: dict[str, tuple[str, float, Share]] = {}
        #: Those of them whose rates are unknown so far.
        self._unknown: set[str] = set()
        self._sums: dict[_Rates, tuple[Price, Sums]] = {}
        self._threads = Sums()
        #: Since when a task computes an item that isn't over: since its last one was; and how many of its are over.
        self._begun: dict[str, tuple[float, int]] = {}
        #: Items that are over, and seconds of threads that they took. Those that were lost count as often as they ran.
        self._over, self._of_over = 0, 0.0
        self._first: Time | None = None
        self._passed = 0.0

    def began(self, key: str, worker: str, now: Time) -> None:
        """A task computes on `worker` from now on."""
        self.ended(key, now)
        at, share = self._at(now), self._share(worker) or _UNKNOWN
        self._computing[key] = (worker, at, share)
        self._begun[key] = (at, 0)
        self._sums_of(share.rates).take(share.shape, at)
        self._threads.take(_UNKNOWN.shape, at)
        if not share.rates.known:
            self._unknown.add(key)

    def ended(self, key: str, now: Time) -> None:
        """A task doesn't compute any more. A no-op for one that didn't."""
        if key not in self._computing:
            return
        at = self._at(now)
        self._look_again()
        _, since, share = self._computing.pop(key)
        self._begun.pop(key, None)
        self._unknown.discard(key)
        self._sums_of(share.rates).give(share.shape, since, at)
        self._threads.give(_UNKNOWN.shape, since, at)

    def end(self, now: Time) -> None:
        """No task computes any more."""
        for key in list(self._computing):
            self.ended(key, now)

    def busy(self, now: Time) -> Seconds:
        """Seconds of threads until now."""
        return self._threads.used(self._at(now))[0]

    def items_over(self, key: str, count: int, now: Time) -> None:
        """So many items of a task are over since it began to compute. A no-op for one that doesn't."""
        since, before = self._begun.get(key, (0.0, count))
        if count > before:
            at = self._at(now)
            self._over, self._of_over = self._over + count - before, self._of_over + at - since
            self._begun[key] = (at, count)

    def of_items(self, now: Time) -> tuple[Seconds | None, list[Seconds]]:
        """Seconds that an item takes, by those that are over, None while none is; and for how long each of the others
        has been computed."""
        at = self._at(now)
        begun = [at - since for since, _ in self._begun.values()]
        return self._of_over / self._over if self._over else None, begun

    def cost(self, now: Time) -> Cost:
        """Money and usage until now."""
        at = self._at(now)
        self._look_again()
        parts = [Part(rates, sums.used(at), sums.held, sums.count) for rates, sums in self._sums.values() if sums.ever]
        return cost_of(parts, self._price)

    def _look_again(self) -> None:
        """The price of a host may have become known: it counts from the beginning of the tasks on it."""
        for key in list(self._unknown):
            worker, since, share = self._computing[key]
            now = self._share(worker)
            if now is not None and now.rates.known:
                self._unknown.discard(key)
                self._sums_of(share.rates).withdraw(share.shape, since)
                self._sums_of(now.rates).take(now.shape, since)
                self._computing[key] = (worker, since, now)

    def _sums_of(self, rates: Price) -> Sums:
        key = (rates.cpu_hour, rates.gb_hour, rates.gpu_hour, rates.source, rates.date)
        return self._sums.setdefault(key, (rates, Sums()))[1]

    def _at(self, now: Time) -> float:
        """Seconds since the first task, which never go back."""
        self._first = now if self._first is None else self._first
        self._passed = max(self._passed, now - self._first)
        return self._passed
