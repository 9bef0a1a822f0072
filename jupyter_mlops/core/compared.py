"""A candidate compared with the stable version: what is worse, what is as good, and what can't be told yet.

*Worse* is what the candidate has for sure, however often one looks, and so much of it that it matters. *The same* is
decided, too: for sure it is no worse than by what matters. Until one of them is so, it is *undecided*. All comparisons
of an experiment together find a difference where there is none with the chance `ALPHA` at most: each has its part of
that, and of it 6 / (π² n²) for the nth share.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence

from .base import Seconds, Time
from .candidate import Comparison, ComparisonState, Way
from .distributed import compared_answers, is_foretold
from .evidence import Evidence, LabelledMetric
from .expected import Expected
from .foresight import MANY, Foresight, growth, needing
from .sequence import ENOUGH, ArmSums, Gap, difference, yes
from .window import FeatureCounts
from .words import about, percent

#: The chance that a candidate is told to be worse, or better, which is not.
ALPHA = 0.05

#: Comparisons of an experiment.
_TESTS = 5

#: What matters: failed requests and missing answers, of all; how many times longer an answer takes, and seconds;
#: labelled rows that are wrong, of all, and an error of numbers, of itself.
FAILED, LONGER, SECONDS, WRONG, FARTHER = 0.02, 0.25, 0.01, 0.02, 0.05

#: Below this share a candidate is asked so rarely that it is slower by that alone: what it needs is in no cache any
#: more. There twice as long is what matters.
RARE, RARE_LONGER = 0.2, 1.0

#: Labelled rows by which it is foretold how many it takes, before there are any.
_FEW = 100

#: Seconds of labels that are waited for: after the answers, until they decide, and in any case at most. How they come
#: is told by those of so many seconds before.
LABELS_SOON, LABELS_WITHIN, LABELS_AT_MOST, LATELY = 86400.0, 3 * 86400.0, 4 * 86400.0, 7 * 86400.0

#: Comparisons without labels; and those by which a version is broken, whatever it is tried for.
_UNLABELLED = ("errors", "latency", "missing", "answers", "constant")
_BROKEN = ("errors", "missing", "constant")


def comparisons(
    way: Way,
    evidence: Evidence,
    metric: LabelledMetric,
    rate: float | None,
    foresight: Foresight | None = None,
    now: Time | None = None,
    expected: Expected | None = None,
) -> list[Comparison]:
    """All comparisons.

    Parameters
    ----------
    rate : requests to the service in a second, for how long it takes.
    foresight : of this experiment, for who looks again and again.
    expected : of the candidate's answers; None where they are to be as the stable version's.
    """
    found, known = _all(evidence, expected), foresight or Foresight()
    for each in found:
        known.say(each, _requests(evidence), rate)
    if metric.name and metric.used and way != "shadow":
        passed = evidence.passed(time.time() if now is None else now)
        labelled = _labelled(metric, evidence, passed, rate)
        seconds = labelled.seconds
        known.say(labelled, evidence.requests + _requests(evidence), rate)
        labelled.seconds = seconds if labelled.seconds is None else labelled.seconds
        if way == "canary" and labelled.state in ("undecided", "no data"):
            _wait(labelled, metric, evidence, passed)
        found.append(labelled)
    if way == "shadow" and evidence.agreement.rows:
        found += _agreement(evidence)
    return found


def _all(evidence: Evidence, expected: Expected | None) -> list[Comparison]:
    alpha = ALPHA / _TESTS * 6 / (math.pi * evidence.number) ** 2
    found = [_errors(evidence, alpha), _latency(evidence, alpha)]
    one, other = evidence.stable.answers, evidence.candidate.answers
    if evidence.stable.countable and evidence.candidate.countable:
        one, other = one or FeatureCounts(name=""), other or FeatureCounts(name="")
        told = compared_answers(one, other, alpha, _requests(evidence), expected)
        found += [_missing(one, other, alpha, evidence), told]
    return found


def by_labels(metric: LabelledMetric, evidence: Evidence) -> Comparison | None:
    """What labels alone say, as of now; None where there is no metric, or are none."""
    return _labelled(metric, evidence, 0.0, None) if metric.name and metric.used else None


def harms(way: Way, found: Sequence[Comparison]) -> list[Comparison]:
    """The comparisons for which a candidate goes back. A shadow harms nobody; of an A/B test only what is broken: all
    else is what it is to tell. Answers that are others than before are no harm where labels say that they are as
    good."""
    if way == "shadow":
        return []
    worse = [each for each in found if each.state == "worse"]
    if way == "ab":
        return [each for each in worse if each.name in _BROKEN]
    return [each for each in worse if each.name != "answers" or not _proven(found)]


def decided(found: Sequence[Comparison]) -> bool:
    """Whether nothing speaks against the next share, for sure. What has no data speaks against it, but for labels that
    aren't waited for."""
    proven = _proven(found)
    return all(
        each.state in ("better", "same") or not each.waits or (each.name == "answers" and proven) for each in found
    )


def unwaited(found: Sequence[Comparison]) -> list[str]:
    """In words what isn't waited for: "accuracy: no labels yet; labels take about 2 days, not waited for"."""
    return [f"{each.name}: {each.words}" for each in found if not each.waits]


def foretold(found: Sequence[Comparison]) -> list[str]:
    """In words what is others than before, as was expected."""
    return [f"{each.name}: {each.words}" for each in found if each.name == "answers" and is_foretold(each)]


def _proven(found: Sequence[Comparison]) -> bool:
    """Whether labels say that the candidate is as good."""
    return any(each.state in ("better", "same") for each in found if each.name not in _UNLABELLED)


def against(each: Comparison) -> str:
    """The figures of a comparison: "errors 12 % against 1 %"."""
    if each.candidate is None or each.stable is None or each.name == "answers":
        return f"{each.name}: {each.words}" if each.words else each.name
    if each.name in ("errors", "missing"):
        return f"{each.name} {percent(each.candidate)} against {percent(each.stable)}"
    if each.name == "latency":
        return f"latency {1000 * each.candidate:.3g} ms against {1000 * each.stable:.3g} ms"
    return f"{each.name} {each.candidate:.3g} against {each.stable:.3g}"


# One by one.


def _errors(evidence: Evidence, alpha: float) -> Comparison:
    one, other = evidence.stable, evidence.candidate
    pairs = [(yes(one.failed, one.requests), yes(other.failed, other.requests))]
    return _compared("errors", pairs, FAILED, alpha, _requests(evidence), binary=True)


def _latency(evidence: Evidence, alpha: float) -> Comparison:
    """Of the logarithms of seconds: a few requests that take for ever don't hide what all others take."""
    pair = evidence.stable.times, evidence.candidate.times
    usual = pair[0].mean
    longer = RARE_LONGER if evidence.share < RARE else LONGER
    matters = math.log1p(longer if usual is None else max(longer, SECONDS / math.exp(usual)))
    told = _compared("latency", [pair], matters, alpha, _requests(evidence))
    for name, read in (("stable", math.exp), ("candidate", math.exp), ("low", math.expm1), ("high", math.expm1)):
        if (value := getattr(told, name)) is not None:
            setattr(told, name, read(min(value, 50.0)))
    return told


def _missing(one: FeatureCounts, other: FeatureCounts, alpha: float, evidence: Evidence) -> Comparison:
    pairs = [(yes(one.missing, one.rows), yes(other.missing, other.rows))]
    return _compared("missing", pairs, FAILED, alpha, _requests(evidence), binary=True)


def _labelled(metric: LabelledMetric, evidence: Evidence, passed: Seconds, rate: float | None) -> Comparison:
    """The metric, of labels of all shares. How long it takes is a matter of how labels come."""
    pairs = [(each.stable, each.candidate) for each in metric.stretches]
    one, other = _labels(metric)
    base, sign = evidence.requests + _requests(evidence), -1 if metric.more else 1
    matters = _matters(metric, one.mean or 1.0)
    told = _compared(metric.name, pairs, matters, ALPHA / _TESTS, base, sign=sign, binary=metric.binary)
    if told.state in ("undecided", "no data") and metric.pace.rate:
        more = _likely_needs(metric, evidence.share)
        if told.needs is not None:
            more = (one.number + other.number) * told.needs / max(1, base)
        told.seconds = max(0.0, metric.pace.delay - passed) + more / metric.pace.rate
        if rate:
            told.needs = round(min(MANY, max(1.0, told.seconds * rate)))
    if not metric.binary:
        root = math.sqrt(one.mean or 0.0)
        told.stable, told.candidate = root, math.sqrt(other.mean or 0.0)
        told.low, told.high = (None if each is None else each / (2 * root or 1.0) for each in (told.low, told.high))
    return told


def _labels(metric: LabelledMetric) -> tuple[ArmSums, ArmSums]:
    one, other = ArmSums(), ArmSums()
    for each in metric.stretches:
        one, other = one.plus(each.stable), other.plus(each.candidate)
    return one, other


def _matters(metric: LabelledMetric, mean: float) -> float:
    # Of squared errors: their root changes by half of what they do.
    return WRONG if metric.binary else 2 * FARTHER * mean


def _likely_needs(metric: LabelledMetric, share: float) -> float:
    """About how many labelled rows it takes where the versions don't differ: of normal errors, or, while that isn't
    known, with 4 of 5 right."""
    one, share = _labels(metric)[0], min(0.99, max(0.01, share))
    mean = one.mean if one.mean is not None and one.number >= ENOUGH else 0.8 if metric.binary else one.mean or 1.0
    square = mean if metric.binary else 3 * mean * mean
    numbers = [max(1, round(part * _FEW)) for part in (1 - share, share)]
    arms = [ArmSums(number=number, total=number * mean, squares=number * square) for number in numbers]
    times = growth([(arms[0], arms[1])], _matters(metric, mean), ALPHA / _TESTS, binary=metric.binary)
    return sum(numbers) * (times or 1.0)


def _wait(told: Comparison, metric: LabelledMetric, evidence: Evidence, passed: Seconds) -> None:
    """Whether a canary waits for labels, and in words why not: whoever labels now and then, or late, would stop all. It
    is told by what they take where the versions don't differ: a few labels that say otherwise may say so by chance."""
    pace, none = metric.pace, told.state == "no data"
    told.waits = pace.rate > 0 and pace.delay <= LABELS_SOON and passed < LABELS_AT_MOST
    if told.waits:
        more = _likely_needs(metric, evidence.share) - sum(each.number for each in _labels(metric))
        told.waits = max(0.0, pace.delay - passed) + max(0.0, more) / pace.rate <= LABELS_WITHIN
    if not pace.rate:
        told.words = "no labels yet, and none came lately" if none else "undecided, and no labels came lately"
    elif none:
        told.words = f"no labels yet; labels take {_about(pace.delay)}"
    if not told.waits:
        told.words += ", not waited for"


def _about(seconds: Seconds) -> str:
    return about(seconds) if seconds < 60 else f"about {about(seconds)}"


def _agreement(evidence: Evidence) -> Iterator[Comparison]:
    both = evidence.agreement
    share = both.same / both.rows
    words = f"{percent(share)} of {both.rows:,} answers are the same"
    yield Comparison(name="agreement", state="same", candidate=share, words=words)
    if both.distance.number:
        far = both.distance.total / both.distance.number
        yield Comparison(name="distance", state="same", candidate=far, words=f"{far:.3g} on average")


def _requests(evidence: Evidence) -> int:
    return evidence.stable.requests + evidence.candidate.requests


def _compared(
    name: str,
    pairs: Sequence[tuple[ArmSums, ArmSums]],
    matters: float,
    alpha: float,
    base: int,
    *,
    sign: int = 1,
    binary: bool = False,
) -> Comparison:
    """What comes of a difference of which more is harm; or less, with the other sign."""
    one, other = ArmSums(), ArmSums()
    for stable, candidate in pairs:
        one, other = one.plus(stable), other.plus(candidate)
    told = Comparison(name=name, stable=one.mean, candidate=other.mean)
    if not one.number or not other.number:
        told.words = "no data yet"
        return told
    told.state = "undecided"
    if (found := difference(pairs, alpha, binary=binary)) is not None:
        told.low, told.high = found.low, found.high
        told.state = _state(found, matters, sign)
    if told.state == "undecided":
        return needing(told, base, growth(pairs, matters, alpha, sign=sign, binary=binary) or 1.0)
    return told


def _state(found: Gap, matters: float, sign: int) -> ComparisonState:
    low, high = sorted((sign * found.low, sign * found.high))
    if low > 0 and sign * found.value >= matters:
        return "worse"
    return "better" if high < 0 else "same" if high < matters else "undecided"
