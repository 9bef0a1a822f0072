"""Tables and JSON for terminals."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from pydantic_core import to_json

from ..core.cluster import ClusterState, Receipt
from ..core.estimate import Estimate
from ..core.owners import Account
from ..core.price import NO_PRICE, Cost
from ..core.profile import Profile
from ..core.run import FINAL, RunState, per_thousand


def as_json(value: Any) -> None:
    """Print models as JSON."""
    sys.stdout.write(to_json(value, indent=2, inf_nan_mode="null").decode() + "\n")


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: str = "") -> str:
    """Aligned columns; those whose heads are in `right` (separated by commas) to the right."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    aligned = [name in right.split(",") for name in head]

    def line(row: Sequence[str]) -> str:
        cells = zip(row, widths, aligned, strict=True)
        return "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width) for cell, width, to_right in cells
        ).rstrip()

    return "\n".join(line(row) for row in [head, *rows])


def clusters_table(states: Sequence[ClusterState], now: float) -> str:
    """Clusters, with what they cost and when they stop."""
    head = ("NAME", "STATE", "PLACE", "WORKERS", "BUSY", "AGE", "COST", "PER HOUR", "STOPS")
    rows = [
        (
            state.name,
            state.phase,
            state.place if state.ours else f"{state.place} ({state.maker})",
            _of(state),
            str(state.counts.busy),
            period((state.ended or now) - state.created),
            whole(state.cost),
            "" if state.phase == "ended" else money(state.cost.per_hour, state.cost),
            _stops(state, now),
        )
        for state in states
    ]
    return table(head, rows, right="WORKERS,BUSY,AGE,COST,PER HOUR")


def accounts_table(accounts: Sequence[Account]) -> str:
    """What each owner's clusters cost together."""
    head = ("OWNER", "CLUSTERS", "LIVE", "CPU-HOURS", "PER HOUR", "COST")
    rows = [
        (
            account.owner,
            str(account.clusters),
            str(account.live),
            f"{account.cost.usage.cpu_hours:.1f}",
            money(account.cost.per_hour, account.cost),
            whole(account.cost),
        )
        for account in accounts
    ]
    return table(head, rows, right="CLUSTERS,LIVE,CPU-HOURS,PER HOUR")


def profiles_table(profiles: Sequence[tuple[Profile, Estimate]]) -> str:
    """Profiles, with their estimates."""
    head = ("NAME", "PLACE", "WORKERS", "CPUS", "MEMORY", "PER HOUR", "TITLE")
    rows = []
    for profile, costs in profiles:
        group = profile.groups[0]
        more = "+" if len(profile.groups) > 1 else ""
        per_hour = "unknown" if costs.at_start is None else f"{costs.at_start:.2f} {costs.currency}"
        rows.append(
            (
                profile.name,
                profile.place,
                f"{group.workers} ({group.minimum}–{group.maximum}){more}",
                f"{costs.cpus:g}",
                f"{costs.memory_gb:.1f} GB",
                per_hour,
                profile.title,
            )
        )
    return table(head, rows, right="CPUS,MEMORY,PER HOUR")


def runs_table(runs: Sequence[RunState], now: float) -> str:
    """Runs, with how far they are."""
    head = ("ID", "NAME", "CLUSTER", "STATE", "ITEMS", "TOOK", "COST", "PER 1,000", "ERROR")
    rows = [
        (
            run.id,
            run.name[:40],
            run.cluster,
            run.phase,
            f"{run.done}/{'?' if run.total is None else run.total}",
            period((run.ended or now) - run.created) if run.ended or run.phase not in FINAL else "",
            money(run.cost.amount, run.cost),
            _per_thousand(run),
            run.error.strip().splitlines()[-1][:60] if run.error.strip() else "",
        )
        for run in runs
    ]
    return table(head, rows, right="ITEMS,TOOK,COST,PER 1,000")


def receipt_text(receipt: Receipt) -> str:
    """A receipt, a line for each thing."""
    usage = receipt.cost.usage
    lines = [
        ("Cluster", f"{receipt.name} ({receipt.profile}, {receipt.place})"),
        ("Ended", f"{receipt.cause}{f': {receipt.why}' if receipt.why else ''}"),
        ("Lived", period(receipt.ended - receipt.created)),
        ("Cost", whole(receipt.cost, exact=True)),
        *_dedicated(receipt.cost),
        ("Price", ", ".join(filter(None, [receipt.cost.source or NO_PRICE, receipt.cost.date]))),
        ("Used", f"{usage.cpu_hours:.3f} CPU-hours, {usage.gb_hours:.3f} GB-hours, {usage.gpu_hours:.3f} GPU-hours"),
        ("Most workers", str(receipt.most_workers)),
        ("Tasks, runs", f"{receipt.tasks}, {receipt.runs}"),
    ]
    lines += [(f"Group {name}", whole(cost, exact=True)) for name, cost in receipt.groups.items()]
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:<{width}}  {text}" for name, text in lines)


def period(seconds: float) -> str:
    """A time for people: "45 s", "14 min", "3 h 20 min", "2 d 4 h"."""
    seconds = max(0.0, seconds)
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


def workers(number: int) -> str:
    """A number of workers in words."""
    return f"{number} worker{'' if number == 1 else 's'}"


def money(amount: float | None, cost: Cost, exact: bool = False) -> str:
    """An amount with its currency; "unknown" without a price."""
    return "unknown" if amount is None else f"{amount:.{4 if exact else 2}f} {cost.currency}"


def whole(cost: Cost, exact: bool = False) -> str:
    """What is known of a cost, and how much isn't: "3.10 USD + 12 CPU-hours unknown"."""
    return " + ".join(filter(None, [money(cost.amount, cost, exact), cost.lacks]))


def _dedicated(cost: Cost) -> list[tuple[str, str]]:
    """A line for whole nodes, where there are nodes."""
    found = cost.dedicated
    if found is None:
        return []
    unknown = f" + {found.unknown_hours:.2f} node-hours unknown" if found.unknown_hours and found.amount else ""
    return [("Whole nodes", f"{money(found.amount, cost, exact=True)}{unknown} ({found.host_hours:.2f} node-hours)")]


def _per_thousand(run: RunState) -> str:
    amount = per_thousand(run)
    return "" if amount is None else f"{amount:.2g} {run.cost.currency}" if amount < 1 else money(amount, run.cost)


def _of(state: ClusterState) -> str:
    if state.phase == "ended":
        return "0"
    ready = state.counts.idle + state.counts.busy
    wanted = sum(group.wanted for group in state.groups)
    return f"{ready}/{wanted}"


def _stops(state: ClusterState, now: float) -> str:
    if state.phase == "ended":
        return f"({state.cause})"
    if state.stop is None:
        return "when told" if state.ours else f"as {state.maker} has it"
    return f"in {period(state.stop.at - now)} ({state.stop.cause})"
