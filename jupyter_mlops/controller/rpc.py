"""The controller's answers to a `Link`: handlers on the scheduler, named `mlops_*`. A place's program begins here.

await serve(Controller(scheduler, spec, pool, folder))    # after the scheduler listens
"""

from __future__ import annotations

from typing import Any

from pydantic import StrictBool, StrictInt

from ..core.base import Input, Record, read_input, read_record
from ..core.cluster import EndCause
from ..core.extend import LimitChange
from .answers import Handler, answering
from .controller import Controller

#: Seconds that a watcher is kept waiting at most, so that one that vanished is noticed.
LONGEST = 60.0


class ScaleCall(Input):
    """What `mlops_scale` takes."""

    workers: StrictInt
    group: str | None = None
    now: StrictBool = False


class LetGoCall(Input):
    """What `mlops_let_go` takes."""

    workers: StrictInt
    group: str | None = None


class AdaptCall(Input):
    """What `mlops_adapt` takes."""

    minimum: StrictInt
    maximum: StrictInt
    group: str | None = None


class StopCall(Record):
    """What `mlops_stop` takes: lenient, because a cluster must end for whatever cause a newer version has."""

    cause: EndCause = "user"
    why: str = ""


async def serve(controller: Controller) -> None:
    """Answer links from now on, and start the controller."""
    controller.scheduler.handlers.update(handlers(controller))
    await controller.start()


def handlers(controller: Controller) -> dict[str, Handler]:
    """The handlers of a controller."""

    async def mlops_view(workers: bool = True) -> dict[str, Any]:
        return controller.view.answer(None, workers)

    async def mlops_watch(since: int, timeout: float = 20.0, workers: bool = False) -> dict[str, Any]:
        await controller.wait(since, min(max(0.0, timeout), LONGEST), workers)
        return controller.view.answer(since, workers)

    async def mlops_timeline(since: float = 0.0) -> list[dict[str, Any]]:
        return [sample.model_dump() for sample in controller.timeline.since(since)]

    async def mlops_scale(**request: Any) -> None:
        scale = read_input(ScaleCall, request, "scaling")
        await controller.scale(scale.workers, scale.group, scale.now)

    async def mlops_let_go(**request: Any) -> list[str]:
        going = read_input(LetGoCall, request, "letting go")
        return controller.let_go(going.workers, going.group)

    async def mlops_adapt(**request: Any) -> None:
        adapt = read_input(AdaptCall, request, "adaptive scaling")
        await controller.adapt(adapt.minimum, adapt.maximum, adapt.group)

    async def mlops_limit(**request: Any) -> None:
        controller.change_limits(read_input(LimitChange, request, "limit"))

    async def mlops_stop(**request: Any) -> None:
        stop = read_record(StopCall, request, "stop")
        controller.stop_soon(stop.cause, stop.why)

    async def mlops_logs(worker: str | None = None, lines: int = 200) -> list[str]:
        return await controller.logs(worker, lines)

    async def mlops_dashboard() -> list[Any]:
        return list(await controller.dashboard.address())

    own = (
        mlops_view,
        mlops_watch,
        mlops_timeline,
        mlops_scale,
        mlops_let_go,
        mlops_adapt,
        mlops_limit,
        mlops_stop,
        mlops_logs,
        mlops_dashboard,
    )
    return {handler.__name__: answering(handler) for handler in own}
