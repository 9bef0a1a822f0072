"""Tables and JSON for terminals."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from pydantic_core import from_json, to_json

from ..client.clusters.problems import problem_sentence, problems_of
from ..client.words import cost_so_far, spot_sentences, waste_sentences
from ..core.cluster import ClusterState, Receipt
from ..core.estimate import Estimate
from ..core.naming import spelled
from ..core.owners import Account
from ..core.price import GB, NO_PRICE, Cost, Reference
from ..core.profile import Profile
from ..core.run import FINAL, RunState, per_thousand
from ..core.spend import LEAST
from ..core.words import about, count, fine_money, harmless, listed, machines, quantity, sentences, size, span


def as_json(value: Any) -> None:
    """Print models as JSON, in ASCII: JSON has escapes of its own for what a terminal would obey."""
    plain = from_json(to_json(value, inf_nan_mode="null"))
    sys.stdout.write(json.dumps(plain, indent=2) + "\n")


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: str = "") -> str:
    """Aligned columns; those whose heads are in `right` (separated by commas) to the right."""
    rows = [[harmless(" ".join(cell.splitlines())) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    aligned = [name in right.split(",") for name in head]

    def line(row: Sequence[str]) -> str:
        cells = zip(row, widths, aligned, strict=True)
        return "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width) for cell, width, to_right in cells
        ).rstrip()

    return "\n".join(line(row) for row in [head, *rows])


def clusters_table(states: Sequence[ClusterState], now: float) -> str:
    """Clusters, with whose they are, what they cost and when they stop. Each is named such that a command finds it."""
    exact = spelled(states)
    head = ("NAME", "STATE", "PLACE", "OWNER", "WORKERS", "BUSY", "AGE", "COST", "PER HOUR", "STOPS")
    rows = [
        (
            exact[state.id],
            f"{state.phase} !" if problems_of(state) else state.phase,
            state.place if state.ours else f"{state.place} ({state.maker})",
            state.owner,
            _of(state),
            str(state.counts.busy),
            span((state.ended or now) - state.created),
            cost_so_far(state.cost),
            "" if state.phase == "ended" else _rate(state.cost),
            _stops(state, now),
        )
        for state in states
    ]
    elsewhere = [None if state.phase == "ended" else state.reference for state in states]
    return _with_references(head, rows, elsewhere, right="WORKERS,BUSY,AGE,COST,PER HOUR")


def problem_lines(states: Sequence[ClusterState]) -> list[str]:
    """What is wrong with these clusters, a line each; their rows in the table are marked with the same sign."""
    exact = spelled(states)
    return [
        f"! {exact[state.id]}: {problem_sentence(group, problem)}"
        for state in states
        for group, problem in problems_of(state)
    ]


def waste_lines(states: Sequence[ClusterState]) -> list[str]:
    """Which workers of these clusters cost money and do nothing, a line each, and what to do."""
    exact = spelled(states)
    lines = []
    for state in states:
        for waste, text in zip(state.waste, waste_sentences(state), strict=False):
            group = f" --group {waste.group}" if len(state.groups) > 1 else ""
            todo = (
                f"Let {waste.spare:,} go: jupyter mlops let-go {exact[state.id]}{group}"
                if waste.spare
                else waste.advice
            )
            lines.append(". ".join(filter(None, [f"{exact[state.id]}: {text}", todo])))
    return lines


def spot_lines(states: Sequence[ClusterState]) -> list[str]:
    """Which of these clusters have spot groups that are on demand, and why, a line each."""
    exact = spelled(states)
    return [f"{exact[state.id]}: {text}" for state in states for text in spot_sentences(state)]


def accounts_table(accounts: Sequence[Account]) -> str:
    """What each owner's clusters cost together."""
    head = ("OWNER", "CLUSTERS", "LIVE", "CPU-HOURS", "PER HOUR", "COST", "WENT TO")
    rows = [
        (
            account.owner,
            str(account.clusters),
            str(account.live),
            quantity(account.cost.usage.cpu_hours),
            _rate(account.cost),
            _shared(account),
            account.spend.sentence,
        )
        for account in accounts
    ]
    return table(head, rows, right="CLUSTERS,LIVE,CPU-HOURS,PER HOUR")


def _shared(account: Account) -> str:
    """What an owner's clusters cost, and how many of them are not in it."""
    known = cost_so_far(account.cost)
    if not 0 < account.unpriced < account.clusters:
        return known
    return f"{known} ({count(account.unpriced, 'cluster')} without a price)"


def profiles_table(profiles: Sequence[tuple[Profile, Estimate]]) -> str:
    """Profiles, with their estimates."""
    head = ("NAME", "PLACE", "WORKERS", "CPUS", "MEMORY", "PER HOUR", "TITLE")
    rows = []
    for profile, costs in profiles:
        group = profile.groups[0]
        base = f", {group.base} on demand" if group.spot and group.base else ""
        more = base + ("+" if len(profile.groups) > 1 else "")
        rows.append(
            (
                profile.name,
                profile.place,
                f"{group.workers} ({group.minimum}–{group.maximum}){more}",
                f"{costs.cpus:g}",
                size(costs.memory_gb * GB),
                _at_start(costs),
                profile.title,
            )
        )
    return _with_references(head, rows, [costs.reference for _, costs in profiles], right="CPUS,MEMORY,PER HOUR")


def _at_start(costs: Estimate) -> str:
    about = "about " if costs.asked is not None and costs.at_start is not None else ""
    return about + fine_money(costs.at_start, costs.currency)


def estimate_lines(profiles: Sequence[tuple[Profile, Estimate]], now: float) -> list[str]:
    """What the estimates rest on that nobody set the rates of, or why there is none, a line each."""
    lines = []
    for profile, costs in profiles:
        known = costs.asked is not None and costs.at_start is not None
        if known or (costs.at_start is None and costs.source):
            told = f"{costs.source}{', ' + costs.date if costs.date else ''}"
            about = machines(costs.whole, costs.tail, costs.currency, round(now - (costs.asked or now)))
            lines.append(f"{profile.name}: {sentences(told, about if known else '')}")
    return lines


def runs_table(runs: Sequence[RunState], now: float) -> str:
    """Runs, with how far they are."""
    head = ("ID", "NAME", "CLUSTER", "STATE", "ITEMS", "TOOK", "COST", "PER 1,000", "ERROR")
    rows = [
        (
            run.id,
            run.name[:40],
            run.cluster,
            run.phase,
            _far(run),
            span((run.ended or now) - run.created) if run.ended or run.phase not in FINAL else "",
            cost_so_far(run.cost),
            fine_money(per_thousand(run), run.cost.currency) if run.kind == "map" else "",
            run.error.strip().splitlines()[-1][:60] if run.error.strip() else "",
        )
        for run in runs
    ]
    return table(head, rows, right="ITEMS,TOOK,COST,PER 1,000")


def _far(run: RunState) -> str:
    """How many of its items are done; of a sweep, how many trials are over, and its best value."""
    of = "?" if run.total is None else run.total
    if run.kind != "sweep":
        return f"{run.done}/{of}"
    return f"{run.tried}/{of}" + ("" if run.best is None else f", best {run.best:.4g}")


def run_text(run: RunState, now: float, versions: Sequence[str] = ()) -> str:
    """A run, a line for each thing; with what it used of its workers, and which others would have done."""
    lines = [
        ("Run", f"{run.name} ({run.id})"),
        ("State", run.phase),
        ("Cluster", " · ".join(filter(None, [run.cluster, run.group, run.profile]))),
        ("Trials" if run.kind == "sweep" else "Items", _far(run)),
        ("Took", span((run.ended or now) - run.created) if run.ended or run.phase not in FINAL else "unknown"),
        ("Cost", run.cost.total),
        *((f"Used of {use.group}", f"{use.sentence} at most") for use in run.use),
        *(("Advice", each.text) for each in run.advice),
        *([("Spot", run.spot_fit.text)] if run.spot_fit is not None else []),
        *([("Sizes", run.ladder.sentence)] if run.ladder is not None else []),
        *([("Made", listed(versions))] if versions else []),
        *([("Error", run.error)] if run.error else []),
    ]
    return _lines(lines)


def receipt_text(receipt: Receipt) -> str:
    """A receipt, a line for each thing."""
    usage = receipt.cost.usage
    used = {"CPU": usage.cpu_hours, "GB": usage.gb_hours, "GPU": usage.gpu_hours}
    lines = [
        ("Cluster", f"{receipt.name} ({receipt.profile}, {receipt.place})"),
        ("Ended", receipt.ending),
        ("Lived", span(receipt.ended - receipt.created)),
        ("Cost", receipt.cost.total),
        *_dedicated(receipt.cost),
        ("Price", ", ".join(filter(None, [receipt.cost.source or NO_PRICE, receipt.cost.date]))),
        ("Used", listed([f"{quantity(amount)} {unit}-hours" for unit, amount in used.items()])),
        *_spent(receipt),
        ("Most workers", str(receipt.most_workers)),
        ("Tasks, runs", f"{receipt.tasks}, {receipt.runs}"),
    ]
    lines += [(f"Group {name}", cost.total) for name, cost in receipt.groups.items()]
    return _lines(lines)


def _lines(lines: Sequence[tuple[str, str]]) -> str:
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:<{width}}  {harmless(text)}".rstrip() for name, text in lines)


def _with_references(
    head: Sequence[str], rows: Sequence[Sequence[str]], references: Sequence[Reference | None], right: str
) -> str:
    """A table with one column more where any of its rows has no price: about what it would cost in a cloud."""
    if not any(references):
        return table(head, rows, right=right)
    told = [f"about {fine_money(each.per_hour, each.currency)}/h" if each else "" for each in references]
    more = [(*row, words) for row, words in zip(rows, told, strict=True)]
    return table((*head, "IN A CLOUD"), more, right=right)


def _rate(cost: Cost) -> str:
    """What is known of what an hour costs, and of how many workers nothing is."""
    missing = f"{count(cost.unpriced, 'worker')} unknown" if cost.unpriced and cost.per_hour is not None else ""
    return " + ".join(filter(None, [fine_money(cost.per_hour, cost.currency), missing]))


def _spent(receipt: Receipt) -> list[tuple[str, str]]:
    """A line for each thing that it went to."""
    spend, lines = receipt.spend, []
    for word, share, amount, hours in spend.told if spend is not None else ():
        if share >= LEAST:
            money = "" if amount is None else f"{fine_money(amount, receipt.cost.currency)}, "
            lines.append((f"  {word}", f"{money}{quantity(hours)} worker-hours, {share:.0%}"))
    return [("Went to", ""), *lines] if lines else []


def _dedicated(cost: Cost) -> list[tuple[str, str]]:
    """A line for whole nodes, where there are nodes."""
    found = cost.dedicated
    if found is None:
        return []
    known, unknown = fine_money(found.amount, cost.currency), found.unknown_hours
    lacks = f" + {quantity(unknown)} node-hours unknown" if unknown and found.amount else ""
    return [("Whole nodes", f"{known}{lacks} ({quantity(found.host_hours)} node-hours)")]


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
    return f"in {about(state.stop.at - now)} ({state.stop.cause})"
