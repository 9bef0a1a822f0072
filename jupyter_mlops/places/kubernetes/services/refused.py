"""Why a service can't be made or changed, for people."""

from __future__ import annotations

from ....core.errors import Conflict, MlopsError, Refused, StartFailed
from ....core.service import ServiceSpec
from ..api.client import Answer


def not_made(spec: ServiceSpec, answer: Answer) -> MlopsError:
    """Why it can't be made or changed, for people."""
    if answer.status == 409:
        why = "somebody asked for something else at the same moment, or an object of its name is there already"
        todo = "Look at what is there (`jupyter mlops services`, `kubectl get all`). Try again, or choose another name."
        return Conflict(f"{spec.version_name} isn't deployed", f"{why}: {answer.answer.get('message', '')}", todo)
    error = answer.error
    if isinstance(error, Refused):
        return Refused(f"{spec.version_name} isn't deployed: {error.what}", error.why, error.todo)
    return StartFailed(f"{spec.version_name} isn't deployed: {error.what}", error.why, error.todo)
