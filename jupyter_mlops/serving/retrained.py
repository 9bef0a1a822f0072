"""What became of the last retraining of a service, beside its state, and in words."""

from __future__ import annotations

import contextlib
import time

from ..client.words import moment
from ..core.base import Time
from ..core.cluster import Problem
from ..core.errors import MlopsError
from ..core.retraining import Retraining
from ..core.service import ServiceState
from ..home.alarms import alarm_watch
from ..home.models import model_folder
from ..home.retraining import retraining_folder
from ..home.services import service_folder

#: Seconds for which it is told that one is over.
_TOLD = 7 * 24 * 3600.0


def with_retraining(state: ServiceState) -> ServiceState:
    """A service's state with its last retraining, if there is anything to say of it: its version doesn't serve
    yet, or isn't the champion."""
    found, now = retraining_of(state.name), time.time()
    if found is None or found.model != state.model or (found.ended is not None and found.ended < now - _TOLD):
        return state
    if found.version and found.version == state.version:
        words = _of_what_serves(found)
        return state.model_copy(update={"retraining": found.model_copy(update={"words": words})}) if words else state
    candidate = state.candidate
    tried = candidate is not None and candidate.version == found.version and candidate.phase != "back"
    if found.phase == "canary" and not tried:
        return state  # it was taken back, or replaced: what is said of candidates tells
    return state.model_copy(update={"retraining": found})


def _of_what_serves(found: Retraining) -> str:
    """What is left to do for a version that serves; nothing where it is the champion."""
    with contextlib.suppress(MlopsError, OSError):
        if found.phase in ("canary", "passed") and model_folder(found.model).aliases().champion != found.version:
            todo = f"mlops.model({found.model!r}).promote({found.version})"
            return f"retrained: {found.version_name} serves, and isn't the champion yet: {todo}"
    return ""


def retraining_of(name: str) -> Retraining | None:
    """The last retraining of a service, in words, too; None where there was none."""
    try:
        found = retraining_folder(service_folder(name)).read()
    except MlopsError as error:
        found = Retraining(service=name, model="", phase="failed", problem=Problem.of(error))
    return None if found is None else found.model_copy(update={"words": retraining_words(found, time.time())})


def unseen_words(state: ServiceState) -> str:
    """Why no alarm retrains a service now that lives elsewhere, in a line; nothing where it is looked at."""
    watch = alarm_watch(state.name)
    if watch is None or watch.place != state.place or watch.problem is None:
        return ""
    return f"no alarm can retrain it since {moment(watch.since, time.time())}: {watch.problem.words}"


def retraining_words(retraining: Retraining, now: Time) -> str:
    """How it is, in a line: "retraining since 14:05: step train"; "retrained: churn@5 is a canary"."""
    version, problem = retraining.version_name, retraining.problem
    why = "" if problem is None else problem.words
    when = moment(retraining.ended or retraining.began, now)
    step = f": step {retraining.step}" if retraining.step else ""
    if retraining.phase == "running":
        return f"retraining since {moment(retraining.began, now)}{step}"
    if retraining.phase == "canary":
        return f"retrained: {version} passed its gates, and is a canary"
    if retraining.phase == "passed":
        return f"retrained: {version} passed its gates, and isn't deployed: {why}"
    if retraining.phase == "refused":
        return f"retrained: {version} refused: {'' if problem is None else problem.why}"
    if retraining.phase == "cancelled":
        return f"retraining was cancelled at {when}{step}"
    if retraining.phase == "dead":
        return f"retraining since {moment(retraining.began, now)} was cut short{step}"
    return f"retraining failed at {when}: {why}"
