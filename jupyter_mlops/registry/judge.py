"""The gates: how a version does at what its model's rules demand, with figures."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..core import words
from ..core.errors import MlopsError
from ..core.gate import Bound, GateResult, GateRules, Improvement, PackageRules, SliceRule, Verdict
from ..core.model import ModelVersion
from ..core.words import listed
from ..home.models import ANSWERS, EXAMPLE, ROWS, SBOM, ModelFolder
from .answers import ask, meant
from .flavors import FLAVORS, Flavor
from .load import load
from .measure import METRICS, Answers, Array, Metric, difference, metrics_for, value_of
from .rows import Rows, rows_from, texts_of, undump
from .save import read_valid

#: Calls that a latency is measured by, and those before that are not counted.
_CALLS, _WARM = 100, 5

#: Values of a column that are looked at one by one; things that an error names.
_VALUES, _NAMED = 200, 3


class NotComparable(Exception):
    """A gate can't be judged, for a reason that is told."""


@dataclass
class Case:
    """A version before its gates, with what they ask for more than once.

    Parameters
    ----------
    champion : the version that it would take the place of.
    valid : held-out rows and what is true of them, where others than those of the version are to be used.
    """

    folder: ModelFolder
    version: ModelVersion
    champion: ModelVersion | None
    valid: tuple[Rows, Array] | None

    @cached_property
    def model(self) -> Any:
        """The version's model; raises what `load` raises."""
        return load(self.folder, self.version, quiet=True)

    @property
    def flavor(self) -> Flavor:
        """What it is."""
        return FLAVORS[self.version.flavor]

    @cached_property
    def rows(self) -> Rows | None:
        """The held-out rows; None where they weren't kept."""
        if self.valid is not None:
            return self.valid[0]
        kept = self.folder.version(self.version.number).read(ROWS)
        return None if kept is None else rows_from(kept)

    @cached_property
    def answers(self) -> Answers:
        """The version's answers to the held-out rows."""
        if self.valid is not None:
            return self._answers_of(self.version, self.model, *self.valid)
        kept = self._kept(self.version)
        if kept is None:
            raise NotComparable(f"{self.version.name} was saved without held-out rows: save it with valid=(X, y)")
        return kept[1]

    @cached_property
    def champions(self) -> Answers:
        """The champion's answers to the same rows: those that were kept with it, else those that it gives now."""
        champion = self.champion
        assert champion is not None
        kept, mine = self._kept(champion), self._kept(self.version)
        if self.valid is None and kept is not None and mine is not None and kept[0] == mine[0]:
            return kept[1]
        if self.rows is None:
            raise NotComparable(
                f"{champion.name} was measured on other rows, and those of {self.version.name} weren't kept: "
                "give them, promote(…, valid=(X, y))"
            )
        return self._answers_of(champion, load(self.folder, champion, quiet=True), self.rows, self.answers.truth)

    def _answers_of(self, version: ModelVersion, model: Any, rows: Rows, truth: Array) -> Answers:
        flavor = FLAVORS[version.flavor]
        return meant(self.version.task, flavor, model, rows, truth, ask(flavor, model, rows))

    def _kept(self, version: ModelVersion) -> tuple[str, Answers] | None:
        data = self.folder.version(version.number).read(ANSWERS)
        if data is None:
            return None
        told, arrays = undump(data)
        return told["rows"], Answers(**arrays)

    def metric(self, name: str) -> Metric:
        """The metric of that name, or the one that the task is judged by."""
        known = {metric.name: metric for metric in metrics_for(self.version.task, self.answers)}
        if not name and known:
            return next(iter(known.values()))
        if name not in known:
            raise NotComparable(f"there is no {name or 'metric'} of it; there are: {', '.join(known) or 'none'}")
        return known[name]


def judge(
    folder: ModelFolder, version: ModelVersion, champion: ModelVersion | None, rules: GateRules, valid: Any = None
) -> Verdict:
    """How a version does at the gates of its model. What can't be judged counts as failed, and says why.

    Parameters
    ----------
    champion : the version that it would take the place of; None where there is none.
    valid : (X, y), other held-out rows than those that it was saved with.

    Raises
    ------
    InvalidInput : `valid` isn't such rows.
    """
    case = Case(folder, version, champion, None if valid is None else read_valid(valid))
    results = []
    for gate, look in _gates(rules):
        try:
            results += look(case)
        except (MlopsError, NotComparable) as error:
            results.append(GateResult(gate=gate, passed=False, words=str(error)))
    number = None if champion is None else champion.number
    return Verdict(version=version.number, champion=number, time=time.time(), results=results)


def _gates(rules: GateRules) -> Iterator[tuple[str, Callable[[Case], list[GateResult]]]]:
    for name, bound in rules.metrics.items():
        yield name, lambda case, name=name, bound=bound: [_metric(case, name, bound)]  # type: ignore[misc]  # defaults
    if (wanted := rules.improvement) is not None:
        yield "improvement", lambda case: [_improvement(case, wanted)]
    if (most := rules.latency) is not None:
        yield "latency", lambda case: [_latency(case, most)]
    if (size := rules.size) is not None:
        yield "size", lambda case: [_size(case, size)]
    for rule in rules.slices:
        yield f"by {rule.column}", lambda case, rule=rule: [_slices(case, rule)]  # type: ignore[misc]  # as above
    if (packages := rules.packages) is not None:
        yield "packages", lambda case: _packages(case, packages)


def _metric(case: Case, name: str, bound: Bound) -> GateResult:
    if case.valid is not None and name in METRICS:
        value, low, high = value_of(case.metric(name), case.answers), None, None
    elif (known := case.version.metrics.get(name)) is not None:
        value, low, high = known.value, known.low, known.high
    else:
        raise NotComparable(f"{name} wasn't measured; there are: {', '.join(case.version.metrics) or 'none'}")
    span = "" if low is None or high is None else f" ({low:.4g} to {high:.4g})"
    told = f"{value:.4g}{span}, wanted {bound.words()}"
    return GateResult(gate=name, passed=bound.holds(value), words=told, value=value, low=low, high=high)


def _improvement(case: Case, wanted: Improvement) -> GateResult:
    if case.champion is None:
        return GateResult(gate="improvement", passed=True, words="there is no champion to be better than")
    metric = case.metric(wanted.metric)
    by, low, high = difference(metric, case.answers, case.champions)
    told = (
        f"{metric.name} is {_better(by)} than that of {case.champion.name} on the same {len(case.answers.truth):,} "
        f"rows ({low:+.4g} to {high:+.4g}), wanted with 95 % certainty: at least {wanted.least:+.4g}"
    )
    return GateResult(gate="improvement", passed=low >= wanted.least, words=told, value=by, low=low, high=high)


def _better(by: float) -> str:
    return "no better" if by == 0 else f"{abs(by):.4g} {'better' if by > 0 else 'worse'}"


def _latency(case: Case, most: float) -> GateResult:
    kept = case.folder.version(case.version.number).read(EXAMPLE)
    if kept is None:
        raise NotComparable("it was saved without an example: save it with valid=(X, y) or example=X")
    model, row = case.model, rows_from(kept).take(slice(0, 1)).back()
    took = []
    for _ in range(_WARM + _CALLS):
        began = time.perf_counter()
        case.flavor.predict(model, row)
        took.append(time.perf_counter() - began)
    value = float(np.quantile(took[_WARM:], 0.95))
    told = f"{value * 1000:.3g} ms for one row (95 of {_CALLS} calls are faster), wanted at most {most * 1000:.3g} ms"
    return GateResult(gate="latency", passed=value <= most, words=told, value=value)


def _size(case: Case, most: int) -> GateResult:
    told = f"{words.size(case.version.size)}, wanted at most {words.size(most)}"
    return GateResult(gate="size", passed=case.version.size <= most, words=told, value=float(case.version.size))


def _slices(case: Case, rule: SliceRule) -> GateResult:
    """The metric for each value of a column; the worst of them decides."""
    metric, bound = case.metric(rule.metric), Bound(least=rule.least, most=rule.most)
    if case.rows is None:
        raise NotComparable("its held-out rows weren't kept: give them, promote(…, valid=(X, y))")
    columns = dict(case.rows.features())
    if rule.column not in columns:
        raise NotComparable(f"there is no column {rule.column!r}; there are: {', '.join(list(columns)[:8])}")
    values = np.array(texts_of(columns[rule.column]))
    found, few = {}, 0
    known, counts = np.unique(values, return_counts=True)
    if len(known) > _VALUES:
        raise NotComparable(f"the column {rule.column!r} has {len(known):,} values, more than {_VALUES}")
    for value, count in zip(known, counts, strict=True):
        if count < rule.rows:
            few += 1
            continue
        found[str(value)] = value_of(metric, case.answers.take(values == value))
    bad = {value: result for value, result in found.items() if not bound.holds(result)}
    shown = sorted((bad or found).items(), key=lambda each: each[1], reverse=not metric.more)[:_NAMED]
    told = f"{metric.name} is {listed([f'{result:.4g} for {value}' for value, result in shown]) or 'not measured'}"
    told += f", wanted {bound.words()}"
    told += f"; {words.count(few, 'value')} with less than {words.count(rule.rows, 'row')} passed over" if few else ""
    worst = shown[0][1] if shown else None
    return GateResult(gate=f"by {rule.column}", passed=bool(found) and not bad, words=told, value=worst)


def _packages(case: Case, rules: PackageRules) -> list[GateResult]:
    found, packages = [], case.version.packages
    if rules.licences:
        known = licences_in(case.folder.version(case.version.number).read(SBOM) or b"{}")
        bad = [f"{name} ({known.get(name) or 'unknown'})" for name in packages if not _allowed(known.get(name), rules)]
        told = f"{_some(bad)}; allowed are {listed(rules.licences)}" if bad else "all are allowed"
        found.append(GateResult(gate="licences", passed=not bad, words=told))
    names = set(map(_canonical, rules.allowed)), set(map(_canonical, rules.forbidden))
    if rules.allowed or rules.forbidden:
        bad = [
            name for name in packages if (names[0] and _canonical(name) not in names[0]) or _canonical(name) in names[1]
        ]
        told = f"{_some(bad)} may not be used" if bad else "all may be used"
        found.append(GateResult(gate="packages", passed=not bad, words=told))
    if rules.checked_within is not None:
        found.append(_weaknesses(case, rules.checked_within))
    return found


def _weaknesses(case: Case, within: float) -> GateResult:
    check = case.folder.version(case.version.number).check()
    if check is None:
        return GateResult(gate="weaknesses", passed=False, words="not checked: check it, version.check_packages()")
    age = time.time() - check.time
    when = f"checked {words.about(age)} ago, wanted within {words.about(within)}"
    known = [f"{each.package} {each.version} ({each.id})" for each in check.found]
    told = _some(known) if known else "none is known"
    if check.unknown:
        told += f"; nothing is known of {_some(check.unknown)}"
    passed = not known and not check.unknown and age <= within
    return GateResult(gate="weaknesses", passed=passed, words=f"{told}; {when}")


def licences_in(bill: bytes) -> Mapping[str, str]:
    """Package → licence, as a bill of materials has them."""
    found = {}
    for component in json.loads(bill).get("components", []):
        told = [each.get("license", {}).get("name", "") for each in component.get("licenses", [])]
        found[component["name"]] = " AND ".join(filter(None, told))
    return found


def _allowed(licence: str | None, rules: PackageRules) -> bool:
    """Whether a licence is one of those that are allowed: of several that hold together all, of alternatives one."""
    if not licence:
        return False
    parts = [part.strip(" ()") for part in re.split(r"\s+(?:AND|OR)\s+", licence)]
    fits = [any(word.lower() in part.lower() for word in rules.licences) for part in parts]
    return any(fits) if " OR " in licence and " AND " not in licence else all(fits)


def _some(names: list[str]) -> str:
    return listed([*names[:_NAMED], *([f"{len(names) - _NAMED} more"] if len(names) > _NAMED else [])])


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
