"""Models and versions in a line each."""

from __future__ import annotations

from ..client.words import cost_so_far
from ..core.model import ModelState, ModelVersion
from ..core.price import Cost
from ..core.words import about, count
from .describe import words_of
from .doors import run_of

#: Metrics that a line names, and versions that a model lists.
_NAMED, _LISTED = 2, 10


def model_lines(state: ModelState, now: float) -> list[str]:
    """A model, and its versions below it."""
    lines = [f"  {line(each, each.number == state.aliases.champion, now)}" for each in state.versions[:_LISTED]]
    more = [f"  and {len(state.versions) - _LISTED} more"] if len(state.versions) > _LISTED else []
    said = words_of(state.description)
    return [f"{state.name}: {count(len(state.versions), 'version')}", *([f"  {said}"] if said else []), *lines, *more]


def line(version: ModelVersion, champion: bool, now: float) -> str:
    """A version in a line: "churn@3 (champion) accuracy 0.873 sklearn, 12 min ago, ada"."""
    if version.problem is not None:
        return f"{version.name}: {version.problem.what}"
    known = [f"{name} {each.value:.4g}" for name, each in list(version.metrics.items())[:_NAMED]]
    told = [*known, version.flavor, f"{about(now - version.created)} ago", version.owner]
    told += ["registered by others in MLflow"] if version.registered else []
    cost = cost_of(version)
    told += [cost_so_far(cost)] if cost is not None and cost.amount is not None else []
    return f"{version.name}{' (champion)' if champion else ''}: {', '.join(filter(None, told))}"


def cost_of(version: ModelVersion) -> Cost | None:
    """What the run cost that made it, by that run's record as long as there is one."""
    record = run_of(version.made.run)
    return version.made.cost if record is None else record.cost
