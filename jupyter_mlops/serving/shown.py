"""What a notebook shows of a service: callers, how it is watched, how versions compare, what became of labels."""

from __future__ import annotations

import time
from typing import Protocol, TypeVar

from ..core.alert import ServiceWatch
from ..core.callers import ServiceCallers
from ..core.label import JoinedLabels, words_of
from ..core.performance import Performance
from ..core.service import ServiceState
from .lines import callers_table, comparison_table, service_line, watched


class Callers(list[str]):
    """The names of a service's callers, those that asked last first. They show themselves as a table.

    Parameters
    ----------
    told : what each asked today, in a day of UTC, and in words who would miss the service.
    """

    def __init__(self, service: str, told: ServiceCallers) -> None:
        super().__init__(each.caller for each in told.callers)
        self.service, self.told = service, told

    def __repr__(self) -> str:
        return callers_table(self.service, self.told, time.time())


class Watch:
    """How what a service is asked compares with its version's baseline, and how good it is. It shows itself as tables.

    Parameters
    ----------
    performance : its metric by the time of the answers; None before anything was logged.
    state : `state.features` has a `FeatureDrift` for each feature and for the answers, what has changed most first;
        `state.alerts` what was found for longer; `state.open` and `state.last` are the windows that are compared.
    """

    def __init__(self, service: str, state: ServiceWatch, performance: Performance | None = None) -> None:
        self.service, self.state, self.performance = service, state, performance

    @property
    def changed(self) -> list[str]:
        """The features that have changed."""
        return [each.name for each in self.state.features if each.state == "changed" and not each.answers]

    def __repr__(self) -> str:
        return watched(self.service, self.state, self.performance)


class ComparisonTable:
    """How a version that is tried compares with the one that serves. It shows itself as a table.

    Parameters
    ----------
    state : of the service; `state.candidate.verdicts` has a `Comparison` for each.
    """

    def __init__(self, state: ServiceState) -> None:
        self.state = state

    def __repr__(self) -> str:
        return comparison_table(self.state)


class Joined:
    """What became of labels. It shows itself in a line.

    Parameters
    ----------
    counts : how many are of each kind, and some of their ids.
    """

    def __init__(self, counts: JoinedLabels) -> None:
        self.counts = counts

    def __repr__(self) -> str:
        return words_of(self.counts)


class _HasState(Protocol):
    @property
    def state(self) -> ServiceState: ...


S = TypeVar("S", bound=_HasState)


class ServiceList(list[S]):
    """Services, which show themselves a line each."""

    def __repr__(self) -> str:
        now = time.time()
        return "\n".join(service_line(each.state, now) for each in self) or "No services. Make one: mlops.deploy(model)"
