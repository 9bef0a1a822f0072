"""The process that retrains a service: `python -m jupyter_mlops.serving.retrainer SERVICE DESCRIPTOR`.

It runs the pipeline, has the gates judge the version that came of it, and deploys that as a canary. Whether it
is to be the champion is for people to say, once it has won. No kernel, server
or browser has to be open. What it prints is its log.
"""

from __future__ import annotations

import asyncio
import re
import signal
import sys
import time
import traceback
from pathlib import Path

from ..client.words import tell
from ..core.cluster import Problem
from ..core.errors import GatesFailed, MlopsError, NotFound, RunCancelled, RunFailed
from ..core.model import ModelVersion
from ..core.retraining import Retraining
from ..core.trail import Actor
from ..home.models import ModelFolder, model_folder
from ..home.owner import me
from ..home.retraining import RetrainingFolder, hold, retraining_folder
from ..home.services import service_folder
from ..pipelines.child import PipelineProcess
from ..pipelines.pipeline import Pipeline
from ..pipelines.saved import saved_since
from ..registry.promote import pass_gates
from .deploy import deploy, read_deployment, until_so
from .find import find_service, hosting_of
from .noted import note
from .retrain import check_candidate

#: How the process that runs a pipeline says that a step begins.
_STEP = re.compile(r"(\S+) \(\d+ of \d+\)")

#: Characters of a reason that a deployment takes.
_MOST_WHY = 5000


def main() -> int:
    """Retrain; the exit code is 1 where nothing came of it."""
    name, handle = sys.argv[1], int(sys.argv[2])
    hold(handle)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    folder = retraining_folder(service_folder(name))
    begun = folder.read()
    if begun is None:
        return 1
    job = _Job(folder, begun)
    try:
        job.run()
    except (KeyboardInterrupt, RunCancelled):
        job.end("cancelled", Problem(what=f"The retraining of {name} was cancelled"))
    except GatesFailed as error:
        job.end("refused", Problem.of(error))
    except MlopsError as error:
        job.end("failed", Problem.of(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is said where people look
        traceback.print_exc()
        job.end("failed", Problem(what=f"{type(error).__name__}", why=str(error), todo="Its log says where."))
    return 0 if job.state.phase in ("canary", "passed") else 1


class _Job:
    """A retraining that goes on."""

    def __init__(self, folder: RetrainingFolder, state: Retraining) -> None:
        self.folder, self.state = folder, state
        self._actor = Actor(name=me(), how="pipeline")

    def run(self) -> None:
        """All of it, until a version is a canary, or has passed only. Raises what went wrong."""
        self._run_pipeline()
        model = model_folder(self.state.model)
        version = self._saved(model)
        self._note(version=version.number)
        if model.aliases().champion != version.number:  # the pipeline may have promoted it itself
            pass_gates(model, version.number, why=self._because(), actor=self._actor)
        tell(f"{version.name} passed its gates.")
        try:
            asyncio.run(self._deploy(version))
        except MlopsError as error:
            self.end("passed", Problem.of(error))
        else:
            self.end("canary", None)

    def end(self, phase: str, problem: Problem | None) -> None:
        """Note what became of it, in the trail as well where that is no deed of its own."""
        told = "" if problem is None else problem.words
        tell(f"{phase}: {told}" if told else phase)
        if phase in ("failed", "cancelled"):
            served = f"{self.state.model}@{self.state.served}"
            asyncio.run(note(self.state.model, self._actor, "didn't retrain", served, self.state.service, why=told))
        self._note(phase=phase, problem=problem, ended=time.time())  # last: who waits for it finds all else done

    def _run_pipeline(self) -> None:
        notebook, last = Path(self.state.notebook), ""
        process = PipelineProcess(notebook, python=self.state.program)
        try:
            for line in process.lines():
                tell(line.rstrip("\n"))
                last = line.strip() or last
                if (step := _STEP.fullmatch(line.strip())) is not None:
                    self._note(step=step[1])
        except BaseException:
            process.cancel()
            raise
        try:
            Pipeline(notebook).check(process.ended(), self.state.began)
        except RunFailed as error:
            raise RunFailed(error.what, error.why if error.todo else last, error.todo) from None

    def _saved(self, model: ModelFolder) -> ModelVersion:
        """The version that came of it; raises `NotFound`."""
        notebook = Path(self.state.notebook)
        version = saved_since(model, self.state.newest, notebook)
        if version is not None:
            return version
        raise NotFound(
            f"{notebook.name} saved no version of {model.name}",
            "its steps are as they were when they ran last, or none of its cells saves one",
            "Have a step read newer rows (--again computes it each time), and a cell save what it made: "
            f"mlops.save_model(…, {model.name!r}).",
        )

    async def _deploy(self, version: ModelVersion) -> None:
        """Have it tried; raises why that can't be."""
        name = self.state.service
        now = await find_service(name)
        spec = await hosting_of(now.place).spec(name)
        if not now.live:
            raise NotFound(f"{name} is {now.phase}", "", f"Deploy it: mlops.deploy('{version.name}', name='{name}').")
        if spec.version != self.state.served:
            raise NotFound(f"{spec.version_name} was deployed meanwhile", "", "Deploy it where it is better.")
        check_candidate(now, spec)
        told = {"name": name, "way": "canary", "why": self._because()}
        _, wanted = await deploy(read_deployment(model=version.model, version=version.number, **told), self._actor)
        tell(f"{version.name} is deployed as a canary.")
        await until_so(wanted, self._actor)

    def _because(self) -> str:
        return f"retrained: {self.state.why}"[:_MOST_WHY] if self.state.why else "retrained"

    def _note(self, **changed: object) -> None:
        self.state = self.state.model_copy(update=changed)
        try:
            self.folder.note(self.state)
        except MlopsError as error:  # a full disk: what is done is done all the same
            print(error, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
