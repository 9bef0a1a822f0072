"""What windows ask of models and are told: a promotion, by whom, a model in a line, and all there is to know of one."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .base import Input, Label, Record, Time
from .cluster import Problem
from .gate import GateRules, Verdict
from .model import Measured, ModelState, ModelVersion
from .trail import Actor, TrailEntry

_Reason = Annotated[str, Field(max_length=5000)]


class Promotion(Input):
    """A version that is to be promoted, and why.

    `expected` is the number of the champion that the person saw, 0 for none; None asks for no comparison.
    """

    version: Annotated[int, Field(ge=1)]
    why: _Reason = ""
    override: _Reason = ""
    expected: Annotated[int, Field(ge=0)] | None = None


class PromotionAsked(Record):
    """A promotion of a model, and who asks for it."""

    model: str
    promotion: Promotion
    actor: Actor


class PromotionAnswer(Record):
    """The verdict, or the error that was raised, by its class's name."""

    verdict: Verdict | None = None
    error: str = ""
    what: str = ""
    why: str = ""
    todo: str = ""


class ModelView(Record):
    """A model with its gates, how its versions did at them, and the end of its trail."""

    model: ModelState
    gates: GateRules
    verdicts: list[Verdict] = []
    trail: list[TrailEntry] = []


class ModelSummary(Record):
    """A model in a line: its champion, or its newest version where it has none."""

    name: Label
    #: How many versions it has, and the number of the newest that was saved here; None where others registered all.
    versions: int = 0
    newest: int | None = None
    champion: int | None = None
    owner: Label = ""
    #: When the champion was promoted, or the newest version saved where there is none.
    since: Time | None = None
    #: What that version is judged by first, and how it did.
    metric: Label = ""
    measured: Measured | None = None
    #: The gates that the newest version failed when it was judged last.
    failed: list[Label] = []
    #: When anything of the model changed last.
    changed: Time = 0
    problem: Problem | None = None


def summary_of(state: ModelState, rules: GateRules, verdict: Verdict | None, changed: Time) -> ModelSummary:
    """A model in a line.

    Parameters
    ----------
    rules : its gates; the first metric that they name is the one that is shown.
    verdict : the newest version's, if it was judged.
    changed : when anything of it changed last.
    """
    own = [version for version in state.versions if not version.registered]
    newest = own[0] if own else None
    shown = state.champion or newest
    metric = _main_metric(shown, rules)
    return ModelSummary(
        name=state.name,
        versions=len(state.versions),
        newest=newest.number if newest else None,
        champion=state.aliases.champion,
        owner=shown.owner if shown else "",
        since=state.aliases.since if state.champion else shown.created if shown else None,
        metric=metric,
        measured=shown.metrics.get(metric) if shown else None,
        failed=[result.gate for result in verdict.failed] if verdict else [],
        changed=changed,
        problem=state.problem or (shown.problem if shown else None),
    )


def _main_metric(version: ModelVersion | None, rules: GateRules) -> str:
    if version is None:
        return ""
    asked = [rules.improvement.metric] if rules.improvement is not None else []
    return next((name for name in (*asked, *rules.metrics, *version.metrics) if name in version.metrics), "")
