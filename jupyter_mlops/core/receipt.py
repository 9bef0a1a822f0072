"""The receipt: how a ledger ends, wherever it was kept."""

from __future__ import annotations

from collections.abc import Iterable

from .base import Time
from .cluster import ClusterSpec, EndCause, Receipt
from .ledger import Ledger, LedgerEntry
from .saving import baseline_of
from .spend import SpendEntry, measured_in, spend_of


def receipt_of(
    ledger: Ledger,
    spec: ClusterSpec,
    ended: Time,
    cause: EndCause,
    why: str = "",
    *,
    spent: Iterable[SpendEntry] = (),
    tasks: int = 0,
    runs: int = 0,
) -> Receipt:
    """The final sum of a cluster. Workers that the ledger has open are what it ends with, and are closed at `ended`.

    Parameters
    ----------
    ledger : all that was used.
    spec : what was asked for; its price counts where hosts have none.
    ended : when it ended, in seconds since the epoch.
    cause, why : why it ended.
    spent : what was measured of its workers' time.
    tasks, runs : how many it had done.
    """
    baseline = baseline_of(ledger, spec.price, spec.profile, spec.created, ended, cause == "idle")
    for worker in ledger.open_workers:
        ledger.add(LedgerEntry(time=ended, kind="close", worker=worker))
    return Receipt(
        name=spec.name,
        place=spec.profile.place,
        owner=spec.owner,
        profile=spec.profile.name,
        created=spec.created,
        ended=ended,
        cause=cause,
        why=why,
        cost=ledger.cost(spec.price, ended),
        groups={group.name: ledger.cost(spec.price, ended, group.name) for group in spec.profile.groups},
        spend=spend_of(ledger, spec.price, ended, measured_in(spent)),
        spot=[group.name for group in spec.profile.groups if group.spot],
        baseline=baseline,
        most_workers=ledger.most_workers,
        tasks=tasks,
        runs=runs,
    )
