"""From the versions that answer to those that are wanted: replicas are started beside the old ones, take over when
they are ready, and the others go."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Coroutine
from typing import Any

from ..core.base import Seconds
from ..core.candidate import CandidateState
from ..core.cluster import Problem
from ..core.errors import Conflict, MlopsError
from ..core.model import ModelVersion
from ..core.service import ServiceSpec
from ..core.words import count
from ..home.models import model_folder
from ..home.services import ServiceFolder
from .arm import Arm
from .frames import Frame
from .keeper import sample_of
from .standby import Standby, bounds
from .traffic import Traffic
from .trial import CandidateTrial, of_version, replicas_for
from .watcher import Watcher
from .watching import Watching, say
from .wishes import split_words


class Changeover:
    """Makes so what is wanted.

    Parameters
    ----------
    tell : called when there is something to say before all is so.
    """

    def __init__(
        self,
        folder: ServiceFolder,
        traffic: Traffic,
        watching: Watching,
        tell: Callable[[], None],
    ) -> None:
        self._folder, self._traffic, self._watching, self._tell = folder, traffic, watching, tell
        #: The wish that is so.
        self.spec = folder.spec()
        #: When the version began to answer that does so.
        self.since = time.time()
        #: The version that is to answer, while it is started; a candidate, then; and one that went back.
        self.coming = 0
        self.starting: CandidateState | None = None
        self.past: CandidateState | None = None
        #: The version before, while it is kept ready.
        self.standby = Standby(say)
        self._leaving: set[asyncio.Task[None]] = set()

    def changed(self) -> None:
        """As `Trying`."""
        self._tell()

    async def aside(self, act: Callable[[], None]) -> None:
        """As `Trying`."""
        await self._watching.aside(act, logs=True)

    def leave(self, trial: CandidateTrial) -> None:
        """As `Trying`. Nothing is compared any more, and what was private of it only may be logged of the other."""
        if (stable := self._traffic.stable) is not None:
            stable.compare(b"")
            stable.log(self.spec.model_copy(update={"candidate": None}))
        self._later(self._dismiss(trial))

    async def have(self, wanted: ServiceSpec) -> None:
        """Have the wanted version serve, and then the wanted candidate tried beside it.

        Raises
        ------
        MlopsError : why one of both isn't so. What answered before goes on.
        """
        stable = self._traffic.stable
        if stable is None or _of_its_own(wanted) != _of_its_own(self.spec):
            await self._serve(wanted)
        await self._try(wanted)
        await self._watching.look()  # before it is said that the version answers: somebody may ask at once
        self.spec = wanted

    async def _serve(self, wanted: ServiceSpec) -> None:
        """Have the wanted version answer, in place of the one before."""
        self.coming, before, trial = wanted.version, self._traffic.stable, self._traffic.trial
        self._tell()
        watcher = await self._watching.of(wanted)
        if trial is not None and trial.arm.record.digest == wanted.digest and bounds(wanted) == bounds(self.spec):
            arm = trial.arm
            self._check_tried(trial)
            await arm.fleet.resize(wanted.replicas)
            self._check_tried(trial)
        elif before is not None and _made_alike(before, self.spec, wanted):
            trial, arm = None, before
            await arm.fleet.resize(wanted.replicas)
        else:
            trial = None
            if (kept := await self.standby.back(wanted)) is None:
                self._forgo_standby()
                arm = Arm.of(wanted, self._version(wanted, wanted.version), self._folder, say)
                await arm.fleet.start()
            else:
                arm = await self._grown(kept, wanted.replicas)
        # From here on nothing is waited for: the one answers, and the other doesn't any more.
        self._traffic.stable, self.past = arm, None
        if trial is not None:
            self._traffic.trial = None
        arm.log(wanted)
        arm.compare(b"")
        arm.hear = self._heard
        old = self._watching.follow(watcher, wanted)
        self.spec = self._without_coming(wanted)
        self.since = time.time()
        say(f"{wanted.version_name} answers, by {count(wanted.replicas, 'replica')}")
        if trial is not None:
            self._later(self._adopted(trial))
        if (tried := self._traffic.trial) is not None:
            tried.compare_with(arm)
        if before is not None and before is not arm:
            self._part_with(before, old)

    async def _grown(self, kept: Arm, replicas: int) -> Arm:
        """A version that was kept, with as many replicas as it is to have; where that can't be, it is kept on."""
        try:
            await kept.fleet.resize(replicas)
        except BaseException:
            self.standby.keep(kept)
            raise
        return kept

    def _part_with(self, arm: Arm, watcher: Watcher | None) -> None:
        """Let a version go that is replaced, once it has answered what it was asked; or keep it ready. In a pod, which
        has one version's memory, none is kept."""
        if watcher is not None:
            arm.hear = watcher.hear  # what it was asked last isn't the other one's
        if watcher is None or self.spec.profile is not None or bounds(arm.fleet.spec) != bounds(self.spec):
            self._later(self._retire(arm, watcher))
            return
        self._forgo_standby()
        self.standby.keep(arm)
        self._later(self._rest(arm, watcher))

    def tend(self) -> None:
        """To be called every second: a version isn't kept for ever."""
        if (arm := self.standby.overdue()) is not None:
            self._later(arm.fleet.end())

    def _forgo_standby(self) -> None:
        """There is to be memory for others."""
        if (arm := self.standby.let_go()) is not None:
            self._later(arm.fleet.end(self.spec.patience))

    async def _try(self, wanted: ServiceSpec) -> None:
        """Have the wanted candidate tried, with the wanted share; or none."""
        trial, stable, candidate = self._traffic.trial, self._traffic.stable, wanted.candidate
        assert stable is not None
        if candidate is None:
            if trial is not None:
                self.past = trial.gone_back(None)
        elif trial is not None and trial.candidate.salt == candidate.salt:
            await trial.arm.fleet.resize(replicas_for(candidate.share, wanted.replicas))
            self._check_tried(trial)
            trial.follow(wanted, stable)
            stable.log(wanted)
            return
        else:
            self.starting = CandidateState(
                version=candidate.version, way=candidate.way, steps=candidate.steps, words="starting"
            )
            self._tell()
            self._forgo_standby()
            coming = await asyncio.to_thread(self._trial, wanted)
            await coming.arm.fleet.start()
            stable.log(wanted)
            coming.arm.log(wanted if candidate.way != "shadow" else wanted.model_copy(update={"log": 0.0}))
            coming.begin(stable)
            self._traffic.trial, self.past = coming, None
            say(f"{split_words(wanted.model, candidate)}, is tried")
        if trial is not None:
            if candidate is None:
                self._traffic.trial = None
                self.leave(trial)
            else:
                self._later(self._dismiss(trial))

    def refused(self, wanted: ServiceSpec, problem: Problem) -> ServiceSpec:
        """A wish can't be so: the one that is to be wanted again."""
        candidate, trial, before = wanted.candidate, self._traffic.trial, self.spec.candidate
        if trial is not None:
            trial.rest()
        elif before is not None:  # it was taken back meanwhile, and isn't to be wanted again
            self.spec = self.spec.model_copy(update={"candidate": None, "revision": ""})
        if trial is None and candidate is not None and (before is None or before.salt != candidate.salt):
            self.past = CandidateState(
                version=candidate.version,
                way=candidate.way,
                phase="back",
                since=time.time(),
                words=f"isn't ready: {problem.what}",
                problem=problem,
            )
        self.starting = None
        self.spec = self.spec.model_copy(update={"revision": self.spec.revision or secrets.token_hex(6)})
        return self.spec

    def _without_coming(self, wanted: ServiceSpec) -> ServiceSpec:
        """What is so of a wish before its candidate is tried: with the one that is tried until then, if there is."""
        if wanted.candidate is None:
            return wanted
        trial = self._traffic.trial
        return wanted.model_copy(update={"candidate": None if trial is None else trial.candidate, "revision": ""})

    def _check_tried(self, trial: CandidateTrial) -> None:
        """Raise `Conflict` where a candidate was taken back while its wish was made so: its replicas end."""
        if self._traffic.trial is not trial:
            name = f"{self.spec.model}@{trial.candidate.version}"
            raise Conflict(f"{name} was taken back", "it did harm while that was made so", "")

    def _trial(self, wanted: ServiceSpec) -> CandidateTrial:
        assert wanted.candidate is not None
        record = self._version(wanted, wanted.candidate.version)
        return of_version(wanted, record, self._folder, say)

    def _version(self, wanted: ServiceSpec, number: int) -> ModelVersion:
        try:
            return model_folder(wanted.model).version(number).record()
        except FileNotFoundError:
            raise Conflict(f"{wanted.model}@{number} can't be served", "its version is gone", "") from None

    def _heard(self, told: Frame) -> None:
        """What a replica of the version that serves has counted."""
        self._watching.hear(told)
        if self._traffic.trial is not None:
            self._traffic.trial.hear(told)

    # What goes.

    async def end(self) -> None:
        """Let all go that answer."""
        trial, stable = self._traffic.trial, self._traffic.stable
        if trial is not None:
            await self._dismiss(trial, patience=0.0)
        if stable is not None:
            await stable.fleet.end()
        if (kept := self.standby.let_go()) is not None:
            await kept.fleet.end()
        await asyncio.gather(*self._leaving, return_exceptions=True)
        self._traffic.stable = self._traffic.trial = None

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _rest(self, arm: Arm, watcher: Watcher) -> None:
        await arm.fleet.settle(self.spec.patience)
        await self._watching.aside(watcher.end)

    async def _retire(self, arm: Arm, watcher: Watcher | None) -> None:
        await arm.fleet.end(self.spec.patience)
        if watcher is not None:
            await self._watching.aside(watcher.end)

    async def _dismiss(self, trial: CandidateTrial, patience: Seconds | None = None) -> None:
        await trial.end()
        await trial.arm.fleet.end(self.spec.patience if patience is None else patience)
        await self._kept(trial)

    async def _adopted(self, trial: CandidateTrial) -> None:
        evidence = trial.evidence.ended(trial.candidate.digest, self.spec.previous, time.time())
        await trial.end()
        await self._kept(trial)

        def keep() -> None:
            try:
                self._folder.write_evidence(evidence)
            except MlopsError as error:
                say(f"what is known of a candidate can't be written: {error}")

        await self.aside(keep)

    async def _kept(self, trial: CandidateTrial) -> None:
        """What was logged of a version that isn't tried any more is kept."""
        await self._watching.aside(trial.last, logs=True)


def _made_alike(arm: Arm, spec: ServiceSpec, wanted: ServiceSpec) -> bool:
    """Whether the replicas that answer as one wish says would be made and told the same for another one. Those that are
    told to log otherwise are others: they forget what they logged before."""
    same = arm.record.digest == wanted.digest and bounds(wanted) == bounds(arm.fleet.spec)
    return same and sample_of(wanted) == sample_of(spec)


def _of_its_own(spec: ServiceSpec) -> dict[str, Any]:
    """What a wish says of the version that serves, and of all."""
    return spec.model_dump(exclude={"candidate", "revision", "previous", "created", "port"})
