"""Retrains services for their alarms: `python -m jupyter_mlops.serving.alarmed NAME…`, as the clock starts it.

The alarm of a service of this machine is known: it is retrained at once. One that lives elsewhere is looked at first,
as a browser that shows it does: what it has logged is copied to the home folder, its alarm is noted there, and what was
decided of a version that is tried is made good.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
import traceback

from ..core.alert import ServiceWatch
from ..core.base import Seconds
from ..core.cluster import Problem
from ..core.errors import Conflict, MlopsError, NotFound, UnknownService
from ..core.retraining import AlarmWatch, Retraining
from ..core.service import ServiceSpec
from ..core.trail import Actor
from ..core.waiting import wait_for
from ..home.alarms import alarm_watch, is_ours, note_look, unfollow
from ..home.models import model_folder
from ..home.owner import me
from ..home.retraining import retraining_folder
from ..home.services import service_folder
from ..pipelines.alarms import learnt
from ..places.hosting import Hosting
from .find import find_service, hosting_of
from .noted import note, note_decided
from .retrain import retrain

#: Seconds for all that a look at a service takes, and for what it has begun to come to its end.
_LONGEST: Seconds = 240.0
_ENDING: Seconds = 120.0


async def see_to(names: list[str]) -> None:
    """Retrain those of these services that are to be retrained for their alarms now. None keeps another one waiting,
    and what is wrong with one is noted where its users see it."""
    told = await asyncio.gather(*map(_see_to, names), return_exceptions=True)
    for name, fault in zip(names, told, strict=True):
        if fault is not None:
            _say(name, str(fault))


async def _see_to(name: str) -> None:
    watch = await asyncio.to_thread(alarm_watch, name)
    if watch is None:
        if hosting_of((await find_service(name)).place).tells_alarms:
            await _retrain(name)
    elif await _look(watch):
        await _retrain(name)


async def _look(watch: AlarmWatch) -> bool:
    """Look at a service elsewhere; whether it is to be retrained now."""
    began, due, problem = time.time(), False, None
    try:
        hosting = hosting_of(watch.place)
        due = await wait_for(_is_due(watch.service, hosting), _LONGEST)
        await wait_for(hosting.settled(), _ENDING)
    except asyncio.TimeoutError:
        problem = Problem(what=f"{watch.service} couldn't be looked at", why=f"it took more than {_LONGEST:.0f} s")
    except UnknownService:
        why = "it was removed from its place, or what leads there was, as a kubeconfig"
        problem = Problem(what=f"{watch.service} isn't found", why=why)
    except MlopsError as error:
        problem = Problem.of(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is said where people look
        traceback.print_exc()
        problem = Problem(what=f"{watch.service} couldn't be looked at", why=f"{type(error).__name__}: {error}")
    if problem is not None and problem != watch.problem:
        _say(watch.service, problem.words)
    await asyncio.to_thread(note_look, watch.service, began, problem)
    return due


def _say(name: str, words: str) -> None:
    """Into the clock's log, too."""
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {name}: {words}", file=sys.stderr, flush=True)


async def _is_due(name: str, hosting: Hosting) -> bool:
    """Look at all that is known of a service. Raises what keeps from that."""
    state, spec = await hosting.get(name), await hosting.spec(name)
    await note_decided(hosting)
    if state.phase == "stopped" or not await asyncio.to_thread(is_ours, spec):
        await asyncio.to_thread(unfollow, name)
        return False
    if state.phase != "ready":  # which it says itself
        return False
    await asyncio.to_thread(_check_version, spec)
    watch = await hosting.watch(name)
    await hosting.performance(name)
    await hosting.usage(name)
    return await _has_learnt_enough(spec, hosting, watch)


async def _has_learnt_enough(spec: ServiceSpec, hosting: Hosting, watch: ServiceWatch | None) -> bool:
    state = await hosting.get(spec.name)
    since = await asyncio.to_thread(learnt, spec, state, watch, time.time())
    return since is not None and await hosting.new_rows(spec.name, since) >= spec.retrain_rows


def _check_version(spec: ServiceSpec) -> None:
    """Raise `NotFound` where the version that serves isn't one of this home folder's: another one has it, and its
    baseline and notebook."""
    with contextlib.suppress(FileNotFoundError):
        if model_folder(spec.model).version(spec.version).record().digest == spec.digest:
            return
    todo = f"Deploy {spec.name} again from where {spec.model} is trained now: mlops.deploy(…, retrain='on alarm')."
    raise NotFound(f"{spec.version_name}, which {spec.name} serves, isn't in this home folder", "", todo)


async def _retrain(name: str) -> None:
    """Retrain a service whose alarm says so. Why that can't be is noted as a retraining that failed: nobody is there to
    hear it."""
    state = await find_service(name)
    if not state.live or state.alarm is None:
        return
    actor, why = Actor(name=me(), how="pipeline"), state.alarm.what
    try:
        await retrain(name, actor, why)
    except Conflict:  # somebody else was first
        return
    except MlopsError as error:
        now, folder = time.time(), retraining_folder(service_folder(name))
        failed = Retraining(service=name, model=state.model, phase="failed", by=actor, why=why, began=now, ended=now)
        os.close(folder.begin(failed.model_copy(update={"problem": Problem.of(error)})))
        await note(state.model, actor, "didn't retrain", state.version_name, name, why=str(error))


if __name__ == "__main__":
    asyncio.run(see_to(sys.argv[1:]))
