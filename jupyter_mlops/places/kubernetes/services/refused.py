"""Why a service can't be made or changed, for people."""

from __future__ import annotations

from ....core.errors import Conflict, MlopsError, Refused, StartFailed, Unavailable
from ....core.service import ServiceSpec
from ....home.owner import me
from ..api.client import Answer
from .objects import port_of
from .stored import StoredService


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


def checked(found: StoredService, spec: ServiceSpec) -> ServiceSpec:
    """`spec` for one that is on record. Raises `Refused`, `Conflict`, `Unreadable`."""
    if found.owner != me():
        raise Refused(
            f"There is a service {spec.name!r} already",
            f"in the namespace {found.ids.namespace!r}, and it is {found.owner}'s",
            "Choose another name: mlops.deploy(…, name=…).",
        )
    before = found.spec
    if found.deployment is None:
        return spec.model_copy(update={"port": spec.port or before.port})
    if "deletionTimestamp" in found.deployment["metadata"]:
        raise Unavailable(f"The service {spec.name!r} can't be changed now", "it is being stopped", "Try again.")
    if before.model != spec.model:
        why = f"it serves the model {before.model!r}"
        raise Conflict(f"There is a service {spec.name!r} already", why, "Choose another name, or stop it first.")
    if spec.port not in (None, port_of(before)):
        why = "it can't change while it lives"
        raise Conflict(f"The service {spec.name!r} has the port {port_of(before)}", why, "Stop it.")
    return spec.model_copy(update={"port": before.port, "created": before.created})
