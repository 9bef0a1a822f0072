"""What windows ask of models and are told: a promotion, by whom, and a model with all there is to know about it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .base import Input, Record
from .gate import GateRules, Verdict
from .model import ModelState
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
