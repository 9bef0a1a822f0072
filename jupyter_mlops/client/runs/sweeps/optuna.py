"""An Optuna study draws the settings of a sweep. It lives in this kernel: workers need no Optuna."""

from __future__ import annotations

import asyncio
from typing import Any

import optuna

from ....core.asha import Goal
from ....core.errors import InvalidSpec
from ....core.space import Between, Dimension, Space, WholeBetween
from ....core.sweep import Trial, TrialReport
from .earlier import Earlier

#: The attribute of the study's trials that says which trial of a sweep each is.
MARK = "mlops.trial"

_STATES = {"done": "COMPLETE", "pruned": "PRUNED"}


def goal_of(study: Any) -> Goal:
    """Which values a study takes for good ones.

    Raises
    ------
    InvalidSpec : it is no study, or one of several goals.
    """
    if not isinstance(study, optuna.Study):
        raise InvalidSpec(f"{study!r:.80} is no study", "", "Make one with optuna.create_study().")
    if len(study.directions) != 1:
        raise InvalidSpec("A sweep has one goal", f"the study has {len(study.directions)}", "Use a study with one.")
    return "max" if study.direction == optuna.study.StudyDirection.MAXIMIZE else "min"


class StudySampler:
    """Asks a study for settings, and tells it what came of them.

    Parameters
    ----------
    study : Optuna's.
    space : what it draws from.
    before : trials of an earlier run, which a study that lives in memory knows nothing of.
    """

    def __init__(self, study: optuna.Study, space: Space, before: Earlier) -> None:
        self._study = study
        self._distributions = {name: _distribution(each) for name, each in space.dimensions.items()}
        self._trials: dict[int, optuna.Trial] = {}
        self._bring_up(before)

    async def ask(self, number: int) -> dict[str, Any]:
        """As `Sampler.ask`."""
        return await asyncio.to_thread(self._ask, number)

    async def tell(self, trial: Trial) -> None:
        """As `Sampler.tell`."""
        await asyncio.to_thread(self._tell, trial)

    async def prunes(self, report: TrialReport) -> bool:
        """As `Sampler.prunes`."""
        return await asyncio.to_thread(self._prunes, report)

    def _ask(self, number: int) -> dict[str, Any]:
        trial = self._trials[number] = self._study.ask(self._distributions)
        trial.set_user_attr(MARK, number)
        return dict(trial.params)

    def _tell(self, trial: Trial) -> None:
        asked = self._trials.pop(trial.number, None)
        if asked is None:
            return
        state = optuna.trial.TrialState[_STATES.get(trial.phase, "FAIL")]
        self._study.tell(asked, trial.value if state.name == "COMPLETE" else None, state)

    def _prunes(self, report: TrialReport) -> bool:
        asked = self._trials.get(report.trial)
        if asked is None:
            return False
        asked.report(report.value, report.count)
        return bool(asked.should_prune())

    def _bring_up(self, before: Earlier) -> None:
        """Trials that ran when the kernel died will not end; those that a study in memory has lost are added."""
        known = {}
        for each in self._study.get_trials(deepcopy=False):
            if MARK not in each.user_attrs:
                continue
            if each.state == optuna.trial.TrialState.RUNNING:
                self._study.tell(each.number, state=optuna.trial.TrialState.FAIL)
            elif each.state != optuna.trial.TrialState.FAIL:
                known[each.user_attrs[MARK]] = each
        for trial in before.trials:
            if trial.phase != "done" or trial.number in known:
                continue
            made = optuna.trial.create_trial(
                params=trial.params,
                distributions=self._distributions,
                value=trial.value,
                user_attrs={MARK: trial.number},
            )
            self._study.add_trial(made)


def _distribution(dimension: Dimension) -> optuna.distributions.BaseDistribution:
    if isinstance(dimension, Between):
        return optuna.distributions.FloatDistribution(dimension.low, dimension.high, log=dimension.log)
    if isinstance(dimension, WholeBetween):
        return optuna.distributions.IntDistribution(dimension.low, dimension.high)
    return optuna.distributions.CategoricalDistribution(dimension.values)
