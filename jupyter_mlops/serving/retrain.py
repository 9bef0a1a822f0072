"""Retraining a service: its model's pipeline is run by a process of its own, and what it saves is judged and tried."""

from __future__ import annotations

import asyncio
import os
import time

from .. import home
from ..core.cluster import Problem
from ..core.errors import Conflict
from ..core.retraining import Retraining
from ..core.service import ServiceSpec, ServiceState
from ..core.trail import Actor
from ..home.acting import here
from ..home.detached import reap, start_detached
from ..home.models import model_folder
from ..home.retraining import retraining_folder
from ..home.services import service_folder
from .find import find_service, hosting_of
from .noted import note
from .retrained import retraining_of
from .source import pipeline_of

#: The process that does it.
_PROGRAM = "jupyter_mlops.serving.retrainer"

#: Seconds between two looks of whoever waits for it.
_LOOK = 0.2


async def retrain(name: str, actor: Actor | None = None, why: str = "") -> Retraining:
    """Have the pipeline of a service's model run, in a process of its own. Returns as soon as that has begun.

    Parameters
    ----------
    actor : who asks; default: the user of this process.
    why : for the trail.

    Raises
    ------
    UnknownService, Unavailable, Unreadable : there is no such service, or it can't be asked.
    Conflict : it is being retrained already, or a candidate is tried.
    NotFound, InvalidInput : nobody knows its pipeline; that is gone, has no steps, or saves other models only.
    StorageFull, Refused
    """
    state = await find_service(name)
    spec = await hosting_of(state.place).spec(name)
    check_candidate(state, spec)
    notebook, program = await asyncio.to_thread(pipeline_of, spec)
    actor = actor or here()
    begun = Retraining(
        service=name,
        model=spec.model,
        notebook=str(notebook),
        program=program,
        by=actor,
        why=why,
        began=time.time(),
        served=spec.version,
        newest=max(model_folder(spec.model).numbers(), default=0),
        log=str(retraining_folder(service_folder(name)).log),
    )
    await asyncio.to_thread(_start, begun)
    await note(spec.model, actor, "began to retrain", spec.version_name, name, why=why)
    return await asyncio.to_thread(retraining_of, name) or begun


async def until_over(name: str) -> Retraining:
    """Wait until a service isn't being retrained any more; what became of it."""
    while True:
        found = await asyncio.to_thread(retraining_of, name)
        if found is None or found.phase != "running":
            return found or Retraining(service=name, model="", phase="cancelled")
        await asyncio.sleep(_LOOK)


def check_candidate(state: ServiceState, spec: ServiceSpec) -> None:
    """Raise `Conflict` where a candidate is tried already: another one would take its place."""
    wanted, seen = spec.candidate, state.candidate
    if wanted is None or (seen is not None and seen.version == wanted.version and seen.phase == "back"):
        return
    raise Conflict(
        f"{spec.name} isn't retrained now",
        f"{spec.model}@{wanted.version} is tried beside {spec.version_name}",
        "Promote it or roll it back first.",
    )


def _start(begun: Retraining) -> None:
    """Start the process, detached from whoever starts it."""
    folder = retraining_folder(service_folder(begun.service))
    handle = folder.begin(begun)
    try:
        with folder.open_log() as log:
            environment = {**os.environ, "JUPYTER_MLOPS_HOME": str(home.home())}
            words, files = [begun.service, str(handle)], [handle]
            process = start_detached(
                _PROGRAM, *words, folder=folder.path, log=log, environment=environment, files=files
            )
    except OSError as error:
        failed = Problem(what="The process that retrains couldn't be started", why=str(error))
        folder.note(begun.model_copy(update={"phase": "failed", "problem": failed, "ended": time.time()}))
        raise Conflict(failed.what, failed.why, "") from error
    finally:
        os.close(handle)
    reap(process, begun.service)
