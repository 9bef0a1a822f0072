"""A candidate that is tried: its replicas, what it is asked, and how it compares with the version that serves."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal

from ..core.base import Seconds, read_record
from ..core.candidate import Candidate, CandidatePhase, CandidateState, Comparison
from ..core.cluster import Problem
from ..core.compared import LATELY, against, comparisons, decided, foretold, harms, unwaited
from ..core.errors import MlopsError, Unreadable
from ..core.evidence import ArmEvidence, Evidence, LabelledMetric, LabelPace, labelled_together, together
from ..core.foresight import Foresight
from ..core.model import Bins, ModelVersion
from ..core.service import ServiceSpec
from ..core.split import ReplicaReport
from ..core.window import Window
from ..core.words import about, listed, percent
from ..home.models import model_folder
from ..home.services import ServiceFolder
from .arm import Arm, Chooser
from .counts import Lately
from .frames import Frame
from .keeper import RequestKeeper
from .shadow import Shadow

#: Seconds that a candidate keeps its share after it couldn't get more: no further replica could be started.
_REST: Seconds = 60.0

#: How many times longer than it took to look how labels come it is until that is done again.
_REST_OF_LABELS = 100

#: Requests to a candidate after which they are counted anew: what was fine for long doesn't hide what isn't any more.
_RENEWED = 20_000

#: Seconds for which the rate of requests at one share is as good as known by that at the one before.
_MINUTE: Seconds = 60.0

#: Seconds that what others get in a second is told: they may be gone.
_HEARD: Seconds = 120.0

Next = Literal["back", "on", "hold"]

#: As people call the ways.
_WAYS = {"canary": "canary", "ab": "A/B test", "shadow": "shadow"}


def replicas_for(share: float, stable: int) -> int:
    """Replicas of a candidate that gets so much of the requests: as many for each as the version that serves has."""
    return max(1, math.ceil(share * stable - 1e-9))


def spec_of(wanted: ServiceSpec, candidate: Candidate) -> ServiceSpec:
    """The wish for the candidate's own replicas."""
    shadow = {"log": 0.0} if candidate.way == "shadow" else {}  # its answers are nobody's
    own = {"version": candidate.version, "digest": candidate.digest, "private": candidate.private, "candidate": None}
    return wanted.model_copy(update={**own, **shadow, "replicas": replicas_for(candidate.share, wanted.replicas)})


class CandidateTrial:
    """A candidate while it is tried.

    Parameters
    ----------
    wanted : the wish that has the candidate.
    arm : its replicas, which aren't started yet.
    say : called with a line for the log.
    """

    def __init__(self, folder: ServiceFolder, wanted: ServiceSpec, arm: Arm, say: Callable[[str], None]) -> None:
        assert wanted.candidate is not None
        self.candidate, self.arm = wanted.candidate, arm
        self._folder, self._say, self._wanted = folder, say, wanted
        #: Whether it answers nobody yet, whatever its share is.
        self.waits = self._is_to_wait()
        self._chooses = Chooser(wanted.candidate)
        self.evidence = self._known() or Evidence(salt=wanted.candidate.salt)
        #: What others know of the same experiment, where several routers take part in it: each has both versions.
        self.others: Sequence[ReplicaReport] = ()
        self.keeper = RequestKeeper(folder, spec_of(wanted, wanted.candidate), say, measures=False)
        self.shadow: Shadow | None = None
        self.found: list[Comparison] = []
        #: Whether another share is asked for, and is to come.
        self.moving = False
        self._rests = 0.0
        #: Requests to both in a second, of this share and of the one before, and what is said of how long it takes.
        self._rate: float | None = None
        self._before: float | None = None
        self._left: tuple[int | None, Seconds | None] = None, None
        self._foresight = Foresight()
        self._metric = LabelledMetric()
        self._labels: tuple[int, int] | None = None
        self._pace, self._paced = LabelPace(), 0.0
        #: Whether anybody has looked for labels; it doesn't go on before.
        self._labels_read = False
        self._told: deque[tuple[bool, Frame]] = deque()
        self._lately, self._written = Lately(), ""

    # Its life.

    def begin(self, stable: Arm) -> None:
        """It is ready beside `stable`."""
        now, kept = time.time(), self.evidence
        if not kept.since or kept.share != self.share:
            self.evidence = kept.next(self.share, now, self._turn)
        self.arm.hear = lambda told: self._told.append((False, told))
        if self.candidate.way == "shadow":
            self.shadow = Shadow(self.arm, self._both)
            self.shadow.agreement = self.evidence.agreement
        self.compare_with(stable)

    def compare_with(self, stable: Arm) -> None:
        """Have both count answers in the same bins."""
        bins = self._bins().model_dump_json().encode()
        stable.compare(bins)
        self.arm.compare(bins)

    def follow(self, wanted: ServiceSpec, stable: Arm) -> None:
        """The same experiment with another wish."""
        assert wanted.candidate is not None
        before, self.candidate, self._wanted = self.candidate, wanted.candidate, wanted
        self._chooses = Chooser(wanted.candidate)
        self.moving = False
        self.keeper.follow(spec_of(wanted, wanted.candidate))
        if self.candidate.share != before.share:
            self._renew(stable)

    @property
    def share(self) -> float:
        """The part of the requests that it gets."""
        return 0.0 if self.waits else self.candidate.share

    @property
    def _turn(self) -> int:
        # While one pod waits and another doesn't any more, what they see isn't compared.
        return 0 if self.waits else self.candidate.turn

    def chooses(self, key: str) -> bool:
        """Whether a request of this key is its."""
        return not self.waits and self._chooses(key)

    def wait(self, waits: bool, stable: Arm) -> None:
        """Have it answer nobody yet, or, from now on, its share."""
        if waits != self.waits:
            self.waits = waits
            self._renew(stable)

    def _renew(self, stable: Arm) -> None:
        """Compare what is answered from now on."""
        self._foresight, self._before = Foresight(), self._rate
        self.evidence = self.evidence.next(self.share, time.time(), self._turn)
        self._told.clear()
        if self.shadow is not None:
            self.shadow.agreement = self.evidence.agreement
        self.compare_with(stable)

    def rest(self) -> None:
        """It couldn't get the share that it was to have."""
        self.moving, self._rests = False, time.monotonic() + _REST

    async def end(self) -> None:
        """Copy no more requests to it."""
        if self.shadow is not None:
            await self.shadow.end()

    # What is heard of it.

    def heard(self, candidate: bool, fine: bool, took: Seconds) -> None:
        """A request was answered by it, or by the version that serves, or wasn't."""
        if candidate:
            self._lately.add()
            self.evidence.candidate.heard(fine, took)
        else:
            self.evidence.stable.heard(fine, took)

    def _both(self, stable: tuple[bool, Seconds], shadow: tuple[bool, Seconds]) -> None:
        self.heard(False, *stable)
        self.heard(True, *shadow)

    def hear(self, told: Frame) -> None:
        """What a replica of the version that serves has counted."""
        self._told.append((True, told))

    def _listen(self) -> None:
        while self._told:
            stable, told = self._told.popleft()
            counts, logged = told.parts if told.rows else (told.body, b"")
            if not stable:
                self.keeper.hear(logged)
            arm: ArmEvidence = self.evidence.stable if stable else self.evidence.candidate
            if told.code != 200:
                arm.countable = False
                continue
            try:
                answers = read_record(Window, counts, "replica's count").compared
            except Unreadable:
                continue  # it runs what people wrote, and may say anything
            if answers is None or answers.name != self.evidence.mark:
                continue
            arm.answers = answers if arm.answers is None else arm.answers.plus(answers)

    def read_labels(self) -> None:
        """Look what labels say of both, where there are new ones, and keep what was logged. In any thread."""
        try:
            self._read_labels()
        finally:
            self._labels_read = True

    def _read_labels(self) -> None:
        self.keeper.look()
        log = self._folder.requests
        seen = log.changed_at()
        if seen is None or seen == self._labels:
            return
        stretches = [(each.since, each.until) for each in self.evidence.stretches]
        try:
            found = log.labelled.metric(self._wanted.digest, self.candidate.digest, stretches)
            self._metric = found.model_copy(update={"pace": self._label_pace()})
            self._labels = seen
        except MlopsError as error:
            self._say(f"labels can't be read: {error}")

    def _label_pace(self) -> LabelPace:
        """How labels come. That is looked at now and then: it may take long where much is logged."""
        if (began := time.monotonic()) >= self._paced:
            self._pace = self._folder.requests.labelled.pace(time.time(), LATELY)
            now = time.monotonic()
            self._paced = now + _REST_OF_LABELS * (now - began)
        return self._pace

    def last(self) -> None:
        """Keep what was logged; nobody does so again. In any thread."""
        while self._told:
            stable, told = self._told.popleft()
            if not stable and told.rows:
                self.keeper.hear(told.parts[1])
        self.keeper.look(last=True)

    # What comes of it.

    def look(self, stable: Arm) -> Next:
        """Compare, and say what comes of it: whether it goes back, goes on, or stays as it is."""
        self._listen()
        seen, metric = self._whole(), labelled_together(self._metric, [each.metric for each in self._same()])
        asked, took = seen.stable.requests + seen.candidate.requests, time.time() - seen.since
        if took > 1:
            self._rate = asked / took if self._before is None else (asked + _MINUTE * self._before) / (took + _MINUTE)
        self.found = comparisons(
            self.candidate.way, seen, metric, self._rate, self._foresight, expected=self.candidate.expected
        )
        self._left = self._foresight.left(self.found, asked, self._rate)
        if self.harms:
            return "back"
        stays = self.waits or self.candidate.paused or self.moving or time.monotonic() < self._rests
        ready = stable.ready and self.arm.ready and self._labels_read
        if self.candidate.way == "canary" and not stays and ready and decided(self.found):
            return "on"
        if self.evidence.candidate.requests >= _RENEWED:
            self._renew(stable)
        return "hold"

    def _same(self) -> list[ReplicaReport]:
        """What others tell of the same experiment."""
        salt = self.candidate.salt
        return [each for each in self.others if each.evidence is not None and each.evidence.salt == salt]

    def _whole(self) -> Evidence:
        """What all know of it that take part."""
        return together(self.evidence, [each.evidence for each in self._same() if each.evidence is not None])

    def report(self) -> ReplicaReport:
        """What others are to know of it."""
        told = {"evidence": self.evidence.model_copy(deep=True), "metric": self._metric, "rate": self._lately.rate}
        return ReplicaReport(time=time.time(), candidate=self.state(), waits=self.waits, **told)

    @property
    def harms(self) -> list[Comparison]:
        """What it harms."""
        return harms(self.candidate.way, self.found)

    @property
    def next_share(self) -> float | None:
        """A canary's next step; None after the last, when it answers all."""
        return next((each for each in self.candidate.steps if each > self.candidate.share + 1e-9), None)

    @property
    def why(self) -> str:
        """What it harms, with figures."""
        return listed([against(each) for each in self.harms])

    def problem(self) -> Problem:
        """Why it goes back."""
        stable, name = self._names()
        at = f"{percent(self.candidate.share)} of the requests, {self._whole().candidate.requests:,} by now"
        return Problem(
            what=f"{name} was taken back: {self.why}",
            why=f"not by chance, as {stable} was asked at the same time; it had {at}",
            todo=f"{stable} serves all. Look into what {name} was asked, svc.requests(), and said, svc.logs().",
        )

    def state(self) -> CandidateState:
        """What it is now."""
        seen, candidate = self._whole(), self.candidate
        fault = self.arm.fleet.fault
        return CandidateState(
            version=candidate.version,
            way=candidate.way,
            phase=self._phase(),
            share=self.share,
            paused=candidate.paused,
            steps=candidate.steps,
            since=seen.since,
            requests=seen.requests + seen.candidate.requests,
            errors=seen.errors + seen.candidate.failed,
            rate=self._asked_lately(),
            dropped=seen.agreement.dropped,
            words=self._words(),
            verdicts=self.found,
            problem=None if fault is None else Problem.of(fault),
        )

    def _phase(self) -> CandidatePhase:
        if self.waits:
            return "starting"
        if self.moving and self.next_share is None:
            return "won"
        return "paused" if self.candidate.paused else "trying"

    def _asked_lately(self) -> float:
        """Requests that it gets in a second, from all that take part and were heard lately."""
        lately = [each.rate for each in self._same() if each.rate is not None and each.time > time.time() - _HEARD]
        return sum(lately, self._lately.rate)

    def gone_back(self, problem: Problem | None) -> CandidateState:
        """What it is once it is taken back."""
        why = self.why if problem is not None else ""
        gone = self.state().taken_back(self.candidate.share, time.time(), why)
        return gone.model_copy(update={"problem": problem})

    def _words(self) -> str:
        """ "canary 25 %: undecided, about 3 h"."""
        head = f"{_WAYS[self.candidate.way]} {percent(self.candidate.share)}"
        if not self.arm.ready:
            return f"{head}: not ready"
        if self.waits:
            return f"{head}: waits for all pods"
        if self.moving:
            return f"{head}: decided, and goes on"
        if self.candidate.way == "shadow":
            told = [each.words for each in self.found if each.name == "agreement"]
            return f"{head}: {told[0] if told else 'nothing to compare yet'}"
        if self.candidate.way == "ab":
            told = [f"{each.name} {each.state}" for each in self.found if each.state in ("better", "worse")]
            return f"{head}: {listed(told) or self._open()}"
        return f"{head}{', paused' if self.candidate.paused else ''}: {self._open()}"

    def _open(self) -> str:
        if decided(self.found) and self.found:
            return "; ".join(["decided: no worse", *foretold(self.found), *unwaited(self.found)])
        if not self._whole().candidate.requests:
            return "no requests yet"
        needs, seconds = self._left
        names = listed([each.name for each in self.found if each.state in ("undecided", "no data") and each.waits])
        told = f"undecided, about {needs:,} requests" if needs is not None else f"undecided: {names}"
        if seconds is not None:
            told = f"undecided, {'' if seconds < 60 else 'about '}{about(seconds)}"
        return "; ".join([told, *unwaited(self.found)])

    @property
    def decided_words(self) -> str:
        """What is known where it goes on."""
        head = f"decided: no worse than {self._wanted.version_name}"
        return "; ".join([head, *foretold(self.found), *unwaited(self.found)])

    def kept(self) -> Evidence | None:
        """What is to be written, where that has changed."""
        text = self.evidence.model_dump_json()
        if text == self._written:
            return None
        self._written = text
        return self.evidence.model_copy(deep=True)

    def _names(self) -> tuple[str, str]:
        return self._wanted.version_name, f"{self._wanted.model}@{self.candidate.version}"

    def _bins(self) -> Bins:
        """The bins of the stable version's answers, named by the share for which they count."""
        try:
            baseline = model_folder(self._wanted.model).version(self._wanted.version).baseline()
        except (MlopsError, OSError):
            baseline = None
        bins = Bins(name="") if baseline is None or baseline.answers is None else baseline.answers
        return bins.model_copy(update={"name": self.evidence.mark, "missing": 0})

    def _is_to_wait(self) -> bool:
        """Whether others haven't got it yet, as was agreed upon last."""
        try:
            agreed = self._folder.split()
        except Unreadable as fault:
            self._say(f"what was agreed upon of a candidate can't be read: {fault}")
            return False
        return agreed is not None and agreed.waits

    def _known(self) -> Evidence | None:
        """What was known of the same experiment before the router was started again."""
        try:
            kept = self._folder.evidence()
        except Unreadable as fault:
            self._say(f"what was known of a candidate can't be read: {fault}")
            return None
        return kept if kept is not None and kept.salt == self.candidate.salt else None


def of_version(
    wanted: ServiceSpec, record: ModelVersion, folder: ServiceFolder, say: Callable[[str], None]
) -> CandidateTrial:
    """The trial that a wish says; none of its replicas is started yet."""
    assert wanted.candidate is not None
    return CandidateTrial(folder, wanted, Arm.of(spec_of(wanted, wanted.candidate), record, folder, say), say)
