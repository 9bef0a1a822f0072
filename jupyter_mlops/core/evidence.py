"""What a candidate and the stable version answered at the same time, as sums, while the candidate had one share.

Each share is a stretch of its own: what was answered at another share was answered at another time, and a share that
changes together with what is asked shows differences that aren't there. Only labels, which come late, are of all
stretches, each compared for itself.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from typing import Annotated

from .base import Amount, Label, Record, Seconds, Time, first
from .formats import FORMAT
from .sequence import ArmSums
from .window import FeatureCounts

#: Stretches whose labels are compared.
MOST_STRETCHES = 100


class ArmEvidence(Record):
    """What one version was asked in a stretch, and answered.

    `failed` are requests without an answer, whoever's fault that was: callers are the same for both. `times` are
    logarithms of seconds. `answers` are counts in the bins of the stable version's answers, once there are some, if
    they are `countable`.
    """

    requests: Amount = 0
    failed: Amount = 0
    times: ArmSums = ArmSums()
    answers: FeatureCounts | None = None
    countable: bool = True

    def heard(self, fine: bool, took: Seconds) -> None:
        """Count a request."""
        self.requests += 1
        if fine:
            self.times.add(math.log(max(took, 1e-6)))
        else:
            self.failed += 1

    def plus(self, more: ArmEvidence) -> ArmEvidence:
        """What both were asked."""
        answers = [each for each in (self.answers, more.answers) if each is not None]
        return ArmEvidence(
            requests=self.requests + more.requests,
            failed=self.failed + more.failed,
            times=self.times.plus(more.times),
            answers=functools.reduce(FeatureCounts.plus, answers) if answers else None,
            countable=self.countable and more.countable,
        )


class Stretch(Record):
    """When a candidate had one share: from `since` on, to `until`; 0 while it has it."""

    since: Time
    until: Time = 0


class LabelledArms(Record):
    """The scores of rows of one stretch that have labels."""

    stable: ArmSums = ArmSums()
    candidate: ArmSums = ArmSums()


class LabelPace(Record):
    """How labels have come lately: how many there are for a second of answers, and how long after these, in the middle.
    A rate of 0: none came."""

    rate: float = 0.0
    delay: Seconds = 0.0


class LabelledMetric(Record):
    """The metric of labelled rows, stretch by stretch. `used` says whether anybody labels what this service answers."""

    name: Label = ""
    #: Whether more is better.
    more: bool = True
    #: Whether rows are right or wrong.
    binary: bool = True
    used: bool = False
    pace: LabelPace = LabelPace()
    stretches: Annotated[list[LabelledArms], first(MOST_STRETCHES)] = []


class Agreement(Record):
    """Of rows that both answered, the stable version for a caller and a shadow for nobody: how many are the same, and
    how far apart numbers are."""

    rows: Amount = 0
    same: Amount = 0
    distance: ArmSums = ArmSums()
    #: Copies that were left out.
    dropped: Amount = 0

    def plus(self, more: Agreement) -> Agreement:
        """The rows of both."""
        return Agreement(
            rows=self.rows + more.rows,
            same=self.same + more.same,
            distance=self.distance.plus(more.distance),
            dropped=self.dropped + more.dropped,
        )


class Evidence(Record):
    """All that is known of a candidate. `salt` names the experiment; `number` counts what is compared anew, from 1, and
    `turn` is the candidate's."""

    format: int = FORMAT
    salt: Label = ""
    number: Amount = 1
    turn: Amount = 1
    share: float = 0.0
    since: Time = 0
    stable: ArmEvidence = ArmEvidence()
    candidate: ArmEvidence = ArmEvidence()
    #: Of the candidate, before this share.
    requests: Amount = 0
    errors: Amount = 0
    agreement: Agreement = Agreement()
    stretches: Annotated[list[Stretch], first(MOST_STRETCHES)] = []
    #: Once the candidate has won: its digest, and the number of the version that it took the place of. Labels come on.
    won: Label = ""
    over: int = 0

    @property
    def mark(self) -> str:
        """Tells counts of this share from those of the one before."""
        return f"{self.salt}/{self.number}"

    def passed(self, now: Time) -> Seconds:
        """For how long it has been tried."""
        return max(0.0, now - self.stretches[0].since) if self.stretches else 0.0

    def ended(self, digest: str, over: int, now: Time) -> Evidence:
        """What is known when the candidate has won over the version of that number."""
        stretches = [each.model_copy(update={"until": each.until or now}) for each in self.stretches]
        return self.model_copy(update={"won": digest, "over": over, "stretches": stretches})

    def next(self, share: float, now: Time, turn: int = 1) -> Evidence:
        """What is known when the candidate gets another share, or the same one is counted anew. For labels, which come
        late, that is no other stretch."""
        stretches = self.stretches
        if not stretches or share != self.share:
            ended = [each.model_copy(update={"until": each.until or now}) for each in stretches]
            stretches = [*ended[-MOST_STRETCHES + 1 :], Stretch(since=now)]
        return Evidence(
            salt=self.salt,
            number=self.number + (self.since > 0),
            turn=turn,
            share=share,
            since=now,
            requests=self.requests + self.candidate.requests,
            errors=self.errors + self.candidate.failed,
            stretches=stretches,
        )


def together(own: Evidence, others: Iterable[Evidence]) -> Evidence:
    """What several replicas know of the same experiment, of which each has both versions. What was answered at another
    turn is counted, and isn't compared."""
    whole = own.model_copy()
    for each in others:
        if each.salt != own.salt:
            continue
        whole.number = max(whole.number, each.number)
        whole.requests += each.requests
        whole.errors += each.errors
        if each.turn == own.turn:
            whole.since = min(whole.since, each.since) if each.since else whole.since
            whole.stable, whole.candidate = whole.stable.plus(each.stable), whole.candidate.plus(each.candidate)
            whole.agreement = whole.agreement.plus(each.agreement)
        else:
            whole.requests += each.candidate.requests
            whole.errors += each.candidate.failed
    return whole


def labelled_together(own: LabelledMetric, others: Iterable[LabelledMetric]) -> LabelledMetric:
    """The metric of the rows of several replicas: what one of them answered at a share is a stretch of its own."""
    every = [own, *others]
    if len(every) == 1:
        return own
    named = next((each for each in every if each.name), own)
    paces = [each.pace for each in every if each.pace.rate]
    pace = LabelPace(rate=sum(each.rate for each in paces), delay=max((each.delay for each in paces), default=0.0))
    stretches = [stretch for each in every if each.name == named.name for stretch in each.stretches]
    full = [each for each in stretches if each.stable.number and each.candidate.number]
    told = {"used": any(each.used for each in every), "pace": pace, "stretches": full[:MOST_STRETCHES]}
    return named.model_copy(update=told)
