"""What a model's name means beside what its service serves: a canary that has won isn't the champion by that."""

from __future__ import annotations

import contextlib

from ..core.errors import Conflict, MlopsError
from ..core.model import ModelVersion
from ..core.service import ServiceSpec, ServiceState
from ..home.models import model_folder
from .retrained import unseen_words, with_retraining


def as_told(state: ServiceState) -> ServiceState:
    """A service's state with what isn't stored in it: its last retraining, and what is left to do where its alarm can't
    retrain it, or its model's name means an older version than the one that serves."""
    state = with_retraining(state)
    if not state.live or not state.version:
        return state
    if unseen := unseen_words(state):
        return state.model_copy(update={"hint": unseen})
    champion = None
    with contextlib.suppress(MlopsError, OSError):
        champion = model_folder(state.model).aliases().champion
    if champion is None or champion >= state.version or "isn't the champion yet" in _retrained(state):
        return state
    hint = f"the champion is still {state.model}@{champion}: {_promotes(state.model, state.version)} promotes this one"
    return state.model_copy(update={"hint": hint})


def check_not_back(spec: ServiceSpec, champion: ModelVersion) -> None:
    """Raise `Conflict` where a service would go back to an older version, because its model's name, and nobody, says
    so: the champion was promoted before the version was chosen that serves."""
    since = model_folder(spec.model).aliases().since or 0
    if spec.model != champion.model or champion.number >= spec.version or since >= spec.chosen:
        return
    raise Conflict(
        f"{spec.name!r} serves {spec.version_name}, which is newer than {champion.name}, the champion",
        f"{champion.name} was promoted before, and {spec.model!r} means it still",
        f"Promote the one that serves: {_promotes(spec.model, spec.version)}. "
        f"Or say which you mean: {spec.version_name} as it is, or {champion.name} to go back.",
    )


def _retrained(state: ServiceState) -> str:
    return "" if state.retraining is None else state.retraining.words


def _promotes(model: str, version: int) -> str:
    return f"mlops.model({model!r}).promote({version})"
