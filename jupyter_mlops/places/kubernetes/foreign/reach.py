"""The way to a scheduler of others, and to the logs of its pods."""

from __future__ import annotations

from ....core.errors import ClusterUnreachable, UnknownWorker
from .. import names
from ..api.client import Answer, Api
from ..managed import has_name_here
from ..pods import pods
from ..tunnel.connections import hub
from .found import Found, Json
from .shape import container_of, scheduler_port
from .workers import names_of, running_scheduler

#: Where Dask's dashboard listens unless its maker says otherwise.
DASHBOARD_PORT = 8787

#: What a node answers, as if it were the log, for a container that it is just removing.
_NO_LOG = "unable to retrieve container logs"


async def url_of(api: Api, found: Found) -> str:
    """How a Dask client reaches the scheduler: by DNS from inside of Kubernetes, else through a tunnel.

    Raises
    ------
    ClusterUnreachable : no scheduler runs.
    """
    pod = running_scheduler(found)
    if pod is None:
        raise ClusterUnreachable(f"The scheduler of {found.name!r} doesn't run", "its pod isn't running")
    host = f"{found.service}.{api.namespace}.svc"
    if await has_name_here(host):
        return f"tcp://{host}:{names.SCHEDULER_PORT}"
    return f"tcp://127.0.0.1:{await tunnel(api, found, scheduler_port(pod['spec'], 'tcp-comm', names.SCHEDULER_PORT))}"


async def dashboard_of(api: Api, found: Found) -> tuple[str, int, str]:
    """Host and port that lead to Dask's dashboard, which asks for no key. Raises `ClusterUnreachable`."""
    pod = running_scheduler(found)
    if pod is None:
        raise ClusterUnreachable(f"The scheduler of {found.name!r} doesn't run", "so there is no dashboard")
    return "127.0.0.1", await tunnel(api, found, scheduler_port(pod["spec"], "http-dashboard", DASHBOARD_PORT)), ""


async def tunnel(api: Api, found: Found, port: int) -> int:
    """The local port that leads to `port` of the scheduler's pod. On the hub's loop only."""
    return await hub().tunnel(api, found.object, port, found.scheduler_selector)


async def log_of(api: Api, found: Found, worker: str | None, lines: int) -> list[str]:
    """The last lines of a worker's pod, or of the scheduler's; those before its last restart, if it doesn't run.

    Raises
    ------
    UnknownWorker : it has no worker of that name, or no more.
    """
    names = names_of(found)
    there = found.schedulers[:1] if worker is None else []
    if worker is not None:
        there = [pod for pod in found.workers if worker in (pod["metadata"]["name"], names[pod["metadata"]["name"]])]
        if not there:
            raise UnknownWorker.named(worker, names.values())
    for pod in there:
        last = {} if pods.step(pod) == "running" or pods.over(pod) else {"previous": "true"}
        return await _log(api, pod, {"tailLines": lines, **last})
    return []


async def previous_log(api: Api, pod: Json, lines: int) -> list[str]:
    """The last lines of what ran in a pod before it was started again."""
    return await _log(api, pod, {"tailLines": lines, "previous": "true"})


async def _log(api: Api, pod: Json, query: dict[str, object]) -> list[str]:
    name, container = pod["metadata"]["name"], container_of(pod["spec"])
    try:
        text = await api.text(api.path("pods", name) + "/log", {**query, "container": container.get("name", "")})
    except Answer as answer:
        if answer.status in (400, 404):  # no container yet, or none before this one
            return []
        raise
    return [] if text.startswith(_NO_LOG) else text.splitlines()
