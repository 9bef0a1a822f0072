"""What windows ask of models and are told: a promotion, by whom, a model in a line, and all there is to know of one."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .answer import ProcessAnswer
from .base import Input, Label, Record, Saying, Time, first
from .cluster import Problem
from .gate import GateRules, Verdict
from .model import MOST_TAGS, Measured, ModelState, ModelVersion
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


class PromotionAnswer(ProcessAnswer):
    """The verdict."""

    verdict: Verdict | None = None


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
    #: What people say of it.
    text: Saying = ""
    tags: Annotated[list[Label], first(MOST_TAGS)] = []
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


def matches(model: ModelSummary, text: str = "", owner: str | None = None, tag: str | None = None) -> bool:
    """Whether a model is one that is looked for, in any case of letters.

    Parameters
    ----------
    text : words that must all be in its name, owner, tags, description, metric or the gates that it failed.
    owner, tag : as a whole.
    """
    if owner is not None and owner.lower() != model.owner.lower():
        return False
    if tag is not None and tag.lower() not in (each.lower() for each in model.tags):
        return False
    within = "\n".join([model.name, model.owner, *model.tags, model.text, model.metric, *model.failed]).lower()
    return all(word in within for word in text.lower().split())


def summary_of(
    state: ModelState, rules: GateRules, verdict: Verdict | None, changed: Time, versions: int
) -> ModelSummary:
    """A model in a line.

    Parameters
    ----------
    state : of its versions those are needed that are its champion, its newest, or were registered by others.
    versions : how many it has.
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
        versions=versions,
        newest=newest.number if newest else None,
        champion=state.aliases.champion,
        owner=state.owner,
        text=state.description.text,
        tags=state.description.tags,
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
