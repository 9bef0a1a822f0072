"""Brings the agent to the workers, as text, so that they need no copy of this package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...agent.loading import load

if TYPE_CHECKING:
    from distributed import Worker

#: The agent's name among a worker's modules, and the order in which its files can be run.
PACKAGE = "jupyter_mlops_agent"
FILES = (
    "__init__",
    "loading",
    "forking",
    "wire",
    "reports",
    "sources",
    "pickling",
    "missing",
    "failures",
    "versions",
    "packages",
    "seals",
    "outcomes",
    "memory",
    "use",
    "sampling",
    "spent",
    "buffers",
    "mainmodule",
    "imported",
    "displays",
    "cells",
    "streams",
    "items",
    "code",
    "changes",
    "kinds",
    "clients",
    "surroundings",
    "settings",
    "rendezvous",
    "checkpoints",
    "leaving",
    "whereabouts",
    "steps",
    "points",
    "stacks",
    "gpus",
    "trial",
    "runner",
    "fitting",
    "template",
    "processes",
    "spare",
    "seat",
    "gang",
    "agent",
)

#: The name of the plugin on the workers.
PLUGIN = "jupyter-mlops"


def agent_texts() -> dict[str, str]:
    """The agent's modules, as they travel: text by name, in the order in which they can be run."""
    folder = Path(__file__).parents[2] / "agent"
    return {name: (folder / f"{name}.py").read_text(encoding="utf-8") for name in FILES}


def load_agent() -> None:
    """Load the agent's modules into this process, which workers are forked from: each would compile them by itself."""
    load(PACKAGE, agent_texts())


def plugin() -> bytes:
    """The pickled worker plugin that installs the agent."""
    from distributed import WorkerPlugin
    from distributed.protocol.pickle import dumps

    texts = agent_texts()

    class Install(WorkerPlugin):
        """Runs the agent's files in this process, and starts the agent."""

        def __init__(self) -> None:
            self.package, self.texts = PACKAGE, texts

        def setup(self, worker: Worker) -> None:
            """Called by Dask in each worker."""
            import sys

            loading: dict[str, Any] = {}
            exec(self.texts["loading"], loading)  # noqa: S102 - it is ours
            loading["load"](self.package, self.texts)  # a second worker in this process finds them there
            sys.modules[f"{self.package}.agent"].install(worker, self.texts)

        def teardown(self, worker: Worker) -> None:
            """Called by Dask when the worker closes."""
            import sys

            sys.modules[f"{self.package}.agent"].uninstall(worker)

    Install.__module__ = Install.setup.__module__ = Install.teardown.__module__ = "__main__"  # it travels by value
    Install.__qualname__ = "Install"
    return bytes(dumps(Install()))


def enter(code: bytes, batch: bytes, *bigs: Any) -> Any:
    """What every task of a run calls. Travels by value, so it may use nothing of this module."""
    import sys

    agent = sys.modules.get("jupyter_mlops_agent.agent")
    if agent is None:
        raise RuntimeError("This worker has no agent of jupyter-mlops: its cluster was not made by it.")
    return agent.run(code, batch, bigs)


def resend(
    enter: Any,
    code: bytes,
    parts: list[bytes],
    keys: list[str],
    partitions: bytes,
    bigs: list[str],
    resources: dict[str, float] | None,
    keys_of_client: dict[str, str] | None = None,
) -> Any:
    """Send the tasks of a map over the partitions of a Dask collection, from a worker: only there the collection's
    graph can be unpickled. Returns the tasks' futures; Dask keeps the tasks for as long as somebody holds these
    futures. This function travels by value.

    `keys_of_client` : where workers have none of their own that clients may use.
    """
    import pickle
    import sys

    from dask.base import annotate
    from dask.delayed import delayed
    from distributed import Client, Future, get_client, get_worker
    from distributed.security import Security

    sources: Any = sys.modules["jupyter_mlops_agent.sources"]
    sources.FINDER.bring(pickle.loads(code)["modules"])  # noqa: S301 - plain data of ours
    if keys_of_client is None:
        client = get_client()
    else:
        given = {"tls_client_key": keys_of_client["key"], "tls_client_cert": keys_of_client["cert"]}
        security = Security(require_encryption=True, tls_ca_file=keys_of_client["ca"], **given)
        client = Client(get_worker().scheduler.address, security=security, set_as_default=False)
    inputs: list[Any] = [Future(key, client) for key in bigs]
    call = delayed(enter, pure=False)
    pending = [
        call(code, part, partition, *inputs, dask_key_name=key)
        for key, part, partition in zip(keys, parts, pickle.loads(partitions), strict=True)  # noqa: S301 - the user's own
    ]
    with annotate(resources=resources) if resources else annotate():
        return client.compute(pending)


def without_results(outcome: dict[str, Any]) -> dict[str, Any]:
    """What is to be known of a task's outcome whose results stay on the cluster."""
    return {name: value for name, value in outcome.items() if name not in ("kept", "values", "pieces")}


def kept_results(outcome: dict[str, Any], name: str | None) -> Any:
    """The results that stay on the cluster: all, or the one of that name."""
    import pickle

    if "kept" in outcome:
        kept = pickle.loads(outcome["kept"])  # noqa: S301 - the user's own
        return kept if name is None else kept[name]
    pieces = outcome.get("pieces") or [outcome["values"]]
    return [value for piece in pieces for value in pickle.loads(piece)]  # noqa: S301 - as above


for _travelling in (enter, resend, without_results, kept_results):
    _travelling.__module__ = "__main__"  # so that it travels by value
