"""What became of a service: how much it was asked, how what it is asked has changed, and what was done to it."""

from __future__ import annotations

from .base import Label, Record, Seconds, Time
from .drift import DriftState
from .traffic import TrafficPoint
from .trail import TrailEntry


class DriftPoint(Record):
    """How a feature, or the answers of a version, compared with the baseline in a window that is over.

    `psi` and `noise` are as in `FeatureDrift`.
    """

    since: Time
    until: Time
    version: int = 0
    name: Label
    answers: bool = False
    state: DriftState = "unsure"
    psi: float | None = None
    noise: float | None = None


class ServiceHistory(Record):
    """A stretch of time of a service.

    `step` is how many seconds a point of `traffic` stands for, and `counted` whether its place tells that. `drift` is
    of those features that have changed most, and `deeds` are the lines of the trail that changed who answers.
    """

    since: Time = 0
    until: Time = 0
    step: Seconds = 60.0
    counted: bool = True
    traffic: list[TrafficPoint] = []
    drift: list[DriftPoint] = []
    deeds: list[TrailEntry] = []
