"""Bills: what a cluster cost, and what of it each of its runs did. They are kept for good, unlike clusters."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Mapping, Sequence

from .base import Label, Record, Seconds, Time
from .cluster import ClusterState, EndCause, Receipt
from .formats import FORMAT
from .price import ROUNDING, Cost, Usage
from .profile import Place
from .run import RunKind, RunPhase, RunState
from .saving import CostBaseline
from .spend import PARTS, Spend, SpendParts, fitted


class BilledRun(Record):
    """What a bill has of a run. `items` are those of a map that are over, or trials of a sweep; 0 for what has none.
    `amount` is what its tasks cost, as far as it is known; `lacks` says that a part isn't. `busy` is seconds of
    threads."""

    id: Label
    name: Label = ""
    kind: RunKind = "function"
    owner: Label = ""
    phase: RunPhase = "done"
    created: Time
    ended: Time | None = None
    items: int = 0
    busy: Seconds = 0
    amount: float | None = None
    lacks: bool = False

    @classmethod
    def of(cls, run: RunState) -> BilledRun:
        """What a bill has of this run."""
        return cls(
            id=run.id,
            name=run.name,
            kind=run.kind,
            owner=run.owner,
            phase=run.phase,
            created=run.created,
            ended=run.ended,
            items=run.items_over,
            busy=run.busy,
            amount=run.cost.amount,
            lacks=run.cost.amount is None or bool(run.cost.lacks),
        )


class Bill(Record):
    """A cluster that ended, or one that lives so far (`ended` is None): what it cost, by group, and its runs."""

    format: int = FORMAT
    id: Label
    name: Label
    place: Place
    namespace: Label = ""
    owner: Label
    profile: Label = ""
    created: Time
    ended: Time | None = None
    cause: EndCause | None = None
    cost: Cost
    groups: dict[str, Cost] = {}
    #: Names of the groups that asked for spot machines.
    spot: list[Label] = []
    spend: Spend | None = None
    #: None while it lives, and where an older version wrote its receipt.
    baseline: CostBaseline | None = None
    runs: list[BilledRun] = []

    @classmethod
    def of(cls, state: ClusterState, receipt: Receipt | None, runs: Iterable[RunState]) -> Bill:
        """The bill of a cluster with this receipt, or without one so far, and with these runs."""
        of_it = [BilledRun.of(run) for run in runs]
        who = {name: getattr(state, name) for name in ("id", "name", "place", "namespace", "owner", "profile")}
        if receipt is None:
            return cls(
                **who,
                created=state.created,
                ended=state.ended or (state.created if state.phase == "ended" else None),
                cause=state.cause,
                cost=state.cost,
                groups={group.name: group.cost for group in state.groups},
                spot=[group.name for group in state.groups if group.spot],
                spend=state.spend,
                runs=of_it,
            )
        return cls(
            **who,
            created=receipt.created,
            ended=receipt.ended,
            cause=receipt.cause,
            cost=receipt.cost,
            groups=receipt.groups,
            spot=receipt.spot,
            spend=receipt.spend,
            baseline=receipt.baseline,
            runs=of_it,
        )

    @property
    def rest(self) -> Cost | None:
        """What of its cost is in no group, as where only the last word of a lost ledger is known; else None."""
        groups, cost = self.groups.values(), self.cost
        usage = _less(cost.usage, [group.usage for group in groups])
        unknown = _less(cost.unknown, [group.unknown for group in groups])
        known = [group.amount for group in groups if group.amount is not None]
        amount = None if cost.amount is None else cost.amount - math.fsum(known)
        if not _matters(amount, cost.amount) and not _matters(usage.worker_hours, cost.usage.worker_hours):
            return None
        return cost.model_copy(update={"amount": amount, "usage": usage, "unknown": unknown, "dedicated": None})


class RunSpend(Record):
    """What a run cost in all: `own`, what its tasks cost, and its `share` of what the cluster cost beside tasks. The
    one with an empty `id` are tasks that belonged to no run."""

    id: Label = ""
    name: Label = ""
    own: float = 0
    share: SpendParts = SpendParts()

    @property
    def total(self) -> float:
        """All of it."""
        return self.own + self.share.total


def run_spends(bill: Bill) -> list[RunSpend]:
    """What each run of a cluster cost in all; the amounts add up to the cluster's. Empty where that is unknown.

    A run pays for what its tasks cost. What the cluster cost beside tasks, while it booted, waited for work, moved data
    or ended, is shared out by these amounts: a run that did two thirds of the work pays two thirds of the waiting.
    """
    whole = bill.cost.amount
    if whole is None:
        return []
    own = [run.amount or 0.0 for run in bill.runs]
    told = bill.spend.amount if bill.spend is not None else None
    busy = told.computing + told.waiting if told is not None else 0.0
    of_runs = math.fsum(own)
    if of_runs > whole:  # a clock that was set: the ledger counts
        own = [amount * whole / of_runs for amount in own]
        of_runs = math.fsum(own)
    outside = max(0.0, min(busy, whole) - of_runs)
    weights = [*own, outside]
    if not math.fsum(weights):
        weights[-1] = 1.0
    rest = SpendParts.of(fitted(_beside_tasks(told), max(0.0, whole - of_runs - outside)))
    total = math.fsum(weights)
    runs = [
        RunSpend(id=run.id, name=run.name, own=amount, share=_part(rest, weight / total))
        for run, amount, weight in zip(bill.runs, own, weights, strict=False)
    ]
    no_run = RunSpend(own=outside, share=_part(rest, weights[-1] / total))
    return [*runs, no_run] if no_run.total else runs


def next_starts(bills: Sequence[Bill]) -> Mapping[str, Time | None]:
    """When the owner of each bill's cluster started the next one, by the cluster's id; None where that never was."""
    starts: dict[str, list[Time]] = {}
    for bill in sorted(bills, key=lambda bill: bill.created):
        starts.setdefault(bill.owner, []).append(bill.created)
    found: dict[str, Time | None] = {}
    for bill in bills:
        if bill.ended is not None:
            theirs = starts[bill.owner]
            after = bisect.bisect_left(theirs, bill.ended)
            found[bill.id] = theirs[after] if after < len(theirs) else None
    return found


def _beside_tasks(told: SpendParts | None) -> list[float]:
    """What went to other things than tasks, in the order of `PARTS`."""
    return [0.0 if told is None or name in ("computing", "waiting") else getattr(told, name) for name in PARTS]


def _part(parts: SpendParts, share: float) -> SpendParts:
    return SpendParts.of([amount * share for amount in parts.amounts])


def _less(whole: Usage, parts: Sequence[Usage]) -> Usage:
    return Usage(
        **{name: getattr(whole, name) - math.fsum(getattr(each, name) for each in parts) for name in Usage.model_fields}
    )


def _matters(rest: float | None, whole: float | None) -> bool:
    """Whether it is more than what sums of numbers with sixteen digits differ by."""
    return rest is not None and abs(rest) > ROUNDING * max(1.0, abs(whole or 0.0))
